"""`tf.debugging`: what holds, what the messages say, and that what is known costs no wait."""

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

debugging = tf.debugging
Invalid = tf.errors.InvalidArgumentError


# --- comparisons -----------------------------------------------------------------------------------------------------


def test_what_is_known_is_free():
    logits = remote(np.zeros((32, 10), np.float32))
    with waits(0):
        debugging.assert_equal(logits.shape, (32, 10))
        debugging.assert_equal(tf.shape(logits), [32, 10])
        debugging.assert_equal(logits, logits)
        debugging.assert_less(tf.constant([1.0, 2.0]), 3)
        debugging.assert_positive(tf.zeros([0, 3]))
        debugging.assert_near(1.0, 1.0 + 1e-7)
        debugging.check_numerics([1.0], "x")
        with pytest.raises(Invalid):
            debugging.assert_equal(logits.shape, (32, 11))
        with pytest.raises(Invalid, match="Incompatible shapes"):
            debugging.assert_equal(logits.shape, (32, 10, 1))


@pytest.mark.parametrize(
    "check",
    [
        lambda x: debugging.assert_equal(x, [1.0, 2.0]),
        lambda x: debugging.assert_none_equal(x, 3.0),
        lambda x: debugging.assert_less(x, 3.0),
        lambda x: debugging.assert_less_equal(x, [1.0, 2.0]),
        lambda x: debugging.assert_greater(x, tf.constant(0.5)),
        lambda x: debugging.assert_greater_equal(x, [[1.0], [0.0]]),
        lambda x: debugging.assert_positive(x),
        lambda x: debugging.assert_negative(-x),
        lambda x: debugging.assert_non_negative(x - 1.0),
        lambda x: debugging.assert_non_positive(1.0 - x),
        lambda x: debugging.assert_near(x, [1.0, 2.0000001]),
        lambda x: debugging.assert_near(x, [1.1, 2.1], atol=0.2),
        lambda x: debugging.check_numerics(x, "x"),
        lambda x: debugging.assert_all_finite(x, "x"),
        lambda x: tf.Assert(tf.reduce_all(x > 0.0), [x]),
    ],
)
def test_what_only_the_server_knows_takes_one_wait(check):
    x = remote([1.0, 2.0])
    with waits(1):
        check(x)


def test_the_message_of_a_comparison():
    with pytest.raises(Invalid) as raised:
        debugging.assert_equal(remote([1, 2, 3]), [1, 5, 6], message="labels")
    assert str(raised.value) == (
        "labels\nCondition x == y did not hold.\n"
        "Indices of first 2 different values:\n[[1]\n [2]]\n"
        "Corresponding x values:\n[2 3]\nCorresponding y values:\n[5 6]\n"
        "First 3 elements of x:\n[1 2 3]\nFirst 3 elements of y:\n[1 5 6]"
    )


@pytest.mark.parametrize(
    ("summarize", "shown"), [(0, None), (1, "[1]"), (None, "[1 2 3]"), (-1, "[1 2 3 4 5]"), (9, "[1 2 3 4 5]")]
)
def test_summarize(summarize, shown):
    with pytest.raises(Invalid) as raised:
        debugging.assert_less([1, 2, 3, 4, 5], 2, summarize=summarize)
    text = str(raised.value)
    assert text.startswith("Condition x < y did not hold.")
    assert (f"of x:\n{shown}\n" in text) if shown else (text == "Condition x < y did not hold.")
    assert "Indices" not in text  # the shapes differ


@pytest.mark.parametrize(
    ("name", "symbol", "x", "y"),
    [
        ("assert_equal", "==", 1, 2),
        ("assert_equal", "==", float("nan"), float("nan")),
        ("assert_none_equal", "!=", [1, 2], [3, 2]),
        ("assert_less", "<", 2, 2),
        ("assert_less_equal", "<=", 3, 2),
        ("assert_greater", ">", 2, 2),
        ("assert_greater_equal", ">=", 1, 2),
    ],
)
@pytest.mark.parametrize("place", [tf.constant, remote])
def test_comparisons_that_fail(name, symbol, x, y, place):
    with pytest.raises(Invalid, match=f"Condition x {symbol} y did not hold"):
        getattr(debugging, name)(place(x), place(y))


