"""Gradients of reductions over axes."""

from __future__ import annotations

from typing import Any

from protocol.gradients.registry import not_differentiable, vjp
from protocol.gradients.terms import Term, ops, reshape
from protocol.ops.reductions import reduction_axes


def kept(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """`shape` with the reduced axes of size 1."""
    axes = reduction_axes(axis, len(shape))
    return tuple([1 if i in axes else d for i, d in enumerate(shape)])


def spread(g: Term, shape: tuple[int, ...], axis: Any) -> Term:
    """A reduced gradient with its reduced axes back, repeated along them."""
    if g.spec.rank:
        g = reshape(g, kept(shape, axis))
    found: Term = ops.broadcast_to(g, shape=shape)
    return found


vjp("reduce_sum", input_tensor=lambda g, input_tensor_dims, *, axis: spread(g, input_tensor_dims, axis))
vjp("sum_to_shape", x=lambda g, x_shape: ops.broadcast_to(g, shape=x_shape))
not_differentiable("argmax argmin")
