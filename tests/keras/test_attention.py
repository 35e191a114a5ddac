"""Attention layers against their formulas in double precision; masks, heads, scores, dropout."""

import itertools

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

L = tf.keras.layers
RNG = np.random.default_rng(14)
Q, V, K = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 5, 4)), RNG.normal(size=(2, 5, 4))
Q_MASK = np.array([[1, 1, 0], [0, 1, 1]], bool)
V_MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1]], bool)
CAUSAL = np.tri(3, 5) > 0


def softmax(scores, mask=None):
    mask = np.ones(scores.shape, bool) if mask is None else np.broadcast_to(mask, scores.shape)
    powers = np.where(mask, np.exp(scores - scores.max(-1, keepdims=True)), 0)
    return powers / powers.sum(-1, keepdims=True)


def tensors(*arrays):
    return [tf.constant(a, tf.float32) for a in arrays]


SCORES = {
    "dot": (lambda: L.Attention(), lambda q, k, w: q @ k.swapaxes(-1, -2)),
    "scaled": (lambda: L.Attention(use_scale=True), lambda q, k, w: w[0] * (q @ k.swapaxes(-1, -2))),
    "concat": (
        lambda: L.Attention(score_mode="concat"),
        lambda q, k, w: w[0] * np.tanh(q[:, :, None] + k[:, None]).sum(-1),
    ),
    "concat, scaled": (
        lambda: L.Attention(score_mode="concat", use_scale=True),
        lambda q, k, w: w[1] * np.tanh(w[0] * (q[:, :, None] + k[:, None])).sum(-1),
    ),
    "additive": (
        lambda: L.AdditiveAttention(),
        lambda q, k, w: (w[0] * np.tanh(q[:, :, None] + k[:, None])).sum(-1),
    ),
    "additive, unscaled": (
        lambda: L.AdditiveAttention(use_scale=False),
        lambda q, k, w: np.tanh(q[:, :, None] + k[:, None]).sum(-1),
    ),
}  # fmt: skip
every = pytest.mark.parametrize("name", SCORES)


def built(name):
    layer = SCORES[name][0]()
    layer.build([Q.shape, V.shape])
    weights = [RNG.uniform(0.5, 2.0, tuple(w.shape)) for w in layer.weights]
    layer.set_weights(weights)
    return layer, weights


@every
@pytest.mark.parametrize(("masked", "causal", "keyed"), list(itertools.product([False, True], repeat=3)))
def test_one_head(name, masked, causal, keyed):
    layer, weights = built(name)
    key = K if keyed else V
    of_values = V_MASK | (np.arange(5) == 0)  # every query sees the first
    seen = np.ones((2, 3, 5), bool) & (of_values[:, None] if masked else True) & (CAUSAL if causal else True)
    wanted = softmax(SCORES[name][1](Q, key, weights), seen)
    mask = [tf.constant(Q_MASK), tf.constant(of_values)] if masked else None
    with waits(0):
        found, scores = layer(
            tensors(Q, V, K) if keyed else tensors(Q, V),
            mask=mask,
            use_causal_mask=causal,
            return_attention_scores=True,
        )
    np.testing.assert_allclose(scores, wanted, atol=1e-5)
    output = wanted @ V
    np.testing.assert_allclose(found, output * Q_MASK[..., None] if masked else output, atol=1e-5)


@every
def test_one_head_configuration(name):
    layer, weights = built(name)
    copy = type(layer).from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    copy(tensors(Q, V))
    copy.set_weights(weights)
    np.testing.assert_array_equal(copy(tensors(Q, V)), layer(tensors(Q, V)))


def test_one_head_weights():
    for layer, expected in (
        (L.Attention(), []),
        (L.Attention(use_scale=True, score_mode="concat", name="a"), [("a/scale", ()), ("a/concat_score_weight", ())]),
        (L.AdditiveAttention(name="b"), [("b/scale", (4,))]),
    ):
        layer(tensors(Q, V))
        assert [(w.path, tuple(w.shape)) for w in layer.weights] == expected


# --- several heads ---------------------------------------------------------------------------------------------------


