"""Elementwise math: arithmetic, roots, exponentials, trigonometry, rounding, complex parts and casts.

One result element for each (broadcast) input element; `add_n` and `global_norm` join several tensors.
Comparisons and bits are in `logical`, special functions in `special`.
"""

from __future__ import annotations

from collections.abc import Callable

from protocol.dtypes import DType, complex64, complex128, float32, float64
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import FLOATS, FLOATS_COMPLEX, NUMERIC, REAL, op
from protocol.ops.rules import broadcast, same
from protocol.spec import Shape, Spec, broadcast_shapes, format_shape, merge_shapes


def real_valued(x: Spec) -> Spec:
    """As the input, a complex one's parts."""
    return Spec(x.dtype.real_dtype, x.shape)


def to_complex(real: Spec, imag: Spec) -> Spec:
    """Complex numbers of the same precision, over the broadcast shape."""
    return Spec(complex64 if real.dtype is float32 else complex128, broadcast_shapes(real.shape, imag.shape))


def cast(x: Spec, *, dtype: DType) -> Spec:
    """The same shape in another dtype."""
    return Spec(dtype, x.shape)


def add_n(*inputs: Spec) -> Spec:
    """One shape for all inputs: no broadcasting."""
    if not inputs:
        raise ValueError("Inputs must be an iterable of at least one Tensor with the same dtype and shape.")
    shape: Shape = None
    for i, each in enumerate(inputs):
        try:
            shape = merge_shapes(shape, each.shape)
        except InvalidArgumentError:
            raise InvalidArgumentError(
                "Inputs to operation AddN must have the same size and shape. "
                f"Input 0: {format_shape(inputs[0].shape)} != input {i}: {format_shape(each.shape)}"
            ) from None
    return Spec(inputs[0].dtype, shape)


def scalar(*t_list: Spec) -> Spec:
    """One number for all inputs, of any shapes."""
    if not t_list:
        raise ValueError("at least one tensor is needed")
    return Spec(t_list[0].dtype, ())


def unary(
    name: str,
    public: str,
    doc: str,
    *,
    inputs: str = "x",
    types: tuple[DType, ...] = FLOATS_COMPLEX,
    infer: Callable[[Spec], Spec] = same,
) -> None:
    """An op of one tensor."""
    op(name, inputs, infer=infer, types=types, public=public, doc=doc)


def binary(name: str, public: str, doc: str, *, inputs: str = "x y", types: tuple[DType, ...] = FLOATS_COMPLEX) -> None:
    """An op of two tensors that broadcast."""
    op(name, inputs, infer=broadcast, types=types, public=public, doc=doc)


# Arithmetic.
binary("add", "add math.add", "x + y, elementwise.", types=NUMERIC)
binary("subtract", "subtract math.subtract", "x - y, elementwise.", types=NUMERIC)
binary("multiply", "multiply math.multiply", "x * y, elementwise.", types=NUMERIC)
binary("divide", "realdiv", "x / y of floats or complex numbers.")
binary(
    "floordiv",
    "math.floordiv",
    "floor(x / y): rounds towards minus infinity. An integer division by zero is an InvalidArgumentError.",
    types=REAL,
)
binary(
    "floormod",
    "math.floormod math.mod",
    "x - floor(x / y) * y: the remainder with y's sign. An integer y of zero is an InvalidArgumentError.",
    types=REAL,
)
binary(
    "truncatediv",
    "truncatediv",
    "trunc(x / y): rounds towards zero, as C does. An integer division by zero is an InvalidArgumentError.",
    types=REAL,
)
binary(
    "truncatemod",
    "truncatemod",
    "x - trunc(x / y) * y: the remainder with x's sign. An integer y of zero is an InvalidArgumentError.",
    types=REAL,
)
binary(
    "pow",
    "pow math.pow",
    "x to the power y. A negative integer exponent of an integer is an InvalidArgumentError.",
    types=NUMERIC,
)
binary("maximum", "maximum math.maximum", "The larger of x and y; NaN if one is.", types=REAL)
binary("minimum", "minimum math.minimum", "The smaller of x and y; NaN if one is.", types=REAL)
binary("squared_difference", "math.squared_difference", "conj(x - y) * (x - y), elementwise.", types=NUMERIC)
binary("divide_no_nan", "", "x / y, and 0 where y is 0, whatever x is.")
binary("multiply_no_nan", "math.multiply_no_nan", "x * y, and 0 where y is 0, even if x is NaN or infinite.")
binary("xdivy", "math.xdivy", "x / y, and 0 where x is 0, whatever y is.")
binary("xlogy", "math.xlogy", "x * log(y), and 0 where x is 0, whatever y is.")
binary("xlog1py", "math.xlog1py", "x * log(1 + y), and 0 where x is 0, whatever y is.")
binary("atan2", "atan2 math.atan2", "The angle of the point (x, y), in [-pi, pi].", inputs="y x", types=FLOATS)
binary(
    "nextafter",
    "math.nextafter",
    "The number next to x1 in the direction of x2.",
    inputs="x1 x2",
    types=(float32, float64),
)

