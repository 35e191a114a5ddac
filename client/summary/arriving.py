"""Remote values on their way to another thread than the program's.

Owns: `Arriving`. Unlike `client.reading.Pending` it sends nothing at once (the reads go out with the ops around them),
leaves the download of large values to whoever takes them, and raises no failure but that of its own values, so that
every failure is still raised at the program's next wait.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from client.reading import _Wanted
from client.tensor import Operand
from protocol.errors import OpError

_POLL: Final = 0.5
"""Seconds between looks at whether the session is lost."""


class Arriving:
    """Values of operands, and others that are known, in order."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self._parts = list(parts)
        self._wanted: dict[int, _Wanted] = {}
        for i, part in enumerate(parts):
            if isinstance(part, Operand):
                known = getattr(part, "_value", None)
                if known is None:
                    self._wanted[i] = _issued(part)
                else:
                    self._parts[i] = known

    @property
    def arrived(self) -> bool:
        """Whether the answers are here; the bytes of a large value may still have to be fetched."""
        return all(w.read.finished for w in self._wanted.values())

    @property
    def connected(self) -> bool:
        """Whether what has not arrived can arrive now."""
        return all(w.session._connection is not None for w in self._wanted.values() if not w.read.finished)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """A wait of the program's for them: counted, and cancelled when the user interrupts it."""
        with contextlib.ExitStack() as waits:
            for session in {id(w.session): w.session for w in self._wanted.values() if not w.read.finished}.values():
                waits.enter_context(session.waiting())
                with contextlib.suppress(OpError):  # of a lost session
                    session.flush()
            yield

    def values(self) -> list[Any]:
        """The values, once they have arrived. Raises what they have failed of, which counts as raised to nobody."""
        for i, w in self._wanted.items():
            while not w.read.wait(_POLL):
                w.session.check()
            if w.read.error is not None:
                raise w.read.error
            self._parts[i] = w.value()
        return self._parts


def _issued(operand: Operand) -> _Wanted:
    session = operand._session
    assert session is not None
    first = not session.has_pending
    wanted = _Wanted(operand)
    if first:
        session.wake_io()
    return wanted