def heads(query, value, key, weights, seen=None, gated=False, bias=True):
    """The output and the scores, from the weights in their order."""
    parts = iter(np.float64(w) for w in weights)

    def projected(x, equation):
        found = np.einsum(equation, x, next(parts))
        return found + next(parts) if bias else found

    q, k = projected(query, "bti,ihd->bthd"), projected(key, "bti,ihd->bthd")
    gate = sigmoid(projected(query, "bti,ihd->bthd")) if gated else 1.0
    v = projected(value, "bti,ihd->bthd")
    scores = np.einsum("bthd,bshd->bhts", q, k) / np.sqrt(q.shape[-1])
    chances = softmax(scores, None if seen is None else seen[:, None])
    return projected(np.einsum("bhts,bshd->bthd", chances, v) * gate, "bthd,hdo->bto"), chances


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def multi(*inputs, **options):
    layer = L.MultiHeadAttention(2, 3, **options)
    layer(*tensors(*(inputs or (Q, V))))
    weights = [RNG.normal(size=tuple(w.shape)) for w in layer.weights]
    layer.set_weights(weights)
    return layer, weights


MASKS = {
    "nothing": ({}, None),
    "values": ({"value_mask": V_MASK}, np.broadcast_to(V_MASK[:, None], (2, 3, 5))),
    "keys": ({"key_mask": V_MASK}, np.broadcast_to(V_MASK[:, None], (2, 3, 5))),
    "causal": ({"use_causal_mask": True}, np.broadcast_to(CAUSAL, (2, 3, 5))),
    "pairs": ({"attention_mask": np.broadcast_to(CAUSAL, (2, 3, 5))}, np.broadcast_to(CAUSAL, (2, 3, 5))),
    "pairs for all": ({"attention_mask": CAUSAL[None]}, np.broadcast_to(CAUSAL, (2, 3, 5))),
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("options", [{}, {"value_dim": 2}, {"use_bias": False}, {"use_gate": True}], ids=str)
def test_heads(name, options):
    layer, weights = multi(Q, V, K, **options)
    given, seen = MASKS[name]
    wanted, chances = heads(
        Q, V, K, weights, seen, gated=options.get("use_gate", False), bias=options.get("use_bias", True)
    )
    with waits(0):
        found = layer(*tensors(Q, V, K), **given)
        again, scores = layer(*tensors(Q, V, K), **given, return_attention_scores=True)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    np.testing.assert_allclose(again, wanted, atol=1e-4)
    np.testing.assert_allclose(scores, chances, atol=1e-5)


def test_window():
    layer, weights = multi(sliding_window=2)
    near = np.abs(np.arange(3)[:, None] - np.arange(5)) < 2
    wanted, _ = heads(Q, V, V, weights, np.broadcast_to(near, (2, 3, 5)))
    np.testing.assert_allclose(layer(*tensors(Q, V)), wanted, atol=1e-4)
    wanted, _ = heads(Q, V, V, weights, np.broadcast_to(near & CAUSAL, (2, 3, 5)))
    np.testing.assert_allclose(layer(*tensors(Q, V), use_causal_mask=True), wanted, atol=1e-4)


def test_rows_without_a_value():
    layer, weights = multi()
    nothing = np.zeros((2, 3, 5), bool)
    _, scores = layer(*tensors(Q, V), attention_mask=nothing, return_attention_scores=True)
    np.testing.assert_array_equal(scores, np.zeros((2, 2, 3, 5)))
    values = np.einsum("bsi,ihd->bshd", V, weights[4]) + weights[5]  # without scores all count alike
    mean = np.einsum("bhd,hdo->bo", values.mean(1), weights[6]) + weights[7]
    np.testing.assert_allclose(
        layer(*tensors(Q, V), attention_mask=nothing), np.repeat(mean[:, None], 3, 1), atol=1e-4
    )  # fmt: skip


def test_more_axes():
    images = RNG.normal(size=(2, 3, 4, 5))
    flat = images.reshape(2, 12, 5)
    layer, weights = multi(images, images)
    sequence = L.MultiHeadAttention(2, 3)
    sequence(*tensors(flat, flat))
    sequence.set_weights(weights)
    found, scores = layer(*tensors(images, images), return_attention_scores=True)
    wanted, chances = sequence(*tensors(flat, flat), return_attention_scores=True)
    np.testing.assert_allclose(found, np.reshape(wanted, (2, 3, 4, 5)), atol=1e-5)
    np.testing.assert_allclose(scores, np.reshape(chances, (2, 2, 3, 4, 3, 4)), atol=1e-5)
    rows = L.MultiHeadAttention(2, 3, attention_axes=2)  # each row of its own
    rows(*tensors(images, images))
    rows.set_weights(weights)
    apart, _ = heads(images.reshape(6, 4, 5), images.reshape(6, 4, 5), images.reshape(6, 4, 5), weights)
    np.testing.assert_allclose(rows(*tensors(images, images)), apart.reshape(images.shape), atol=1e-4)


def test_heads_weights_and_configuration():
    layer = L.MultiHeadAttention(2, 3, value_dim=4, output_shape=6, use_gate=True, name="layer", dropout=0.25, seed=1)
    layer(*tensors(Q, V))
    assert [(w.path, tuple(w.shape)) for w in layer.weights] == [
        ("layer/query/kernel", (4, 2, 3)), ("layer/query/bias", (2, 3)),
        ("layer/key/kernel", (4, 2, 3)), ("layer/key/bias", (2, 3)),
        ("layer/gate/kernel", (4, 2, 4)), ("layer/gate/bias", (2, 4)),
        ("layer/value/kernel", (4, 2, 4)), ("layer/value/bias", (2, 4)),
        ("layer/attention_output/kernel", (2, 4, 6)), ("layer/attention_output/bias", (6,)),
    ]  # fmt: skip
    copy = L.MultiHeadAttention.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    copy(*tensors(Q, V))
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(*tensors(Q, V)), layer(*tensors(Q, V)))
    assert layer.compute_output_shape((None, 3, 4), (None, 5, 4)) == (None, 3, 6)
    assert L.MultiHeadAttention(2, 3, output_shape=(2, 5))(*tensors(Q, V)).shape == (2, 3, 2, 5)


