"""The values of variables at one moment, on their way.

Owns: `Snapshot`. Does not know files. The request for the values stands in the stream between what came before and what
comes after, so they are those of that moment however long it takes to fetch them, and the program goes on meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from client import context
from client.variable import Variable
from protocol.errors import InternalError, SessionLostError
from protocol.spec import Spec
from protocol.wire import Item


class Snapshot:
    """The values of `variables`, whose dtypes and shapes are `specs`. The server keeps them until `close`."""

    def __init__(self, variables: Sequence[Variable], specs: Sequence[Spec]) -> None:
        self.specs = list(specs)
        self._ids = [v._operand for v in variables]
        self._read: Any = None
        self._download: Any = None
        self._session: Any = None
        self._failures_too = False
        if variables:
            self._session = context.session()
            if any(v._session is not self._session for v in variables):
                raise SessionLostError("a variable is from before connect(): its value is gone")
            self._session.check()

    @property
    def nbytes(self) -> int:
        """The size of all values."""
        return sum(s.nbytes for s in self.specs)

    def start(self) -> None:
        """Ask for the values, to be fetched by `readinto`. Does not wait."""
        if self._session is not None:
            self._read = self._session.start_read(self._ids, kind=Item.READ_MANY)
            self._session.flush()

    def start_store(self, name: str, head: bytes) -> None:
        """Have the server write the values to a file of its own. Does not wait."""
        session = self._session or context.session()
        self._session = session
        self._read = session.start_read(name, head, self._ids, kind=Item.STORE)
        session.flush()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """The program waits for the values: counted, and failures of ops before them are raised."""
        if self._session is None:
            yield
            return
        with self._session.waiting():
            self._failures_too = True
            yield

    def stored(self) -> tuple[int, list[int]]:
        """Wait until the server has written the values: the file's size, and the checksums."""
        self._answered()
        report = self._read.value
        return report["bytes"], list(report["checksums"])

    def readinto(self, view: memoryview) -> int:
        """Fill a part of `view` with the next bytes of the values; how many. Waits for them."""
        from client.transport.payloads import Download

        session = self._session
        try:
            if self._download is None:
                self._download = Download(
                    session.endpoint, session.id, self._read.number, session.alive, session.patience
                )
                there = self._download.open()
                self._answered()
                if not there:
                    raise InternalError("the values of a snapshot went missing")
            count: int = self._download.readinto(view)
        except OSError:
            session.check()  # the session may be lost, which says more
            raise
        session.bytes_received += count
        return count

    def _answered(self) -> None:
        if self._failures_too:
            self._session.finish_reads([self._read])
            return
        self._read.wait()
        if self._read.error is not None:
            raise self._read.error

    def close(self) -> None:
        """Let the server forget the values."""
        if self._download is not None:
            self._download.close()
        if self._read is not None and self._session.alive():
            self._session.issue((Item.READ_DONE, self._read.number))
            self._read = None
