"""Recurrent layers against their formulas in double precision, and what cells, states, masks and dropout promise."""

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

L = tf.keras.layers
RNG = np.random.default_rng(11)
X = RNG.normal(size=(3, 5, 4))
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool)
KINDS = ("SimpleRNN", "LSTM", "GRU")
every = pytest.mark.parametrize("kind", KINDS)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step_of(kind, weights, reset_after=True):
    """One step in NumPy: x, [states] -> [states], the first of which is the output."""
    kernel, recurrent, bias = [np.float64(w) for w in weights]

    def simple(x, states):
        return [np.tanh(x @ kernel + states[0] @ recurrent + bias)]

    def lstm(x, states):
        h, c = states
        i, f, new, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
        return [sigmoid(o) * np.tanh(c), c]

    def gru(x, states):
        h, u = states[0], recurrent.shape[0]
        x = x @ kernel + (bias[0] if reset_after else bias)
        if reset_after:
            inner = h @ recurrent + bias[1]
            z, r = sigmoid(x[:, :u] + inner[:, :u]), sigmoid(x[:, u : 2 * u] + inner[:, u : 2 * u])
            new = np.tanh(x[:, 2 * u :] + r * inner[:, 2 * u :])
        else:
            z = sigmoid(x[:, :u] + h @ recurrent[:, :u])
            r = sigmoid(x[:, u : 2 * u] + h @ recurrent[:, u : 2 * u])
            new = np.tanh(x[:, 2 * u :] + (r * h) @ recurrent[:, 2 * u :])
        return [z * h + (1 - z) * new]

    return {"SimpleRNN": simple, "LSTM": lstm, "GRU": gru}[kind]


def reference(step, x, states, mask=None, backwards=False):
    """The outputs of all steps and the last states; a masked step repeats the output before and keeps the states."""
    outputs, output = [], np.zeros_like(states[0])
    for t in range(x.shape[1])[:: -1 if backwards else 1]:
        new = step(x[:, t], states)
        seen = np.ones((len(x), 1), bool) if mask is None else mask[:, t, None]
        output = np.where(seen, new[0], output)
        states = [np.where(seen, n, o) for n, o in zip(new, states, strict=True)]
        outputs.append(output)
    return np.stack(outputs, 1), states


def weights_of(layer, seed=3):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=tuple(w.shape)) * 0.5 for w in layer.weights]


def built(kind, units=2, features=4, **options):
    layer = getattr(L, kind)(units, **options)
    layer.build((None, None, features))
    weights = weights_of(layer)
    layer.set_weights(weights)
    return layer, weights


def count_of(kind):
    return 2 if kind == "LSTM" else 1


@every
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_formula(kind, backwards, masked, given):
    layer, weights = built(kind, return_sequences=True, return_state=True, go_backwards=backwards)
    first = [RNG.normal(size=(3, 2)) for _ in range(count_of(kind))]
    states = first if given else [np.zeros((3, 2))] * count_of(kind)
    mask = MASK if masked else None
    wanted, last = reference(step_of(kind, weights), X, states, mask, backwards)
    with waits(0):
        found = layer(tf.constant(X), initial_state=first if given else None, mask=mask)
    assert isinstance(found, tuple)
    np.testing.assert_allclose(found[0], wanted, atol=1e-5)
    for state, expected in zip(found[1:], last, strict=True):
        np.testing.assert_allclose(state, expected, atol=1e-5)
    layer.return_sequences = layer.return_state = False
    again = layer(tf.constant(X), initial_state=first if given else None, mask=mask)
    np.testing.assert_allclose(again, wanted[:, -1], atol=1e-5)


def test_gru_that_resets_before_the_product():
    layer, weights = built("GRU", return_sequences=True, reset_after=False)
    wanted, _ = reference(step_of("GRU", weights, reset_after=False), X, [np.zeros((3, 2))])
    np.testing.assert_allclose(layer(tf.constant(X)), wanted, atol=1e-5)
    assert layer.cell.bias.shape == (6,)


