"""What a profile sees of a session's executor: how often each op ran, how long it took, and when.

Owns: `Profiler`, which times an executor's items while profiles are on, `Recorder`, what one of them has recorded.
Does not know how a profile is asked for (`server.switches`) or shown.

The first profile puts timed handlers in the place of the executor's, and the end of the last puts those back: what is
not profiled runs the same code as if this module were not there.
"""

from __future__ import annotations

import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from protocol.errors import NotFoundError, ProtocolError
from protocol.wire import Item
from server.device_times import DeviceTimes

if TYPE_CHECKING:
    from server.executor import Executor
    from server.values import Store

MAX_PROFILES: Final = 8
"""Profiles that record at once; and those that have ended and were not fetched yet, of which the oldest go first."""
MAX_SPANS: Final = 2**16
"""Spans a profile keeps: the last ones."""
MAX_PIECE: Final = 2**13
"""Spans in one reply, and those dropped together."""
_MAX_NAME: Final = 256

# What was timed, as the wire has it: an op, an op of a backward pass, another item, a wait for an upload's bytes.
OP, BACKWARD, ITEM, WAIT = "op", "backward", "item", "wait"
_HOST, _DEVICE = 0, 1

_UNTIMED: Final = frozenset(
    (Item.BIND, Item.RELEASE, Item.CLEAR, Item.READ_DONE, Item.TAPE, Item.SYNC, Item.SET, Item.RECORDS)
)
"""Bookkeeping, and what waits for others."""
_NAMES: Final = {Item.CONST: "constant"}

_clock = time.perf_counter_ns


class Total:
    """How often something ran and how long it took, in nanoseconds. `own` leaves out what was timed within it."""

    __slots__ = ("count", "device", "index", "longest", "own")

    def __init__(self, index: int) -> None:
        self.index = index
        self.count = self.own = self.longest = self.device = 0


class Spans:
    """The last spans: rows of five integers (which total, lane, start, duration, item)."""

    def __init__(self) -> None:
        self._pieces = deque([array("q")])
        self.dropped = 0

    def add(self, *row: int) -> None:
        """Keep one more."""
        piece = self._pieces[-1]
        if len(piece) == 5 * MAX_PIECE:
            piece = array("q")
            self._pieces.append(piece)
            if len(self._pieces) > MAX_SPANS // MAX_PIECE:
                self.dropped += len(self._pieces.popleft()) // 5
        piece.extend(row)

    def take(self, count: int) -> np.ndarray[Any, Any]:
        """Up to `count` of them, the oldest, which are forgotten."""
        piece = self._pieces[0]
        taken = np.array(piece[: 5 * count], np.int64).reshape(-1, 5)
        del piece[: 5 * count]
        if not piece and len(self._pieces) > 1:
            self._pieces.popleft()
        return taken

    def __len__(self) -> int:
        return sum(map(len, self._pieces)) // 5


class Recorder:
    """One profile: exact totals, and the last spans."""

    def __init__(self, held: int) -> None:
        self.started = _clock()
        self.ended: int | None = None
        self.peak = held
        self.spans = Spans()
        self._totals: dict[tuple[str, str], Total] = {}

    def note(self, kind: str, name: str, item: int, start: int, whole: int, own: int) -> None:
        """Something ran."""
        total = self._total(kind, name)
        total.count += 1
        total.own += own
        if whole > total.longest:
            total.longest = whole
        self.spans.add(total.index, _HOST, start, whole, item)

    def note_device(self, kind: str, name: str, item: int, start: int, whole: int) -> None:
        """The device ran what an op had issued to it."""
        total = self._total(kind, name)
        total.device += whole
        self.spans.add(total.index, _DEVICE, start, whole, item)

    def _total(self, kind: str, name: str) -> Total:
        total = self._totals.get((kind, name))
        if total is None:
            total = self._totals[kind, name] = Total(len(self._totals))
        return total

    def report(self, count: int) -> dict[str, Any]:
        """The totals, and up to `count` spans, which are forgotten."""
        spans = self.spans.take(count)
        return {
            "clock": _clock(),
            "started": self.started,
            "ended": self.ended,
            "peak_bytes": self.peak,
            "totals": [
                (kind, name[:_MAX_NAME], t.count, t.own, t.longest, t.device)
                for (kind, name), t in self._totals.items()
            ],
            "spans": spans,
            "left": len(self.spans),
            "dropped": self.spans.dropped,
        }


