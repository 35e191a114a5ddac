"""Cases of `protocol/ops/elementwise.py`."""

import cmath
import math

import ml_dtypes
import numpy as np

from protocol import dtypes
from protocol.dtypes import ALL as DTYPES
from tests.ops.case import Case, array, case, elementwise, layouts

REAL_FLOATS = dtypes.FLOATS
NAN, INF = float("nan"), float("inf")
# Ratios of whole and half numbers: no quotient is near a whole number without being one.
DIVIDENDS = np.array([-7.5, -7, -3, -0.5, 0, 0.5, 3, 7, 7.5])[:, None]
DIVISORS = np.array([-4, -2, -0.5, 0.5, 2, 4])


def by_element(function):
    """A reference that computes one element at a time, with Python's own numbers."""

    def reference(*arrays):
        return np.vectorize(function, otypes=[np.result_type(*arrays)])(*arrays)

    return reference


def exact(op, ref, x, y, kinds):
    """The same operands in every dtype of `kinds`; those that a dtype cannot hold are left out."""
    cases = []
    for kind in kinds:
        whole = kind.is_integer
        a, b = (np.trunc(v) if whole else v for v in (x, y))
        b = b[b != 0]
        if kind.is_unsigned:
            a, b = np.abs(a), np.abs(b)
        cases.append(case(op, a.astype(kind.numpy), b.astype(kind.numpy), ref=ref, label=kind.name, gradient=False))
    return cases


def division(op, ref):
    """An op of quotients: every dtype, both signs, every shape, zeros and infinities."""
    extremes = np.array([NAN, INF, -INF, 0, 1, -1, 5], np.float32)
    shapes = elementwise(op, ref, low=(-9, 1), high=(9, 4), types=[dtypes.int32])
    small = np.iinfo(np.int8).min
    return [
        *exact(op, ref, DIVIDENDS, DIVISORS, dtypes.INTS + REAL_FLOATS),
        *[c for c in shapes if c.label != "int32"],
        case(op, extremes[:, None], np.array([1, -1, 2], np.float32), ref=ref, label="special", gradient=False),
        case(op, np.array([1, -1, 0], np.float32), np.float32(0), ref=ref, label="by-zero", gradient=False),
        case(op, np.int8(small), np.int8(-1), ref=lambda x, y: np.int8(small if "div" in op else 0), label="overflow"),
    ]


def c_quotient(x, y):
    return x // y if (x < 0) == (y < 0) else -(abs(x) // abs(y))


def c_remainder(x, y):
    return math.fmod(x, y) if isinstance(x, float) else x - y * c_quotient(x, y)


def ieee(function):
    """`function` where Python defines it; elsewhere IEEE 754: x / 0 is infinite or NaN, and its remainder is NaN."""

    def safe(x, y):
        if not isinstance(x, float):
            return function(x, y)
        if y == 0 or not math.isfinite(x):
            quotient = float(np.float64(x) / np.float64(y))
            return quotient if function in QUOTIENTS else NAN
        return function(x, y)

    return by_element(safe)


def floor_quotient(x, y):
    return math.floor(x / y) if isinstance(x, float) else x // y


def truncated_quotient(x, y):
    return math.trunc(x / y) if isinstance(x, float) else c_quotient(x, y)


QUOTIENTS = (floor_quotient, truncated_quotient)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def zero_when(which, function):
    """`function(x, y)`, and 0 where the operand number `which` is 0."""
    return lambda x, y: np.where((x, y)[which] == 0, 0, function(x, y))


def sign(x):
    return np.where(x == 0, 0, x / np.where(x == 0, 1, abs(x))).astype(x.dtype) if x.dtype.kind == "c" else np.sign(x)


def angle(x):
    if x.dtype.kind != "c":
        return np.where(x < 0, math.pi, 0.0)
    return np.vectorize(cmath.phase, otypes=[float])(x)


def cast_cases():
    """From every dtype to every dtype, with values that both hold."""
    cases = []
    for source in DTYPES:
        for target in DTYPES:
            low = -100 if source.kind in "ifc" and target.kind in "ifcb" else 0
            values = array(2, 3, dtype=source, low=low, high=100, seed="cast")
            cases.append(case("cast", values, ref=cast, label=f"{source.name}-{target.name}", dtype=target))
    return cases


