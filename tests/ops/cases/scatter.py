"""Cases of `protocol/ops/scatter.py`. Indices have duplicates, except where the op does not say which one stays."""

import numpy as np

from protocol import dtypes
from protocol.ops import lookup
from tests.ops.case import array, case, layouts

I32 = np.int32
COMBINE = {
    "update": lambda old, new: new,
    "add": lambda old, new: old + new,
    "sub": lambda old, new: old - new,
    "min": np.minimum,
    "max": np.maximum,
}


def one_by_one(how):
    def run(tensor, indices, updates):
        found = tensor.copy()
        for at in np.ndindex(indices.shape[:-1]):
            place = tuple(indices[at])
            found[place] = COMBINE[how](found[place], updates[at])
        return found

    return run


def scatter_nd(indices, updates, *, shape):
    return one_by_one("add")(np.zeros(shape, updates.dtype), indices, updates)


SETS = {  # tensor's shape, indices without and with duplicates
    "elements": ((3, 4), [[0, 3], [2, 1]], [[0, 3], [0, 3]]),
    "rows": ((4, 3), [[2], [0]], [[2], [2]]),
    "batched": ((4, 3), [[[2], [0]], [[1], [3]]], [[[2], [0]], [[2], [2]]]),
    "whole": ((3,), np.zeros((1, 0), I32), np.zeros((2, 0), I32)),
    "nothing": ((3,), np.zeros((0, 1), I32), np.zeros((0, 1), I32)),
    "empty rows": ((3, 0), [[1]], [[1], [1]]),
    "wide": ((4, 16), [[3], [1]], [[3], [1], [3], [3]]),
    "deep": ((2, 1, 2, 3, 2), [[1, 0, 1]], [[1, 0, 1], [1, 0, 1]]),
}


def inputs(name, how, dtype="float32"):
    shape, distinct, repeated = SETS[name]
    indices = np.array(distinct if how == "update" else repeated, I32)
    updates = array(*indices.shape[:-1], *shape[indices.shape[-1] :], dtype=dtype, seed=name)
    return array(*shape, dtype=dtype, seed=how), indices, updates


def tensor_cases(how):
    op, ref = f"tensor_scatter_nd_{how}", one_by_one(how)
    yield from (case(op, *inputs("rows", how, t), ref=ref, label=t.name, loose=4.0) for t in lookup(op).types)
    yield from (case(op, *inputs("wide", how, t), ref=ref, label=f"wide {t.name}", loose=4.0) for t in lookup(op).types)
    yield from (case(op, *inputs(name, how), ref=ref, label=name, loose=4.0) for name in SETS if name != "wide")
    yield case(op, *map(layouts, inputs("rows", how)), ref=ref, label="strided")
    yield case(
        op,
        np.float32([1, 2, 3]),
        I32([[0], [1]]),
        np.float32([np.nan, np.inf]),
        ref=ref,
        label="special",
        gradient=False,
    )


CASES = [
    *[
        case(
            "scatter_nd",
            *inputs(name, "add", t)[1:],
            ref=scatter_nd,
            label=f"{name} {t.name}",
            shape=SETS[name][0],
            loose=4.0,
        )
        for t in dtypes.ALL
        for name in ("rows", "wide")
    ],
    *[
        case("scatter_nd", *inputs(name, "add")[1:], ref=scatter_nd, label=name, shape=SETS[name][0])
        for name in SETS
        if name not in ("rows", "wide")
    ],
    case("scatter_nd", np.array([[2], [2]]), I32([1, 2]), ref=scatter_nd, label="by int64", shape=(4,)),
    case("scatter_nd", np.zeros((0, 1), I32), array(0), ref=scatter_nd, label="into nothing", shape=(0,)),
    *[row for how in COMBINE for row in tensor_cases(how)],
]
