"""`python -m benchmarks.load`: many sessions at once on one server, and what they and it say of it.

Owns: the command line, the processes, the report. What sessions do is in `benchmarks.load_worker`; each action's result
is checked there, so that a run without an error is one in which every value was right.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.children import ROOT, Child, ChildError

_ENDLESS: Final = 2**62
_FREED: Final = 30.0
"""Seconds within which the server has to have let go of everything."""
_ACTIONS: Final = {
    "small": "one addition and a read",
    "burst": "50 additions and a read",
    "train": "a training step, its loss read",
    "upload": "2 MiB up, summed, the sum read",
    "download": "2 MiB computed and read",
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser("benchmarks.load", description="Load a server with many sessions at once.")
    add = result.add_argument
    add("--sessions", type=int, default=64, help="(%(default)s)")
    add("--seconds", type=float, default=20.0, help="how long they act (%(default)s)")
    add("--actions", type=int, default=_ENDLESS, help="how many times each of them acts at most")
    add("--pause", type=float, default=0.0, help="seconds between a session's actions, on average (%(default)s)")
    add("--processes", type=int, default=4, help="client processes that the sessions are spread over (%(default)s)")
    add("--url", help="a server to load instead of one that is started for it")
    add("--token", help="its token; better in TELEGRAD_TOKEN")
    add("--json", type=Path, metavar="FILE", help="write the figures there")
    return result


@contextmanager
def serving(sessions: int) -> Iterator[tuple[str, str]]:
    """A server process of its own: its URL and token."""
    token = secrets.token_urlsafe(24)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TELEGRAD_")}
    command = [sys.executable, "-m", "server", "--port", "0", "--device", "cpu", "--stop-with-stdin"]
    process = subprocess.Popen(
        [*command, "--max-sessions", str(sessions), "--log-level", "warning"],
        cwd=ROOT, env={**kept, "TELEGRAD_TOKEN": token}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1], token
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


class Server:
    """What a server says of itself."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60)

    def metrics(self) -> dict[str, float]:
        """All samples, by name and labels."""
        text = self._http.get("/metrics").raise_for_status().text
        return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE)}

    def freed(self) -> dict[str, float]:
        """The metrics once no session is left, or after a while."""
        deadline = time.monotonic() + _FREED
        while True:
            found = self.metrics()
            left = sum(value for name, value in found.items() if name.startswith("telegrad_sessions{"))
            if (not left and not found["telegrad_tensors"]) or time.monotonic() > deadline:
                return found | {"left": left}
            time.sleep(0.1)


def load(options: argparse.Namespace, url: str, token: str) -> dict[str, Any]:
    """Run; the figures."""
    server = Server(url, token)
    shares = [len(range(i, options.sessions, options.processes)) for i in range(options.processes)]
    with ExitStack() as stack:
        children = []
        for _ in shares:
            children.append(Child("benchmarks.load_worker"))
            stack.callback(children[-1].close)
        pool = stack.enter_context(ThreadPoolExecutor(len(children)))

        def all_ask(what: str, arguments: list[dict[str, Any]]) -> list[Any]:
            return list(pool.map(lambda c, a: c.ask([what, a]), children, arguments))

        started = time.perf_counter()
        opened = [{"url": url, "token": token, "first": 1000 * i, "count": n} for i, n in enumerate(shares)]
        answers = all_ask("open", opened)
        opening = time.perf_counter() - started
        before = server.metrics()
        started = time.perf_counter()
        run = {"seconds": options.seconds, "actions": options.actions, "pause": options.pause}
        answers = all_ask("run", [run] * len(children))
        took = time.perf_counter() - started
        during = server.metrics()
        seconds = {name: [s for a in answers for s in a["seconds"].get(name, ())] for name in _ACTIONS}
        answers = all_ask("close", [{}] * len(children))
    after = server.freed()
    return {
        "sessions": options.sessions,
        "opening_seconds": opening,
        "seconds": took,
        "errors": [error for answer in answers for error in answer["errors"]],
        "actions": {name: _figures(samples, took) for name, samples in seconds.items()},
        "server": _server_figures(before, during, took),
        "after": {
            "sessions": after["left"],
            "tensors": after["telegrad_tensors"],
            "bytes": after["telegrad_tensor_bytes"],
        },
    }


