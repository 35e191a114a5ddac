"""`telegrad`: look at a server from a terminal.

Owns: the command line of `telegrad status` and `telegrad ping`. Does not know tensors' internals.

    telegrad status http://gpu-host:8470        version, devices and sessions, as JSON
    telegrad ping http://gpu-host:8470          round trips of a session's stream

The token comes from `TELEGRAD_TOKEN` or `--token-file`: other users see command lines.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

from protocol import __version__
from protocol.errors import OpError


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    given = _parser().parse_args(arguments)
    try:
        token = given.token_file.read_text().strip() if given.token_file else os.environ.get("TELEGRAD_TOKEN")
        if given.command == "status":
            status(given.url, token)
        else:
            ping(given.url, token, given.count)
    except (OSError, ValueError, OpError) as error:
        print(f"telegrad: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("telegrad", description="Look at a Telegrad server.")
    parser.add_argument("--version", action="version", version=f"telegrad {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("status", "version, devices and sessions of a server"), ("ping", "round trips to a server")):
        command = commands.add_parser(name, help=text)
        command.add_argument("url", help="http://host:8470 or https://host")
        command.add_argument("--token-file", type=Path, help="file with the token [TELEGRAD_TOKEN is the token itself]")
        if name == "ping":
            command.add_argument("--count", type=int, default=20, help="how many round trips")
    return parser


def status(url: str, token: str | None) -> None:
    """Print the server's own account of itself."""
    from client.transport import parse_endpoint
    from client.transport.payloads import request_json

    print(json.dumps(request_json(parse_endpoint(url, token, "auto"), "GET", "/v1/status"), indent=2))


def ping(url: str, token: str | None, count: int) -> None:
    """Print the median and the range of `count` round trips of a session's stream."""
    from client import context

    context.connect(url, token)
    times = []
    for _ in range(max(count, 1)):
        start = time.perf_counter()
        context.sync()
        times.append((time.perf_counter() - start) * 1e3)
    context.disconnect()
    print(
        f"{len(times)} round trips: median {statistics.median(times):.2f} ms, {min(times):.2f} to {max(times):.2f} ms"
    )
