"""The option of the fuzzers, `--fuzz-seconds`, and the fixture that runs a property for that long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
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
        if seconds and "explore" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(seconds + 300))


@pytest.fixture
def explore(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`explore(check, strategy, ...)` runs `check` on examples of the strategies: the same `examples` ones by default, new ones
    for this test's share of `--fuzz-seconds`. A failure prints the smallest example found and its seed.
    """
    sharing = [
        item
        for item in request.session.items
        if item.path == request.path and "explore" in getattr(item, "fixturenames", ())
    ]
    seconds = request.config.getoption("--fuzz-seconds") / max(1, len(sharing))

    def run(check: Callable[..., Any], *strategies: SearchStrategy[Any], examples: int = 100) -> None:
        end = time.monotonic() + seconds
        start = time.time_ns() if seconds else 0
        turn = 0
        while turn == 0 or time.monotonic() < end:
            chosen = settings(UNTIMED, max_examples=examples)
            seed(start + turn)(chosen(given(*strategies)(check)))()
            turn += 1

    return run
