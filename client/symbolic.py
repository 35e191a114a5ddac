"""Symbolic tensors: they have a dtype and a shape and stand for values of a later call, as in functional Keras models.

Owns: `SYMBOLIC`, a session that computes nothing: an op on one of its tensors gives symbolic results, which remember
the op. `KerasTensor`, `Node`, `symbol`. Does not know layers or models.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from client import nest
from client.tensor import Operand, Tensor
from protocol.errors import FailedPreconditionError, OpError
from protocol.ops import Op
from protocol.spec import Spec


class Node:
    """A call on symbolic tensors: `run(*args, **kwargs)` gave `outputs`. `layer` is None for an op."""

    def __init__(
        self, run: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], layer: Any = None
    ) -> None:
        self.run = run
        self.args = tuple(args)
        self.kwargs = dict(kwargs)
        self.layer = layer
        self.inputs: Any = None
        self.outputs: Any = None

    @property
    def parents(self) -> list[Tensor]:
        """The symbolic tensors among its arguments, in order."""
        return symbols_in((self.args, self.kwargs))


class SymbolicSession:
    """Looks like a session to `client.dispatch`, and records instead of sending."""

    symbolic = True
    several_devices = False
    devices = ("CPU:0",)

    def __init__(self) -> None:
        self.lost: OpError | None = FailedPreconditionError("a symbolic tensor has no value")
        self.ids = itertools.count(2**60)  # no tensor of a server's has such an id
        self.releases = _Nowhere()
        self.bound: dict[str, int] = {}

    def apply(self, op: Op, inputs: Sequence[Operand], attrs: Mapping[str, Any], inferred: Any) -> Any:
        """The results of an op, which remember it."""
        from client.dispatch import execute

        node = Node(lambda *tensors, **given: execute(op, tensors, given), inputs, attrs)
        single = type(inferred) is Spec
        results = tuple([symbol(spec, node) for spec in ((inferred,) if single else inferred)])
        node.outputs = results[0] if single else results
        return node.outputs

    def check(self) -> None:
        """Raise: nothing can be read, sent or waited for."""
        raise TypeError(
            "A symbolic tensor (a KerasTensor) stands for the values of a later call and has none itself: it can't be "
            "read, printed as a number or used in Python's `if`."
        )

    def waiting(self) -> Any:
        """Raise."""
        self.check()

    def start_read(self, *_: Any, **__: Any) -> Any:
        """Raise."""
        self.check()


class _Nowhere(list[int]):
    """Symbolic ids need no release."""

    def append(self, _: int) -> None:
        pass


SYMBOLIC: Final[Any] = SymbolicSession()


class KerasTensor(Tensor):
    """A tensor without a value: operators and functions take it, and whatever needs a value raises."""

    __slots__ = ("_name",)

    _name: str

    @property
    def name(self) -> str:
        """The name of the input it stands for, or a number."""
        return self._name

    if not TYPE_CHECKING:

        def __getitem__(self, key: Any) -> Any:
            from client.indexing import _part

            return _part(self, key)

    def __len__(self) -> int:
        raise TypeError("object of type 'KerasTensor' has no len()")

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError("Iterating over a symbolic KerasTensor is not supported.")

    def __contains__(self, item: Any) -> bool:
        raise TypeError("Looking for a value in a symbolic KerasTensor is not supported.")

    def __bool__(self) -> bool:
        raise TypeError("A symbolic KerasTensor cannot be used as a boolean.")

    def __int__(self) -> int:
        raise _no_value("an int")

    def __index__(self) -> int:
        raise TypeError("A symbolic KerasTensor cannot be used as an index.")

    def __float__(self) -> float:
        raise _no_value("a float")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise _no_value("a NumPy array")

    def numpy(self) -> Any:
        """Raise ValueError: there is no value."""
        raise _no_value("a NumPy array")


def _no_value(wanted: str) -> ValueError:
    return ValueError(
        "A KerasTensor is symbolic: it has a shape and a dtype, and stands for the values of a later call. You cannot "
        f"convert it to {wanted}."
    )


def symbol(spec: Spec, origin: Any, name: str | None = None) -> Tensor:
    """A symbolic tensor that came from `origin`."""
    number = next(SYMBOLIC.ids)
    made = KerasTensor(SYMBOLIC, spec, number)
    made._origin = origin
    made._name = name or f"keras_tensor_{number - 2**60}"
    return made


def is_symbol(value: Any) -> bool:
    """Whether `value` is a symbolic tensor."""
    return type(value) is KerasTensor


def symbols_in(structure: Any) -> list[Tensor]:
    """The symbolic tensors in a structure, in order."""
    return [v for v in nest.flatten(structure) if is_symbol(v)]
