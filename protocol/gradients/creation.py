"""Gradients of ops that make tensors: most have none, since their result doesn't depend on a value."""

from __future__ import annotations

from typing import Any

import numpy as np

from protocol.gradients.registry import not_differentiable, vjp
from protocol.gradients.terms import Shape, Term, ops, to_shape

vjp("fill", value=lambda g: ops.reduce_sum(g))
not_differentiable("zeros ones zeros_like ones_like eye range sequence_mask one_hot")


def _linspace(g: Term, wanted: Shape, first: float, last: float, attrs: dict[str, Any]) -> Term:
    """Each of the ends has its share in a value: the shares run from `first` to `last`."""
    ends = np.array(first, g.spec.dtype.numpy), np.array(last, g.spec.dtype.numpy)
    shares = g.emitter.run("linspace", ends, {"num": attrs["num"]})
    return to_shape(ops.tensordot(g, shares, a_axes=(attrs.get("axis", 0),), b_axes=(0,)), wanted)


vjp(
    "linspace",
    start=lambda g, start_shape, **attrs: _linspace(g, start_shape, 1.0, 0.0, attrs),
    stop=lambda g, stop_shape, **attrs: _linspace(g, stop_shape, 0.0, 1.0, attrs),
)
