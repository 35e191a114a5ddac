"""Cases of `protocol/ops/variables.py`: the new value of the variable that is the first input."""

import numpy as np

from protocol.dtypes import ALL, COMPLEX, FLOATS, INTS
from tests.ops.case import array, case


def pair(dtype, *shape):
    return array(*shape, dtype=dtype, seed="old"), array(*shape, dtype=dtype, seed="new")


CASES = [
    *[case("assign", *pair(t, 2, 3), ref=lambda old, new: new, label=t.name) for t in ALL],
    *[case("assign_add", *pair(t, 2, 3), ref=np.add, label=t.name) for t in (*INTS, *FLOATS, *COMPLEX)],
    *[case("assign_sub", *pair(t, 2, 3), ref=np.subtract, label=t.name) for t in (*INTS, *FLOATS, *COMPLEX)],
    *[
        case(name, *pair("float32", *shape), ref=ref, label=f"{len(shape)}d{0 in shape}")
        for name, ref in (("assign", lambda old, new: new), ("assign_add", np.add), ("assign_sub", np.subtract))
        for shape in ((), (0, 3), (1, 2, 1, 2, 1))
    ],
]
