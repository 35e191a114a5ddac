"""The option of the fuzzers, `--fuzz-seconds`, and the fixtures that run a property, a machine or a body so long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from hypothesis.strategies import SearchStrategy

# What a fuzzed server does takes its time, and is told apart by the assertions alone.
UNTIMED = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-seconds",
        type=float,
        default=0.0,
        help="go on with new examples for so long in each file of tests/fuzz; 0: the same few examples each time",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seconds = config.getoption("--fuzz-seconds")
    for item in items:
        if seconds and _fuzzes(item):
            item.add_marker(pytest.mark.timeout(seconds + 300))


class Seeds:
    """The seeds of a test's turns: 0, then new ones for `seconds`. Each is printed."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __iter__(self) -> Iterator[int]:
        end = time.monotonic() + self._seconds
        number = 0
        while True:
            print("the seed is", number)
            yield number
            if time.monotonic() >= end:
                return
            number = time.time_ns() % 2**40


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> Seeds:
    """Seeds for a test's body, for the test's share of `--fuzz-seconds`."""
    sharing = [item for item in request.session.items if item.path == request.path and _fuzzes(item)]
    return Seeds(request.config.getoption("--fuzz-seconds") / max(1, len(sharing)))


@pytest.fixture
def explore(seeds: Seeds) -> Callable[..., None]:
    """`explore(check, strategy, ...)` runs `check` on examples of the strategies: by default the same `examples` ones,
    else new ones for this test's share of `--fuzz-seconds`. A failure prints the smallest example found and its seed.
    """

    def run(check: Callable[..., Any], *strategies: SearchStrategy[Any], examples: int = 100) -> None:
        for number in seeds:
            chosen = settings(UNTIMED, max_examples=examples)
            seed(number)(chosen(given(*strategies)(check)))()

    return run


@pytest.fixture
def explore_machine(seeds: Seeds) -> Callable[..., None]:
    """`explore_machine(machine, examples=, steps=)` runs a `RuleBasedStateMachine` as `explore` runs a check."""

    def run(machine: type[RuleBasedStateMachine], *, examples: int = 50, steps: int = 50) -> None:
        for number in seeds:
            chosen = settings(UNTIMED, max_examples=examples, stateful_step_count=steps)
            run_state_machine_as_test(seed(number)(machine), settings=chosen)

    return run


def _fuzzes(item: pytest.Item) -> bool:
    return "seeds" in getattr(item, "fixturenames", ())
