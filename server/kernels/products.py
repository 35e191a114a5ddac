"""Kernels of the products. Everything that sums products ends in `_matmul`, which is the library's matrix product.

An einsum is planned once for an equation and shapes: which operands to contract in which order, laid out how.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from protocol.attrs import Ints
from protocol.einsum import ELLIPSIS, Label, axis_labels, parse
from server.kernels import room
from server.kernels.precision import wide, widened
from server.kernels.registry import kernel

_FEW = 1 << 14  # multiplications up to which NumPy's loop over integers is good enough


def _matmul(xp: Any, a: Any, b: Any) -> Any:
    if b.ndim == 2 and a.ndim > 2 and a.size:
        # One product of a tall matrix is much faster than many of small ones.
        return _matmul(xp, a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[-1])
    if xp is np and a.dtype.kind in "iu" and a.size * b.shape[-1] > _FEW and b.size and _exact_in_double(a, b):
        # NumPy has no fast product of integers. By way of int64, as only integers wrap around when they are cast.
        return np.matmul(a.astype(np.float64), b.astype(np.float64)).astype(np.int64).astype(a.dtype, copy=False)
    return xp.matmul(a, b)


def _exact_in_double(a: Any, b: Any) -> bool:
    """Whether no sum of products of these integers can leave the range in which float64 holds every integer."""
    largest = [max(abs(int(x.min())), abs(int(x.max()))) for x in (a, b)]
    return largest[0] * largest[1] * a.shape[-1] <= 2**53


def _swapped(xp: Any, x: Any, transpose: bool, adjoint: bool) -> Any:
    if adjoint and x.dtype.kind == "c":
        x = xp.conj(x)
    return xp.swapaxes(x, -1, -2) if transpose or adjoint else x


def _run_matmul(
    xp: Any,
    a: Any,
    b: Any,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
) -> Any:
    return _matmul(xp, _swapped(xp, a, transpose_a, adjoint_a), _swapped(xp, b, transpose_b, adjoint_b))


def _tensordot(xp: Any, a: Any, b: Any, *, a_axes: Ints, b_axes: Ints) -> Any:
    a_axes, b_axes = (tuple(i % x.ndim for i in axes) for x, axes in ((a, a_axes), (b, b_axes)))
    a_free, b_free = (tuple(i for i in range(x.ndim) if i not in axes) for x, axes in ((a, a_axes), (b, b_axes)))
    inner = prod(a.shape[i] for i in a_axes)
    left = a.transpose(a_free + a_axes).reshape(prod(a.shape[i] for i in a_free), inner)
    right = b.transpose(b_axes + b_free).reshape(inner, prod(b.shape[i] for i in b_free))
    return _matmul(xp, left, right).reshape((*(a.shape[i] for i in a_free), *(b.shape[i] for i in b_free)))


Dims: TypeAlias = dict[Label, int]
"""The labels of an operand's axes, in order, with their dims."""


class Layout(NamedTuple):
    """How to bring an operand into the form that a step wants: sum over axes, reorder the others, reshape."""

    summed: Ints
    order: Ints
    shape: Ints

    def apply(self, x: Any) -> Any:
        if self.summed:
            x = x.sum(axis=self.summed, dtype=x.dtype)
        return x.transpose(self.order).reshape(self.shape)


class Step(NamedTuple):
    """One contraction: operands number `left` and `right` leave the list, their product joins its end."""

    left: int
    right: int
    left_layout: Layout
    right_layout: Layout
    outer: bool  # nothing is summed over
    shape: Ints


class Plan(NamedTuple):
    """How to compute an einsum: the pairs of axes of each operand to take diagonals over, the steps, the result."""

    diagonals: tuple[tuple[tuple[int, int], ...], ...]
    steps: tuple[Step, ...]
    result: Layout


def _einsum(xp: Any, *inputs: Any, equation: str) -> Any:
    plan = _plan(equation, tuple(x.shape for x in inputs))
    operands = list(inputs)
    for i, pairs in enumerate(plan.diagonals):
        for first, second in pairs:
            operands[i] = xp.diagonal(operands[i], axis1=first, axis2=second)
    for left, right, left_layout, right_layout, outer, shape in plan.steps:
        room.ask(shape, inputs[0].dtype)
        b, a = right_layout.apply(operands.pop(right)), left_layout.apply(operands.pop(left))
        operands.append((a * b if outer else _matmul(xp, a, b)).reshape(shape))
    return plan.result.apply(operands[0])


