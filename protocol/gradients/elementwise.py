"""Gradients of the elementwise ops.

Of a holomorphic function f the gradient is g * conj(f'(x)), as in TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable

from protocol.dtypes import complex64, complex128
from protocol.gradients.registry import complex_only, no_gradient, not_differentiable, vjp
from protocol.gradients.terms import Shape, Term, cast, conj, ops, to_shape, where, zeros_like


def _to_complex(x: Term) -> Term:
    """A real term as a complex one."""
    return cast(x, complex128 if x.spec.dtype.size == 8 else complex64)


def real_part(g: Term) -> Term:
    """A gradient of what has no imaginary part, in its dtype."""
    return cast(ops.real(g), g.spec.dtype) if g.spec.dtype.is_complex else g


# Arithmetic.
vjp("add", x=lambda g, x_shape: to_shape(g, x_shape), y=lambda g, y_shape: to_shape(g, y_shape))
vjp("subtract", x=lambda g, x_shape: to_shape(g, x_shape), y=lambda g, y_shape: to_shape(-g, y_shape))
vjp(
    "multiply",
    x=lambda g, y, x_shape: to_shape(g * conj(y), x_shape),
    y=lambda g, x, y_shape: to_shape(g * conj(x), y_shape),
)
vjp(
    "divide",
    x=lambda g, y, x_shape: to_shape(g / conj(y), x_shape),
    y=lambda g, y, out, y_shape: to_shape(-(g * conj(out / y)), y_shape),
)
vjp(
    "squared_difference",  # a real number, also of complex ones
    x=lambda g, x, y, x_shape: to_shape(real_part(g) * ((x - y) * 2.0), x_shape),
    y=lambda g, x, y, y_shape: to_shape(real_part(g) * ((x - y) * -2.0), y_shape),
)
vjp(
    "divide_no_nan",
    x=lambda g, y, x_shape: to_shape(ops.divide_no_nan(g, conj(y)), x_shape),
    y=lambda g, y, out, y_shape: to_shape(-(g * conj(ops.divide_no_nan(out, y))), y_shape),
)
vjp(
    "multiply_no_nan",
    x=lambda g, y, x_shape: to_shape(ops.multiply_no_nan(g, conj(y)), x_shape),
    y=lambda g, x, y_shape: to_shape(ops.multiply_no_nan(conj(x), g), y_shape),
)


def _pow_of_x(g: Term, x: Term, y: Term, x_shape: Shape) -> Term:
    return to_shape(g * conj(y * ops.pow(x, y - 1.0)), x_shape)


def _pow_of_y(g: Term, x: Term, out: Term, y_shape: Shape) -> Term:
    """out * log(x), and 0 where x is not positive (for complex numbers: where it is 0)."""
    good = ops.not_equal(x, 0.0) if x.spec.dtype.is_complex else ops.greater(x, 0.0)
    log = where(good, ops.log(where(good, x, 1.0)), 0.0)
    return to_shape(g * conj(out * log), y_shape)


vjp("pow", x=_pow_of_x, y=_pow_of_y)
vjp(
    "maximum",
    x=lambda g, x, y, x_shape: to_shape(where(ops.greater_equal(x, y), g, 0.0), x_shape),
    y=lambda g, x, y, y_shape: to_shape(where(ops.greater_equal(x, y), 0.0, g), y_shape),
)
vjp(
    "minimum",
    x=lambda g, x, y, x_shape: to_shape(where(ops.less_equal(x, y), g, 0.0), x_shape),
    y=lambda g, x, y, y_shape: to_shape(where(ops.less_equal(x, y), 0.0, g), y_shape),
)
vjp(
    "floormod",
    x=lambda g, x_shape: to_shape(g, x_shape),
    y=lambda g, x, y, y_shape: to_shape(-(g * ops.floordiv(x, y)), y_shape),
)
not_differentiable("floordiv truncatediv")
no_gradient("truncatemod")


def _nonzero(x: Term) -> Term:
    """1 where x is not 0, else 0: what x/y and x log(y) with "0 where x is 0" are multiplied by."""
    return cast(ops.not_equal(x, 0.0), x.spec.dtype)


vjp(
    "xlogy",
    x=lambda g, x, y, x_shape: to_shape(g * conj(ops.xlogy(_nonzero(x), y)), x_shape),
    y=lambda g, x, y, y_shape: to_shape(g * conj(ops.xdivy(x, y)), y_shape),
)
vjp(
    "xlog1py",
    x=lambda g, x, y, x_shape: to_shape(g * conj(ops.xlog1py(_nonzero(x), y)), x_shape),
    y=lambda g, x, y, y_shape: to_shape(g * conj(ops.xdivy(x, y + 1.0)), y_shape),
)
vjp(
    "xdivy",
    x=lambda g, x, y, x_shape: to_shape(g * conj(ops.xdivy(_nonzero(x), y)), x_shape),
    y=lambda g, x, y, y_shape: to_shape(g * conj(ops.xdivy(-x, ops.square(y))), y_shape),
)
vjp(
    "atan2",
    y=lambda g, y, x, y_shape: to_shape(g * (x / (ops.square(x) + ops.square(y))), y_shape),
    x=lambda g, y, x, x_shape: to_shape(g * (-y / (ops.square(x) + ops.square(y))), x_shape),
)
vjp("nextafter", x1=lambda g, x1_shape: to_shape(g, x1_shape), x2=lambda x2: zeros_like(x2))


def _of_abs(g: Term, x: Term) -> Term:
    return (_to_complex(g) if x.spec.dtype.is_complex else g) * ops.sign(x)


def _of_sign(g: Term, x: Term) -> Term:
    """0 for real numbers; for complex ones x / |x| turns with x."""
    if not x.spec.dtype.is_complex:
        return zeros_like(g)
    y = ops.sign(x)
    length = _to_complex(ops.abs(x))
    turned = ops.subtract(g, y * _to_complex(ops.real(g * conj(y))))
    return ops.divide_no_nan(turned, length)


def function(name: str, slope: Callable[[Term], Term]) -> None:
    """An op with the derivative `slope`, as a function of its input."""
    vjp(name, x=lambda g, x: g * conj(slope(x)))


def by_result(name: str, slope: Callable[[Term], Term], zeros: bool = False) -> None:
    """An op with the derivative `slope`, as a function of its result: the input need not be kept.

    With `zeros` a gradient of 0 stays 0 at a pole, as in TensorFlow: `where(x > 0, sqrt(x), 0)` is fine at 0.
    """
    if zeros:
        vjp(name, x=lambda g, out: ops.multiply_no_nan(conj(slope(out)), g))
    else:
        vjp(name, x=lambda g, out: g * conj(slope(out)))


vjp("abs", x=_of_abs)
vjp("sign", x=_of_sign)
vjp("negative", x=lambda g: -g)
function("square", lambda x: x * 2.0)
by_result("reciprocal", lambda y: -ops.square(y), zeros=True)
by_result("sqrt", lambda y: 0.5 / y, zeros=True)
by_result("rsqrt", lambda y: ops.square(y) * y * -0.5, zeros=True)
by_result("exp", lambda y: y)
by_result("expm1", lambda y: y + 1.0)
function("log", lambda x: ops.reciprocal(x))
function("log1p", lambda x: ops.reciprocal(x + 1.0))
vjp("sigmoid", x=lambda g, out: ops.sigmoid_grad(g, out))
vjp(
    "sigmoid_grad",
    gradients=lambda g, y, gradients_shape: to_shape(ops.sigmoid_grad(g, conj(y)), gradients_shape),
    y=lambda g, gradients, y, y_shape: to_shape(conj(g) * gradients * (1.0 - conj(y) * 2.0), y_shape),
)
function("log_sigmoid", lambda x: ops.sigmoid(-x))
function("sin", lambda x: ops.cos(x))
function("cos", lambda x: -ops.sin(x))
function("tan", lambda x: ops.square(ops.reciprocal(ops.cos(x))))
function("asin", lambda x: ops.rsqrt(1.0 - ops.square(x)))
function("acos", lambda x: -ops.rsqrt(1.0 - ops.square(x)))
function("atan", lambda x: ops.reciprocal(ops.square(x) + 1.0))
function("sinh", lambda x: ops.cosh(x))
function("cosh", lambda x: ops.sinh(x))
vjp("tanh", x=lambda g, out: ops.tanh_grad(g, out))
vjp(
    "tanh_grad",
    gradients=lambda g, y, gradients_shape: to_shape(ops.tanh_grad(g, conj(y)), gradients_shape),
    y=lambda g, gradients, y, y_shape: to_shape(conj(g) * gradients * (conj(y) * -2.0), y_shape),
)
by_result("asinh", lambda y: ops.reciprocal(ops.cosh(y)))
by_result("acosh", lambda y: ops.reciprocal(ops.sinh(y)))
function("atanh", lambda x: ops.reciprocal(1.0 - ops.square(x)))
not_differentiable("floor ceil round")

# Complex numbers and casts.
vjp("real", input=lambda g, input_spec: _to_complex(g) if input_spec.dtype.is_complex else g)
vjp("imag", input=lambda g: ops.complex(zeros_like(g), g))
vjp(
    "complex",
    real=lambda g, real_shape: to_shape(ops.real(g), real_shape),
    imag=lambda g, imag_shape: to_shape(ops.imag(g), imag_shape),
)
vjp("conj", x=lambda g: conj(g))


vjp("angle", input=lambda g, input: ops.complex(zeros_like(g), g) / conj(input))
complex_only("imag angle")
vjp("cast", x=lambda g, x_spec: cast(g, x_spec.dtype))

# Several tensors at once.
vjp("add_n", inputs=lambda g: g)
vjp("global_norm", t_list=lambda g, out, t_list, index: t_list[index] * (g / out))
