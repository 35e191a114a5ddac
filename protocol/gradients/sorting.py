"""Gradients of ordering: each element's gradient goes back to where the element came from."""

from __future__ import annotations

from protocol.dtypes import int32
from protocol.gradients.arrays import inverse
from protocol.gradients.registry import no_gradient, not_differentiable, vjp
from protocol.gradients.terms import Shape, Term, cast, length, ops, rank, shape


def _put_back(g: Term, indices: Term, wanted: Shape) -> Term:
    """Elements taken along the last axis, at `indices`."""
    last = length(wanted) - 1
    return ops.gather_grad(g, indices, shape=wanted, axis=last, batch_dims=last)


def _sort(g: Term, values: Term, *, axis: int, direction: str) -> Term:
    order = ops.argsort(values, axis=axis, direction=direction)
    axes = rank(values)
    at = axis % axes
    if at == axes - 1:
        return _put_back(g, order, shape(values))
    perm = (*range(at), *range(at + 1, axes), at)
    g, order = ops.transpose(g, perm=perm), ops.transpose(order, perm=perm)
    return ops.transpose(_put_back(g, order, shape(g)), perm=inverse(perm))


def _top_k(g: Term, outs: tuple[Term, ...], input_shape: Shape) -> Term:
    indices = outs[1]
    return _put_back(g, indices if indices.spec.dtype.size >= 4 else cast(indices, int32), input_shape)


vjp("sort", values=_sort)
vjp("top_k", input=_top_k)
not_differentiable("argsort in_top_k searchsorted invert_permutation")
no_gradient("unique unique_with_counts bincount")
