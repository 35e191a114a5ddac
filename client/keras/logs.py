"""The values that training hands to callbacks: on the server until somebody looks.

Owns: `Logs`, a dict whose numbers are read when used, all of one dict in one round trip; `read`, which reads now. Does
not know who makes the values or looks at them.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from client.reading import Pending, fetch
from client.tensor import Operand


class Group:
    """Tensors that are read together: the first that is looked at brings all."""

    __slots__ = ("_pending", "_tensors", "_values")

    def __init__(self, tensors: list[Operand]) -> None:
        self._tensors = tensors
        self._pending: Pending | None = None
        self._values: list[Any] | None = None

    def start(self) -> Group:
        """Let the values come; nothing waits."""
        if self._pending is None and self._values is None:
            self._pending = Pending(self._tensors)
        return self

    @property
    def arrived(self) -> bool:
        """Whether looking does not wait."""
        return self._values is not None or (self._pending is not None and self._pending.arrived)

    def wait(self, timeout: float) -> bool:
        """Whether the values that were started arrived within some seconds."""
        return self._values is not None or (self._pending is not None and self._pending.wait(timeout))

    def values(self) -> list[Any]:
        """The values; one wait unless they have arrived."""
        if self._values is None:
            if self._pending is not None:
                self._values = self._pending.values()
            else:
                found = fetch(*self._tensors)
                self._values = found if len(self._tensors) > 1 else [found]
            self._pending = None
            self._tensors = []  # the server may drop them
        return self._values


def _binary(function: Callable[[Any, Any], Any]) -> Any:
    return lambda self, other: function(float(self), float(other) if isinstance(other, LogNumber) else other)


def _swapped(function: Callable[[Any, Any], Any]) -> Any:
    return lambda self, other: function(other, float(self))


class LogNumber(numbers.Real):
    """A number that is read when it is used: by `float`, formatting, comparison or arithmetic, which give floats."""

    __slots__ = ("_group", "_index")

    def __init__(self, group: Group, index: int) -> None:
        self._group = group
        self._index = index

    def __float__(self) -> float:
        return float(self._group.values()[self._index])

    def numpy(self) -> np.ndarray[Any, Any] | np.generic:
        """The value as a NumPy scalar."""
        return self._group.values()[self._index]  # type: ignore[no-any-return]

    def _remote(self) -> Any:
        """What a summary takes, which does not look: the tensor it is read from, the value once that was read."""
        tensors = self._group._tensors
        return tensors[self._index] if tensors else self.numpy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.asarray(float(self), dtype)

    def __repr__(self) -> str:
        return repr(float(self))

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(float(self), spec)

    def __bool__(self) -> bool:
        return bool(float(self))

    def __int__(self) -> int:
        return int(float(self))

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(float(self))

    def __round__(self, ndigits: int | None = None) -> Any:
        return round(float(self), ndigits)

    def __abs__(self) -> float:
        return abs(float(self))

    def __neg__(self) -> float:
        return -float(self)

    def __pos__(self) -> float:
        return float(self)

    def __trunc__(self) -> int:
        return math.trunc(float(self))

    def __floor__(self) -> int:
        return math.floor(float(self))

    def __ceil__(self) -> int:
        return math.ceil(float(self))

    __eq__ = _binary(operator.eq)
    __lt__ = _binary(operator.lt)
    __le__ = _binary(operator.le)
    __gt__ = _binary(operator.gt)
    __ge__ = _binary(operator.ge)
    __add__ = _binary(operator.add)
    __radd__ = _swapped(operator.add)
    __sub__ = _binary(operator.sub)
    __rsub__ = _swapped(operator.sub)
    __mul__ = _binary(operator.mul)
    __rmul__ = _swapped(operator.mul)
    __truediv__ = _binary(operator.truediv)
    __rtruediv__ = _swapped(operator.truediv)
    __floordiv__ = _binary(operator.floordiv)
    __rfloordiv__ = _swapped(operator.floordiv)
    __mod__ = _binary(operator.mod)
    __rmod__ = _swapped(operator.mod)
    __pow__ = _binary(operator.pow)
    __rpow__ = _swapped(operator.pow)


class Logs(dict[str, Any]):
    """Values by name, sorted, dicts within them flattened: scalar tensors stand as `LogNumber`s of one group."""

    group: Group

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        tensors: list[Operand] = []
        self.group = Group(tensors)
        for name, value in flattened(values or {}).items():
            if isinstance(value, Operand) and value._spec.shape == ():
                self[name] = LogNumber(self.group, len(tensors))
                tensors.append(value)
            else:
                self[name] = value

    def start(self) -> Logs:
        """Let the values come; nothing waits."""
        if self.group._tensors:
            self.group.start()
        return self

    @property
    def arrived(self) -> bool:
        """Whether looking at its numbers does not wait."""
        return self.group.arrived or not self.group._tensors


def flattened(values: Mapping[str, Any]) -> dict[str, Any]:
    """By name, sorted; a dict among the values gives its own entries."""
    found: dict[str, Any] = {}
    for name, value in sorted(values.items()):
        if isinstance(value, Mapping):
            found.update(flattened(value))
        else:
            found[name] = value
    return found


def read(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as Python floats and NumPy arrays, in one wait for all tensors among them."""
    found = flattened(values)
    remote = {name: value for name, value in found.items() if isinstance(value, Operand)}
    if remote:
        fetched = fetch(*remote.values())
        found.update(zip(remote, fetched if len(remote) > 1 else [fetched], strict=True))
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, LogNumber | np.generic | int | float) or (isinstance(value, np.ndarray) and value.size == 1):
        return float(np.asarray(value).reshape(()))
    return value
