"""Who may talk to the server: token, Host and Origin, checked before any route, for HTTP and WebSocket alike.

Owns: `Guard`, an ASGI middleware, and problem details, the one shape of HTTP errors. Does not know sessions, nor what
tokens there are (`server.access`).

A web page can open a WebSocket, or post a form, to a server on localhost, and can point its own host name there (DNS
rebinding): so a request with an Origin that was not allowed is refused, and on loopback also one whose Host is not a
loopback name.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any, Final

from protocol.errors import InvalidArgumentError, OpError, PermissionDeniedError, SequenceGapError, UnauthenticatedError
from server.access import ACCOUNT, Access
from server.logs import note_error
from server.settings import Settings
from server.socket_protocol import CONNECTION
from server.throttle import Throttle

log = logging.getLogger("telegrad.security")

_OPEN_PATHS: Final = frozenset(("/healthz", "/readyz", "/docs", "/openapi.json"))
_ADMIN_PATHS: Final = frozenset(("/metrics",))
_ONCE: Final = frozenset(
    (b"host", b"origin", b"authorization", b"content-encoding", b"content-type", b"content-range", b"idempotency-key")
)
"""Headers that a request has once at most: of two, another program in front of this one may have read the other."""
_LOOPBACK_HOST: Final = re.compile(r"localhost|127(\.\d{1,3}){3}|\[::1\]|testserver", re.IGNORECASE)

STATUS: Final = {1: 409, 3: 400, 5: 404, 7: 403, 8: 507, 9: 400, 12: 501, 16: 401, 64: 404, 65: 400}
"""HTTP status by error code; others are 500, and what a new connection mends (`SequenceGapError`) is 409."""


def problem(error: OpError) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the problem-details body (RFC 9457) for an error."""
    status = 409 if isinstance(error, SequenceGapError) else STATUS.get(error.error_code, 500)
    body = {
        "type": "about:blank",
        "title": type(error).__name__,
        "status": status,
        "detail": error.message,
        "code": error.error_code,
    }
    request = note_error(error)
    return status, body if request is None else {**body, "request_id": request}


class Guard:
    """Refuses what has no right to be here; passes on the rest, with its account in the scope."""

    def __init__(self, app: Any, settings: Settings, access: Access, throttle: Throttle | None = None) -> None:
        self.app = app
        self.settings = settings
        self.access = access
        self._throttle = throttle or Throttle()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one connection scope."""
        if scope["type"] in ("http", "websocket"):
            headers = dict(scope["headers"])
            error = _ambiguous(scope["headers"]) or self._foreign(headers)
            if error is None and scope["path"] not in _OPEN_PATHS:
                error = await self._admit(scope, headers)
            if error is not None:
                await refuse(scope, send, error)
                return
            if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"", b"identity"):
                await refuse(scope, send, InvalidArgumentError("bodies are taken as they are, without encoding"), 415)
                return
        await self.app(scope, receive, send)

    def _foreign(self, headers: dict[bytes, bytes]) -> OpError | None:
        settings = self.settings
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1") not in settings.allowed_origins:
            return PermissionDeniedError("requests from this web origin are not allowed (--allow-origin)")
        if settings.loopback and settings.uds is None:
            host = headers.get(b"host", b"").decode("latin-1")
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            if _LOOPBACK_HOST.fullmatch(name) is None:  # 127.example.org is a name like any other
                return PermissionDeniedError(f"the Host {name!r} is not this server's")
        return None

    async def _admit(self, scope: Any, headers: dict[bytes, bytes]) -> OpError | None:
        """Put the account of the token in the scope, or say why there is none."""
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        presented = given.strip() if scheme.lower() == b"bearer" else None
        account = self.access.account(presented)
        if account is None:
            if presented:
                await self._hold_back(scope)
            return UnauthenticatedError("a valid token is needed: Authorization: Bearer ...")
        if scope["path"] in _ADMIN_PATHS and "admin" not in account.token.rights:
            return PermissionDeniedError(f"{scope['path']} needs a token with the right admin")
        scope[ACCOUNT] = account
        if (connection := scope.get(CONNECTION)) is not None:
            connection.known = True
        return None

    async def _hold_back(self, scope: Any) -> None:
        """Wait, if many wrong tokens have come from where this one did."""
        address = (scope.get("client") or ("a local socket",))[0]
        count, delay = self._throttle.wrong(address)
        if count & (count - 1) == 0:  # 1, 2, 4, 8, ...: a flood of them must not become a flood of lines
            log.warning("a wrong token from %s, the %d. lately", address, count)
        if delay:
            with self._throttle:
                await asyncio.sleep(delay)


def _ambiguous(headers: list[tuple[bytes, bytes]]) -> OpError | None:
    names = [name for name, _ in headers if name in _ONCE]
    if len(names) == len(set(names)):
        return None
    return InvalidArgumentError(f"a request has one {max(names, key=names.count).decode()}, not several")


async def refuse(scope: Any, send: Any, error: OpError, status: int | None = None) -> None:
    """Answer with problem details; a WebSocket handshake too, where the server can. `status`: another than usual."""
    usual, body = problem(error)
    status = status or usual
    body["status"] = status
    prefix = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.message[:100]})
        return
    headers = [(b"content-type", b"application/problem+json")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": f"{prefix}.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}.body", "body": json.dumps(body).encode()})