def test_zeros_where_masked():
    layer, weights = built("GRU", return_sequences=True, zero_output_for_mask=True)
    wanted, _ = reference(step_of("GRU", weights), X, [np.zeros((3, 2))], MASK)
    np.testing.assert_allclose(layer(tf.constant(X), mask=MASK), wanted * MASK[..., None], atol=1e-5)


@every
def test_cell_is_one_step(kind):
    layer, weights = built(kind)
    states = [RNG.normal(size=(3, 2)) for _ in range(count_of(kind))]
    wanted = step_of(kind, weights)(X[:, 0], states)
    output, new = layer.cell(tf.constant(X[:, 0], tf.float32), [tf.constant(s, tf.float32) for s in states])
    np.testing.assert_allclose(output, wanted[0], atol=1e-5)
    for state, expected in zip(new, wanted, strict=True):
        np.testing.assert_allclose(state, expected, atol=1e-5)


@every
def test_stateful(kind):
    layer, weights = built(kind, return_sequences=True, name=f"kept_{kind}")
    kept = getattr(L, kind)(2, return_sequences=True, stateful=True, name=f"stateful_{kind}")
    assert kept.states is None
    kept.reset_state()  # nothing to reset yet
    kept.build((3, 5, 4))
    kept.set_weights(weights)
    whole = layer(tf.constant(X))
    with waits(0):
        parts = [kept(tf.constant(X[:, :2])), kept(tf.constant(X[:, 2:]))]
    np.testing.assert_allclose(tf.concat(parts, 1), whole, atol=1e-6)
    assert len(kept.states) == count_of(kind) and kept.states[0].path == f"stateful_{kind}/rnn_state"
    assert not any("state" in w.name for w in kept.weights)
    kept.reset_state()
    np.testing.assert_allclose(kept(tf.constant(X[:, :2])), parts[0], atol=1e-6)
    kept.reset_states([np.ones((3, 2))] * count_of(kind))
    np.testing.assert_array_equal(kept.states[-1], np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"(?s)the batch size of the input sequences must be the same.*Expected batch "
                                         r"size: 3.*Received batch size: 2"):  # fmt: skip
        kept(tf.constant(X[:2]))


@every
def test_weights(kind):
    gates = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[kind]
    layer = getattr(L, kind)(2, name="layer")
    layer(tf.zeros([1, 2, 4]))
    cell = {"SimpleRNN": "simple_rnn_cell", "LSTM": "lstm_cell", "GRU": "gru_cell"}[kind]
    assert [(w.path, tuple(w.shape)) for w in layer.weights] == [
        (f"layer/{cell}/kernel", (4, 2 * gates)),
        (f"layer/{cell}/recurrent_kernel", (2, 2 * gates)),
        (f"layer/{cell}/bias", (2, 6) if kind == "GRU" else (2 * gates,)),
    ]
    bias = layer.get_weights()[2]
    assert bias.sum() == (2 if kind == "LSTM" else 0)
    bare, _ = built(kind, use_bias=False)
    assert [w.name for w in bare.weights] == ["kernel", "recurrent_kernel"] and bare.cell.bias is None
    recurrent = layer.get_weights()[1]
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(2), atol=1e-5)  # orthogonal rows


def test_unit_forget_bias():
    bias = L.LSTMCell(2, bias_initializer="ones")
    bias.build((None, 3))
    assert bias.get_weights()[2].tolist() == [1.0] * 8
    without = L.LSTMCell(2, unit_forget_bias=False)
    without.build((None, 3))
    assert without.get_weights()[2].tolist() == [0.0] * 8
    with_it = L.LSTMCell(2)
    with_it.build((None, 3))
    assert with_it.get_weights()[2].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


@every
def test_configuration(kind):
    layer, weights = built(
        kind, return_sequences=True, go_backwards=True, dropout=0.25, kernel_regularizer="l2", activation="relu",
        recurrent_initializer="zeros", bias_constraint="non_neg", name="layer",
    )  # fmt: skip
    config = layer.get_config()
    copy = type(layer).from_config(config)
    assert copy.get_config() == config
    assert (copy.units, copy.dropout, copy.go_backwards, copy.name) == (2, 0.25, True, "layer")
    copy.build((None, None, 4))
    copy.set_weights(weights)
    np.testing.assert_array_equal(copy(tf.constant(X)), layer(tf.constant(X)))
    assert len(layer.losses) == 1 and layer.trainable_weights[2].constraint is not None
    rnn = L.RNN([getattr(L, f"{kind}Cell")(2, name="a"), L.LSTMCell(3, name="b")], return_state=True, name="rnn")
    assert L.RNN.from_config(rnn.get_config()).get_config() == rnn.get_config()


