"""What HTTP requests do with a session: execute items, and put, get and delete tensors.

Owns: paths, bodies and statuses. Does not know what items are (`server.api.draft`) or how they run
(`server.api.outcomes`).

    POST   /v1/sessions/{id}/execute                   items, executed in order, and what became of them
    GET    /v1/sessions/{id}/tensors                   what the session's names and ids stand for
    PUT    /v1/sessions/{id}/tensors/{name-or-id}      a tensor, or a variable's next value
    GET    /v1/sessions/{id}/tensors/{name-or-id}      a value
    DELETE /v1/sessions/{id}/tensors/{name-or-id}      forget it: 204
"""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import Annotated, Any, Final

import msgpack
from fastapi import FastAPI, Path, Query, Request, Response
from pydantic import TypeAdapter

from protocol.errors import (
    InvalidArgumentError,
)  # fmt: skip
from server.api import bodies, models, values
from server.api.bodies import JSON, MSGPACK, NPY, Held
from server.api.document import Format, answers, body_of
from server.api.drafting import Put
from server.api.outcomes import execute
from server.api.problems import HttpError, failed
from server.api.requests import validated
from server.api.tensors import Incoming, get_tensor, receive_npy
from server.api.tool import Tool, tool_of
from server.named import Named
from server.published import Shelf
from server.session import Sessions

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_BOTH: Final = (JSON, MSGPACK)
_ALL: Final = (JSON, MSGPACK, NPY)
_REFERENCE: Final = TypeAdapter(models.Reference)

Reference = Annotated[
    str, Path(max_length=200, description="A name that a request gave, or an id that an answer told.")
]


def add_session_routes(app: FastAPI, sessions: Sessions, held: Held) -> None:
    """Serve `sessions` to HTTP requests; `held` counts the bytes of their bodies."""
    _add_execute(app, sessions, held)
    _add_tensors(app, sessions, held)


def _key(request: Request) -> str | None:
    found = request.headers.get("idempotency-key")
    if found is not None and not _KEY.fullmatch(found):
        raise InvalidArgumentError("an Idempotency-Key is 1 to 255 visible ASCII characters")
    return found


def _add_execute(app: FastAPI, sessions: Sessions, held: Held) -> None:
    @app.post(
        "/v1/sessions/{identifier}/execute",
        tags=["sessions"],
        summary="Execute items in order",
        openapi_extra=body_of(models.Execute, _BOTH, idempotent=True),
        responses=answers(models.Outcomes, _BOTH),
    )
    async def execute_items(request: Request, session: Named, format: Format = None) -> Response:
        kind = bodies.accepted(request, _BOTH)
        key = _key(request)
        tool = tool_of(sessions, session)
        with held.bytes(request) as take:
            value, data = await bodies.read_value(request, take)
            items = validated(models.Execute, value).items
            large = len(data) > bodies.AT_ONCE
            work = partial(execute, tool, items, session.shelf, kind, large=large)
            found = await tool.once(key, kind.encode() + data, work)
        return Response(found, media_type=kind)


def _add_tensors(app: FastAPI, sessions: Sessions, held: Held) -> None:
    path = "/v1/sessions/{identifier}/tensors/{reference:path}"

    @app.get(
        "/v1/sessions/{identifier}/tensors",
        tags=["sessions"],
        summary="What names and ids stand for",
        responses=answers(models.TensorList, _BOTH),
    )
    async def list_tensors(
        request: Request,
        session: Named,
        after: Annotated[int, Query(ge=0, description="Only ids beyond this one.")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
        format: Format = None,
    ) -> Response:
        kind = bodies.accepted(request, _BOTH)
        book = tool_of(sessions, session).book
        wanted = sorted(i for i in book.entries if i > after)[:limit]
        return bodies.answer({"tensors": [_listed(book.entries[i]) for i in wanted]}, kind)

    @app.put(
        path,
        tags=["sessions"],
        summary="A tensor, or a variable's next value",
        openapi_extra=body_of(models.Tensor, _ALL),
        responses=answers(models.Output, _BOTH) | {201: answers(models.Output, _BOTH)[200]},
    )
    async def put_tensor(
        request: Request,
        session: Named,
        reference: Reference,
        variable: Annotated[bool, Query(description="Make a variable of what is not there yet.")] = False,
        device: Annotated[str | None, Query(max_length=100)] = None,
        format: Format = None,
    ) -> Response:
        kind = bodies.accepted(request, _BOTH)
        tool = tool_of(sessions, session)
        validated(_REFERENCE, reference)
        with held.bytes(request) as take:
            incoming = await _incoming(request, tool, reference, take)
            put = Put(reference, incoming.source, variable, device)
            there, outputs = await _put(tool, session.shelf, incoming, put)
        return bodies.answer(outputs, kind, 200 if there else 201)

    @app.get(path, tags=["sessions"], summary="A value", responses=answers(models.Tensor, _ALL))
    async def get_value(request: Request, session: Named, reference: Reference, format: Format = None) -> Response:
        kind = bodies.accepted(request, _ALL)
        return await get_tensor(tool_of(sessions, session), reference, kind)

    @app.delete(path, tags=["sessions"], summary="Forget a tensor", status_code=204)
    async def delete_tensor(session: Named, reference: Reference) -> None:
        tool = tool_of(sessions, session)
        tool.book.find(reference)
        await execute(tool, [models.Release(kind="release", tensors=[reference])], session.shelf, JSON)


def _listed(entry: Any) -> dict[str, Any]:
    found = {"id": str(entry.id), "name": entry.name, "kind": entry.kind}
    if entry.spec is not None:
        found["dtype"] = entry.spec.dtype.name
        found["shape"] = None if entry.spec.shape is None else list(entry.spec.shape)
    return found if entry.error is None else {**found, "error": entry.error}


async def _incoming(request: Request, tool: Tool, reference: str, take: Any) -> Incoming:
    """The tensor in a request's body. Without a dtype it takes that of the variable it is for."""
    if bodies.media_type(request, _ALL) == NPY:
        return await receive_npy(request, tool, take)
    value, _ = await bodies.read_value(request, take)
    given = values.literal(value)
    old = tool.book.find(reference) if tool.book.has(reference) else None
    dtype = old.spec.dtype if old is not None and old.kind == "variable" and old.spec is not None else None
    return Incoming(await asyncio.to_thread(given.like, dtype))


async def _put(tool: Tool, shelf: Shelf, incoming: Incoming, put: Put) -> tuple[bool, Any]:
    """Whether something had the name, and what has it now."""
    there = tool.book.has(put.reference)
    try:
        found = await execute(tool, [put], shelf, MSGPACK)
    except HttpError as error:  # refused before anything was sent
        await incoming.abandon(tool)
        raise HttpError(error.status, error.error) from error
    (outcome,) = msgpack.unpackb(found)["items"]
    if "error" in outcome:
        raise failed(outcome["error"])
    return there, outcome["outputs"][0]
