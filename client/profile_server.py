"""A server's part of a profile: asked for once the profile has ended, piece by piece, and set on the client's clock.

Owns: `ServerPart`, one session's records, and the estimate of how its server's clock stands to this one's. Does not
know what the client notes (`client.profile_log`).

As in NTP, a question and its answer bound the offset: the server read its clock after the question was sent and before
the answer came. Several bounds are held together, and the narrowest interval that all allow is the estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from client.profile_log import clock
from protocol.errors import OpError
from protocol.wire import Item

if TYPE_CHECKING:
    from client.answers import Read
    from client.session import Session

SETTING: Final = "profile"
_PIECE: Final = 2**13
"""Spans asked for at once."""
_QUESTIONS: Final = 16
"""How often the clock is asked for."""
_COUNTERS: Final = ("ops", "waits", "stalls", "bytes_sent", "bytes_received", "frames_sent", "reconnects")


@dataclass(frozen=True)
class Total:
    """How often something ran on the server, and its time there in nanoseconds: `own` without what was timed within
    it, `longest` with it, `device` on a GPU.
    """

    kind: str
    name: str
    count: int
    own: int
    longest: int
    device: int


class ServerPart:
    """What one session's server recorded, and the session's counters.

    missing: why there is nothing, None otherwise. offset, error: nanoseconds that this process's clock is ahead of the
    server's, give or take. spans: rows of index in `totals`, lane (1: the device), start, duration, item; of the
    server's clock.
    """

    def __init__(self, session: Session, number: int, opened: bool) -> None:
        self.session = session
        self.missing: str | None = None
        self.totals: list[Total] = []
        self.spans = np.empty((0, 5), np.int64)
        self.dropped = self.peak_bytes = self.started = self.ended = 0
        self.offset = self.error = 0
        self._number = number
        self._before = dict.fromkeys(_COUNTERS, 0) if opened else self._counters()
        self._after: dict[str, int] | None = None
        self._collected = False
        self._asked: Read | None = None
        self._pieces: list[dict[str, Any]] = []
        if SETTING not in (session.settings or ()):
            self._lack("the server is older than this client, and keeps no records")

    def _counters(self) -> dict[str, int]:
        return {name: getattr(self.session, name) for name in _COUNTERS}

    def _lack(self, reason: str) -> None:
        self.missing = reason
        self._collected = True

    @property
    def counters(self) -> dict[str, int]:
        """The session's counters, as far as they grew within the profile."""
        after = self._after or self._counters()
        return {name: after[name] - self._before[name] for name in _COUNTERS}

    def stop_counting(self) -> None:
        """What is sent from here on is not the profile's."""
        if self._after is None:
            self._after = self._counters()

    def collect(self, timeout: float = -1) -> None:
        """Fetch the records, once. Waits for what was issued within the profile; not counted as a wait of the program.
        With a timeout it gives up after as many seconds for an answer.
        """
        if self._collected:
            return
        self.stop_counting()
        try:
            while not self._pieces or self._pieces[-1]["left"]:
                if self._asked is None:
                    self._asked = self._ask(self._number, _PIECE)
                self._pieces.append(self._answer(self._asked, timeout))
                self._asked = None  # only now: after Ctrl-C it goes on with the same question
            bounds = [self._bound(timeout) for _ in range(_QUESTIONS)]
        except (OpError, OSError) as error:
            self._lack(f"its records are lost: {error}")
            return
        report = self._pieces[-1]
        self.totals = [Total(*row) for row in report["totals"]]
        self.spans = np.concatenate([piece["spans"] for piece in self._pieces])
        self.dropped, self.peak_bytes = report["dropped"], report["peak_bytes"]
        self.started, self.ended = report["started"], report["ended"] or report["clock"]
        self.offset, self.error = _agreed(bounds)
        self._collected = True
        self._pieces = []

    def _bound(self, timeout: float) -> tuple[int, int]:
        """The least and the most that this clock can be ahead."""
        before = clock()
        there = self._answer(self._ask(0), timeout)["clock"]
        return before - there, clock() - there

    def _ask(self, *fields: int) -> Read:
        read = self.session.start_read(*fields, kind=Item.RECORDS)
        self.session.flush()
        return read

    def _answer(self, read: Read, timeout: float) -> dict[str, Any]:
        if not read.finished and (timeout >= 0 or not self.session.pump(read)) and not read.wait(timeout):
            raise TimeoutError("the server did not answer in time")
        if read.error is not None:
            raise read.error
        answer: dict[str, Any] = read.value
        return answer


def _agreed(bounds: list[tuple[int, int]]) -> tuple[int, int]:
    """The middle of the interval that all of them share, and half its width; of the narrowest where they share none,
    as after a clock was changed.
    """
    low, high = max(b[0] for b in bounds), min(b[1] for b in bounds)
    if low > high:
        low, high = min(bounds, key=lambda b: b[1] - b[0])
    return (low + high) // 2, (high - low + 1) // 2
