"""`tf.profile`: where a program's time goes.

Owns: `Profile`, when it is on, and its figures. Does not know how the client notes waits (`client.profile_log`), how a
server's records come (`client.profile_server`), or how any of it is written (`client.profile_report`,
`client.trace_events`).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from client import context, session_settings
from client.api import public
from client.interrupts import Uninterrupted
from client.profile_log import STALL, Log, clock, close_log, forget_after_fork, open_log
from client.profile_server import SETTING, ServerPart
from client.sites import Site, file_and_line, source_of
from protocol.errors import NotFoundError, OpError

if TYPE_CHECKING:
    from client.profile_report import Report
    from client.session import Session

_CLOSING_TIMEOUT: Final = 5.0
"""Seconds that a session that ends waits for the records of profiles nobody has looked at yet."""

_MAX_RUNNING: Final = 8
"""As many as a server takes."""
_MS: Final = 1e6


@dataclass(frozen=True)
class WaitRecord:
    """A line of the program that waited. kind: `wait` for an answer, `stall` where flow control held it back."""

    file: str
    line: int
    function: str
    source: str
    kind: str
    count: int
    total_ms: float
    mean_ms: float
    longest_ms: float


@dataclass(frozen=True)
class OpRecord:
    """What the server ran: an op, or another item (a read, a constant, a gradient's pass without its ops).

    count: how often, of these `backward` within gradients. server_ms: the time it took on the server's CPU or to issue
    to its GPU; device_ms: the time of the GPU, 0 without one.
    """

    name: str
    count: int
    backward: int
    server_ms: float
    mean_ms: float
    longest_ms: float
    device_ms: float


@public("Profile")
class Profile:
    """Where the time of a program goes between `start` and `stop`, or within a `with` block.

    Printed, it is a table of the lines that waited, most expensive first, and of what the server did. Starting and
    stopping wait for nothing; the first look at a figure of the server's waits until it has done what was issued.
    Several profiles can be on at once. A profile sees all threads.

    Attributes:
        waits: a list of `file`, `line`, `function`, `source`, `kind`, `count`, `total_ms`, `mean_ms`, `longest_ms`,
            most expensive first.
        ops: a list of `name`, `count`, `backward`, `server_ms`, `mean_ms`, `longest_ms`, `device_ms`, most expensive
            first; those of backward passes too.
        items: the same for all that is no op: reads, constants, gradients without their ops.
        wall_ms, waiting_ms, client_ms: how long it took; of this, how long the thread that started it waited, and the
            rest.
        server_busy_ms: how long the server worked on it, meanwhile or after.
        ops_issued, bytes_sent, bytes_received, frames_sent, stalls, stalled_ms, reconnects: counters.
        memory_peak_bytes: the most bytes that the session's values took on the server.
        spans_dropped: what the time line of `save` lacks; totals lack nothing.
        missing: why a server has no records, a text for each.

    >>> import client as tf
    >>> x = tf.random.uniform([100, 100])
    >>> with tf.profile() as p:
    ...     for _ in range(3):
    ...         x = x @ x
    ...         n = float(tf.norm(x))
    >>> p.waits[0].count
    3
    >>> next(op.count for op in p.ops if op.name == "matmul")
    3
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._log = Log()
        self._parts: list[ServerPart] = []
        self._number = 0
        self._thread = 0
        self._began = self._ended = 0

    # --- on and off --------------------------------------------------------------------------------------------------

    def start(self) -> Profile:
        """Begin, and forget what was recorded before. Raises RuntimeError: it is on, or too many others are."""
        if self.running:
            raise RuntimeError("the profile is on already")
        if len(_running) >= _MAX_RUNNING:
            raise RuntimeError(f"{_MAX_RUNNING} profiles are on, and no more can be")
        self._reset()
        self._number = next(_numbers)
        self._thread = threading.get_ident()
        session = context.current()
        if session is not None and session.alive():
            session.flush()  # what was issued before is not the profile's
            self._parts.append(ServerPart(session, self._number, opened=False))
        with Uninterrupted():
            _running[self._number] = self
            _tell_servers()
            open_log(self._log)
            self._began = clock()
        return self

    def stop(self) -> None:
        """End. Waits for nothing. Raises RuntimeError: it is not on."""
        if not self.running:
            raise RuntimeError("the profile is not on")
        with Uninterrupted():
            self._ended = clock()
            _running.pop(self._number, None)
            close_log(self._log)
            _tell_servers()
        for part in self._parts:
            with contextlib.suppress(OpError):  # the session is lost: `missing` says so
                part.session.flush()
            part.stop_counting()
        _uncollected.add(self)

    @property
    def running(self) -> bool:
        """Whether it is on."""
        return self._number in _running

    def __enter__(self) -> Profile:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.running:
            self.stop()

    # --- figures of this side ----------------------------------------------------------------------------------------

    @property
    def waits(self) -> list[WaitRecord]:
        merged: dict[tuple[str, str, int], tuple[Site | None, list[int]]] = {}
        for (kind, site), (count, total, longest) in list(self._log.waits.items()):
            _, sums = merged.setdefault((kind, *_position(site)), (site, [0, 0, 0]))
            sums[:] = sums[0] + count, sums[1] + total, max(sums[2], longest)
        found = []
        for (kind, file, line), (site, (count, total, longest)) in merged.items():
            function = site[0].co_name if site is not None else ""
            figures = (total / _MS, total / count / _MS, longest / _MS)
            found.append(WaitRecord(file, line, function, source_of(file, line), kind, count, *figures))
        return sorted(found, key=lambda w: -w.total_ms)

    @property
    def wall_ms(self) -> float:
        return ((clock() if self.running else self._ended) - self._began) / _MS

    @property
    def waiting_ms(self) -> float:
        return min(self._log.blocked.get(self._thread, 0) / _MS, self.wall_ms)

    @property
    def client_ms(self) -> float:
        return self.wall_ms - self.waiting_ms

    @property
    def stalled_ms(self) -> float:
        return sum(w.total_ms for w in self.waits if w.kind == STALL)

    @property
    def ops_issued(self) -> int:
        return self._counter("ops")

    @property
    def bytes_sent(self) -> int:
        return self._counter("bytes_sent")

    @property
    def bytes_received(self) -> int:
        return self._counter("bytes_received")

    @property
    def frames_sent(self) -> int:
        return self._counter("frames_sent")

    @property
    def stalls(self) -> int:
        return self._counter("stalls")

    @property
    def reconnects(self) -> int:
        return self._counter("reconnects")

    def _counter(self, name: str) -> int:
        return sum(part.counters[name] for part in self._parts)

    # --- figures of the servers --------------------------------------------------------------------------------------

    def _collected(self) -> list[ServerPart]:
        if self.running:
            raise RuntimeError("the server's records come when the profile has ended: stop() it first")
        for part in self._parts:
            part.collect()
        _uncollected.discard(self)
        return self._parts

    @property
    def ops(self) -> list[OpRecord]:
        return self._records(("op", "backward"))

    @property
    def items(self) -> list[OpRecord]:
        return self._records(("item", "wait"))

    def _records(self, kinds: tuple[str, ...]) -> list[OpRecord]:
        sums: dict[str, list[int]] = {}
        for part in self._collected():
            for total in part.totals:
                if total.kind in kinds:
                    row = sums.setdefault(total.name, [0, 0, 0, 0, 0])
                    row[0] += total.count
                    row[1] += total.count if total.kind == "backward" else 0
                    row[2] += total.own
                    row[3] = max(row[3], total.longest)
                    row[4] += total.device
        found = [
            OpRecord(name, count, backward, own / _MS, own / count / _MS, longest / _MS, device / _MS)
            for name, (count, backward, own, longest, device) in sums.items()
            if count
        ]
        return sorted(found, key=lambda r: -max(r.server_ms, r.device_ms))

    @property
    def server_busy_ms(self) -> float:
        return sum(t.own for part in self._collected() for t in part.totals if t.kind != "wait") / _MS

    @property
    def memory_peak_bytes(self) -> int:
        return max([part.peak_bytes for part in self._collected()], default=0)

    @property
    def spans_dropped(self) -> int:
        log = self._log
        here = log.issued - len(log.issue_spans) + sum(t[0] for t in log.waits.values()) - len(log.wait_spans)
        return here + sum(part.dropped for part in self._collected())

    @property
    def missing(self) -> list[str]:
        return [part.missing for part in self._collected() if part.missing is not None]

    # --- written -----------------------------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """All figures, as plain numbers, texts, lists and dictionaries."""
        names = (
            "wall_ms", "waiting_ms", "client_ms", "server_busy_ms", "ops_issued", "bytes_sent", "bytes_received",
            "frames_sent", "stalls", "stalled_ms", "reconnects", "memory_peak_bytes", "spans_dropped", "missing",
        )  # fmt: skip
        found = {name: getattr(self, name) for name in names}
        for name in ("waits", "ops", "items"):
            found[name] = [asdict(record) for record in getattr(self, name)]
        return found

    def top(self, n: int = 10) -> Report:
        """The printed tables with at most `n` rows each."""
        from client.profile_report import Report, text

        return Report(text(self, n))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a time line of client and server as Chrome trace events, which https://ui.perfetto.dev and
        chrome://tracing open.

        The server's clock is set on this one's from the times of round trips; `otherData` in the file says how far it
        may be off.

        Args:
            path: the file, by custom `trace.json`.
        """
        import json

        from client.trace_events import trace

        Path(path).write_text(json.dumps(trace(self._log, self._collected(), self._began, self._ended)))

    def __repr__(self) -> str:
        if self.running:
            return "<tf.Profile: on>"
        return f"<tf.Profile: {self.wall_ms:.1f} ms>" if self._number else "<tf.Profile: never started>"

    def __str__(self) -> str:
        return repr(self) if self.running or not self._number else self.top()

    def _repr_html_(self) -> str:
        from client.profile_report import html

        return repr(self) if self.running or not self._number else html(self)


@public("profile")
def profile() -> Profile:
    """A `tf.Profile`: which lines of the program wait, and what the server does meanwhile.

    Off, it costs nothing: no op looks whether one is on.

    >>> import client as tf
    >>> with tf.profile() as p:
    ...     y = tf.constant([1.0, 2.0]) * 2.0
    >>> p.waits, p.ops_issued
    ([], 1)
    """
    return Profile()


_numbers: Final = itertools.count(1)
_running: dict[int, Profile] = {}
_uncollected: weakref.WeakSet[Profile] = weakref.WeakSet()


def _position(site: Site | None) -> tuple[str, int]:
    return ("an unknown line", 0) if site is None else file_and_line(site)


def _tell_servers() -> None:
    """Have the present session, and later ones, record for the profiles that are on."""
    with contextlib.suppress(NotFoundError):  # an older server: `missing` says so
        session_settings.want(SETTING, tuple(_running))


def _opened(session: Session) -> None:
    for each in list(_running.values()):
        each._parts.append(ServerPart(session, each._number, opened=True))


def _closing(session: Session) -> None:
    """The records go with the session: fetch them now."""
    profiles = [*_running.values(), *_uncollected]
    parts = [part for each in profiles for part in each._parts if part.session is session]
    if not parts or not session.alive():
        return
    with contextlib.suppress(Exception):  # whatever it is, the session ends
        if _running and session.settings and SETTING in session.settings:
            session.switch(SETTING, ())
        for part in parts:
            part.collect(_CLOSING_TIMEOUT)


session_settings.on_open.append(_opened)
session_settings.on_close.append(_closing)


def _after_fork_in_child() -> None:
    """The parent's profiles are not the child's."""
    _running.clear()
    session_settings.want(SETTING, ())
    forget_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
