"""Only reading a value waits: the round trips of whole programs, counted."""

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest

import client as tf


@contextlib.contextmanager
def waits(expected: int) -> Iterator[None]:
    before = tf.stats()["waits"]
    yield
    assert tf.stats()["waits"] - before == expected


def matrix(n: int = 8) -> tf.Tensor:
    return tf.constant(np.arange(n * n, dtype=np.float32).reshape(n, n))


def test_ten_thousand_ops_and_one_read_wait_once():
    x = matrix()
    with waits(1):
        y = x
        for _ in range(10_000):
            y = y + 1.0
        value = y.numpy()
    np.testing.assert_array_equal(value, np.arange(64, dtype=np.float32).reshape(8, 8) + 10_000)


def test_what_inference_knows_is_free():
    x = matrix()
    with waits(0):
        y = tf.reduce_sum(x @ x, axis=0, keepdims=True)
        assert y.shape == (1, 8)
        assert y.dtype == tf.float32
        assert len(y) == 1
        assert y.ndim == 2
        z = tf.reshape(x, [tf.shape(x)[0] // 2, -1])
        assert z.shape == (4, 16)
        assert tf.size(x) == 64
        assert int(tf.shape(x)[0]) == 8
        with pytest.raises(tf.errors.InvalidArgumentError):
            x + tf.constant(np.ones(3, np.float32))


def test_a_value_is_fetched_once():
    y = matrix() * 2.0
    with waits(1):
        float(y[0, 1] + 0.0)
    with waits(1):
        y.numpy()
        y.numpy()
        print(y)
        assert np.asarray(y).sum() > 0
        list(y.numpy())


def test_a_constant_is_known():
    with waits(0):
        assert float(tf.constant(2.5)) == 2.5
        assert matrix().numpy()[1, 1] == 9
        assert repr(tf.constant([1, 2])) == "<tf.Tensor: shape=(2,), dtype=int32, numpy=array([1, 2], dtype=int32)>"


@pytest.mark.parametrize(
    "read",
    [float, int, bool, str, repr, lambda x: x.numpy(), np.asarray, lambda x: f"{x:.2f}", lambda x: x.__complex__()],
)
def test_every_kind_of_read_waits_once(read):
    y = tf.reduce_sum(matrix())
    with waits(1):
        read(y)
        read(y)


def test_fetch_reads_several_in_one_round_trip():
    x = matrix()
    with waits(1):
        total, largest, rows = tf.fetch(tf.reduce_sum(x), tf.reduce_max(x), x @ x)
    assert (total, largest) == (2016.0, 63.0)
    assert rows.shape == (8, 8)


def test_a_future_does_not_wait():
    x = matrix()
    with waits(0):
        later = tf.fetch(tf.reduce_sum(x), wait=False)
    assert later.result(20) == 2016.0


@pytest.mark.parametrize("shape", [(1001,), (2000, 3), (40, 40), (3, 4, 500), (1200, 1200)])
@pytest.mark.parametrize("show", [str, repr])
def test_a_print_fetches_only_what_it_shows_and_looks_like_numpys(shape, show):
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float32) * 100
    y = tf.constant(values) * 1.0
    tf.sync()
    before = tf.stats()["bytes_received"]
    with waits(1):
        text = show(y)
    assert tf.stats()["bytes_received"] - before < 4000
    shown = ("\n" + repr(values)) if show is repr else ("\n" + str(values) if "\n" in str(values) else str(values))
    assert shown in text


def test_an_unknown_shape_waits_when_asked_for_and_not_before():
    x = matrix()
    with waits(0):
        chosen = tf.boolean_mask(x, x > 31.0)
        doubled = chosen * 2.0
    with waits(1):
        assert doubled.shape == (32,)
    with waits(1):
        assert doubled.numpy()[0] == 64.0
    with waits(1):
        str(tf.boolean_mask(x, x > 50.0))


def test_variables_and_assignments_do_not_wait():
    with waits(0):
        v = tf.Variable(tf.zeros([4]))
        for _ in range(10):
            v.assign_add(tf.ones([4]))
            v.assign(v * 2.0)
    with waits(1):
        np.testing.assert_array_equal(v.numpy(), np.full(4, 2046.0, np.float32))


def test_the_hello_program(capsys):
    a = tf.constant([[1, 2], [3, 4]])
    print(a)
    print(a + 1)
    print(a * (a + 1))
    print(np.multiply(a, a + 1))
    print(a.numpy())
    assert capsys.readouterr().out == (
        "tf.Tensor(\n[[1 2]\n [3 4]], shape=(2, 2), dtype=int32)\n"
        "tf.Tensor(\n[[2 3]\n [4 5]], shape=(2, 2), dtype=int32)\n"
        "tf.Tensor(\n[[ 2  6]\n [12 20]], shape=(2, 2), dtype=int32)\n"
        "[[ 2  6]\n [12 20]]\n[[1 2]\n [3 4]]\n"
    )


def test_fizzbuzz_with_tensors():
    said = []
    counter = tf.constant(0)
    for number in range(1, int(tf.convert_to_tensor(15)) + 1):
        num = tf.constant(number)
        if int(num % 3) == 0 and int(num % 5) == 0:
            said.append("FizzBuzz")
        elif int(num % 3) == 0:
            said.append("Fizz")
        elif int(num % 5) == 0:
            said.append("Buzz")
        else:
            said.append(str(num.numpy()))
        counter += 1
    assert " ".join(said) == "1 2 Fizz 4 Buzz Fizz 7 8 Fizz Buzz 11 Fizz 13 14 FizzBuzz"
    assert int(counter) == 15


@pytest.mark.parametrize("rank", [1, 2])
def test_synchronous_execution_raises_at_the_op(rank):
    tf.config.experimental.set_synchronous_execution(True)
    try:
        with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible"):
            tf.linalg.inv(tf.zeros([8, 8]))
    finally:
        tf.config.experimental.set_synchronous_execution(False)
