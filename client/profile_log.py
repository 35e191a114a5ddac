"""What the client notes while a profile is on: which lines waited, which issued, and when.

Owns: `Log`, and the functions that stand in `Session`'s place while any log is open. Does not know the server's part
(`client.profile_server`) or how a profile is shown. With no log open, the methods are the session's own and nothing of
this is reached.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from client import sites
from client.sites import Site, Sites

if TYPE_CHECKING:
    from client.session import Session

MAX_SPANS: Final = 2**16
"""Spans of each kind that a log keeps: the last ones. Totals are exact."""
_MAX_BLOCKS: Final = 2**14

WAIT, STALL = "wait", "stall"
clock = time.perf_counter_ns


class Log:
    """What one profile notes, in nanoseconds of this process's clock."""

    def __init__(self) -> None:
        self.waits: dict[tuple[str, Site | None], list[int]] = {}  # kind and site: how often, total, longest
        self.blocked: dict[int, int] = {}  # thread: how long it waited
        self.wait_spans: deque[tuple[int, str, Site | None, int, int]] = deque(maxlen=MAX_SPANS)
        self.issue_spans: deque[tuple[int, Site | None, int, int]] = deque(maxlen=MAX_SPANS)
        self.issued = 0
        self.sent: deque[tuple[Sites, int, Sequence[Site | None]]] = deque(maxlen=_MAX_BLOCKS)
        self.threads: dict[int, str] = {}
        self._lock = threading.Lock()

    def waited(self, kind: str, site: Site | None, start: int, end: int, outermost: bool) -> None:
        """This thread waited. Within another wait it adds nothing to the thread's time."""
        thread = self._thread()
        with self._lock:  # threads may wait on the same line
            total = self.waits.setdefault((kind, site), [0, 0, 0])
            total[0] += 1
            total[1] += end - start
            total[2] = max(total[2], end - start)
            if outermost:
                self.blocked[thread] = self.blocked.get(thread, 0) + end - start
            self.wait_spans.append((thread, kind, site, start, end))

    def issue(self, site: Site | None, start: int, end: int) -> None:
        """This thread issued an item."""
        self.issued += 1
        self.issue_spans.append((self._thread(), site, start, end))

    def _thread(self) -> int:
        thread = threading.get_ident()
        if thread not in self.threads:
            self.threads[thread] = threading.current_thread().name
        return thread


_logs: tuple[Log, ...] = ()
_lock = threading.Lock()
_originals: dict[tuple[type, str], Any] = {}


class _Depth(threading.local):
    """How many waits this thread is within."""

    waits = 0


_depth: Final = _Depth()


def open_log(log: Log) -> None:
    """Note what happens from here on."""
    global _logs
    with _lock:
        if not _logs:
            _install()
        _logs = (*_logs, log)


def close_log(log: Log) -> None:
    """Note no more; nothing when it is closed already."""
    global _logs
    with _lock:
        _logs = tuple([each for each in _logs if each is not log])
        if not _logs:
            _uninstall()


def _install() -> None:
    from client.session import Session
    from client.transfers import Transfers

    for owner, name, wrap in (
        (Session, "issue", _issuing), (Session, "waiting", _waiting), (Session, "stall", _stalling),
        (Transfers, "stall", _stalling), (Sites, "add", _sending),
    ):  # fmt: skip
        _originals[owner, name] = getattr(owner, name)
        setattr(owner, name, wrap(getattr(owner, name)))


def _uninstall() -> None:
    while _originals:
        (owner, name), original = _originals.popitem()
        setattr(owner, name, original)


def _issuing(original: Callable[..., None]) -> Callable[..., None]:
    def issue(self: Session, item: tuple[Any, ...], weight: int = 0) -> None:
        site = sites.here()
        start = clock()
        try:
            original(self, item, weight)
        finally:
            end = clock()
            for log in _logs:
                log.issue(site, start, end)

    return issue


def _waiting(original: Callable[..., Any]) -> Callable[..., Any]:
    @contextlib.contextmanager
    def waiting(self: Session) -> Iterator[None]:
        with _noted(WAIT, sites.here()), original(self):
            yield

    return waiting


def _stalling(original: Callable[..., None]) -> Callable[..., None]:
    def stall(self: Any) -> None:
        with _noted(STALL, sites.here()):
            original(self)

    return stall


def _sending(original: Callable[..., None]) -> Callable[..., None]:
    def add(self: Sites, first: int, issued: Sequence[Site | None]) -> None:
        for log in _logs:
            log.sent.append((self, first, issued))
        original(self, first, issued)

    return add


@contextlib.contextmanager
def _noted(kind: str, site: Site | None) -> Iterator[None]:
    depth = _depth.waits
    start = clock()
    try:
        _depth.waits = depth + 1
        yield
    finally:
        end = clock()
        _depth.waits = depth
        for log in _logs:
            log.waited(kind, site, start, end, not depth)


def forget_after_fork() -> None:
    """A forked child starts with no log open."""
    global _logs, _lock
    _lock = threading.Lock()
    _logs = ()
    _uninstall()
