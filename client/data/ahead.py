"""Working ahead of the program: a thread that makes elements before they are asked for, reads that are on their way.

Owns: `Prefetch` with its threads, and `read_ahead`. A thread holds the pipeline before it and a buffer, never the
iterator the program has: when that is dropped, the buffer is closed and the thread ends. What fails in the thread is
raised where the element would have come. Does not know what the elements are.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from time import perf_counter
from typing import Any, Final

import numpy as np

from client.data.stages import Stage
from client.data.structure import components, delivered, map_components, numbered
from client.reading import fetch
from client.tensor import Tensor

_READS: Final = 8
_SLOW: Final = 1e-3
"""Seconds that elements may take in the program's thread."""
_TIMES: Final = 3
"""How often in a row they may take longer: the first element may have to fill a buffer."""


class Prefetch(Stage):
    """The elements of a stage, up to `depth` of them made ahead; with `upload`, their host arrays are sent ahead too.

    A thread makes them, from the first request on. Where they are not made by the user's code, which must not be the
    reason for waiting, the program's own thread makes two for each it takes, as long as that is quick: changing threads
    would cost more.
    """

    __slots__ = ("_buffer", "_depth", "_ended", "_error", "_finish", "_input", "_ready", "_slow")

    def __init__(self, source: Stage, depth: int, upload: bool, threaded: bool) -> None:
        self._input = source
        self._depth = depth
        self._finish = delivered if upload else _as_it_is
        self._ready: deque[Any] = deque()
        self._error: BaseException | None = None
        self._ended = False
        self._slow = 0
        self._buffer = self._started() if threaded else None

    def _started(self) -> _Buffer:
        buffer = _Buffer(self._depth, self._input, self._finish)
        weakref.finalize(self, buffer.close)
        return buffer

    def next(self) -> Any:
        if self._buffer is None:
            self._make()
        if self._ready:
            return self._ready.popleft()
        if self._buffer is not None:
            return self._buffer.get()
        error, self._error = self._error, None
        raise error or StopIteration

    def _make(self) -> None:
        began = perf_counter()
        try:
            for _ in range(min(2, self._depth + 1 - len(self._ready))):
                if not self._ended:
                    self._ready.append(self._finish(self._input.next()))
        except StopIteration:
            self._ended = True
        except BaseException as error:
            self._ended, self._error = True, error
        self._slow = self._slow + 1 if perf_counter() - began > _SLOW else 0
        if self._slow == _TIMES and not self._ended:
            self._buffer = self._started()

    def skip(self, count: int) -> int:
        untouched = not self._ready and (self._buffer is None or not self._buffer.running)
        return self._input.skip(count) if untouched else super().skip(count)


def _as_it_is(element: Any) -> Any:
    return element


class _End:
    """Comes where an element would: there is none, or making it failed."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Buffer:
    """Elements between a thread that makes them and one that takes them.

    The thread starts with the first that is taken. The taker orders several at a time, so that threads change less
    often than elements do. Both wait on queues alone, because `close` may be called by the garbage collector in the
    middle of anything.
    """

    def __init__(self, depth: int, source: Stage, finish: Callable[[Any], Any]) -> None:
        self._work: tuple[Stage, Callable[[Any], Any]] | None = (source, finish)
        self._depth = depth
        self._order_at = depth - depth // 2
        self._taken = 0
        self._ordered: SimpleQueue[int] = SimpleQueue()
        self._made: SimpleQueue[Any] = SimpleQueue()
        self._ended = False
        self.closed = False

    @property
    def running(self) -> bool:
        """Whether the thread has started."""
        return self._work is None

    def make(self, source: Stage, finish: Callable[[Any], Any]) -> None:
        """The thread's work."""
        end = _End(None)
        try:
            while True:
                for _ in range(self._ordered.get()):
                    if self.closed:
                        return
                    self._made.put(finish(source.next()))
                if self.closed:
                    return
        except StopIteration:
            pass
        except BaseException as error:
            end.error = error
        self._made.put(end)

    def get(self) -> Any:
        """The next element. Raises StopIteration, or what making it raised."""
        if self._work is not None:
            work, self._work = self._work, None
            self._ordered.put(self._depth + 1)
            threading.Thread(target=self.make, args=work, name="telegrad-prefetch", daemon=True).start()
        if self._ended:
            raise StopIteration
        element = self._made.get()
        if type(element) is _End:
            self._ended = True
            raise element.error or StopIteration
        self._taken += 1
        if self._taken == self._order_at:
            self._ordered.put(self._taken)
            self._taken = 0
        return element

    def close(self) -> None:
        """Let the thread end."""
        self.closed = True
        self._ordered.put(1)


def read_ahead(stage: Stage) -> Iterator[Any]:
    """The elements of a stage as NumPy values, read-only. Host arrays never wait; of server tensors, the reads of up to
    8 elements are under way at a time.
    """
    pending: deque[Callable[[], Any]] = deque()
    failure: BaseException | None = None
    ended = False
    depth = 1
    while True:
        while not ended and len(pending) < depth:
            try:
                element = stage.next()
            except StopIteration:
                ended = True
                break
            except BaseException as error:
                ended, failure = True, error
                break
            remote = [v for v in components(element) if type(v) is Tensor]
            if remote:
                depth = min(2 * depth, _READS)
            pending.append(_reading(element, remote))
            if not remote:
                break
        if pending:
            yield pending.popleft()()
        elif failure is None:
            return
        else:
            raise failure


def _reading(element: Any, remote: list[Tensor]) -> Callable[[], Any]:
    if not remote:
        return lambda: map_components(_frozen, element)
    later = fetch(*remote, wait=False)
    several = len(remote) > 1

    def finish() -> Any:
        values = iter(later.result() if several else [later.result()])
        found = [next(values) if type(v) is Tensor else v for v in components(element)]
        return map_components(lambda i: _frozen(found[i]), numbered(element))

    return finish


def _frozen(value: Any) -> Any:
    if type(value) is not np.ndarray:
        return value
    if not value.ndim:
        return value[()]
    view = value.view()
    view.flags.writeable = False
    return view