def test_dtypes_are_not_cast():
    with pytest.raises(Invalid, match="expected to be a int32 tensor"):
        debugging.assert_equal(tf.constant(1), np.float32(1.5))
    with pytest.raises(Invalid, match="expected to be a int32 tensor"):
        debugging.assert_equal(tf.constant(1), 1.5)
    with pytest.raises(Invalid):
        debugging.assert_less(tf.constant(True), tf.constant(True))
    debugging.assert_equal(tf.constant(True), True)
    debugging.assert_equal(tf.Variable([1.0]), 1)


@pytest.mark.parametrize(
    ("name", "symbol", "value"),
    [
        ("assert_positive", ">", [1.0, 0.0]),
        ("assert_negative", "<", [-1.0, 0.0]),
        ("assert_non_negative", ">=", [0.0, -1.0]),
        ("assert_non_positive", "<=", [0.0, 1.0]),
    ],
)
def test_signs_that_are_wrong(name, symbol, value):
    with pytest.raises(Invalid) as raised:
        getattr(debugging, name)(remote(value), message="m", summarize=1)
    assert str(raised.value) == (
        f"m.  \nCondition x {symbol} 0 did not hold element-wise:\n"
        f"x (shape=(2,) dtype=float32) = \n['{value[0]}', '...']"
    )


# --- tolerance and finiteness ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [tf.constant, remote])
def test_assert_near(place):
    with pytest.raises(
        Invalid, match=r"m\.  \nx and y not equal to tolerance rtol = 1.1920929e-06, atol = 1.1920929e-06"
    ):
        debugging.assert_near(place([1.0, 2.0]), [1.0, 2.1], message="m")
    debugging.assert_near(place([1.0, 2.0], tf.float64), [1.0, 2.1], rtol=0.1)
    debugging.assert_near(place([1.0 + 1j], tf.complex64), [1.0 + 1.0000001j])
    debugging.assert_near(place([1.0], tf.bfloat16), [1.0078125])
    with pytest.raises(Invalid):
        debugging.assert_near(place(float("nan")), float("nan"))
    with pytest.raises(ValueError, match="not inexact"):
        debugging.assert_near(place(1), 1)
    with pytest.raises(ValueError, match="requested dtype float32"):
        debugging.assert_near(place(1.0), tf.constant(1.0, tf.float64))


@pytest.mark.parametrize("place", [tf.constant, remote])
@pytest.mark.parametrize(
    ("value", "text"), [([1.0, np.nan], "NaN"), ([1.0, -np.inf], "Inf"), ([np.inf, np.nan], "Inf and NaN")]
)
def test_check_numerics(place, value, text):
    for check in (debugging.check_numerics, debugging.assert_all_finite):
        with pytest.raises(Invalid, match=f"^loss : Tensor had {text} values$"):
            check(place(value), "loss")


def test_check_numerics_gives_the_tensor():
    x = remote([1.0])
    assert debugging.check_numerics(x, message="m") is x
    with pytest.raises(Invalid, match="not in the list of allowed values"):
        debugging.check_numerics(tf.constant([1]), "m")


def test_check_numerics_takes_a_text_for_its_message():
    for message in (None, 3):
        with pytest.raises(TypeError, match=f"Expected string for argument 'message' not {message}"):
            debugging.check_numerics([1.0], message)
    with pytest.raises(Invalid, match=r"^loss : Tensor had Inf values$"):
        debugging.check_numerics([np.inf], b"loss")


def test_assert_op():
    x = remote([1, 2, 3, 4])
    debugging.Assert(True, [])
    with pytest.raises(Invalid, match=r"^Expected 'False' to be true. Summarized data: 1, 2, 3, \.\.\.\nx is wrong$"):
        tf.Assert(tf.reduce_all(x > 1), [x, "x is wrong"])
    with pytest.raises(Invalid, match=r"1, 2, 3, 4$"):
        tf.Assert(False, [x], summarize=-1)


# --- dtypes, ranks, shapes -------------------------------------------------------------------------------------------


