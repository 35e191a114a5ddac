"""What happens on a server: counted for `/metrics`, and written to the log.

Owns: `Events`, told of sessions' starts and ends, of requests and of errors, and the counters that grow by it; and
which event is worth a line, at which level. Does not know what the figures look like outside (`server.metrics`), nor
how a line does (`server.logs`). Lives on the event loop alone.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from server.logs import Limiter, Request, note
from server.tally import Ended

if TYPE_CHECKING:
    from server.session import Session

server_log = logging.getLogger("telegrad.server")
log = logging.getLogger("telegrad.session")
access = logging.getLogger("telegrad.access")

CARRIERS: Final = ("websocket", "http", "payload", "api")
"""How bytes travel: frames as WebSocket messages or in HTTP bodies, large values, all other bodies."""
REASONS: Final = {
    "deleted": "deleted",
    "the client left": "left",
    "evicted for a newer session": "evicted",
    "its lease ran out": "lease",
    "the server stops": "stop",
}
"""Why a session ended, in a word."""
BROKEN: Final = "broken"
OTHER: Final = "other"

_FAULTS: Final = frozenset((2, 13, 15))  # unknown, internal, data lost: somebody has to look
_REFUSALS: Final = frozenset((7, 8, 16, 65))  # no right, no room, no token, rules broken
_LEVELS: Final = dict.fromkeys(_REFUSALS, logging.WARNING) | dict.fromkeys(_FAULTS, logging.ERROR)


class Traffic:
    """What went one way and the other by one carrier."""

    __slots__ = ("frames_in", "frames_out", "received", "sent")

    def __init__(self) -> None:
        self.received = self.sent = self.frames_in = self.frames_out = 0


class Events:
    """The counters of one server. access_log: write a line for every request."""

    def __init__(self, access_log: bool = False) -> None:
        self._access_log = access_log
        self._limiter = Limiter()
        self.traffic = {carrier: Traffic() for carrier in CARRIERS}
        self.starts = 0
        self.ends: Counter[str] = Counter(dict.fromkeys((*REASONS.values(), BROKEN), 0))
        self.attachments: Counter[str] = Counter()
        self.pauses = 0
        self.errors: Counter[tuple[str, int]] = Counter()
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.ended = Ended()

    def server(self, what: str, **fields: Any) -> None:
        """The server starts, or stops."""
        note(server_log, logging.INFO, f"server {what}", **fields)

    # --- sessions ----------------------------------------------------------------------------------------------------

    def session_started(self, session: Session) -> None:
        """A session was made."""
        self.starts += 1
        note(log, logging.INFO, "session starts", session=session.label)

    def session_ended(self, session: Session, reason: str) -> None:
        """It is over, for a reason or, where it is broken, for that."""
        error = session.broken
        self.ends[REASONS.get(reason, OTHER) if error is None else BROKEN] += 1
        self.ended.add(session.host, time.monotonic())
        if error is not None:
            self.errors["session", error.error_code] += 1
        report = session.host.report
        note(
            log,
            logging.INFO if error is None else _LEVELS.get(error.error_code, logging.WARNING),
            "session ends",
            session=session.label,
            reason=reason if error is None else BROKEN,
            code=None if error is None else error.error_code,
            error=None if error is None else error.message,
            seconds=round(time.time() - session.created, 3),
            ops=report.get("ops"),
            tensors=report.get("tensors"),
            peak_bytes=report.get("peak_bytes"),
        )

    def attached(self, session: Session, carrier: str, number: int) -> None:
        """A connection is the session's now, the first or a later one."""
        self.attachments[carrier] += 1
        level = logging.DEBUG if number == 1 else logging.INFO
        note(log, level, "session is attached", session=session.label, carrier=carrier, attachment=number)

    def detached(self, session: Session, silent: float | None = None) -> None:
        """Its connection is gone, given up after so many seconds of silence or lost."""
        fields: dict[str, Any] = {"session": session.label}
        if silent is not None:
            fields["silent_seconds"] = round(silent, 1)
        note(log, logging.INFO, "session lost its connection", **fields)

    def paused(self, session: Session) -> None:
        """Its client does not take the replies it asked for."""
        self.pauses += 1
        self._limited("paused", log, logging.WARNING, "session waits for its client to read", session=session.label)

    # --- requests ----------------------------------------------------------------------------------------------------

    def request(self, request: Request, method: str, route: str, peer: str | None, seconds: float) -> None:
        """A request was answered, or a WebSocket is over."""
        self.requests[method, route, request.status] += 1
        about: dict[str, Any] = {"method": method, "route": route, "status": request.status, "peer": peer}
        error = request.error
        if error is not None:
            self.errors["request", error.error_code] += 1
            level = _LEVELS.get(error.error_code, logging.DEBUG)
            about |= {"code": error.error_code, "error": error.message}
            what = "request failed" if level == logging.ERROR else "request refused"
            self._limited((what, error.error_code), access, level, what, **about)
        if self._access_log:
            note(
                access, logging.INFO, "request", **about, milliseconds=round(1e3 * seconds, 3),
                bytes_in=request.received or None, bytes_out=request.sent or None,
            )  # fmt: skip

    def _limited(self, kind: Any, logger: logging.Logger, level: int, message: str, **fields: Any) -> None:
        left_out = self._limiter.admit(kind)
        if left_out is not None:
            note(logger, level, message, **fields, left_out=left_out or None)
