"""Which objects belong to an object: the layers, variables and metrics in its attributes, also in lists and dicts.

Owns: `children`, `Tracked`. Does not know what a layer does. The names of the edges are those of the attributes, list
positions and dict keys, so that a checkpoint can find everything again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from client.variable import Variable

_PLAIN = (str, bytes, int, float, bool, type(None))


class Tracked:
    """What `children` finds in attributes and containers: layers, models, modules, metrics, optimizers.

    Attributes whose names start with `_self_` or `_untracked_` are not looked at.
    """

    def _edges(self) -> Iterator[tuple[str, Any]]:
        """The named values in which its children are."""
        for name, value in self.__dict__.items():
            if not name.startswith(("_self_", "_untracked_")):
                yield name, value


def children(owner: Any) -> Iterator[tuple[str, Any]]:
    """The variables, tracked objects and containers of them that belong to `owner`, by name, each once."""
    if isinstance(owner, Tracked):
        edges = owner._edges()
    elif isinstance(owner, Mapping):
        edges = ((str(k), v) for k, v in owner.items())
    elif isinstance(owner, list | tuple):
        edges = ((str(i), v) for i, v in enumerate(owner))
    else:
        return
    for name, value in edges:
        if isinstance(value, Variable | Tracked) or (isinstance(value, list | tuple | dict) and holds(value)):
            yield name, value


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


def snake_case(name: str) -> str:
    """`MeanSquaredError` as `mean_squared_error`, `L2` as `l2`."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
