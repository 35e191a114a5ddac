"""A training put through everything: the program, the server and the proxy between them, and what was done to them.

Owns: `Plan`, `disturbed`, `undisturbed`. The moments of the events are steps, told by the program's output; the moments
of the proxy's faults are bytes. All come of the seed, though not their order against each other: that is the clock's.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.faults.proxy import FaultyProxy
from tests.support import ROOT, ServerProcess, serving

_HEARTBEAT = 0.3
_LIMIT = 80.0
"""Seconds after which a run is a hang. The program then says where each of its threads is."""


class Plan(NamedTuple):
    """program: a file, and its arguments. faults: names of `tests.faults.proxy.FAULTS`. events: names of methods of
    `_Run`, with how often. steps: how many the program makes. rounds: how often each fault comes.
    """

    program: Sequence[str]
    steps: int
    faults: Sequence[str]
    events: dict[str, int]
    isolation: str = "thread"
    rounds: int = 1


class Report(NamedTuple):
    """lines: what the program printed. happened: faults and events, and how often."""

    lines: list[str]
    happened: Counter[str]

    @property
    def digest(self) -> str:
        return self.lines[-1]


def started(program: Sequence[str], url: str, token: str) -> subprocess.Popen[str]:
    environment = {"PYTHONPATH": str(ROOT), "TELEGRAD_URL": url, "TELEGRAD_TOKEN": token, "PYTHONFAULTHANDLER": "1"}
    command = [sys.executable, *program]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env={**os.environ, **environment}, stdout=pipe, stderr=pipe, text=True)


def undisturbed(program: Sequence[str]) -> str:
    """The last line of a program that has its server to itself."""
    with serving() as server:
        output, errors = started(program, server.url, server.token).communicate(timeout=_LIMIT)
    assert output, errors
    return output.splitlines()[-1]


def disturbed(plan: Plan, folder: Path, seed: int) -> Report:
    """Run a plan to its end. Fails the test where the program fails, or makes no end."""
    run = _Run(plan, folder, seed)
    try:
        return run.report()
    finally:
        run.close()


class _Run:
    def __init__(self, plan: Plan, folder: Path, seed: int) -> None:
        self._plan = plan
        self._random = random.Random(seed)
        self._options = ["--data-dir", str(folder), "--isolation", plan.isolation, "--heartbeat", str(_HEARTBEAT)]
        self._server = ServerProcess(*self._options)
        self._proxy = FaultyProxy(self._server.address, seed, plan.faults, plan.rounds)
        self._program = started(plan.program, self._proxy.url, self._server.token)
        self._watch = threading.Timer(_LIMIT, self._program.send_signal, [signal.SIGABRT])
        self._watch.start()
        events = [name for name, count in plan.events.items() for _ in range(count)]
        self._random.shuffle(events)
        moments = self._random.sample(range(2, plan.steps - 5), len(events))
        self._events = dict(zip(moments, events, strict=True))

    def report(self) -> Report:
        program, happened = self._program, self._proxy.happened
        assert program.stdout is not None and program.stderr is not None
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.append(program.stderr.read()))  # type: ignore[union-attr]
        reader.start()
        lines = []
        for line in program.stdout:
            lines.append(line.strip())
            word, _, number = lines[-1].partition(" ")
            if word == "step":
                self._proxy.calm = False  # only now: connecting for the first time is the user's to repeat
                event = self._events.pop(int(number), None)
                if event is not None:
                    happened[event] += 1
                    getattr(self, event)()
        program.wait()
        reader.join()
        self._proxy.settle()
        assert program.returncode == 0, f"{dict(happened)}\n{lines[-1:]}\n{errors[0][-6000:]}"
        return Report(lines, happened)

    # --- events ------------------------------------------------------------------------------------------------------

    def refuse(self) -> None:
        """The network is gone for a while."""
        self._proxy.refuse(self._random.uniform(0.5, 2.5))

    def freeze(self) -> None:
        """The laptop sleeps, longer than the server waits for a sign of life."""
        self._program.send_signal(signal.SIGSTOP)
        time.sleep(self._random.uniform(1.0, 5.0) * _HEARTBEAT)  # the fault itself, not a synchronisation
        self._program.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """The server is told to stop; its sessions go on with its successor."""
        assert self._server.terminate() == 0
        self._succeed()

    def kill(self) -> None:
        """The server is killed; its sessions are gone."""
        self._proxy.calm = True  # until the program trains again
        self._server.kill()
        self._succeed()

    def _succeed(self) -> None:
        old = self._server
        old.close()
        self._server = ServerProcess(*self._options, "--port", str(old.port), token=old.token)

    def close(self) -> None:
        self._watch.cancel()
        if self._program.poll() is None:
            self._program.kill()
        self._program.wait()
        for pipe in (self._program.stdout, self._program.stderr):
            assert pipe is not None
            pipe.close()
        self._proxy.close()
        self._server.close()