def cast(x, dtype):
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = x.real
    if dtype.kind in "iu" and x.dtype.kind == "f":
        x = np.trunc(x)
    return x.astype(dtype)


def special_casts():
    floats = np.array([NAN, INF, -INF, 0.4, -0.4, 0.0, 70000], np.float32)
    wraps = np.array([2**40 + 5, -1, 300, 128], np.int64)
    return [
        case("cast", floats, ref=lambda x, dtype: np.isnan(x) | (x != 0), label="float-bool", dtype=dtypes.bool_),
        case("cast", floats, ref=cast, label="overflow", dtype=dtypes.float16, gradient=False),
        case("cast", wraps, ref=lambda x, dtype: np.array([5, -1, 44, -128]), label="wraps", dtype=dtypes.int8),
        case("cast", 2j, ref=lambda x, dtype: False, label="imaginary-bool", dtype=dtypes.bool_),
        case("cast", np.float32(-1.9), ref=lambda x, dtype: -1, label="scalar", dtype=dtypes.int32),
        case("cast", np.zeros((0, 2)), ref=cast, label="empty", dtype=dtypes.int32),
        case("cast", layouts(array(3, 4)), ref=cast, label="strided", dtype=dtypes.float64),
        case("cast", array(1, 2, 1, 2, 1, 2), ref=cast, label="deep", dtype=dtypes.bfloat16),
        case(
            "cast", np.array([1 + 2**-9, 1 + 2**-8, 1 + 3 * 2**-8]), label="rounds-to-even", dtype=dtypes.bfloat16,
            ref=lambda x, dtype: np.array([1, 1, 1 + 2**-6]),
        ),
    ]  # fmt: skip


def many(op, ref, count, types, **options):
    """An op of `count` tensors of one shape, in every dtype and kind of shape."""

    def of(shape, dtype, label, convert=np.asarray):
        inputs = [convert(array(*shape, dtype=dtype, seed=f"{op}{i}")) for i in range(count)]
        return case(op, *inputs, ref=ref, label=label, **options)

    shapes = {"scalar": (), "empty": (0, 3), "deep": (2, 1, 2, 1, 2, 1)}
    return [
        *[of((2, 3), t, t.name) for t in types],
        *[of(shape, "float32", label) for label, shape in shapes.items()],
        of((3, 4), "float32", "strided", layouts),
    ]


def next_float32(x, y):
    return x + np.sign(y - x) * np.spacing(np.float32(x))


def norm(*tensors):
    return np.linalg.norm(np.concatenate([np.ravel(t) for t in tensors]))


TWO_REALS = np.array([[1, -2, INF]]), np.array([[0.5], [-INF]])

