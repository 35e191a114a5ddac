"""Gradients of reductions over axes, and of running sums."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from protocol.dtypes import DType, float64
from protocol.gradients.elementwise import real_part
from protocol.gradients.registry import not_differentiable, vjp
from protocol.gradients.terms import Shape, Term, cast, conj, dims, ops, reshape, where
from protocol.ops.reductions import reduction_axes

Axes: TypeAlias = int | tuple[int, ...] | None


def kept(shape: Shape, axis: Axes) -> Shape:
    """`shape` with the reduced axes of size 1."""
    if isinstance(shape, tuple):
        axes = reduction_axes(axis, len(shape))
        return tuple([1 if i in axes else d for i, d in enumerate(shape)])
    rank = _rank(shape)
    axes = reduction_axes(axis, rank)
    return ops.select(np.array([i in axes for i in range(rank)]), np.asarray(1, shape.spec.dtype.numpy), shape)


def _rank(shape: Term) -> int:
    return dims(shape)[0]


def restored(g: Term, shape: Shape, axis: Axes) -> Term:
    """A reduced term with its reduced axes back, of size 1. A scalar, which broadcasts without, is left alone."""
    return g if g.spec.rank == 0 else reshape(g, kept(shape, axis))


def spread(g: Term, shape: Shape, axis: Axes) -> Term:
    """A reduced term with its reduced axes back, repeated along them."""
    return ops.broadcast_to(restored(g, shape, axis), shape=shape)


def reciprocal_count(shape: Shape, axis: Axes, dtype: DType) -> Term | float:
    """1 / the number of elements that are reduced to one, in `dtype`."""
    if isinstance(shape, tuple):
        return 1.0 / max(math.prod([shape[a] for a in reduction_axes(axis, len(shape))]), 1)
    sizes = cast(shape, float64)
    if axis is not None:
        sizes = ops.gather(sizes, np.array(reduction_axes(axis, _rank(shape)), np.int32), axis=0)
    return cast(ops.reciprocal(ops.maximum(ops.reduce_prod(sizes), 1.0)), dtype)


def _mean(g: Term, input_tensor_shape: Shape, *, axis: Axes) -> Term:
    return spread(g * reciprocal_count(input_tensor_shape, axis, g.spec.dtype), input_tensor_shape, axis)


def _extreme(g: Term, input_tensor: Term, input_tensor_shape: Shape, out: Term, *, axis: Axes) -> Term:
    """Shared equally among the elements that are the extreme."""
    hits = cast(ops.equal(input_tensor, restored(out, input_tensor_shape, axis)), g.spec.dtype)
    number = ops.reduce_sum(hits, axis=axis, keepdims=True)
    return hits * (restored(g, input_tensor_shape, axis) / number)


def _prod(g: Term, input_tensor: Term, input_tensor_shape: Shape, *, axis: Axes) -> Term:
    """The product of the others, right also where elements are 0: running products from both ends."""
    x = input_tensor
    if axis is None:
        flat = _others(ops.reshape(x, shape=(-1,)), 0)
        return g * reshape(flat, input_tensor_shape)
    found = restored(g, input_tensor_shape, axis)
    axes = axis if isinstance(axis, tuple) else (axis,)
    for i, a in enumerate(axes):
        found = found * _others(x, a)
        if i + 1 < len(axes):
            x = ops.reduce_prod(x, axis=a, keepdims=True)
    return found if axes else spread(found, input_tensor_shape, axis)


def _others(x: Term, axis: int) -> Term:
    """Of each element along an axis, the product of the others."""
    before = ops.cumprod(x, axis=axis, exclusive=True)
    return conj(before * ops.cumprod(x, axis=axis, exclusive=True, reverse=True))


def _logsumexp(g: Term, input_tensor: Term, input_tensor_shape: Shape, out: Term, *, axis: Axes) -> Term:
    """The softmax. Dividing by its sum, 1, takes away the rounding of a large result; NaN stays."""
    exps = ops.exp(input_tensor - restored(out, input_tensor_shape, axis))
    total = ops.reduce_sum(exps, axis=axis, keepdims=True)
    whole = restored(g, input_tensor_shape, axis)
    return exps * where(ops.greater(total, 0.5), whole / total, whole)


def _norm(g: Term, input_tensor: Term, input_tensor_shape: Shape, out: Term, *, axis: Axes) -> Term:
    return input_tensor * restored(real_part(g) / out, input_tensor_shape, axis)


def _variance(g: Term, input_tensor: Term, input_tensor_shape: Shape, *, axis: Axes) -> Term:
    centered = input_tensor - ops.reduce_mean(input_tensor, axis=axis, keepdims=True)
    scaled = g * reciprocal_count(input_tensor_shape, axis, g.spec.dtype) * 2.0
    return centered * cast(restored(scaled, input_tensor_shape, axis), centered.spec.dtype)


def _std(g: Term, input_tensor: Term, input_tensor_shape: Shape, out: Term, *, axis: Axes) -> Term:
    return _variance(g / (out * 2.0), input_tensor, input_tensor_shape, axis=axis)


vjp("reduce_sum", input_tensor=lambda g, input_tensor_shape, *, axis: spread(g, input_tensor_shape, axis))
vjp("reduce_mean", input_tensor=_mean)
vjp("reduce_max", input_tensor=_extreme)
vjp("reduce_min", input_tensor=_extreme)
vjp("reduce_prod", input_tensor=_prod)
vjp("reduce_logsumexp", input_tensor=_logsumexp)
vjp("reduce_euclidean_norm", input_tensor=_norm)
vjp("reduce_variance", input_tensor=_variance)
vjp("reduce_std", input_tensor=_std)
vjp("sum_to_shape", x=lambda g, x_shape: ops.broadcast_to(g, shape=x_shape))
not_differentiable("argmax argmin reduce_any reduce_all count_nonzero zero_fraction")


def _cumsum(g: Term, *, axis: int, exclusive: bool, reverse: bool) -> Term:
    return ops.cumsum(g, axis=axis, exclusive=exclusive, reverse=not reverse)


def _cumprod(g: Term, x: Term, out: Term, *, axis: int, exclusive: bool, reverse: bool) -> Term:
    """As TensorFlow computes it: 0 where x is 0."""
    total = ops.cumsum(conj(out) * g, axis=axis, exclusive=exclusive, reverse=not reverse)
    return ops.divide_no_nan(total, conj(x))


def _cumulative_logsumexp(g: Term, x: Term, out: Term, *, axis: int, exclusive: bool, reverse: bool) -> Term:
    """Positive and negative gradients are summed apart, as logarithms."""

    def part(h: Term) -> Term:
        some = ops.greater(h, 0.0)
        logs = where(some, ops.log(where(some, h, 1.0)) - out, -math.inf)
        summed = ops.cumulative_logsumexp(logs, axis=axis, exclusive=exclusive, reverse=not reverse)
        found: Term = ops.exp(summed + x)
        return found

    return part(g) - part(-g)


vjp("cumsum", x=_cumsum)
vjp("cumprod", x=_cumprod)
vjp("cumulative_logsumexp", x=_cumulative_logsumexp)
