"""Writing elements at indices: the opposites of the gathers in `indexing`."""

from __future__ import annotations

from protocol.attrs import Ints, Unknown
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import NUMERIC, REAL, op
from protocol.ops.rules import shape_from
from protocol.spec import Shape, Spec, format_shape


def _check_updates(indices: Shape, updates: Shape, target: Shape) -> None:
    """`updates` must have a slice of `target` for each row of `indices`."""
    for name, shape in (("Indices", indices), ("Updates", updates)):
        if shape == ():
            raise InvalidArgumentError(f"{name} shape must have rank at least one. Found:[]")
    if indices is None or updates is None:
        return
    outer = len(indices) - 1
    listed = f"Indices shape: {format_shape(indices)}, updates shape:{format_shape(updates)}"
    if len(updates) < outer or not _agree(indices[:-1], updates[:outer]):
        raise InvalidArgumentError(f"Outer dimensions of indices and update must match. {listed}")
    depth = indices[-1]
    if target is None or depth is None:
        return
    if depth > len(target):
        raise InvalidArgumentError(
            f"index innermost dimension length must be <= the rank of the shape {format_shape(target)}; saw: {depth}"
        )
    if not _agree(target[depth:], updates[outer:]):
        raise InvalidArgumentError(
            f"Inner dimensions of output shape must match inner dimensions of updates shape. "
            f"Output: {format_shape(target)} updates: {format_shape(updates)}"
        )


def _agree(a: Shape, b: Shape) -> bool:
    assert a is not None and b is not None
    return len(a) == len(b) and all(x is None or y is None or x == y for x, y in zip(a, b, strict=True))


def _scatter_nd(indices: Spec, updates: Spec, *, shape: Ints | Unknown) -> Spec:
    target = shape_from(shape)
    _check_updates(indices.shape, updates.shape, target)
    return Spec(updates.dtype, target)


def _tensor_scatter(tensor: Spec, indices: Spec, updates: Spec) -> Spec:
    _check_updates(indices.shape, updates.shape, tensor.shape)
    return tensor


op(
    "scatter_nd",
    "indices:index updates",
    infer=_scatter_nd,
    public="scatter_nd",
    doc="Zeros of `shape`, with updates[i] added at the position indices[i]; what is named more than once adds up.",
)
op(
    "tensor_scatter_nd_update",
    "tensor indices:index updates",
    infer=_tensor_scatter,
    public="tensor_scatter_nd_update",
    doc="`tensor` with updates[i] in the place indices[i]. Which one stays of several for one place is not defined.",
)
for _how, _types, _doc in (
    ("add", NUMERIC, "updates[i] added at"),
    ("sub", NUMERIC, "updates[i] subtracted at"),
    ("min", REAL, "the smaller of its value and updates[i] at"),
    ("max", REAL, "the larger of its value and updates[i] at"),
):
    op(
        f"tensor_scatter_nd_{_how}",
        "tensor indices:index updates",
        infer=_tensor_scatter,
        types=_types,
        public=f"tensor_scatter_nd_{_how}",
        doc=f"`tensor` with {_doc} the position indices[i].",
    )