# One number at a time.
unary("abs", "abs math.abs", "|x|; of a complex x the modulus, a real number.", types=NUMERIC, infer=real_valued)
unary("negative", "negative math.negative", "-x, elementwise.", types=NUMERIC)
unary(
    "sign",
    "sign math.sign",
    "-1, 0 or 1 by the sign of x (NaN of NaN); of a complex x, x / |x|, or 0 for 0.",
    types=NUMERIC,
)
unary("square", "square math.square", "x * x, elementwise.", types=NUMERIC)
unary("reciprocal", "math.reciprocal", "1 / x, elementwise.")
unary("sqrt", "sqrt math.sqrt", "The square root; NaN of a negative number.")
unary("rsqrt", "math.rsqrt", "1 / sqrt(x), elementwise.")
unary("exp", "exp math.exp", "e to the power x.")
unary("expm1", "math.expm1", "exp(x) - 1, exact also near 0.")
unary("log", "math.log", "The natural logarithm; NaN of a negative number.")
unary("log1p", "math.log1p", "log(1 + x), exact also near 0.")
unary("sigmoid", "sigmoid math.sigmoid nn.sigmoid", "1 / (1 + exp(-x)), elementwise.")
unary("log_sigmoid", "math.log_sigmoid", "log(1 / (1 + exp(-x))), without overflow.", types=FLOATS)
unary("sin", "sin math.sin", "Sine of x in radians.")
unary("cos", "cos math.cos", "Cosine of x in radians.")
unary("tan", "tan math.tan", "Tangent of x in radians.")
unary("asin", "asin math.asin", "Inverse sine, in [-pi/2, pi/2].")
unary("acos", "acos math.acos", "Inverse cosine, in [0, pi].")
unary("atan", "atan math.atan", "Inverse tangent, in [-pi/2, pi/2].")
unary("sinh", "sinh math.sinh", "Hyperbolic sine.")
unary("cosh", "cosh math.cosh", "Hyperbolic cosine.")
unary("tanh", "tanh math.tanh nn.tanh", "Hyperbolic tangent.")
binary("sigmoid_grad", "", "gradients * y * (1 - y) with y a sigmoid's result.", inputs="gradients y")
binary("tanh_grad", "", "gradients * (1 - y * y) with y a tanh's result.", inputs="gradients y")
unary("asinh", "asinh math.asinh", "Inverse hyperbolic sine.")
unary("acosh", "acosh math.acosh", "Inverse hyperbolic cosine; NaN below 1.")
unary("atanh", "atanh math.atanh", "Inverse hyperbolic tangent.")
unary("floor", "floor math.floor", "The largest whole number not above x.", types=FLOATS)
unary("ceil", "math.ceil", "The smallest whole number not below x.", types=FLOATS)
unary(
    "round",
    "round math.round math.rint",
    "The nearest whole number, ties to even; integers as they are.",
    types=REAL,
)

# Complex numbers and casts.
op(
    "complex",
    "real imag",
    infer=to_complex,
    types=(float32, float64),
    public="complex dtypes.complex",
    doc="real + imag j.",
)
unary("real", "math.real", "The real part; a real number as it is.", inputs="input", types=NUMERIC, infer=real_valued)
unary("imag", "math.imag", "The imaginary part; 0 of a real number.", inputs="input", types=NUMERIC, infer=real_valued)
unary("conj", "math.conj", "The complex conjugate; a real number as it is.", types=NUMERIC)
unary(
    "angle",
    "math.angle",
    "The argument of a complex number, in [-pi, pi]; of a real one pi if it is negative, else 0.",
    inputs="input",
    infer=real_valued,
)
op("cast", "x", infer=cast)

# Several tensors at once.
op("add_n", "*inputs", infer=add_n, types=NUMERIC, doc="The sum of all inputs.")
op("global_norm", "*t_list", infer=scalar, types=FLOATS, doc="sqrt(sum over all tensors t of sum(t * t)).")
