"""Gradients of pooling: `max_pool_grad` and `max_pool_pick` are each other's, and so are `avg_pool` and its own."""

from __future__ import annotations

from protocol.gradients.registry import vjp
from protocol.gradients.terms import ops, zeros_like

vjp("max_pool", input=lambda g, input, out, **attrs: ops.max_pool_grad(input, out, g, **attrs))
vjp(
    "max_pool_grad",
    input=lambda input: zeros_like(input),
    output=lambda output: zeros_like(output),
    grad=lambda g, input, output, **attrs: ops.max_pool_pick(input, output, g, **attrs),
)
vjp(
    "max_pool_pick",
    input=lambda input: zeros_like(input),
    output=lambda output: zeros_like(output),
    values=lambda g, input, output, **attrs: ops.max_pool_grad(input, output, g, **attrs),
)
vjp("avg_pool", input=lambda g, input_shape, **attrs: ops.avg_pool_grad(g, input_sizes=input_shape, **attrs))
vjp(
    "avg_pool_grad",
    grad=lambda g, *, window, strides, padding: ops.avg_pool(g, window=window, strides=strides, padding=padding),
)
