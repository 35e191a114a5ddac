"""Ctrl-C put off while the client's own state would be torn by it.

Owns: `Uninterrupted`. Does not know what is protected.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Uninterrupted:
    """A block in which SIGINT is only noted; its handler runs after it.

    In threads other than the main one, which Python never interrupts, it does nothing. It cannot be nested in itself.
    """

    __slots__ = ("_before", "_noted")

    def __enter__(self) -> None:
        self._before: Any = None
        self._noted: tuple[int, FrameType | None] | None = None
        if threading.get_ident() == threading.main_thread().ident:
            before = signal.getsignal(signal.SIGINT)
            if callable(before):
                signal.signal(signal.SIGINT, self._note)
                self._before = before

    def __exit__(self, *_: object) -> None:
        before = self._before
        if before is not None:
            signal.signal(signal.SIGINT, before)
            if self._noted is not None:
                before(*self._noted)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._noted = number, frame
