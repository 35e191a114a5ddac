"""Gradients of the moments."""

from __future__ import annotations

import math
from typing import Any

from protocol.gradients.reductions import restored
from protocol.gradients.registry import vjp
from protocol.gradients.terms import Term, dims, ops
from protocol.ops.reductions import reduction_axes


def _moments(given: tuple[Term | None, ...], x: Term, outs: tuple[Term, ...], *, axes: Any) -> Term:
    """(g_mean + 2 g_variance (x - mean)) / n."""
    shape = dims(x)
    n = max(math.prod([shape[a] for a in reduction_axes(axes, len(shape))]), 1)
    of_mean, of_variance = given
    found = None if of_mean is None else restored(of_mean * (1.0 / n), shape, axes)
    if of_variance is not None:
        centered = (x - restored(outs[0], shape, axes)) * restored(of_variance * (2.0 / n), shape, axes)
        found = centered if found is None else found + centered
    assert found is not None
    return ops.broadcast_to(found, shape=shape)


vjp("moments", x=_moments)
