"""A request on its way to becoming items of the stream: what all kinds of items need.

Owns: `Drafting`: the book as it will be, names, operands, values that travel beside the stream; `Step`, `Room`,
`ItemError`. Does not know what any kind of item is (`server.api.draft`, `server.api.tapes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from protocol import wire
from protocol.dtypes import BY_NUMPY
from protocol.errors import InvalidArgumentError, OpError, ResourceExhaustedError
from protocol.gradients import Node
from protocol.spec import Spec
from protocol.wire import MAX_INLINE, Item
from server.api.book import MAX_ENTRIES, Book, Entry
from server.api.values import MAX_LISTED, listed_size, literal
from server.published import Shelf

MAX_READ: Final = 64 * 2**20
"""Bytes of all values in an answer in msgpack."""


class ItemError(Exception):
    """What is wrong with an item of a request, before anything of the request has run."""

    def __init__(self, index: int, error: Exception) -> None:
        super().__init__(str(error))
        self.index = index
        self.error = error


class Step:
    """One item of a request: where it stands in the stream, and what it depends on.

    first, last: positions of its items among those of the draft, `last` excluded. needs: what it cannot do without.
    results: what it makes. changes: the variables that it changes. reads: numbers of reads with their specs.
    """

    def __init__(self, index: int, first: int) -> None:
        self.index = index
        self.first = self.last = first
        self.needs: list[Entry] = []
        self.results: list[Entry] = []
        self.changes: list[Entry] = []
        self.reads: list[tuple[int, Spec]] = []
        self.effect = False
        self.outputs: list[Entry | None] | None = None


class Room:
    """How much of values an answer may hold: as lists of numbers, or as bytes."""

    def __init__(self, listed: bool) -> None:
        self.listed = listed
        self.left = MAX_LISTED if listed else MAX_READ

    def take(self, spec: Spec) -> None:
        """Raise ResourceExhaustedError when a value has no room. One whose shape is not known takes none yet."""
        if not spec.is_static:
            return
        assert spec.shape is not None
        size = listed_size(spec.shape) * (2 if spec.dtype.is_complex else 1) if self.listed else spec.nbytes
        if size > self.left:
            what = f"{MAX_LISTED} numbers as JSON" if self.listed else f"{MAX_READ} bytes"
            raise ResourceExhaustedError(f"a value of {spec} is too much: an answer holds at most {what}; use .npy")
        self.left -= size


class Uploaded(NamedTuple):
    """A value whose bytes have come already, in C or in Fortran's order."""

    number: int
    spec: Spec
    order: str

    def item(self, identifier: int, shape: Any, device: str | None) -> tuple[Any, ...]:
        """The UPLOAD that gives it an id."""
        found = (Item.UPLOAD, identifier, self.number, self.spec.dtype, shape)
        return found if device is None else (*found, device)


class Put(NamedTuple):
    """A value that is PUT under a name, or to an id; `variable` asks for a variable where there is none."""

    reference: str
    source: np.ndarray[Any, Any] | Uploaded
    variable: bool
    device: str | None
    kind: str = "put"


