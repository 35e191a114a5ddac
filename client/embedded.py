"""The embedded server: a child process of this program, for who has not said where a server is.

Owns: starting it (Unix socket where there is one, a random token, its standard input as the leash) and ending it. Does
not know sessions. The child ends when its standard input does, which the system sees to even when this program is
killed.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from typing import Final

from client.transport import Endpoint
from protocol.errors import UnavailableError

_NEEDED: Final = ("fastapi", "uvicorn", "scipy", "prometheus_client")
_START_TIMEOUT: Final = 60.0
_STOP_TIMEOUT: Final = 5.0


class EmbeddedServer:
    """A server process that lives as long as this program. Raises UnavailableError when it does not start."""

    def __init__(self) -> None:
        missing = [m for m in _NEEDED if importlib.util.find_spec(m) is None]
        if missing:
            raise UnavailableError(
                f"no server was named, and an embedded one needs {', '.join(missing)}: "
                'pip install "telegrad[server]", or connect("http://gpu-host:8470", token=...)'
            )
        token = secrets.token_urlsafe(24)
        self._directory = tempfile.mkdtemp(prefix="telegrad-") if hasattr(socket, "AF_UNIX") else None
        where = ["--uds", os.path.join(self._directory, "socket")] if self._directory else ["--port", "0"]
        # -P keeps the working directory off the child's path: a user's own server/ or protocol/ folder must not shadow
        # ours.
        command = [sys.executable, "-P", "-m", "server", *where, "--stop-with-stdin", "--log-level", "warning"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**self._environment(), "TELEGRAD_TOKEN": token},
            start_new_session=os.name != "nt",  # Ctrl-C is for the program, not for its server
        )
        self.endpoint = self._wait_until_ready(token)

    @staticmethod
    def _environment() -> dict[str, str]:
        """This process's environment without options meant for another server, and with the path that imports our
        packages from.
        """
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TELEGRAD_") or k in _PASSED_ON}
        package = importlib.util.find_spec("server")
        if package is not None and package.submodule_search_locations:
            root = os.path.dirname(next(iter(package.submodule_search_locations)))
            kept["PYTHONPATH"] = os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH"))))
        return kept

    def _wait_until_ready(self, token: str) -> Endpoint:
        assert self._process.stdout is not None
        timer = threading.Timer(_START_TIMEOUT, self._process.kill)
        timer.start()
        line = self._process.stdout.readline().decode()
        timer.cancel()
        if not line.startswith("telegrad: serving"):
            self.stop()
            raise UnavailableError(f"the embedded server did not start: {line.strip() or 'see its message above'}")
        if self._directory is not None:
            return Endpoint("http://localhost", token, uds=os.path.join(self._directory, "socket"))
        return Endpoint(line.split()[-1], token)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def gone(self) -> str | None:
        """Why the server is no more, None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        return f"the embedded server {how}"

    def stop(self) -> None:
        """End the server and remove its socket."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)


_PASSED_ON: Final = frozenset(
    (
        "TELEGRAD_DATA_DIR",
        "TELEGRAD_DEVICE",
        "TELEGRAD_HEARTBEAT",
        "TELEGRAD_ISOLATION",
        "TELEGRAD_MEMORY_LIMIT",
        "TELEGRAD_SESSION_TTL",
    )
)
