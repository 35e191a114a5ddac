"""What the server is told at its start: command line, environment, defaults.

Owns: `Settings` and its parser. Does not act on them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from protocol.sizes import parse_size
from server import logs
from server.tokens import tokens_of

DEFAULT_PORT: Final = 8470


@dataclass(frozen=True)
class Settings:
    """token: what clients must present, None with `no_auth` or where only `tokens_file` counts. memory_limit: bytes a
    session's values may take. published_limit: bytes of the values published by the clients of one token, None for half
    of memory_limit. session_ttl, heartbeat: seconds.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    uds: str | None = None
    token: str | None = field(default=None, repr=False)
    tokens_file: Path | None = None
    device: str = "auto"
    session_ttl: float = 1800.0
    memory_limit: int = 8 * 2**30
    max_sessions: int = 64
    heartbeat: float = 10.0
    log_level: str = "warning"
    log_format: str = "text"
    access_log: bool = False
    allowed_origins: tuple[str, ...] = ()
    tls_cert: str | None = None
    tls_key: str | None = None
    stop_with_stdin: bool = False
    data_dir: Path | None = None
    isolation: str = "thread"
    item_seconds: float = 0.0
    save_seconds: float = 15.0
    published_limit: int | None = None
    header_seconds: float = 20.0
    stall_seconds: float = 60.0
    max_connections: int = 512

    @property
    def loopback(self) -> bool:
        """Whether only programs on this machine can connect."""
        return self.uds is not None or self.host in ("localhost", "::1") or self.host.startswith("127.")


