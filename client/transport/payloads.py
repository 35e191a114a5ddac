"""Large values on HTTP connections of their own: uploads by offset, downloads by range, both resumed after a cut.

Owns: `request_json`, `upload`, `download`. Does not know sessions' streams or items. The standard library's HTTP
client, because it reads into, and writes from, a given buffer: a copy of a large value less than any other.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from client.transport import Endpoint, raise_for_status

_RETRY_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_CHUNK: Final = 2**20
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


def request_json(endpoint: Endpoint, method: str, path: str) -> Any:
    """One small request with a JSON answer.

    Raises:
        OSError: the server cannot be reached or has no answer.
        UnauthenticatedError, PermissionDeniedError, SessionLostError: it said no.
    """
    connection = _Connection(endpoint, endpoint.connect_timeout)
    try:
        connection.request(method, endpoint.prefix + path, headers=endpoint.headers)
        response = connection.getresponse()
        body = response.read()
        raise_for_status(response.status, body.decode(errors="replace"))
        return json.loads(body) if body else None
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


def upload(endpoint: Endpoint, session: str, number: int, data: Source, alive: Callable[[], bool]) -> int:
    """PUT `data`, going on where the server has got to after each cut, while `alive()`. The number of bytes sent,
    repeats included.
    """
    path = f"/v1/sessions/{session}/uploads/{number}"
    offset, sent = 0, 0
    pause = _RETRY_PAUSE
    while True:
        connection = _Connection(endpoint, 60.0)
        try:
            connection.putrequest("PUT", endpoint.prefix + path)
            for name, value in endpoint.headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(data.nbytes - offset))
            connection.putheader("Content-Range", f"bytes {offset}-{data.nbytes - 1}/{data.nbytes}")
            connection.endheaders()
            for start in range(offset, data.nbytes, _CHUNK):
                end = min(start + _CHUNK, data.nbytes)
                connection.send(data.take(start, end))
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


def download(
    endpoint: Endpoint, session: str, read: int, allocate: Callable[[], memoryview], alive: Callable[[], bool]
) -> bool:
    """GET a read's value, going on where it stopped after each cut, while `alive()`. False when there is no such value.

    `allocate` gives the memory to fill; it is called when the server has begun to answer with the value.
    """
    path = f"/v1/sessions/{session}/reads/{read}"
    into: memoryview | None = None
    received = 0
    pause = _RETRY_PAUSE
    while True:
        connection = _Connection(endpoint, 660.0)
        try:
            headers = {**endpoint.headers, "Range": f"bytes={received}-"}
            connection.request("GET", endpoint.prefix + path, headers=headers)
            response = connection.getresponse()
            if response.status == 404 and b"NotFoundError" in response.read():
                return False
            if response.status not in (200, 206):
                raise_for_status(response.status, response.read().decode(errors="replace"))
            if into is None:
                into = allocate()
            while received < len(into):
                count = response.readinto(into[received : received + _CHUNK])
                if not count:
                    raise ConnectionError("cut short")
                received += count
            return True
        except (OSError, http.client.HTTPException):
            if not alive():
                raise
        finally:
            connection.close()
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
