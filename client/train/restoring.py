"""Restoring: which saved node is which object of the program, and giving it its value, now or when it is made.

Owns: `Restoration`, the matching by the names of edges. Does not know paths or formats, nor what is said of the outcome
(`client.train.status`).

Matching starts at the root and follows edges of the same name on both sides. Where the program has no child of that
name yet, the restoration waits in the owner (`client.tracking`) and goes on from there when it gets one. Each object
remembers the last restore that gave it a value: of several, the one that was called last wins, whatever the order in
which children appear.
"""

from __future__ import annotations

import itertools
import logging
import sys
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from client.tensor import Tensor
from client.tracking import Stateful, Tracked, await_child, edges, replace
from client.train.bundle import Entry, Index, Node
from client.train.places import Place
from client.train.writing import progress_bar
from client.variable import Variable

Pairs = Iterable[tuple[str, Any]]

log: Final = logging.getLogger("telegrad.checkpoint")

_orders: Final = itertools.count(1)


def restored_by(live: Any) -> int:
    """The number of the restore that gave an object its value; 0 for none."""
    if isinstance(live, Variable):
        return live._restored_by
    return int(live.__dict__.get("_self_restored_by", 0)) if isinstance(live, Tracked) else 0


def _mark(live: Any, order: int) -> None:
    """Say which restore gave an object its value."""
    if isinstance(live, Variable):
        live._restored_by = order
    elif isinstance(live, Tracked):
        live.__dict__["_self_restored_by"] = order


class Restoration:
    """One restore of a checkpoint.

    `objects` are the program's objects by their nodes' numbers, `seen` all objects that were tried.
    """

    def __init__(self, index: Index, place: Place, data: str) -> None:
        self.order = next(_orders)
        self.nodes = index.nodes
        self.expect_partial = False
        self.cancelled = False
        self.objects = _Objects()
        self._tensors = index.tensors
        self._size = index.size
        self._place = place
        self._data = data
        self._worth = _worth(index)
        self._spare_shapes = False
        self._misfits: set[int] = set()
        self._replaced: dict[int, Any] = {}

    def skip_mismatches(self) -> None:
        """Leave variables of another shape as they are, with a warning."""
        self._spare_shapes = True

    # --- matching ----------------------------------------------------------------------------------------------------

    def match(self, number: int, live: Any, owner: Any = None, name: str = "", attached: Pairs = ()) -> None:
        """Give a node's object and all below it their values, or none of them if one cannot have its.

        Args:
            number: the node's.
            live: the object.
            owner: what has it as a child; `name` is its edge from there.
            name: see `owner`.
            attached: more named children of the object.

        Raises:
            ValueError: a variable has another shape or dtype than what was saved.
            DataLossError: the data file is damaged.
        """
        found = _Found()
        try:
            self._walk(number, live, owner, name, found)
            below = self.nodes[number].children
            for edge, child in attached:
                if edge in below and below[edge] not in self.objects:
                    self._walk(below[edge], child, None, edge, found)
            self._verify(found)
        except BaseException:
            for each, order in reversed(found.before):
                _mark(each, order)
            raise
        self._assign(found)

    def cancel(self) -> None:
        """It failed: nothing is said of what is left, and what waits is not restored."""
        self.expect_partial = self.cancelled = True

    def _walk(self, number: int, live: Any, owner: Any, name: str, found: _Found) -> None:
        """Match a node and all below it."""
        queue = deque([(number, live, owner, name)])
        while queue:
            number, live, owner, name = queue.popleft()
            live = self._current(live, owner, name)
            if not self._bind(number, live):
                continue
            self._take(number, live, found)
            saved = self.nodes[number].children
            present = {k: v for k, v in edges(live) if isinstance(v, Variable | Tracked | list | tuple | dict)}
            asked = live
            for edge, child in saved.items():
                if edge not in present and self._worth[child]:
                    asked = await_child(asked, edge, _Awaited(self, child))
            if asked is not live:
                self._replaced[id(live)] = asked
                replace(owner, name, live, asked)
                self.objects.put(number, asked)
            queue.extend((child, present[edge], asked, edge) for edge, child in saved.items() if edge in present)

    def _current(self, live: Any, owner: Any, name: str) -> Any:
        """The list or dict that took this one's place, put here as well; else the object itself."""
        found = self._replaced.get(id(live))
        if found is None or found.original is not live:
            return live
        replace(owner, name, live, found)
        return found

    def _bind(self, number: int, live: Any) -> bool:
        """Whether an object is new for a node. Several paths may lead to one."""
        self.objects.saw(live)
        known = self.objects.get(number)
        if known is None:
            self.objects.put(number, live)
            return True
        if known is not live:
            log.warning(
                "Inconsistent references when loading the checkpoint into this object graph: one saved object would "
                "become two here, %s and %s. The first has its value.",
                named(known),
                named(live),
            )
        return False

    def _take(self, number: int, live: Any, found: _Found) -> None:
        """Note an object's value, unless a later restore has given it one."""
        node = self.nodes[number]
        fit = _takes(live, node)
        if not fit:
            self._misfits.add(number)
        before = restored_by(live)
        if before >= self.order:
            return
        if isinstance(live, Variable) and node.tensor is not None:
            entry = self._tensors[node.tensor]
            if self._fits(live, entry, node.tensor):
                found.variables.append((live, entry))
        elif fit and isinstance(live, Stateful) and node.has_state:
            found.states.append((live, node.state))
        found.before.append((live, before))
        _mark(live, self.order)

    def _fits(self, variable: Variable, entry: Entry, key: str) -> bool:
        """Whether a value can be assigned. Raises ValueError when it cannot, unless such variables are to be spared."""
        if variable.dtype is not entry.dtype:
            raise ValueError(
                f"the variable {variable.name!r} has dtype {variable.dtype.name}, the checkpoint's {key!r} "
                f"{entry.dtype.name}"
            )
        if variable.shape.is_compatible_with(entry.shape):
            return True
        text = (
            f"Received incompatible tensor with shape {entry.shape} when attempting to restore variable with shape "
            f"{tuple(variable.shape)} and name {variable.name}: the checkpoint's {key!r}"
        )
        if not self._spare_shapes:
            raise ValueError(text)
        log.warning("%s. It keeps its value.", text)
        return False

    # --- values ------------------------------------------------------------------------------------------------------

    def _verify(self, found: _Found) -> None:
        """Read the values once, so that none is assigned if another is damaged."""
        entries = [entry for _, entry in found.variables]
        if entries:
            with progress_bar("checking", sum(e.nbytes for e in entries)) as progress:
                self._place.verify(self._data, self._size, entries, progress)

    def _assign(self, found: _Found) -> None:
        """Give the values, of which nothing is wrong."""
        for variable, entry in found.variables:
            variable.assign(self._place.load(self._data, entry))
        if found.variables:
            self._place.settle()
        for live, state in found.states:
            live._restore_state(state)

    def value_of(self, live: Any) -> Any:
        """The value that a variable got from this restore, where it is small and known here; else None."""
        for number, node in enumerate(self.nodes):
            if node.tensor is not None and self.objects.get(number) is live and restored_by(live) == self.order:
                found = self._place.load(self._data, self._tensors[node.tensor])
                return None if isinstance(found, Tensor) else found
        return None

    # --- what is left ------------------------------------------------------------------------------------------------

    def unmatched(self) -> Iterator[tuple[int, str]]:
        """The nodes with values that have no object that takes such, and their names."""
        names = self._names()
        for number, node in enumerate(self.nodes):
            if node.has_value and (number not in self.objects or number in self._misfits):
                yield number, names.get(number, "?")

    def _names(self) -> dict[int, str]:
        """Each node as the path from the root."""
        names = {0: "(root)"}
        queue = deque([0])
        while queue:
            number = queue.popleft()
            for edge, child in self.nodes[number].children.items():
                if child not in names:
                    names[child] = f"{names[number]}.{edge}"
                    queue.append(child)
        return names

    def __del__(self) -> None:
        if sys is None or sys.is_finalizing() or self.expect_partial:
            return
        left = [name for _, name in self.unmatched()]
        if left:
            log.warning(
                "A checkpoint was restored, and no object was found for %d of its values: %s%s. If that is meant, say "
                "`status.expect_partial()`; `status.assert_consumed()` raises an error instead.",
                len(left),
                ", ".join(left[:10]),
                ", ..." if len(left) > 10 else "",
            )


