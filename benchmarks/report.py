"""Results as a plain text table and as JSON.

Owns: `table`, `as_json`. Measures nothing.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any

from benchmarks.registry import OURS, Contender, Measurement, Path
from benchmarks.runner import Result, Verdict, judge

Outcome = tuple[Measurement, list[Result]]


def table(outcomes: Sequence[Outcome], rtt: float) -> str:
    """Two tables: what was measured, and the budgets."""
    measured: list[tuple[str, ...]] = [("measurement", "who", "median", "p90", "x ours")]
    budgets: list[tuple[str, ...]] = [("measurement", "budget", "ours", "limit", "used", "verdict")]
    for measurement, results in outcomes:
        title = measurement.title
        for result in results:
            measured.append((title, label(result.contender, rtt), *_figures(measurement, result, results)))
            title = ""
        taking_part = {r.contender for r in results}
        budgets += [_budget_row(measurement, v) for v in judge(measurement, results) if v.budget.ours in taking_part]
    return f"{_aligned(measured)}\n\n{_aligned(budgets)}"


def label(contender: Contender, rtt: float) -> str:
    """The contender's name in the table."""
    paths = {Path.DIRECT: "", Path.PROXY: ", proxy 0 ms", Path.DELAY: f", proxy {rtt * 1e3:g} ms"}
    return contender.system + paths[contender.path]


def _figures(measurement: Measurement, result: Result, results: list[Result]) -> tuple[str, str, str]:
    if result.median is None:
        return f"failed: {result.error}", "", ""
    p90 = measurement.show(result.p90) if result.p90 is not None else ""
    reference = next((r.median for r in results if r.contender == OURS), None)
    times = f"{result.median / reference:.2f}" if reference and result.contender != OURS else ""
    return measurement.show(result.median), p90, times


def _budget_row(measurement: Measurement, verdict: Verdict) -> tuple[str, ...]:
    def shown(seconds: float | None) -> str:
        return "" if seconds is None else measurement.show(seconds)

    known = verdict.measured is not None and verdict.limit is not None
    used = f"{verdict.measured / verdict.limit:.2f}" if known and verdict.limit and verdict.measured else ""
    return measurement.name, verdict.budget.text, shown(verdict.measured), shown(verdict.limit), used, verdict.word


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows if not row[i].startswith("failed")) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def as_json(outcomes: Sequence[Outcome], rtt: float, conditions: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured, in seconds."""
    return {
        "conditions": {
            **conditions,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
        },
        "measurements": [
            {
                "name": measurement.name,
                "title": measurement.title,
                "results": [_result(r, rtt) for r in results],
                "budgets": [_verdict(v) for v in judge(measurement, results)],
            }
            for measurement, results in outcomes
        ],
    }


def _result(result: Result, rtt: float) -> dict[str, Any]:
    return {
        "who": label(result.contender, rtt),
        "median": result.median,
        "p90": result.p90,
        "rounds": result.rounds,
        "error": result.error,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "text": verdict.budget.text,
        "ours": verdict.measured,
        "limit": verdict.limit,
        "verdict": verdict.word,
    }
