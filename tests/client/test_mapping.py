"""`map_fn`, `vectorized_map`, `scan`, `foldl`, `foldr`: against plain loops, and without waiting."""

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

A = np.array([3.0, 1.0, 2.0], np.float32)


def test_map_fn_does_not_wait():
    x = remote(A)
    with waits(0):
        y = tf.map_fn(lambda e: e * e + 1.0, x)
        assert y.shape == (3,)
    np.testing.assert_array_equal(y, A * A + 1)


def test_map_fn_signatures():
    ints = np.array([1, 2, 3])
    product = tf.map_fn(lambda e: e[0] * e[1], (ints, ints), fn_output_signature=tf.int64)
    assert product.numpy().tolist() == [1, 4, 9]
    signature = {"a": tf.int64, "b": (tf.int64, tf.TensorSpec([2], tf.float32))}
    found = tf.map_fn(lambda e: {"a": e, "b": (-e, tf.ones([2]))}, ints, fn_output_signature=signature)
    assert found["b"][0].numpy().tolist() == [-1, -2, -3]
    assert found["b"][1].shape == (3, 2)
    assert tf.map_fn(lambda e: 1, ints).dtype == tf.int64
    assert tf.map_fn(lambda e: 1.5, ints, dtype=tf.float32).numpy().tolist() == [1.5] * 3


def test_map_fn_over_nothing():
    nothing = np.zeros((0, 3))
    assert tf.map_fn(lambda e: e, nothing).shape == (0,)
    assert tf.map_fn(lambda e: e, nothing, fn_output_signature=tf.TensorSpec([2], tf.float32)).shape == (0, 2)


@pytest.mark.parametrize(
    ("fn", "elems", "signature", "error", "text"),
    [
        (3, A, None, TypeError, "not callable"),
        (abs, 3, None, ValueError, "1\\+ dimensional Tensors, not scalars"),
        (abs, [], None, ValueError, "does not contain any Tensors"),
        (lambda e: e[0], (A, A[:2]), tf.float32, ValueError, "Dimensions 3 and 2 are not compatible"),
        (lambda e: e[0], (A, A), None, ValueError, "same nested structure"),
        (lambda e: [e, e], A, (tf.float32, tf.float32), TypeError, "has type tuple"),
        (lambda e: tf.cast(e, tf.int32), A, None, ValueError, "dtype is float32 .* write dtype int32"),
        (lambda e: tf.ones([2]), A, tf.TensorSpec([3], tf.float32), ValueError, r"\(\(2,\)\), expected \(\(3,\)\)"),
    ],
)
def test_map_fn_refuses(fn, elems, signature, error, text):
    with pytest.raises(error, match=text):
        tf.map_fn(fn, elems, fn_output_signature=signature)


def test_vectorized_map():
    with waits(0):
        total, row = tf.vectorized_map(lambda e: (tf.reduce_sum(e[0]) * e[1], e[1]), (np.ones((3, 2)), np.array([2.0])))
    assert total.numpy().tolist() == [4.0] * 3
    assert row.shape == (3,)
    assert tf.vectorized_map(lambda e: 3, A).numpy().tolist() == [3] * 3
    assert tf.vectorized_map(lambda e: None, A) is None
    assert tf.vectorized_map(lambda e: {"a": [e]}, A)["a"][0].shape == (3,)
    assert tf.vectorized_map(lambda e: e[:1], np.zeros((0, 2))).shape == (0, 1)
    assert tf.vectorized_map(lambda e: e, A[:1]).shape == (1,)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("initializer", [None, np.float32(10)])
def test_scan_and_folds_are_loops(reverse, initializer):
    step = lambda a, e: 2 * a - e
    order = A[::-1] if reverse else A
    accumulator, rest = (order[0], order[1:]) if initializer is None else (initializer, order)
    results = [accumulator] if initializer is None else []
    for e in rest:
        accumulator = step(accumulator, e)
        results.append(accumulator)
    with waits(0):
        scanned = tf.scan(step, remote(A), initializer, reverse=reverse)
        folded = (tf.foldr if reverse else tf.foldl)(step, remote(A), initializer)
    np.testing.assert_array_equal(scanned, results[::-1] if reverse else results)
    assert float(folded) == accumulator


def test_scan_of_structures():
    fibonacci = tf.scan(lambda a, _: (a[1], a[0] + a[1]), np.zeros(6), (np.int64(0), np.int64(1)))
    assert fibonacci[0].numpy().tolist() == [1, 1, 2, 3, 5, 8]
    assert tf.scan(lambda a, e: [a[0] + e[0], a[1] * e[1]], [A, A])[1].numpy().tolist() == [3.0, 3.0, 6.0]
    count, total = tf.foldl(lambda a, e: (a[0] + 1, a[1] + e), A, (0, 0.0))
    assert (int(count), float(total)) == (3, 6.0)


def test_folding_nothing():
    nothing = np.zeros((0, 2))
    for fold in (tf.scan, tf.foldl, tf.foldr):
        with pytest.raises(tf.errors.OutOfRangeError, match="array size is: 0"):
            fold(lambda a, e: a, nothing)
    assert tf.scan(lambda a, e: a, nothing, np.ones(2)).shape == (0, 2)
    assert float(tf.foldl(lambda a, e: a, nothing, 3.0)) == 3.0


def test_scan_refuses():
    with pytest.raises(TypeError, match=r"has type list, while second structure .* has type tuple"):
        tf.scan(lambda a, e: (a[0], a[1]), [A, A])
    with pytest.raises(ValueError, match=r"\(\(2,\)\), expected \(\(1,\)\)"):
        tf.scan(lambda a, e: tf.concat([a, a], 0), np.ones((3, 1)))
    with pytest.raises(ValueError, match="not scalars"):
        tf.scan(lambda a, e: a, 3)
