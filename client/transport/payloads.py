"""Large values on HTTP connections of their own: uploads by offset, downloads by range, both resumed after a cut.

Owns: `exchange`, `request_json`, `upload`, `download`. Does not know sessions' streams or items. The standard library's
HTTP client, because it reads into, and writes from, a given buffer: a copy of a large value less than any other.

A connection on which nothing moves for `patience` seconds is given up, as one that was cut: one end of it may be gone.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import IO, Any, Final, NamedTuple

import numpy as np

from client.transport import Endpoint, raise_for_status
from protocol.errors import DataLossError, error_from

_RETRY_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_CHUNK: Final = 2**20
_PIECE: Final = 2**17
"""Bytes handed to the system at once: what has to go out within `patience` seconds."""
_COPY: Final = 2**22
_SPARE: Final = 2**26
"""Bytes of memory kept between uploads at most."""


class _Connection(http.client.HTTPConnection):
    """An HTTP connection over whatever the endpoint says: TCP, TLS or a Unix socket."""

    def __init__(self, endpoint: Endpoint, timeout: float | None) -> None:
        super().__init__(endpoint.host if endpoint.uds is None else "localhost", endpoint.port, timeout=timeout)
        self._endpoint = endpoint

    def connect(self) -> None:
        from client.transport.websocket import connect_socket

        self.sock = connect_socket(self._endpoint)
        self.sock.settimeout(self.timeout)


class Answer(NamedTuple):
    """What a server, or whoever is in its place, said to a request. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def request_json(endpoint: Endpoint, method: str, path: str) -> Any:
    """One small request with a JSON answer.

    Raises:
        OSError: the server cannot be reached or has no answer.
        UnauthenticatedError, PermissionDeniedError, SessionLostError: it said no.
    """
    status, _, body = exchange(endpoint, method, path)
    raise_for_status(status, body.decode(errors="replace"))
    return json.loads(body) if body else None


def request_file(endpoint: Endpoint, method: str, path: str, body: bytes | None = None) -> bytes:
    """One request about a file of the server's; the body of its answer.

    Raises:
        OSError: the server cannot be reached or has no answer.
        tf.errors.OpError: it said no.
    """
    status, _, answer = exchange(endpoint, method, path, body)
    if status >= 400 and status not in (401, 403):
        with contextlib.suppress(json.JSONDecodeError, KeyError):
            problem = json.loads(answer)
            raise error_from(problem["code"], problem["detail"])
    raise_for_status(status, answer.decode(errors="replace") if status >= 400 else "")
    return answer


def exchange(endpoint: Endpoint, method: str, path: str, body: bytes | None = None) -> Answer:
    """One request. Raises OSError when there is no answer."""
    connection = _Connection(endpoint, endpoint.connect_timeout)
    try:
        connection.request(method, endpoint.prefix + path, body, headers=endpoint.headers)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    except http.client.HTTPException as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()


class _SpareMemory:
    """One buffer of a finished upload, kept for the next: memory new from the system costs more than the copy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buffer: np.ndarray[Any, Any] | None = None

    def take(self, size: int) -> np.ndarray[Any, Any]:
        """A buffer of at least `size` bytes."""
        with self._lock:
            kept, self._buffer = self._buffer, None
        return kept if kept is not None and kept.nbytes >= size else np.empty(size, np.uint8)

    def give(self, buffer: np.ndarray[Any, Any]) -> None:
        """Keep a buffer, if it is not too large and not smaller than the one kept already."""
        with self._lock:
            if buffer.nbytes <= _SPARE and (self._buffer is None or self._buffer.nbytes < buffer.nbytes):
                self._buffer = buffer


_spare = _SpareMemory()


class Source:
    """Bytes to upload. `copy` makes them the upload's own, a piece at a time, while what is copied is being sent."""

    def __init__(self, data: memoryview, copied: bool) -> None:
        self.nbytes = data.nbytes
        self._theirs = None if copied else data
        self._own = None if copied else _spare.take(data.nbytes)
        self._data = data if self._own is None else memoryview(self._own)[: data.nbytes]  # type: ignore[arg-type]
        self._ready = data.nbytes if copied else 0
        self._grown = threading.Condition()

    def copy(self) -> None:
        """Copy what is the caller's. It may change its array when this returns."""
        if self._theirs is None:
            return
        for start in range(0, self.nbytes, _COPY):
            end = min(start + _COPY, self.nbytes)
            np.copyto(np.frombuffer(self._data[start:end], np.uint8), np.frombuffer(self._theirs[start:end], np.uint8))
            with self._grown:
                self._ready = end
                self._grown.notify_all()
        self._theirs = None

    def close(self) -> None:
        """The bytes are sent: keep their memory for the next upload."""
        own, self._own = self._own, None
        if own is not None and self._ready == self.nbytes:  # else it failed, and is still being copied into
            self._data = memoryview(b"")
            _spare.give(own)

    def take(self, start: int, end: int) -> memoryview:
        """The bytes from `start` to `end`, once they are copied."""
        if self._ready < end:
            with self._grown:
                self._grown.wait_for(lambda: self._ready >= end)
        return self._data[start:end]


