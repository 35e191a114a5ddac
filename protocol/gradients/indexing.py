"""Gradients of taking elements out of tensors: they go back where they were taken."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protocol.gradients.arrays import inverse
from protocol.gradients.registry import not_differentiable, vjp
from protocol.gradients.terms import Shape, Term, dims, entry, length, ops, rank, to_shape, where

vjp(
    "gather",
    params=lambda g, indices, params_shape, **attrs: ops.gather_grad(g, indices, shape=params_shape, **attrs),
)
vjp(
    "gather_grad", grad=lambda g, indices, *, axis, batch_dims: ops.gather(g, indices, axis=axis, batch_dims=batch_dims)
)


def _gather_nd(g: Term, indices: Term, params_shape: Shape, *, batch_dims: int) -> Term:
    """Batch axes become part of the position that an index names."""
    if batch_dims:
        lead = dims(indices)
        places = []
        for axis in range(batch_dims):
            limits = {"start": 0, "limit": entry(params_shape, axis), "delta": 1, "dtype": indices.spec.dtype}
            numbers = indices.emitter.run("range", (), limits)
            spread = ops.reshape(numbers, shape=tuple([-1 if i == axis else 1 for i in range(len(lead))]))
            places.append(ops.broadcast_to(spread, shape=(*lead[:-1], 1)))
        indices = ops.concat(*places, indices, axis=-1)
    if indices.spec.rank == 1:  # one position; what is put there may be a scalar, which scatter_nd doesn't take
        indices, g = ops.expand_dims(indices, axis=0), ops.expand_dims(g, axis=0)
    return ops.scatter_nd(indices, g, shape=params_shape)


def _boolean_mask(g: Term, mask: Term, tensor_shape: Shape, *, axis: int | None) -> Term:
    if not isinstance(tensor_shape, tuple):
        return _scattered_by_mask(g, mask, tensor_shape, axis)
    at = (axis or 0) % max(len(tensor_shape), 1)
    masked = mask.spec.rank or 1
    lead, rest = tensor_shape[:at], tensor_shape[at + masked :]
    flat = ops.reshape(ops.where(ops.reshape(mask, shape=(-1,))), shape=(-1,))
    count = math.prod(tensor_shape[at : at + masked])
    return ops.reshape(ops.gather_grad(g, flat, shape=(*lead, count, *rest), axis=at), shape=tensor_shape)


def _scattered_by_mask(g: Term, mask: Term, tensor_shape: Term, axis: int | None) -> Term:
    """The same where only the server knows the shape: the masked axes stand first while the gradient is put there."""
    masked, axes = rank(mask), length(tensor_shape)
    at = (axis or 0) % axes
    if not at:
        return ops.scatter_nd(ops.where(mask), g, shape=tensor_shape)
    front = (*range(at, at + masked), *range(at), *range(at + masked, axes))
    gathered = ops.transpose(g, perm=(at, *range(at), *range(at + 1, axes - masked + 1)))
    wanted = ops.gather(tensor_shape, np.array(front, np.int32), axis=0)
    return ops.transpose(ops.scatter_nd(ops.where(mask), gathered, shape=wanted), perm=inverse(front))


vjp("gather_nd", params=_gather_nd)
vjp("boolean_mask", tensor=_boolean_mask)
vjp(
    "select",
    x=lambda g, condition, x_shape: to_shape(where(condition, g, 0.0), x_shape),
    y=lambda g, condition, y_shape: to_shape(where(condition, 0.0, g), y_shape),
)


def _slice(g: Term, input__shape: Shape, *, begin: tuple[int, ...], size: tuple[int, ...]) -> Term:
    end = tuple([b + s for b, s in zip(begin, size, strict=True)])
    whole = sum([1 << i for i, s in enumerate(size) if s == -1])
    ones = (1,) * len(end)
    return ops.strided_slice_grad(g, shape=input__shape, begin=begin, end=end, strides=ones, end_mask=whole)


def _strided_slice_grad(g: Term, attrs: dict[str, Any]) -> Term:
    return ops.strided_slice(g, **{k: v for k, v in attrs.items() if k != "shape"})


vjp("slice", input_=_slice)
vjp(
    "strided_slice",
    input_=lambda g, input__shape, **attrs: ops.strided_slice_grad(g, shape=input__shape, **attrs),
)
vjp("strided_slice_grad", dy=lambda g, **attrs: _strided_slice_grad(g, attrs))
not_differentiable("where")
