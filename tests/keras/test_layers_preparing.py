"""Embedding, Masking, Rescaling and Normalization against NumPy."""

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

L = tf.keras.layers
RNG = np.random.default_rng(9)
TABLE = RNG.normal(size=(5, 3)).astype(np.float32)
INDEX = np.array([[1, 2, 0], [4, 2, 1]])
DATA = (RNG.normal(size=(40, 3)) * [1.0, 2.0, 5.0] + [0.0, -3.0, 10.0]).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.float32])
def test_embedding(dtype):
    layer = L.Embedding(5, 3, weights=[TABLE], name="words")
    with waits(0):
        found = layer(remote(INDEX.astype(dtype)))
    np.testing.assert_array_equal(found.numpy(), TABLE[INDEX])
    assert [w.path for w in layer.weights] == ["words/embeddings"]
    np.testing.assert_array_equal(L.Embedding(5, 3, weights=TABLE)(INDEX).numpy(), TABLE[INDEX])
    assert L.Embedding(5, 3)(tf.keras.Input((None,), dtype="int32")).shape == (None, None, 3)
    assert L.Embedding(5, 3)(tf.zeros([2, 0], tf.int32)).numpy().shape == (2, 0, 3)


def test_gradient_of_rows():
    """It holds the rows that were looked up, also those looked up twice."""
    layer = L.Embedding(5, 3, weights=TABLE)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(layer(tf.constant(INDEX))))
    gradient = tape.gradient(loss, layer.embeddings)
    assert isinstance(gradient, tf.IndexedSlices)
    wanted = np.zeros_like(TABLE)
    np.add.at(wanted, INDEX, 2 * TABLE[INDEX])
    np.testing.assert_allclose(tf.convert_to_tensor(gradient).numpy(), wanted, rtol=1e-6)
    tf.keras.optimizers.SGD(0.5).apply_gradients([(gradient, layer.embeddings)])
    np.testing.assert_allclose(layer.embeddings.numpy(), TABLE - 0.5 * wanted, rtol=1e-5, atol=1e-6)


def test_mask_of_zeros():
    layer = L.Embedding(5, 3, mask_zero=True, weights=TABLE)
    found = L.GlobalAveragePooling1D()(layer(tf.constant(INDEX)))
    wanted = [TABLE[row[row != 0]].mean(0) for row in INDEX]
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-6)
    np.testing.assert_array_equal(layer.compute_mask(tf.constant(INDEX)).numpy(), INDEX != 0)
    assert L.Embedding(5, 3).compute_mask(tf.constant(INDEX)) is None


def test_configuration_of_embedding():
    layer = L.Embedding(5, 3, "ones", embeddings_regularizer="l2", embeddings_constraint="non_neg", mask_zero=True)
    again = L.deserialize(L.serialize(layer))
    assert again.get_config() == layer.get_config() and again.supports_masking
    again(tf.constant([0]))
    np.testing.assert_allclose(again.losses[0].numpy(), 0.01 * 15, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, -1.5, np.inf])
def test_masking(value):
    x = RNG.normal(size=(2, 4, 3)).astype(np.float32)
    x[0, 1] = x[1, 2:] = value
    x[0, 2, :2] = value
    layer = L.Masking(value)
    with waits(0):
        found = layer(remote(x))
    keep = np.array([[True, False, True, True], [True, True, False, False]])
    np.testing.assert_array_equal(found.numpy(), np.where(keep[..., None], x, 0.0))
    np.testing.assert_array_equal(layer.compute_mask(tf.constant(x)).numpy(), keep)
    assert L.deserialize(L.serialize(layer)).mask_value == value


def test_rescaling():
    image = RNG.integers(0, 255, (2, 3, 3, 2)).astype(np.uint8)
    with waits(0):
        found = L.Rescaling(1 / 255)(remote(image))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found.numpy(), image / 255, rtol=1e-6)
    layer = L.Rescaling(np.array([1.0, 2.0]), offset=[0.5, -0.5])
    again = L.deserialize(L.serialize(layer))
    for each in (layer, again):
        np.testing.assert_allclose(each(image).numpy(), image * [1.0, 2.0] + [0.5, -0.5], rtol=1e-6)
    assert again.get_config() == layer.get_config() and layer.get_config()["scale"] == [1.0, 2.0]


# --- Normalization ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [-1, None, 0, 1, (0, 1)])
def test_adapted(axis):
    layer, back = L.Normalization(axis=axis), L.Normalization(axis=axis, invert=True)
    with waits(0):
        for each in (layer, back):
            each.adapt(DATA)
        found = layer(remote(DATA))
        restored = back(found)
    kept = {-1: (1,), None: (), 0: (0,), 1: (1,), (0, 1): (0, 1)}[axis]
    reduced = tuple(a for a in range(2) if a not in kept)
    mean, deviation = DATA.mean(reduced, keepdims=True), DATA.std(reduced, keepdims=True)
    wanted = (DATA - mean) / np.maximum(deviation, 1e-7)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(layer.mean.numpy(), mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.variance.numpy(), deviation**2, rtol=1e-4, atol=1e-5)
    if axis != (0, 1):
        np.testing.assert_allclose(restored.numpy(), DATA, rtol=1e-3, atol=1e-4)
    assert not layer.trainable_weights and [w.name for w in layer.weights] == ["mean", "variance", "count"]


