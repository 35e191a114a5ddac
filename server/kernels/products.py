"""Kernels of the products. Everything that sums products ends in `_matmul`, which is the library's matrix product."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import prod
from typing import Any, NamedTuple

from protocol.attrs import Ints
from protocol.einsum import Label, axis_labels, parse
from server.kernels.precision import wide, widened
from server.kernels.registry import kernel


def _swapped(xp: Any, x: Any, transpose: bool, adjoint: bool) -> Any:
    if adjoint and x.dtype.kind == "c":
        x = xp.conj(x)
    return xp.swapaxes(x, -1, -2) if transpose or adjoint else x


def _matmul(xp: Any, a: Any, b: Any) -> Any:
    if b.ndim == 2 and a.ndim > 2 and a.size:
        # One product of a tall matrix is much faster than many of small ones.
        return (a.reshape(-1, a.shape[-1]) @ b).reshape(*a.shape[:-1], b.shape[-1])
    return xp.matmul(a, b)


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
    return xp.tensordot(a, b, axes=(a_axes, b_axes))


class Operand(NamedTuple):
    """An array and the label of each of its axes."""

    array: Any
    labels: tuple[Label, ...]

    @property
    def dims(self) -> dict[Label, int]:
        return dict(zip(self.labels, self.array.shape, strict=True))


def _einsum(xp: Any, *inputs: Any, equation: str) -> Any:
    terms, result = parse(equation)
    operands = [_without_repeats(xp, Operand(x, axis_labels(t, x.ndim))) for t, x in zip(terms, inputs, strict=True)]
    hidden = {label for o in operands for label in o.labels if type(label) is int}
    wanted = axis_labels(result, len(result.replace(".", "")) + len(hidden))
    while len(operands) > 1:
        left, right = _cheapest_pair(operands, wanted)
        others = [o for i, o in enumerate(operands) if i not in (left, right)]
        kept = set(wanted).union(*(o.labels for o in others))
        operands = [*others, _contract(xp, operands[left], operands[right], kept)]
    last = _summed(xp, operands[0], set(wanted))
    return last.array.transpose([last.labels.index(label) for label in wanted])


def _without_repeats(xp: Any, x: Operand) -> Operand:
    """The diagonal over the axes that share a label."""
    array, labels = x
    while len(set(labels)) < len(labels):
        second = next(i for i, label in enumerate(labels) if label in labels[:i])
        first = labels.index(labels[second])
        array = xp.diagonal(array, axis1=first, axis2=second)
        labels = (*(m for i, m in enumerate(labels) if i not in (first, second)), labels[second])
    return Operand(array, labels)


def _summed(xp: Any, x: Operand, kept: set[Label]) -> Operand:
    """`x` summed over the labels that are not `kept`."""
    axes = tuple(i for i, label in enumerate(x.labels) if label not in kept)
    if not axes:
        return x
    return Operand(x.array.sum(axis=axes, dtype=x.array.dtype), tuple(m for m in x.labels if m in kept))


def _cheapest_pair(operands: Sequence[Operand], wanted: Iterable[Label]) -> tuple[int, int]:
    """Which two of the first few operands to contract next: those whose product adds the fewest elements."""
    if len(operands) == 2:
        return 0, 1

    def growth(pair: tuple[int, int]) -> int:
        i, j = pair
        kept = set(wanted).union(*(o.labels for k, o in enumerate(operands) if k not in pair))
        dims = operands[i].dims | {m: max(d, operands[i].dims.get(m, 1)) for m, d in operands[j].dims.items()}
        return prod(d for m, d in dims.items() if m in kept) - operands[i].array.size - operands[j].array.size

    return min(combinations(range(min(len(operands), 8)), 2), key=growth)


def _contract(xp: Any, a: Operand, b: Operand, kept: set[Label]) -> Operand:
    """The product of two operands, summed over the labels that are not `kept`, as one matrix product."""
    a, b = _summed(xp, a, kept | set(b.labels)), _summed(xp, b, kept | set(a.labels))
    # An ellipsis axis of 1 that the other operand broadcasts is a batch axis; matmul broadcasts it too.
    batch = [m for m in a.labels if m in b.labels and m in kept]
    inner = [m for m in a.labels if m in b.labels and m not in kept]
    rows = [m for m in a.labels if m not in b.labels]
    columns = [m for m in b.labels if m not in a.labels]
    left, right = _arranged(a, batch, rows, inner), _arranged(b, batch, inner, columns)
    product = _matmul(xp, left, right) if inner else left * right
    shape = (*product.shape[:-2], *(a.dims[m] for m in rows), *(b.dims[m] for m in columns))
    return Operand(product.reshape(shape), (*batch, *rows, *columns))


def _arranged(x: Operand, batch: list[Label], first: list[Label], second: list[Label]) -> Any:
    """The array with its axes in the order `batch`, `first`, `second`; `first` and `second` are one axis each."""
    dims = x.dims
    array = x.array.transpose([x.labels.index(m) for m in (*batch, *first, *second)])
    return array.reshape(*(dims[m] for m in batch), prod(dims[m] for m in first), prod(dims[m] for m in second))


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
