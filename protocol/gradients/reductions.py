"""Gradients of reductions over axes, and of running sums."""

from __future__ import annotations

import math
from typing import Any

from protocol.gradients.elementwise import real_part
from protocol.gradients.registry import not_differentiable, vjp
from protocol.gradients.terms import Term, cast, conj, dims, ops, reshape, where
from protocol.ops.reductions import reduction_axes


def kept(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """`shape` with the reduced axes of size 1."""
    axes = reduction_axes(axis, len(shape))
    return tuple([1 if i in axes else d for i, d in enumerate(shape)])


def restored(g: Term, shape: tuple[int, ...], axis: Any) -> Term:
    """A reduced term with its reduced axes back, of size 1."""
    return reshape(g, kept(shape, axis))


def spread(g: Term, shape: tuple[int, ...], axis: Any) -> Term:
    """A reduced term with its reduced axes back, repeated along them."""
    if g.spec.rank:
        g = restored(g, shape, axis)
    return ops.broadcast_to(g, shape=shape)


def _count(shape: tuple[int, ...], axis: Any) -> int:
    return math.prod([shape[a] for a in reduction_axes(axis, len(shape))])


def _mean(g: Term, input_tensor_dims: tuple[int, ...], *, axis: Any) -> Term:
    return spread(g * (1.0 / max(_count(input_tensor_dims, axis), 1)), input_tensor_dims, axis)


def _extreme(g: Term, input_tensor: Term, out: Term, *, axis: Any) -> Term:
    """Shared equally among the elements that are the extreme."""
    shape = dims(input_tensor)
    hits = cast(ops.equal(input_tensor, restored(out, shape, axis)), g.spec.dtype)
    number = ops.reduce_sum(hits, axis=axis, keepdims=True)
    return hits * (restored(g, shape, axis) / number)


def _prod(g: Term, input_tensor: Term, *, axis: Any) -> Term:
    """The product of the others, right also where elements are 0: running products from both ends."""
    shape = dims(input_tensor)
    axes = reduction_axes(axis, len(shape))
    rest = [a for a in range(len(shape)) if a not in axes]
    order = (*rest, *axes)
    lead = tuple([shape[a] for a in rest])
    flat = ops.reshape(ops.transpose(input_tensor, perm=order), shape=(*lead, _count(shape, axis)))
    before = ops.cumprod(flat, axis=-1, exclusive=True)
    after = ops.cumprod(flat, axis=-1, exclusive=True, reverse=True)
    others = ops.reshape(conj(before * after), shape=tuple([shape[a] for a in order]))
    back = tuple(sorted(range(len(order)), key=order.__getitem__))
    return restored(g, shape, axis) * ops.transpose(others, perm=back)


def _logsumexp(g: Term, input_tensor: Term, out: Term, *, axis: Any) -> Term:
    shape = dims(input_tensor)
    return restored(g, shape, axis) * ops.exp(input_tensor - restored(out, shape, axis))


def _norm(g: Term, input_tensor: Term, out: Term, *, axis: Any) -> Term:
    return input_tensor * restored(real_part(g) / out, dims(input_tensor), axis)


def _variance(g: Term, input_tensor: Term, *, axis: Any) -> Term:
    shape = dims(input_tensor)
    centered = input_tensor - ops.reduce_mean(input_tensor, axis=axis, keepdims=True)
    scaled = restored(g * (2.0 / max(_count(shape, axis), 1)), shape, axis)
    return centered * cast(scaled, centered.spec.dtype)


def _std(g: Term, input_tensor: Term, out: Term, *, axis: Any) -> Term:
    return _variance(g / (out * 2.0), input_tensor, axis=axis)


vjp("reduce_sum", input_tensor=lambda g, input_tensor_dims, *, axis: spread(g, input_tensor_dims, axis))
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
    """As TensorFlow computes it: NaN or infinite where x is 0."""
    total = ops.cumsum(conj(out) * g, axis=axis, exclusive=exclusive, reverse=not reverse)
    return total / conj(x)


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