class FileSource:
    """Bytes to upload, from a file, which is closed when they are sent."""

    def __init__(self, file: IO[bytes], offset: int, nbytes: int) -> None:
        self.nbytes = nbytes
        self._file = file
        self._offset = offset
        self._buffer = memoryview(bytearray(min(nbytes, _CHUNK)))

    def take(self, start: int, end: int) -> memoryview:
        """The bytes from `start` to `end`, until the next call."""
        self._file.seek(self._offset + start)
        found = self._buffer[: end - start]
        filled = 0
        while filled < len(found):
            count = self._file.readinto(found[filled:])  # type: ignore[attr-defined]
            if not count:
                raise DataLossError("a file ended while it was being sent")
            filled += count
        return found

    def close(self) -> None:
        """The bytes are sent."""
        self._file.close()


def upload(
    endpoint: Endpoint, session: str, number: int, data: Source | FileSource, alive: Callable[[], bool], patience: float
) -> int:
    """PUT `data`, going on where the server has got to after each cut, while `alive()`. The number of bytes sent,
    repeats included.
    """
    path = f"/v1/sessions/{session}/uploads/{number}"
    offset, sent = 0, 0
    pause = _RETRY_PAUSE
    while True:
        connection = _Connection(endpoint, patience)
        try:
            connection.putrequest("PUT", endpoint.prefix + path)
            for name, value in endpoint.headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(data.nbytes - offset))
            connection.putheader("Content-Range", f"bytes {offset}-{data.nbytes - 1}/{data.nbytes}")
            connection.endheaders()
            for start in range(offset, data.nbytes, _CHUNK):
                end = min(start + _CHUNK, data.nbytes)
                taken = data.take(start, end)
                for piece in range(0, len(taken), _PIECE):
                    connection.send(taken[piece : piece + _PIECE])
                sent += end - start
            response = connection.getresponse()
            body = response.read()
            raise_for_status(response.status, body.decode(errors="replace"))
            return sent
        except (OSError, http.client.HTTPException):
            if not alive():
                raise
        finally:
            connection.close()
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
        try:
            offset = min(int(request_json(endpoint, "GET", path)["received"]), data.nbytes)
        except OSError:
            offset = 0


class Download:
    """The bytes of a read, as they come. After a cut it goes on where it stopped, while `alive()`."""

    def __init__(self, endpoint: Endpoint, session: str, read: int, alive: Callable[[], bool], patience: float) -> None:
        self._endpoint = endpoint
        # The server says within this time that it has no value yet: a sign of life, where the value takes long.
        self._path = f"/v1/sessions/{session}/reads/{read}?wait={patience / 2}"
        self._alive = alive
        self._patience = patience
        self._received = 0
        self._connection: _Connection | None = None
        self._response: Any = None

    def open(self) -> bool:
        """Wait until the server begins to answer. False when there is no such value."""
        pause = _RETRY_PAUSE
        while True:
            self._connection = _Connection(self._endpoint, self._patience)
            try:
                headers = {**self._endpoint.headers, "Range": f"bytes={self._received}-"}
                self._connection.request("GET", self._endpoint.prefix + self._path, headers=headers)
                response = self._connection.getresponse()
                if response.status not in (200, 206):
                    text = response.read().decode(errors="replace")
                    self.close()
                    if response.status == 404 and "NotFoundError" in text:
                        return False
                    raise_for_status(response.status, text)
                    if self._alive():  # 204: not yet
                        pause = _RETRY_PAUSE
                        continue
                    raise ConnectionError("the session ended")
                self._response = response
                return True
            except (OSError, http.client.HTTPException):
                self.close()
                if not self._alive():
                    raise
            except BaseException:
                self.close()
                raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def readinto(self, view: memoryview) -> int:
        """Fill some of `view` with the next bytes; how many. Raises ConnectionError when there are no more."""
        while True:
            try:
                count: int = self._response.readinto(view)
                if count:
                    self._received += count
                    return count
            except (OSError, http.client.HTTPException):
                pass
            self.close()
            if not self._alive() or not self.open():
                raise ConnectionError("a download was cut short")

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()


def download(
    endpoint: Endpoint,
    session: str,
    read: int,
    allocate: Callable[[], memoryview],
    alive: Callable[[], bool],
    patience: float,
) -> bool:
    """GET a read's value, going on where it stopped after each cut, while `alive()`. False when there is no such value.

    `allocate` gives the memory to fill; it is called when the server has begun to answer with the value.
    """
    source = Download(endpoint, session, read, alive, patience)
    try:
        if not source.open():
            return False
        into = allocate()
        received = 0
        while received < len(into):
            received += source.readinto(into[received : received + _CHUNK])
        return True
    finally:
        source.close()
