import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.registry import OURS, Budget, Contender, Measurement, System
from benchmarks.registry import Path as Through
from benchmarks.report import table
from benchmarks.runner import Result, judge
from tests.support import ROOT


def _run(*options: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TELEGRAD_")}
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *options],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=ROOT,
        env=environment,
        check=False,
    )


def test_a_measurement_is_printed_and_written_as_json(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = _run("--only", "chained_add", "--seconds", "0.2", "--rtt", "1", "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert "chained add" in done.stdout and "µs/op" in done.stdout
    (measurement,) = json.loads(file.read_text())["measurements"]
    assert measurement["name"] == "chained_add"
    assert [r["who"] for r in measurement["results"]] == ["ours", "ours, proxy 0 ms", "ours, proxy 1 ms"]
    assert all(r["error"] is None and len(r["rounds"]) == 5 and r["median"] > 0 for r in measurement["results"])
    assert measurement["budgets"][0]["verdict"] == "-"  # its peer was not asked for
    assert measurement["budgets"][1]["verdict"] in ("PASS", "FAIL")


def test_a_server_that_cannot_be_reached_fails_the_check() -> None:
    done = _run("--only", "add_read", "--seconds", "0.1", "--url", "http://127.0.0.1:9", "--check")
    assert done.returncode == 1
    assert "failed" in done.stdout and "UnavailableError" in done.stdout


@pytest.mark.parametrize(
    ("ours", "raw", "word"),
    [(1.9, 1.0, "PASS"), (2.2, 1.0, "FAIL"), (None, 1.0, "FAIL"), (1.9, None, "-")],
)
def test_a_budget_is_held_against_the_medians(ours: float | None, raw: float | None, word: str) -> None:
    against = Contender(System.RAW)
    measurement = Measurement("m", "M", {}, budgets=(Budget("2 x raw + 0.1 s", against, 2.0, 0.1),))
    results = [Result(OURS, [[ours], [ours], [99.0]]) if ours else Result(OURS, error="broken")]
    if raw:
        results.append(Result(against, [[raw]]))
    (verdict,) = judge(measurement, results)
    assert verdict.word == word
    assert word in table([(measurement, results)], 0.0)


def test_a_budget_can_add_what_another_takes() -> None:
    delayed, echo = Contender(System.OURS, Through.DELAY), Contender(System.RAW, Through.DELAY)
    budget = Budget("one echo more", OURS, ours=delayed, adding=echo)
    results = [Result(OURS, [[1.0]]), Result(echo, [[0.5]])]
    for took, word in ((1.4, "PASS"), (1.6, "FAIL")):
        (verdict,) = judge(Measurement("m", "M", {}, budgets=(budget,)), [*results, Result(delayed, [[took]])])
        assert verdict.word == word
    (verdict,) = judge(Measurement("m", "M", {}, budgets=(budget,)), [results[0], Result(delayed, [[1.4]])])
    assert verdict.word == "-"
