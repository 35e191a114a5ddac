"""Gradients of convolutions: the three ops are each other's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocol.gradients.registry import vjp
from protocol.gradients.terms import ops


def _windows(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that all three ops have."""
    return {k: v for k, v in attrs.items() if not k.endswith("_sizes")}


vjp(
    "conv",
    input=lambda g, filters, input_shape, **attrs: ops.conv_backprop_input(
        filters, g, input_sizes=input_shape, **attrs
    ),
    filters=lambda g, input, filters_shape, **attrs: ops.conv_backprop_filter(
        input, g, filter_sizes=filters_shape, **attrs
    ),
)
vjp(
    "conv_backprop_input",
    filters=lambda g, out_backprop, filters_shape, **attrs: ops.conv_backprop_filter(
        g, out_backprop, filter_sizes=filters_shape, **_windows(attrs)
    ),
    out_backprop=lambda g, filters, **attrs: ops.conv(g, filters, **_windows(attrs)),
)
vjp(
    "conv_backprop_filter",
    input=lambda g, out_backprop, input_shape, **attrs: ops.conv_backprop_input(
        g, out_backprop, input_sizes=input_shape, **_windows(attrs)
    ),
    out_backprop=lambda g, input, **attrs: ops.conv(input, g, **_windows(attrs)),
)
