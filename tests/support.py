"""Real server processes for tests, and waiting without sleeping blindly."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


class ServerProcess:
    """`python -m server` on a free loopback port, ended with the test. Its log goes to `log`, a file, or is shown."""

    def __init__(self, *options: str, token: str | None = None, log: Any = None, **environment: str) -> None:
        self.token = token or secrets.token_urlsafe(16)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "server", "--port", "0", "--device", "cpu", "--stop-with-stdin", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={
                **os.environ,
                "TELEGRAD_TOKEN": self.token,
                "TELEGRAD_LOG_LEVEL": "warning",
                "PYTHONPATH": str(ROOT),
                **environment,
            },
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        assert "serving" in line, line
        self.url = line.split()[-1]
        self.port = int(self.url.rpartition(":")[2])

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def resident_bytes(self) -> int:
        """The memory the server process takes (Linux)."""
        return resident_bytes(self.pid)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def terminate(self) -> int:
        """SIGTERM; the exit status."""
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        """The exit status of a server that was told to stop."""
        return self._process.wait(20)

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


def resident_bytes(pid: int) -> int:
    """The memory a process takes (Linux)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def processes_of(server: ServerProcess) -> set[int]:
    """The processes of sessions: the children of the server's child."""

    def children(pid: int) -> list[int]:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    return {grandchild for child in children(server.pid) for grandchild in children(child)}


@contextlib.contextmanager
def serving(*options: str, **arguments: Any) -> Iterator[ServerProcess]:
    server = ServerProcess(*options, **arguments)
    try:
        yield server
    finally:
        server.close()


def wait_until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The condition's first true value. Fails the test when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.01)


def run_program(source: str, *, timeout: float = 60.0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program as a user would, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=False,
    )
