"""Layers of single elements: activations, what disturbs in training, what adds to the losses."""

import inspect

import numpy as np
import pytest
from scipy import special

import client as tf
from tests.client.waiting import remote, waits

L = tf.keras.layers
X = np.linspace(-8, 8, 35).astype(np.float32).reshape(5, 7)

ACTIVATIONS = {
    "ReLU": (lambda: L.ReLU(), np.maximum(X, 0)),
    "ReLU bounded": (lambda: L.ReLU(6.0), np.clip(X, 0, 6)),
    "ReLU slope": (lambda: L.ReLU(negative_slope=0.2), np.where(X > 0, X, 0.2 * X)),
    "ReLU all": (lambda: L.ReLU(5.0, 0.1, 1.0), np.where(X >= 1, np.minimum(X, 5.0), 0.1 * (X - 1))),
    "LeakyReLU": (lambda: L.LeakyReLU(), np.where(X > 0, X, 0.3 * X)),
    "LeakyReLU slope": (lambda: L.LeakyReLU(0.1), np.where(X > 0, X, 0.1 * X)),
    "ELU": (lambda: L.ELU(0.7), np.where(X > 0, X, 0.7 * np.expm1(X))),
    "Softmax": (lambda: L.Softmax(), special.softmax(X, -1)),
    "Softmax 0": (lambda: L.Softmax(axis=0), special.softmax(X, 0)),
    "Softmax both": (lambda: L.Softmax(axis=[0, 1]), special.softmax(X)),
    "PReLU": (lambda: L.PReLU(tf.keras.initializers.Constant(0.25)), np.where(X > 0, X, 0.25 * X)),
    "Activation": (lambda: L.Activation("softplus"), np.logaddexp(X, 0)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name):
    make, wanted = ACTIVATIONS[name]
    layer = make()
    with waits(0):
        found = layer(remote(X))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-6)
    again = L.deserialize(L.serialize(layer))
    np.testing.assert_array_equal(again(tf.constant(X)).numpy(), found.numpy())
    assert layer(tf.keras.Input((7,))).shape == (None, 7)


def test_alpha_of_prelu_is_shared():
    layer = L.PReLU(shared_axes=[1, 2], name="p")
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    layer(tf.constant(x))
    assert [(w.path, tuple(w.shape)) for w in layer.weights] == [("p/alpha", (1, 1, 5))]
    alpha = np.arange(5.0, dtype=np.float32).reshape(1, 1, 5)
    layer.set_weights([alpha])
    np.testing.assert_allclose(layer(tf.constant(x)).numpy(), np.where(x > 0, x, alpha * x), rtol=1e-6)
    assert L.PReLU(shared_axes=2).shared_axes == [2]
    with pytest.raises(ValueError, match="axis 3"):
        layer(tf.zeros([1, 3, 4, 6]))


@pytest.mark.parametrize("dtype", [bool, np.float32, np.int32])
def test_softmax_of_what_the_mask_lets_through(dtype):
    keep = np.arange(35).reshape(5, 7) % 3 != 0
    keep[2] = False
    with waits(0):
        found = L.Softmax()(remote(X), mask=tf.constant(keep.astype(dtype)))
    with np.errstate(invalid="ignore"):
        wanted = np.nan_to_num(special.softmax(np.where(keep, X, -np.inf), -1))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="broadcastable"):
        L.Softmax()(tf.constant(X), mask=tf.constant(keep[:, :3]))


# --- disturbances ----------------------------------------------------------------------------------------------------

