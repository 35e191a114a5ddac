"""Bidirectional and TimeDistributed against the layers they go around."""

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

L = tf.keras.layers
RNG = np.random.default_rng(12)
X = RNG.normal(size=(3, 5, 4)).astype(np.float32)
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool)


def both(mode="concat", kind="LSTM", **options):
    """A Bidirectional layer, and its two layers apart."""
    layer = L.Bidirectional(getattr(L, kind)(2, name="inner", **options), merge_mode=mode, name="both")
    layer(tf.constant(X))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=tuple(w.shape)) for w in layer.weights])
    half = len(layer.weights) // 2
    apart = []
    for i, backwards in enumerate((False, True)):
        each = getattr(L, kind)(
            2, go_backwards=backwards, zero_output_for_mask=options.get("return_sequences", False), **options
        )
        each.build((3, 5, 4))
        each.set_weights(layer.get_weights()[i * half : (i + 1) * half])
        apart.append(each)
    return layer, *apart


MERGED = {
    "concat": lambda a, b: np.concatenate([a, b], -1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
}


@pytest.mark.parametrize("mode", MERGED)
@pytest.mark.parametrize("masked", [False, True])
def test_merged(mode, masked):
    mask = tf.constant(MASK) if masked else None
    layer, forward, backward = both(mode, return_sequences=True)
    with waits(0):
        found = layer(tf.constant(X), mask=mask)
    a, b = forward(tf.constant(X), mask=mask).numpy(), backward(tf.constant(X), mask=mask).numpy()[:, ::-1]
    np.testing.assert_allclose(found, MERGED[mode](a, b), atol=1e-6)
    layer, forward, backward = both(mode)
    wanted = MERGED[mode](forward(tf.constant(X), mask=mask).numpy(), backward(tf.constant(X), mask=mask).numpy())
    np.testing.assert_allclose(layer(tf.constant(X), mask=mask), wanted, atol=1e-6)


def test_not_merged_with_states():
    layer, forward, backward = both(None, return_state=True, return_sequences=True)
    states = [tf.constant(RNG.normal(size=(3, 2)), tf.float32) for _ in range(4)]
    found = layer(tf.constant(X), initial_state=states)
    a, b = forward(tf.constant(X), initial_state=states[:2]), backward(tf.constant(X), initial_state=states[2:])
    assert isinstance(found, tuple) and len(found) == 6
    for mine, wanted in zip(found, [a[0], b[0][:, ::-1], *a[1:], *b[1:]], strict=True):
        np.testing.assert_allclose(mine, wanted, atol=1e-6)
    shapes = [(None, 5, 2)] * 2 + [(None, 2)] * 4
    assert list(layer.compute_output_shape((None, 5, 4))) == shapes
    outputs = layer(tf.keras.Input((5, 4)))
    assert [tuple(s.shape) for s in outputs] == shapes


def test_weights_and_configuration():
    layer, *_ = both(kind="GRU")
    assert [(w.path, tuple(w.shape)) for w in layer.weights] == [
        ("both/forward_inner/gru_cell/kernel", (4, 6)),
        ("both/forward_inner/gru_cell/recurrent_kernel", (2, 6)),
        ("both/forward_inner/gru_cell/bias", (2, 6)),
        ("both/backward_inner/gru_cell/kernel", (4, 6)),
        ("both/backward_inner/gru_cell/recurrent_kernel", (2, 6)),
        ("both/backward_inner/gru_cell/bias", (2, 6)),
    ]
    config = layer.get_config()
    copy = L.Bidirectional.from_config(config)
    assert copy.get_config() == config
    copy(tf.constant(X))
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(tf.constant(X)), layer(tf.constant(X)))
    inner = L.GRU(2)
    inner(tf.constant(X))
    assert L.Bidirectional(inner).forward_layer is not inner  # fresh weights


def test_layers_of_two_kinds():
    forward, backward = L.LSTM(2, return_sequences=True), L.GRU(3, return_sequences=True, go_backwards=True)
    assert L.Bidirectional(forward, backward_layer=backward)(tf.constant(X)).shape == (3, 5, 5)


def test_stateful_both_ways():
    layer, *_ = both(stateful=True, return_sequences=True)
    layer.reset_state()
    first, second = layer(tf.constant(X)).numpy(), layer(tf.constant(X)).numpy()
    assert np.abs(first - second).max() > 1e-3 and len(layer.states) == 4
    layer.reset_states()
    np.testing.assert_array_equal(layer(tf.constant(X)), first)


class Tally(L.Layer):
    """A cell of the user's that no configuration knows."""

    state_size = 4

    def call(self, inputs, states):
        return states[0] + inputs, [states[0] + inputs]


def test_users_cell_both_ways():
    layer = L.Bidirectional(L.RNN(Tally(), return_sequences=True), merge_mode=None)
    forward, backward = layer(tf.constant(X))
    np.testing.assert_allclose(forward, np.cumsum(X, 1), atol=1e-5)
    np.testing.assert_allclose(backward, np.cumsum(X[:, ::-1], 1)[:, ::-1], atol=1e-5)


def test_masks_go_on():
    ids = tf.constant([[1, 2, 0, 0], [3, 0, 0, 0]])
    vectors = L.Embedding(4, 3, mask_zero=True)(ids)
    first, last = L.Bidirectional(L.LSTM(2, return_sequences=True)), L.Bidirectional(L.GRU(2))
    explicit = first(tf.identity(vectors), mask=tf.not_equal(ids, 0))
    np.testing.assert_array_equal(last(first(vectors)), last(explicit, mask=tf.not_equal(ids, 0)))


