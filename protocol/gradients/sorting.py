"""Gradients of ordering: each element's gradient goes back to where the element came from."""

from __future__ import annotations

from protocol.dtypes import int32
from protocol.gradients.arrays import inverse
from protocol.gradients.registry import no_gradient, not_differentiable, vjp
from protocol.gradients.terms import Shape, Term, cast, ops, shape


def _put_back(g: Term, indices: Term, wanted: Shape) -> Term:
    """Elements taken along the last axis, at `indices`."""
    rank = len(wanted) if isinstance(wanted, tuple) else wanted.emitter.dims(wanted)[0]
    return ops.gather_grad(g, indices, shape=wanted, axis=rank - 1, batch_dims=rank - 1)


def _sort(g: Term, values: Term, *, axis: int, direction: str) -> Term:
    order = ops.argsort(values, axis=axis, direction=direction)
    rank = values.spec.rank if values.spec.rank is not None else len(values.emitter.dims(values))
    at = axis % rank
    if at == rank - 1:
        return _put_back(g, order, shape(values))
    perm = (*range(at), *range(at + 1, rank), at)
    g, order = ops.transpose(g, perm=perm), ops.transpose(order, perm=perm)
    return ops.transpose(_put_back(g, order, shape(g)), perm=inverse(perm))


def _top_k(g: Term, outs: tuple[Term, ...], input_shape: Shape) -> Term:
    indices = outs[1]
    return _put_back(g, indices if indices.spec.dtype.size >= 4 else cast(indices, int32), input_shape)


vjp("sort", values=_sort)
vjp("top_k", input=_top_k)
not_differentiable("argsort in_top_k searchsorted invert_permutation")
no_gradient("unique unique_with_counts bincount")