KINDS = {
    "Dropout": L.Dropout, "GaussianNoise": L.GaussianNoise, "GaussianDropout": L.GaussianDropout,
    "AlphaDropout": L.AlphaDropout,
}  # fmt: skip
LARGE = np.random.default_rng(1).normal(2.0, 1.0, (300, 400)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_only_in_training(kind):
    layer = KINDS[kind](0.3)
    x = tf.constant(X)
    np.testing.assert_array_equal(layer(x), X)
    np.testing.assert_array_equal(layer(x, training=False), X)
    np.testing.assert_array_equal(KINDS[kind](0.0)(x, training=True), X)
    assert (layer(x, training=True).numpy() != X).any()
    assert layer(tf.zeros([0, 3]), training=True).numpy().shape == (0, 3)
    assert layer(tf.keras.Input((7,)), training=True).shape == (None, 7)
    assert L.deserialize(L.serialize(layer)).get_config() == layer.get_config()
    with pytest.raises(ValueError, match=r"between 0 and 1. Received: \w+=1.5"):
        KINDS[kind](1.5)


@pytest.mark.parametrize("kind", KINDS)
def test_seeds(kind):
    """Layers with the same seed give the same, whatever else is drawn between; calls of one layer differ."""
    x = tf.ones([8, 8])
    first, second = (KINDS[kind](0.5, seed=7) for _ in range(2))
    with waits(0):
        a = [first(x, training=True) for _ in range(2)]
        tf.random.normal([3])
        KINDS[kind](0.5)(x, training=True)
        b = [second(x, training=True) for _ in range(2)]
    for i in range(2):
        np.testing.assert_array_equal(a[i], b[i])
    assert (a[0].numpy() != a[1].numpy()).any()
    assert (KINDS[kind](0.5, seed=8)(x, training=True).numpy() != a[0].numpy()).any()
    layers = [KINDS[kind](0.5) for _ in range(2)]
    drawn = []
    for layer in layers:
        tf.random.set_seed(3)
        drawn.append(layer(x, training=True).numpy())
    np.testing.assert_array_equal(*drawn)


def test_distributions():
    """Means and deviations over 120 000 elements: their errors are some thousandths."""
    x = tf.constant(LARGE)
    noise = L.GaussianNoise(0.5, seed=1)(x, training=True).numpy() - LARGE
    assert abs(noise.mean()) < 0.01 and abs(noise.std() - 0.5) < 0.01
    factors = L.GaussianDropout(0.2, seed=1)(x, training=True).numpy() / LARGE
    assert abs(np.median(factors) - 1) < 0.01 and abs(factors.std() - 0.5) < 0.01
    dropped = L.Dropout(0.3, seed=1)(x, training=True).numpy()
    assert abs((dropped == 0).mean() - 0.3) < 0.01
    np.testing.assert_allclose(dropped[dropped != 0], LARGE[dropped != 0] / 0.7, rtol=1e-6)


def test_alpha_dropout_keeps_mean_and_variance():
    """Of what has mean 0 and variance 1; what is dropped becomes one number."""
    x = (LARGE - LARGE.mean()) / LARGE.std()
    found = L.AlphaDropout(0.25, seed=1)(tf.constant(x), training=True).numpy()
    assert abs(found.mean()) < 0.02 and abs(found.std() - 1) < 0.02
    values, counts = np.unique(found, return_counts=True)
    assert abs(counts.max() / x.size - 0.25) < 0.01
    low = -1.0507009873554805 * 1.6732632423543772
    a = ((1 - 0.25) * (1 + 0.25 * low**2)) ** -0.5
    np.testing.assert_allclose(values[counts.argmax()], a * low - a * low * 0.25, rtol=1e-5)
    rows = L.AlphaDropout(0.5, noise_shape=(None, 1), seed=2)(tf.zeros([64, 5]), training=True).numpy()
    assert (np.ptp(rows, axis=1) == 0).all() and len(np.unique(rows)) == 2


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_spatial_dropout_of_whole_channels(rank):
    kind = getattr(L, f"SpatialDropout{rank}D")
    dims = (3, 2, 4)[:rank]
    with waits(0):
        found = kind(0.5, seed=5)(tf.ones([32, *dims, 16]), training=True)
    found = found.numpy().reshape(32, -1, 16)
    assert (np.ptp(found, axis=1) == 0).all() and set(np.unique(found)) == {0.0, 2.0}
    assert 0.4 < (found == 0).mean() < 0.6
    layer = kind(0.25, seed=3, name="s")
    assert L.deserialize(L.serialize(layer)).get_config() == layer.get_config()
    if rank > 1:
        found = kind(0.5, "channels_first", seed=5)(tf.ones([32, 16, *dims]), training=True).numpy()
        assert (np.ptp(found.reshape(32, 16, -1), axis=2) == 0).all() and len(np.unique(found)) == 2
    else:
        assert list(inspect.signature(kind).parameters)[:2] == ["rate", "seed"] and kind(0.5, 3).seed == 3
    with pytest.raises(ValueError, match=f"expected ndim={rank + 2}"):
        layer(tf.zeros([2, 3]))


def test_activity_regularization():
    layer = L.ActivityRegularization(0.1, 0.2)
    for scale in (1.0, 2.0):  # the losses are those of the last call, by the size of the batch
        found = layer(tf.constant(scale * X))
        np.testing.assert_array_equal(found, scale * X)
        assert len(layer.losses) == 1
        wanted = (0.1 * np.abs(scale * X).sum() + 0.2 * np.square(scale * X).sum()) / 5
        np.testing.assert_allclose(layer.losses[0].numpy(), wanted, rtol=1e-5)
    config = layer.get_config()
    assert config["l1"] == 0.1 and "activity_regularizer" not in config
    assert L.deserialize(L.serialize(layer)).get_config() == config


WRONG = {
    "max_value": lambda: L.ReLU(-1.0),
    "negative_slope": lambda: L.ReLU(negative_slope=None),
    "threshold": lambda: L.ReLU(threshold=-0.5),
    "negative_slope=-1": lambda: L.LeakyReLU(-1),
    "fully-defined": lambda: L.PReLU()(tf.keras.Input((None, 3))),
    "Unrecognized": lambda: L.Softmax(nothing=1),
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong(words):
    with pytest.raises(ValueError, match=words):
        WRONG[words]()