CASES: list[Case] = [
    *elementwise("add", np.add),
    *elementwise("subtract", np.subtract),
    *elementwise("multiply", np.multiply),
    *elementwise("divide", np.divide, low=(-2, 0.5)),
    *division("floordiv", ieee(floor_quotient)),
    *division("truncatediv", ieee(truncated_quotient)),
    *division("floormod", ieee(lambda x, y: x % y)),
    case("floormod", np.float32([7.5, -7.25, 2]), np.float32([2.25, 3, -1.5]), ref=lambda x, y: x % y, label="smooth"),
    *division("truncatemod", ieee(c_remainder)),
    case("floordiv", np.float32(1), np.float32(0.1), ref=lambda x, y: 10.0, label="inexact", gradient=False),
    *elementwise("pow", np.power, low=(0.5, -2), types=dtypes.FLOATS + dtypes.COMPLEX, loose=4),
    *[c for c in elementwise("pow", np.power, low=(-3, 0), high=3, types=dtypes.INTS) if c.label in dtypes.BY_NAME],
    case("pow", np.int8(3), np.int8(6), ref=lambda x, y: np.int8(729 - 3 * 256), label="wraps"),
    *elementwise("maximum", np.maximum),
    *elementwise("minimum", np.minimum),
    *elementwise("squared_difference", lambda x, y: (abs(x - y) ** 2).astype(x.dtype), loose=4),
    *elementwise("divide_no_nan", zero_when(1, np.divide), low=(-2, 0.5)),
    *elementwise("multiply_no_nan", zero_when(1, np.multiply)),
    *elementwise("xdivy", zero_when(0, np.divide), low=(-2, 0.5)),
    *elementwise("xlogy", zero_when(0, lambda x, y: x * np.log(y)), low=(-2, 0.5), loose=4),
    *elementwise("xlog1py", zero_when(0, lambda x, y: x * np.log1p(y)), low=(-2, -0.5), loose=4),
    *elementwise("atan2", by_element(math.atan2)),
    *elementwise("nextafter", next_float32, types=[dtypes.float32], special=False),
    case("nextafter", np.float64(1), np.float64(2), ref=lambda x, y: 1 + 2.0**-52, label="float64"),
    *elementwise("abs", lambda x: np.sqrt(x.real**2 + x.imag**2) if x.dtype.kind == "c" else np.where(x < 0, -x, x)),
    *elementwise("negative", lambda x: (0 - x).astype(x.dtype)),
    *elementwise("sign", sign),
    *elementwise("square", lambda x: x * x),
    *elementwise("reciprocal", lambda x: 1 / x, low=0.5),
    *elementwise("sqrt", np.sqrt, low=0.25),
    *elementwise("rsqrt", lambda x: 1 / np.sqrt(x), low=0.25),
    *elementwise("exp", np.exp),
    *elementwise("expm1", np.expm1),
    *elementwise("log", np.log, low=0.25, loose=2),
    *elementwise("log1p", np.log1p, low=-0.75, loose=2),
    *elementwise("sigmoid", sigmoid),
    case("sigmoid", np.float16([-11, -100, 100]), ref=sigmoid, label="tails"),
    *elementwise("log_sigmoid", lambda x: -np.logaddexp(0, -x)),
    case("log_sigmoid", np.float32([-1000, 1000, -80]), ref=lambda x: np.array([-1000, 0, -80]), label="tails"),
    *elementwise("sin", np.sin),
    *elementwise("cos", np.cos),
    *elementwise("tan", np.tan, low=-1, high=1),
    *elementwise("asin", np.arcsin, low=-0.9, high=0.9),
    *elementwise("acos", np.arccos, low=-0.9, high=0.9),
    *elementwise("atan", np.arctan),
    *elementwise("sinh", np.sinh),
    *elementwise("cosh", np.cosh),
    *elementwise("tanh", np.tanh),
    *elementwise("tanh_grad", lambda g, y: g * (1 - np.conj(y) ** 2), special=False, loose=4),
    *elementwise("sigmoid_grad", lambda g, y: g * np.conj(y * (1 - y)), special=False, loose=4),
    *elementwise("asinh", np.arcsinh),
    *elementwise("acosh", np.arccosh, low=1.25, high=3),
    *elementwise("atanh", np.arctanh, low=-0.9, high=0.9, loose=2),
    *elementwise("floor", np.floor),
    *elementwise("ceil", np.ceil),
    *elementwise("round", np.round),
    case("round", np.float32([0.5, 1.5, 2.5, -0.5]), ref=lambda x: [0, 2, 2, 0], label="ties", gradient=False),
    *elementwise("complex", lambda x, y: x + 1j * y, special=False),
    case("complex", *TWO_REALS, ref=lambda x, y: np.vectorize(complex)(x, y), label="infinite", gradient=False),
    *elementwise("real", np.real),
    *elementwise("imag", np.imag, special=False),
    case("imag", np.array([1, NAN], ml_dtypes.bfloat16), ref=np.zeros_like, label="of-nan", gradient=False),
    *elementwise("conj", np.conjugate),
    *elementwise("angle", angle),
    *cast_cases(),
    *special_casts(),
    *many("add_n", lambda *inputs: sum(inputs[1:], inputs[0]), 3, dtypes.INTS + dtypes.FLOATS + dtypes.COMPLEX),
    case("add_n", array(2, 3), ref=lambda x: x, label="one"),
    *many("global_norm", norm, 3, dtypes.FLOATS),
    case("global_norm", np.float32([3, 0]), np.float32([[4]]), ref=lambda *t: 5.0, label="shapes"),
    case("global_norm", np.float32([NAN, 0]), np.float32(4), ref=lambda *t: NAN, label="nan", gradient=False),
    case("global_norm", np.float16([300, 400]), ref=lambda t: 500.0, label="no-overflow"),
]  # fmt: skip