def test_regularizers():
    layer = L.MultiHeadAttention(2, 3, kernel_regularizer="l2", activity_regularizer="l1")
    layer(*tensors(Q, V))
    assert len(layer.losses) == 8  # four kernels, and the outputs of the four projections


# --- all of them -----------------------------------------------------------------------------------------------------


def test_masks_of_tensors():
    ids = tf.constant([[1, 2, 0, 0], [3, 1, 2, 0]])
    x = L.Embedding(4, 5, mask_zero=True)(ids)
    seen = tf.not_equal(ids, 0)
    for layer in (L.Attention(), L.AdditiveAttention()):
        np.testing.assert_array_equal(layer([x, x]), layer([tf.identity(x)] * 2, mask=[seen, seen]))
    layer, last = L.MultiHeadAttention(2, 3), L.GRU(2)
    explicit = layer(tf.identity(x), tf.identity(x), query_mask=seen, value_mask=seen)
    np.testing.assert_array_equal(layer(x, x), explicit)
    np.testing.assert_array_equal(last(layer(x, x)), last(tf.identity(explicit), mask=seen))


def test_symbolic():
    q, v = tf.keras.Input((None, 4)), tf.keras.Input((None, 4))
    layer = L.MultiHeadAttention(2, 3)
    found, scores = layer(q, v, return_attention_scores=True, use_causal_mask=True)
    alone, weights = L.Attention()([q, v], return_attention_scores=True)
    assert tuple(found.shape) == (None, None, 4) == tuple(alone.shape)
    assert len(scores.shape) == 4 and len(weights.shape) == 3
    model = tf.keras.Model([q, v], [found, scores, alone, weights])
    for given in ((Q, V), (Q[:1, :2], V[:1]), (Q[:0], V[:0])):
        results = model(tensors(*given))
        wanted = layer(*tensors(*given), return_attention_scores=True, use_causal_mask=True)
        for mine, expected in zip(results[:2], wanted, strict=True):
            np.testing.assert_array_equal(mine, expected)
        assert results[2].shape == (*given[0].shape[:2], 4)


