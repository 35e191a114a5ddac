"""What reductions, sorting and segment ops refuse, and in which words."""

import numpy as np
import pytest

from protocol import dtypes
from protocol.attrs import Unknown
from protocol.errors import InvalidArgumentError
from protocol.ops import lookup
from protocol.spec import Spec
from server.kernels import KERNELS

INVALID = InvalidArgumentError


def f32(*shape):
    return Spec(dtypes.float32, shape)


def i32(*shape):
    return Spec(dtypes.int32, shape)


REFUSED = [
    ("reduce_sum", (f32(2),), {"axis": 1}, INVALID, r"Invalid reduction dimension \(1 for input with 1 dimension"),
    ("reduce_sum", (f32(),), {"axis": 0}, INVALID, "Invalid reduction dimension"),
    ("reduce_sum", (f32(1, 2),), {"axis": (1, -1)}, INVALID, "Axes contains duplicate dimension: 1"),
    ("reduce_sum", (f32(2),), {"axis": Unknown(i32(2))}, INVALID, "2 axes for input with 1"),
    ("reduce_max", (Spec(dtypes.bool_, (2,)),), {}, INVALID, "must be one of"),
    ("reduce_any", (f32(2),), {}, INVALID, "must be one of bool"),
    ("argmax", (f32(),), {}, INVALID, r"Expected dimension in the range \[0, 0\), but got 0"),
    ("argmax", (f32(2, 2),), {"axis": -3}, INVALID, r"Expected dimension in the range \[-2, 2\), but got -3"),
    ("argmin", (f32(0, 3),), {"axis": 0}, INVALID, r"Reduction axis 0 is empty in shape \[0, 3\]"),
    ("argmin", (f32(3),), {"output_type": dtypes.float32}, INVALID, "output_type must be one of"),
    ("argmin", (f32(3),), {"axis": Unknown(i32(1))}, INVALID, "dim must be a scalar"),
    ("cumsum", (f32(3),), {"axis": 1}, INVALID, r"ScanOp: Expected scan axis in the range \[-1, 1\), but got 1"),
    ("cumprod", (f32(),), {}, INVALID, "Expected scan axis in the range"),
    ("sort", (f32(3),), {"direction": "UP"}, ValueError, "should be one of ASCENDING, DESCENDING"),
    ("sort", (f32(3),), {"axis": 1}, INVALID, "axis 1 is out of bounds"),
    ("argsort", (f32(),), {}, INVALID, "axis -1 is out of bounds"),
    ("top_k", (f32(4),), {"k": 5}, INVALID, "input must have at least k columns. Had 4, needed 5"),
    ("top_k", (f32(4),), {"k": -1}, INVALID, "Need k >= 0, got -1"),
    ("top_k", (f32(),), {"k": 1}, INVALID, "input must be >= 1-D"),
    ("top_k", (f32(4),), {"k": Unknown(i32(2))}, INVALID, "k must be scalar"),
    ("top_k", (f32(4),), {"index_type": dtypes.uint8}, INVALID, "index_type must be one of"),
    (
        "in_top_k",
        (i32(2), f32(3, 4)),
        {"k": 1},
        INVALID,
        "First dimension of predictions 3 must match length of targets 2",
    ),
    ("in_top_k", (i32(2, 1), f32(2, 4)), {"k": 1}, INVALID, "targets must be 1-dimensional"),
    ("in_top_k", (i32(2), f32(4)), {"k": 1}, INVALID, "predictions must be 2-dimensional"),
    ("unique", (f32(2, 2),), {}, INVALID, "unique expects a 1D vector"),
    ("unique", (f32(2),), {"out_idx": dtypes.int8}, INVALID, "out_idx must be one of"),
    ("searchsorted", (f32(2, 3), f32(1, 3)), {}, INVALID, "Leading dim_size of both tensors must match"),
    ("searchsorted", (f32(2, 3), f32(3)), {}, INVALID, "Leading dim_size of both tensors must match"),
    ("searchsorted", (f32(3), f32()), {}, INVALID, "at least 1-dimensional"),
    ("searchsorted", (f32(3), f32(3)), {"side": "up"}, ValueError, "must be either 'right' or 'left'"),
    ("invert_permutation", (i32(2, 2),), {}, INVALID, "expects a 1D vector"),
    ("bincount", (i32(2, 2),), {"axis": 1}, ValueError, "Only 0 and -1 are currently supported"),
    ("bincount", (i32(2), f32(3)), {}, INVALID, "`weights` must be the same shape as `arr`"),
    ("bincount", (i32(2), f32(2)), {"binary_output": True}, ValueError, "mutually exclusive"),
    ("bincount", (i32(1, 1, 2),), {"axis": -1}, INVALID, "Shape must be at most rank 2"),
    ("bincount", (i32(2),), {"maxlength": -1}, INVALID, "must be non-negative"),
    ("segment_sum", (f32(3), i32(2)), {}, INVALID, "should be the same size as dimension 0"),
    ("segment_sum", (f32(3), i32(3, 1)), {}, INVALID, "segment_ids should be a vector"),
    ("segment_sum", (f32(), i32(1)), {}, INVALID, "input must be at least rank 1"),
    (
        "unsorted_segment_sum",
        (f32(2, 3), i32(3)),
        {"num_segments": 3},
        INVALID,
        "does not start with segment_ids.shape",
    ),
    ("unsorted_segment_sum", (f32(2), i32(2)), {"num_segments": -3}, INVALID, "must not be negative"),
    ("unsorted_segment_sum", (f32(2), i32(2)), {"num_segments": Unknown(i32(1))}, INVALID, "should be a scalar"),
]
FAILING = [
    ("invert_permutation", ([2, 0, 2],), {}, "2 is duplicated in the input"),
    ("invert_permutation", ([2, 0, -1],), {}, "-1 is not between 0 and 3"),
    ("bincount", ([1, -2],), {"maxlength": 2}, "must be non-negative"),
    ("segment_max", ([1, 2, 3], [1, 0, 2]), {}, "segment ids are not increasing"),
    ("segment_sum", ([1, 2, 3], [-1, 0, 2]), {}, r"Segment id -1 out of range \[0, 3\)"),
    ("segment_sum", ([1], [2**60]), {}, "more than .* elements"),
    (
        "unsorted_segment_min",
        ([1, 2, 3], [0, -1, 3]),
        {"num_segments": 3},
        r"segment_ids\[2\] = 3 is out of range \[0, 3\)",
    ),
]


