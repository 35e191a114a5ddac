"""An event file, and the thread that fills it in the order of issue.

Owns: `EventLog`: the queue of summaries whose values are on their way, its bounds, the file, and the end of the
program. Does not know tensors, nor what is in an event.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import itertools
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from client import context
from client.summary import events
from client.summary.arriving import Arriving
from protocol import errors
from protocol.errors import OpError, SessionLostError

_MOST: Final = 10_000
"""Summaries in the queue at most; with more, whoever issues one waits for the thread."""
_MOST_BYTES: Final = 64 * 2**20
"""Bytes of their values."""
_TOGETHER: Final = 256
"""Summaries that the thread takes from the queue at a time."""
_BATCH: Final = 2**20
"""Bytes of events after which they are written, though more have arrived."""
_POLL: Final = 0.5
"""Seconds between a waiting thread's looks at Ctrl-C, and whether waiting makes sense."""
_AWAY: Final = 10.0
"""Seconds without a connection after which the end of the program waits no longer."""


class Issued:
    """A summary that was issued: `make` gives its event of the values, None where it is not to be recorded."""

    __slots__ = ("arriving", "make", "size", "what")

    def __init__(self, what: str, parts: list[Any], size: int, make: Callable[[list[Any]], bytes | None]) -> None:
        self.what = what
        self.size = size
        self.make = make
        self.arriving = Arriving(parts)


class EventLog:
    """One event file. Any thread may add summaries.

    Raises:
        tf.errors.OpError: the directory or the file cannot be made.
        ModuleNotFoundError: there is no tensorboard.
    """

    def __init__(self, directory: str, suffix: str) -> None:
        self.closed = False
        self._changed = threading.Condition()
        self._queue: deque[Issued] = deque()
        self._bytes = 0  # of the summaries in the queue
        self._added = self._taken = self._written = 0  # summaries; the written ones are in the file
        self._error: Exception | None = None
        self._buffer = io.BytesIO()
        self._records = events.records(self._buffer)
        try:
            os.makedirs(directory or ".", exist_ok=True)
            self._file = _new_file(directory, suffix)
        except OSError as error:
            raise _as_op_error(error) from error
        self.path = self._file.name
        self._records.write(events.header())
        self._write_out()
        self._check()
        self._thread = threading.Thread(target=self._run, name="telegrad-summaries", daemon=True)
        self._thread.start()
        _logs.add(self)

    # --- the program's side ------------------------------------------------------------------------------------------

    def add(self, issued: Issued) -> None:
        """Put a summary in the queue. Blocks only while that is full.

        Raises:
            tf.errors.OpError: writing has failed, or the log is closed.
        """
        with self._changed:
            while self._queue and (len(self._queue) >= _MOST or self._bytes + issued.size > _MOST_BYTES):
                self._check()
                self._changed.wait(_POLL)
            self._check()
            self._queue.append(issued)
            self._bytes += issued.size
            self._added += 1
            if len(self._queue) == 1:  # else the thread is not waiting for one
                self._changed.notify_all()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if self.closed:
            raise errors.NotFoundError(f"the summary writer of {self.path} is closed")

    def flush(self) -> None:
        """Wait until all that was added is in the file: a wait for the server if something has not arrived.

        Raises:
            tf.errors.OpError: writing has failed.
        """
        with self._changed:
            missing = next((i.arriving for i in reversed(self._queue) if not i.arriving.arrived), None)
        with contextlib.nullcontext() if missing is None else missing.waiting():
            self._wait(lambda: True)
        if self._error is not None:
            raise self._error

    def close(self, wait: bool = True) -> None:
        """Write what was added, end the thread and close the file. Without `wait` that happens later."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
        if wait:
            self.flush()
            self._thread.join()

    def _wait(self, sensible: Callable[[], bool]) -> None:
        """Wait until what was added is written, as long as that is sensible."""
        with self._changed:
            goal = self._added
            while self._written < goal and self._error is None and sensible():
                self._changed.wait(_POLL)

    def finish(self) -> None:
        """Before the session is left: wait for what was added, but not for a connection that stays away."""
        last = time.monotonic()

        def sensible() -> bool:
            nonlocal last
            if not self._queue or self._queue[0].arriving.connected:
                last = time.monotonic()
            return time.monotonic() < last + _AWAY

        self._wait(sensible)

    def abandon(self) -> None:
        """In a forked child: the file is the parent's."""
        self.closed = True
        self._changed = threading.Condition()
        self._queue.clear()
        self._added = self._taken = self._written = 0

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while batch := self._next():
            lost = [error for error in map(self._take, batch) if error is not None]
            if lost:
                _say(f"summaries that were on their way and are lost: {len(lost)} ({lost[0].message})")
            with self._changed:
                for issued in batch:
                    self._queue.popleft()
                    self._bytes -= issued.size
                self._taken += len(batch)
                self._changed.notify_all()
            del issued, batch, lost  # and with them the tensors that they kept
        self._file.close()

    def _next(self) -> list[Issued]:
        """The next summaries, as many as have arrived, or one to wait for; none at the end. What is before them is in
        the file if they take time.
        """
        with self._changed:
            at_hand = bool(self._queue) and self._queue[0].arriving.arrived
        if not at_hand or self._buffer.tell() > _BATCH:
            self._write_out()
        with self._changed:
            while not self._queue and not self.closed:
                self._changed.wait()
            arrived = itertools.takewhile(lambda i: i.arriving.arrived, itertools.islice(self._queue, _TOGETHER))
            return list(arrived) or list(itertools.islice(self._queue, 1))

    def _take(self, issued: Issued) -> SessionLostError | None:
        """Make a record of a summary. What it returns is why there is none, where nobody else tells."""
        try:
            try:
                values = issued.arriving.values()
            except SessionLostError as error:
                return error
            except OpError:  # of an op: the program's next wait raises it
                return None
            data = issued.make(values)
        except Exception as error:  # a bad picture must not end the others
            _say(f"{issued.what} is left out: {error}")
        else:
            if data is not None:
                self._records.write(data)
        return None

    def _write_out(self) -> None:
        data = memoryview(self._buffer.getvalue())
        try:
            while data and self._error is None:
                data = data[self._file.write(data) :]
        except OSError as error:
            self._error = _as_op_error(error)
        self._buffer.seek(0)
        self._buffer.truncate()
        with self._changed:
            self._written = self._taken
            self._changed.notify_all()


