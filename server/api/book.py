"""What the server knows of a session that is driven by HTTP requests: its names and ids, and what they stand for.

Owns: `Entry`, `Book`. Does not know items or the stream. It is the part of a client that the user's program has
otherwise: which ids are given, of what dtype and shape their values are, and which of them failed.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

from protocol.errors import NotFoundError
from protocol.gradients import Node
from protocol.spec import Spec

MAX_ENTRIES: Final = 2**16
"""Tensors, variables and tapes of a session."""
MAX_NODES: Final = 2**14
"""Ops that a tape records."""


class Entry:
    """What an id stands for. `error` is what its value failed with, for a tensor or variable that has none."""

    __slots__ = ("error", "id", "kind", "name", "nodes", "spec")

    def __init__(self, identifier: int, kind: str, spec: Spec | None, name: str | None) -> None:
        self.id = identifier
        self.kind = kind  # "tensor", "variable" or "tape"
        self.spec = spec
        self.name = name
        self.error: dict[str, Any] | None = None
        self.nodes: list[Node] = []  # of a tape: what it has recorded, without values


class Book:
    """The ids of one session."""

    def __init__(self) -> None:
        self.ids = itertools.count(1)
        self.numbers = itertools.count(1)  # of reads and uploads
        self.entries: dict[int, Entry] = {}
        self.names: dict[str, int] = {}
        self.bound: dict[str, int] = {}

    def find(self, reference: str) -> Entry:
        """What a name or an id in digits stands for. Raises NotFoundError."""
        identifier = int(reference) if reference.isdecimal() else self.names.get(reference, 0)
        found = self.entries.get(identifier)
        if found is None:
            raise NotFoundError(f"there is nothing called {reference!r:.200} in this session")
        return found

    def has(self, reference: str) -> bool:
        """Whether a name or an id stands for something."""
        return reference in self.names or (reference.isdecimal() and int(reference) in self.entries)

    def add(self, entry: Entry) -> None:
        """Take an entry in, under its name too."""
        self.entries[entry.id] = entry
        if entry.name is not None:
            self.names[entry.name] = entry.id

    def remove(self, entry: Entry) -> None:
        """Forget an entry and its name."""
        self.entries.pop(entry.id, None)
        if entry.name is not None and self.names.get(entry.name) == entry.id:
            del self.names[entry.name]

    def copy(self) -> Book:
        """A book to try a request on: numbers are shared, so that none is given twice."""
        other = Book.__new__(Book)
        other.ids, other.numbers = self.ids, self.numbers
        other.entries, other.names, other.bound = dict(self.entries), dict(self.names), dict(self.bound)
        return other
