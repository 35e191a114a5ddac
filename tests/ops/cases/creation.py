"""Cases of `protocol/ops/creation.py`."""

import numpy as np

from protocol import dtypes
from tests.ops.case import array, case, layouts

I32 = np.int32
NUMBERS = dtypes.INTS + dtypes.FLOATS


def constant(value):
    return lambda *, shape, dtype=np.float32: np.full(shape, value).astype(dtype)


def like(value):
    return lambda x, dtype=None: np.full(x.shape, value).astype(dtype or x.dtype)


def eye(*, num_rows, num_columns=None, batch_shape=None, dtype=np.float32):
    found = np.zeros((*(batch_shape or ()), num_rows, num_rows if num_columns is None else num_columns), dtype)
    for i in range(min(found.shape[-2:])):
        found[..., i, i] = 1
    return found


def counted(*, start, limit, delta, dtype):
    found, i = [], 0
    while (start + i * delta < limit) if delta > 0 else (start + i * delta > limit):
        found.append(start + i * delta)
        i += 1
    return np.array(found, dtype)


def linspace(start, stop, *, num, axis=0):
    return np.linspace(start, stop, num, axis=axis)


def one_hot(indices, on=1, off=0, *, depth, axis=-1, dtype=np.float32):
    found = np.full((*indices.shape, depth), off).astype(dtype)
    for at in np.ndindex(indices.shape):
        if 0 <= indices[at] < depth:
            found[at][indices[at]] = on
    return np.moveaxis(found, -1, axis)


def sequence_mask(lengths, *, maxlen=None, dtype=np.bool_):
    size = max([0, *lengths.ravel()]) if maxlen is None else maxlen
    found = np.zeros((*lengths.shape, size), dtype)
    for at in np.ndindex(lengths.shape):
        found[at][: max(lengths[at], 0)] = 1
    return found


def made(op, ref):
    """Cases of an op that takes a shape and a dtype."""
    return [
        *[case(op, ref=ref, label=t.name, shape=(2, 3), dtype=t) for t in dtypes.ALL],
        *[case(op, ref=ref, label=str(s), shape=s) for s in ((), (0, 3), (1, 2, 1, 2, 1, 2))],
    ]


def made_like(op, ref):
    return [
        *[case(op, array(2, 3, dtype=t), ref=ref, label=t.name) for t in dtypes.ALL],
        case(op, array(2, 3), ref=ref, label="as int32", dtype=dtypes.int32),
        case(op, layouts(array(2, 3)), ref=ref, label="strided"),
        case(op, array(0), ref=ref, label="empty"),
        case(op, array(), ref=ref, label="scalar"),
    ]


def spaced(label, start, stop, **attrs):
    return case("linspace", np.float32(start), np.float32(stop), ref=linspace, label=label, **attrs)


CASES = [
    *made("zeros", constant(0)),
    *made("ones", constant(1)),
    *made_like("zeros_like", like(0)),
    *made_like("ones_like", like(1)),
    *[
        case("fill", array(dtype=t), ref=lambda v, dims: np.array([[v] * 3] * 2), label=t.name, dims=(2, 3))
        for t in dtypes.ALL
    ],
    case("fill", np.float32(np.nan), ref=lambda v, dims: np.full((), v), label="scalar", gradient=False, dims=()),
    case("fill", I32(3), ref=lambda v, dims: np.zeros((2, 0)), label="empty", dims=(2, 0)),
    *[case("eye", ref=eye, label=t.name, num_rows=3, dtype=t) for t in dtypes.ALL],
    case("eye", ref=eye, label="wide", num_rows=2, num_columns=4),
    case("eye", ref=eye, label="batch", num_rows=3, num_columns=2, batch_shape=(2, 1, 2)),
    case("eye", ref=eye, label="empty", num_rows=0, num_columns=2),
    *[case("range", ref=counted, label=t.name, start=1, limit=10, delta=3, dtype=t) for t in NUMBERS],
    *[
        case("range", ref=counted, label=label, start=start, limit=limit, delta=delta, dtype=dtype)
        for label, start, limit, delta, dtype in (
            ("down", 5, -3, -2, dtypes.int32),
            ("empty", 3, 3, 1, dtypes.int32),
            ("one", 0, 1, 100, dtypes.int8),
            ("to the end", 100, 128, 9, dtypes.int8),
            ("far", 2**62, 2**62 + 3, 1, dtypes.int64),
            ("tenths", 0.0, 1.0, 0.1, dtypes.float64),
            ("down by halves", 1.0, -1.0, -0.5, dtypes.float32),
            ("many halves", 0, 3000, 1, dtypes.float16),
        )
    ],
    *[
        case("linspace", np.array(0.5, t.numpy), np.array(2.0, t.numpy), ref=linspace, label=t.name, num=4, loose=2.0)
        for t in dtypes.FLOATS
    ],
    spaced("one", 1, 5, num=1),
    spaced("none", 1, 5, num=0),
    spaced("many", -3, 7, num=1001),
    spaced("vectors", [0, 1], [10, 20], num=3),
    spaced("last axis", [[0, 1], [2, 3]], [10, 20], num=3, axis=-1),
    spaced("middle axis", [[0, 1], [2, 3]], 7, num=3, axis=1),
    spaced("deep", np.zeros((1, 2, 1, 2)), np.ones((3, 1, 1, 1)), num=2, axis=2),
    *[case("one_hot", np.array([0, 2, 9], t.numpy), ref=one_hot, label=t.name, depth=3) for t in dtypes.INTS],
    *[
        case("one_hot", np.array([0, 2, -1], I32), ref=one_hot, label=f"to {t.name}", depth=3, dtype=t)
        for t in dtypes.ALL
    ],
    *[
        case(
            "one_hot",
            np.array([[0, 2, -1], [1, 1, 5]], np.int64),
            np.array(on, t.numpy),
            np.array(off, t.numpy),
            ref=one_hot,
            label=f"values {t.name}",
            depth=3,
            dtype=t,
            axis=1,
        )
        for t, on, off in ((dtypes.int32, 7, -1), (dtypes.bool_, False, True), (dtypes.float32, 0.5, np.inf))
    ],
    case("one_hot", I32(1), ref=one_hot, label="scalar", depth=3),
    case("one_hot", I32([[0, 1]]), ref=one_hot, label="first axis", depth=2, axis=0),
    case("one_hot", I32([0, 1]), ref=one_hot, label="no depth", depth=0),
    case("one_hot", np.zeros((0, 2), I32), ref=one_hot, label="empty", depth=2),
    case("one_hot", np.uint8([0, 255]), ref=one_hot, label="deep uint8", depth=300),
    *[
        case("sequence_mask", np.array([1, 3, 0], t.numpy), ref=sequence_mask, label=t.name, maxlen=4)
        for t in dtypes.INTS
    ],
    *[
        case("sequence_mask", I32([[1], [3]]), ref=sequence_mask, label=f"to {t.name}", maxlen=2, dtype=t)
        for t in dtypes.ALL
    ],
    case("sequence_mask", I32([1, 3, -2]), ref=sequence_mask, label="longest", static=False),
    case("sequence_mask", np.zeros(0, I32), ref=sequence_mask, label="empty", static=False),
    case("sequence_mask", I32(2), ref=sequence_mask, label="scalar", maxlen=5),
]
