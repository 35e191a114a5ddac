"""Operand conversion and promotion, against TensorFlow's table and rows written out by hand."""

import itertools
from typing import Any

import numpy as np
import pytest

from protocol import conversion, promotion
from protocol import dtypes as t
from protocol.errors import InvalidArgumentError, NotFoundError
from protocol.promotion import natural_dtype, resolve, supported, to_array

SCALARS = {"bool": True, "int32": 1, "int64": 2**40, "float32": 1.5, "complex128": 1j}
LISTS = {n: [[v]] for n, v in SCALARS.items()} | {"float16": [np.float16(1)], "float64": (np.float64(1), 2)}


class Arrays:
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([1.5, 2.5])


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (True, t.bool_),
        (1, t.int32),
        (2**31 - 1, t.int32),
        (2**31, t.int64),
        (-(2**31) - 1, t.int64),
        (1.5, t.float32),
        (float("inf"), t.float32),
        (1j, t.complex128),
        ([1, 2], t.int32),
        ([1, 2.5], t.float32),
        ([1.5, True], t.float32),
        ([1, True], t.int32),
        ([1j, 1], t.complex128),
        ([], t.float32),
        ([[], []], t.float32),
        ([1, 2**40], t.int64),
        (range(3), t.int32),
        ([(1, 2), [3, 4]], t.int32),
        (np.float64(1), t.float64),
        (np.int8(1), t.int8),
        (np.zeros(2), t.float64),
        (np.arange(2), t.int64),
        (np.array([1], ">i4"), t.int32),
        (np.ones(1, t.bfloat16.numpy), t.bfloat16),
        ([np.float32(1)], t.float32),
        ([np.float64(1), 1], t.float64),
        ([1, np.float64(1)], t.float32),
        ([np.float16(1)], t.float16),
        ([np.int64(1)], t.int32),
        ([np.arange(2), np.arange(2)], t.int32),
        ([np.zeros(2)], t.float64),
        ([np.True_], t.bool_),
        ([np.array(1.5), 1], t.float64),
        (Arrays(), t.float64),
    ],
)
def test_natural_dtype(value: Any, dtype: t.DType) -> None:
    assert natural_dtype(value) is dtype
    assert to_array(value).dtype == dtype.numpy


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, ValueError),
        ("a", TypeError),
        (["a"], TypeError),
        ([[1], [2, 3]], ValueError),
        ([1, [2]], ValueError),
        ([[1], 2], ValueError),
        ([True, 1], ValueError),
        ([1, 1j], ValueError),
        ([1, None], ValueError),
        ([1, "a"], ValueError),
        (2**63, ValueError),
        (1e300, ValueError),
        ([2**64], ValueError),
        ({1: 2}, ValueError),
        (object(), ValueError),
        (np.array(["a"]), TypeError),
        (np.array([1, "a"], object), ValueError),
        (np.array(["2020"], "M8[D]"), ValueError),
        ([Arrays()], ValueError),
    ],
)
def test_refused_without_a_dtype(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        natural_dtype(value)
    with pytest.raises(error):
        to_array(value)


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (300, t.uint8, 44),
        (-1, t.uint8, 255),
        (2**40 + 1, t.int32, 1),
        (200, t.int8, -56),  # integers wrap
        (True, t.int32, 1),
        (True, t.float32, 1.0),
        (True, t.complex128, 1 + 0j),
        (1, t.float32, 1.0),
        (1, t.complex64, 1 + 0j),
        (1.5, t.complex64, 1.5 + 0j),
        (2**63, t.uint64, 2**63),
        (2**64, t.float32, 2.0**64),
        (70000, t.float16, float("inf")),
        (1e300, t.float32, float("inf")),
        ([1, 2.5], t.float64, [1.0, 2.5]),
        ([True, 1], t.int32, [1, 1]),
        ([1, 1j], t.complex128, [1 + 0j, 1j]),
        ([], t.int8, []),
        ([[1], [2]], t.bfloat16, [[1.0], [2.0]]),
        (np.float64(1.5), t.int32, 1),
        (np.array([1.5]), t.uint8, [1]),
        (np.array([True]), t.float32, [1.0]),
        (np.int64(300), t.uint8, 44),
        (np.float64(0.5), t.bool_, True),
        ([[np.arange(2.0)]], t.float32, [[[0.0, 1.0]]]),
    ],
)
def test_to_array_with_a_dtype(value: Any, dtype: t.DType, expected: Any) -> None:
    array = to_array(value, dtype)
    assert array.dtype == dtype.numpy
    assert array.flags.c_contiguous
    assert array.tolist() == expected


