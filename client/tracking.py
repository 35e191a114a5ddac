"""Which objects belong to an object: the layers, variables and metrics in its attributes, also in lists and dicts.

Owns: `Tracked`, `Stateful`, `children`, and what waits for a child that is not there yet. Does not know what a layer
does, nor files. The names of the edges are those of the attributes, list positions and dict keys, so that a checkpoint
can find everything again.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final, Protocol

from client.variable import Variable

_PLAIN = (str, bytes, int, float, bool, type(None))
_WAITING: Final = "_self_waiting"


class Tracked:
    """What `children` finds in attributes and containers: layers, models, modules, metrics, optimizers.

    Attributes whose names start with `_self_` or `_untracked_` are not looked at.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if _WAITING in self.__dict__:
            settle(self)

    def _edges(self) -> Iterator[tuple[str, Any]]:
        """The named values in which its children are."""
        for name, value in self.__dict__.items():
            if not name.startswith(("_self_", "_untracked_")):
                yield name, value

    def _checkpoint_edges(self) -> Iterator[tuple[str, Any]]:
        """The named values by which a checkpoint finds its children."""
        return self._edges()


class Stateful(Tracked):
    """What has a state on the client that checkpoints keep: plain numbers, texts, lists and dicts. `_state_kind` says
    whose: only objects of that kind can have it.
    """

    _state_kind: ClassVar[str]

    def _checkpoint_state(self) -> Any:
        raise NotImplementedError

    def _restore_state(self, state: Any) -> None:
        raise NotImplementedError


def children(owner: Any) -> Iterator[tuple[str, Any]]:
    """The variables, tracked objects and containers of them that belong to `owner`, by name, each once."""
    for name, value in edges(owner):
        if isinstance(value, Variable | Tracked) or (isinstance(value, list | tuple | dict) and holds(value)):
            yield name, value


def edges(owner: Any) -> Iterable[tuple[str, Any]]:
    """All named values in which a checkpoint looks for children."""
    if isinstance(owner, Tracked):
        return owner._checkpoint_edges()
    if isinstance(owner, Mapping):
        return ((str(k), v) for k, v in owner.items())
    if isinstance(owner, list | tuple):  # a named tuple's members go by both names, as those of a dict and of a list
        return (*zip(getattr(owner, "_fields", ()), owner, strict=False), *((str(i), v) for i, v in enumerate(owner)))
    return ()


def and_unheld(found: Iterable[tuple[str, Any]], variables: Iterable[Any], name: str) -> Iterator[tuple[str, Any]]:
    """Edges, and then those of `variables` that none of them leads to, as `name` and their positions."""
    held: set[int] = set()
    for edge in found:
        held.update(id(each) for each in members(edge[1]))
        yield edge
    for i, variable in enumerate(variables):
        if id(variable) not in held:
            yield f"{name}_{i}", variable


def holds(value: Any) -> bool:
    """Whether a container has a variable or tracked object in it, however deep."""
    if isinstance(value, Variable | Tracked):
        return True
    if isinstance(value, Mapping):
        return any(map(holds, value.values()))
    return isinstance(value, list | tuple) and any(map(holds, value))


def members(value: Any) -> Iterator[Any]:
    """The variables and tracked objects in a value: itself, or what its containers hold, in order."""
    if isinstance(value, _PLAIN):
        return
    if isinstance(value, Variable | Tracked):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from members(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from members(each)


# --- children that come later ----------------------------------------------------------------------------------------


class Waiting(Protocol):
    """What a checkpoint has for a child that is not there yet."""

    order: int
    """Of several for one child, the one with the highest comes first."""

    def arrive(self, owner: Any, name: str, child: Any) -> None:
        """The child is there."""


def await_child(owner: Any, name: str, waiting: Waiting) -> Any:
    """Have `waiting` told when `owner` gets a child called `name`.

    A plain list or dict cannot tell: one that does has to take its place, and is given; else the owner itself.
    """
    if not isinstance(owner, Tracked | _Telling):
        telling = _TELLING.get(type(owner))
        if telling is None:
            return owner  # a tuple gets no children any more, and a container of the user's own kind stays as it is
        owner = telling(owner)
    owner.__dict__.setdefault(_WAITING, {}).setdefault(name, []).append(waiting)
    return owner


def settle(owner: Any) -> None:
    """Give children that are there now what has waited for them."""
    if not owner.__dict__.get(_WAITING):
        return
    for name, child in list(edges(owner)):
        arrived(owner, name, child)


def waiting_for(owner: Any) -> dict[str, list[Waiting]]:
    """What waits for children of an object, by their names."""
    return getattr(owner, "__dict__", {}).get(_WAITING, {})  # type: ignore[no-any-return]


def arrived(owner: Any, name: str, child: Any) -> None:
    """Give a child what has waited for it."""
    if not isinstance(child, Variable | Tracked | list | tuple | dict):
        return
    for each in sorted(waiting_for(owner).pop(name, ()), key=lambda w: -w.order):
        each.arrive(owner, name, child)


def replace(owner: Any, name: str, old: Any, new: Any) -> None:
    """Put another container in the place of a child."""
    if isinstance(owner, dict):
        key = next(k for k, v in owner.items() if v is old and str(k) == name)
        dict.__setitem__(owner, key, new)
    elif isinstance(owner, list):
        list.__setitem__(owner, int(name), new)
    elif isinstance(owner, Tracked) and owner.__dict__.get(name) is old:
        setattr(owner, name, new)


class _Telling:
    """A container in the place of `original`, which a checkpoint has more children for than it holds."""

    def __init__(self, original: Any = ()) -> None:
        super().__init__(original)  # type: ignore[call-arg]
        self.original = original
        self._held = list(edges(original))

    def check(self) -> None:
        """Raise ValueError if the one whose place it took was changed since: that would be lost."""
        now = list(edges(self.original))
        if [(k, id(v)) for k, v in now] != [(k, id(v)) for k, v in self._held]:
            raise ValueError(
                f"Unable to save {self!r:.200}: the {type(self.original).__name__} it was made of was changed beside "
                "it. A checkpoint was restored that has more members for it; since then they have to be added through "
                "the object that owns it."
            )


class TrackedList(_Telling, list):  # type: ignore[type-arg]
    """A list that tells what is added to it."""

    def append(self, value: Any) -> None:
        """As a list's; so are the others."""
        super().append(value)
        arrived(self, str(len(self) - 1), value)

    def extend(self, values: Iterable[Any]) -> None:
        for value in values:
            self.append(value)

    def insert(self, index: Any, value: Any) -> None:
        super().insert(index, value)
        settle(self)

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, value)
        settle(self)

    def __iadd__(self, values: Iterable[Any]) -> TrackedList:  # type: ignore[misc]
        self.extend(values)
        return self


class TrackedDict(_Telling, dict):  # type: ignore[type-arg]
    """A dict that tells what is added to it."""

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        arrived(self, str(key), value)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As a dict's; so are the others."""
        super().update(*args, **kwargs)
        settle(self)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        found = super().setdefault(key, default)
        settle(self)
        return self[key] if found is default else found


class TrackedOrderedDict(TrackedDict, OrderedDict):  # type: ignore[type-arg]
    """An ordered dict that tells what is added to it."""


_TELLING: Final[dict[type, Any]] = {list: TrackedList, dict: TrackedDict, OrderedDict: TrackedOrderedDict}


def snake_case(name: str) -> str:
    """`MeanSquaredError` as `mean_squared_error`, `L2` as `l2`."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
