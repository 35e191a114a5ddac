"""The FastAPI application: routes over sessions, frames and payloads. Those of files are in `server.file_routes`, those
of the server's state in `server.status_routes`, those for other tools in `server.api`.

Owns: paths, status codes and content types. Does not know what frames hold or how ops run.

    POST   /v1/sessions                          a new session: {"session": id}
    DELETE /v1/sessions/{id}                     end it
    WS     /v1/sessions/{id}/stream              frames as binary messages
    POST   /v1/sessions/{id}/connections         the same over HTTP: HELLO in, WELCOME out
    POST   /v1/sessions/{id}/frames?attachment=  frames in
    GET    /v1/sessions/{id}/frames?attachment=  frames out, a long poll
    PUT    /v1/sessions/{id}/uploads/{upload}    bytes of a large value (Content-Range)
    GET    /v1/sessions/{id}/uploads/{upload}    how many of them are there
    GET    /v1/sessions/{id}/reads/{read}        bytes of a large value (Range)
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI, Request, Response, WebSocket
from starlette.requests import ClientDisconnect

import protocol
from protocol.errors import AbortedError, InvalidArgumentError, NotFoundError, ProtocolError
from protocol.wire import MAX_FRAME
from server import connections
from server.access import Access, account_of
from server.api import add_tool_routes
from server.api.bodies import Held
from server.api.document import binary
from server.api.problems import add_problem_handlers
from server.devices import Device
from server.file_routes import add_file_routes
from server.hosting import Hosting
from server.http_protocol import body_reader
from server.metrics import Metrics, add_metrics_routes
from server.named import Named
from server.nursery import Nursery
from server.requests import Requests
from server.security import Guard
from server.session import Sessions
from server.settings import Settings
from server.sinks import pour
from server.socket_protocol import CONNECTION
from server.status_routes import add_status_routes

_FRAMES: Final = "application/vnd.telegrad.frames"
_READ_WAIT: Final = 600.0
_MAX_BODY: Final = 4 * MAX_FRAME
_MAX_NUMBER: Final = 2**63 - 1
_RANGE: Final = re.compile(r"bytes=(\d{1,18})-")
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


def create_app(settings: Settings, devices: list[Device], nursery: Nursery | None = None) -> FastAPI:
    """The application that serves `devices`, with the nursery's processes for sessions, or threads without one."""
    access = Access(settings)
    sessions = Sessions(settings, Hosting(settings, devices, nursery), access)
    metrics = Metrics(sessions)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        access.start()
        sessions.start()
        metrics.start()
        sessions.events.server("starts", version=protocol.__version__, devices=",".join(d.name for d in devices))
        yield
        sessions.events.server("stops", sessions=len(sessions))
        metrics.stop()
        access.stop()
        await sessions.stop()

    app = FastAPI(
        title="Telegrad", version=protocol.__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    app.state.sessions = sessions
    app.add_middleware(Guard, settings=settings, access=access)
    app.add_middleware(Requests, events=sessions.events)  # the last one added is the outermost
    add_problem_handlers(app)
    app.add_exception_handler(ClientDisconnect, _nobody)
    held = Held()
    _add_session_routes(app, sessions)
    _add_frame_routes(app, sessions, held)
    _add_payload_routes(app, sessions)
    add_file_routes(app, held)
    add_status_routes(app, sessions)
    add_metrics_routes(app, metrics)
    add_tool_routes(app, sessions, held)
    return app


async def _nobody(_: Request, error: Exception) -> Response:
    """The client went in the middle of its request: nobody reads this answer, and nothing is wrong here."""
    return Response(status_code=400)


def _add_session_routes(app: FastAPI, sessions: Sessions) -> None:
    @app.post("/v1/sessions", status_code=201)
    async def create_session(request: Request) -> dict[str, Any]:
        return {"session": sessions.create(account_of(request.scope)).id}

    @app.delete("/v1/sessions/{identifier}", status_code=204)
    async def delete_session(session: Named) -> None:
        sessions.end(session, "deleted")

    @app.websocket("/v1/sessions/{identifier}/stream")
    async def stream(socket: WebSocket, identifier: str) -> None:
        await connections.serve_websocket(socket, sessions, identifier)


def _add_frame_routes(app: FastAPI, sessions: Sessions, held: Held) -> None:
    @app.post("/v1/sessions/{identifier}/connections", responses=binary(_FRAMES))
    async def connect(request: Request, session: Named) -> Response:
        with held.bytes(request) as take:
            connection, attachment = connections.attach_http(session, await _body(request, take))
        content = await connection.poll(0.0)
        return Response(content, media_type=_FRAMES, headers={"x-attachment": str(attachment)})

    @app.post("/v1/sessions/{identifier}/frames", status_code=204)
    async def send_frames(request: Request, session: Named, attachment: int) -> Response:
        with held.bytes(request) as take:
            body = await _body(request, take)
            connections.attached(session, attachment)
            connections.receive_http(sessions, session, body)
        return Response(status_code=204)

    @app.get("/v1/sessions/{identifier}/frames", responses=binary(_FRAMES))
    async def poll_frames(session: Named, attachment: int, wait: float = 20.0, poll: int | None = None) -> Response:
        connection = connections.attached(session, attachment)
        wait = min(wait, 60.0) if wait > 0 else 0.0
        content = await (connection.poll(wait) if poll is None else connection.answer(poll, wait))
        return Response(content, media_type=_FRAMES)


async def _body(request: Request, take: Callable[[int], None]) -> bytes:
    """The request's body, whose bytes `take` counts; refused as soon as it is over the limit."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _MAX_BODY:
            raise ProtocolError(f"a body of frames is over the limit of {_MAX_BODY} bytes")
        take(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


def _add_payload_routes(app: FastAPI, sessions: Sessions) -> None:
    @app.put("/v1/sessions/{identifier}/uploads/{upload}")
    async def put_upload(request: Request, response: Response, session: Named, upload: int) -> dict[str, int]:
        match = _CONTENT_RANGE.fullmatch(request.headers.get("content-range", ""))
        if match is None:
            raise InvalidArgumentError("an upload needs Content-Range: bytes first-last/total")
        offset, last, total = map(int, match.groups())
        if not 0 <= upload <= _MAX_NUMBER:
            raise InvalidArgumentError(f"{upload!r:.30} is no upload")
        target = session.payloads.open(upload, total)
        if target is None:
            return {"received": total}
        sink = target.sink(offset, last + 1)
        read_body = body_reader(request.scope)
        try:
            if read_body is not None and request.headers.get("content-length") == str(sink.left):
                response.headers["connection"] = "close"
                await read_body(sink)
            else:
                async for chunk in request.stream():
                    if len(chunk) > sink.left:
                        raise InvalidArgumentError(f"more bytes than the {match[0]!r} announced")
                    await pour(sink, chunk)
        finally:
            sink.close()
        return {"received": target.received}

    @app.get("/v1/sessions/{identifier}/uploads/{upload}")
    async def get_upload(session: Named, upload: int) -> dict[str, int]:
        return {"received": session.payloads.received(upload)}

    @app.get("/v1/sessions/{identifier}/reads/{read}", responses=binary("application/octet-stream", 206))
    async def get_read(request: Request, session: Named, read: int, wait: float = _READ_WAIT) -> Response:
        try:
            pinned = await session.payloads.get(read, min(wait, _READ_WAIT) if wait > 0 else 0.0)
        except TimeoutError:
            return Response(status_code=204)
        if pinned is None:
            raise NotFoundError(f"read {read} has no value to fetch")
        size = pinned.nbytes
        start = _range_start(request, size)
        headers = {"content-length": str(size - start), "accept-ranges": "bytes"}
        if start:
            headers["content-range"] = f"bytes {start}-{size - 1}/{size}"
        return _Bytes(pinned.pieces(start), 206 if start else 200, headers)


def _range_start(request: Request, size: int) -> int:
    text = request.headers.get("range")
    if text is None:
        return 0
    match = _RANGE.fullmatch(text)
    if match is None or int(match[1]) > size:
        raise InvalidArgumentError(f"the range {text!r} is none of bytes=first- within {size} bytes")
    return int(match[1])


class _Bytes(Response):
    """A body that is sent a few pieces at a time, as they come. When they end early, so does the connection."""

    def __init__(self, pieces: AsyncIterator[memoryview | bytes], status_code: int, headers: dict[str, str]) -> None:
        super().__init__(status_code=status_code, headers=headers, media_type="application/octet-stream")
        self._pieces = pieces

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async with aclosing(self._pieces) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except AbortedError:
            connection = scope.get(CONNECTION)
            if connection is not None:
                connection.end()
                await receive()  # that it is gone
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})
