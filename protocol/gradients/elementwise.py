"""Gradients of the elementwise ops."""

from __future__ import annotations

from protocol.gradients.registry import vjp
from protocol.gradients.terms import Term, cast, conj, ops, to_shape


def to_complex(x: Term) -> Term:
    """A real term as a complex one."""
    found: Term = ops.complex(x, x * 0.0)
    return found


vjp(
    "add",
    x=lambda g, x_shape: to_shape(g, x_shape),
    y=lambda g, y_shape: to_shape(g, y_shape),
)
vjp(
    "subtract",
    x=lambda g, x_shape: to_shape(g, x_shape),
    y=lambda g, y_shape: to_shape(-g, y_shape),
)
vjp(
    "multiply",
    x=lambda g, y, x_shape: to_shape(g * conj(y), x_shape),
    y=lambda g, x, y_shape: to_shape(g * conj(x), y_shape),
)
vjp("negative", x=lambda g: -g)
vjp("square", x=lambda g, x: g * (conj(x) * 2.0))
vjp("tanh", x=lambda g, out: g * (1.0 - conj(out) * conj(out)))
vjp("cast", x=lambda g, x_spec: cast(g, x_spec.dtype))
vjp("add_n", inputs=lambda g: g)
vjp("real", input=lambda g, input_spec: to_complex(g) if input_spec.dtype.is_complex else g)
vjp(
    "complex",
    real=lambda g, real_shape: to_shape(ops.real(g), real_shape),
    imag=lambda g, imag_shape: to_shape(ops.imag(g), imag_shape),
)
vjp("conj", x=lambda g: conj(g))
