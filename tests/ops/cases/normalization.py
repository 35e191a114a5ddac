"""Cases of `protocol/ops/normalization.py`."""

import numpy as np

from protocol.dtypes import FLOATS
from tests.ops.case import array, case, layouts


def moments(x, axes, keepdims=False):
    return np.mean(x, axes, keepdims=keepdims), np.var(x, axes, keepdims=keepdims)


CASES = [
    *(case("moments", array(3, 4, 2, dtype=t.name), ref=moments, label=t.name, axes=(0, 1), loose=8.0) for t in FLOATS),
    *(
        case("moments", array(3, 4, 2), ref=moments, label=f"axes-{i}", axes=axes, loose=8.0, keepdims=keep)
        for i, (axes, keep) in enumerate(
            [(None, False), (None, True), (-1, False), (1, True), ((2, 0), False), ((0,), True), ((), False)]
        )
    ),
    case("moments", array(2, 1, 3, 1, 2, 3), ref=moments, label="deep", axes=(2, 4), loose=8.0),
    case("moments", np.float32(3), ref=moments, label="scalar", axes=None),
    case("moments", layouts(array(4, 5)), ref=moments, label="strided", axes=(0,), loose=8.0),
    case("moments", array(4, 0), ref=moments, label="no-columns", axes=(0,)),
    case(
        "moments",
        array(0, 3),
        ref=lambda x, axes: (np.full(3, np.nan),) * 2,
        label="no-rows",
        axes=(0,),
        gradient=False,
    ),
    case(
        "moments",
        array(3, 0),
        ref=lambda x, axes: (np.full(3, np.nan),) * 2,
        label="no-rest",
        axes=(1,),
        gradient=False,
    ),
]