def test_numbers_that_only_the_server_knows():
    rows = tf.boolean_mask(tf.constant(Q, tf.float32), tf.constant([True, False]))
    layer = L.MultiHeadAttention(2, 3)
    layer(*tensors(Q, Q))
    with waits(0):
        found, alone = layer(rows, rows, use_causal_mask=True), L.Attention()([rows, rows], use_causal_mask=True)
    np.testing.assert_allclose(found, layer(*tensors(Q[:1], Q[:1]), use_causal_mask=True), atol=1e-6)
    assert alone.shape == (1, 3, 4)


def test_no_examples():
    layer = L.MultiHeadAttention(2, 3)
    for call in (lambda: layer(*tensors(Q[:0], V[:0])), lambda: L.Attention()(tensors(Q[:0], V[:0]))):
        with tf.GradientTape() as tape:
            found = call()
            total = tf.reduce_sum(found)
        assert found.shape == (0, 3, 4)
        for gradient in tape.gradient(total, layer.trainable_weights, unconnected_gradients="zero"):
            assert not np.any(gradient)


def test_training_steps_do_not_wait():
    x = tf.keras.Input((None, 4))
    attended = L.MultiHeadAttention(2, 3, dropout=0.1)(x, x, use_causal_mask=True)
    found = L.Dense(1)(L.LayerNormalization()(attended + L.Attention(dropout=0.1)([x, x])))
    model = tf.keras.Model(x, found)
    optimizer, given, losses = tf.keras.optimizers.Adam(0.05), remote(V, tf.float32), []
    with waits(0):
        for _ in range(20):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(given, training=True) - given[..., :1]))
            optimizer.apply_gradients(
                zip(tape.gradient(loss, model.trainable_weights), model.trainable_weights, strict=True)
            )
            losses.append(loss)
    assert losses[-1] < losses[0]


def dropout_layers(**options):
    def scores_of(layer, x, **given):
        multi = isinstance(layer, L.MultiHeadAttention)
        return layer(x, x, **given) if multi else layer([x, x], **given)

    for make in (L.Attention, L.AdditiveAttention, lambda **o: L.MultiHeadAttention(1, 2, **o)):
        yield make(**options), scores_of


def test_dropout():
    x = tf.zeros([30, 40, 2])  # every score is 0, so that every weight is 1 / 40
    for layer, _ in dropout_layers(dropout=0.25):
        if isinstance(layer, L.MultiHeadAttention):
            continue  # gives the scores before dropout
        with waits(0):
            _, weights = layer([x, x], training=True, return_attention_scores=True)
        values, counts = np.unique(np.round(np.float64(weights) * 40, 3), return_counts=True)
        np.testing.assert_array_equal(values, [0, 1.333])
        assert counts[0] / counts.sum() == pytest.approx(0.25, abs=0.02)
        _, weights = layer([x, x], return_attention_scores=True)
        np.testing.assert_allclose(weights, np.full((30, 40, 40), 1 / 40), rtol=1e-6)


def test_dropout_of_heads():
    layer = L.MultiHeadAttention(1, 1, dropout=0.5)
    x = tf.zeros([2000, 4, 1])
    layer(x, x)
    layer.set_weights([np.zeros(w.shape) if i < 5 else np.ones(w.shape) for i, w in enumerate(layer.weights)])
    found = layer(x, x, training=True) - 1.0  # the sum of four weights, each 0 or 1 / 2
    values, counts = np.unique(np.round(np.float64(found), 3), return_counts=True)
    np.testing.assert_array_equal(values, [0, 0.5, 1, 1.5, 2])
    np.testing.assert_allclose(counts / counts.sum(), np.array([1, 4, 6, 4, 1]) / 16, atol=0.03)
    np.testing.assert_allclose(layer(x, x), np.full((2000, 4, 1), 2.0), rtol=1e-6)
    gone = L.MultiHeadAttention(1, 1, dropout=1.0)
    np.testing.assert_array_equal(gone(x, x, training=True), np.zeros((2000, 4, 1)))


