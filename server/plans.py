"""Ops as a session uses them, with what inference said of their results.

Owns: `Bound`, whose plans are kept for the operands' specs seen so far, with its count of runs and their time; and
`Missing`. Does not know values, devices or when an op runs (`server.executor`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from random import random
from typing import Any, Final, TypeAlias

from protocol.attrs import check_attrs
from protocol.errors import NotFoundError
from protocol.ops import Op
from protocol.spec import Spec

Plan: TypeAlias = tuple[tuple[Spec, ...], int, bool, Mapping[str, Any]]
"""The results' specs, their bytes as far as known before the kernel runs, whether a run is small, and the attributes
that were checked: those of a later run are equal to them, as True is to 1, but may be of a type that the op refuses.
"""

_MAX_PLANS: Final = 1024
_MAX_KEPT: Final = 256
"""Operands, results and values in attributes of a plan that is kept: a client could make each as large as a frame."""
_SMALL: Final = 4096
"""Bytes of each operand and of the results up to which a run is small: the clock would be a tenth of its time."""
_EVERY: Final = 16
"""Of so many small runs one is timed."""


class Bound:
    """An op that a session uses: its kernel, and what inference said for the operands seen so far.

    `count` is of its runs, and `nanoseconds` what they took in the kernel: measured where they are large, and of small
    ones estimated from some, drawn by chance, so that the steps of a loop are met alike.
    """

    __slots__ = ("_floats", "_stands_for", "count", "due", "kernel", "nanoseconds", "op", "plans", "several")

    def __init__(self, op: Op, kernel: Callable[..., Any]) -> None:
        self.op = op
        self.kernel = kernel
        self.several = False  # whether the op gives a tuple, of one result too
        self.plans: dict[Any, Plan] = {}
        self.count = self.nanoseconds = 0
        self.due = 1  # the count at which the next small run is timed
        self._stands_for = 1
        self._floats = tuple(a.name for a in op.attrs.values() if a.takes_float)

    def timed(self, nanoseconds: int, small: bool) -> None:
        """Note how long a run took. A small one stands for those before it that were not timed."""
        if small:
            self.nanoseconds += nanoseconds * self._stands_for
            self._stands_for = 1 + int(random() * (2 * _EVERY - 1))
            self.due = self.count + self._stands_for
        else:
            self.nanoseconds += nanoseconds
            self.due += 1

    def plan_for(self, specs: tuple[Spec, ...], attrs: Mapping[str, Any]) -> Plan:
        """What is known before the kernel runs. Raises as inference does."""
        key: Any = (specs, tuple(attrs.items())) if attrs else specs
        try:
            found = self.plans.get(key)
        except TypeError:
            raise TypeError(f"{self.op.name}: malformed attributes {dict(attrs)!r:.200}") from None
        if found is None:
            check_attrs(self.op.attrs, attrs, self.op.name)  # what inference remembers may be for equal ones
            inferred = self.op.infer(specs, attrs)
            self.several = not isinstance(inferred, Spec)
            results = inferred if self.several else (inferred,)
            size = sum(spec.nbytes for spec in results if spec.is_static)
            size += sum(_along(spec) for spec in (*specs, *results) if spec.is_static and not spec.nbytes)
            small = all(spec.is_static and spec.nbytes <= _SMALL for spec in (*specs, *results))
            found = results, size, small, attrs
            if len(specs) + len(results) + _size_of(attrs) <= _MAX_KEPT:
                if len(self.plans) >= _MAX_PLANS:
                    self.plans.clear()
                self.plans[key] = found
        elif self._floats and attrs is not found[3]:
            found = (*found[:3], self._exact(found[3], attrs))
        return found

    def _exact(self, checked: Mapping[str, Any], given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The checked attributes with the zeros' signs as given: 0.0 is equal to -0.0 too."""
        zeros = {n: given[n] for n in self._floats if type(given.get(n)) is float is type(checked[n])}
        return {**checked, **zeros} if zeros else checked


def _size_of(attrs: Mapping[str, Any]) -> int:
    """About how many values stand in attributes that inference has accepted."""
    return sum([len(v) for v in attrs.values() if type(v) is tuple or type(v) is str])


class Missing(Bound):
    """A stand-in for an op this server does not know: running it fails that op alone, by name."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(Op(name, ("xs",), ("any",), True, _nothing, (), {}, False, (), "", ""), _nothing)

    def plan_for(self, specs: tuple[Spec, ...], attrs: Mapping[str, Any]) -> Plan:
        name = self.op.name
        raise NotFoundError(f"this server has no op named {name!r}: it may be older than the client", name)


def _along(spec: Spec) -> int:
    """Bytes along the other axes of a tensor without elements: what a kernel may take that counts these."""
    return math.prod(d or 1 for d in spec.shape or () if d is not None) * spec.dtype.size


def _nothing(*_: Any) -> Any:
    raise NotImplementedError
