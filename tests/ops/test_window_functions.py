"""The public functions of convolution and pooling: how their arguments are read, and what they refuse."""

import numpy as np
import pytest

import client as tf
from tests.ops.case import array
from tests.ops.cases.convolution import conv

INVALID = tf.errors.InvalidArgumentError
X, W = array(2, 5, 6, 3), array(3, 2, 3, 4)


def same(tensor, reference):
    np.testing.assert_allclose(tensor.numpy(), reference, rtol=1e-4, atol=1e-5)


def expected(strides=(1, 1), padding="VALID", dilations=(1, 1), x=X, w=W):
    return conv(x, w, strides=strides, padding=padding, dilations=dilations)


@pytest.mark.parametrize("strides", [2, [2], (2, 2), [1, 2, 2, 1], np.int64(2)])
def test_forms_of_strides(strides):
    same(tf.nn.conv2d(X, W, strides, "SAME"), expected((2, 2), "SAME"))


def test_forms_of_convolution():
    same(tf.nn.conv2d(X, W, 1, "VALID", dilations=[1, 2, 1, 1]), expected(dilations=(2, 1)))
    same(tf.nn.conv2d(X, W, 1, [[0, 0], [1, 0], [2, 3], [0, 0]]), expected(padding=((1, 0), (2, 3))))
    same(tf.nn.atrous_conv2d(X, W, 2, "VALID"), expected(dilations=(2, 2)))
    same(tf.nn.convolution(X, W), expected())
    same(tf.nn.convolution(X, W, strides=[1, 2], padding="SAME", dilations=2), expected((1, 2), "SAME", (2, 2)))
    first = tf.nn.conv2d(np.moveaxis(X, -1, 1), W, [1, 1, 2, 1], "SAME", data_format="NCHW")
    same(first, np.moveaxis(expected((2, 1), "SAME"), -1, 1))
    line = tf.nn.conv1d(X[:, 0], W[0], 2, "SAME")
    same(line, expected((1, 2), "SAME", x=X[:, :1], w=W[:1])[:, 0])
    assert tf.nn.conv1d(tf.zeros([1, 3, 8]), tf.zeros([2, 3, 5]), [1, 1, 2], "VALID", "NCW").shape == (1, 5, 4)
    assert tf.nn.conv3d(tf.zeros([1, 4, 5, 6, 2]), tf.zeros([2, 2, 2, 2, 7]), 2, "SAME").shape == (1, 2, 3, 3, 7)
    assert tf.nn.conv2d(X.tolist(), tf.constant(W), 1, "VALID").dtype == tf.float32


def test_transposes_lead_back():
    y = expected((2, 2), "SAME").astype(np.float32)
    back = tf.nn.conv2d_transpose(y, W, [2, 5, 6, 3], 2)
    np.testing.assert_allclose(np.vdot(back.numpy(), X), np.vdot(y, y), rtol=1e-4)
    same(tf.nn.conv2d_transpose(y, W, tf.shape(X), 2), back.numpy())
    same(tf.nn.conv_transpose(y, W, (2, 5, 6, 3), [1, 2, 2, 1]), back.numpy())
    assert tf.nn.atrous_conv2d_transpose(tf.zeros([1, 2, 2, 4]), W, [1, 6, 4, 3], 2, "VALID").shape == (1, 6, 4, 3)
    assert tf.nn.conv1d_transpose(tf.zeros([1, 4, 2]), tf.zeros([3, 5, 2]), [1, 8, 5], 2).shape == (1, 8, 5)
    volume = tf.nn.conv3d_transpose(tf.zeros([1, 2, 2, 2, 3]), tf.zeros([2, 2, 2, 4, 3]), [1, 4, 4, 4, 4], 2)
    assert volume.shape == (1, 4, 4, 4, 4)
    with pytest.raises(INVALID, match="doesn't match computed"):
        tf.nn.conv2d_transpose(y, W, [2, 7, 6, 3], 2)
    with pytest.raises(INVALID, match="evenly divisible by filter depth: 5 vs 3"):
        tf.nn.conv2d_transpose(y, W, [2, 5, 6, 5], 2)
    with pytest.raises(INVALID, match="must be >= 0"):
        tf.nn.conv2d_transpose(y, W, [-1, 5, 6, 3], 2)


def test_depthwise_and_separable():
    deep, flat = array(3, 2, 3, 2, seed="d"), array(1, 1, 6, 4, seed="p")
    y = tf.nn.depthwise_conv2d(X, deep, [1, 1, 1, 1], "VALID")
    for k in range(3):
        one = expected(x=X[..., k : k + 1], w=deep[:, :, k : k + 1])
        same(y[..., 2 * k : 2 * k + 2], one)
    same(tf.nn.separable_conv2d(X, deep, flat, 1, "VALID"), y.numpy() @ flat[0, 0])
    with pytest.raises(INVALID, match="same depth: 3 vs 2"):
        tf.nn.depthwise_conv2d(X, deep[:, :, :2], 1, "VALID")
    with pytest.raises(INVALID, match="pointwise_filter"):
        tf.nn.separable_conv2d(X, deep, W, 1, "VALID")