@pytest.mark.parametrize(
    ("value", "dtype", "error", "message"),
    [
        (1.5, t.int32, TypeError, "Cannot convert 1.5 to EagerTensor of dtype int32"),
        (1j, t.float32, TypeError, "Cannot convert 1j to EagerTensor of dtype float"),
        (True, t.int8, TypeError, "Cannot convert True to EagerTensor of dtype int8"),
        (1, t.bool_, TypeError, "Cannot convert 1 to EagerTensor of dtype bool"),
        ([1, 2.5], t.int64, TypeError, r"Cannot convert \[1, 2.5\] to EagerTensor of dtype int64"),
        (2**63, t.int32, ValueError, "out-of-range integer"),
        (-1, t.uint64, ValueError, "out-of-range integer"),
        ([True, 1], t.int8, ValueError, "mixed types"),
        (None, t.float32, ValueError, r"Attempt to convert a value \(None\) with an unsupported type"),
        ("a", t.float32, TypeError, "string"),
    ],
)
def test_refused_with_a_dtype(value: Any, dtype: t.DType, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        to_array(value, dtype)


def test_dtype_hint_is_a_preference() -> None:
    assert to_array(1, dtype_hint=t.float64).dtype == np.float64
    assert to_array(1.5, dtype_hint=t.int32).dtype == np.float32
    assert to_array(np.zeros(2), dtype_hint=t.int32).dtype == np.int32


def test_an_array_of_the_dtype_is_not_copied() -> None:
    array = np.arange(6.0).reshape(2, 3)
    assert to_array(array) is array
    assert to_array(array.T).flags.c_contiguous
    assert to_array(np.float32(1)).shape == ()


@pytest.mark.parametrize("dtype", t.ALL)
@pytest.mark.parametrize("value", [True, 0, -1, 1, 127, 2**15, -(2**31), 2**31, 1.5, -0.0, float("nan"), 1e30])
def test_fast_path_agrees_with_the_slow_one(value: Any, dtype: t.DType) -> None:
    def outcome(convert: Any) -> Any:
        try:
            return convert().tobytes()
        except (TypeError, ValueError) as error:
            return str(error)

    assert outcome(lambda: to_array(value, dtype)) == outcome(lambda: conversion.Leaves(value).convert(dtype))


@pytest.mark.parametrize(
    ("rule", "left", "right", "expected"),
    [
        ("+", t.float32, 2, (t.float32, t.float32, t.float32)),
        ("+", 2, t.float32, (t.float32, t.float32, t.float32)),
        ("+", t.float32, np.float64(1), (t.float32, t.float32, t.float32)),
        ("+", np.zeros(1), t.float32, (t.float32, t.float32, t.float32)),
        ("+", t.int32, np.float64(1.5), (t.int32, t.int32, t.int32)),  # silently, as TensorFlow
        ("*", t.complex64, 1.5, (t.complex64,) * 3),
        ("*", t.int32, [1, 2], (t.int32,) * 3),
        ("*", t.int32, [True, 1], (t.int32,) * 3),
        ("*", t.uint8, [], (t.uint8,) * 3),
        ("/", t.int32, 2, (t.int32, t.float64, t.float64)),
        ("/", t.int8, t.int8, (t.int8, t.float32, t.float32)),
        ("<", t.float32, 0, (t.float32, t.float32, t.bool_)),
        ("==", t.bool_, True, (t.bool_, t.bool_, t.bool_)),
        ("&", t.int32, 1, (t.int32, t.int32, t.int32)),
        ("*", t.bool_, t.float32, (None, t.int32, t.bool_)),
        ("multiply", 2, t.float32, (t.float32,) * 3),
        ("multiply", 1, np.float64(1.5), (t.int32,) * 3),
        ("add", 1.5, 2, (t.float32,) * 3),
        ("add", 2**40, 1, (t.int64,) * 3),
        ("divide", 1, t.float32, (t.float32,) * 3),
        ("logical_and", np.array([1]), True, (t.bool_,) * 3),
    ],
)
def test_resolve(rule: str, left: Any, right: Any, expected: tuple[Any, ...]) -> None:
    assert resolve(rule, left, right) == expected
    assert resolve(rule, left, right) == expected


@pytest.mark.parametrize(
    ("rule", "left", "right", "error"),
    [
        ("+", t.float32, t.float64, InvalidArgumentError),
        ("*", t.int32, t.int64, InvalidArgumentError),
        ("/", t.float32, t.float64, TypeError),
        ("+", t.int32, 1.5, InvalidArgumentError),
        ("+", 1.5, t.int32, TypeError),
        ("*", t.int32, 1.5, TypeError),
        ("==", t.int32, 1.5, TypeError),
        ("+", t.uint8, True, InvalidArgumentError),
        ("add", 1, t.float32, InvalidArgumentError),
        ("add", np.float64(1), t.float32, InvalidArgumentError),
        ("add", 2**40, t.int32, InvalidArgumentError),
        ("add", t.bool_, t.bool_, InvalidArgumentError),
        ("/", t.bool_, t.bool_, TypeError),
        ("//", t.complex64, t.complex64, NotFoundError),
        ("<", t.complex64, 1, InvalidArgumentError),
        ("logical_and", t.int32, t.int32, InvalidArgumentError),
        ("multiply", t.float32, None, ValueError),
        ("multiply", [True, 1], 1, ValueError),
        ("multiply", [True, 1], t.int8, ValueError),
        ("multiply", t.float32, [1, 1j], ValueError),
        ("multiply", t.int32, 2**63, ValueError),
        ("+", 1, 1, TypeError),
    ],
)
def test_resolve_refuses(rule: str, left: Any, right: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        resolve(rule, left, right)


def test_an_unknown_rule_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        resolve("nonsense", t.float32, 1)


def test_supported() -> None:
    numeric = t.INTS + t.FLOATS + t.COMPLEX
    assert set(supported("add")) == set(numeric)
    assert supported("equal") == t.ALL
    assert supported("logical_or") == (t.bool_,)
    assert set(supported("atan2")) == set(t.FLOATS)
    assert set(supported("pow")) == {t.int8, t.int16, t.int32, t.int64, *t.FLOATS, *t.COMPLEX}


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_what_resolve_promises_can_be_converted() -> None:
    """Wherever the table says that a value becomes a dtype, the conversion makes it that dtype."""
    values = [*SCALARS.values(), *LISTS.values(), *(np.ones(1, d.numpy) for d in t.ALL)]
    for rule, value, dtype in itertools.product(promotion.rules(), values, t.ALL):
        for operands in ((value, dtype), (dtype, value)):
            try:
                found = resolve(rule, *operands)
            except (ValueError, NotFoundError, TypeError):
                continue
            array = to_array(value, found.operand)
            assert found.operand is None or array.dtype == found.operand.numpy


def test_the_table_is_tensorflows() -> None:
    pytest.importorskip("tensorflow")
    from tests.peers import generate_promotion

    assert generate_promotion.as_text(generate_promotion.generate()) == generate_promotion.TABLE.read_text()
