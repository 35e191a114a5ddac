"""Saving: from the objects of a program to the files of a checkpoint.

Owns: `Write`, a save from its beginning (the moment it is of) to its end (the files are there), in the foreground or
behind the program's back. Does not know numbers of checkpoints or what is kept of them.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from time import monotonic
from typing import Any, Final

from client import context
from client.train.bundle import Entry, Index, dump, head
from client.train.graph import ObjectGraph
from client.train.places import Place, Progress, data_name, place_of, specs_of
from client.train.snapshot import Snapshot
from protocol.spec import Spec

_QUIET: Final = 2.0
"""Seconds after which a save or restore shows how far it is."""


class Write:
    """A checkpoint at `path` of the objects below `root`, as they are now. `finish` makes the files, in `place` if the
    path is no checkpoint's own.
    """

    def __init__(
        self, path: str, root: Any, attached: Iterable[tuple[str, Any]] = (), place: Place | None = None
    ) -> None:
        self.path = path
        graph = ObjectGraph(root, attached)
        self._nodes = graph.nodes
        self._specs = specs_of(graph.variables)
        self._snapshot = Snapshot(list(graph.variables.values()), list(self._specs.values()))
        found, self._prefix = place_of(path)
        self._place = place or found
        self._data = data_name(self._prefix)
        self._head, self._offsets = head(self._specs)
        self._place.start(self._data, self._head, self._snapshot)

    def finish_now(self) -> str:
        """`finish`, as one wait of the program's. What failed before and was not raised is, and nothing written."""
        with self._snapshot.waiting():
            return self.finish()

    def finish(self) -> str:
        """Write the files; the path.

        Raises:
            tf.errors.OpError: a value could not be had.
            OSError: the files could not be written; what was there before is still there.
        """
        try:
            with progress_bar("saving", self._snapshot.nbytes) as progress:
                size, sums = self._place.store(self._data, self._head, self._snapshot, progress)
        finally:
            self._snapshot.close()
        parts = zip(self._specs.items(), self._offsets, sums, strict=True)
        tensors = {key: Entry(spec.dtype, _dims(spec), start, sum_) for (key, spec), start, sum_ in parts}
        name = self._data.replace("\\", "/").rpartition("/")[2]
        self._place.replace(self._prefix, dump(Index(name, size, tensors, self._nodes)), self._data)
        return self.path


@contextlib.contextmanager
def progress_bar(what: str, total: int) -> Iterator[Progress]:
    """What to tell of bytes that are done. Where someone looks, a bar is drawn once it takes longer than moments."""
    from client.keras.progress import Progbar, redraws

    if not redraws() or threading.current_thread() is not threading.main_thread():
        yield _nothing
        return
    start, done = monotonic(), 0
    bar: Any = None

    def advance(count: int) -> None:
        nonlocal bar, done
        done += count
        if bar is None and monotonic() - start > _QUIET:
            print(f"{what} {total / 1e6:.0f} MB")
            bar = Progbar(max(1, total // 1_000_000), unit_name="MB")
        if bar is not None and done < total:
            bar.update(done // 1_000_000)

    yield advance
    if bar is not None:
        bar.update(bar.target, finalize=True)


def _dims(spec: Spec) -> tuple[int, ...]:
    return spec.shape  # type: ignore[return-value]  # `specs_of` has made them known


def _nothing(count: int) -> None:
    pass


# --- behind the program's back ----------------------------------------------------------------------------------------


class Writer:
    """Finishes writes one after the other in a thread of its own, which lives while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[tuple[Write, Callable[[str], None] | None, Future[str]]] = []
        self._thread: threading.Thread | None = None

    def add(self, write: Write, then: Callable[[str], None] | None = None) -> Future[str]:
        """Finish `write`, then call `then` with the path. The future has the path, or the error."""
        future: Future[str] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            self._queue.append((write, then, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="telegrad-checkpoint")
                self._thread.start()  # no daemon: the interpreter waits for it at its end
        return future

    def wait(self) -> None:
        """Wait until everything is written."""
        while (thread := self._thread) is not None:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._thread = None
                    return
                write, then, future = self._queue[0]
            try:
                path = write.finish()
                if then is not None:
                    then(path)
                future.set_result(path)
            except BaseException as error:
                print(f"telegrad: the checkpoint {write.path} was not written: {error}", file=sys.stderr)
                future.set_exception(error)
            with self._lock:
                self._queue.pop(0)


WRITER: Final = Writer()
context.before_leaving(WRITER.wait)
