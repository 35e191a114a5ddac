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

    __slots__ = ("_buffer", "_depth", "_error", "_finish", "_input", "_ready", "_slow")

    def __init__(self, source: Stage, depth: int, upload: bool, threaded: bool) -> None:
        self._input = source
        self._depth = depth
        self._finish = delivered if upload else _as_it_is
        self._ready: deque[Any] = deque()
        self._error: BaseException | None = None
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
        raise self._error or StopIteration

    def _make(self) -> None:
        began = perf_counter()
        try:
            for _ in range(min(2, self._depth + 1 - len(self._ready))):
                if self._error is None:
                    self._ready.append(self._finish(self._input.next()))
        except StopIteration:
            self._error = StopIteration()
        except BaseException as error:
            self._error = error
        self._slow = self._slow + 1 if perf_counter() - began > _SLOW else 0
        if self._slow == _TIMES and self._error is None:
            self._buffer = self._started()

    def skip(self, count: int) -> int:
        untouched = not self._ready and (self._buffer is None or not self._buffer.running)
        return self._input.skip(count) if untouched else super().skip(count)


def _as_it_is(element: Any) -> Any:
    return element


def _fill(buffer: _Buffer, source: Stage, finish: Callable[[Any], Any]) -> None:
    try:
        while buffer.wait_for_room():
            buffer.put(finish(source.next()))
    except StopIteration:
        buffer.end(StopIteration())  # a new one: the other's traceback keeps the pipeline
    except BaseException as error:
        buffer.end(error)


class _Buffer:
    """Elements between a thread that makes them and one that takes them.

    The thread starts with the first that is taken. It sleeps until half of the room is free, so that threads change
    less often than elements do.
    """

    def __init__(self, depth: int, source: Stage, finish: Callable[[Any], Any]) -> None:
        self.running = False
        self._work: tuple[Stage, Callable[[Any], Any]] | None = (source, finish)
        self._depth = depth
        self._wake_at = depth // 2
        self._elements: deque[Any] = deque()
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._closed = False

    # --- the maker's side ---

    def wait_for_room(self) -> bool:
        """Wait until an element is wanted; False when none will be."""
        if len(self._elements) >= self._depth:
            with self._changed:
                while len(self._elements) > self._wake_at and not self._closed:
                    self._changed.wait()
        return not self._closed

    def put(self, element: Any) -> None:
        self._elements.append(element)
        if len(self._elements) == 1:
            with self._changed:
                self._changed.notify_all()

    def end(self, error: BaseException) -> None:
        with self._changed:
            self._error = error
            self._changed.notify_all()

    # --- the taker's side ---

    def get(self) -> Any:
        if not self.running:
            self.running = True
            assert self._work is not None
            arguments, self._work = (self, *self._work), None
            threading.Thread(target=_fill, args=arguments, name="telegrad-prefetch", daemon=True).start()
        try:
            element = self._elements.popleft()
        except IndexError:
            with self._changed:
                while not self._elements and self._error is None and not self._closed:
                    self._changed.wait()
                if not self._elements:
                    raise self._error or StopIteration from None
                element = self._elements.popleft()
        if len(self._elements) == self._wake_at:
            with self._changed:
                self._changed.notify_all()
        return element

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._elements.clear()
            self._changed.notify_all()


def read_ahead(stage: Stage) -> Iterator[Any]:
    """The elements of a stage as NumPy values, read-only. Host arrays never wait; of server tensors, the reads of up to
    8 elements are under way at a time.
    """
    pending: deque[Callable[[], Any]] = deque()
    failure: BaseException | None = None
    depth = 1
    while True:
        while failure is None and len(pending) < depth:
            try:
                element = stage.next()
            except BaseException as error:
                failure = error
                break
            remote = [v for v in components(element) if type(v) is Tensor]
            if remote:
                depth = min(2 * depth, _READS)
            pending.append(_reading(element, remote))
            if not remote:
                break
        if pending:
            yield pending.popleft()()
        elif isinstance(failure, StopIteration):
            return
        else:
            assert failure is not None
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