@pytest.mark.parametrize(
    "error, text, arguments",
    [
        (INVALID, "evenly divisible by filter depth: 3 vs 2", {"filters": W[:, :, :2]}),
        (INVALID, r"Computed output size would be negative: -1 \[input_size: 1", {"input": X[:, :1]}),
        (INVALID, "must be 4-dimensional", {"input": X[0]}),
        (INVALID, "filter must be 4-dimensional", {"filters": W[0]}),
        (INVALID, "Stride must be > 0", {"strides": 0}),
        (INVALID, 'allowed values: "SAME", "VALID"', {"padding": "valid"}),
        (INVALID, 'allowed values: "NHWC", "NCHW"', {"data_format": "NHW"}),
        (INVALID, "batch or depth", {"padding": [[0, 0], [0, 0], [0, 0], [1, 0]]}),
        (INVALID, "filter must not have zero elements", {"filters": W[:0]}),
        (INVALID, "was expected to be a float32 tensor but is a float64", {"filters": tf.constant(W, tf.float64)}),
        (ValueError, "strides should be of length 1, 2 or 4", {"strides": [1, 1, 1]}),
        (ValueError, "it must be of size 4", {"padding": [[0, 0], [1, 1]]}),
        (tf.errors.UnimplementedError, "batch and depth dimensions", {"strides": [1, 1, 1, 2]}),
    ],
)
def test_refused_convolutions(error, text, arguments):
    with pytest.raises(error, match=text):
        tf.nn.conv2d(**{"input": tf.constant(X), "filters": W, "strides": 1, "padding": "VALID", **arguments})


def test_forms_of_pooling():
    x = np.arange(16.0, dtype=np.float32).reshape(1, 4, 4, 1)
    grid = [[5.0, 7.0], [13.0, 15.0]]
    for y in (
        tf.nn.max_pool2d(x, 2, 2, "VALID"),
        tf.nn.max_pool(x, [1, 2, 2, 1], [2, 2], "SAME"),
        tf.nn.max_pool(x.reshape(1, 1, 4, 4), 2, 2, "VALID", data_format="NCHW"),
        tf.nn.pool(x, [2, 2], "MAX", strides=[2, 2]),
    ):
        assert y.numpy().reshape(2, 2).tolist() == grid
    padded = tf.nn.max_pool2d(x, 2, 2, [[0, 0], [1, 1], [1, 1], [0, 0]])
    assert padded.numpy()[0, :, :, 0].tolist() == [[0, 2, 3], [8, 10, 11], [12, 14, 15]]
    assert tf.nn.avg_pool(x, 2, 2, "SAME").numpy().ravel().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert tf.nn.pool(x, 3, "AVG").shape == (1, 2, 2, 1)
    assert tf.nn.max_pool1d(tf.zeros([2, 6, 3]), 3, 2, "SAME").shape == (2, 3, 3)
    assert tf.nn.avg_pool1d(tf.zeros([2, 3, 6]), 3, 1, "VALID", "NCW").shape == (2, 3, 4)
    assert tf.nn.max_pool3d(tf.zeros([1, 4, 4, 4, 2]), 2, 2, "VALID").shape == (1, 2, 2, 2, 2)
    assert tf.nn.avg_pool3d(tf.zeros([1, 4, 4, 4, 2]), [2, 1, 2], 1, "SAME").shape == (1, 4, 4, 4, 2)
    assert tf.nn.max_pool2d(tf.constant(x, tf.int8), 2, 2, "VALID").dtype == tf.int8


def test_max_pool_with_argmax():
    x = np.array([[1, 5, 5, 0], [7, 5, 0, 9]], np.float32).reshape(2, 2, 2, 1)
    y, where = tf.nn.max_pool_with_argmax(x, [2, 1], 1, "SAME")
    assert y.numpy().ravel().tolist() == [5, 5, 5, 0, 7, 9, 0, 9]
    assert where.numpy().ravel().tolist() == [2, 1, 2, 3, 0, 3, 2, 3]
    assert where.dtype == tf.int64
    _, where = tf.nn.max_pool_with_argmax(x, 2, 2, "VALID", output_dtype=tf.int32, include_batch_in_index=True)
    assert where.numpy().ravel().tolist() == [1, 7]
    assert where.dtype == tf.int32


@pytest.mark.parametrize(
    "error, text, pool",
    [
        (INVALID, "Sliding window ksize must be > 0", lambda x: tf.nn.max_pool2d(x, 0, 1, "VALID")),
        (INVALID, "Stride must be > 0, but got 1,0,0,1", lambda x: tf.nn.max_pool2d(x, 2, 0, "VALID")),
        (INVALID, "4-dimensional", lambda x: tf.nn.max_pool2d(x[0], 2, 1, "VALID")),
        (INVALID, "output size would be negative", lambda x: tf.nn.max_pool2d(x, 6, 1, "VALID")),
        (
            INVALID,
            "smaller than the window size 2",
            lambda x: tf.nn.max_pool2d(x, 2, 1, [[0, 0], [2, 0], [0, 0], [0, 0]]),
        ),
        (INVALID, "1, 2 or 3 spatial dimensions", lambda x: tf.nn.max_pool(x[0, 0], 2, 1, "VALID")),
        (INVALID, "must be one of", lambda x: tf.nn.avg_pool(tf.cast(x, tf.int32), 2, 1, "VALID")),
        (TypeError, "Expected string for argument 'padding'", lambda x: tf.nn.avg_pool(x, 2, 1, [[0, 0]] * 4)),
        (ValueError, "ksize should be of length 1, 2 or 4", lambda x: tf.nn.max_pool2d(x, [2, 2, 2], 1, "VALID")),
        (ValueError, "pooling_type", lambda x: tf.nn.pool(x, 2, "MIN")),
        (tf.errors.UnimplementedError, "dilations", lambda x: tf.nn.pool(x, 2, "MAX", dilations=[2, 2])),
    ],
)
def test_refused_pooling(error, text, pool):
    with pytest.raises(error, match=text):
        pool(tf.zeros([1, 4, 4, 2]))
