"""`/metrics`: what a server does and has, for Prometheus.

Owns: `Metrics` (a registry of its own, and the task that measures the event loop's lag), the names of the metrics, and
their route. Does not count: that is done where things happen (`server.events`, `server.tally`, `protocol.stream`), and
looked at here when somebody scrapes. Labels come from tables of this program, never from what a client sends: ops,
error codes, reasons, routes, devices.
"""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

import protocol
from protocol import wire
from protocol.errors import error_from
from server.devices import Device
from server.session import Session, Sessions

_LAG_INTERVAL: Final = 0.25
_LAG_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_MEMORY_EVERY: Final = 20
"""Looks at the lag between two at the devices' memory."""

Rows: TypeAlias = Iterable[tuple[tuple[str, ...], float]]


class Metrics(Collector):
    """The metrics of one server."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._lag = Lag()
        self._peaks: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def start(self) -> None:
        """Begin to measure the lag; needs a running loop."""
        self._task = asyncio.create_task(self._watch())

    def stop(self) -> None:
        """End that."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        looks = 0
        while True:
            due = loop.time() + _LAG_INTERVAL
            await asyncio.sleep(_LAG_INTERVAL)
            self._lag.observe(max(0.0, loop.time() - due))
            looks += 1
            if looks % _MEMORY_EVERY == 0:
                self._memory()

    def collect(self) -> Iterator[Metric]:
        """All families; called by the registry, on the event loop."""
        live = [s for s in self._sessions if s.broken is None]
        yield from self._server()
        yield from self._session_counts(live)
        yield from self._ops(live)
        yield from _queues(live)
        yield from _values(live)
        yield from self._traffic()
        yield from self._devices()
        yield from _children()

    # --- the server --------------------------------------------------------------------------------------------------

    def _server(self) -> Iterator[Metric]:
        events = self._sessions.events
        versions = {
            "version": protocol.__version__, "protocol": str(wire.VERSION), "python": platform.python_version(),
            "numpy": np.__version__,
        }  # fmt: skip
        yield _gauge("build_info", "Always 1; what runs is in the labels", [(tuple(versions.values()), 1)], *versions)
        yield _gauge("uptime_seconds", "Seconds since the server started", time.time() - self._sessions.started)
        yield _counter(
            "errors", "Requests and sessions that ended in an error", _errors(events.errors), "where", *_CODE
        )
        requests = [((method, route, str(status)), n) for (method, route, status), n in events.requests.items()]
        yield _counter(
            "http_requests", "Requests answered, WebSockets at their end", requests, "method", "route", "status"
        )
        lag = HistogramMetricFamily("telegrad_event_loop_lag_seconds", "How late the event loop comes to what is due")
        lag.add_metric((), self._lag.buckets(), self._lag.total)
        yield lag

    def _session_counts(self, live: list[Session]) -> Iterator[Metric]:
        events = self._sessions.events
        attached = sum(s.detached_at is None for s in live)
        states = [(("attached",), attached), (("detached",), len(live) - attached)]
        yield _gauge("sessions", "Sessions, with a connection and without", states, "state")
        yield _gauge("sessions_limit", "Sessions there may be (--max-sessions)", self._sessions.settings.max_sessions)
        yield _counter("session_starts", "Sessions made", events.starts)
        yield _counter("session_ends", "Sessions that are over", _labelled(events.ends), "reason")
        yield _counter("session_attachments", "Connections to sessions", _labelled(events.attachments), "carrier")
        yield _counter("session_pauses", "Times a session waited for its client to read", events.pauses)

    # --- work --------------------------------------------------------------------------------------------------------

    def _ops(self, live: list[Session]) -> Iterator[Metric]:
        sums = self._sessions.events.ended.sums(time.monotonic())
        for session in live:
            sums.add(session.host.report)
        yield _counter("ops", "Runs of ops, those of backward passes too", _labelled(sums.runs), "op")
        seconds = [((op,), ns / 1e9) for op, ns in sums.nanoseconds.items()]
        yield _counter("op_seconds", "Time in ops' kernels", seconds, "op")
        yield _counter("op_failures", "Ops and other items that failed", _errors(sums.failures), "op", *_CODE)

    def _traffic(self) -> Iterator[Metric]:
        found = self._sessions.events.traffic
        sizes = [((c, way), n) for c, t in found.items() for way, n in (("in", t.received), ("out", t.sent))]
        yield _counter("bytes", "Bytes of frames and bodies", sizes, "carrier", "direction")
        frames = [
            ((c, way), n)
            for c, t in found.items()
            if c in ("websocket", "http")
            for way, n in (("in", t.frames_in), ("out", t.frames_out))
        ]
        yield _counter("frames", "Frames of the sessions' streams", frames, "carrier", "direction")

    # --- memory ------------------------------------------------------------------------------------------------------

    def _memory(self) -> list[tuple[str, dict[str, int]]]:
        found = [(device.name, _memory_of(device)) for device in self._sessions.devices]
        for name, memory in found:
            self._peaks[name] = max(self._peaks.get(name, 0), memory.get("used", 0))
        return found

    def _devices(self) -> Iterator[Metric]:
        found = [(name, memory) for name, memory in self._memory() if memory]
        used = [((name,), memory["used"]) for name, memory in found]
        total = [((name,), memory["total"]) for name, memory in found]
        peaks = [((name,), self._peaks[name]) for name, _ in found]
        yield _gauge("device_memory_used_bytes", "Memory in use, by whomever", used, "device")
        yield _gauge("device_memory_limit_bytes", "Memory there is", total, "device")
        yield _gauge("device_memory_peak_bytes", "The most seen in use since the start", peaks, "device")
        limit = self._sessions.settings.memory_limit
        yield _gauge("session_limit_bytes", "Bytes of values a session may hold (--memory-limit)", limit)


