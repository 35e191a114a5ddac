"""The public functions of neural networks that are more than an op, against values worked out by hand."""

import math
import types

import numpy as np
import pytest

import client as tf
from server.kernels import KERNELS

LOG2 = math.log(2)


def values(tensor):
    return tensor.numpy().tolist()


def test_activations_with_options():
    assert values(tf.nn.leaky_relu([1, -2], alpha=0.5)) == [1.0, -1.0]
    assert tf.nn.leaky_relu([1, -2]).dtype == tf.float32
    assert values(tf.nn.crelu([[1.0, -2.0]], axis=0)) == [[1.0, 0.0], [0.0, 2.0]]
    assert tf.nn.swish is tf.nn.silu
    by_number = tf.nn.silu([1.0, -2.0], beta=2.0)
    by_tensor = tf.nn.silu([1.0, -2.0], beta=tf.constant(2.0))
    np.testing.assert_allclose(by_number.numpy(), by_tensor.numpy(), rtol=1e-6)
    np.testing.assert_allclose(by_number.numpy(), [1 / (1 + math.exp(-2)), -2 / (1 + math.exp(4))], rtol=1e-6)


def test_softmax_cross_entropy():
    entropy = tf.nn.softmax_cross_entropy_with_logits
    np.testing.assert_allclose(entropy([[0.0, 1.0]], [[0.0, 0.0]]).numpy(), [LOG2], rtol=1e-6)
    assert entropy(tf.ones([2, 3, 4]), tf.zeros([2, 3, 4]), axis=1).shape == (2, 4)
    assert entropy([[0, 1]], tf.zeros([1, 2], tf.float64)).dtype == tf.float64
    np.testing.assert_allclose(entropy([1.0, 0.0], [[0.0, 0.0]] * 3).numpy(), [LOG2] * 3, rtol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"same shape: logits_size=\[2,3\] labels_size=\[2,2\]"):
        entropy(tf.zeros([2, 2]), tf.zeros([2, 3]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"`dim` must be in the range \[-2, 2\)"):
        entropy(tf.zeros([2, 2]), tf.zeros([2, 2]), axis=2)


def test_sparse_softmax_cross_entropy():
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits
    np.testing.assert_allclose(entropy([1, 0], [[0.0, 0.0]] * 2).numpy(), [LOG2] * 2, rtol=1e-6)
    with pytest.raises(ValueError, match=r"`labels.shape.rank` must equal `logits.shape.rank - 1`"):
        entropy([[0, 1]], tf.zeros([2, 3]))
    with pytest.raises(ValueError, match=r"`labels.shape` must equal `logits.shape` except for the last dimension"):
        entropy([0, 1, 1], tf.zeros([2, 3]))
    with pytest.raises(ValueError, match="cannot be a scalar"):
        entropy(0, 1.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"label value of -1 .* valid range of \[0, 3\)"):
        entropy([0, -1], tf.zeros([2, 3])).numpy()


def test_labels_out_of_range_are_nan_where_looking_would_wait():
    device = types.SimpleNamespace(**vars(np))  # an array module that is not NumPy
    labels, logits = np.array([1, 5, -1]), np.zeros((3, 2), np.float32)
    loss, backprop = KERNELS["sparse_softmax_cross_entropy"](device, labels, logits)
    np.testing.assert_allclose(loss, [LOG2, np.nan, np.nan], rtol=1e-6)
    np.testing.assert_allclose(backprop, [[0.5, -0.5], [np.nan] * 2, [np.nan] * 2], rtol=1e-6)


def test_other_cross_entropies():
    loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=[1.0, 0.0], logits=[0.0, 0.0])
    np.testing.assert_allclose(loss.numpy(), [LOG2] * 2, rtol=1e-6)
    with pytest.raises(ValueError, match="must have the same shape"):
        tf.nn.sigmoid_cross_entropy_with_logits(tf.zeros([2, 3]), tf.zeros([3]))
    loss = tf.nn.weighted_cross_entropy_with_logits([1.0, 0.0, 0.5], [0.0, 0.0, 1000.0], 3.0)
    np.testing.assert_allclose(loss.numpy(), [3 * LOG2, LOG2, 500.0], rtol=1e-6)
    with pytest.raises(ValueError, match="must have the same shape"):
        tf.nn.weighted_cross_entropy_with_logits(tf.zeros([2, 3]), tf.zeros([3]), 1.0)


def test_log_poisson_loss():
    np.testing.assert_allclose(tf.nn.log_poisson_loss([2.0], [1.0]).numpy(), [math.e - 2], rtol=1e-6)
    full = tf.nn.log_poisson_loss([2.0, 0.0, 1.0], [1.0, 1.0, 1.0], compute_full_loss=True)
    stirling = 2 * LOG2 - 2 + 0.5 * math.log(4 * math.pi)
    np.testing.assert_allclose(full.numpy(), [math.e - 2 + stirling, math.e, math.e - 1], rtol=1e-6)


