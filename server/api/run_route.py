"""Runs without a session: one op, or a few items, for whoever wants a result and no state.

Owns: the route and its bounds: how many runs at a time, how long one may take. Each has a session of its own, which is
ended with it.

    POST   /v1/run             items, or one op, in a session of its own
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgpack
from fastapi import FastAPI, Request, Response

from protocol.errors import DeadlineExceededError, InvalidArgumentError, ResourceExhaustedError
from server.access import Account, account_of
from server.api import bodies, models
from server.api.bodies import JSON, MSGPACK, Held
from server.api.document import Format, answers, body_of
from server.api.outcomes import execute
from server.api.problems import HttpError, failed
from server.api.requests import validated
from server.api.tool import tool_of
from server.session import Sessions

MAX_RUN_ITEMS: Final = 64
"""Items of a run."""
MAX_RUNS: Final = 8
"""Runs at a time."""
MAX_WAITING: Final = 64
"""Runs under way, and those that wait for their turn."""
RUN_SECONDS: Final = 60.0
_BOTH: Final = (JSON, MSGPACK)


def add_run_route(app: FastAPI, sessions: Sessions, held: Held) -> None:
    """Serve runs; `held` counts the bytes of their bodies."""
    running = asyncio.Semaphore(MAX_RUNS)
    waiting = 0

    @app.post(
        "/v1/run",
        tags=["run"],
        summary="One op, or a few items, without a session",
        openapi_extra=body_of(models.RunOnce, _BOTH),
        responses=answers(models.RunAnswer, _BOTH),
    )
    async def run(request: Request, format: Format = None) -> Response:
        nonlocal waiting
        kind = bodies.accepted(request, _BOTH)
        with held.bytes(request) as take:
            value, data = await bodies.read_value(request, take)
            several = isinstance(value, dict) and "items" in value
            wanted = validated(models.Execute, value).items if several else [validated(models.Run, value)]
            if len(wanted) > MAX_RUN_ITEMS:
                raise HttpError(400, InvalidArgumentError(f"a run has at most {MAX_RUN_ITEMS} items; make a session"))
            if waiting >= MAX_WAITING:
                raise ResourceExhaustedError(f"{waiting} runs are waiting, and no more can; try again in a moment")
            waiting += 1
            try:
                async with running:
                    found = await _run_once(
                        sessions, account_of(request.scope), wanted, kind,
                        read=not several, large=len(data) > bodies.AT_ONCE,
                    )  # fmt: skip
            finally:
                waiting -= 1
        return Response(found if several else _only_values(found, kind), media_type=kind)


async def _run_once(sessions: Sessions, account: Account, items: list[Any], kind: str, **how: bool) -> bytes:
    """Execute items in a session that is made for them, and ended however they end."""
    session = sessions.create(account, evict=False)
    try:
        async with asyncio.timeout(RUN_SECONDS):
            return await execute(tool_of(sessions, session), items, session.shelf, kind, **how)
    except TimeoutError:
        error = DeadlineExceededError(f"the run took more than {RUN_SECONDS:.0f} s; make a session")
        raise HttpError(504, error) from None
    finally:
        sessions.end(session, "its run is over")


def _only_values(found: bytes, kind: str) -> bytes:
    """The answer to one op: its results."""
    (outcome,) = (bodies.decode_json(found) if kind == JSON else msgpack.unpackb(found))["items"]
    if "error" in outcome:
        raise failed(outcome["error"])
    return bodies.encode({"values": outcome["values"]}, kind)
