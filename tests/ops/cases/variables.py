"""Cases of `protocol/ops/variables.py`: the new value of the variable that is the first input."""

import numpy as np

from protocol.dtypes import ALL, COMPLEX, FLOATS, INTS
from tests.ops.case import array, case


def pair(dtype, *shape):
    return array(*shape, dtype=dtype, seed="old"), array(*shape, dtype=dtype, seed="new")


def put(key):
    """NumPy's assignment to a slice, in a copy."""

    def reference(old, new, **_):
        old = old.copy()
        old[key] = new
        return old

    return reference


CASES = [
    *[case("assign", *pair(t, 2, 3), ref=lambda old, new: new, label=t.name) for t in ALL],
    *[case("assign_add", *pair(t, 2, 3), ref=np.add, label=t.name) for t in (*INTS, *FLOATS, *COMPLEX)],
    *[case("assign_sub", *pair(t, 2, 3), ref=np.subtract, label=t.name) for t in (*INTS, *FLOATS, *COMPLEX)],
    *[
        case(name, *pair("float32", *shape), ref=ref, label=f"{len(shape)}d{0 in shape}")
        for name, ref in (("assign", lambda old, new: new), ("assign_add", np.add), ("assign_sub", np.subtract))
        for shape in ((), (0, 3), (1, 2, 1, 2, 1))
    ],
    *[
        case(
            "assign_slice",
            array(3, 4, dtype=t, seed="old"),
            array(*shape, dtype=t, seed="new"),
            ref=put(key),
            label=f"{t}-{key}-{shape}",
            **attrs,
        )
        for t in ("float32", "int64", "bool")
        for key, shape, attrs in (
            ((slice(1, 3), slice(None)), (2, 4), {"begin": (1, 0), "end": (3, 0), "end_mask": 2}),
            ((slice(1, 3), slice(None)), (), {"begin": (1, 0), "end": (3, 0), "end_mask": 2}),
            ((1,), (4,), {"begin": (1,), "end": (2,), "shrink_axis_mask": 1}),
            (
                (slice(None, None, -2), 0),
                (2,),
                {
                    "begin": (0, 0),
                    "end": (0, 1),
                    "strides": (-2, 1),
                    "begin_mask": 1,
                    "end_mask": 1,
                    "shrink_axis_mask": 2,
                },
            ),
            (
                (Ellipsis, None, slice(0, 0)),
                (3, 1, 0),
                {"begin": (0, 0, 0), "end": (0, 0, 0), "ellipsis_mask": 1, "new_axis_mask": 2},
            ),
        )
    ],
]
