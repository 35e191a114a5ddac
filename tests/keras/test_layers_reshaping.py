"""Layers that change shapes, against NumPy and SciPy."""

import numpy as np
import pytest
from scipy import interpolate

import client as tf
from tests.client.waiting import remote, waits

L = tf.keras.layers
RNG = np.random.default_rng(8)
INPUTS = {n: RNG.normal(size=(2, *(7, 6, 5)[:n], 4)).astype(np.float32) for n in (1, 2, 3)}


def same(layer, x, wanted):
    """The layer gives `wanted`, without waiting, and so does its copy; its shape is what it says it is."""
    with waits(0):
        found = layer(remote(x))
    np.testing.assert_array_equal(found.numpy(), wanted)
    again = L.deserialize(L.serialize(layer))
    np.testing.assert_array_equal(again(tf.constant(x)), wanted)
    assert again.get_config() == layer.get_config()
    assert layer.compute_output_shape(x.shape) == wanted.shape


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_padding_and_cropping(rank, first):
    x = INPUTS[rank]
    form = {"data_format": "channels_first"} if first else {}
    start = 2 if first else 1
    given = np.ascontiguousarray(np.moveaxis(x, -1, 1)) if first else x
    pairs = ((1, 2), (0, 1), (2, 0))[:rank]
    options = [(2, ((2, 2),) * rank), (pairs[0] if rank == 1 else pairs, pairs)]
    if rank > 1:
        options.append(((2, 0, 1)[:rank], tuple((v, v) for v in (2, 0, 1)[:rank])))
    for option, amounts in options:
        around = [(0, 0)] * (rank + 2)
        around[start : start + rank] = amounts
        same(getattr(L, f"ZeroPadding{rank}D")(option, **form), given, np.pad(given, around))
        if rank > 1 or not first:
            inner = tuple(slice(a, n - b) for n, (a, b) in zip(given.shape, around, strict=True))
            same(getattr(L, f"Cropping{rank}D")(option, **form), given, given[inner])


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_upsampling(rank, first):
    if rank == 1:
        same(L.UpSampling1D(3), INPUTS[1], np.repeat(INPUTS[1], 3, axis=1))
        return
    x, size = INPUTS[rank], (3, 1, 2)[:rank]
    given = np.ascontiguousarray(np.moveaxis(x, -1, 1)) if first else x
    wanted = given
    for axis, factor in enumerate(size, 2 if first else 1):
        wanted = np.repeat(wanted, factor, axis=axis)
    same(getattr(L, f"UpSampling{rank}D")(size, data_format="channels_first" if first else None), given, wanted)


def test_bilinear():
    """Straight lines between the centers of pixels, and the edges' values beyond the outermost."""
    x = INPUTS[2]
    found = L.UpSampling2D((2, 3), interpolation="bilinear")(tf.constant(x))
    wanted = x.astype(np.float64)
    for axis, factor in ((1, 2), (2, 3)):
        n = x.shape[axis]
        at = np.clip((np.arange(n * factor) + 0.5) / factor - 0.5, 0, n - 1)
        wanted = interpolate.interp1d(np.arange(n), wanted, axis=axis)(at)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_interpolation_of_a_constant_and_of_a_line(method):
    """A constant stays one; a straight line does far from the edges, where the method is exact for lines."""
    layer = L.UpSampling2D(2, interpolation=method)
    np.testing.assert_allclose(layer(tf.fill([1, 9, 8, 2], 3.0)).numpy(), np.full((1, 18, 16, 2), 3.0), rtol=1e-6)
    line = np.broadcast_to(np.arange(20.0, dtype=np.float32)[None, :, None, None], (1, 20, 3, 1))
    found = layer(tf.constant(line)).numpy()[0, 10:-10, 0, 0]
    wanted = ((np.arange(40) + 0.5) / 2 - 0.5)[10:-10]
    np.testing.assert_allclose(found, wanted, atol=1e-5 if method[0] == "b" else 0.02)


def test_interpolated_integers_are_floats():
    found = L.UpSampling2D(2, interpolation="bilinear")(tf.constant([[[[0], [4]]]], tf.uint8))
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found[0, 0, :, 0], [0.0, 1.0, 3.0, 4.0])


def test_interpolation_has_gradients():
    x = tf.constant(INPUTS[2])
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = L.UpSampling2D(3, interpolation="bilinear")(x)
    np.testing.assert_allclose(tape.gradient(found, x).numpy().sum(), found.numpy().size, rtol=1e-5)


def test_reshape_permute_repeat():
    x = INPUTS[2]
    same(L.Reshape((6, 7, 4)), x, x.reshape(2, 6, 7, 4))
    same(L.Reshape((-1, 8)), x, x.reshape(2, -1, 8))
    same(L.Reshape([-1]), x, x.reshape(2, -1))
    same(L.Reshape((-1, 2)), np.zeros((3, 0), np.float32), np.zeros((3, 0, 2), np.float32))
    same(L.Permute((3, 1, 2)), x, x.transpose(0, 3, 1, 2))
    row = x[:, :, 0, 0]
    same(L.RepeatVector(3), row, np.repeat(row[:, None], 3, 1))


def test_shapes_that_are_not_known():
    """Symbolic inputs with unknown dims, and the model made of them on images of two sizes."""
    inputs = tf.keras.Input((None, None, 2))
    x = L.ZeroPadding2D(1)(inputs)
    x = L.UpSampling2D(2, interpolation="bicubic")(L.Cropping2D(((1, 0), (0, 1)))(x))
    outputs = L.Reshape((-1, 2))(x)
    assert x.shape == (None, None, None, 2) and outputs.shape == (None, None, 2)
    model = tf.keras.Model(inputs, outputs)
    for height in (3, 5):
        assert model(tf.zeros([2, height, 4, 2])).shape == (2, (height + 1) * 2 * 5 * 2, 2)


WRONG = {
    "total size": lambda: L.Reshape((5, 5))(tf.zeros([2, 3])),
    "must be unchanged": lambda: L.Reshape((-1, 5))(tf.zeros([2, 3])),
    "permutation": lambda: L.Permute((0, 1)),
    "expected ndim=3": lambda: L.Permute((2, 1))(tf.zeros([2, 3, 4, 5])),
    "expected ndim=2": lambda: L.RepeatVector(2)(tf.zeros([2, 3, 4])),
    "2 of them, or 2 pairs": lambda: L.ZeroPadding2D((1, 2, 3)),
    "`padding` should": lambda: L.ZeroPadding2D(None),
    "`padding` argument": lambda: L.ZeroPadding2D(((1, -2), (1, 1))),
    "`cropping` argument must be a tuple of 2": lambda: L.Cropping1D((1, 2, 3)),
    "smaller than the corresponding": lambda: L.Cropping2D(2)(tf.zeros([2, 4, 4, 1])),
    "`interpolation`": lambda: L.UpSampling2D(2, interpolation="linear"),
    "`size` argument": lambda: L.UpSampling3D((2, 0, 1)),
    "should be a positive": lambda: L.UpSampling1D(0),
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong(words):
    with pytest.raises(ValueError, match=words):
        WRONG[words]()


def test_no_integers():
    for make in (lambda: L.RepeatVector(1.5), lambda: L.UpSampling1D(1.5)):
        with pytest.raises(TypeError, match="Expected an integer"):
            make()