@dataclass
class _Found:
    """What a match has found: the values to be given, and which restore gave the objects' values before."""

    variables: list[tuple[Variable, Entry]] = field(default_factory=list)
    states: list[tuple[Stateful, Any]] = field(default_factory=list)
    before: list[tuple[Any, int]] = field(default_factory=list)


class _Awaited:
    """A node that waits for its object."""

    def __init__(self, restoration: Restoration, number: int) -> None:
        self._restoration = restoration
        self._number = number
        self.order = restoration.order

    def arrive(self, owner: Any, name: str, child: Any) -> None:
        """The object is there."""
        if not self._restoration.cancelled:
            self._restoration.match(self._number, child, owner, name)


class _Objects:
    """Objects by node, and all that were seen, by identity; those that can be referred to weakly don't live longer for
    it.
    """

    def __init__(self) -> None:
        self._by_node: dict[int, Any] = {}
        self._seen: dict[int, Any] = {}

    def put(self, number: int, live: Any) -> None:
        self._by_node[number] = _reference(live)

    def get(self, number: int) -> Any:
        found = self._by_node.get(number)
        return None if found is None else found()

    def saw(self, live: Any) -> None:
        self._seen[id(live)] = _reference(live)

    def __contains__(self, number: int) -> bool:
        return number in self._by_node

    def __len__(self) -> int:
        return len(self._by_node)

    def unbound(self) -> list[Any]:
        """What was seen and is no node's object."""
        bound = {id(self.get(n)) for n in self._by_node}
        found = [r() for r in self._seen.values()]
        return [live for live in found if live is not None and id(live) not in bound]


def _reference(live: Any) -> Any:
    return weakref.ref(live) if isinstance(live, Variable | Tracked) else lambda: live


def _worth(index: Index) -> list[bool]:
    """For each node whether it, or one below it, has a value: others are not worth waiting for."""
    above: list[list[int]] = [[] for _ in index.nodes]
    for number, node in enumerate(index.nodes):
        for child in node.children.values():
            above[child].append(number)
    found = [False] * len(index.nodes)
    queue = deque(n for n, node in enumerate(index.nodes) if node.has_value)
    while queue:
        number = queue.popleft()
        if not found[number]:
            found[number] = True
            queue.extend(above[number])
    return found


def _takes(live: Any, node: Node) -> bool:
    """Whether an object is of the kind whose value a node has, if it has one."""
    if node.has_state:
        return isinstance(live, Stateful) and live._state_kind == node.kind
    return node.tensor is None or isinstance(live, Variable)


def named(live: Any) -> str:
    """An object in a message."""
    return f"the variable {live.name!r}" if isinstance(live, Variable) else f"a {type(live).__name__}"
