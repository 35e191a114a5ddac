"""The public functions of elementwise math that are more than an op, against values worked out by hand."""

import numpy as np
import pytest

import client as tf

NAN, INF = float("nan"), float("inf")


def values(tensor):
    return tensor.numpy().tolist()


@pytest.mark.parametrize(
    "dtype, wide",
    [(t, "float32") for t in ("int8", "uint8", "int16", "uint16")]
    + [(t, "float64") for t in ("int32", "uint32", "int64", "uint64")]
    + [(t, t) for t in ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")],
)
@pytest.mark.parametrize("divide", [tf.truediv, tf.math.divide_no_nan])
def test_quotient_dtypes(divide, dtype, wide):
    result = divide(tf.constant([1, 3], dtype), tf.constant([2, 2], dtype))
    assert result.dtype == wide
    assert values(result) == [0.5, 1.5]


def test_quotients():
    assert values(tf.truediv([1, -1, 0], 0))[:2] == [INF, -INF]
    assert values(tf.math.divide_no_nan([1.0, NAN, INF, 3.0], [0.0, 0.0, 0.0, 2.0])) == [0, 0, 0, 1.5]
    with pytest.raises(TypeError, match=r"must have the same dtype, got tf.float32 != tf.int32"):
        tf.truediv(tf.constant(1.0), tf.constant(1))
    with pytest.raises(TypeError, match="bool"):
        tf.truediv(tf.constant(True), tf.constant(True))


def test_divide_takes_the_other_operands_dtype():
    assert tf.divide(3, tf.constant(2.0)).dtype == tf.float32
    assert values(tf.divide(1, 2)) == 0.5
    assert values(tf.divide([1, 2], [4, 4])) == [0.25, 0.5]


def test_cast_gives_the_tensor_itself_where_nothing_changes():
    x = tf.constant([1.0])
    assert tf.cast(x, tf.float32) is x
    assert tf.cast(x, "float32") is x
    with pytest.raises(TypeError):
        tf.cast(x, None)


@pytest.mark.parametrize(
    "source, target, given, wanted",
    [
        ("float32", "uint8", [300, -5, 7.9, INF, -INF], [255, 0, 7, 255, 0]),
        ("float32", "int32", [3e38, -INF, 1e9], [2**31 - 128, -(2**31), 10**9]),
        ("float64", "int64", [1e300, -1e300], [2**63 - 1024, -(2**63)]),
        ("float64", "float32", [1e300, -1e300], np.float32([3.4028235e38, -3.4028235e38]).tolist()),
        ("bfloat16", "float16", [3e38, 1], [65280, 1]),
        ("float16", "bfloat16", [65504, 1], [65536, 1]),
        ("int32", "int8", [300, -300, 5], [127, -128, 5]),
        ("int32", "uint64", [-1, 5], [0, 5]),
        ("uint64", "int64", [2**63, 5], [2**63 - 1, 5]),
        ("int64", "float16", [10**6, -(10**6)], [65504, -65504]),
        ("complex128", "complex64", [complex(1e300, 2)], [complex(np.float32(3.4028235e38), 2)]),
        ("complex128", "int8", [300 + 2j], [127]),
        ("float32", "complex128", [2.0], [2]),
    ],
)
def test_saturate_cast(source, target, given, wanted):
    result = tf.saturate_cast(tf.constant(given, source), target)
    assert result.dtype == target
    assert values(result) == wanted


def test_saturate_cast_refuses_bool():
    with pytest.raises(TypeError, match="bool"):
        tf.saturate_cast([True], tf.int8)
    with pytest.raises(TypeError, match="bool"):
        tf.saturate_cast([1], tf.bool)


def test_clip_by_value():
    assert values(tf.clip_by_value([1.0, 5.0, NAN, -3.0], 0.0, 2.0))[:2] == [1, 2]
    assert values(tf.clip_by_value([1, 5], 2, 3)) == [2, 3]
    assert values(tf.clip_by_value([1.0, 5.0], 3.0, 2.0)) == [3, 3]
    assert values(tf.clip_by_value([1.0, 2.0], [1.0, 3.0], [4.0, 4.0])) == [1, 3]
    for low in ([1.0, 2.0], [[1.0]]):
        with pytest.raises(ValueError, match="not compatible"):
            tf.clip_by_value([1.0], low, 5.0)
    with pytest.raises(TypeError):
        tf.clip_by_value(tf.constant([1, 2]), 1.5, 2)


@pytest.mark.parametrize(
    "t, norm, axes, wanted",
    [
        ([3, 4], 2, None, [1.2, 1.6]),
        ([3, 4], 6, None, [3, 4]),
        ([0, 0], 2, None, [0, 0]),
        ([3, 4], 0, None, [0, 0]),
        ([3, 4], -1, None, [0, 0]),
        ([3, 4], [1, 2], None, [0.6, 1.6]),
        ([[3, 4], [0.1, 0.1]], 2, [1], [[1.2, 1.6], [0.1, 0.1]]),
        ([[3, 0.5], [4, 0.5]], 1, 0, [[0.6, 0.5], [0.8, 0.5]]),
        ([INF, 1], 2, None, [NAN, 0]),
        (3, 1, None, 1),
        ([], 1, None, []),
    ],
)
def test_clip_by_norm(t, norm, axes, wanted):
    given = tf.constant(t, tf.float32)
    result = tf.clip_by_norm(given, norm, axes)
    np.testing.assert_allclose(result.numpy(), np.float32(wanted), rtol=1e-6)


def test_clip_by_norm_refuses():
    with pytest.raises(ValueError, match="not compatible"):
        tf.clip_by_norm([[3.0, 4.0]], [[1.0], [2.0]])
    with pytest.raises(ValueError, match="must be one of"):
        tf.clip_by_norm([3, 4], 2)


def test_global_norm():
    assert values(tf.linalg.global_norm([tf.constant([3.0]), None, tf.constant([[4.0]])])) == 5
    assert values(tf.linalg.global_norm([])) == 0
    assert values(tf.linalg.global_norm([None])) == 0
    for wrong in (tf.constant([3.0]), "a", 3):
        with pytest.raises(TypeError, match="should be a sequence"):
            tf.linalg.global_norm(wrong)


def test_clip_by_global_norm():
    clipped, norm = tf.clip_by_global_norm([tf.constant([3.0]), None, tf.constant([4.0])], 2.5)
    assert values(norm) == 5
    assert [None if t is None else values(t) for t in clipped] == [[1.5], None, [2.0]]
    (unchanged,), _ = tf.clip_by_global_norm((tf.constant([3.0]),), 4)
    assert values(unchanged) == [3]
    (zero,), _ = tf.clip_by_global_norm([tf.constant([0.0])], 4.0)
    assert values(zero) == [0]
    (halved,), norm = tf.clip_by_global_norm([tf.constant([3.0])], 2.0, use_norm=4.0)
    assert values(halved) == [1.5] and values(norm) == 4
    (lost,), _ = tf.clip_by_global_norm([tf.constant([INF, 1.0])], 2.0)
    assert np.isnan(lost.numpy()).all()
    halves, norm = tf.clip_by_global_norm([tf.constant([30.0], "float16")], 15.0)
    assert halves[0].dtype == norm.dtype == tf.float16 and values(halves[0]) == [15]
    assert tf.clip_by_global_norm([], 2.0)[0] == []


def test_add_n():
    assert values(tf.add_n([1.0, 2.0, 3.0])) == 6
    assert values(tf.add_n(tf.constant([[1, 2], [3, 4]]))) == [4, 6]
    assert values(tf.add_n((tf.constant([True]),))) == [True]
    with pytest.raises(ValueError, match="at least one"):
        tf.add_n([])
    with pytest.raises(ValueError, match="same size and shape"):
        tf.add_n([tf.constant([1.0]), tf.constant([1.0, 2.0])])
    with pytest.raises(TypeError, match="not iterable"):
        tf.add_n(5)


def test_accumulate_n():
    ones = [tf.constant([1.0]), tf.constant([2.0])]
    assert values(tf.math.accumulate_n(ones, shape=[1], tensor_dtype=tf.float32)) == [3]
    for wrong in ([], ones[0], [ones[0], tf.constant([1])]):
        with pytest.raises(ValueError, match="list of at least one Tensor"):
            tf.math.accumulate_n(wrong)
    with pytest.raises(ValueError, match="not compatible"):
        tf.math.accumulate_n(ones, shape=[2])
    with pytest.raises(TypeError, match="tensor_dtype"):
        tf.math.accumulate_n(ones, tensor_dtype=tf.float64)


def test_scalar_mul():
    assert values(tf.scalar_mul(2, tf.constant([1.5]))) == [3]
    with pytest.raises(ValueError, match="0-D"):
        tf.scalar_mul([2.0], [1.0])
    with pytest.raises(ValueError, match="dtype"):
        tf.scalar_mul(tf.constant(2.0), tf.constant([1, 2]))


def test_lbeta():
    np.testing.assert_allclose(values(tf.math.lbeta([[2.0, 3.0], [1.0, 1.0]])), [-np.log(12), 0], rtol=1e-6)
    assert values(tf.math.lbeta(np.zeros((2, 0)))) == [-INF, -INF]
    with pytest.raises(ValueError, match="reduction dimension"):
        tf.math.lbeta(2.0)
