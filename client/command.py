"""`telegrad`: look at a server from a terminal.

Owns: the command line: what is asked, and how answers are shown. Does not know how they are found.

    telegrad status http://gpu-host:8470        version, devices, memory and sessions
    telegrad ping http://gpu-host:8470          round trips of a session, and bandwidth
    telegrad doctor http://gpu-host:8470        what keeps this machine from using it

The token comes from `TELEGRAD_TOKEN` or `--token-file`: other users see command lines.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import sys
import textwrap
from pathlib import Path
from typing import Final

from protocol import __version__
from protocol.errors import OpError
from protocol.sizes import format_size, parse_size

_MARGIN: Final = 20
"""Columns before the text of a finding."""
_WIDEST: Final = 120
_ADVICE: Final = " (`telegrad doctor {}` looks for the reason)"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    given = _parser().parse_args(arguments)
    try:
        token = _token(given.token_file)
        if given.command == "status":
            return status(given.url, token, given.json)
        if given.command == "ping":
            return ping(given.url, token, given.count, given.size)
        return doctor(given.url, token, given.timeout)
    except (OSError, ValueError, OpError) as error:
        print(f"telegrad: {error}", file=sys.stderr)
        return 1


def _token(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get("TELEGRAD_TOKEN") or None
    token = file.read_text().strip()
    if not token:
        raise ValueError(f"{file} is empty")
    return token


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("telegrad", description="Look at a Telegrad server.")
    parser.add_argument("--version", action="version", version=f"telegrad {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        found = commands.add_parser(name, help=text, description=f"Say {text}.")
        found.add_argument("url", help="http://host:8470 or https://host")
        found.add_argument("--token-file", type=Path, help="file with the token [TELEGRAD_TOKEN is the token itself]")
        return found

    add = command("status", "version, devices, memory and sessions of a server").add_argument
    add("--json", action="store_true", help="print what the server says, as JSON")
    add = command("ping", "how long round trips to a server take, and how fast values travel").add_argument
    add("--count", type=_positive, default=20, help="how many round trips (%(default)s)")
    add("--size", type=_size, default="16m", help="bytes to send there and back, 0 for none (%(default)s)")
    add = command("doctor", "what keeps this machine from using a server, and what to do").add_argument
    add("--timeout", type=_seconds, default=10.0, help="seconds to wait for each answer (%(default)g)")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number of seconds")
    return seconds


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def status(url: str, token: str | None, as_json: bool) -> int:
    """Print the server's account of itself."""
    from client.server_status import status_text
    from client.transport import parse_endpoint
    from client.transport.payloads import request_json

    endpoint = parse_endpoint(url, token, "auto")
    try:
        found = request_json(endpoint, "GET", "/v1/status")
    except json.JSONDecodeError:
        found = None
    except OSError as error:
        raise ConnectionError(f"{endpoint} cannot be reached: {error}{_ADVICE.format(endpoint)}") from error
    if not isinstance(found, dict) or "protocol" not in found:
        raise ValueError(f"what answers at {endpoint} is no Telegrad server{_ADVICE.format(endpoint)}")
    print(json.dumps(found, indent=2) if as_json else status_text(str(endpoint), found))
    return 0


def ping(url: str, token: str | None, count: int, size: int) -> int:
    """Print how long `count` round trips took, and `size` bytes each way."""
    from client import context, speed

    context.connect(url, token)
    try:
        times = sorted(1e3 * t for t in speed.round_trips(count))
        p99 = times[math.ceil(0.99 * count) - 1]
        print(
            f"{count} round trips: median {statistics.median(times):.2f} ms, "
            f"min {times[0]:.2f}, p99 {p99:.2f}, max {times[-1]:.2f}"
        )
        if size:
            up, down = speed.transfer(size)
            print(f"{format_size(size)}: up {_rate(size, up)}, down {_rate(size, down)}")
    finally:
        context.disconnect()
    return 0


def _rate(size: int, seconds: float) -> str:
    return f"{format_size(size / seconds)}/s ({1e3 * seconds:.1f} ms)"


def doctor(url: str, token: str | None, timeout: float) -> int:
    """Print what is found, step by step; 1 when something keeps programs from working."""
    from client.doctor import examine

    width = min(shutil.get_terminal_size().columns, _WIDEST)
    state = "ok"
    for finding in examine(url, token, timeout):
        state = finding.state if finding.state == "wrong" or state == "ok" else state
        for lead, text in ((f"{finding.state:<7}{finding.step:<13}", finding.text), (" " * _MARGIN, finding.advice)):
            if text:
                print(
                    textwrap.fill(text, max(width, 2 * _MARGIN), initial_indent=lead, subsequent_indent=" " * _MARGIN)
                )
    print({"ok": "Nothing is wrong.", "note": "It works.", "wrong": "It does not work: see the last lines."}[state])
    return int(state == "wrong")