class Drafting:
    """The items of one request, and the book as it will be when they are sent."""

    def __init__(self, book: Book, shelf: Shelf, listed: bool) -> None:
        self.book = book.copy()
        self.shelf = shelf
        self.room = Room(listed)
        self.items: list[tuple[Any, ...]] = []
        self.uploads: list[tuple[int, np.ndarray[Any, Any]]] = []
        self.steps: list[Step] = []
        self.recorded: dict[int, list[Node]] = {}  # by the tape's id
        self._changed_specs: list[tuple[Entry, Spec | None]] = []
        self._named_outside: set[str] = set()
        self._passing: list[int] = []  # ids for the sake of one item
        self._inline = 0

    def add(self, item: Any, read: bool = False) -> None:
        """Draft one item of a request, with reads of its results if asked for. Raises ItemError."""
        step = Step(len(self.steps), len(self.items))
        try:
            self._inline = 0
            getattr(self, f"_{item.kind}")(item, step)
            if read:
                for entry in step.results:
                    self._read_entry(entry, step)
            if self._passing:
                self.items.append((wire.RELEASE, self._passing))
                self._passing = []
            if len(self.book.entries) > MAX_ENTRIES:
                raise ResourceExhaustedError(f"a session that is driven over HTTP holds at most {MAX_ENTRIES} tensors")
        except (OpError, TypeError, ValueError, LookupError) as error:
            raise ItemError(step.index, error) from error
        except Exception as error:  # an inference rule met what nobody thought of
            raise ItemError(step.index, InvalidArgumentError(f"{type(error).__name__}: {error}")) from error
        step.last = len(self.items)
        self.steps.append(step)

    def undo(self) -> None:
        """Leave the session's book as it was."""
        for entry, spec in reversed(self._changed_specs):
            entry.spec = spec

    # --- names and operands ------------------------------------------------------------------------------------------

    def _make(self, kind: str, spec: Spec | None, name: str | None, step: Step) -> Entry:
        """A new entry; what had its name before is released after the item."""
        old = None if name is None else self.book.names.get(name)
        if old is not None:
            self.book.remove(self.book.entries[old])
            self._passing.append(old)
        entry = Entry(next(self.book.ids), kind, spec, name)
        self.book.add(entry)
        step.results.append(entry)
        return entry

    def _tensor(self, reference: str, step: Step) -> Entry:
        """A tensor or variable that the item needs."""
        found = self.book.find(reference)
        if found.kind == "tape":
            raise InvalidArgumentError(f"{reference!r} is a tape, not a tensor")
        step.needs.append(found)
        return found

    def _tape_entry(self, reference: str) -> Entry:
        found = self.book.find(reference)
        if found.kind != "tape":
            raise InvalidArgumentError(f"{reference!r} is a {found.kind}, not a tape")
        return found

    def _literal(self, array: np.ndarray[Any, Any]) -> Any:
        """What stands for a value in an item: the value, or the id of one that travels beside the stream."""
        self._inline += array.nbytes
        if self._inline <= MAX_INLINE:
            return array
        identifier = next(self.book.ids)
        self._upload(identifier, array, None)
        self._passing.append(identifier)
        return identifier

    def _upload(self, identifier: int, array: np.ndarray[Any, Any], device: str | None) -> None:
        number = next(self.book.numbers)
        self.uploads.append((number, array))
        item = (Item.UPLOAD, identifier, number, BY_NUMPY[array.dtype], array.shape)
        self.items.append(item if device is None else (*item, device))

    def _constant_of(self, array: np.ndarray[Any, Any], name: str | None, device: str | None, step: Step) -> Entry:
        entry = self._make("tensor", Spec(BY_NUMPY[array.dtype], array.shape), name, step)
        if array.nbytes > MAX_INLINE:
            self._upload(entry.id, array, device)
        else:
            self.items.append(
                (wire.CONST, entry.id, array) if device is None else (wire.CONST, entry.id, array, device)
            )
        step.outputs = [entry]
        return entry

    def _given(self, value: Any, step: Step) -> Entry | np.ndarray[Any, Any]:
        """An operand on its own."""
        return self._tensor(value, step) if isinstance(value, str) else literal(value).array()

    def _read_entry(self, entry: Entry, step: Step) -> None:
        assert entry.spec is not None
        if entry.kind == "tensor":
            self.room.take(entry.spec)
        number = next(self.book.numbers)
        self.items.append((wire.READ, number, entry.id))
        # A variable may have another shape by then.
        step.reads.append((number, entry.spec if entry.kind == "tensor" else Spec(entry.spec.dtype, None)))

    # --- ops and results ---------------------------------------------------------------------------------------------

    def _bound(self, name: str) -> int:
        found = self.book.bound.get(name)
        if found is None:
            found = self.book.bound[name] = len(self.book.bound)
            self.items.append((wire.BIND, found, name))
        return found

    def _name_results(
        self, names: Sequence[str | None] | None, specs: Sequence[Spec], what: str, step: Step
    ) -> list[Entry | None]:
        if names is None:
            return [self._make("tensor", spec, None, step) for spec in specs]
        if len(names) != len(specs):
            raise InvalidArgumentError(f"{what} has {len(specs)} results, and {len(names)} names were given")
        given = [n for n in names if n is not None]
        if len(set(given)) < len(given):
            raise InvalidArgumentError("two results cannot have one name")
        return [None if n is None else self._make("tensor", s, n, step) for n, s in zip(names, specs, strict=True)]
