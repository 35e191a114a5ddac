"""Where in the user's program an op was issued: cheap to note, resolved to file and line only when an error needs it.

Owns: `here`, `describe`, `Sites`. Does not know ops.
"""

from __future__ import annotations

import linecache
import sys
from collections import deque
from collections.abc import Sequence
from types import CodeType, FrameType
from typing import Final, TypeAlias

Site: TypeAlias = tuple[CodeType, int]

_PACKAGES: Final = frozenset(("client", "protocol", "contextlib"))
"""Whose frames are not the user's: ours, and those that Python puts between ours."""
_ours: set[int] = set()


def here() -> Site | None:
    """The nearest caller outside this library: its code, and the instruction it is at."""
    frame: FrameType | None = sys._getframe(3)
    while frame is not None:
        names = frame.f_globals
        if id(names) not in _ours:
            if names.get("__name__", "").partition(".")[0] not in _PACKAGES:
                return frame.f_code, frame.f_lasti
            _ours.add(id(names))  # a module of these is never unloaded, so the number stays its own
        frame = frame.f_back
    return None


def file_and_line(site: Site) -> tuple[str, int]:
    """The source position of a site."""
    code, instruction = site
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= instruction < end and number is not None:
            line = number
            break
    return code.co_filename, line


def source_of(file: str, line: int) -> str:
    """The text of a line, as far as it can be found."""
    return linecache.getline(file, line).strip()


def describe(site: Site | None) -> str:
    """`train.py:12, in step: loss = model(x)`."""
    if site is None:
        return "an unknown line"
    name, line = file_and_line(site)
    text = source_of(name, line)
    return f"{name}:{line}, in {site[0].co_name}" + (f": {text}" if text else "")


class Sites:
    """The sites of items that are sent and not yet done, by item number."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[int, Sequence[Site | None]]] = deque()

    def add(self, first: int, sites: Sequence[Site | None]) -> None:
        """Remember the sites of items `first`, `first + 1`, ..."""
        self._blocks.append((first, sites))

    def find(self, item: int) -> Site | None:
        """The site of an item that is not yet forgotten."""
        for first, sites in self._blocks:
            if first <= item < first + len(sites):
                return sites[item - first]
        return None

    def forget(self, done: int) -> None:
        """Drop the blocks whose items are all done."""
        while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) - 1 <= done:
            self._blocks.popleft()
