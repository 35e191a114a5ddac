"""What the elementwise, logical and special families refuse, and their public functions that are more than an op."""

import numpy as np
import pytest

from protocol import dtypes
from protocol.errors import InvalidArgumentError
from protocol.ops import lookup
from protocol.spec import Spec
from server.kernels import KERNELS


@pytest.mark.parametrize("name", ["floordiv", "floormod", "truncatediv", "truncatemod"])
@pytest.mark.parametrize("dtype", ["int8", "int64", "uint32"])
def test_integer_division_by_zero(name, dtype):
    with pytest.raises(InvalidArgumentError, match="Integer division by zero"):
        KERNELS[name](np, np.ones(3, dtype), np.array([1, 0, 2], dtype))
    with pytest.raises(InvalidArgumentError):
        KERNELS[name](np, np.asarray(1, dtype), np.asarray(0, dtype))


def test_negative_integer_power():
    with pytest.raises(InvalidArgumentError, match="Integers to negative integer powers are not allowed"):
        KERNELS["pow"](np, np.int32([2, 2]), np.int32([1, -1]))


def spec(dtype, *shape):
    return Spec(dtypes.as_dtype(dtype), shape)


@pytest.mark.parametrize(
    "name, specs, text",
    [
        ("add", [spec("float32", 2), spec("float32", 3)], r"Incompatible shapes: \[2\] vs. \[3\]"),
        ("equal", [spec("float32", 2), spec("float32", 3)], r"Incompatible shapes: \[2\] vs. \[3\]"),
        ("betainc", [spec("float32", 2), spec("float32", 1), spec("float32", 3)], "Incompatible shapes"),
        ("add", [spec("float32"), spec("int32")], "expected to be a float32 tensor but is a int32 tensor"),
        ("add", [spec("bool"), spec("bool")], "must be one of"),
        ("divide", [spec("int32"), spec("int32")], "must be one of"),
        ("floordiv", [spec("complex64"), spec("complex64")], "must be one of"),
        ("less", [spec("complex64"), spec("complex64")], "must be one of"),
        ("sqrt", [spec("int32")], "must be one of"),
        ("is_nan", [spec("int32")], "must be one of float16, bfloat16, float32, float64, not int32"),
        ("logical_and", [spec("int32"), spec("int32")], "must be one of bool, not int32"),
        ("bitwise_and", [spec("bool"), spec("bool")], "must be one of"),
        ("complex", [spec("float16"), spec("float16")], "must be one of float32, float64"),
        (
            "add_n",
            [spec("float32", 2), spec("float32", 1)],
            r"must have the same size and shape.*\[2\] != input 1: \[1\]",
        ),
        ("global_norm", [spec("int32")], "must be one of"),
    ],
)
def test_refused(name, specs, text):
    with pytest.raises(InvalidArgumentError, match=text):
        lookup(name).infer(tuple(specs), {})


def test_no_tensors():
    with pytest.raises(ValueError, match="at least one"):
        lookup("add_n").infer((), {})


def test_add_n_gathers_what_the_shapes_say():
    shapes = [(None, 3), None, (2, None)]
    specs = tuple(Spec(dtypes.float32, s) for s in shapes)
    assert lookup("add_n").infer(specs, {}).shape == (2, 3)
