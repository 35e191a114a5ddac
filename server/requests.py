"""Every request has an id, is counted, and gets an answer.

Owns: `Requests`, the outermost ASGI middleware: `X-Request-ID` in and out, what a request took, and the answer to an
exception that nobody caught. Does not know routes: it looks at which one was taken when the request is over. Paths are
never logged, since they hold sessions' ids; routes' templates are.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from protocol.errors import InternalError
from server.events import Events
from server.http_protocol import BODY
from server.logs import CURRENT, Request, short_id
from server.security import problem
from server.sinks import Sink

log = logging.getLogger("telegrad.request")

_HEADER: Final = b"x-request-id"
_WELL_FORMED: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SESSION: Final = re.compile(r"/v1/sessions/([^/]+)(/.*)?")
_METHODS: Final = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))
_STARTS: Final = frozenset(("http.response.start", "websocket.http.response.start", "websocket.accept"))
_BODIES: Final = frozenset(("http.response.body", "websocket.http.response.body"))
_FRAMES: Final = ("/frames", "/connections", "/stream")
_PAYLOADS: Final = ("/uploads/", "/reads/")
NO_ROUTE: Final = "none"
_GONE: Final = 499
"""The status of a request whose client went before there was one."""


class Requests:
    """Wraps the application and its other middleware."""

    def __init__(self, app: Any, events: Events) -> None:
        self.app = app
        self._events = events

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection scope."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        session = _SESSION.fullmatch(scope["path"])
        request = Request(_identifier(scope["headers"]), short_id(session[1]) if session else None)
        started = time.perf_counter()
        before = CURRENT.set(request)
        answer = _counting_send(request, send)
        try:
            if scope["type"] == "http":
                _count_body(request, scope)
                await self._serve(request, scope, _counting_receive(request, receive), answer)
            else:
                await self.app(scope, receive, answer)
        finally:
            self._over(request, scope, time.perf_counter() - started)
            CURRENT.reset(before)

    async def _serve(self, request: Request, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            log.exception("exception in a request", extra={"fields": {"route": _route(scope)}})
            if request.status:
                raise  # half an answer is out: the connection has to be cut
            status, body = problem(
                InternalError(f"{type(error).__name__} in the server: its log has request {request.id}")
            )
            headers = [(b"content-type", b"application/problem+json")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    def _over(self, request: Request, scope: Any, seconds: float) -> None:
        request.status = request.status or _GONE
        match = _SESSION.fullmatch(scope["path"])
        below = match[2] or "" if match else ""
        if below not in _FRAMES:  # which are counted by their session
            traffic = self._events.traffic["payload" if below.startswith(_PAYLOADS) else "api"]
            traffic.received += request.received
            traffic.sent += request.sent
        method = scope.get("method", "GET")
        peer = (scope.get("client") or (None,))[0]
        self._events.request(request, method if method in _METHODS else "other", _route(scope), peer, seconds)


def _identifier(headers: list[tuple[bytes, bytes]]) -> str:
    """The id that the request brings along, if it is well-formed, or a new one."""
    for name, value in headers:
        if name == _HEADER and _WELL_FORMED.fullmatch(value):
            return value.decode()
    return secrets.token_hex(8)


def _route(scope: Any) -> str:
    """The template of the route taken: there are as many as the application has."""
    return getattr(scope.get("route"), "path", None) or NO_ROUTE


def _counting_send(request: Request, send: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    async def counted(message: Any) -> None:
        kind = message["type"]
        if kind in _STARTS:
            request.status = message.get("status", 101)
            message = {**message, "headers": [*message.get("headers", ()), (_HEADER, request.id.encode())]}
        elif kind in _BODIES:
            request.sent += len(message.get("body", b""))
        elif kind == "websocket.close" and not request.status:
            request.status = 403  # what the server answers to a handshake that is closed before it was accepted
        await send(message)

    return counted


def _counting_receive(request: Request, receive: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    async def counted() -> Any:
        message = await receive()
        if message["type"] == "http.request":
            request.received += len(message.get("body", b""))
        return message

    return counted


def _count_body(request: Request, scope: Any) -> None:
    """Count what is read past `receive`, straight into memory."""
    read = scope.get(BODY)
    if read is None:
        return

    async def counted(sink: Sink) -> None:
        wanted = sink.left
        try:
            await read(sink)
        finally:
            request.received += wanted - sink.left

    scope[BODY] = counted
