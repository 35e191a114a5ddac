"""One training put through everything ends with the bits of a training that nobody disturbed.

Weights, optimizer slots, the generator's state and what was read on the way are one SHA-256. Default: a fixed
seed each; `--fuzz-seconds 600` goes on with new ones.
"""

from __future__ import annotations

import functools
import signal

import httpx
import pytest

from tests.faults.proxy import FAULTS, OF_CONNECTIONS, FaultyProxy
from tests.faults.run import Plan, disturbed, started, undisturbed
from tests.support import ROOT, serving, wait_until

STEPS = 90
TRAINING = str(ROOT / "tests/server/training.py"), str(STEPS)
RESUMABLE = str(ROOT / "tests/client/resumable.py")

PLANS = {
    "websocket": Plan((*TRAINING, "websocket"), STEPS, OF_CONNECTIONS, {"refuse": 1, "freeze": 1}),
    "http": Plan((*TRAINING, "http"), STEPS, tuple(FAULTS), {"refuse": 1, "freeze": 1}),
    "restarts": Plan(TRAINING, STEPS, OF_CONNECTIONS, {"restart": 2}, isolation="process"),
}
reference = functools.cache(undisturbed)


@pytest.mark.parametrize("name", PLANS)
def test_a_training_ends_with_the_same_bits(tmp_path, seeds, name):
    plan = PLANS[name]
    expected = reference(TRAINING)
    for seed in seeds:
        report = disturbed(plan, tmp_path / str(seed), seed)
        print(name, dict(report.happened))
        assert report.lines[:-1] == [f"step {i}" for i in range(STEPS)]  # each once
        assert report.digest == expected
        kinds = {FAULTS[fault].kind for fault in plan.faults if report.happened[fault]}
        assert kinds == {FAULTS[fault].kind for fault in plan.faults}, report.happened
        assert {event: report.happened[event] for event in plan.events} == plan.events
        assert "refuse" not in plan.events or report.happened["refused"], report.happened


def test_where_the_server_is_killed_it_resumes_from_its_checkpoint(tmp_path, seeds):
    steps = 60
    expected = undisturbed([RESUMABLE, str(tmp_path / "undisturbed"), "loop", str(steps)])
    for seed in seeds:
        program = [RESUMABLE, str(tmp_path / f"checkpoints {seed}"), "loop", str(steps)]
        plan = Plan(program, steps, OF_CONNECTIONS, {"kill": 2})
        report = disturbed(plan, tmp_path / str(seed), seed)
        print(dict(report.happened))
        assert report.happened["kill"] == 2
        lost = report.lines.count("lost")
        assert 1 <= lost <= 2, "one killed while the program connects to it is lost with the one before"
        assert sum(line.startswith("from") for line in report.lines) == lost + 1
        assert report.digest == expected
        assert sum(report.happened[fault] for fault in plan.faults)


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_client_that_vanishes_is_freed_after_its_lease(isolation):
    options = ["--session-ttl", "1", "--heartbeat", "0.2", "--isolation", isolation]
    with serving(*options) as server, FaultyProxy(server.address, 0, ["swallow"]) as proxy:
        program = started(TRAINING, proxy.url, server.token)
        try:
            assert program.stdout is not None
            program.stdout.readline()
            proxy.calm = False  # the connection lives, and nothing comes through it any more
            wait_until(lambda: proxy.happened["swallow"])
            program.send_signal(signal.SIGKILL)

            def held() -> int:
                status = httpx.get(f"{server.url}/v1/status", headers=server.headers).json()
                return len(status["sessions"]) + sum(each["tensors"] for each in status["sessions"])

            wait_until(lambda: not held())
        finally:
            program.kill()
            program.communicate()
