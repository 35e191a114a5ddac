"""A server's account of itself as text, for `telegrad status`.

Owns: `status_text`. Takes what `/v1/status` gives; what an older server leaves out is left out here too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from protocol.sizes import format_size


def status_text(url: str, status: dict[str, Any]) -> str:
    """The lines of a status: the server, its devices, its sessions."""
    return "\n".join(_lines(url, status))


def _lines(url: str, status: dict[str, Any]) -> Iterator[str]:
    up = f", up {_duration(status['uptime'])}" if "uptime" in status else ""
    yield f"Telegrad {status.get('version', '?')} at {url}, protocol version {status.get('protocol', '?')}{up}"
    token = status.get("token", {})
    if token.get("name", "default") != "default":
        yield f"seen with the token {token['name']}, whose rights are {', '.join(token.get('rights', ())) or 'none'}"
    yield ""
    yield from _table(["device", "memory in use", "in total"], [_device(d) for d in status.get("devices", ())])
    sessions, limits = status.get("sessions", []), status.get("limits", {})
    tokens = status.get("tokens", [])  # told to administrators
    yield ""
    yield _counted(len(sessions), limits)
    if sessions:
        named = len(tokens) > 1
        header = [*(["token"] if named else []), "age", "attached", "tensors", "in use", "at most", "ops"]
        yield from _table(header, [[*([s.get("token", "-")] if named else []), *_session(s)] for s in sessions])
        used = sum(s.get("bytes", 0) for s in sessions)
        yield f"together {format_size(used)} in use{_allowed(limits)}"
    if len(tokens) > 1:
        yield ""
        yield from _table(["token", "sessions", "in use", "allowed", "rights"], [_token(t) for t in tokens])


def _allowed(limits: dict[str, Any]) -> str:
    return f", of {format_size(limits['bytes'])} allowed" if "bytes" in limits else ""


def _token(token: dict[str, Any]) -> list[str]:
    return [
        str(token.get("name", "?")),
        f"{token.get('sessions', 0):,}",
        *(format_size(token[k]) if k in token else "-" for k in ("bytes", "limit")),
        ", ".join(token.get("rights", ())) or "none",
    ]


def _counted(count: int, limits: dict[str, Any]) -> str:
    text = f"{count or 'no'} session{'' if count == 1 else 's'}"
    if "sessions" in limits:
        text += f", of {limits['sessions']} allowed"
    if "session_bytes" in limits:
        text += f"; each may hold {format_size(limits['session_bytes'])}"
    if "session_ttl" in limits:
        text += f", and is kept for {_duration(limits['session_ttl'])} after it lost its connection"
    return text


def _device(device: dict[str, Any]) -> list[str]:
    return [str(device.get("name", "?")), *(format_size(device[k]) if k in device else "-" for k in ("used", "total"))]


def _session(session: dict[str, Any]) -> list[str]:
    detached = f"no, for {_duration(session['detached'])}" if session.get("detached") is not None else "no"
    return [
        _duration(session["age"]) if "age" in session else "-",
        "yes" if session.get("attached") else detached,
        f"{session.get('tensors', 0):,}",
        *(format_size(session[k]) if k in session else "-" for k in ("bytes", "peak_bytes")),
        f"{session.get('ops', 0):,}",
    ]


def _duration(seconds: float) -> str:
    """The two largest units of a time: `3 h 20 min`."""
    left = int(seconds)
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts or unit == "s":
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
