"""What one session's executor has done, by op: how often, how long, what failed.

Owns: `Tally`, which adds up what `server.plans.Bound` counts; the rule that only names this server knows are told; and
`Ended`, the sum of what sessions that are over did. Does not know metrics (`server.metrics`), nor how the figures
travel from an executor in another process: `totals` and `failures` are plain dicts that only grow, and `changes` gives
of both what is new, to be merged into what was told before with `dict.update`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, TypeAlias

from protocol.ops import OPS
from server.plans import Bound

Totals: TypeAlias = dict[str, tuple[int, int]]
"""By op: its runs, and nanoseconds in its kernel."""
Failures: TypeAlias = dict[tuple[str, int], int]
"""By op and error code."""

_ITEMS: Final = frozenset(("constant", "gradient", "load", "publish", "set", "unpublish", "variable"))
"""What fails and is no op: items of a kind of their own."""
OTHER: Final = "unknown"
"""Stands for ops that the server does not know: their names are whatever a client sent."""
_SETTLED: Final = 10.0
"""Seconds after a session's end in which its executor may still finish what it was at."""


class Tally:
    """Figures of one executor. `bound` gives the ops it uses; reading them from another thread is safe."""

    def __init__(self, bound: Callable[[], Iterable[Bound]]) -> None:
        self._bound = bound
        self.failures: Failures = {}
        self._told_totals: Totals = {}
        self._told_failures: Failures = {}

    @property
    def ops(self) -> int:
        """Ops run, those of backward passes too."""
        return sum([bound.count for bound in self._bound()])

    def totals(self) -> Totals:
        """Runs and nanoseconds of each op so far."""
        found: Totals = {}
        for bound in self._bound():
            name = bound.op.name
            if bound.count and name in OPS:
                count, nanoseconds = found.get(name, (0, 0))
                found[name] = count + bound.count, nanoseconds + bound.nanoseconds
        return found

    def failed(self, op: str, code: int) -> None:
        """Count a failure."""
        key = (op if op in OPS or op in _ITEMS else OTHER, code)
        self.failures[key] = self.failures.get(key, 0) + 1

    def report(self) -> dict[str, Any]:
        """What a host reports of it."""
        return {"ops": self.ops, "by_op": self.totals(), "failures": dict(self.failures)}

    def changes(self) -> tuple[Totals, Failures]:
        """The entries of `totals` and `failures` that are other than when this was last asked."""
        totals, failures = self.totals(), dict(self.failures)
        new = (
            {k: v for k, v in totals.items() if self._told_totals.get(k) != v},
            {k: v for k, v in failures.items() if self._told_failures.get(k) != v},
        )
        self._told_totals, self._told_failures = totals, failures
        return new


class Host(Protocol):
    """What reports of an executor."""

    @property
    def report(self) -> dict[str, Any]:
        """The latest figures."""


class Sums:
    """Figures of several executors, added up."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.nanoseconds: Counter[str] = Counter()
        self.failures: Counter[tuple[str, int]] = Counter()

    def add(self, report: dict[str, Any]) -> None:
        """Add what one reports."""
        for name, (count, nanoseconds) in report.get("by_op", {}).items():
            self.runs[name] += count
            self.nanoseconds[name] += nanoseconds
        self.failures.update(report.get("failures", {}))

    def copy(self) -> Sums:
        """The same figures, to add to."""
        found = Sums()
        found.runs, found.nanoseconds, found.failures = self.runs.copy(), self.nanoseconds.copy(), self.failures.copy()
        return found


class Ended:
    """What the sessions that are over did."""

    def __init__(self) -> None:
        self._sums = Sums()
        self._recent: deque[tuple[float, Host]] = deque()

    def add(self, host: Host, now: float) -> None:
        """Take a session's host at its end. It is asked until its figures have settled."""
        self._recent.append((now, host))
        self._settle(now)

    def sums(self, now: float) -> Sums:
        """The figures of all of them."""
        self._settle(now)
        found = self._sums.copy()
        for _, host in self._recent:
            found.add(host.report)
        return found

    def _settle(self, now: float) -> None:
        while self._recent and now - self._recent[0][0] >= _SETTLED:
            self._sums.add(self._recent.popleft()[1].report)
