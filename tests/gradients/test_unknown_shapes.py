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
    "matmul": lambda x: tf.matmul(x, x[0], transpose_b=True),
    "tensordot": lambda x: tf.tensordot(x, x[0], [[1, 2], [0, 1]]),
    "einsum": lambda x: tf.einsum("bij,kj->bik", x, tf.ones([5, 2])),
    "einsum-sum": lambda x: tf.einsum("bij->i", x),
    "einsum-ellipsis": lambda x: tf.einsum("b...j->...", x),
    "einsum-trace": lambda x: tf.einsum("bii->b", x[:, :2]),
    "linspace": lambda x: tf.linspace(x, 2.0 * x, 4, axis=-1),
    "concat": lambda x: tf.concat([x, x[:1]], 0),
    "stack": lambda x: tf.stack([x, 2.0 * x], 1),
    "split": lambda x: tf.split(x, 3, axis=1)[1],
    "unstack": lambda x: tf.unstack(x, axis=1)[1],
    "tile": lambda x: tf.tile(x, [2, 1, 3]),
    "repeat": lambda x: tf.repeat(x, 2, axis=1),
    "repeat-flat": lambda x: tf.repeat(x, 2),
    "repeat-each": lambda x: tf.repeat(x, [1, 0, 2], axis=1),
    "pad": lambda x: tf.pad(x, [[1, 1], [0, 0], [2, 0]]),
    "mirror_pad": lambda x: tf.pad(x, [[1, 1], [0, 0], [1, 0]], "REFLECT"),
    "gather": lambda x: tf.gather(x, [0, 2, 0], axis=1),
    "gather_nd": lambda x: tf.gather_nd(x, [[0, 1], [2, 0]]),
    "slice": lambda x: tf.slice(x, [0, 1, 0], [-1, 1, 2]),
    "strided_slice": lambda x: x[::-1, 1:],
    "boolean_mask": lambda x: tf.boolean_mask(x, x[:, 0, 0] > -1.0),
    "boolean_mask-axis": lambda x: tf.boolean_mask(x, [True, False, True], axis=1),
    "where": lambda x: tf.where(x > 0.0, x, 2.0),
    "scatter_nd": lambda x: tf.scatter_nd([[0], [3], [1]], x, [4, 3, 2]),
    "segment_mean": lambda x: tf.math.unsorted_segment_mean(x, [1, 0, 1], 2),
    "segment_prod": lambda x: tf.math.segment_prod(x, [0, 0, 1]),
    "sort": lambda x: tf.sort(x, axis=0),
    "top_k": lambda x: tf.math.top_k(x, 1)[0],
    "diag": tf.linalg.diag,
    "diag_part": tf.linalg.diag_part,
    "set_diag": lambda x: tf.linalg.set_diag(x, x[:, 0]),
    "band_part": lambda x: tf.linalg.band_part(x, 1, 0),
    "inv": lambda x: tf.linalg.inv(x[:, :2] + tf.eye(2)),
    "qr": lambda x: tf.linalg.qr(x).r,
    "svd": lambda x: tf.linalg.svd(x)[1],
    "expm": lambda x: tf.linalg.expm(x[:, :2]),
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