def _memory_of(device: Device) -> dict[str, int]:
    """What a device says, nothing where it fails: the other figures are wanted all the more then."""
    try:
        return device.memory()
    except Exception:  # a CUDA error, of a class of CuPy's
        return {}


def _values(live: list[Session]) -> Iterator[Metric]:
    reports = [session.host.report for session in live]
    used = [report.get("bytes", 0) for report in reports]
    yield _gauge("tensors", "Tensors, variables and tapes of all sessions", sum(r.get("tensors", 0) for r in reports))
    yield _gauge("tensor_bytes", "Bytes of all sessions' values", sum(used))
    yield _gauge("tensor_bytes_max", "Bytes of the values of the session with most", max(used, default=0))
    peaks = [report.get("peak_bytes", 0) for report in reports]
    yield _gauge("tensor_bytes_peak_max", "The most bytes that one of the sessions ever held", max(peaks, default=0))


def _queues(live: list[Session]) -> Iterator[Metric]:
    streams = [session.stream for session in live]
    for name, what, depths in (
        ("queued_items", "Items received and not done", [s.items_received - s.executed for s in streams]),
        ("queued_bytes", "Bytes of frames received and not done", [s.unexecuted_bytes for s in streams]),
        ("outbox_bytes", "Bytes of frames sent that clients have not taken", [s.outbox_bytes for s in streams]),
    ):
        yield _gauge(name, f"{what}, of all sessions", sum(depths))
        yield _gauge(f"{name}_max", f"{what}, of the session with most", max(depths, default=0))


def _children() -> Iterator[Metric]:
    """The processes that this one has started, where the system tells (Linux): executors, in a process of their own."""
    try:
        lists = [file.read_text() for file in Path("/proc/self/task").glob("*/children")]
    except OSError:
        return
    sizes = [size for each in lists for pid in each.split() if (size := _resident(pid)) is not None]
    yield _gauge("child_processes", "Processes that the server has started", len(sizes))
    yield _gauge("child_resident_bytes", "Memory of these processes", sum(sizes))


def _resident(pid: str) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has ended meanwhile
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)


class Lag:
    """A histogram of how late things come."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_LAG_BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """One more."""
        self.total += seconds
        self._counts[next((i for i, bound in enumerate(_LAG_BUCKETS) if seconds <= bound), len(_LAG_BUCKETS))] += 1

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bounds, and how many were not above."""
        found, below = [], 0
        for bound, count in zip((*map(str, _LAG_BUCKETS), "+Inf"), self._counts, strict=True):
            below += count
            found.append((bound, float(below)))
        return found


# --- families --------------------------------------------------------------------------------------------------------

_CODE: Final = ("code", "error")


def _errors(counts: dict[tuple[str, int], int]) -> Rows:
    return [((what, str(code), type(error_from(code, "")).__name__), n) for (what, code), n in counts.items()]


def _labelled(counts: dict[str, int]) -> Rows:
    return [((label,), n) for label, n in counts.items()]


def _counter(name: str, what: str, rows: Rows | float, *labels: str) -> Metric:
    return _filled(CounterMetricFamily(f"telegrad_{name}", what, labels=labels), rows)


def _gauge(name: str, what: str, rows: Rows | float, *labels: str) -> Metric:
    return _filled(GaugeMetricFamily(f"telegrad_{name}", what, labels=labels), rows)


def _filled(family: Any, rows: Rows | float) -> Metric:
    for labels, value in [((), rows)] if isinstance(rows, int | float) else rows:
        family.add_metric(labels, value)
    found: Metric = family
    return found


_TEXTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Done",
        "content": {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/openmetrics-text")},
    }
}
"""What a route says of an answer in Prometheus' formats."""


def add_metrics_routes(app: FastAPI, metrics: Metrics) -> None:
    """Serve them."""

    @app.get("/metrics", responses=_TEXTS)
    async def get_metrics(request: Request) -> Response:
        try:
            encode, content_type = choose_encoder(request.headers.get("accept", ""))
        except (TypeError, ValueError):  # it names a version that is none
            encode, content_type = choose_encoder("")
        return Response(encode(metrics.registry), media_type=content_type)
