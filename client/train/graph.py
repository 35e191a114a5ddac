"""The objects below a root as a graph that can be saved: nodes, named edges, variables, states.

Owns: `ObjectGraph`. Does not know files, or how a graph is matched again (`client.train.restoring`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from client.data.dataset import Dataset
from client.tensor import Operand
from client.tracking import Stateful, Tracked, TrackedDict, TrackedList, children, edges, holds
from client.train.bundle import Node, tensor_key
from client.variable import Variable


class ObjectGraph:
    """The graph below `root`, as it is now. `attached` are more named children of the root.

    Attributes:
        nodes: the root first, each other one after one that leads to it.
        objects: the object of each node.
        variables: the variables by the names of their tensors.
    """

    def __init__(self, root: Any, attached: Iterable[tuple[str, Any]] = ()) -> None:
        self.nodes: list[Node] = []
        self.objects: list[Any] = []
        self.variables: dict[str, Variable] = {}
        numbers: dict[int, int] = {}
        names: list[tuple[str, ...]] = []
        queue: deque[int] = deque()

        def number(child: Any, path: tuple[str, ...]) -> int:
            if id(child) not in numbers:
                numbers[id(child)] = len(self.nodes)
                self.nodes.append(Node())
                self.objects.append(child)
                names.append(path)
                queue.append(numbers[id(child)])
            return numbers[id(child)]

        number(root, ())
        while queue:
            i = queue.popleft()
            node, owner = self.nodes[i], self.objects[i]
            if isinstance(owner, Variable):
                node.tensor = tensor_key(names[i])
                self.variables[node.tensor] = owner
                continue
            check_members(owner)
            if isinstance(owner, Stateful):
                node.state, node.kind = owner._checkpoint_state(), owner._state_kind
            for name, child in children(owner):
                node.children[name] = number(child, (*names[i], name))
            if i == 0:
                for name, child in attached:
                    node.children.setdefault(name, number(child, (name,)))


def check_members(owner: Any) -> None:
    """Raise ValueError if members of an object or container would be lost, or could not be found again."""
    for _, value in edges(owner):
        if isinstance(value, TrackedList | TrackedDict):
            value.check()
        if isinstance(value, list | tuple | dict) and not holds(value):  # no node of the graph
            check_members(value)
    if isinstance(owner, Mapping):
        _check_keys([key for key, value in owner.items() if holds(value)])


def _check_keys(keys: Iterable[Any]) -> None:
    names: set[str] = set()
    for key in keys:
        if not isinstance(key, str | int) or str(key) in names:
            raise ValueError(
                f"Unable to save a dict with the key {key!r:.100}: a checkpoint finds its members by keys that are "
                "text or integers, no two of them with the same text"
            )
        names.add(str(key))


def check_trackable(value: Any, name: str) -> None:
    """Raise ValueError unless a checkpoint can follow `value`."""
    if isinstance(value, Operand) and not isinstance(value, Variable):
        kind = "a tensor, whose value does not change: make it a `tf.Variable`"
    elif isinstance(value, Tracked | Variable | Dataset | list | dict) or (isinstance(value, tuple) and _grows(value)):
        return
    else:
        kind = f"{value!r:.100} of type {type(value).__name__}"
    raise ValueError(
        f"`Checkpoint` was expecting {name} to be a trackable object (a variable, module, layer, model, metric, "
        f"optimizer, dataset iterator or random generator, or lists and dicts of them), but got {kind}"
    )


def check_root(value: Any) -> None:
    """Raise ValueError unless `value` can be the root of a checkpoint: a container has no attributes to be added to."""
    if isinstance(value, list | tuple | dict):
        raise ValueError(
            f"`Checkpoint` was expecting root to be a trackable object, but got a {type(value).__name__}: give it a "
            "name, as in Checkpoint(parts=[...])"
        )
    check_trackable(value, "root")


def _grows(value: tuple[Any, ...]) -> bool:
    """Whether a tuple has something to follow, now or later."""
    return any(isinstance(v, Tracked | Variable | list | dict) or (isinstance(v, tuple) and _grows(v)) for v in value)
