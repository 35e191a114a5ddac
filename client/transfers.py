"""A session's large values: bytes beside the stream, up and down, in a few threads.

Owns: `Transfers`: what is on its way up, how much of it there may be, and the threads. Does not know items
(`client.session`), nor how bytes travel (`client.transport.payloads`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from client.answers import Read
from client.transport import payloads
from client.transport.payloads import FileSource, Source
from protocol import wire
from protocol.errors import OpError

if TYPE_CHECKING:
    from client.session import Session

_BYTES_IN_TRANSIT: Final = 512 * 2**20
_THREADS: Final = 4
_POLL: Final = 0.5
"""Seconds between looks, in a long wait, at whether the session is lost."""


class Transfers:
    """The large values of `session`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._transit = 0
        self._transit_changed = threading.Condition()
        self._pool: ThreadPoolExecutor | None = None

    def upload(self, data: np.ndarray[Any, Any], copied: bool) -> int:
        """Send `data` beside the stream, copied first unless it was; the upload's number.

        Copying and sending go on at the same time. Blocks while too many bytes are in transit.
        """
        source = Source(wire.array_bytes(data), copied)
        number = self.upload_from(source)
        source.copy()
        return number

    def upload_from(self, source: Source | FileSource) -> int:
        """Send the bytes of `source` beside the stream; the upload's number. Blocks as `upload` does."""
        number = self._session.new_number()
        with self._transit_changed:
            while self._transit and self._transit + source.nbytes > _BYTES_IN_TRANSIT:
                self.stall()
            self._transit += source.nbytes
        self.background(self._send, number, source)
        return number

    def stall(self) -> None:
        """With the lock: wait for a change of what is in transit."""
        self._session.stalls += 1
        self._transit_changed.wait(_POLL)
        self._session.check()

    def _send(self, number: int, source: Source | FileSource) -> None:
        session = self._session
        try:
            session.bytes_sent += payloads.upload(
                session.endpoint, session.id, number, source, session.alive, session.patience
            )
        except (OSError, OpError) as error:
            if session.alive():
                print(f"telegrad: an upload failed: {error}", file=sys.stderr)
        finally:
            source.close()
            with self._transit_changed:
                self._transit -= source.nbytes
                self._transit_changed.notify_all()

    def download(self, read: Read, spec: Any) -> np.ndarray[Any, Any] | None:
        """Fetch a large value while its read item is on its way; None when the read failed."""
        session = self._session
        result: list[np.ndarray[Any, Any]] = []

        def allocate() -> memoryview:  # only once the server has the value: until then its size is a claim
            result.append(np.empty(spec.shape, spec.dtype.numpy))
            return wire.array_bytes(result[0])

        try:
            if not payloads.download(
                session.endpoint, session.id, read.number, allocate, session.alive, session.patience
            ):
                return None
        except OSError:
            session.check()  # the session may be lost, which says more
            raise
        finally:
            session.take_read(read)
        session.bytes_received += result[0].nbytes
        return result[0]

    def background(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run beside the program, in one of a few threads; a future."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, "telegrad-payload")
        return self._pool.submit(function, *arguments)

    def wake(self) -> None:
        """The session is lost: whoever waits looks at that."""
        with self._transit_changed:
            self._transit_changed.notify_all()

    def close(self) -> None:
        """Begin nothing more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
