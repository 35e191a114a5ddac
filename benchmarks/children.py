"""Child processes that answer lines of JSON with lines of JSON, and end when their standard input does.

Owns: `Child`. Does not know what is asked.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
_TIMEOUT: Final = 300.0
_LAST_LINES: Final = 3


class ChildError(Exception):
    """A child died, or did not answer in time."""


class Child:
    """`python -m MODULE ARGUMENTS`. `hello` is its first answer. Raises ChildError."""

    def __init__(self, module: str, *arguments: str, python: str = sys.executable) -> None:
        self._module = module
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [python, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                cwd=ROOT,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
                text=True,
            )
        except OSError as error:
            raise ChildError(f"{python} does not start: {error}") from error
        self.hello = self._answer()

    def ask(self, question: Any) -> Any:
        """The answer to one question."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise ChildError(self._why()) from error
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        timer = threading.Timer(_TIMEOUT, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        timer.cancel()
        if not line:
            raise ChildError(self._why())
        return json.loads(line)

    def _why(self) -> str:
        self._process.kill()
        code = self._process.wait()
        self._stderr.seek(0)
        last = self._stderr.read().decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
        return f"{self._module} ended with {code}: {' | '.join(last)}"

    def close(self) -> None:
        """Let it end, and see that it does."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._stderr.close()
