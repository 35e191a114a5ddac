"""Cases of `protocol/ops/logical.py`."""

import operator

import numpy as np

from protocol import dtypes
from tests.ops.case import Case, case, elementwise

EDGES = np.array([[0, 1, -1, 127, -128]])
SHIFTS = np.array([-1, 0, 1, 7, 8, 31, 32, 63, 64, 100])


def shift(op, function):
    """A shift by Python's unbounded integers, cut to the dtype; the amount is held within the dtype's bits."""

    def reference(x, y):
        bits = 8 * x.dtype.itemsize
        amounts = np.minimum(np.maximum(y, 0), bits - 1)
        wide = np.vectorize(function, otypes=[object])(x.astype(object), amounts.astype(object))
        mask = 2**bits - 1
        return np.vectorize(lambda v: v & mask, otypes=[np.uint64])(wide).astype(f"u{x.dtype.itemsize}").view(x.dtype)

    cases = elementwise(op, reference, low=(-9, 0), high=(9, 8))
    for kind in dtypes.INTS:
        x, y = (v.clip(kind.min, kind.max).astype(kind.numpy) for v in (EDGES.T, SHIFTS))
        cases.append(case(op, x, y, ref=reference, label=f"{kind.name}-edges"))
    return cases


def by_element(function):
    return lambda *arrays: np.vectorize(function, otypes=[bool])(*arrays)


def bits(op, function):
    edges = [case(op, EDGES.T.astype(t), EDGES.astype(t), ref=function, label=f"{t}-edges") for t in ("int8", "int64")]
    return [*elementwise(op, function, low=-100, high=100), *edges]


CASES: list[Case] = [
    *elementwise("equal", by_element(operator.eq)),
    *elementwise("not_equal", by_element(operator.ne)),
    *elementwise("less", by_element(operator.lt)),
    *elementwise("less_equal", by_element(operator.le)),
    *elementwise("greater", by_element(operator.gt)),
    *elementwise("greater_equal", by_element(operator.ge)),
    *elementwise("is_nan", lambda x: x != x),
    *elementwise("is_inf", lambda x: abs(x) == np.inf),
    *elementwise("is_finite", lambda x: abs(x) < np.inf),
    *elementwise("logical_and", by_element(lambda x, y: x and y)),
    *elementwise("logical_or", by_element(lambda x, y: x or y)),
    *elementwise("logical_xor", by_element(operator.ne)),
    *elementwise("logical_not", by_element(operator.not_)),
    *bits("bitwise_and", operator.and_),
    *bits("bitwise_or", operator.or_),
    *bits("bitwise_xor", operator.xor),
    *elementwise("invert", lambda x: (-1 if x.dtype.kind == "i" else np.iinfo(x.dtype).max) - x),
    *shift("left_shift", operator.lshift),
    *shift("right_shift", operator.rshift),
]  # fmt: skip
