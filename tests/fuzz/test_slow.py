"""Peers that are slow, silent, endless or many: they are ended in time, and others are served meanwhile."""

from __future__ import annotations

import itertools
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from protocol import wire
from protocol.wire import Kind
from tests.fuzz.plain import answer, connect, request
from tests.fuzz.slow_peers import (
    BINARY,
    CONTINUED,
    HELLO,
    PING,
    TEXT,
    ended,
    forever,
    handshake,
    pour,
    trickle,
    websocket,
    websocket_frame,
)
from tests.server.tools import NPY, Web, npy
from tests.support import ServerProcess, serving, wait_until

HURRY = ("--header-seconds", "1", "--stall-seconds", "1", "--heartbeat", "0.5", "--memory-limit", "256m")
ROOM = 48 * 2**20
"""Bytes of memory by which a server may grow while somebody sends it more."""
LINE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        with serving(*HURRY, "--data-dir", folder, log=log) as process:
            yield process
        log.seek(0)
        said = log.read().decode()
        assert "Traceback" not in said, said[said.index("Traceback") - 500 :]


@pytest.fixture
def web(server: ServerProcess) -> Iterator[Web]:
    with Web(server) as client:
        yield client.new_session()
        client.delete(client.path)


def serves(server: ServerProcess) -> None:
    """Others are served."""
    with Web(server) as other:
        assert other.get("/healthz").status_code == 200
        found = other.post("/v1/run", json={"op": "add", "inputs": [1, 2]})
        assert found.status_code == 200 and found.json()["values"][0]["data"] == 3


# --- requests that do not come to an end -----------------------------------------------------------------------------


def head(server: ServerProcess, method: str, path: str, *lines: bytes) -> bytes:
    return request(server, method, path.encode(), headers=lines).replace(b"Content-Length: 0\r\n", b"")


SLOW: dict[str, Callable[[ServerProcess, str], Iterator[bytes]]] = {
    "silent": lambda server, path: iter(()),
    "half a line": lambda server, path: iter([b"GET /heal"]),
    "a path": lambda server, path: itertools.chain([b"GET /"], forever(b"x")),
    "blank lines": lambda server, path: forever(b"\r\n"),
    "headers": lambda server, path: itertools.chain([LINE], forever(b"A: b\r\n")),
    "a header": lambda server, path: itertools.chain([LINE + b"A: "], forever(b"b")),
    "a second request": lambda server, path: itertools.chain([LINE + b"\r\n", LINE], forever(b"A: b\r\n")),
    "an idle connection": lambda server, path: iter([LINE + b"\r\n"]),
    "a body": lambda server, path: itertools.chain(
        [head(server, "POST", "/v1/run", b"Content-Length: 100000")], forever(b"[")
    ),
    "a body that stops": lambda server, path: iter(
        [head(server, "POST", "/v1/run", b"Content-Length: 100000") + b"[1"]
    ),
    "chunks": lambda server, path: itertools.chain(
        [head(server, "POST", f"{path}/execute", b"Transfer-Encoding: chunked")], forever(b"1\r\n[\r\n")
    ),
    "an extension of a chunk": lambda server, path: itertools.chain(
        [head(server, "POST", "/v1/run", b"Transfer-Encoding: chunked"), b"1;a="], forever(b"b")
    ),
    "trailers": lambda server, path: itertools.chain(
        [head(server, "PUT", "/v1/files/x", b"Transfer-Encoding: chunked"), b"0\r\n"], forever(b"A: b\r\n")
    ),
    "a file": lambda server, path: itertools.chain(
        [head(server, "PUT", "/v1/files/slow", b"Content-Length: 100000")], forever(b"x")
    ),
    "an upload": lambda server, path: itertools.chain(
        [head(server, "PUT", f"{path}/uploads/1", b"Content-Range: bytes 0-99999/100000", b"Content-Length: 100000")],
        forever(b"x"),
    ),
    "an upload that stops": lambda server, path: iter(
        [head(server, "PUT", f"{path}/uploads/2", b"Content-Range: bytes 0-99999/100000", b"Content-Length: 100000")]
    ),
    "frames": lambda server, path: itertools.chain(
        [head(server, "POST", f"{path}/connections", b"Content-Length: 100000")], forever(b"\0")
    ),
    "a body after its answer": lambda server, path: itertools.chain(
        [b"POST /v1/run HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"], forever(b"x")
    ),
    "a handshake": lambda server, path: itertools.chain([handshake(server, path)[:-2]], forever(b"A: b\r\n")),
    "a long header in a handshake": lambda server, path: iter([handshake(server, path, b"A: " + b"b" * 9000)]),
    "no hello": lambda server, path: iter([handshake(server, path)]),
    "pings and no hello": lambda server, path: itertools.chain(
        [handshake(server, path)], forever(websocket_frame(PING, b"x"))
    ),
    "pieces of a hello": lambda server, path: itertools.chain(
        [handshake(server, path), websocket_frame(BINARY, HELLO, False)],
        forever(websocket_frame(CONTINUED, b"x", False)),
    ),
    "bytes of a frame": lambda server, path: itertools.chain(
        [handshake(server, path), b"\x82\xfe\xff\xff"], forever(b"x")
    ),
    "nothing after hello": lambda server, path: iter([handshake(server, path) + websocket_frame(BINARY, HELLO)]),
    "pieces after hello": lambda server, path: itertools.chain(
        [handshake(server, path) + websocket_frame(BINARY, HELLO), websocket_frame(BINARY, b"x", False)],
        forever(websocket_frame(CONTINUED, b"x", False)),
    ),
}


