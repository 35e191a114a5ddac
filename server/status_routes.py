"""What the server says of itself: `/v1/status`, and whether it is well.

Owns: what a token may know: its own sessions and quota; with the right `admin`, everyone's. Nobody is told a session's
id: who has that, and the token, has its values.

    GET    /v1/status   /healthz   /readyz
"""

from __future__ import annotations

import time
from typing import Any

from fastapi import FastAPI, Request

import protocol
from protocol import wire
from server.access import Account, account_of
from server.session import Session, Sessions


def add_status_routes(app: FastAPI, sessions: Sessions) -> None:
    """Serve the state of `sessions`."""

    @app.get("/v1/status")
    async def status(request: Request) -> dict[str, Any]:
        account = account_of(request.scope)
        admin = "admin" in account.token.rights
        found = {
            "version": protocol.__version__,
            "protocol": wire.VERSION,
            "uptime": time.time() - sessions.started,
            "devices": [{"name": d.name, **memory_seen(d.memory(), admin)} for d in sessions.devices],
            "limits": _limits(account, sessions),
            "token": _token(account, sessions),
            "sessions": [_session(s, admin) for s in (sessions if admin else sessions.of(account))],
        }
        if admin:
            found["tokens"] = [_token(a, sessions) for a in sessions.access]
        return found

    @app.get("/healthz")
    @app.get("/readyz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}


def memory_seen(memory: dict[str, int], admin: bool) -> dict[str, int]:
    """How much is in use says what others do."""
    return memory if admin else {k: v for k, v in memory.items() if k != "used"}


def _limits(account: Account, sessions: Sessions) -> dict[str, Any]:
    """What the token may use, as far as there are limits."""
    quota, settings = account.quota, sessions.settings
    found = {
        "sessions": min(quota.max_sessions, settings.max_sessions),
        "session_bytes": quota.session_memory,
        "session_ttl": settings.session_ttl,
        "bytes": quota.memory,
        "file_bytes": quota.file_bytes,
        "session_tensors": quota.max_tensors,
        "run_seconds": quota.run_seconds,
    }
    return {k: v for k, v in found.items() if v is not None}


def _token(account: Account, sessions: Sessions) -> dict[str, Any]:
    own = sessions.of(account)
    found = {
        "name": account.name,
        "rights": sorted(account.token.rights),
        "sessions": len(own),
        "bytes": sum(s.host.report["bytes"] for s in own),
    }
    return found if account.quota.memory is None else {**found, "limit": account.quota.memory}


def _session(session: Session, admin: bool) -> dict[str, Any]:
    since = session.detached_at
    found = {
        "age": time.time() - session.created,
        "attached": since is None,
        "detached": None if since is None else time.monotonic() - since,
        **session.host.report,
    }
    return {"token": session.account.name, **found} if admin else found