def test_average_losses():
    assert values(tf.nn.compute_average_loss([1.0, 2.0, 3.0], [1.0, 0.0, 1.0], global_batch_size=8)) == 0.5
    assert values(tf.nn.compute_average_loss(tf.boolean_mask([1.0, 5.0, 3.0], [True, False, True]))) == 2.0
    assert values(tf.nn.scale_regularization_loss([1.0, 2.0])) == 3.0


def test_moments():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    mean, variance = tf.nn.moments(x, [0, 2], keepdims=True)
    np.testing.assert_allclose(mean.numpy(), x.mean((0, 2), keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(variance.numpy(), x.var((0, 2), keepdims=True), rtol=1e-6)
    assert [values(m) for m in tf.nn.moments([1, 2, 3], 0)] == [2, 0]
    statistics = tf.nn.sufficient_statistics(x, [0, 1], shift=10.0)
    assert values(statistics[0]) == 6.0
    mean, variance = tf.nn.normalize_moments(*statistics)
    np.testing.assert_allclose(mean.numpy(), x.mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(variance.numpy(), x.var((0, 1)), rtol=1e-5)


def test_weighted_moments():
    x, w = np.array([[1.0, 5.0], [3.0, 3.0]], np.float32), np.array([[3.0], [1.0]], np.float32)
    mean, variance = tf.nn.weighted_moments(x, [0], w)
    np.testing.assert_allclose(mean.numpy(), [1.5, 4.5])
    np.testing.assert_allclose(variance.numpy(), [0.75, 0.75])
    mean, _ = tf.nn.weighted_moments(tf.constant(x, tf.float16), [0, 1], w, keepdims=True)
    assert mean.shape == (1, 1)
    assert mean.dtype == tf.float16


def test_batch_normalization():
    x = np.array([[1.0, 2.0], [3.0, 6.0]], np.float32)
    mean, variance = tf.nn.moments(x, [0])
    y = tf.nn.batch_normalization(x, mean, variance, None, None, 0.0)
    np.testing.assert_allclose(y.numpy(), [[-1, -1], [1, 1]], rtol=1e-6)
    y = tf.nn.batch_normalization(x, mean, variance, [1.0, 2.0], [2.0, 3.0], 3.0)
    np.testing.assert_allclose(y.numpy(), (x - [2, 4]) / np.sqrt([4, 7]) * [2, 3] + [1, 2], rtol=1e-6)
    half = tf.nn.batch_normalization(tf.constant(x, tf.float16), mean, variance, None, None, 0.0)
    assert half.dtype == tf.float16


def test_local_response_normalization():
    x = np.arange(1.0, 6.0, dtype=np.float32).reshape(1, 1, 1, 5)
    y = tf.nn.local_response_normalization(x, depth_radius=1, bias=2.0, alpha=0.5, beta=1.5).numpy().ravel()
    near = np.array([1 + 4, 1 + 4 + 9, 4 + 9 + 16, 9 + 16 + 25, 16 + 25])
    np.testing.assert_allclose(y, x.ravel() / (2 + 0.5 * near) ** 1.5, rtol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="4-dimensional"):
        tf.nn.lrn(tf.zeros([2, 3]))


def test_dropout():
    x = tf.ones([100, 100])
    y = tf.nn.dropout(x, 0.25, seed=3).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert 0.7 < np.mean(y != 0) < 0.8
    rows = tf.nn.dropout(x, rate=tf.constant(0.5), noise_shape=[None, 1]).numpy()
    assert (rows == rows[:, :1]).all()
    assert len(np.unique(rows)) == 2
    assert tf.nn.dropout(x, 0) is x
    with pytest.raises(ValueError, match=r"in the range \[0, 1\)"):
        tf.nn.dropout(x, 1.0)
    with pytest.raises(ValueError, match="floating point"):
        tf.nn.dropout([1, 2], 0.5)


def test_dropout_of_unknown_shape():
    x = tf.boolean_mask(tf.ones([4, 2]), [True, False, True, True])
    assert tf.nn.dropout(x, 0.5).numpy().shape == (3, 2)
    assert tf.nn.dropout(x, 0.5, noise_shape=[None, 1]).numpy().shape == (3, 2)


def test_embedding_lookup():
    table = tf.constant([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    assert values(tf.nn.embedding_lookup([table], [[2, 0]])) == [[[0.0, 0.0], [3.0, 4.0]]]
    clipped = tf.nn.embedding_lookup(table, [0, 1, 2], max_norm=1.0)
    np.testing.assert_allclose(clipped.numpy(), [[0.6, 0.8], [0.3, 0.4], [0, 0]], rtol=1e-6)
    with pytest.raises(ValueError, match="one tensor"):
        tf.nn.embedding_lookup([table, table], [0])