@pytest.mark.parametrize("what", SLOW)
def test_slow_ones_are_ended(server: ServerProcess, web: Web, what: str) -> None:
    with connect(server) as connection:
        trickle(connection, SLOW[what](server, web.path))
    serves(server)


def test_many_slow_ones_at_once(server: ServerProcess, web: Web, explore: Any) -> None:
    def check(kinds: list[str]) -> None:
        with ExitStack() as stack:
            slow = [(stack.enter_context(connect(server)), SLOW[kind](server, web.path)) for kind in kinds]
            for connection, pieces in slow:
                connection.sendall(next(pieces, b""))
            serves(server)
            for connection, pieces in slow:
                trickle(connection, pieces)

    explore(check, st.lists(st.sampled_from(sorted(SLOW)), min_size=2, max_size=20), examples=2)


@pytest.mark.parametrize("what", ["headers", "a body", "a body that stops"])
def test_slow_ones_are_told(server: ServerProcess, web: Web, what: str) -> None:
    with connect(server) as connection:
        said = trickle(connection, SLOW[what](server, web.path))
    assert said.startswith(b"HTTP/1.1 408 ") and b"application/problem+json" in said


def test_slow_enough_is_served(server: ServerProcess, web: Web) -> None:
    """What moves faster than the least rate may take longer than the limit."""
    size = 200_000
    parts = [b"x" * 2000] * (size // 2000)
    start = head(server, "PUT", "/v1/files/steady", b"Content-Length: %d" % size, b"Connection: close")
    with connect(server) as connection:
        said = trickle(connection, iter([start, *parts]))
    assert said.startswith(b"HTTP/1.1 204 ")
    assert web.get("/v1/files/steady").content == b"x" * size


# --- floods ----------------------------------------------------------------------------------------------------------

CHUNKED = b"Transfer-Encoding: chunked"
FLOODS: dict[str, tuple[Callable[[ServerProcess], bytes], bytes]] = {
    "a header": (lambda server: LINE + b"A: ", b"b" * 2**16),
    "headers": (lambda server: LINE, b"A: b\r\n" * 2**12),
    "a path": (lambda server: b"GET /", b"x" * 2**16),
    "blank lines": (lambda server: b"", b"\r\n" * 2**15),
    "a chunk's extension": (lambda server: head(server, "PUT", "/v1/files/x", CHUNKED) + b"1;a=", b"b" * 2**16),
    "a trailer": (lambda server: head(server, "PUT", "/v1/files/x", CHUNKED) + b"0\r\nA: ", b"b" * 2**16),
    "trailers": (lambda server: head(server, "PUT", "/v1/files/x", CHUNKED) + b"0\r\n", b"A: b\r\n" * 2**12),
    "a refused body": (lambda server: head(server, "POST", "/v1/run", CHUNKED), b"10000\r\n" + b" " * 2**16 + b"\r\n"),
}


@pytest.mark.parametrize("what", FLOODS)
def test_floods_are_ended(server: ServerProcess, web: Web, what: str) -> None:
    start, piece = FLOODS[what]
    before = server.resident_bytes()
    with connect(server) as connection:
        connection.sendall(start(server))
        pour(connection, piece, 2**33)
    assert server.resident_bytes() - before < ROOM
    serves(server)


def test_requests_in_a_row_that_nobody_reads_the_answers_of(server: ServerProcess, web: Web) -> None:
    before = server.resident_bytes()
    with connect(server) as connection:
        pour(connection, request(server, "GET", b"/v1/ops") * 50, 2**33)
    assert server.resident_bytes() - before < ROOM
    serves(server)


@pytest.mark.parametrize(
    "piece",
    [
        websocket_frame(PING, b"x" * 125),
        websocket_frame(CONTINUED, b"", False),
        websocket_frame(CONTINUED, b"xx", False),
    ],
    ids=["pings", "empty pieces", "small pieces"],
)
def test_floods_of_websockets_are_ended(server: ServerProcess, web: Web, piece: bytes) -> None:
    before = server.resident_bytes()
    with websocket(server, web.path) as connection:
        connection.sendall(websocket_frame(BINARY, HELLO) + websocket_frame(BINARY, b"", piece[0] & 15 == PING))
        pour(connection, piece * 500, 2**33)
    assert server.resident_bytes() - before < ROOM
    serves(server)


@pytest.mark.parametrize(
    "frames",
    [
        websocket_frame(BINARY, HELLO[:5], False) * 2, websocket_frame(TEXT, b"\xff\xff"),
        websocket_frame(CONTINUED, b"x"),
        b"\xc2\x80\0\0\0\0", b"\x82\x05Hello", b"\x83\x80\0\0\0\0", websocket_frame(PING, b"x" * 126),
        b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", b"\x82\xff\0\0\0\0\0\x90\0\0\0\0\0\0",
        websocket_frame(8, b"\0"), websocket_frame(8, b"\x03\xe8\xff"), websocket_frame(PING, b"", False),
    ],
    ids=["two starts", "text", "no start", "reserved bits", "no mask", "opcode 3", "long ping", "2**63", "9 MiB",
         "close of one byte", "close in no UTF-8", "ping in pieces"],
)  # fmt: skip
def test_frames_that_are_none_end_the_connection(server: ServerProcess, web: Web, frames: bytes) -> None:
    with websocket(server, web.path) as connection:
        connection.sendall(frames)
        trickle(connection, iter(()))
    serves(server)


def test_a_message_in_pieces_is_one(server: ServerProcess, web: Web) -> None:
    with websocket(server, web.path) as connection:
        parts = [HELLO[i : i + 1] for i in range(len(HELLO))]
        connection.sendall(websocket_frame(BINARY, parts[0], False))
        for part in parts[1:-1]:
            connection.sendall(websocket_frame(CONTINUED, part, False) + websocket_frame(PING))
        connection.sendall(websocket_frame(CONTINUED, parts[-1]))
        said = trickle(connection, iter(()))  # without a sign of life it is given up
    assert b"devices" in said


# --- peers that take nothing -----------------------------------------------------------------------------------------


def test_an_answer_that_nobody_takes(server: ServerProcess, web: Web) -> None:
    large = np.zeros(2**22, np.float64)
    assert web.put(f"{web.path}/tensors/x", content=npy(large), headers={"content-type": NPY}).status_code == 201
    web.put("/v1/files/large", content=bytes(2**25))
    for path in (f"{web.path}/tensors/x?format=npy", "/v1/files/large"):
        with connect(server) as connection:
            connection.sendall(request(server, "GET", path.encode()))
            assert ended(connection)
            assert answer(connection) is None, "the whole of it came"
        serves(server)


def test_a_session_whose_client_never_reads(server: ServerProcess, web: Web) -> None:
    """It sends small items without an end, each of which is acknowledged: what is kept of that has a bound."""
    stream = new_stream(server)
    before = server.resident_bytes()
    with websocket(server, stream) as connection:
        connection.sendall(websocket_frame(BINARY, HELLO))
        items = (websocket_frame(BINARY, items_frame(n)) for n in itertools.count(1))
        with pytest.raises(ConnectionError):
            for _ in range(200_000):
                connection.sendall(b"".join(itertools.islice(items, 100)))
    assert server.resident_bytes() - before < 2 * ROOM
    serves(server)


def items_frame(number: int) -> bytes:
    body = wire.pack([[wire.Item.SYNC, number]])
    return wire.encode_frame(Kind.ITEMS, number, 0, 0, 1, body)


def new_stream(server: ServerProcess) -> str:
    with Web(server) as web:
        return web.new_session().path


# --- many ------------------------------------------------------------------------------------------------------------


def test_three_hundred_connections_of_one_peer(server: ServerProcess, web: Web) -> None:
    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(server)) for _ in range(300)]
        for connection in crowd:
            connection.sendall(LINE)
        serves(server)
        for connection in crowd:
            trickle(connection, iter(()))
    serves(server)


@pytest.fixture(scope="module")
def small() -> Iterator[ServerProcess]:
    with serving("--max-connections", "20") as process:
        yield process


def test_strangers_make_room(small: ServerProcess) -> None:
    """Connections without a token keep nobody out, however many there are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft > 400, (soft, hard)
    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(small)) for _ in range(300)]
        serves(small)
        trickle(crowd[0], iter(()))
        serves(small)


def test_one_connection_too_many(small: ServerProcess) -> None:
    """Where all have shown a token, the next one is told so, and there is room again when one goes."""
    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(small)) for _ in range(20)]
        for connection in crowd:
            connection.sendall(request(small, "GET", b"/v1/ops/add"))
            found = answer(connection)
            assert found is not None and found.status == 200
        with connect(small) as late:
            refused = answer(late)
            assert refused is not None and refused.status == 503 and refused.problem["code"] == 14
        for connection in crowd:
            connection.close()

        def served() -> bool:
            with connect(small) as another:
                another.sendall(request(small, "GET", b"/v1/ops/add"))
                found = answer(another)
            return found is not None and found.status == 200

        wait_until(served)
