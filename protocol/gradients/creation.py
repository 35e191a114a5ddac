"""Gradients of ops that make tensors: most have none, since their result doesn't depend on a value."""

from __future__ import annotations

from protocol.gradients.registry import not_differentiable, vjp
from protocol.gradients.terms import ops

vjp("fill", value=lambda g: ops.reduce_sum(g))
not_differentiable("zeros ones zeros_like ones_like eye range sequence_mask")
