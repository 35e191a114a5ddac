"""Kernels of the elementwise math ops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protocol.dtypes import DType
from server.kernels.checks import refuse
from server.kernels.precision import wide, widened
from server.kernels.registry import kernel

# Ufuncs that are fast as they are in every dtype.
PLAIN = {
    "add": "add",
    "subtract": "subtract",
    "multiply": "multiply",
    "divide": "true_divide",
    "maximum": "maximum",
    "minimum": "minimum",
    "nextafter": "nextafter",
    "abs": "absolute",
    "negative": "negative",
    "square": "square",
    "reciprocal": "reciprocal",
}
# Ufuncs whose float16 and bfloat16 loops are native on a GPU, but in NumPy several times slower than those of float32.
MATH = {
    "sqrt": "sqrt",
    "exp": "exp",
    "expm1": "expm1",
    "log": "log",
    "log1p": "log1p",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "atan2": "arctan2",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
}
DIVISION_BY_ZERO = "Integer division by zero"


def _plain(name: str, ufunc: str) -> None:
    kernel(name, lambda xp, *arrays: getattr(xp, ufunc)(*arrays))


def _math(name: str, ufunc: str) -> None:
    halves_on_cpu = widened(lambda xp, *arrays: getattr(xp, ufunc)(*arrays))

    def run(xp: Any, *arrays: Any) -> Any:
        if arrays[0].dtype.itemsize == 2 and xp is np:
            return halves_on_cpu(xp, *arrays)
        return getattr(xp, ufunc)(*arrays)

    kernel(name, run)


def _is_integer(x: Any) -> bool:
    return x.dtype.kind in "iu"


def _floordiv(xp: Any, x: Any, y: Any) -> Any:
    if not _is_integer(x):
        return xp.floor(x / y)  # not floor_divide, whose 1 // 0.1 is 9
    refuse(xp, y == 0, DIVISION_BY_ZERO)
    return xp.floor_divide(x, y)


def _floormod(xp: Any, x: Any, y: Any) -> Any:
    if _is_integer(x):
        refuse(xp, y == 0, DIVISION_BY_ZERO)
    return xp.remainder(x, y)


def _truncatediv(xp: Any, x: Any, y: Any) -> Any:
    if not _is_integer(x):
        return xp.trunc(x / y)
    quotient = _floordiv(xp, x, y)
    return quotient + ((quotient < 0) & (quotient * y != x))


def _truncatemod(xp: Any, x: Any, y: Any) -> Any:
    if _is_integer(x):
        refuse(xp, y == 0, DIVISION_BY_ZERO)
    return xp.fmod(x, y)


def _pow(xp: Any, x: Any, y: Any) -> Any:
    if x.dtype.kind == "i":
        refuse(xp, y < 0, "Integers to negative integer powers are not allowed")
    return xp.power(x, y)


def _squared_difference(xp: Any, x: Any, y: Any) -> Any:
    difference = x - y
    return xp.conj(difference) * difference if difference.dtype.kind == "c" else xp.square(difference)


def _zero_where(xp: Any, mask: Any, values: Any) -> Any:
    return xp.where(mask, values.dtype.type(0), values)


def _sign(xp: Any, x: Any) -> Any:
    if x.dtype.kind == "c":
        modulus = xp.absolute(x)
        return _zero_where(xp, modulus == 0, x / modulus)
    sign = xp.sign(x)
    if xp is np or _is_integer(x):
        return sign
    return xp.where(xp.isnan(x), x, sign)  # CuPy's sign of NaN is 0


def _log_sigmoid(xp: Any, x: Any) -> Any:
    return xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.absolute(x)))


def _round(xp: Any, x: Any) -> Any:
    return x if _is_integer(x) else xp.rint(x)


def _complex(xp: Any, real: Any, imag: Any) -> Any:
    # Not real + 1j * imag, which is NaN where a part is infinite.
    result = xp.empty(xp.broadcast(real, imag).shape, np.result_type(real.dtype, np.complex64))
    result.real = real
    result.imag = imag
    return result


def _angle(xp: Any, x: Any) -> Any:
    if x.dtype.kind == "c":
        return xp.arctan2(x.imag, x.real)
    return (x < 0) * x.dtype.type(math.pi)


def _cast(xp: Any, x: Any, *, dtype: DType) -> Any:
    if dtype.is_complex:
        x = wide(x)  # CuPy converts no bfloat16 to complex numbers
    elif x.dtype.kind == "c":
        x = x.real
    return x.astype(dtype.numpy, copy=False)


def _sigmoid_grad(xp: Any, g: Any, y: Any) -> Any:
    y = y.conj() if y.dtype.kind == "c" else y
    return g * (y * (1 - y))


def _tanh_grad(xp: Any, g: Any, y: Any) -> Any:
    y = y.conj() if y.dtype.kind == "c" else y
    return g * (1 - y * y)


def _add_n(xp: Any, *inputs: Any) -> Any:
    if len(inputs) == 1:
        return inputs[0]
    total = inputs[0] + inputs[1]
    for each in inputs[2:]:
        total += each
    return total


def _global_norm(xp: Any, *tensors: Any) -> Any:
    flat = (t.ravel() for t in tensors)
    return xp.sqrt(sum(xp.dot(t, t) for t in flat))


for _name, _ufunc in PLAIN.items():
    _plain(_name, _ufunc)
for _name, _ufunc in MATH.items():
    _math(_name, _ufunc)

kernel("floordiv", widened(_floordiv))
kernel("floormod", widened(_floormod))
kernel("truncatediv", widened(_truncatediv))
kernel("truncatemod", widened(_truncatemod))
kernel("pow", widened(_pow))
kernel("squared_difference", widened(_squared_difference))
kernel("divide_no_nan", widened(lambda xp, x, y: _zero_where(xp, y == 0, x / y)))
kernel("multiply_no_nan", widened(lambda xp, x, y: _zero_where(xp, y == 0, x * y)))
kernel("xdivy", widened(lambda xp, x, y: _zero_where(xp, x == 0, x / y)))
kernel("xlogy", widened(lambda xp, x, y: _zero_where(xp, x == 0, x * xp.log(y))))
kernel("xlog1py", widened(lambda xp, x, y: _zero_where(xp, x == 0, x * xp.log1p(y))))
kernel("sign", widened(_sign))
kernel("rsqrt", widened(lambda xp, x: xp.reciprocal(xp.sqrt(x))))
kernel("sigmoid_grad", widened(_sigmoid_grad))
kernel("tanh_grad", widened(_tanh_grad))
kernel("sigmoid", widened(lambda xp, x: xp.reciprocal(xp.exp(-x) + 1)))
kernel("log_sigmoid", widened(_log_sigmoid))
kernel("floor", widened(lambda xp, x: xp.floor(x)))
kernel("ceil", widened(lambda xp, x: xp.ceil(x)))
kernel("round", widened(_round))
kernel("complex", _complex)
kernel("real", lambda xp, x: x.real if x.dtype.kind == "c" else x)
kernel("imag", lambda xp, x: x.imag if x.dtype.kind == "c" else xp.zeros_like(x))
kernel("conj", lambda xp, x: xp.conj(x) if x.dtype.kind == "c" else x)
kernel("angle", widened(_angle))
kernel("cast", _cast)
kernel("add_n", widened(_add_n))
kernel("global_norm", widened(_global_norm))
