"""What gradient rules are written in: terms, whose operators emit ops.

Owns: `Term`, `Slices`, `ops` and the helpers that rules share. Does not know which side emits, or what a value is
there.

A term stands for a value on the server or for a proxy on the client; only `spec` can be asked of it. Python's numbers
take the dtype of the term they meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import numpy as np

from protocol.spec import Spec


class Emitter(Protocol):
    """Runs ops for a backward pass."""

    def run(self, name: str, operands: tuple[Any, ...], attrs: Mapping[str, Any]) -> Any:
        """Run an op on terms and arrays: a term, or a tuple of them for an op with several results. An attribute may
        be a term too.
        """

    def term(self, value: Any, spec: Spec) -> Term:
        """A term for what a tape kept."""

    def dims(self, term: Term) -> tuple[int, ...]:
        """The dims of a term, all known."""

    def attribute(self, value: Any, plain: bool) -> Any:
        """An attribute as recorded. One that is a tensor becomes its value if `plain`, else a term to hand on."""


def _term(found: Any) -> Term:
    assert type(found) is Term
    return found


Number: TypeAlias = int | float | complex


class Term:
    """A value within a gradient rule. `value` is the emitter's own, None where the tape kept none."""

    __slots__ = ("emitter", "spec", "value")

    def __init__(self, value: Any, spec: Spec, emitter: Emitter) -> None:
        self.value = value
        self.spec = spec
        self.emitter = emitter

    def __add__(self, other: Term | Number) -> Term:
        return _term(run("add", self, other))

    __radd__ = __add__

    def __mul__(self, other: Term | Number) -> Term:
        return _term(run("multiply", self, other))

    __rmul__ = __mul__

    def __sub__(self, other: Term | Number) -> Term:
        return _term(run("subtract", self, other))

    def __rsub__(self, other: Number) -> Term:
        return _term(run("subtract", other, self))

    def __truediv__(self, other: Term | Number) -> Term:
        return _term(run("divide", self, other))

    def __rtruediv__(self, other: Number) -> Term:
        return _term(run("divide", other, self))

    def __neg__(self) -> Term:
        return _term(run("negative", self))


Shape: TypeAlias = tuple[int, ...] | Term
"""A shape to hand on to an op."""


class Slices(NamedTuple):
    """A gradient that is zero but in some rows: `values[i]` belongs to row `indices[i]` of a tensor of `spec`."""

    values: Term
    indices: Term
    spec: Spec


def run(name: str, *operands: Any, **attrs: Any) -> Any:
    """Emit an op. A Python number among the operands takes the dtype of the first term."""
    for first in operands:
        if type(first) is Term:
            break
    else:
        raise TypeError(f"{name} needs a term among its operands")
    dtype = first.spec.dtype.numpy
    lifted = tuple([np.asarray(o, dtype) if isinstance(o, int | float | complex) else o for o in operands])
    return first.emitter.run(name, lifted, attrs)


class _Ops:
    """The ops by name: `ops.matmul(a, b, transpose_a=True)`; `run` for those with several results."""

    def __getattr__(self, name: str) -> Callable[..., Term]:
        def emit(*operands: Any, **attrs: Any) -> Term:
            return _term(run(name, *operands, **attrs))

        self.__dict__[name] = emit
        return emit


ops: Final = _Ops()


def shape(x: Term) -> Shape:
    """The shape of a term, to hand on to an op."""
    if x.spec.is_static:
        return x.spec.shape  # type: ignore[return-value]
    return _term(run("shape", x))


def dims(x: Term) -> tuple[int, ...]:
    """The shape of a term, to compute with."""
    return x.spec.shape if x.spec.is_static else x.emitter.dims(x)  # type: ignore[return-value]


def rank(x: Term) -> int:
    """How many axes a term has."""
    return x.spec.rank if x.spec.rank is not None else len(dims(x))


def size(x: Term, axis: int) -> int:
    """The length of one axis of a term; only if that one is unknown this waits."""
    known = None if x.spec.shape is None else x.spec.shape[axis]
    return dims(x)[axis] if known is None else known


def length(shape: Shape) -> int:
    """The rank that a shape to hand on stands for."""
    return len(shape) if isinstance(shape, tuple) else size(shape, 0)


def entry(shape: Shape, axis: int) -> int | Term:
    """One entry of a shape, to hand on."""
    if isinstance(shape, tuple):
        return shape[axis]
    end = axis + 1
    return _term(run("strided_slice", shape, begin=(axis,), end=(end,), strides=(1,), shrink_axis_mask=1))


def to_shape(g: Term, wanted: Shape) -> Term:
    """`g` summed over the axes along which a tensor of shape `wanted` was broadcast."""
    if g.spec.shape == wanted:
        return g
    return _term(run("sum_to_shape", g, shape=wanted))


def reshape(g: Term, wanted: Shape) -> Term:
    """`g` in another shape."""
    if g.spec.shape == wanted:
        return g
    return _term(run("reshape", g, shape=wanted))


def conj(x: Term) -> Term:
    """The complex conjugate; a real term as it is."""
    return _term(run("conj", x)) if x.spec.dtype.is_complex else x


def cast(x: Term, dtype: Any) -> Term:
    """`x` in another dtype."""
    return x if x.spec.dtype is dtype else _term(run("cast", x, dtype=dtype))


def zeros_like(x: Term) -> Term:
    """Zeros of a term's shape and dtype."""
    return _term(run("zeros_like", x))


def where(condition: Term, x: Term | Number, y: Term | Number) -> Term:
    """`x` where the condition holds, else `y`; a number takes the other's dtype."""
    like = x if type(x) is Term else y
    assert type(like) is Term
    x, y = (v if type(v) is Term else np.asarray(v, like.spec.dtype.numpy) for v in (x, y))  # type: ignore[assignment]
    return _term(run("select", condition, x, y))