def test_static_checks_that_hold():
    x = remote([[1.0, 2.0]])
    with waits(0):
        debugging.assert_rank(x, 2)
        debugging.assert_rank_at_least(x, tf.constant(1))
        debugging.assert_rank_in(x, [0, 2])
        debugging.assert_type(x, tf.float32)
        debugging.assert_integer(3)
        debugging.assert_scalar(remote(1.0))
        assert debugging.assert_same_float_dtype([x, None, x]) is tf.float32
        assert debugging.assert_same_float_dtype() is tf.float32
        assert debugging.assert_same_float_dtype([], tf.float64) is tf.float64
        debugging.assert_proper_iterable([x])
    assert debugging.is_numeric_tensor(x)
    assert not any(map(debugging.is_numeric_tensor, (tf.constant(True), 1, tf.Variable(1))))


@pytest.mark.parametrize(
    ("check", "error", "text"),
    [
        (
            lambda x: debugging.assert_rank(x, 2, "m"),
            ValueError,
            r"m\.  Tensor  must have rank 2\.  Received rank 1, shape",
        ),
        (lambda x: debugging.assert_rank_at_least(x, 2), ValueError, "must have rank at least 2"),
        (lambda x: debugging.assert_rank_in(x, (0, 2)), ValueError, r"must have rank in \(0, 2\)"),
        (lambda x: debugging.assert_rank(x, [1]), ValueError, "Rank must be a scalar"),
        (lambda x: debugging.assert_rank(x, 1.0), TypeError, "tensor must be of type tf.int32; got tf.float32"),
        (lambda x: debugging.assert_type(x, tf.int32, "m"), TypeError, "m.  tensor must be of type tf.int32; got"),
        (lambda x: debugging.assert_integer(x), TypeError, "Found: tensor of dtype <dtype: 'float32'>"),
        (lambda x: debugging.assert_scalar(x), ValueError, r"Expected scalar shape, saw shape: \(1,\)"),
        (lambda x: debugging.assert_same_float_dtype([x, tf.constant(1)]), ValueError, "must be of the same type"),
        (lambda x: debugging.assert_same_float_dtype([tf.constant(1)]), ValueError, "Expected floating point type"),
        (lambda x: debugging.assert_proper_iterable("a"), TypeError, '"proper" iterable'),
        (lambda x: debugging.assert_proper_iterable(3), TypeError, "to be iterable"),
    ],
)
def test_static_checks_that_fail(check, error, text):
    with waits(0), pytest.raises(error, match=text):
        check(tf.constant([1.0]))


def test_assert_shapes_that_hold():
    o = tf.ones
    debugging.assert_shapes([
        (o([16, 32, 2]), "NDQ"), (o([32, 2]), "DQ"), (o([]), ()), (o([2]), "Q"), (o([3]), None),
        (o([2, 3]), (None, 3)), (o([5, 3]), ".3"), (o([4, 32, 2]), (..., 32, "Q")), (o([7, 8, 2]), ("*", "Q")),
        (o([1]), ()), (o([2, 2]), tf.TensorShape([2, None])), (np.ones([2, 2]), [2, "2"]),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        (
            [([16, 32], "ND"), ([31], "D")],
            r"m.  Specified by tensor shape=\(16, 32\) dtype=float32 dimension 1.  "
            r"Tensor shape=\(31,\) dtype=float32 dimension 0 must have size 32.  Received size 31",
        ),
        ([([16, 32], "NN")], "dimension 1 must have size 16"),
        ([([16, 32], (16, 31))], "Specified explicitly.  .* dimension 1 must have size 31"),
        ([([16, 32], "N")], r"must have rank in \(0, 1\)"),
        ([([16, 32, 2], ("N", 3))], "must have rank 2"),
        ([([16, 32, 2], ("*", 31, 2))], "dimension -2 must have size 31"),
        ([([16], ("*", 31, 2))], "must have rank at least 2"),
        ([([16, 32, 2], (16, "*"))], "only allowed as the first entry"),
        ([([16], 3)], "must be an iterable"),
        ([([2], ())], "Specified explicitly"),
        ([([], "N"), ([3], "N")], "must have size 1"),
    ],
)
def test_assert_shapes_that_fail(shapes, text):
    with pytest.raises(ValueError, match=text):
        debugging.assert_shapes([(tf.ones(shape), wanted) for shape, wanted in shapes], message="m")


def test_settings():
    assert debugging.is_traceback_filtering_enabled()
    debugging.disable_traceback_filtering()
    assert not debugging.is_traceback_filtering_enabled()
    debugging.enable_traceback_filtering()
    debugging.set_log_device_placement(True)
    assert debugging.get_log_device_placement()
    debugging.set_log_device_placement(False)