@pytest.mark.parametrize(("name", "specs", "attrs", "error", "text"), REFUSED)
def test_refused_by_inference(name, specs, attrs, error, text):
    with pytest.raises(error, match=text):
        lookup(name).infer(specs, attrs)


@pytest.mark.parametrize(("name", "inputs", "attrs", "text"), FAILING)
def test_refused_by_the_kernel(name, inputs, attrs, text):
    with pytest.raises(InvalidArgumentError, match=text):
        KERNELS[name](np, *map(np.array, inputs), **attrs)


@pytest.mark.parametrize(
    ("name", "specs", "attrs", "shape"),
    [
        ("reduce_sum", (f32(2, 3),), {"axis": Unknown(i32())}, (None,)),
        ("reduce_sum", (f32(2, 3),), {"axis": Unknown(i32(2))}, ()),
        ("reduce_sum", (f32(2, 3),), {"axis": Unknown(i32(None))}, None),
        ("reduce_sum", (f32(2, 3),), {"axis": Unknown(i32()), "keepdims": True}, (None, None)),
        ("argmax", (f32(2, 3),), {"axis": Unknown(i32())}, (None,)),
        ("cumsum", (f32(2, 3),), {"axis": Unknown(i32())}, (2, 3)),
        ("sort", (f32(2, 3),), {"axis": Unknown(i32())}, (2, 3)),
        ("top_k", (f32(2, 3),), {"k": Unknown(i32())}, (2, None)),
        ("unsorted_segment_sum", (f32(2, 3), i32(2)), {"num_segments": Unknown(i32())}, (None, 3)),
        ("bincount", (i32(2),), {"maxlength": Unknown(i32()), "minlength": 3}, (None,)),
        ("in_top_k", (i32(None), f32(4, 3)), {"k": Unknown(i32())}, (4,)),
    ],
)
def test_shape_with_an_unknown_attribute(name, specs, attrs, shape):
    found = lookup(name).infer(specs, attrs)
    assert (found if isinstance(found, Spec) else found[0]).shape == shape
