"""What the server answers: reads on their way, and failures nobody has been told of.

Owns: `Read`, `Failures`. Does not know the stream they come from.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from protocol.errors import error_from

_REMEMBERED: Final = 256
_POLL: Final = 0.5
"""Seconds between looks at Ctrl-C where the platform does not interrupt a lock."""


class Read:
    """A value on its way. `wait` blocks until it is there; `value` and `error` are set then."""

    __slots__ = ("_done", "error", "item", "number", "shape", "value")

    def __init__(self, number: int) -> None:
        self.number = number
        self.value: Any = None
        self.error: BaseException | None = None
        self.item = 0  # the item at fault, when there is one
        self.shape: tuple[int, ...] | None = None  # of the whole value, where `value` is only its edges
        self._done = threading.Lock()
        self._done.acquire()

    @property
    def finished(self) -> bool:
        """Whether the value, or the error, is there."""
        return not self._done.locked()

    def finish(self) -> None:
        """Wake whoever waits."""
        self._done.release()

    def wait(self, timeout: float = -1) -> bool:
        """Whether it finished within `timeout` seconds (-1: however long it takes)."""
        if os.name == "nt" and timeout < 0:  # there, a lock cannot be interrupted
            while not self._done.acquire(timeout=_POLL):
                pass
        elif not self._done.acquire(timeout=timeout):
            return False
        self._done.release()
        return True


class Failures:
    """The ops that failed on the server: each is told on stderr when it is heard of, and raised once."""

    def __init__(self, located: Callable[[int], str]) -> None:
        self._located = located  # an item's source line, as text
        self._lock = threading.Lock()
        self._untold: list[tuple[int, Exception]] = []
        self._errors: dict[int, Exception] = {}  # the last ones by item: a value one has poisoned raises the same error

    def note(self, item: int, code: int, message: str, op: str) -> None:
        """An op failed."""
        error = self.error(item, code, message, op)
        self._errors[item] = error
        while len(self._errors) > _REMEMBERED:
            del self._errors[next(iter(self._errors))]
        with self._lock:
            self._untold.append((item, error))
        summary = message.partition("\n\n")[0] + self._located(item)
        print(f"telegrad: {op} failed: {summary}".replace("\n  ", ", "), file=sys.stderr)

    def error(self, item: int, code: int, message: str, op: str | None) -> Exception:
        """The error of a failed item: the one that was told, if it was."""
        known = self._errors.get(item)
        return known if known is not None else error_from(code, message + self._located(item), op)

    def take(self) -> tuple[int, Exception] | None:
        """What to raise now, with the last failed item's number; the others are its notes. None when all was raised."""
        if not self._untold:
            return None
        with self._lock:
            taken, self._untold = self._untold, []
        if not taken:
            return None
        error = taken[0][1]
        for _, other in taken[1:]:
            error.add_note(f"and then: {other}")
        return taken[-1][0], error