def test_dropout_follows_the_seed():
    x = tf.constant(Q, tf.float32)
    for each in zip(dropout_layers(dropout=0.5, seed=3), dropout_layers(dropout=0.5, seed=3), strict=True):
        found = []
        for layer, call in each:  # two of a kind, each with a stream of its own
            call(layer, x)
            layer.set_weights([np.ones(w.shape) for w in layer.weights])
            found.append([call(layer, x, training=True).numpy() for _ in range(4)])
        np.testing.assert_array_equal(*found)
        assert np.any(found[0][0] != found[0][1:])
    for each in zip(dropout_layers(dropout=0.5), dropout_layers(dropout=0.5), strict=True):
        found = []
        for layer, call in each:  # without a seed, the global one decides at the first use
            call(layer, x)
            layer.set_weights([np.ones(w.shape) for w in layer.weights])
            tf.random.set_seed(1)
            found.append(call(layer, x, training=True).numpy())
        tf.random.set_seed(None)
        np.testing.assert_array_equal(*found)


def test_half_precision():
    for layer, call in dropout_layers(dtype="float16"):
        x = tf.constant(Q, tf.float16)
        mask = [tf.constant(Q_MASK)] * 2
        multi = isinstance(layer, L.MultiHeadAttention)
        found = call(layer, x, **({"value_mask": mask[1]} if multi else {"mask": mask}))
        assert found.dtype == tf.float16 and np.isfinite(found.numpy()).all()


A, M = L.Attention, L.MultiHeadAttention
Z = tf.zeros([2, 3, 4])
ERRORS = [
    (lambda: A(score_mode="x"), ValueError, "argument score_mode. Expected one of {'dot', 'concat'}. Received:"),
    (lambda: A()(Z), ValueError, "Attention layer must be called on a list of inputs, namely [query, value] or"),
    (lambda: A()((Z, Z)), ValueError, "Attention layer must be called on a list of inputs, namely [query, value] or"),
    (lambda: L.AdditiveAttention()([Z]), ValueError, "AdditiveAttention layer accepts inputs list of length 2 or 3,"),
    (lambda: A()([Z, Z], mask=tf.ones([2, 3], tf.bool)), ValueError, "Attention layer mask must be a list, namely"),
    (lambda: A()([Z, Z], mask=[tf.ones([2, 3], tf.bool)]), ValueError, "Attention layer accepts mask list of length"),
    (lambda: M(0, 2), ValueError, "invalid value for argument `num_heads`, expected a positive integer. Received:"),
    (lambda: M(2, -1), ValueError, "invalid value for argument `key_dim`, expected a positive integer. Received:"),
    (lambda: M(2, 2, value_dim=0), ValueError, "`value_dim`, expected a positive integer or `None`. Received:"),
    (lambda: M(2, 2, sliding_window=-1), ValueError, "`sliding_window` must be `None` or a positive integer."),
    (lambda: M(2, 2, attention_axes="a"), ValueError, "`attention_axes` must be an int, list, or tuple.Received:"),
    (lambda: M(2, 2, output_shape=2.5), ValueError, "Invalid `output_shape`: 2.5. When specified, the"),
    (lambda: M(2, 2, flash_attention=True, dropout=0.1), ValueError, "Dropout is not supported when flash attention"),
    (lambda: M(2, 2, flash_attention=True)(Z, Z, return_attention_scores=True), ValueError, "Returning attention"),
    (lambda: M(2, 2)(Z, Z, tf.zeros([2, 2, 4])), ValueError,
     "must be equal. Received: value_shape=(2, 3, 4) and key_shape=(2, 2, 4)"),
    (lambda: M(2, 2)(Z), TypeError, "missing a required argument: 'value'"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "kind", "text"), ERRORS, ids=[e[2][:40] for e in ERRORS])
def test_errors(make, kind, text):
    with pytest.raises(kind) as caught:
        make()
    assert text in str(caught.value)
