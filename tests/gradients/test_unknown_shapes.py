"""Gradients of ops on tensors whose shape only the server knows: no waiting, and what a known shape gives."""

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

ROWS = np.linspace(-2.0, 3.0, 24).reshape(4, 3, 2).astype(np.float32)
KEPT = [True, False, True, True]

FUNCTIONS = {
    "reduce_sum": lambda x: tf.reduce_sum(x, axis=1),
    "reduce_mean": tf.reduce_mean,
    "reduce_mean-rows": lambda x: tf.reduce_mean(x, axis=0),
    "reduce_mean-pair": lambda x: tf.reduce_mean(x, axis=(0, -1)),
    "reduce_mean-keepdims": lambda x: tf.reduce_mean(x, axis=1, keepdims=True),
    "reduce_max": lambda x: tf.reduce_max(x, axis=-1),
    "reduce_prod": tf.reduce_prod,
    "reduce_prod-pair": lambda x: tf.reduce_prod(x, axis=(1, 0)),
    "reduce_logsumexp": lambda x: tf.reduce_logsumexp(x, axis=1),
    "reduce_euclidean_norm": lambda x: tf.math.reduce_euclidean_norm(x, axis=1),
    "reduce_std": lambda x: tf.math.reduce_std(x, axis=(0, 1)),
    "moments": lambda x: tf.add_n(list(tf.nn.moments(x, axes=[0, 1]))),
    "cumsum": tf.cumsum,
    "cumprod": lambda x: tf.math.cumprod(x, axis=1),
    "cumulative_logsumexp": tf.math.cumulative_logsumexp,
    "multiply": lambda x: x * x[:1],
    "softmax": tf.nn.softmax,
    "relu": tf.nn.relu,
    "bias_add": lambda x: tf.nn.bias_add(x, x[0, 0]),
    "max_pool": lambda x: tf.nn.max_pool1d(x, 2, 1, "SAME"),
    "avg_pool": lambda x: tf.nn.avg_pool1d(x, 2, 1, "SAME"),
    "conv": lambda x: tf.nn.conv1d(x, tf.ones([2, 2, 3]), 1, "SAME"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_wait_for_nothing(name):
    function = FUNCTIONS[name]

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
            total = tf.reduce_sum(y * y)
        return tape.gradient(total, x)

    known = tf.constant(ROWS[KEPT])
    unknown = tf.boolean_mask(tf.constant(ROWS), remote(KEPT))
    with waits(0):
        there = gradient(unknown)
        with tf.GradientTape():  # while a tape is open, gradients are ordinary ops
            here = gradient(unknown)
        expected = gradient(known)
    one, other, wanted = tf.fetch(there, here, expected)
    assert one.tobytes() == other.tobytes() == wanted.tobytes()
