"""Log lines: text for a terminal or JSON for a machine, each with the request and the session it is about.

Owns: `configure`, the two formats, the request that is being served (a context variable, so that every line written
meanwhile carries its id), `short_id` and `Limiter`. Does not know what is worth a line (`server.events`).

A session's id is a capability: who has it has its values. Lines carry a short digest of it instead, which stays the
same for the session's life and gives nothing of it away.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
import time
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from protocol.errors import OpError

FORMATS: Final = ("text", "json")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:+/{}*-]+")
_REPEATS: Final = 10
_REPEAT_SECONDS: Final = 10.0


@dataclass(slots=True, eq=False)
class Request:
    """An HTTP request or a WebSocket under way. `error` is what it was refused with; sizes are of its bodies."""

    id: str
    session: str | None = None
    error: OpError | None = None
    status: int = 0
    received: int = 0
    sent: int = 0


CURRENT: Final[ContextVar[Request | None]] = ContextVar("telegrad.request", default=None)


def note_error(error: OpError) -> str | None:
    """Remember what the present request is refused with; its id, None outside of requests."""
    request = CURRENT.get()
    if request is None:
        return None
    request.error = error
    return request.id


def short_id(session: str) -> str:
    """A name for a session in logs and status pages that is no secret."""
    return hashlib.sha256(session.encode()).hexdigest()[:8]


def note(log: logging.Logger, level: int, message: str, **fields: Any) -> None:
    """Write a line with `fields` of its own. Those that are None are left out."""
    log.log(level, message, extra={"fields": {k: v for k, v in fields.items() if v is not None}})


def configure(level: str, form: str) -> None:
    """Send all log lines of this process to standard error, in one of `FORMATS`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in ("httpx", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))


def _about(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of a line, the ids first."""
    fields: dict[str, Any] = dict(getattr(record, "fields", ()))
    request = CURRENT.get()
    ids: dict[str, Any] = {}
    if request is not None:
        ids = {"request": request.id, "session": request.session}
    ids |= {k: fields.pop(k) for k in ("request", "session") if k in fields}
    return {k: v for k, v in ids.items() if v is not None} | fields


def _moment(record: logging.LogRecord) -> str:
    text = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_about(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Text(logging.Formatter):
    """The same for eyes: the fields follow the message as name=value. Nothing a client sends can begin a line."""

    def format(self, record: logging.LogRecord) -> str:
        words = [_moment(record), f"{record.levelname:<7}", record.name, _on_one_line(record.getMessage())]
        words += [f"{name}={_quoted(value)}" for name, value in _about(record).items()]
        line = " ".join(words)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _on_one_line(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _quoted(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


class Limiter:
    """Lets a few lines of a kind through in a while, so that nobody can fill a disk by being refused."""

    def __init__(self, repeats: int = _REPEATS, seconds: float = _REPEAT_SECONDS) -> None:
        self._repeats = repeats
        self._seconds = seconds
        self._seen: dict[Any, tuple[float, int]] = {}

    def admit(self, kind: Any, now: float | None = None) -> int | None:
        """Whether a line of `kind` may be written: how many before it were not, or None. Kinds must be few."""
        now = time.monotonic() if now is None else now
        since, count = self._seen.get(kind, (now, 0))
        if now - since >= self._seconds:
            self._seen[kind] = now, 1
            return max(0, count - self._repeats)
        self._seen[kind] = since, count + 1
        return 0 if count < self._repeats else None
