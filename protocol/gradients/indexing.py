"""Gradients of taking elements out of tensors: they go back where they were taken."""

from __future__ import annotations

from typing import Any

from protocol.gradients.registry import not_differentiable, vjp
from protocol.gradients.terms import Term, ops, to_shape, where

vjp(
    "gather",
    params=lambda g, indices, params_shape, **attrs: ops.gather_grad(g, indices, shape=params_shape, **attrs),
)
vjp(
    "gather_grad", grad=lambda g, indices, *, axis, batch_dims: ops.gather(g, indices, axis=axis, batch_dims=batch_dims)
)


def _gather_nd(g: Term, indices: Term, params_dims: tuple[int, ...], *, batch_dims: int) -> Term:
    """Batch axes become part of the position that an index names."""
    if batch_dims:
        lead = indices.spec.shape
        assert lead is not None
        places = []
        for axis in range(batch_dims):
            numbers = indices.emitter.run(
                "range", (), {"start": 0, "limit": params_dims[axis], "delta": 1, "dtype": indices.spec.dtype}
            )
            shape = tuple([params_dims[axis] if i == axis else 1 for i in range(len(lead))])
            spread = ops.reshape(numbers, shape=shape)
            places.append(ops.broadcast_to(spread, shape=(*lead[:-1], 1)))
        indices = ops.concat(*places, indices, axis=-1)
    return ops.scatter_nd(indices, g, shape=params_dims)


def _boolean_mask(g: Term, mask: Term, tensor_dims: tuple[int, ...], *, axis: int | None) -> Term:
    at = (axis or 0) % max(len(tensor_dims), 1)
    masked = mask.spec.rank or 1
    lead, rest = tensor_dims[:at], tensor_dims[at + masked :]
    flat = ops.reshape(ops.where(ops.reshape(mask, shape=(-1,))), shape=(-1,))
    count = 1
    for d in tensor_dims[at : at + masked]:
        count *= d
    return ops.reshape(ops.gather_grad(g, flat, shape=(*lead, count, *rest), axis=at), shape=tensor_dims)


vjp("gather_nd", params=_gather_nd)
vjp("boolean_mask", tensor=_boolean_mask)
vjp(
    "select",
    x=lambda g, condition, x_shape: to_shape(where(condition, g, 0.0), x_shape),
    y=lambda g, condition, y_shape: to_shape(where(condition, 0.0, g), y_shape),
)


def _slice(g: Term, input__dims: tuple[int, ...], *, begin: tuple[int, ...], size: Any) -> Term:
    sizes = g.spec.shape
    assert sizes is not None
    after = [d - b - (s or 0) for d, b, s in zip(input__dims, begin, sizes, strict=True)]
    return ops.pad(g, paddings=tuple(zip(begin, after, strict=True)))


def _strided_slice_grad(g: Term, attrs: dict[str, Any]) -> Term:
    return ops.strided_slice(g, **{k: v for k, v in attrs.items() if k != "shape"})


vjp("slice", input_=_slice)
vjp(
    "strided_slice",
    input_=lambda g, input__shape, **attrs: ops.strided_slice_grad(g, shape=input__shape, **attrs),
)
vjp("strided_slice_grad", dy=lambda g, **attrs: _strided_slice_grad(g, attrs))
not_differentiable("where")
