"""`tf.summary`'s writers: where summaries go.

Owns: `SummaryWriter` and its kinds, which one is a thread's default, `flush`. Does not know what is written.
"""

from __future__ import annotations

import abc
import operator
import os
import weakref
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from client.api import public
from client.summary.state import state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from client.summary.log import EventLog, Issued


@public("summary.SummaryWriter")
class SummaryWriter(abc.ABC):
    """What summaries are written to; made by `tf.summary.create_file_writer`."""

    def as_default(self, step: Any = None) -> AbstractContextManager[Any]:
        """A context in which this thread's summaries go to this writer. Leaving it does not wait: see `flush`.

        Args:
            step: the default step within; None leaves it as it is.

        Raises:
            RuntimeError: the writer is closed.
        """
        return _Default(self, step)

    def set_as_default(self, step: Any = None) -> None:
        """Have this thread's summaries go to this writer from here on.

        Args:
            step: the default step from here on; None leaves it as it is.

        Raises:
            RuntimeError: the writer is closed.
        """
        self.as_default(step).__enter__()

    @abc.abstractmethod
    def init(self) -> None:
        """Nothing: a writer is ready when it is made."""

    @abc.abstractmethod
    def flush(self) -> None:
        """Wait until all summaries issued so far are in the file."""

    @abc.abstractmethod
    def close(self) -> None:
        """`flush`, and close the file. Nothing if it is closed."""

    def _issue(self, issued: Issued) -> None:
        raise NotImplementedError


class _Default:
    """Makes a writer the default; a class, so that `set_as_default` can enter it and leave it at that."""

    def __init__(self, writer: SummaryWriter, step: Any) -> None:
        self._writer = writer
        self._step = step
        self._outer: tuple[SummaryWriter | None, Any] = (None, None)

    def __enter__(self) -> SummaryWriter:
        self._outer = state.writer, state.step
        state.writer = self._writer
        if self._step is not None:
            state.step = self._step
        return self._writer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        state.writer = self._outer[0]
        if self._step is not None:
            state.step = self._outer[1]


class FileWriter(SummaryWriter):
    """Writes an event file. Closed when it is garbage, and at the end of the program."""

    def __init__(self, logdir: str, suffix: str) -> None:
        from client.summary.log import EventLog

        self._log: EventLog = EventLog(logdir, suffix)
        weakref.finalize(self, self._log.close, wait=False).atexit = False

    def as_default(self, step: Any = None) -> AbstractContextManager[Any]:
        self._check_open()
        return super().as_default(step)

    def init(self) -> None:
        self._check_open()

    def flush(self) -> None:
        if not self._log.closed:
            self._log.flush()

    def close(self) -> None:
        if not self._log.closed:
            self._log.close()

    def _issue(self, issued: Issued) -> None:
        self._log.add(issued)

    def _check_open(self) -> None:
        if self._log.closed:
            raise RuntimeError(f"SummaryWriter {self!r} is already closed")

    def __repr__(self) -> str:
        return f"<tf.summary.SummaryWriter of {self._log.path!r}>"


class NoopWriter(SummaryWriter):
    """Writes nothing, and is no default either."""

    @contextmanager
    def as_default(self, step: Any = None) -> Iterator[None]:
        yield

    def set_as_default(self, step: Any = None) -> None:
        pass

    def init(self) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


@public("summary.create_file_writer")
def create_file_writer(
    logdir: Any,
    max_queue: int | None = None,
    flush_millis: int | None = None,
    filename_suffix: str | None = None,
    name: str | None = None,
    experimental_trackable: bool = False,
    experimental_mesh: None = None,
) -> SummaryWriter:
    """A writer of a new event file in a directory of this machine, `events.out.tfevents.<time>.<host>.<pid>.<n>.v2`.

    A thread of the writer's writes summaries in the order of issue, as soon as their values have come from the server;
    issuing one does not wait. `flush` and `close` do, and the end of the program.

    Args:
        logdir: the directory, made if there is none.
        max_queue: of no effect: events don't wait for others before they are written.
        flush_millis: of no effect.
        filename_suffix: what the file's name ends with; `.v2` by default.
        name: ignored.
        experimental_trackable: ignored.
        experimental_mesh: must be None.

    Raises:
        ModuleNotFoundError: the tensorboard package is missing.
        tf.errors.OpError: the directory or the file cannot be made.
        TypeError, ValueError: arguments of another type, or no `logdir`.

    >>> import tempfile
    >>> import client as tf
    >>> with tempfile.TemporaryDirectory() as logdir:
    ...     writer = tf.summary.create_file_writer(logdir)
    ...     with writer.as_default():
    ...         for step in range(3):
    ...             recorded = tf.summary.scalar("loss", 1 / (1 + step), step=step)
    ...     writer.close()
    """
    if logdir is None:
        raise ValueError("Argument `logdir` cannot be None")
    if experimental_mesh is not None:
        raise ValueError("experimental_mesh must be None: there is no DTensor")
    for number in (max_queue, flush_millis):
        if number is not None:
            operator.index(number)
    suffix = ".v2" if filename_suffix is None else filename_suffix
    if not isinstance(suffix, str):
        raise TypeError(f"filename_suffix must be a string, not {suffix!r}")
    return FileWriter(os.fsdecode(logdir), suffix)


@public("summary.create_noop_writer")
def create_noop_writer() -> SummaryWriter:
    """A writer that writes nothing, for code that wants one.

    >>> import client as tf
    >>> with tf.summary.create_noop_writer().as_default():
    ...     bool(tf.summary.scalar("loss", 1.0, step=0))
    False
    """
    return NoopWriter()


@public("summary.flush")
def flush(writer: SummaryWriter | None = None, name: str | None = None) -> None:
    """Wait until all summaries issued so far are in the file.

    Args:
        writer: whose; None: the default writer's, if there is one.
        name: ignored.

    Raises:
        ValueError: `writer` is none.

    >>> import client as tf
    >>> tf.summary.flush()
    """
    found = state.writer if writer is None else writer
    if found is None:
        return
    if not isinstance(found, SummaryWriter):
        raise ValueError(f"Invalid argument to flush(): {found!r}")
    found.flush()
