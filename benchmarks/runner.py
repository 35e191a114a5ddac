"""Turns: every contender of a measurement in every round, so that a noisy minute meets them all.

Owns: `measure`, `Result`, `Verdict`. Does not know processes' insides or how anything is printed.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from benchmarks.children import ChildError
from benchmarks.registry import PEERS, Budget, Contender, Measurement, Path, System
from benchmarks.systems import Lab

_FEW = 20


@dataclass
class Result:
    """One contender's samples, in seconds, by round; or why there are none."""

    contender: Contender
    rounds: list[list[float]] = field(default_factory=list)
    error: str | None = None

    @property
    def median(self) -> float | None:
        """Of the rounds' medians: a round with more samples counts no more."""
        return statistics.median(map(statistics.median, self.rounds)) if self.rounds and not self.error else None

    @property
    def p90(self) -> float | None:
        """Of all samples, where there are enough."""
        samples = [s for turn in self.rounds for s in turn]
        return statistics.quantiles(samples, n=10)[-1] if len(samples) >= _FEW else None


@dataclass(frozen=True)
class Verdict:
    """A budget held against the medians. `measured` and `limit` are None when a contender was not asked for, or
    failed.
    """

    budget: Budget
    measured: float | None
    limit: float | None
    failed: bool

    @property
    def word(self) -> str:
        """PASS, FAIL, or - where a contender was not asked for."""
        if self.failed:
            return "FAIL"
        if self.measured is None or self.limit is None:
            return "-"
        return "PASS" if self.measured <= self.limit else "FAIL"


def contenders(measurement: Measurement, peers: bool, delayed: bool) -> list[Contender]:
    """Who takes part."""
    paths = (Path.DIRECT, Path.PROXY, Path.DELAY) if delayed and measurement.networked else (Path.DIRECT,)
    return [
        Contender(system, path)
        for system in measurement.programs
        for path in paths
        if (peers or system not in PEERS) and not (system is System.TF_LOCAL and path is not Path.DIRECT)
    ]


def measure(lab: Lab, measurement: Measurement, taking_part: list[Contender], seconds: float) -> list[Result]:
    """All rounds; `seconds` for each contender, in all of its turns together."""
    results = [Result(c) for c in taking_part]
    if measurement.warm:
        for result in results:
            _turn(lab, measurement, result, 0.0)
            result.rounds.clear()
    for number in range(measurement.rounds):
        for result in results[:: 1 if number % 2 == 0 else -1]:
            _turn(lab, measurement, result, seconds / measurement.rounds)
    return results


def _turn(lab: Lab, measurement: Measurement, result: Result, seconds: float) -> None:
    if result.error is not None:
        return
    program = measurement.programs[result.contender.system]
    try:
        answer = lab.worker(result.contender).ask({"program": program, "seconds": seconds})
    except ChildError as error:
        answer = {"error": str(error)}
    if isinstance(answer, dict):
        result.error = answer["error"]
    else:
        result.rounds.append(answer)


def judge(measurement: Measurement, results: list[Result]) -> list[Verdict]:
    """The budgets of a measurement, held against its results."""
    found = {r.contender: r for r in results}
    return [_judged(budget, found) for budget in measurement.budgets]


def _judged(budget: Budget, found: dict[Contender, Result]) -> Verdict:
    ours = found.get(budget.ours)
    failed = ours is not None and ours.error is not None
    limit: float | None = budget.plus
    for contender, factor in ((budget.against, budget.factor), (budget.adding, 1.0)):
        if contender is not None:
            other = found.get(contender)
            failed = failed or (other is not None and other.error is not None)
            base = other.median if other is not None else None
            limit = None if base is None or limit is None else limit + factor * base
    return Verdict(budget, ours.median if ours is not None else None, limit, failed)
