"""Gradients of ops that move elements or change a tensor's shape."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.gradients.registry import not_differentiable, vjp
from protocol.gradients.terms import Term, conj, ops, reshape, to_shape

vjp("identity", input=lambda g: g)
vjp("reshape", tensor=lambda g, tensor_shape: reshape(g, tensor_shape))
vjp("expand_dims", input=lambda g, input_shape: reshape(g, input_shape))
vjp("squeeze", input=lambda g, input_shape: reshape(g, input_shape))
vjp("ensure_shape", x=lambda g: g)
vjp("broadcast_to", input=lambda g, input_shape: to_shape(g, input_shape))
vjp("reverse", tensor=lambda g, **attrs: ops.reverse(g, **attrs))
vjp("reverse_sequence", input=lambda g, seq_lengths, **attrs: ops.reverse_sequence(g, seq_lengths, **attrs))
vjp("space_to_depth", input=lambda g, **attrs: ops.depth_to_space(g, **attrs))
vjp("depth_to_space", input=lambda g, **attrs: ops.space_to_depth(g, **attrs))


def inverse(perm: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes one."""
    rank = len(perm)
    return tuple(sorted(range(rank), key=[p % rank for p in perm].__getitem__))


def _transpose(g: Term, *, perm: Sequence[int] | None, conjugate: bool) -> Term:
    back = ops.transpose(g) if perm is None else ops.transpose(g, perm=inverse(perm))
    return conj(back) if conjugate else back


def _roll(g: Term, *, shift: int | Sequence[int], axis: int | Sequence[int]) -> Term:
    back = -shift if isinstance(shift, int) else tuple([-s for s in shift])
    return ops.roll(g, shift=back, axis=axis)


vjp("transpose", a=_transpose)
vjp("roll", input=_roll)
not_differentiable("shape size rank broadcast_args stop_gradient")
