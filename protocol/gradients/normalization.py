"""Gradients of the moments."""

from __future__ import annotations

from protocol.gradients.reductions import Axes, reciprocal_count, restored
from protocol.gradients.registry import vjp
from protocol.gradients.terms import Shape, Term, ops


def _moments(given: tuple[Term | None, ...], x: Term, x_shape: Shape, outs: tuple[Term, ...], *, axes: Axes) -> Term:
    """(g_mean + 2 g_variance (x - mean)) / n."""
    of_mean, of_variance = given
    share = reciprocal_count(x_shape, axes, x.spec.dtype)
    found = None if of_mean is None else restored(of_mean * share, x_shape, axes)
    if of_variance is None:
        return ops.broadcast_to(found, shape=x_shape)
    centered = (x - restored(outs[0], x_shape, axes)) * restored(of_variance * share * 2.0, x_shape, axes)
    return centered if found is None else centered + found


vjp("moments", x=_moments)
