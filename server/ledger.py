"""How much memory each session of a token has been granted, in a table that processes share.

Owns: `Ledger`, the table, and `Share`, a session's row of it. Does not know what the memory holds.

A session's executor takes memory from its token's quota in steps: while what it holds stays within what it was granted
it looks at nothing but its own numbers. Past that, it writes what it wants into its own row and adds up the rows of its
token. Each row has one writer, so there is no lock that a killed process could keep. Two sessions that take the last
bytes at the same moment may both be refused, and never both succeed.

The executor may be in another process: the file is mapped there (`Ledger(slots, fd)`), and its share is made anew from
`share.place`. Whoever ends that process calls `close` on the share here, which gives back what the process held.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import Final, NamedTuple

import numpy as np

from protocol.errors import AbortedError, ResourceExhaustedError

UNLIMITED: Final = 2**62
_SERIAL, _OWNER, _GRANT, _LIMIT = range(4)
_STEPS: Final = 4096
"""Parts of a quota that memory is taken in."""
_LARGEST_STEP: Final = 2**20


class Place(NamedTuple):
    """Where a share is in its ledger: what another process needs to know of it."""

    slot: int
    serial: int
    name: str


class Ledger:
    """The table, of at most `slots` sessions. `fd`: a file that another process made."""

    def __init__(self, slots: int, fd: int | None = None) -> None:
        self.fd = _file(4 * slots * 8) if fd is None else fd
        self.slots = slots
        self.cells = np.frombuffer(mmap.mmap(self.fd, 4 * slots * 8), np.int64).reshape(4, slots)
        self._serial = 0

    def open(self, owner: int, name: str, limit: int | None) -> Share:
        """A share of what the token has, which is known by `owner` here and called `name`.

        Raises:
            ResourceExhaustedError: too many sessions are there, or on their way out.
        """
        free = np.flatnonzero(self.cells[_SERIAL] == 0)
        if not free.size:
            raise ResourceExhaustedError(f"{self.slots} sessions are in use or still ending, and no more are allowed")
        slot = int(free[0])
        self._serial += 1
        self.cells[:, slot] = self._serial, owner, 0, _bounded(limit)
        return Share(self, Place(slot, self._serial, name))

    def limit(self, owner: int, limit: int | None) -> None:
        """Change a token's quota. What it has beyond it stays until it is freed."""
        self.cells[_LIMIT, self.cells[_OWNER] == owner] = _bounded(limit)

    def granted(self, owner: int) -> int:
        """What the sessions of a token have been granted."""
        return int(self.cells[_GRANT, self.cells[_OWNER] == owner].sum())


class Share:
    """A session's part of what its token may hold. Used by one thread at a time."""

    def __init__(self, ledger: Ledger, place: Place) -> None:
        self._cells = ledger.cells
        self.place = place
        self.fd, self.slots = ledger.fd, ledger.slots

    @property
    def _ours(self) -> bool:
        return int(self._cells[_SERIAL, self.place.slot]) == self.place.serial

    def grant(self, used: int, size: int) -> int:
        """The bytes that the session may hold from here on: `used + size` at least.

        Raises:
            ResourceExhaustedError: the token's sessions would hold more than it may.
            AbortedError: the session was ended.
        """
        slot = self.place.slot
        if not self._ours:
            raise AbortedError("the session has ended")
        wanted, limit = used + size, int(self._cells[_LIMIT, slot])
        others = self._others()
        for most in (wanted + self.step, wanted):
            if others + most <= limit:  # what cannot be is not written: the others would see it
                before = int(self._cells[_GRANT, slot])
                self._cells[_GRANT, slot] = most
                if self._others() + most <= limit:
                    return most
                self._cells[_GRANT, slot] = before
        raise ResourceExhaustedError(
            f"out of memory: {size} bytes asked, {others + used} used, {limit} allowed in all sessions of the token "
            f"{self.place.name!r}"
        )

    def keep(self, used: int) -> int:
        """Give back what is granted beyond `used` and a step; what may be held from here on."""
        if self._ours:
            self._cells[_GRANT, self.place.slot] = used + self.step
        return used + self.step

    @property
    def step(self) -> int:
        """The bytes that are taken beyond what is needed."""
        return min(int(self._cells[_LIMIT, self.place.slot]) // _STEPS, _LARGEST_STEP)

    def _others(self) -> int:
        mine = self._cells[_OWNER] == self._cells[_OWNER, self.place.slot]
        return int(self._cells[_GRANT, mine].sum()) - int(self._cells[_GRANT, self.place.slot])

    def close(self) -> None:
        """Give everything back: the session has freed what it held. May be called twice."""
        if self._ours:
            for row in (_GRANT, _OWNER, _LIMIT, _SERIAL):  # the serial last: without one, the slot is another's
                self._cells[row, self.place.slot] = 0


def _bounded(limit: int | None) -> int:
    return UNLIMITED if limit is None else min(limit, UNLIMITED)


def _file(size: int) -> int:
    """A file without a name, whose memory processes can share."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("telegrad-ledger")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd
