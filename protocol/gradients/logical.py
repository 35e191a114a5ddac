"""Comparisons, truth values and bits have no gradient."""

from __future__ import annotations

from protocol.gradients.registry import not_differentiable

not_differentiable("equal not_equal less less_equal greater greater_equal")
not_differentiable("is_nan is_inf is_finite logical_and logical_or logical_xor logical_not")
not_differentiable("bitwise_and bitwise_or bitwise_xor invert left_shift right_shift")
