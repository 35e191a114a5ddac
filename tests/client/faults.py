"""Little servers and proxies on loopback that are wrong in one way each, and certificates."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

_HEAD = 2**16


class Listener:
    """Takes connections on a free loopback port and hands each to `handle`, in a thread of its own."""

    def __init__(self, handle: Callable[[socket.socket], None]) -> None:
        self._handle = handle
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._socket]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def keep(self, connection: socket.socket) -> socket.socket:
        """Have a connection closed with the listener."""
        self._open.append(connection)
        return connection

    def start(self, function: Callable[..., None], *arguments: object) -> None:
        """Run a function in a thread that is waited for at the end."""
        thread = threading.Thread(target=function, args=arguments)
        thread.start()  # first: whoever finds it in the list joins it
        self._threads.append(thread)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.start(self._serve, self.keep(self._socket.accept()[0]))

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._handle(connection)

    def close(self) -> None:
        while self._open or self._threads:  # a thread may just have opened another
            while self._open:
                connection = self._open.pop()
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()
            if self._threads:
                self._threads[-1].join(0.1)
                if not self._threads[-1].is_alive():
                    self._threads.pop()


@contextlib.contextmanager
def answering(answer: bytes | Callable[[bytes], bytes]) -> Iterator[str]:
    """The address of what reads a request's head, gives that answer, and closes."""

    def handle(connection: socket.socket) -> None:
        head = _read_head(connection)
        connection.sendall(answer if isinstance(answer, bytes) else answer(head))
        connection.shutdown(socket.SHUT_WR)

    listener = Listener(handle)
    try:
        yield listener.address
    finally:
        listener.close()


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """The address of what takes connections and says nothing."""
    listener = Listener(lambda connection: None)
    try:
        yield listener.address
    finally:
        listener.close()


@contextlib.contextmanager
def full_backlog() -> Iterator[str]:
    """An address where nobody takes connections and the queue is full: a further SYN gets no answer (Linux)."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        with contextlib.suppress(TimeoutError):
            while True:
                stack.enter_context(socket.create_connection(listening.getsockname(), 0.2))
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@contextlib.contextmanager
def proxying(target: tuple[str, int], upgrade: str | bytes, frames: bytes | None = None) -> Iterator[str]:
    """The address of a proxy before `target` that passes HTTP on.

    upgrade: what becomes of a WebSocket handshake: bytes are its answer, "drop" forwards it as a plain request, "close"
    closes, "hang" says nothing. frames: the answer to requests of frames, None to pass these on too.
    """

    def handle(connection: socket.socket) -> None:
        head = _read_head(connection)
        is_upgrade = re.search(rb"(?im)^upgrade: *websocket", head)
        if is_upgrade and upgrade == "hang":
            connection.recv(1)
        elif is_upgrade and isinstance(upgrade, bytes):
            connection.sendall(upgrade)
        elif frames is not None and b"/connections" in head.partition(b"\r\n")[0]:
            connection.sendall(frames)
        elif not (is_upgrade and upgrade == "close"):
            if is_upgrade:
                head = re.sub(rb"(?im)^(upgrade|connection|sec-websocket-[a-z]+):.*\r\n", b"", head)
            there = listener.keep(socket.create_connection(target))
            there.sendall(head)
            listener.start(_pump, there, connection)
            _pump(connection, there)
            return
        connection.shutdown(socket.SHUT_RDWR)

    listener = Listener(handle)
    try:
        yield listener.address
    finally:
        listener.close()


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _HEAD:
        data = connection.recv(_HEAD)
        if not data:
            break
        head += data
        if head[:1] == b"\x16":  # a TLS handshake: like any server of plain HTTP, read no further
            break
    return head


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_HEAD):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def http_answer(status: int, body: str = "", kind: str = "text/html", **headers: str) -> bytes:
    """The bytes of an HTTP answer."""
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Type: {kind}", f"Content-Length: {len(body.encode())}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", body]).encode()


def certificate(folder: Path, name: str = "IP:127.0.0.1", start: str = "20200101", end: str = "20991231") -> list[str]:
    """The paths of a self-signed certificate for a subject alternative name and days (YYYYMMDD), and of its key."""
    folder.mkdir()
    cert, key, request, config = (folder / f for f in ("cert.pem", "key.pem", "request.pem", "ca.cnf"))
    (folder / "index").touch()
    (folder / "serial").write_text("01")
    config.write_text(
        f"[ca]\ndefault_ca=d\n[d]\nnew_certs_dir={folder}\ndatabase={folder}/index\nserial={folder}/serial\n"
        f"default_md=sha256\npolicy=p\nx509_extensions=e\n[p]\n[e]\nsubjectAltName={name}\n"
    )
    for command in (
        f"req -newkey rsa:2048 -nodes -subj /CN=test -keyout {key} -out {request}",
        f"ca -batch -selfsign -config {config} -keyfile {key} -in {request} -startdate {start}000000Z "
        f"-enddate {end}000000Z -notext -out {cert}",
    ):
        subprocess.run(["openssl", *command.split()], check=True, capture_output=True)
    return [str(cert), str(key)]