BATCHES = {
    "tensor": lambda: tf.constant(DATA),
    "list": lambda: [DATA[:7], DATA[7:]],
    "pairs": lambda: [(DATA[:30], 0), (DATA[30:], 1)],
    "generator": lambda: (DATA[i : i + 9] for i in range(0, 40, 9)),
    "dataset": lambda: tf.data.Dataset.from_tensor_slices(DATA).batch(16),
    "rows": lambda: tf.data.Dataset.from_tensor_slices(DATA),
}


@pytest.mark.parametrize("kind", BATCHES)
def test_adapted_to_batches(kind):
    layer = L.Normalization()
    layer.adapt(100 * DATA)  # which is forgotten
    layer.adapt(BATCHES[kind]())
    np.testing.assert_allclose(layer.mean.numpy()[0], DATA.mean(0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer.variance.numpy()[0], DATA.var(0), rtol=1e-4)


@pytest.mark.parametrize(("axis", "shape"), [(-1, ()), (-1, (3,)), ((1, 2), (3,)), ((1, 2), (4, 3)), (1, (4,))])
def test_given(axis, shape):
    x = RNG.normal(size=(2, 4, 3)).astype(np.float32)
    mean, variance = RNG.normal(size=shape), RNG.uniform(0.5, 2.0, size=shape)
    layer = L.Normalization(axis, mean, variance)
    again = L.deserialize(L.serialize(layer))
    spread = (1, 4, 1) if axis == 1 else shape
    wanted = (x - mean.reshape(spread)) / np.sqrt(variance.reshape(spread))
    for each in (layer, again):
        np.testing.assert_allclose(each(tf.constant(x)).numpy(), wanted, rtol=1e-4, atol=1e-5)
    assert not layer.weights
    inverted = L.Normalization(axis, mean, variance, invert=True)
    np.testing.assert_allclose(inverted(layer(tf.constant(x))).numpy(), x, rtol=1e-4, atol=1e-5)


def test_no_variance_and_integers():
    found = L.Normalization(mean=2.0, variance=0.0, axis=None)(tf.constant([[2, 3]]))
    np.testing.assert_allclose(found.numpy(), [[0.0, 1e7]], rtol=1e-6)


def test_in_a_model():
    layer = L.Normalization()
    layer.adapt(DATA)
    inputs = tf.keras.Input((3,))
    model = tf.keras.Model(inputs, layer(inputs))
    found = model(tf.constant(DATA)).numpy()
    np.testing.assert_allclose((found.mean(0), found.std(0)), [[0.0] * 3, [1.0] * 3], atol=1e-4)
    layer.adapt(2 * DATA)  # which the model sees
    np.testing.assert_allclose(model(tf.constant(2 * DATA)).numpy(), found, atol=1e-4)


WRONG = {
    "`input_dim` must be a positive integer": (ValueError, lambda: L.Embedding(0, 3)),
    "`output_dim` must be a positive integer": (ValueError, lambda: L.Embedding(3, 2.0)),
    "weight shape": (ValueError, lambda: L.Embedding(3, 2, weights=TABLE)),
    "is not in": (tf.errors.InvalidArgumentError, lambda: L.Embedding(3, 2)(tf.constant([[5]])).numpy()),
    "both `mean` and `variance`": (ValueError, lambda: L.Normalization(mean=1.0)),
    "must have the same shape": (ValueError, lambda: L.Normalization(mean=[1.0], variance=1.0)),
    "rank of `mean`": (ValueError, lambda: L.Normalization(mean=[[1.0]], variance=[[1.0]])),
    "do not broadcast": (
        tf.errors.InvalidArgumentError,
        lambda: L.Normalization(mean=[1.0, 2.0], variance=[1.0, 2.0])(tf.constant(DATA)),
    ),
    "in the range": (ValueError, lambda: L.Normalization(axis=5)(tf.constant(DATA))),
    "unknown axis at index 1": (ValueError, lambda: L.Normalization(axis=1)(tf.keras.Input((None, 3)))),
    "incompatible shape": (ValueError, lambda: [n := L.Normalization(), n.adapt(DATA), n.adapt(DATA[:, :2])]),
    "were given": (AttributeError, lambda: L.Normalization(mean=1.0, variance=1.0).adapt(DATA)),
    "no batches": (ValueError, lambda: L.Normalization().adapt([])),
    "of type float": (TypeError, lambda: L.Normalization().adapt([1.0, 2.0])),
    "Unsupported data type": (TypeError, lambda: L.Normalization().adapt(3)),
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong(words):
    kind, make = WRONG[words]
    with pytest.raises(kind, match=words):
        make()
