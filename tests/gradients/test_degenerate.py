"""Gradients where elements are equal or zero: ties in segments and sorts, equal eigenvalues and singular values.

The expected values are TensorFlow's.
"""

import numpy as np
import pytest

import client as tf

IDS = [0, 0, 2, 2, 2]
ANY_ORDER = [1, 1, -1, 0, 0]
TIES = [[3.0, 1.0, 3.0, 1.0], [2.0, 2.0, 2.0, 2.0]]
EYE = [[1.0, 0.0], [0.0, 1.0]]
WEIGHTS = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]


def unsorted(name):
    return lambda x: getattr(tf.math, f"unsorted_segment_{name}")(x, ANY_ORDER, 2)


def weighed(function):
    return lambda x: function(x) * tf.constant(WEIGHTS, tf.float64)


ROWS = {
    "segment_max": (lambda x: tf.math.segment_max(x, IDS), [2, 2, 5, 0, 5], [0.5, 0.5, 0.5, 0, 0.5]),
    "segment_min": (lambda x: tf.math.segment_min(x, IDS), [2, 2, 0, 0, 5], [0.5, 0.5, 0.5, 0.5, 0]),
    "segment_prod-zero": (lambda x: tf.math.segment_prod(x, IDS), [2, 3, 0, 4, 5], [3, 2, 20, 0, 0]),
    "segment_prod-zeros": (lambda x: tf.math.segment_prod(x, IDS), [0, 3, 0, 0, 5], [3, 0, 0, 0, 0]),
    "unsorted_max": (unsorted("max"), [2, 2, 9, 4, 4], [0.5, 0.5, 0, 0.5, 0.5]),
    "unsorted_prod-zero": (unsorted("prod"), [0, 3, 9, 0, 0], [3, 0, 0, 0, 0]),
    "sort": (weighed(tf.sort), TIES, [[3, 1, 4, 2], [5, 6, 7, 8]]),
    "sort-descending": (weighed(lambda x: tf.sort(x, direction="DESCENDING")), TIES, [[1, 3, 2, 4], [5, 6, 7, 8]]),
    "top_k": (lambda x: tf.math.top_k(x, 1)[0], TIES, [[1, 0, 0, 0], [1, 0, 0, 0]]),
    "eigvalsh": (tf.linalg.eigvalsh, EYE, EYE),
    "eigh": (lambda x: tf.linalg.eigh(x)[1] ** 2, EYE, [[0, 0], [0, 0]]),
    "svd": (lambda x: tf.linalg.svd(x)[1] ** 2, EYE, [[0, 0], [0, 0]]),
    "svd-zero": (lambda x: tf.linalg.svd(x)[1] ** 2, [[0, 0], [0, 0]], [[0, 0], [0, 0]]),
}


def gradient(lib, function, values):
    x = lib.constant(values, lib.float64)
    with lib.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x).numpy()


@pytest.mark.parametrize("name", ROWS)
def test_as_in_tensorflow(name):
    function, values, expected = ROWS[name]
    np.testing.assert_allclose(gradient(tf, function, values), expected, atol=1e-12)


def test_a_full_decomposition_of_other_shapes_has_none():
    for function in (tf.linalg.qr, tf.linalg.svd):
        with tf.GradientTape() as tape:
            x = tf.ones([3, 1])
            tape.watch(x)
            y = tf.reduce_sum(function(x, full_matrices=True)[0])
        with pytest.raises(NotImplementedError, match=r"full_matrices is [Tt]rue"):
            tape.gradient(y, x).numpy()