def test_training_steps_do_not_wait():
    model = tf.keras.Sequential(
        [L.Bidirectional(L.GRU(3, return_sequences=True)), L.TimeDistributed(L.Dense(4, activation="relu")), L.GRU(1)]
    )
    model(tf.constant(X))
    optimizer, x, losses = tf.keras.optimizers.Adam(0.05), remote(X), []
    with waits(0):
        for _ in range(10):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(x, training=True) - x[:, 0, :1]))
            optimizer.apply_gradients(
                zip(tape.gradient(loss, model.trainable_weights), model.trainable_weights, strict=True)
            )
            losses.append(loss)
    assert losses[-1] < losses[0]


def test_each_step():
    layer = L.TimeDistributed(L.Dense(3, activation="relu", name="inner"), name="steps")
    with waits(0):
        found = layer(tf.constant(X))
    kernel, bias = layer.get_weights()
    np.testing.assert_allclose(found, np.maximum(X @ kernel + bias, 0), atol=1e-6)
    assert [w.path for w in layer.weights] == ["steps/inner/kernel", "steps/inner/bias"]
    assert layer.compute_output_shape((None, 5, 4)) == (None, 5, 3)
    copy = L.TimeDistributed.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert layer(tf.zeros([0, 5, 4])).shape == (0, 5, 3)


def test_each_step_of_unknown_length():
    x = tf.keras.Input((None, 4))
    model = tf.keras.Model(x, L.TimeDistributed(L.Dense(3))(x))
    assert tuple(model.output.shape) == (None, None, 3)
    for given in (X, X[:1, :2]):
        assert model(tf.constant(given)).shape == (*given.shape[:2], 3)
    layer = model.layers[-1]
    rows = tf.boolean_mask(tf.constant(X), tf.constant([True, False, True]))  # of a number that only the server knows
    with waits(0):
        found = layer(rows)
    np.testing.assert_allclose(found, model(tf.constant(X[[0, 2]])), atol=1e-6)


def test_each_step_has_its_own_moments():
    layer = L.TimeDistributed(L.BatchNormalization(momentum=0.0, epsilon=0.0))
    found = layer(tf.constant(X), training=True)
    np.testing.assert_allclose(found, (X - X.mean(0)) / X.std(0), atol=1e-4)
    np.testing.assert_allclose(layer.layer.moving_mean, X[:, -1].mean(0), atol=1e-6)
    np.testing.assert_allclose(
        layer(tf.constant(X)), (X - X[:, -1].mean(0)) / X[:, -1].std(0), atol=1e-4
    )  # fmt: skip


def test_users_layer_sees_one_step():
    class Centered(L.Layer):
        def call(self, inputs):
            return inputs - tf.reduce_mean(inputs, axis=0)

    np.testing.assert_allclose(L.TimeDistributed(Centered())(tf.constant(X)), X - X.mean(0), atol=1e-6)


def test_masks_of_each_step():
    x = RNG.normal(size=(3, 2, 5, 4)).astype(np.float32)
    mask = np.stack([MASK, MASK[::-1]], 1)
    inner = L.GRU(2)
    layer = L.TimeDistributed(inner)
    with waits(0):
        found = layer(tf.constant(x), mask=tf.constant(mask))
    for t in range(2):
        np.testing.assert_allclose(found[:, t], inner(tf.constant(x[:, t]), mask=tf.constant(mask[:, t])), atol=1e-6)


ERRORS = [
    (lambda: L.Bidirectional(3), ValueError, "Please initialize `Bidirectional` layer with a `keras.layers.Layer`"),
    (lambda: L.Bidirectional(L.GRU(2), backward_layer=3), ValueError, "`backward_layer` need to be a `keras.layers"),
    (lambda: L.Bidirectional(L.GRU(2), merge_mode="x"), ValueError, "Invalid merge mode. Received: x. Merge mode"),
    (lambda: L.Bidirectional(L.GRU(2), backward_layer=L.GRU(2)), ValueError,
     "should have different `go_backwards` value. Received: forward_layer.go_backwards False"),
    (lambda: L.Bidirectional(L.GRU(2), backward_layer=L.GRU(2, go_backwards=True, stateful=True)), ValueError,
     'the same value for attribute "stateful", got "False" for forward layer and "True" for backward layer'),
    (lambda: L.Bidirectional(L.GRU(2)).reset_state(), AttributeError, "Layer must be stateful."),
    (lambda: L.TimeDistributed(3), ValueError, "Please initialize `TimeDistributed` layer with a `keras.layers.Layer`"),
    (lambda: L.TimeDistributed(L.Dense(2))(tf.zeros([2, 3])), ValueError,
     "should be passed an `input_shape` with at least 3 dimensions, received: (2, 3)"),
    (lambda: L.TimeDistributed(L.Dense(2))(tf.zeros([2, 3, 4]), mask=tf.ones([2], tf.bool)), ValueError,
     "must be at least 2D (e.g., `(batch_size, timesteps)`), but it has 1 dimension(s) with shape (2,)."),
    (lambda: L.TimeDistributed(L.Dense(2))(tf.zeros([2, 3, 4]), mask=tf.ones([2, 4], tf.bool)), ValueError,
     "must match the input's first two dimensions. Expected mask shape prefix: (2, 3)."),
]  # fmt: skip


@pytest.mark.parametrize(("make", "kind", "text"), ERRORS, ids=[e[2][:40] for e in ERRORS])
def test_errors(make, kind, text):
    with pytest.raises(kind) as caught:
        make()
    assert text in str(caught.value)
