"""`python -m benchmarks.load_worker`: many sessions in one process, told by lines of JSON what to do.

Owns: what the sessions do (small ops, steps of training, uploads, downloads), each with a result that is known and
checked. Does not know servers' settings or how many such processes there are (`benchmarks.load`).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
import numpy as np

from benchmarks.wire_session import LoadError, WireSession
from protocol.dtypes import float32
from protocol.wire import Item

_ONE: Final = np.ones((), np.float32)
_BURST: Final = 50
_POINTS: Final = 256
_LARGE: Final = (512, 1024)  # 2 MiB, past what travels in the stream
_RATE: Final = np.full((), 0.1, np.float32)


class Program:
    """What one session does, an action at a time, in the order that its random numbers say."""

    def __init__(self, session: WireSession, seed: int) -> None:
        self._session = session
        self._random = random.Random(seed)
        rng = np.random.default_rng(seed)
        self._seed = seed
        self._features = rng.random((_POINTS, 4), np.float32)
        self._total = 0
        self._loss = np.inf
        self._count = self._variable = self._x = self._y = 0
        self.actions: dict[str, tuple[float, Callable[[], Awaitable[None]]]] = {
            "small": (0.55, self.small), "burst": (0.2, self.burst), "train": (0.17, self.train),
            "upload": (0.04, self.upload), "download": (0.04, self.download),
        }  # fmt: skip

    async def start(self) -> None:
        """Make what the actions use."""
        session = self._session
        self._count, self._variable, self._x, self._y = (session.id() for _ in range(4))
        session.item(Item.CONST, self._count, np.zeros((), np.float32))
        session.item(Item.VARIABLE, self._variable, np.zeros((4, 1), np.float32))
        session.item(Item.CONST, self._x, self._features)
        session.item(Item.CONST, self._y, self._features @ np.array([[1], [2], [3], [4]], np.float32))
        self._expect(float(await session.read(self._count)), 0.0)

    def kinds(self) -> list[str]:
        """All actions' names, in an order of its own."""
        return self._random.sample(list(self.actions), len(self.actions))

    def pick(self) -> str:
        """The next action's name."""
        return self._random.choices(list(self.actions), [weight for weight, _ in self.actions.values()])[0]

    @staticmethod
    def _expect(found: float, expected: float) -> None:
        if found != expected:
            raise LoadError(f"{found} where {expected} was expected")

    async def small(self) -> None:
        """One addition, and a read."""
        await self._add(1)

    async def burst(self) -> None:
        """Many additions, and a read."""
        await self._add(_BURST)

    async def _add(self, times: int) -> None:
        for _ in range(times):
            before, self._count = self._count, self._session.run("add", self._count, _ONE)
            self._session.item(Item.RELEASE, (before,))
        self._total += times
        self._expect(float(await self._session.read(self._count)), float(self._total))

    async def train(self) -> None:
        """A step of linear regression, and a look at the loss, which falls."""
        session = self._session
        tape, gradient = session.id(), session.id()
        session.item(Item.TAPE, tape)
        tapes = (tape,)
        product = session.run("matmul", self._x, self._variable, tapes=tapes)
        error = session.run("subtract", product, self._y, tapes=tapes)
        square = session.run("square", error, tapes=tapes)
        loss = session.run("reduce_mean", square, tapes=tapes)
        session.item(Item.GRADIENT, tape, (loss,), (self._variable,), (gradient,))
        step = session.run("multiply", gradient, _RATE)
        session.run("assign_sub", self._variable, step, out=0)
        found = float(await session.read(loss))
        session.item(Item.RELEASE, (tape, product, error, square, loss, gradient, step))
        if not found <= self._loss * 1.0001:
            raise LoadError(f"the loss rose from {self._loss} to {found}")
        self._loss = found

    async def upload(self) -> None:
        """A large value there, and its sum back."""
        value = self._random.randrange(1, 8)
        tensor = await self._session.upload(np.full(_LARGE, value, np.float32), float32)
        total = self._session.run("reduce_sum", tensor)
        found = float(await self._session.read(total))
        self._session.item(Item.RELEASE, (tensor, total))
        self._expect(found, float(value * _LARGE[0] * _LARGE[1]))

    async def download(self) -> None:
        """A large value made there and read."""
        session = self._session
        column = np.arange(_LARGE[0], dtype=np.float32)[:, None]
        row = np.full((1, _LARGE[1]), self._seed % 1000, np.float32)
        tensor = session.run("add", column, row)
        found = await session.read(tensor)
        session.item(Item.RELEASE, (tensor,))
        if not np.array_equal(found, column + row):
            raise LoadError("a large value came back other than it is")


class Crowd:
    """The sessions of this process, and what they saw."""

    def __init__(self, url: str, token: str) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=120, limits=limits, trust_env=False)
        self._programs: list[tuple[WireSession, Program]] = []
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []

    async def open(self, first: int, count: int) -> None:
        """Open sessions, numbered from `first`."""
        for number in range(first, first + count):
            session = await WireSession.open(self._http)
            program = Program(session, number)
            await program.start()
            self._programs.append((session, program))

    async def run(self, seconds: float, actions: int, pause: float) -> None:
        """Let all of them act until `seconds` have passed, or each has acted so many times. Between two actions one
        waits about `pause` seconds.
        """
        end = time.perf_counter() + seconds
        await asyncio.gather(*(self._act(program, end, actions, pause) for _, program in self._programs))

    async def _act(self, program: Program, end: float, actions: int, pause: float) -> None:
        names = program.kinds()
        try:
            for turn in range(actions):
                if time.perf_counter() >= end:
                    return
                name = names[turn] if turn < len(names) else program.pick()  # each kind once at least
                start = time.perf_counter()
                await program.actions[name][1]()
                self.seconds[name].append(time.perf_counter() - start)
                if pause:
                    await asyncio.sleep(random.uniform(0.5, 1.5) * pause)
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    async def close(self) -> None:
        """Leave."""
        for session, _ in self._programs:
            try:
                await session.close()
            except Exception as error:
                self.errors.append(f"{type(error).__name__}: {error}")
        await self._http.aclose()


def main() -> None:
    """Do what the lines say until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(what: Any) -> None:
        print(json.dumps(what), file=answers, flush=True)

    answer("ready")
    with asyncio.Runner() as runner:
        crowd: Crowd | None = None
        for line in sys.stdin:
            what, arguments = json.loads(line)
            if what == "open":
                crowd = Crowd(arguments.pop("url"), arguments.pop("token"))
            assert crowd is not None
            try:
                runner.run(getattr(crowd, what)(**arguments))
            except Exception as error:
                crowd.errors.append(f"{type(error).__name__}: {error}")
            answer({"seconds": crowd.seconds if what == "run" else {}, "errors": crowd.errors})


if __name__ == "__main__":
    main()
