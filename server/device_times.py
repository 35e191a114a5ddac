"""When a GPU's stream ran what was issued to it, by CUDA events.

Owns: `DeviceTimes`. Does not know ops. The host only issues work to a GPU, so its own clock says how long that took and
not how long the device worked. An event is a mark in the stream; recording one waits for nothing, and its time is
looked at once the device is past it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from server.devices import Device

Note: TypeAlias = Callable[[int, int], None]
"""Told of a span: its start on the host's clock, and how long it took; both in nanoseconds."""

_MAX_PENDING: Final = 4096
"""Spans the device may be behind with; more go without a time."""


class DeviceTimes:
    """Spans of one GPU's stream."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._cuda = device.xp.cuda
        self._spare: list[Any] = []
        self._pending: deque[tuple[Any, Any, Note]] = deque()
        self._zero = self._mark()
        self._zero.synchronize()  # once, so that the two clocks have a moment in common
        self._zero_clock = time.perf_counter_ns()

    def _mark(self) -> Any:
        event = self._spare.pop() if self._spare else self._cuda.Event()
        assert self._device.scope is not None
        with self._device.scope:
            event.record()
        return event

    def begin(self) -> Any:
        """A mark before work; None when the device is too far behind."""
        if len(self._pending) >= _MAX_PENDING:
            self.settle()
            if len(self._pending) >= _MAX_PENDING:
                return None
        return self._mark()

    def end(self, begun: Any, note: Note) -> None:
        """A mark after it. `note` is called once the device is past both."""
        self._pending.append((begun, self._mark(), note))

    def settle(self, wait: bool = False) -> None:
        """Note the spans that are over; with `wait`, all of them."""
        if wait and self._pending:
            self._pending[-1][1].synchronize()
        elapsed = self._cuda.get_elapsed_time  # in milliseconds
        while self._pending and self._pending[0][1].done:
            begun, ended, note = self._pending.popleft()
            note(self._zero_clock + int(elapsed(self._zero, begun) * 1e6), int(elapsed(begun, ended) * 1e6))
            self._spare += (begun, ended)