def _figures(samples: list[float], took: float) -> dict[str, Any]:
    if not samples:
        return {"count": 0}
    ordered = sorted(samples)
    return {
        "count": len(ordered),
        "per_second": len(ordered) / took,
        "p50": statistics.median(ordered),
        "p99": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        "longest": ordered[-1],
    }


def _server_figures(before: dict[str, float], after: dict[str, float], took: float) -> dict[str, float]:
    def grown(prefix: str) -> float:
        return sum(value - before.get(name, 0) for name, value in after.items() if name.startswith(prefix))

    lag = {name: after[name] - before[name] for name in after if name.startswith("telegrad_event_loop_lag_seconds")}
    looks = max(1.0, lag["telegrad_event_loop_lag_seconds_count"])
    return {
        "ops_per_second": grown("telegrad_ops_total") / took,
        "frames_per_second": grown("telegrad_frames_total") / took,
        "bytes_per_second": grown("telegrad_bytes_total") / took,
        "cpu_cores": grown("process_cpu_seconds_total") / took,
        "resident_bytes": after["process_resident_memory_bytes"],
        "child_processes": after.get("telegrad_child_processes", 0),
        "child_resident_bytes": after.get("telegrad_child_resident_bytes", 0),
        "event_loop_lag_mean": lag["telegrad_event_loop_lag_seconds_sum"] / looks,
    }


def table(found: dict[str, Any]) -> str:
    """The figures to read."""
    lines = [
        f"{found['sessions']} sessions, opened in {found['opening_seconds']:.1f} s, for {found['seconds']:.1f} s",
        "",
    ]
    lines.append(f"{'action':<36}{'per second':>11}{'p50 ms':>9}{'p99 ms':>9}{'longest':>9}")
    for name, f in found["actions"].items():
        if f["count"]:
            times = "".join(f"{1e3 * f[k]:>9.1f}" for k in ("p50", "p99", "longest"))
            lines.append(f"{_ACTIONS[name]:<36}{f['per_second']:>11.1f}{times}")
    server = found["server"]
    mb = {k: server[k] / 1e6 for k in ("bytes_per_second", "resident_bytes", "child_resident_bytes")}
    lines += [
        "",
        f"server: {server['ops_per_second']:.0f} ops/s, {server['frames_per_second']:.0f} frames/s, "
        f"{mb['bytes_per_second']:.1f} MB/s, {server['cpu_cores']:.2f} cores, "
        f"event loop late by {1e3 * server['event_loop_lag_mean']:.1f} ms on average",
        f"memory: {mb['resident_bytes']:.0f} MB in the server, {mb['child_resident_bytes']:.0f} MB in "
        f"{server['child_processes']:.0f} processes of its own",
        "afterwards: {sessions:.0f} sessions, {tensors:.0f} tensors, {bytes:.0f} bytes".format(**found["after"]),
        f"errors: {len(found['errors'])}",
    ]
    return "\n".join([*lines, *(f"  {error}" for error in found["errors"][:10])])


def main(arguments: list[str] | None = None) -> int:
    """Run; 1 where anything went wrong, or was not freed."""
    options = parser().parse_args(arguments)
    token = options.token or os.environ.get("TELEGRAD_TOKEN", "")
    with ExitStack() as stack:
        url, token = (options.url, token) if options.url else stack.enter_context(serving(options.sessions))
        try:
            found = load(options, url, token)
        except ChildError as error:
            print(f"a client process failed: {error}", file=sys.stderr)
            return 1
    print(table(found))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return int(bool(found["errors"] or any(found["after"].values())))


if __name__ == "__main__":
    sys.exit(main())
