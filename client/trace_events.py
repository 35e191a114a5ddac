"""A profile's time line in Chrome's trace event format, which Perfetto and chrome://tracing open.

Owns: `trace`. Does not know how anything was recorded. The client is one process of the time line, with a row for each
thread; each session's server is another, with a row for its executor and one for its GPU. Times are microseconds from
the profile's start.

Format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

import protocol
from client import sites
from client.profile_log import Log
from client.profile_server import ServerPart
from client.sites import Site, Sites

Event = dict[str, Any]

_CLIENT: Final = 1
_GAP: Final = 1_000_000
"""Nanoseconds between two items of a line that end its span."""
_LANES: Final = {0: "executor", 1: "device"}


def trace(log: Log, parts: Sequence[ServerPart], began: int, ended: int) -> dict[str, Any]:
    """The whole file."""
    events = [*_process(_CLIENT, "client", log.threads), *_client_events(log)]
    issued = _Issued(log)
    about = []
    for pid, part in enumerate(parts, _CLIENT + 1):
        name = f"server {part.session.endpoint}"
        lanes = {int(lane): _LANES[int(lane)] for lane in sorted(set(part.spans[:, 1].tolist()))}
        events += _process(pid, name, lanes)
        events += _server_events(pid, part, issued.lines_of(part.session._sites))
        about.append(
            {
                "server": str(part.session.endpoint),
                "clock_offset_us": part.offset / 1e3,
                "clock_error_us": part.error / 1e3,
                "spans_dropped": part.dropped,
                "missing": part.missing,
            }
        )
    for event in events:
        if event["ph"] == "X":
            event["ts"] = (event["ts"] - began) / 1e3
            event["dur"] = event["dur"] / 1e3
    other = {"telegrad": protocol.__version__, "wall_us": (ended - began) / 1e3, "servers": about}
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": other}


def _process(pid: int, name: str, threads: Mapping[int, str]) -> Iterator[Event]:
    yield {"ph": "M", "pid": pid, "tid": 0, "name": "process_name", "args": {"name": name}}
    yield {"ph": "M", "pid": pid, "tid": 0, "name": "process_sort_index", "args": {"sort_index": pid}}
    for tid, thread in threads.items():
        yield {"ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": {"name": thread}}


def _span(pid: int, tid: int, name: str, category: str, start: int, duration: int, **args: Any) -> Event:
    return {
        "ph": "X", "pid": pid, "tid": tid, "name": name, "cat": category, "ts": start, "dur": duration, "args": args,
    }  # fmt: skip


# --- client ----------------------------------------------------------------------------------------------------------


def _client_events(log: Log) -> Iterator[Event]:
    lines = _Lines()
    for thread, kind, site, start, end in log.wait_spans:
        yield _span(_CLIENT, thread, f"{kind}: {lines.place(site)}", kind, start, end - start, line=lines.text(site))
    for thread, site, start, end, count in _joined(log.issue_spans, lines):
        yield _span(
            _CLIENT, thread, lines.place(site), "issue", start, end - start, items=count, line=lines.text(site)
        )  # fmt: skip


def _joined(
    spans: Iterable[tuple[int, Site | None, int, int]], lines: _Lines
) -> Iterator[tuple[int, Site | None, int, int, int]]:
    """Items that a thread issued from one line without a break, as one span with their number."""
    open_: dict[int, tuple[int, Site | None, int, int, int]] = {}
    for thread, site, start, end in spans:
        last = open_.get(thread)
        if last is not None and lines.place(last[1]) == lines.place(site) and start - last[3] < _GAP:
            open_[thread] = (thread, last[1], last[2], end, last[4] + 1)
            continue
        if last is not None:
            yield last
        open_[thread] = (thread, site, start, end, 1)
    yield from open_.values()


class _Lines:
    """Sites as text, each looked up once."""

    def __init__(self) -> None:
        self._found: dict[Site | None, tuple[str, str]] = {}

    def place(self, site: Site | None) -> str:
        """`train.py:12`."""
        return self._of(site)[0]

    def text(self, site: Site | None) -> str:
        """`/home/me/train.py:12, in step: loss = model(x)`."""
        return self._of(site)[1]

    def _of(self, site: Site | None) -> tuple[str, str]:
        found = self._found.get(site)
        if found is None:
            if site is None:
                found = "an unknown line", "an unknown line"
            else:
                file, line = sites.file_and_line(site)
                found = f"{PurePath(file).name}:{line}", sites.describe(site)
            self._found[site] = found
        return found


# --- servers ---------------------------------------------------------------------------------------------------------


class _Issued:
    """Which line issued which item."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lines = _Lines()

    def lines_of(self, session: Sites) -> Mapping[int, str]:
        """The lines of one session's items, by number."""
        return {
            item: self._lines.text(site)
            for sites_of, first, found in self._log.sent
            if sites_of is session
            for item, site in enumerate(found, first)
            if site is not None
        }


def _server_events(pid: int, part: ServerPart, lines: Mapping[int, str]) -> Iterator[Event]:
    for index, lane, start, duration, item in part.spans.tolist():
        total = part.totals[index]
        args: dict[str, Any] = {"item": item} if item else {}
        if item in lines:
            args["line"] = lines[item]
        yield _span(pid, lane, total.name, total.kind, start + part.offset, duration, **args)