def parse_bytes(text: str) -> int:
    """`512m`, `8g`, `8GiB` or a plain number, in bytes."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


_CONTAINER_LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def _default_memory_limit() -> str:
    """Half of the memory that this machine, or this container, has: values live there on a CPU, and kernels need room
    beside them.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "8g"
    for limit in map(Path, _CONTAINER_LIMITS):
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            memory = min(memory, int(limit.read_text()))
    return str(memory // 2)


def parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    """The command line; each option's default comes from `TELEGRAD_...` in `environ`."""

    def default(name: str, otherwise: str | None) -> str | None:
        return environ.get(f"TELEGRAD_{name}", otherwise)

    result = argparse.ArgumentParser("telegrad-server", description="Serve remote eager tensors.")
    add = result.add_argument
    add("--host", default=default("HOST", "127.0.0.1"), help="address to listen on [TELEGRAD_HOST]")
    add("--port", type=int, default=default("PORT", str(DEFAULT_PORT)), help="port, 0 for any free one [TELEGRAD_PORT]")
    add("--uds", default=default("UDS", None), help="Unix socket to listen on instead [TELEGRAD_UDS]")
    add(
        "--token",
        help="the token clients must present; better in TELEGRAD_TOKEN or --token-file: other users see command lines",
    )
    add(
        "--token-file", type=Path, default=default("TOKEN_FILE", None), help="file with the token [TELEGRAD_TOKEN_FILE]"
    )
    add(
        "--tokens-file",
        type=Path,
        default=default("TOKENS_FILE", None),
        help="file with named tokens and their quotas, TOML or JSON; read again when it changes [TELEGRAD_TOKENS_FILE]",
    )
    add("--no-auth", action="store_true", help="let anyone in who can connect")
    add("--device", choices=("auto", "cpu", "gpu"), default=default("DEVICE", "auto"), help="[TELEGRAD_DEVICE]")
    add(
        "--session-ttl",
        type=float,
        default=default("SESSION_TTL", "1800"),
        help="seconds that a session outlives its connection [TELEGRAD_SESSION_TTL]",
    )
    add(
        "--memory-limit",
        type=parse_bytes,
        default=default("MEMORY_LIMIT", _default_memory_limit()),
        help="bytes of values a session may hold, such as 8g [TELEGRAD_MEMORY_LIMIT]",
    )
    add(
        "--published-limit",
        type=parse_bytes,
        default=default("PUBLISHED_LIMIT", None),
        help="bytes of published values, by default half of --memory-limit [TELEGRAD_PUBLISHED_LIMIT]",
    )
    add("--max-sessions", type=int, default=default("MAX_SESSIONS", "64"), help="[TELEGRAD_MAX_SESSIONS]")
    add(
        "--heartbeat",
        type=float,
        default=default("HEARTBEAT", "10"),
        help="seconds between signs of life on an idle connection [TELEGRAD_HEARTBEAT]",
    )
    add(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="web origin that may call, such as https://tools.example.org",
    )
    add("--tls-cert", default=default("TLS_CERT", None), help="certificate chain, PEM [TELEGRAD_TLS_CERT]")
    add("--tls-key", default=default("TLS_KEY", None), help="private key, PEM [TELEGRAD_TLS_KEY]")
    add(
        "--data-dir",
        type=Path,
        default=default("DATA_DIR", None),
        help="directory for what clients keep under server:// names; none: they cannot [TELEGRAD_DATA_DIR]",
    )
    add(
        "--isolation",
        choices=("process", "thread"),
        default=default("ISOLATION", None),
        help="where a session's ops run: a process of its own, so that sessions can't harm each other, or a thread of "
        "the server; a thread for --stop-with-stdin, else a process [TELEGRAD_ISOLATION]",
    )
    add(
        "--item-seconds",
        type=float,
        default=default("ITEM_SECONDS", "0"),
        help="seconds that a frame of items may take before its session's process is ended; 0: no limit "
        "[TELEGRAD_ITEM_SECONDS]",
    )
    add(
        "--save-seconds",
        type=float,
        default=default("SAVE_SECONDS", "15"),
        help="seconds that sessions may take, when the server is told to stop, to be saved in the data directory for "
        "the next one; 0: they are not [TELEGRAD_SAVE_SECONDS]",
    )
    _add_patience(add, default)
    add(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default=default("LOG_LEVEL", "info"),
        help="the least a log line must be, on standard error [TELEGRAD_LOG_LEVEL]",
    )
    add(
        "--log-format",
        choices=logs.FORMATS,
        default=default("LOG_FORMAT", "text"),
        help="json: one object a line [TELEGRAD_LOG_FORMAT]",
    )
    add(
        "--access-log",
        action="store_true",
        default=default("ACCESS_LOG", "") not in ("", "0"),
        help="a log line for every request [TELEGRAD_ACCESS_LOG=1]",
    )
    add(
        "--stop-with-stdin",
        action="store_true",
        help="stop when standard input ends: for a parent that starts this as its child",
    )
    return result


def _seconds(text: str) -> float:
    """A positive number of seconds."""
    found = float(text)
    if not 0 < found < 1e9:
        raise argparse.ArgumentTypeError("has to be a positive number of seconds")
    return found


def _count(text: str) -> int:
    """A positive number."""
    found = int(text)
    if found < 1:
        raise argparse.ArgumentTypeError("has to be 1 at least")
    return found


def _add_patience(add: Callable[..., Any], default: Callable[[str, str], str | None]) -> None:
    """The options that say how long, and for how many, the server waits."""
    add(
        "--header-seconds",
        type=_seconds,
        default=default("HEADER_SECONDS", "20"),
        help="seconds in which a request's headers have to come [TELEGRAD_HEADER_SECONDS]",
    )
    add(
        "--stall-seconds",
        type=_seconds,
        default=default("STALL_SECONDS", "60"),
        help="seconds after which a connection is cut whose body comes, or whose answer is taken, at less than 512 "
        "bytes a second [TELEGRAD_STALL_SECONDS]",
    )
    add(
        "--max-connections",
        type=_count,
        default=default("MAX_CONNECTIONS", "512"),
        help="connections at once; those that have shown no token make room for new ones [TELEGRAD_MAX_CONNECTIONS]",
    )


def _isolation(child: bool) -> str:
    """Processes for a service; a thread for the embedded server of one program, and where processes can't be had."""
    return "thread" if child or not hasattr(os, "fork") else "process"


def parse(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> tuple[Settings, bool]:
    """The settings, and whether the token was made up here and has to be shown.

    Exits with a message for a wrong option, or when a token is missing beyond loopback.
    """
    command = parser(environ)
    given = command.parse_args(arguments)
    token = _token(command, given, environ)
    if given.no_auth and (token or given.tokens_file):
        command.error("--no-auth and a token exclude each other")
    made = not token and not given.no_auth and given.tokens_file is None
    settings = Settings(
        host=given.host, port=given.port, uds=given.uds, device=given.device,
        token=secrets.token_urlsafe(24) if made else token, tokens_file=given.tokens_file,
        session_ttl=given.session_ttl, memory_limit=given.memory_limit, max_sessions=given.max_sessions,
        heartbeat=given.heartbeat, log_level=given.log_level,
        log_format=given.log_format, access_log=given.access_log, allowed_origins=tuple(given.allow_origin),
        tls_cert=given.tls_cert, tls_key=given.tls_key, stop_with_stdin=given.stop_with_stdin, data_dir=given.data_dir,
        isolation=given.isolation or _isolation(given.stop_with_stdin), item_seconds=given.item_seconds,
        save_seconds=given.save_seconds, published_limit=given.published_limit,
        header_seconds=given.header_seconds, stall_seconds=given.stall_seconds, max_connections=given.max_connections,
    )  # fmt: skip
    if made and not settings.loopback:
        command.error(
            f"listening on {given.host} needs a token: --token-file, --tokens-file or TELEGRAD_TOKEN, or --no-auth "
            "said aloud"
        )
    if settings.tokens_file is not None:
        try:
            tokens_of(settings)
        except (OSError, ValueError) as error:
            command.error(f"--tokens-file: {settings.tokens_file}: {error}")
    return settings, made


def _token(command: argparse.ArgumentParser, given: argparse.Namespace, environ: Mapping[str, str]) -> str | None:
    """The one token that has no entry in a file of tokens."""
    if given.token:
        print(
            f"{command.prog}: --token shows the token to every user of this machine: TELEGRAD_TOKEN and --token-file "
            "don't", file=sys.stderr,
        )  # fmt: skip
    token: str | None = given.token or environ.get("TELEGRAD_TOKEN") or None
    if given.token_file is not None and token is None:
        try:
            token = Path(given.token_file).read_text().strip()
        except OSError as error:
            command.error(f"--token-file: {error}")
        if not token and given.tokens_file is None:
            command.error(f"--token-file: {given.token_file} is empty")
    return token or None