def _new_file(directory: str, suffix: str) -> io.FileIO:
    """A file of a name that nobody has: another container's process may have this one's host and number.

    Unbuffered: bytes that waited in it would be written by a forked child too.
    """
    while True:
        with contextlib.suppress(FileExistsError):
            return open(os.path.join(directory, events.file_name(suffix)), "xb", buffering=0)


def _say(text: str) -> None:
    print(f"telegrad: {text}", file=sys.stderr)


_ERRORS: Final = (
    (NotADirectoryError, errors.FailedPreconditionError),
    (FileExistsError, errors.FailedPreconditionError),
    (FileNotFoundError, errors.NotFoundError),
    (PermissionError, errors.PermissionDeniedError),
)


def _as_op_error(error: OSError) -> OpError:
    for kind, found in _ERRORS:
        if isinstance(error, kind):
            return found(str(error))
    return errors.UnknownError(str(error))


# --- the end ---------------------------------------------------------------------------------------------------------

_logs: Final[weakref.WeakSet[EventLog]] = weakref.WeakSet()


def _finish_all() -> None:
    for log in list(_logs):
        log.finish()


def _close_all() -> None:
    """Runs before the session is left, which was registered earlier."""
    for log in list(_logs):
        log.finish()
        log.close(wait=False)


atexit.register(_close_all)
context.before_leaving(_finish_all)


def _forget_after_fork() -> None:
    for log in list(_logs):
        log.abandon()
    _logs.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