@lru_cache(maxsize=1024)
def _plan(equation: str, shapes: tuple[Ints, ...]) -> Plan:
    terms, result = parse(equation)
    found = [_distinct(axis_labels(t, len(s)), s) for t, s in zip(terms, shapes, strict=True)]
    operands = [dims for _, dims in found]
    hidden = {label for o in operands for label in o if type(label) is int}
    wanted = axis_labels(result, len(result.replace(ELLIPSIS, "")) + len(hidden))
    steps = []
    while len(operands) > 1:
        left, right = _cheapest_pair(operands, wanted)
        b, a = operands.pop(right), operands.pop(left)
        step, product = _contraction(left, right, a, b, set(wanted).union(*operands))
        steps.append(step)
        operands.append(product)
    return Plan(tuple(pairs for pairs, _ in found), tuple(steps), _layout(operands[0], set(wanted), wanted))


def _distinct(labels: tuple[Label, ...], shape: Ints) -> tuple[tuple[tuple[int, int], ...], Dims]:
    """The pairs of axes over which an operand's diagonal leaves no label twice, and what it is then."""
    axes, pairs = list(zip(labels, shape, strict=True)), []
    while len({label for label, _ in axes}) < len(axes):
        second = next(i for i, axis in enumerate(axes) if axis in axes[:i])
        first = axes.index(axes[second])
        pairs.append((first, second))
        axes = [*(axis for i, axis in enumerate(axes) if i not in (first, second)), axes[second]]
    return tuple(pairs), dict(axes)


def _joined(a: Dims, b: Dims) -> Dims:
    """The labels of two operands with the dims that they broadcast to."""
    return a | {label: a[label] if d == 1 and label in a else d for label, d in b.items()}


def _cheapest_pair(operands: Sequence[Dims], wanted: Iterable[Label]) -> tuple[int, int]:
    """Which two of the first few operands to contract next: those whose product adds the fewest elements."""

    def growth(pair: tuple[int, int]) -> int:
        a, b = (operands[i] for i in pair)
        kept = set(wanted).union(*(o for i, o in enumerate(operands) if i not in pair))
        return prod(d for m, d in _joined(a, b).items() if m in kept) - prod(a.values()) - prod(b.values())

    return min(combinations(range(min(len(operands), 8)), 2), key=growth)


def _contraction(left: int, right: int, a: Dims, b: Dims, kept: set[Label]) -> tuple[Step, Dims]:
    """The product of two operands, summed over the labels that are not `kept`, as one matrix product."""
    shared = [m for m in a if m in b]
    # An ellipsis axis of 1 that the other operand broadcasts is a batch axis; matmul broadcasts it too.
    batch, inner = [m for m in shared if m in kept], [m for m in shared if m not in kept]
    rows, columns = ([m for m in x if m in kept and m not in shared] for x in (a, b))
    dims = _joined(a, b)
    product = {m: dims[m] for m in (*batch, *rows, *columns)}
    layouts = _layout(a, kept | set(b), batch, rows, inner), _layout(b, kept | set(a), batch, inner, columns)
    return Step(left, right, *layouts, not inner, tuple(product.values())), product


def _layout(x: Dims, kept: set[Label], each: Sequence[Label], *merged: Sequence[Label]) -> Layout:
    """Summed over the labels not `kept`; then an axis for each label of `each` and one for each group of `merged`."""
    left = [m for m in x if m in kept]
    order = [left.index(m) for group in (each, *merged) for m in group]
    shape = (*(x[m] for m in each), *(prod(x[m] for m in group) for group in merged))
    return Layout(tuple(i for i, m in enumerate(x) if m not in kept), tuple(order), shape)


def _cross(xp: Any, a: Any, b: Any) -> Any:
    (a0, a1, a2), (b0, b1, b2) = (xp.moveaxis(x, -1, 0) for x in (a, b))
    return xp.stack((a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0), axis=-1)


def _in_single(run: Any) -> Any:
    """Halves multiplied and summed in float32. CuPy's products of float16 do so themselves, on tensor cores."""
    single = widened(run)

    def inner(xp: Any, *arrays: Any, **attrs: Any) -> Any:
        native = xp.__name__ == "cupy" and arrays[0].dtype.name == "float16"
        return (run if native or wide(arrays[0]) is arrays[0] else single)(xp, *arrays, **attrs)

    return inner


kernel("matmul", _in_single(_run_matmul))
kernel("tensordot", _in_single(_tensordot))
kernel("einsum", widened(_einsum))
kernel("cross", widened(_cross))
