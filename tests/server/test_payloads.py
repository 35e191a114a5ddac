"""Large values on connections that stand still: others of the same session pass, and theirs come to their end."""

import gc
import socket

import numpy as np
import pytest

from protocol import dtypes, wire
from protocol.wire import Item
from server import spare_memory
from tests.stream.raw import Raw, http
from tests.support import serving

BIND, READ, RUN = wire.BIND, wire.READ, wire.RUN
MANY = 12  # more than there are pieces between a server and a session's process
NUMBERS = range(1, MANY + 1)
COUNT = 2**21 + 5  # 8 MB: more than sockets hold for a peer that does not read
VALUES = np.arange(COUNT, dtype=np.float32)
DATA = VALUES.tobytes()
PART = 100_000


@pytest.fixture(scope="module", params=["thread", "process"])
def server(request):
    with serving("--isolation", request.param) as process:
        yield process


class Standing:
    """A request whose bytes are sent, or taken, only as far as the test says."""

    def __init__(self, server, request: str, *headers: str) -> None:
        lines = [request + " HTTP/1.1", "Host: localhost", f"Authorization: Bearer {server.token}", *headers]
        self._socket = socket.create_connection(server.address)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        self.send("\r\n".join([*lines, "", ""]).encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def begun(self) -> bool:
        """Wait until the answer begins, without taking any of it."""
        return bool(self._socket.recv(1, socket.MSG_PEEK))

    def answer(self) -> bytes:
        """All that comes until the server closes."""
        with self._socket:
            return b"".join(iter(lambda: self._socket.recv(2**20), b""))


def put(server, session: str, number: int) -> Standing:
    path = f"/v1/sessions/{session}/uploads/{number}"
    size = len(DATA)
    return Standing(server, f"PUT {path}", f"Content-Range: bytes 0-{size - 1}/{size}", f"Content-Length: {size}")


def get(server, session: str, number: int) -> Standing:
    return Standing(server, f"GET /v1/sessions/{session}/reads/{number}", "Connection: close")


def upload(web, session: str, number: int) -> int:
    size = len(DATA)
    headers = {"Content-Range": f"bytes 0-{size - 1}/{size}"}
    return web.put(f"/v1/sessions/{session}/uploads/{number}", content=DATA, headers=headers).status_code


def download(web, session: str, number: int) -> np.ndarray:
    answer = web.get(f"/v1/sessions/{session}/reads/{number}")
    assert answer.status_code == 200, answer.text
    return np.frombuffer(answer.content, np.float32)


def test_uploads_that_stand_still_hold_up_no_other(server):
    with Raw(server) as raw, http(server) as web:
        raw.send([BIND, 0, "negative"])
        standing = [put(server, raw.session, number) for number in NUMBERS]
        for each in standing:
            each.send(DATA[:PART])
        for number in (100, 101):
            assert upload(web, raw.session, number) == 200
            raw.send([Item.UPLOAD, number, number, dtypes.float32, [COUNT]], [RUN, 0, number + 50, [number]])
            raw.send([READ, number, number + 50])
            assert np.array_equal(download(web, raw.session, number), -VALUES)
        for number, each in zip(NUMBERS, standing, strict=True):
            each.send(DATA[PART:])
            assert b" 200 " in each.answer()[:20]
            raw.send([Item.UPLOAD, number, number, dtypes.float32, [COUNT]], [READ, number, number])
            assert np.array_equal(download(web, raw.session, number), VALUES)


def test_downloads_that_stand_still_hold_up_no_other(server):
    with Raw(server) as raw, http(server) as web:
        assert upload(web, raw.session, 1) == 200
        raw.send([Item.UPLOAD, 1, 1, dtypes.float32, [COUNT]], *[[READ, number, 1] for number in range(MANY + 1)])
        standing = []
        for number in NUMBERS:  # one after the other: each has all pieces to itself until its socket is full
            standing.append(get(server, raw.session, number))
            assert standing[-1].begun()
            for _ in range(2):
                assert np.array_equal(download(web, raw.session, 0), VALUES)
        assert upload(web, raw.session, 2) == 200
        for each in standing:
            assert each.answer().endswith(DATA)


def test_uploads_of_many_connections_at_once_keep_their_bytes(server):
    """Pieces of several bodies come in turn, each on its own connection."""
    with Raw(server) as raw, http(server) as web:
        standing = [put(server, raw.session, number) for number in NUMBERS]
        step = 37_501
        for start in range(0, len(DATA), step):
            for each in standing:
                each.send(DATA[start : start + step])
        for number, each in zip(NUMBERS, standing, strict=True):
            assert b" 200 " in each.answer()[:20]
            raw.send([Item.UPLOAD, number, number, dtypes.float32, [COUNT]], [READ, number, number])
            assert np.array_equal(download(web, raw.session, number), VALUES)


# --- memory that is kept ---------------------------------------------------------------------------------------------

SIZE = 2**26


def test_memory_comes_back_only_when_no_view_of_it_is_left():
    first = spare_memory.take(SIZE)
    first[-1] = 77
    address = first.ctypes.data
    view = first.view(np.float32).reshape(2, -1)[1][5:]
    seen = memoryview(view)
    del first, view
    gc.collect()
    other = spare_memory.take(SIZE)
    assert other.ctypes.data != address, "a view still looks into the first"
    del seen, other
    gc.collect()
    again = [spare_memory.take(SIZE - n) for n in range(2)]
    assert address in [a.ctypes.data for a in again]
    assert [a.nbytes for a in again] == [SIZE, SIZE - 1]


def test_only_some_memory_is_kept_and_only_for_what_fits():
    gc.collect()
    held = [spare_memory.take(SIZE) for _ in range(8)]
    addresses = {a.ctypes.data for a in held}
    del held
    gc.collect()
    assert spare_memory.take(SIZE // 2 - 1).ctypes.data not in addresses, "much too large for it"
    assert sum(m.nbytes for m in spare_memory._free) <= 2**28
    for size in (0, 1, 2**20):
        assert spare_memory.take(size).nbytes == size