def test_stack_is_layer_after_layer():
    cells = [L.LSTMCell(2, name="a"), L.GRUCell(3, name="b")]
    stack = L.RNN(cells, return_sequences=True, return_state=True, name="stack")
    with waits(0):
        outputs, (h, c), (g,) = stack(tf.constant(X))
    first, second = L.LSTM(2, return_sequences=True), L.GRU(3, return_sequences=True)
    first(tf.constant(X)), second(first(tf.constant(X)))
    first.set_weights(stack.get_weights()[:3])
    second.set_weights(stack.get_weights()[3:])
    wanted = second(first(tf.constant(X)))
    np.testing.assert_allclose(outputs, wanted, atol=1e-6)
    np.testing.assert_allclose(g, wanted[:, -1], atol=1e-6)
    assert h.shape == c.shape == (3, 2)
    assert stack.state_size == [[2, 2], 3] and stack.cell.output_size == 3
    assert [w.path.split("/")[-2:] for w in stack.weights[:4]] == [
        ["a", "kernel"], ["a", "recurrent_kernel"], ["a", "bias"], ["b", "kernel"],
    ]  # fmt: skip


class Decay(L.Layer):
    """A user's cell, whose state has two axes of features."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.state_size = (2, 3)

    def get_initial_state(self, batch_size=None):
        return tf.zeros([batch_size, 2, 3])

    def call(self, inputs, states):
        state = states[0] / 2 + inputs
        return state, [state]


def test_users_cell():
    x = RNG.normal(size=(3, 5, 2, 3)).astype(np.float32)
    layer = L.RNN(Decay(), return_sequences=True, return_state=True)
    outputs, state = layer(tf.constant(x), mask=tf.constant(MASK))
    wanted, last = reference(lambda x, s: [s[0] / 2 + x], *_flat(x), MASK)
    np.testing.assert_allclose(outputs, wanted.reshape(3, 5, 2, 3), atol=1e-6)
    np.testing.assert_allclose(state, last[0].reshape(3, 2, 3), atol=1e-6)


def _flat(x):
    return x.reshape(3, 5, 6), [np.zeros((3, 6))]


def test_plain_object_as_cell():
    class Sum:
        state_size = 4

        def call(self, inputs, states):
            return inputs + states[0], [inputs + states[0]]

    np.testing.assert_allclose(L.RNN(Sum())(tf.constant(X)), X.sum(1), atol=1e-5)


@every
def test_training_steps_do_not_wait(kind):
    model = tf.keras.Sequential([getattr(L, kind)(4, dropout=0.2, recurrent_dropout=0.2), L.Dense(1)])
    model(tf.zeros([3, 5, 4]))
    optimizer = tf.keras.optimizers.Adam(0.05)
    x, y, losses = remote(X, tf.float32), remote(X[:, :1, 0], tf.float32), []
    with waits(0):
        for _ in range(20):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
            optimizer.apply_gradients(
                zip(tape.gradient(loss, model.trainable_weights), model.trainable_weights, strict=True)
            )
            losses.append(loss)
    assert losses[-1] < losses[0]


@every
def test_symbolic(kind):
    x = tf.keras.Input((None, 4))
    layer = getattr(L, kind)(2, return_sequences=True, return_state=True)
    outputs, *states = layer(x)
    assert tuple(outputs.shape) == (None, None, 2) and [tuple(s.shape) for s in states] == [(None, 2)] * count_of(kind)
    model = tf.keras.Model(x, [outputs, *states])
    for given in (X, X[:2, :3], X[:0]):
        found = model(tf.constant(given))
        assert found[0].shape == (len(given), given.shape[1], 2)
        for mine, wanted in zip(found, layer(tf.constant(given)), strict=True):
            np.testing.assert_array_equal(mine, wanted)
    assert layer.compute_output_shape((None, 7, 4)) == ((None, 7, 2), *[(None, 2)] * count_of(kind))


@every
def test_no_batch(kind):
    layer, weights = built(kind, return_sequences=True)
    with tf.GradientTape() as tape:
        found = layer(tf.zeros([0, 5, 4]), training=True)
        total = tf.reduce_sum(found)
    assert found.shape == (0, 5, 2)
    for gradient, weight in zip(tape.gradient(total, layer.trainable_weights), weights, strict=True):
        np.testing.assert_array_equal(gradient, np.zeros_like(weight))


def test_mask_from_embedding():
    ids = tf.constant([[1, 2, 0, 0], [3, 0, 0, 0]])
    embedding = L.Embedding(4, 3, mask_zero=True)
    vectors = embedding(ids)
    layer = L.LSTM(2, return_sequences=True)
    explicit = layer(tf.identity(vectors), mask=tf.not_equal(ids, 0))
    np.testing.assert_array_equal(layer(vectors), explicit)
    last = L.GRU(2)
    np.testing.assert_array_equal(last(layer(vectors)), last(explicit, mask=tf.not_equal(ids, 0)))
    model = tf.keras.Sequential([embedding, layer, last])
    np.testing.assert_array_equal(model(ids), last(explicit, mask=tf.not_equal(ids, 0)))


ERRORS = [
    (lambda: L.LSTM(0), ValueError, "Received an invalid value for argument `units`, expected a positive integer"),
    (lambda: L.RNN(3), ValueError, "Argument `cell` should have a `call` method. Received: cell=3"),
    (lambda: L.RNN(L.Dense(2)), ValueError, "The RNN cell should have a `state_size` attribute"),
    (lambda: L.StackedRNNCells([3]), ValueError, "All cells must have a `call` method. Received cell without a `call`"),
    (lambda: L.GRU(2)(tf.zeros([2, 3])), ValueError, "expected ndim=3, found ndim=2. Full shape received: (2, 3)"),
    (lambda: L.GRU(2)(tf.zeros([2, 0, 3])), tf.errors.InvalidArgumentError, "slice index 0 of dimension 1"),
    (lambda: L.GRU(2)(tf.keras.Input((None, None))), ValueError, "Shapes used to initialize variables must be fully-"),
    (lambda: L.LSTM(2, use_cudnn=3), ValueError, "Expected one of {'auto', True, False}. Received: use_cudnn=3"),
    (lambda: L.LSTM(2, foo=3), ValueError, "Unrecognized keyword arguments passed to LSTM: {'foo': 3}"),
    (lambda: L.LSTM(2, stateful=True)(tf.keras.Input((5, 4))), ValueError, "the batch size must be static"),
    (lambda: L.LSTM(2)(tf.zeros([2, 3, 4]), initial_state=[tf.zeros([2, 2])]), ValueError, "has 2 states"),
    (lambda: L.LSTM(2)(tf.zeros([2, 3, 4]), mask=tf.ones([2, 4], tf.bool)), ValueError,
     "Cannot unstack 4 tensors into a TensorArray of static size 3"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "kind", "text"), ERRORS, ids=[e[2][:40] for e in ERRORS])
def test_errors(make, kind, text):
    with pytest.raises(kind) as caught:
        make()
    assert text in str(caught.value)


def test_integers_are_cast():
    layer, _ = built("LSTM")
    np.testing.assert_array_equal(layer(tf.ones([1, 2, 4], tf.int32)), layer(tf.ones([1, 2, 4])))


def test_double_precision():
    layer = L.GRU(2, dtype="float64")
    assert layer(tf.constant(X)).dtype == tf.float64
    layer.set_weights(weights_of(layer))
    wanted, _ = reference(step_of("GRU", weights_of(layer)), X, [np.zeros((3, 2))])
    np.testing.assert_allclose(layer(tf.constant(X)), wanted[:, -1], rtol=1e-12)


# --- dropout ----------------------------------------------------------------------------------------------------------


def identity_layer(kind, size=40, gates=1, **options):
    """A linear layer of unit kernels without a bias, whose output shows its dropout masks."""
    given = {"recurrent_activation": None} if gates > 1 else {}
    layer = getattr(L, kind)(size, activation=None, use_bias=False, **given, **options)
    layer.build((None, None, size))
    return layer, np.tile(np.eye(size), gates), np.zeros((size, gates * size))


def shares(values):
    found, counts = np.unique(np.round(np.float64(values), 3), return_counts=True)
    return dict(zip(found.tolist(), (counts / counts.sum()).tolist(), strict=True))


def test_dropout_of_inputs():
    layer, eye, zeros = identity_layer("SimpleRNN", dropout=0.25, return_sequences=True)
    layer.set_weights([eye, zeros])
    x = tf.ones([50, 3, 40])
    with waits(0):
        first, second = layer(x, training=True), layer(x, training=True)
    assert shares(first) == pytest.approx({0: 0.25, 1.333: 0.75}, abs=0.05)
    np.testing.assert_array_equal(first[:, 0], first[:, 2])  # one mask for all steps
    assert np.any(np.not_equal(first, second))
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer(x, training=False), x)


def test_dropout_of_states():
    layer, eye, zeros = identity_layer("SimpleRNN", recurrent_dropout=0.5)
    layer.set_weights([zeros, eye])
    found = layer(tf.zeros([50, 1, 40]), initial_state=tf.ones([50, 40]), training=True)
    assert shares(found) == pytest.approx({0: 0.5, 2: 0.5}, abs=0.05)


def test_gates_share_the_dropout_of_inputs_alone():
    x = tf.ones([50, 1, 40])
    layer, eye, zeros = identity_layer("LSTM", gates=4, dropout=0.5)
    layer.set_weights([eye, zeros])
    assert shares(layer(x, training=True)) == pytest.approx({0: 0.5, 8: 0.5}, abs=0.05)
    apart, _, _ = identity_layer("LSTM", gates=4, dropout=0.5, recurrent_dropout=1e-9)
    apart.set_weights([eye, zeros])
    assert shares(apart(x, training=True)) == pytest.approx({0: 7 / 8, 8: 1 / 8}, abs=0.05)
    np.testing.assert_array_equal(apart(x), layer(x))


def test_gates_have_states_of_their_own():
    x, ones = tf.zeros([50, 1, 40]), tf.ones([50, 40])
    layer, eye, zeros = identity_layer("LSTM", gates=4, recurrent_dropout=0.5)
    layer.set_weights([zeros, eye])
    found = layer(x, initial_state=[ones, tf.zeros([50, 40])], training=True)
    assert shares(found) == pytest.approx({0: 7 / 8, 8: 1 / 8}, abs=0.05)
    for after in (True, False):  # z + (1 - z) r c with z, r, c each 0 or 2
        layer, eye, zeros = identity_layer("GRU", gates=3, recurrent_dropout=0.5, reset_after=after)
        layer.set_weights([zeros, eye])
        found = layer(x, initial_state=ones, training=True)
        assert shares(found) == pytest.approx({-2: 1 / 8, 0: 3 / 8, 2: 3 / 8, 4: 1 / 8}, abs=0.05)


@every
def test_dropout_follows_the_seed(kind):
    def calls(count, **options):
        layer, _ = built(kind, dropout=0.5, recurrent_dropout=0.5, **options)
        return [layer(tf.constant(X), training=True).numpy() for _ in range(count)]

    first, second = calls(2, seed=5), calls(2, seed=5)  # each layer has a stream of its own
    np.testing.assert_array_equal(first, second)
    assert np.any(first[0] != first[1]) and np.any(first[0] != calls(1, seed=6)[0])
    found = []
    for _ in range(2):
        tf.random.set_seed(3)
        found.append(calls(2))
    tf.random.set_seed(None)
    np.testing.assert_array_equal(*found)


def test_cell_keeps_its_mask_until_reset():
    cell = L.GRUCell(3, dropout=0.5)
    x, state = tf.ones([20, 30]), [tf.zeros([20, 3])]
    first, second = cell(x, state, training=True)[0], cell(x, state, training=True)[0]
    np.testing.assert_array_equal(first, second)
    cell.reset_dropout_mask()
    assert np.any(np.not_equal(cell(x, state, training=True)[0], first))
