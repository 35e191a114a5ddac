"""Convolutional and pooling layers against windows summed by NumPy."""

import inspect
import itertools

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

L = tf.keras.layers
RNG = np.random.default_rng(4)
INPUTS = {n: RNG.normal(size=(2, *(7, 6, 5)[:n], 4)).astype(np.float32) for n in (1, 2, 3)}


def padded(x, window, strides, dilation, padding, value=0.0):
    """With what `same` and `causal` add to the spatial axes of (batch, ..., channels)."""
    amounts = []
    for size, k, s, d in zip(x.shape[1:-1], window, strides, dilation, strict=True):
        span = (k - 1) * d + 1
        total = max((-(-size // s) - 1) * s + span - size, 0) if padding == "same" else 0
        amounts.append((span - 1, 0) if padding == "causal" else (total // 2, total - total // 2))
    return np.pad(x, [(0, 0), *amounts, (0, 0)], constant_values=value)


def windows(x, window, strides, dilation):
    """(place, the elements in the window there) for each place: (batch, channels, *window)."""
    spans = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    counts = [(n - span) // s + 1 for n, span, s in zip(x.shape[1:-1], spans, strides, strict=True)]
    for place in itertools.product(*map(range, counts)):
        at = tuple(slice(p * s, p * s + span, d) for p, s, span, d in zip(place, strides, spans, dilation, strict=True))
        yield place, np.moveaxis(x[(slice(None), *at)], -1, 1)


def slid(x, window, strides, dilation, reduce):
    """What `reduce` gives for each window, (batch, outputs), at its place."""
    found = {p: reduce(w) for p, w in windows(x, window, strides, dilation)}
    counts = [max(axis) + 1 for axis in zip(*found, strict=True)]
    first = next(iter(found.values()))
    out = np.zeros((first.shape[0], *counts, first.shape[1]))
    for place, value in found.items():
        out[(slice(None), *place)] = value
    return out


def convolved(x, kernel, strides=1, padding="valid", dilation=1, groups=1):
    n = x.ndim - 2
    strides, dilation = ((v,) * n if isinstance(v, int) else v for v in (strides, dilation))
    window = kernel.shape[:n]
    x = padded(x.astype(np.float64), window, strides, dilation, padding)
    parts = []
    for a, k in zip(np.split(x, groups, -1), np.split(kernel.astype(np.float64), groups, -1), strict=True):
        k = np.moveaxis(k, -2, 0)  # (channels, *window, filters)
        parts.append(slid(a, window, strides, dilation, lambda w, k=k: np.tensordot(w, k, n + 1)))
    return np.concatenate(parts, -1)


def given_weights(layer):
    """Weights that are no zeros; the layer is built."""
    rng = np.random.default_rng(0)
    values = [rng.normal(size=tuple(w.shape)).astype(np.float32) for w in layer.weights]
    layer.set_weights(values)
    return values


def close(found, wanted):
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-4)


OPTIONS = [
    {}, {"padding": "same"}, {"strides": 2}, {"strides": 2, "padding": "same"}, {"dilation_rate": 2},
    {"dilation_rate": 2, "padding": "SAME"}, {"groups": 2}, {"strides": 3, "groups": 2, "padding": "same"},
]  # fmt: skip


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolution(rank, options, first):
    x = INPUTS[rank]
    layer = getattr(L, f"Conv{rank}D")(6, 2, data_format="channels_first" if first else None, **options)
    given = np.moveaxis(x, -1, 1) if first else x
    layer.build(given.shape)
    kernel, bias = given_weights(layer)
    assert kernel.shape == (*(2,) * rank, 4 // options.get("groups", 1), 6) and bias.shape == (6,)
    found = layer(tf.constant(given))
    wanted = bias + convolved(
        x, kernel, options.get("strides", 1), options.get("padding", "valid").lower(), options.get("dilation_rate", 1),
        options.get("groups", 1),
    )  # fmt: skip
    close(found, np.moveaxis(wanted, -1, 1) if first else wanted)
    assert layer.compute_output_shape(given.shape) == found.shape


def test_uneven_windows():
    layer = L.Conv2D(3, (3, 2), strides=(1, 2), padding="same")
    layer.build(INPUTS[2].shape)
    kernel, bias = given_weights(layer)
    close(layer(tf.constant(INPUTS[2])), bias + convolved(INPUTS[2], kernel, (1, 2), "same"))


@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 3)])
def test_causal(strides, dilation):
    x = INPUTS[1]
    layer = L.Conv1D(3, 3, strides=strides, dilation_rate=dilation, padding="causal")
    layer.build(x.shape)
    kernel, bias = given_weights(layer)
    found = layer(tf.constant(x))
    close(found, bias + convolved(x, kernel, strides, "causal", dilation))
    later = x.copy()
    later[:, 4:] += 1.0
    np.testing.assert_array_equal(layer(tf.constant(later))[:, : -(-4 // strides)], found[:, : -(-4 // strides)])


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("options", [o for o in OPTIONS if "groups" not in o], ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_is_the_adjoint(rank, options, first):
    """sum(conv(y) * x) = sum(y * transposed(x)), for every y of the transposed convolution's shape."""
    x = INPUTS[rank]
    layer = getattr(L, f"Conv{rank}DTranspose")(
        3, 3, use_bias=False, data_format="channels_first" if first else None, **options
    )
    given = np.moveaxis(x, -1, 1) if first else x
    found = layer(tf.constant(given))
    (kernel,) = given_weights(layer)
    assert kernel.shape == (*(3,) * rank, 3, 4)
    found = layer(tf.constant(given))
    assert layer.compute_output_shape(given.shape) == found.shape
    out = np.moveaxis(found.numpy(), 1, -1) if first else found.numpy()
    step, spread = options.get("strides", 1), 2 * options.get("dilation_rate", 1) + 1
    same = "padding" in options
    sizes = [n * step if same else n * step + max(spread - step, 0) for n in x.shape[1:-1]]
    assert out.shape == (2, *sizes, 3)
    for seed in range(2):
        y = np.random.default_rng(seed).normal(size=out.shape)
        back = convolved(y, kernel, step, "same" if same else "valid", options.get("dilation_rate", 1))
        np.testing.assert_allclose((back * x).sum(), (y * out).sum(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("extra", [None, 0, 1, (1, 0)])
def test_output_padding(padding, extra):
    layer = L.Conv2DTranspose(2, 3, strides=2, padding=padding, output_padding=extra, bias_initializer="ones")
    found = layer(tf.zeros([1, 5, 4, 3]))
    wanted = [
        2 * n + (1 if padding == "valid" else 0) if e is None
        else 2 * (n - 1) + 3 + e - (2 if padding == "same" else 0)
        for n, e in zip((5, 4), extra if isinstance(extra, tuple) else (extra,) * 2, strict=True)
    ]  # fmt: skip
    assert found.shape == (1, *wanted, 2)
    np.testing.assert_array_equal(found, np.ones(found.shape))


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("options", [{}, {"strides": 2, "padding": "same"}, {"dilation_rate": 2}], ids=str)
@pytest.mark.parametrize("rank", [1, 2])
def test_depthwise_and_separable(rank, options, first):
    x = INPUTS[rank]
    given = np.moveaxis(x, -1, 1) if first else x
    form = {"data_format": "channels_first"} if first else {}
    how = options.get("strides", 1), options.get("padding", "valid"), options.get("dilation_rate", 1)

    def by_channel(kernel):
        parts = [convolved(x[..., c : c + 1], kernel[..., c : c + 1, :], *how) for c in range(4)]
        return np.concatenate(parts, -1)

    layer = getattr(L, f"DepthwiseConv{rank}D")(2, depth_multiplier=3, **options, **form)
    layer(tf.constant(given))
    kernel, bias = given_weights(layer)
    assert kernel.shape == (*(2,) * rank, 4, 3) and bias.shape == (12,)
    wanted = by_channel(kernel) + bias
    close(layer(tf.constant(given)), np.moveaxis(wanted, -1, 1) if first else wanted)

    layer = getattr(L, f"SeparableConv{rank}D")(5, 2, depth_multiplier=2, activation="relu", **options, **form)
    layer(tf.constant(given))
    depthwise, pointwise, bias = given_weights(layer)
    assert pointwise.shape == (*(1,) * rank, 8, 5)
    wanted = np.maximum(by_channel(depthwise) @ pointwise.reshape(8, 5) + bias, 0)
    close(layer(tf.constant(given)), np.moveaxis(wanted, -1, 1) if first else wanted)


POOLS = [
    {}, {"padding": "same"}, {"pool_size": 3, "strides": 1}, {"pool_size": 3, "strides": 2, "padding": "same"},
    {"pool_size": 2, "strides": 3},
]  # fmt: skip


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("options", POOLS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Max", "Average"])
def test_pooling(kind, rank, options, first):
    x = INPUTS[rank]
    given = np.moveaxis(x, -1, 1) if first else x
    layer = getattr(L, f"{kind}Pooling{rank}D")(data_format="channels_first" if first else None, **options)
    size = (options.get("pool_size", 2),) * rank
    strides = (options.get("strides", size[0]),) * rank
    reduce = np.nanmax if kind == "Max" else np.nanmean
    around = padded(x, size, strides, (1,) * rank, options.get("padding", "valid"), np.nan)
    wanted = slid(around, size, strides, (1,) * rank, lambda w: reduce(w, axis=tuple(range(2, rank + 2))))
    found = layer(tf.constant(given))
    close(found, np.moveaxis(wanted, -1, 1) if first else wanted)
    assert layer.compute_output_shape(given.shape) == found.shape


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(("kind", "reduce"), [("Max", np.max), ("Average", np.mean)])
def test_global_pooling(kind, reduce, rank, keep, first):
    x = INPUTS[rank]
    layer = getattr(L, f"Global{kind}Pooling{rank}D")("channels_first" if first else None, keepdims=keep)
    axes = tuple(range(2, rank + 2)) if first else tuple(range(1, rank + 1))
    given = np.moveaxis(x, -1, 1) if first else x
    close(layer(tf.constant(given)), reduce(given, axis=axes, keepdims=keep))


def test_global_average_of_what_counts():
    x, mask = INPUTS[1], np.arange(14).reshape(2, 7) % 3 == 0
    wanted = [row[keep].mean(0) for row, keep in zip(x, mask, strict=True)]
    layer = L.GlobalAveragePooling1D()
    with waits(0):
        found = layer(tf.constant(x), mask=tf.constant(mask))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5)
    steps = np.where(mask[..., None], x, 0.0).astype(np.float32)
    np.testing.assert_allclose(layer(L.Masking()(tf.constant(steps))).numpy(), wanted, rtol=1e-5)


# --- what all share --------------------------------------------------------------------------------------------------


def test_three_ops_and_no_wait():
    """A convolution with a bias and an activation is three ops; nothing is read."""
    x = remote(INPUTS[2])
    layer = L.Conv2D(3, 2, activation="relu")
    layer(x)
    pool = L.MaxPooling2D()
    before = tf.stats()["ops"]
    with waits(0):
        pool(layer(x))
    assert tf.stats()["ops"] - before == 4


def test_gradients_are_differences():
    """The gradients for input, kernel and bias of each kind, by differences along a random direction."""
    rng = np.random.default_rng(3)
    for layer in (
        L.Conv2D(2, 2, activation="tanh", padding="same", dtype="float64"),
        L.Conv2DTranspose(2, 2, strides=2, dtype="float64"),
        L.DepthwiseConv2D(2, depth_multiplier=2, strides=2, dtype="float64"),
        L.SeparableConv2D(2, 2, dilation_rate=2, dtype="float64"),
    ):
        x = tf.constant(INPUTS[2], tf.float64)
        layer(x)
        given_weights(layer)
        places = [x, *layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.sin(layer(x)))
        gradients = tape.gradient(loss, places)
        for i, place in enumerate(places):
            direction = rng.normal(size=place.shape)
            values = []
            for step in (1e-5, -1e-5):
                at = x + step * direction if i == 0 else x
                if i:
                    place.assign_add(tf.constant(step * direction))
                values.append(float(tf.reduce_sum(tf.sin(layer(at)))))
                if i:
                    place.assign_sub(tf.constant(step * direction))
            wanted = (values[0] - values[1]) / 2e-5
            np.testing.assert_allclose((gradients[i].numpy() * direction).sum(), wanted, rtol=1e-5, atol=1e-6)


MADE = [
    lambda: L.Conv1D(3, 2, padding="causal", dilation_rate=2, activation="relu", kernel_regularizer="l2"),
    lambda: L.Conv2D(4, (2, 3), strides=(1, 2), groups=2, use_bias=False, kernel_initializer="he_normal"),
    lambda: L.Conv3D(3, 2, padding="same", bias_constraint="non_neg", activity_regularizer="l1"),
    lambda: L.Conv2DTranspose(3, 3, 2, output_padding=1),
    lambda: L.DepthwiseConv1D(2, depth_multiplier=2, depthwise_constraint="max_norm"),
    lambda: L.SeparableConv2D(3, 2, depth_multiplier=2, pointwise_regularizer="l1"),
    lambda: L.MaxPooling2D((2, 3), strides=1, padding="same"),
    lambda: L.AveragePooling1D(3, 2, data_format="channels_first"),
    lambda: L.GlobalMaxPooling3D(keepdims=True),
]


@pytest.mark.parametrize("make", MADE)
def test_made_again_from_its_configuration(make):
    layer = make()
    again = L.deserialize(L.serialize(layer))
    assert type(again) is type(layer) and again.get_config() == layer.get_config()
    x = tf.constant(INPUTS[layer.input_spec.min_ndim - 2 if layer.input_spec.min_ndim else layer.input_spec.ndim - 2])
    first = layer(x).numpy()
    again(x)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), first)
    assert [w.path for w in again.weights] == [w.path for w in layer.weights]


def test_signatures():
    """In Keras' order, so that arguments by position are what they are there."""
    conv = list(inspect.signature(L.Conv2D).parameters)
    assert conv[:9] == [
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups", "activation",
        "use_bias",
    ]  # fmt: skip
    assert list(inspect.signature(L.Conv2DTranspose).parameters)[4:6] == ["output_padding", "data_format"]
    with pytest.raises(TypeError, match="kernel_size"):
        L.Conv2D(3)
    assert L.Convolution2D is L.Conv2D and L.AvgPool1D is L.AveragePooling1D
    assert L.GlobalAvgPool2D is L.GlobalAveragePooling2D and L.MaxPool3D is L.MaxPooling3D


def test_names_of_weights():
    layer = L.SeparableConv2D(2, 2, name="mix")
    layer(tf.zeros([1, 4, 4, 3]))
    assert [w.path for w in layer.weights] == ["mix/depthwise_kernel", "mix/pointwise_kernel", "mix/bias"]


@pytest.mark.parametrize("batch", [0, 1])
def test_no_examples(batch):
    for layer in (L.Conv2D(3, 2), L.Conv2DTranspose(3, 2), L.SeparableConv2D(3, 2), L.MaxPooling2D()):
        assert layer(tf.zeros([batch, 4, 4, 2])).numpy().shape[0] == batch


WRONG = {
    "filters": lambda: L.Conv2D(0, 2),
    "groups.*positive": lambda: L.Conv2D(3, 2, groups=0),
    "filters must be evenly": lambda: L.Conv2D(3, 2, groups=2),
    "input channels must be evenly": lambda: L.Conv2D(3, 2, groups=3)(tf.zeros([1, 4, 4, 4])),
    "`kernel_size` argument must be a tuple of 2": lambda: L.Conv2D(3, (2, 2, 2)),
    "`strides` argument": lambda: L.Conv2D(3, 2, strides="a"),
    "`strides > 1` not supported": lambda: L.Conv2D(3, 2, strides=2, dilation_rate=2),
    "padding": lambda: L.Conv2D(3, 2, padding="causal"),
    "data_format": lambda: L.Conv2D(3, 2, data_format="last"),
    "output size would be negative": lambda: L.Conv2D(3, 5)(tf.zeros([1, 4, 4, 4])),
    "min_ndim=4": lambda: L.Conv2D(3, 5)(tf.zeros([1, 4, 4])),
    "same length as input": lambda: L.Conv2D(3, 5)(tf.zeros([1, 8, 8, 8, 4])),
    "channel dimension": lambda: L.Conv2D(3, 5)(tf.keras.Input((8, 8, None))),
    "depth_multiplier": lambda: L.DepthwiseConv2D(2, depth_multiplier=0),
    "`output_padding` must be strictly less": lambda: L.Conv2DTranspose(3, 2, strides=2, output_padding=2),
    "Invalid padding": lambda: L.MaxPooling2D(padding="causal"),
    "`pool_size` argument": lambda: L.AveragePooling2D(0),
    "expected ndim=4": lambda: L.MaxPooling2D()(tf.zeros([1, 4, 4])),
    "Unrecognized": lambda: L.Conv2D(3, 2, filter=3),
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong(words):
    with pytest.raises(ValueError, match=words):
        WRONG[words]()


def test_other_channels_after_building():
    layer = L.Conv2D(3, 2)
    layer(tf.zeros([1, 4, 4, 2]))
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 2"):
        layer(tf.zeros([1, 4, 4, 3]))
