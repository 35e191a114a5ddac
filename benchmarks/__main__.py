"""`python -m benchmarks`: measure, print, judge.

Owns: the command line.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks import report, runner
from benchmarks.registry import MEASUREMENTS, Measurement
from benchmarks.systems import Lab


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser("benchmarks", description="Measure Telegrad beside its peers, in one run.")
    add = result.add_argument
    names = [m.name for m in MEASUREMENTS]
    add("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}; may be repeated")
    add(
        "--peers",
        action="store_true",
        help="TensorFlow local and remote too [TELEGRAD_PEER_PYTHON names its interpreter]",
    )
    add(
        "--rtt", type=float, default=0.0, metavar="MS", help="also through a proxy, at 0 ms and at this round-trip time"
    )
    add("--seconds", type=float, default=2.5, help="for each contender of a measurement, over its rounds (%(default)s)")
    add("--url", help="a server to measure instead of an embedded one")
    add("--token", help="its token; better in TELEGRAD_TOKEN")
    add("--json", type=Path, metavar="FILE", help="write every sample there")
    add("--check", action="store_true", help="exit with status 1 when a budget, or a contender, fails")
    return result


def selected(options: argparse.Namespace) -> list[Measurement]:
    """What the command line asks for."""
    return [
        m
        for m in MEASUREMENTS
        if (not options.only or m.name in options.only) and not (m.needs_embedded and options.url)
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run; the exit status."""
    options = parser().parse_args(arguments)
    rtt = options.rtt / 1e3
    outcomes: list[report.Outcome] = []
    with Lab(options.url, options.token or os.environ.get("TELEGRAD_TOKEN"), rtt) as lab:
        for measurement in selected(options):
            print(f"{measurement.name} ...", file=sys.stderr, flush=True)
            taking_part = runner.contenders(measurement, options.peers, bool(rtt))
            outcomes.append((measurement, runner.measure(lab, measurement, taking_part, options.seconds)))
    print(report.table(outcomes, rtt))
    if options.json is not None:
        asked: dict[str, Any] = {"peers": options.peers, "rtt_ms": options.rtt, "seconds": options.seconds}
        options.json.write_text(json.dumps(report.as_json(outcomes, rtt, asked), indent=1) + "\n")
    return int(options.check and not _passed(outcomes))


def _passed(outcomes: list[report.Outcome]) -> bool:
    verdicts = [v for measurement, results in outcomes for v in runner.judge(measurement, results)]
    errors = [r for _, results in outcomes for r in results if r.error is not None]
    return not errors and all(v.word != "FAIL" for v in verdicts)


if __name__ == "__main__":
    sys.exit(main())
