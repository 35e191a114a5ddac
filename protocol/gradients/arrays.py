"""Gradients of ops on a tensor's shape."""

from __future__ import annotations

from protocol.gradients.registry import not_differentiable, vjp
from protocol.gradients.terms import reshape, to_shape

vjp("identity", input=lambda g: g)
vjp("reshape", tensor=lambda g, tensor_shape: reshape(g, tensor_shape))
vjp("broadcast_to", input=lambda g, input_shape: to_shape(g, input_shape))
not_differentiable("shape stop_gradient")