class Profiler:
    """Times one executor's items for the profiles that are on."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._on: dict[int, Recorder] = {}
        self._ended: dict[int, Recorder] = {}
        self._restore: Callable[[], None] | None = None
        self._device: DeviceTimes | None = None
        self._within = 0  # nanoseconds of the spans that the present one contains
        self._number = 0  # of the item whose backward pass is under way

    # --- on and off --------------------------------------------------------------------------------------------------

    def switch(self, numbers: Any) -> None:
        """Have exactly the profiles of these numbers record from here on. Raises ProtocolError."""
        valid = type(numbers) is tuple and len(numbers) <= MAX_PROFILES
        if not valid or any(type(n) is not int or n <= 0 for n in numbers):
            raise ProtocolError(f"{numbers!r:.100} are not the numbers of at most {MAX_PROFILES} profiles")
        self._look_at_peak()
        for number in [n for n in self._on if n not in numbers]:
            ended = self._ended[number] = self._on.pop(number)
            ended.ended = _clock()
        while len(self._ended) > MAX_PROFILES:
            del self._ended[next(iter(self._ended))]
        for number in numbers:
            if number in self._ended:
                raise ProtocolError(f"profile {number} has ended before")
            if number not in self._on:
                self._on[number] = Recorder(self._store.used)
        if self._on and self._restore is None:
            self._install()
        elif not self._on and self._restore is not None:
            self._restore()
            self._restore = None

    @property
    def _store(self) -> Store:
        return self._executor.store

    def _look_at_peak(self) -> None:
        peak = self._store.split_peak()
        for recorder in self._on.values():
            recorder.peak = max(recorder.peak, peak)

    def _install(self) -> None:
        executor = self._executor
        handlers = executor.handlers
        plain = dict(handlers)

        def restore() -> None:
            handlers.update(plain)
            del executor.run_emitted, executor.finish_upload  # type: ignore[attr-defined]  # the class's show again

        timed: dict[int, Callable[..., None]] = {
            kind: self._item(_NAMES.get(kind) or Item(kind).name.lower(), handler)
            for kind, handler in plain.items()
            if kind not in _UNTIMED
        }
        timed[Item.RUN] = self._op(plain[Item.RUN])
        timed[Item.GRADIENT] = self._pass(timed[Item.GRADIENT])
        if executor.default.scope is not None and self._device is None:
            self._device = DeviceTimes(executor.default)
        self._restore = restore
        handlers.update(timed)
        executor.run_emitted = self._emitted(executor.run_emitted)  # type: ignore[method-assign]
        executor.finish_upload = self._upload(executor.finish_upload)  # type: ignore[method-assign]

    # --- timed, in the place of what the executor has ----------------------------------------------------------------

    def _op(self, run: Callable[..., None]) -> Callable[..., None]:
        def timed(item: tuple[Any, ...], number: int) -> None:
            bound = self._executor.bound.get(item[1])
            self._time(OP, "" if bound is None else bound.op.name, number, self._device, run, item, number)

        return timed

    def _item(self, name: str, run: Callable[..., None]) -> Callable[..., None]:
        def timed(item: tuple[Any, ...], number: int) -> None:
            self._time(ITEM, name, number, None, run, item, number)

        return timed

    def _pass(self, run: Callable[..., None]) -> Callable[..., None]:
        def timed(item: tuple[Any, ...], number: int) -> None:
            self._number = number
            run(item, number)

        return timed

    def _emitted(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def timed(name: str, *rest: Any) -> Any:
            return self._time(BACKWARD, name, self._number, self._device, run, name, *rest)

        return timed

    def _upload(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            return self._time(WAIT, "waiting for an upload", 0, None, run, *arguments)

        return timed

    def _time(
        self, kind: str, name: str, item: int, device: DeviceTimes | None, run: Callable[..., Any], *arguments: Any
    ) -> Any:
        begun = None if device is None else device.begin()
        before, self._within = self._within, 0
        start = _clock()
        try:
            return run(*arguments)
        finally:
            whole = _clock() - start
            own = whole - self._within
            self._within = before + whole
            recorders = tuple(self._on.values())
            for recorder in recorders:
                recorder.note(kind, name, item, start, whole, own)
            if device is not None and begun is not None:
                device.end(begun, _device_note(recorders, kind, name, item))

    # --- what was recorded -------------------------------------------------------------------------------------------

    def records(self, number: Any, spans: Any) -> dict[str, Any]:
        """What a profile has recorded so far, with up to `spans` of its spans. One that has ended is forgotten with its
        last span.

        Raises:
            NotFoundError: there is no such profile (any more).
            ProtocolError: `spans` is no number.
        """
        if type(spans) is not int or spans < 0:
            raise ProtocolError(f"{spans!r:.50} is no number of spans")
        recorder = self._on.get(number) or self._ended.get(number)
        if recorder is None:
            raise NotFoundError(f"there is no profile {number!r:.50} (any more)")
        if self._device is not None:
            self._device.settle(wait=True)
        self._look_at_peak()
        report = recorder.report(spans)
        if spans and not recorder.spans:
            self._ended.pop(number, None)
        return report


def _device_note(recorders: Iterable[Recorder], kind: str, name: str, item: int) -> Callable[[int, int], None]:
    def note(start: int, whole: int) -> None:
        for recorder in recorders:
            recorder.note_device(kind, name, item, start, whole)

    return note
