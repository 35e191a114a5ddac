"""Iterators of the transformations that never look at values: what follows what.

Owns: `Stage` and one stage for each of them. A stage gives its next element, or its next several at once, which is
what makes batches cheap; both give the same elements in the same order. Does not know datasets, threads or the server.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from client.data.structure import parts_of, stacked
from protocol.errors import FailedPreconditionError, InvalidArgumentError

_DRAWS: Final = 512
_CHUNK: Final = 4096
_NONE: Final = object()


class Stage:
    """An iterator in a pipeline. Once it has ended it stays so."""

    __slots__ = ("__weakref__",)

    def next(self) -> Any:
        """The next element. Raises StopIteration."""
        found = self.many(1)
        if not found:
            raise StopIteration
        return found[0]

    def many(self, count: int) -> Sequence[Any]:
        """The next `count` elements; fewer only at the end."""
        found: list[Any] = []
        append, following = found.append, self.next
        try:
            for _ in range(count):
                append(following())
        except StopIteration:
            pass
        return found

    def skip(self, count: int) -> int:
        """Pass over elements, computing as little as can be; how many there were."""
        passed = 0
        while passed < count:
            wanted = min(count - passed, _CHUNK)
            found = len(self.many(wanted))
            passed += found
            if found < wanted:
                break
        return passed


class Positions(Stage):
    """0, 1, 2, ... up to a count."""

    __slots__ = ("_at", "_count")

    def __init__(self, count: int) -> None:
        self._at, self._count = 0, count

    def next(self) -> int:
        at = self._at
        if at >= self._count:
            raise StopIteration
        self._at = at + 1
        return at

    def many(self, count: int) -> Sequence[int]:
        at = self._at
        self._at = min(self._count, at + count)
        return range(at, self._at)

    def skip(self, count: int) -> int:
        return len(self.many(count))


class Listed(Stage):
    """Given elements."""

    __slots__ = ("_at", "_elements")

    def __init__(self, elements: Sequence[Any]) -> None:
        self._elements, self._at = elements, 0

    def many(self, count: int) -> Sequence[Any]:
        at = self._at
        self._at = min(len(self._elements), at + count)
        return self._elements[at : self._at]


class Gather(Stage):
    """The rows of a source at the positions that another stage gives."""

    __slots__ = ("_at", "_each", "_positions")

    def __init__(self, source: Any, positions: Stage) -> None:
        self._at, self._each, self._positions = source.at, source.each, positions

    def next(self) -> Any:
        return self._at(self._positions.next())

    def many(self, count: int) -> Sequence[Any]:
        return self._each(self._positions.many(count))  # type: ignore[no-any-return]

    def skip(self, count: int) -> int:
        return self._positions.skip(count)


class Take(Stage):
    """The first elements; all where the count is negative."""

    __slots__ = ("_input", "_left")

    def __init__(self, source: Stage, count: int) -> None:
        self._input, self._left = source, count

    def next(self) -> Any:
        if self._left <= 0:
            raise StopIteration
        self._left -= 1
        return self._input.next()

    def many(self, count: int) -> Sequence[Any]:
        wanted = min(count, self._left)
        self._left -= wanted
        return self._input.many(wanted) if wanted > 0 else ()

    def skip(self, count: int) -> int:
        wanted = min(count, self._left)
        self._left -= wanted
        return self._input.skip(wanted)


class Skip(Stage):
    """What follows the first elements; nothing where the count is negative."""

    __slots__ = ("_count", "_input")

    def __init__(self, source: Stage, count: int) -> None:
        self._input, self._count = source, count

    def _ready(self) -> Stage:
        if self._count:
            count, self._count = self._count, 0
            self._input.skip(count)
        return self._input

    def next(self) -> Any:
        return self._ready().next()

    def many(self, count: int) -> Sequence[Any]:
        return self._ready().many(count)

    def skip(self, count: int) -> int:
        return self._ready().skip(count)


class Chain(Stage):
    """Stages one after the other, each made when its turn comes.

    Args:
        stages: what makes them.
        size: how many elements each of them has, where that is known: whole stages are passed over without their work.
    """

    __slots__ = ("_current", "_following", "_size", "_untouched")

    def __init__(self, stages: Iterator[Callable[[], Stage]], size: int = 0) -> None:
        self._following: Iterator[Callable[[], Stage]] | None = stages
        self._current: Stage | None = None
        self._size = size
        self._untouched = False

    def _advance(self) -> Stage | None:
        if self._following is None:
            return None
        make = next(self._following, None)
        self._current = make() if make is not None else None
        if self._current is None:
            self._following = None
        self._untouched = True
        return self._current

    def next(self) -> Any:
        stage = self._current or self._advance()
        while stage is not None:
            self._untouched = False
            try:
                return stage.next()
            except StopIteration:
                stage = self._advance()
        raise StopIteration

    def many(self, count: int) -> Sequence[Any]:
        stage = self._current or self._advance()
        if stage is None:
            return ()
        found = stage.many(count)
        while len(found) < count:
            stage = self._advance()
            if stage is None:
                break
            found = [*found, *stage.many(count - len(found))]
        self._untouched = False
        return found

    def skip(self, count: int) -> int:
        passed = 0
        stage = self._current or self._advance()
        while stage is not None and passed < count:
            if self._untouched and 0 < self._size <= count - passed:
                passed += self._size
            else:
                self._untouched = False
                passed += stage.skip(count - passed)
                if passed >= count:
                    break
            self._current = None
            if passed < count:
                stage = self._advance()
        return passed


def repeats(make: Callable[[], Stage], count: int, size: int = 0) -> Iterator[Callable[[], Stage]]:
    """For `Chain`: a stage again and again, without end where the count is negative; until one gives nothing.

    With a `size`, each is known to give something.
    """
    done = 0
    empty = False

    def start() -> Stage:
        nonlocal empty
        stage = make()
        if count >= 0 or size:
            return stage
        first = stage.many(1)
        empty = not first
        return _After(first, stage) if first else stage

    while done != count and not empty:
        done += 1
        yield start


class _After(Stage):
    """Elements that were looked at already, and what follows them."""

    __slots__ = ("_first", "_input")

    def __init__(self, first: Sequence[Any], source: Stage) -> None:
        self._first, self._input = first, source

    def many(self, count: int) -> Sequence[Any]:
        if not self._first:
            return self._input.many(count)
        first, rest = self._first[:count], self._first[count:]
        self._first = rest
        wanted = count - len(first)
        if not wanted:
            return first
        found = self._input.many(wanted)
        if type(first) is range and type(found) is range and found and first.stop == found.start:
            return range(first.start, found.stop)
        return [*first, *found]


class Shard(Stage):
    """Every `count`th element from `index` on."""

    __slots__ = ("_count", "_gap", "_input")

    def __init__(self, source: Stage, count: int, index: int) -> None:
        self._input, self._count, self._gap = source, count, index

    def next(self) -> Any:
        gap, self._gap = self._gap, self._count - 1
        if gap and self._input.skip(gap) < gap:
            raise StopIteration
        return self._input.next()

    def skip(self, count: int) -> int:
        if count <= 0:
            return 0
        passed = self._input.skip(self._gap + 1 + (count - 1) * self._count) - self._gap - 1
        self._gap = self._count - 1
        return 0 if passed < 0 else passed // self._count + 1


class Shuffle(Stage):
    """Elements drawn from a buffer that is filled up before each draw, so that each comes exactly once."""

    __slots__ = ("_buffer", "_capacity", "_draws", "_input", "_random")

    def __init__(self, source: Stage, capacity: int, seed: Sequence[int]) -> None:
        self._input, self._capacity = source, capacity
        self._buffer: list[Any] = []
        self._random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([w & (2**64 - 1) for w in seed])))
        self._draws: list[float] = []

    def many(self, count: int) -> Sequence[Any]:
        found: list[Any] = []
        if count <= 0:
            return found
        buffer, append = self._buffer, found.append
        missing = self._capacity - len(buffer)
        fresh = self._input.many(missing + count - 1)
        buffer.extend(fresh[:missing])
        fresh = fresh[missing:]
        draws = min(count, len(buffer) + len(fresh))
        # Before each draw but the first one element comes in, as long as there are any.
        coming = itertools.chain((_NONE,), fresh, itertools.repeat(_NONE))
        for item in itertools.islice(coming, draws):
            if item is not _NONE:
                buffer.append(item)
            if not self._draws:
                self._draws = self._random.random(_DRAWS).tolist()
            at = int(self._draws.pop() * len(buffer))
            append(buffer[at])
            last = buffer.pop()
            if at < len(buffer):
                buffer[at] = last
        return found


class Batch(Stage):
    """Elements side by side."""

    __slots__ = ("_combine", "_drop", "_input", "_size")

    def __init__(
        self, source: Stage, size: int, drop_remainder: bool, combine: Callable[[Sequence[Any]], Any] = stacked
    ) -> None:
        self._input, self._size, self._drop, self._combine = source, size, drop_remainder, combine

    def next(self) -> Any:
        found = self._input.many(self._size)
        if not found or (self._drop and len(found) < self._size):
            raise StopIteration
        return self._combine(found)

    def skip(self, count: int) -> int:
        passed = self._input.skip(count * self._size)
        return passed // self._size if self._drop else -(-passed // self._size)


class Unbatch(Stage):
    """The elements that lie side by side in others."""

    __slots__ = ("_at", "_input", "_parts")

    def __init__(self, source: Stage) -> None:
        self._input = source
        self._parts: Sequence[Any] = ()
        self._at = 0

    def many(self, count: int) -> Sequence[Any]:
        found: list[Any] = []
        while len(found) < count:
            if self._at >= len(self._parts):
                following = self._input.many(1)
                if not following:
                    break
                self._parts, self._at = parts_of(following[0]), 0
            fresh = self._parts[self._at : self._at + count - len(found)]
            self._at += len(fresh)
            found.extend(fresh)
        return found


class Zip(Stage):
    """One element of each, in a structure; ends with the first that ends."""

    __slots__ = ("_inputs", "_pack")

    def __init__(self, inputs: Sequence[Stage], pack: Callable[[Sequence[Any]], Any]) -> None:
        self._inputs, self._pack = inputs, pack

    def next(self) -> Any:
        return self._pack([stage.next() for stage in self._inputs])

    def many(self, count: int) -> Sequence[Any]:
        columns = []
        for stage in self._inputs:
            column = stage.many(count)
            columns.append(column)
            count = len(column)  # the ones behind need no more
        return [self._pack(row) for row in zip(*[c[:count] for c in columns], strict=True)]

    def skip(self, count: int) -> int:
        for stage in self._inputs:
            count = stage.skip(count)
        return count


class Window(Stage):
    """Lists of elements: `size` of them `stride` apart, the first ones `shift` apart."""

    __slots__ = ("_buffer", "_drop", "_ended", "_gap", "_input", "_pack", "_shift", "_size", "_stride")

    def __init__(
        self, source: Stage, size: int, shift: int, stride: int, drop: bool, pack: Callable[[Sequence[Any]], Any]
    ) -> None:
        self._input, self._size, self._shift, self._stride, self._drop = source, size, shift, stride, drop
        self._pack = pack
        self._buffer: list[Any] = []
        self._gap = 0
        self._ended = False

    def next(self) -> Any:
        span = (self._size - 1) * self._stride + 1
        if self._gap and not self._ended:
            self._ended = self._input.skip(self._gap) < self._gap
            self._gap = 0
        missing = span - len(self._buffer)
        if missing > 0 and not self._ended:
            fresh = self._input.many(missing)
            self._ended = len(fresh) < missing
            self._buffer.extend(fresh)
        if not self._buffer or (self._drop and len(self._buffer) < span):
            raise StopIteration
        window = self._buffer[: span : self._stride]
        self._gap = max(0, self._shift - len(self._buffer))
        del self._buffer[: self._shift]
        return self._pack(window)


class Store(Stage):
    """Passes elements on and remembers them; once all were there, `keep` has them."""

    __slots__ = ("_elements", "_input", "_keep")

    def __init__(self, source: Stage, keep: Callable[[list[Any]], None]) -> None:
        self._input, self._keep = source, keep
        self._elements: list[Any] | None = []

    def many(self, count: int) -> Sequence[Any]:
        found = self._input.many(count)
        if self._elements is not None:
            self._elements.extend(found)
            if len(found) < count:
                self._keep(self._elements)
                self._elements = None
        return found


class Select(Stage):
    """Elements of several stages, in the order that `choices` gives their numbers."""

    __slots__ = ("_choices", "_ended", "_inputs", "_stop")

    def __init__(self, inputs: Sequence[Stage], choices: Callable[[set[int]], int], stop_on_empty: bool) -> None:
        self._inputs, self._choices, self._stop = inputs, choices, stop_on_empty
        self._ended: set[int] = set()

    def next(self) -> Any:
        while len(self._ended) < len(self._inputs):
            choice = self._choices(self._ended)
            if not 0 <= choice < len(self._inputs):
                raise InvalidArgumentError(f"Selector index out of range: {choice} >= {len(self._inputs)}")
            if choice in self._ended:
                continue
            try:
                return self._inputs[choice].next()
            except StopIteration:
                self._ended.add(choice)
                if self._stop:
                    self._ended.update(range(len(self._inputs)))
        raise StopIteration


class Counted(Stage):
    """Passes elements on, and checks at the end that there were as many as was claimed."""

    __slots__ = ("_expected", "_input", "_seen")

    def __init__(self, source: Stage, expected: int) -> None:
        self._input, self._expected, self._seen = source, expected, 0

    def next(self) -> Any:
        said = f"Input dataset was expected to contain {self._expected} elements but contained "
        try:
            found = self._input.next()
        except StopIteration:
            if self._seen != self._expected >= 0:
                raise FailedPreconditionError(f"{said}only {self._seen} elements.") from None
            raise
        self._seen += 1
        if self._seen > self._expected >= 0:
            raise FailedPreconditionError(f"{said}at least {self._seen} elements.")
        return found
