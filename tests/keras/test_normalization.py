"""Normalization layers against their formulas in double precision; moving averages, shapes, errors."""

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

L = tf.keras.layers
RNG = np.random.default_rng(13)
X = RNG.normal(size=(3, 5, 4)) * 2 + 1
IMAGES = RNG.normal(size=(2, 3, 5, 4)) * 3 - 1


def normalized(x, mean, variance, gamma, beta, epsilon=1e-3):
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def with_weights(layer, x, training=None):
    """The layer with fixed weights, all positive; and these by name."""
    layer.build(x.shape)
    rng = np.random.default_rng(2)
    values = {w.name: rng.uniform(0.5, 2.0, tuple(w.shape)) for w in layer.weights}
    layer.set_weights(list(values.values()))
    return layer, values


def channels(values, axis, rank):
    shape = [1] * rank
    shape[axis] = len(values)
    return np.reshape(values, shape)


# --- BatchNormalization ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_batch_in_training(axis):
    layer, w = with_weights(L.BatchNormalization(axis=axis, momentum=0.9), IMAGES)
    others = tuple(a for a in range(4) if a != axis % 4)
    mean, variance = IMAGES.mean(others), IMAGES.var(others)
    with waits(0):
        found = layer(tf.constant(IMAGES), training=True)
    parts = [channels(v, axis, 4) for v in (mean, variance, w["gamma"], w["beta"])]
    np.testing.assert_allclose(found, normalized(IMAGES, *parts), atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean, 0.9 * w["moving_mean"] + 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 * w["moving_variance"] + 0.1 * variance, rtol=1e-5)


def test_batch_out_of_training():
    layer, w = with_weights(L.BatchNormalization(epsilon=0.25), X)
    wanted = normalized(X, w["moving_mean"], w["moving_variance"], w["gamma"], w["beta"], 0.25)
    for options in ({}, {"training": False}):
        np.testing.assert_allclose(layer(tf.constant(X), **options), wanted, atol=1e-5)
    layer.trainable = False  # frozen: as out of training
    np.testing.assert_allclose(layer(tf.constant(X), training=True), wanted, atol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, np.float32(w["moving_mean"]))


def test_batch_without_masked_steps():
    mask = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool)
    layer, w = with_weights(L.BatchNormalization(momentum=0.0), X)
    found = layer(tf.constant(X), training=True, mask=tf.constant(mask))
    mean, variance = X[mask].mean(0), X[mask].var(0)
    np.testing.assert_allclose(found, normalized(X, mean, variance, w["gamma"], w["beta"]), atol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)


def test_batch_renormalization():
    limits = {"rmin": 0.5, "rmax": 1.1, "dmax": 0.2}
    layer, w = with_weights(
        L.BatchNormalization(renorm=True, renorm_clipping=limits, renorm_momentum=0.8, momentum=0.7), X
    )
    found = layer(tf.constant(X), training=True)
    mean, variance = X.mean((0, 1)), X.var((0, 1))
    deviation = np.sqrt(variance + 1e-3)
    r = np.clip(deviation / w["renorm_stddev"], 0.5, 1.1)
    d = np.clip((mean - w["renorm_mean"]) / w["renorm_stddev"], -0.2, 0.2)
    wanted = ((X - mean) / deviation * r + d) * w["gamma"] + w["beta"]
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    moved = 0.7 * w["moving_stddev"] + 0.3 * deviation
    for name, value in {
        "renorm_mean": 0.8 * w["renorm_mean"] + 0.2 * mean,
        "renorm_stddev": 0.8 * w["renorm_stddev"] + 0.2 * deviation,
        "moving_mean": 0.7 * w["moving_mean"] + 0.3 * mean,
        "moving_stddev": moved,
        "moving_variance": moved**2 - 1e-3,
    }.items():
        np.testing.assert_allclose(getattr(layer, name), value, rtol=1e-5)


def test_batch_gradient_leaves_the_averages_alone():
    layer, _ = with_weights(L.BatchNormalization(), X)
    x = tf.constant(X, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(layer(x, training=True) * tf.range(4.0))
    dx, dgamma, dbeta = tape.gradient(total, [x, *layer.trainable_weights])
    np.testing.assert_allclose(dbeta, np.arange(4) * 15, atol=1e-4)
    np.testing.assert_allclose(dgamma, np.zeros(4), atol=1e-3)  # what is normalized has the sum 0
    np.testing.assert_allclose(dx, np.zeros(X.shape), atol=1e-4)
    assert [v.name for v in layer.trainable_weights] == ["gamma", "beta"]
    assert [v.name for v in layer.non_trainable_weights] == ["moving_mean", "moving_variance"]


# --- the others ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), [2, 3], (1, 3), [1, 2, 3]])
def test_layer(axis):
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    layer, w = with_weights(L.LayerNormalization(axis=axis, epsilon=0.01), IMAGES)
    assert tuple(layer.gamma.shape) == tuple(IMAGES.shape[a] for a in axes)
    mean, variance = IMAGES.mean(axes, keepdims=True), IMAGES.var(axes, keepdims=True)
    shape = [n if a in [i % 4 for i in axes] else 1 for a, n in enumerate(IMAGES.shape)]
    gamma, beta = w["gamma"].reshape(shape), w["beta"].reshape(shape)
    with waits(0):
        found = layer(tf.constant(IMAGES))
    np.testing.assert_allclose(found, normalized(IMAGES, mean, variance, gamma, beta, 0.01), atol=1e-4)


@pytest.mark.parametrize(("groups", "axis"), [(1, -1), (2, -1), (4, -1), (-1, -1), (3, 1), (5, 2)])
def test_group(groups, axis):
    layer, w = with_weights(L.GroupNormalization(groups, axis=axis), IMAGES)
    moved = np.moveaxis(IMAGES, axis, -1)
    size = moved.shape[-1]
    count = size if groups == -1 else groups
    split = moved.reshape(*moved.shape[:-1], count, size // count)
    mean, variance = split.mean((1, 2, 4), keepdims=True), split.var((1, 2, 4), keepdims=True)
    wanted = ((split - mean) / np.sqrt(variance + 1e-3)).reshape(moved.shape) * w["gamma"] + w["beta"]
    with waits(0):
        found = layer(tf.constant(IMAGES))
    np.testing.assert_allclose(found, np.moveaxis(wanted, -1, axis), atol=1e-4)


@pytest.mark.parametrize("axis", [-1, 1, (1, 2)])
def test_unit(axis):
    with waits(0):
        found = L.UnitNormalization(axis=axis)(tf.constant(X))
    np.testing.assert_allclose(found, X / np.sqrt((X**2).sum(axis, keepdims=True)), atol=1e-6)
    np.testing.assert_array_equal(L.UnitNormalization(axis=axis)(tf.zeros([2, 3, 4])), np.zeros((2, 3, 4)))


# --- all of them -----------------------------------------------------------------------------------------------------

LAYERS = [
    (L.BatchNormalization, {}),
    (L.BatchNormalization, {"renorm": True, "renorm_clipping": {"rmax": 2.0}}),
    (L.LayerNormalization, {}),
    (L.LayerNormalization, {"axis": [1, 2]}),
    (L.GroupNormalization, {"groups": 2}),
    (L.UnitNormalization, {}),
]
every = pytest.mark.parametrize(("kind", "options"), LAYERS, ids=[f"{k.__name__}{o}" for k, o in LAYERS])


@every
def test_configuration(kind, options):
    given = {**options, "name": "layer"}
    if kind is not L.UnitNormalization:
        given |= {"epsilon": 0.5, "beta_initializer": "ones", "gamma_regularizer": "l1"}
    layer = kind(**given)
    layer(tf.constant(X))
    copy = kind.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    np.testing.assert_array_equal(copy(tf.constant(X)), layer(tf.constant(X)))
    assert len(layer.losses) == (0 if kind is L.UnitNormalization else 1)


@every
def test_weights(kind, options):
    if kind is L.UnitNormalization:
        return
    names = ["gamma", "beta", *(["moving_mean", "moving_variance"] if kind is L.BatchNormalization else [])]
    if options.get("renorm"):
        names += ["moving_stddev", "renorm_mean", "renorm_stddev"]
    layer = kind(**options, name="layer")
    layer(tf.constant(X))
    shape = (5, 4) if options.get("axis") else (4,)
    assert [(w.path, tuple(w.shape)) for w in layer.weights] == [(f"layer/{n}", shape) for n in names]
    bare = kind(**options, center=False, scale=False)
    bare(tf.constant(X))
    assert [w.name for w in bare.weights] == names[2:] and bare.gamma is None and bare.beta is None


@every
def test_symbolic(kind, options):
    x = tf.keras.Input((None, 4) if options.get("axis") is None else (5, 4))
    layer = kind(**options)
    model = tf.keras.Model(x, layer(x))
    assert tuple(model.output.shape) == tuple(x.shape)
    for given in (X, X[:1], X[:0]):
        found = model(tf.constant(given))
        assert found.shape == given.shape
        np.testing.assert_array_equal(found, layer(tf.constant(given)))
    rows = tf.boolean_mask(tf.constant(X), tf.constant([True, False, True]))  # of a number that only the server knows
    with waits(0):
        found = layer(rows, training=True) if kind is L.BatchNormalization else layer(rows)
    assert found.shape == (2, 5, 4)


@every
def test_no_examples(kind, options):
    layer = kind(**options)
    x = tf.zeros([0, 5, 4])
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = layer(x)
        total = tf.reduce_sum(found)
    assert found.shape == (0, 5, 4) and tape.gradient(total, x).shape == (0, 5, 4)


@every
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_dtypes(kind, options, dtype):
    if kind is L.UnitNormalization:
        return
    layer, single = kind(**options, dtype=dtype), kind(**options)
    x = X * 200  # whose squares are too large for half precision
    found = layer(tf.constant(x, dtype))
    assert found.dtype.name == dtype and layer.weights[0].dtype.name == dtype
    np.testing.assert_allclose(tf.cast(found, tf.float32), single(tf.constant(x)), rtol=0.02, atol=0.02 * 400)


@every
def test_training_steps_do_not_wait(kind, options):
    model = tf.keras.Sequential([L.Dense(4), kind(**options), L.Dense(1)])
    x, y, losses = remote(X, tf.float32), remote(X[..., :1] * 2, tf.float32), []
    model(x)
    optimizer = tf.keras.optimizers.SGD(0.05)
    with waits(0):
        for _ in range(10):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
            optimizer.apply_gradients(
                zip(tape.gradient(loss, model.trainable_weights), model.trainable_weights, strict=True)
            )
            losses.append(loss)
    assert losses[-1] < losses[0]


def test_averages_move_to_the_data():
    model = tf.keras.Sequential([L.BatchNormalization(momentum=0.5)])
    for _ in range(20):
        model(tf.constant(X), training=True)
    np.testing.assert_allclose(model.layers[0].moving_mean, X.mean((0, 1)), rtol=1e-4)
    np.testing.assert_allclose(model(tf.constant(X)), model(tf.constant(X), training=True), atol=1e-3)


ERRORS = [
    (lambda: L.BatchNormalization(axis=5)(tf.zeros([2, 3])), ValueError, "Axis 5 is out of bounds for input shape"),
    (lambda: L.BatchNormalization(axis=[1]), TypeError, "int()"),
    (lambda: L.BatchNormalization()(tf.zeros([2, 3]), mask=tf.ones([2, 3], tf.bool)), ValueError,
     "The mask provided should be one dimension less than the inputs. Received: mask.shape=(2, 3)"),
    (lambda: L.BatchNormalization()(tf.keras.Input((None,))), ValueError,
     "Shapes used to initialize variables must be fully-defined (no `None` dimensions). Received: shape=(None,)"),
    (lambda: L.BatchNormalization(renorm=True, renorm_clipping={"a": 1}), ValueError,
     "Received invalid keys for `renorm_clipping` argument: {'a': 1}. Supported values: ['rmax', 'rmin', 'dmax']."),
    (lambda: L.BatchNormalization(renorm=True, renorm_clipping={"rmin": 2, "rmax": 1}), ValueError, "rmax should be"),
    (lambda: L.BatchNormalization(renorm=True, renorm_clipping={"dmax": -1}), ValueError, "dmax should be"),
    (lambda: L.LayerNormalization(axis="a"), TypeError,
     "Expected an int or a list/tuple of ints for the argument 'axis', but received: 'a'"),
    (lambda: L.LayerNormalization(axis=4)(tf.zeros([2, 3])), ValueError, "Axis 4 is out of bounds"),
    (lambda: L.GroupNormalization(0), ValueError, "a positive integer (or `-1` for instance normalization)"),
    (lambda: L.GroupNormalization(3)(tf.zeros([2, 4])), ValueError,
     "Number of groups (3) must be a multiple of the number of channels (4)."),
    (lambda: L.GroupNormalization(8)(tf.zeros([2, 4])), ValueError,
     "Number of groups (8) cannot be more than the number of channels (4)."),
    (lambda: L.GroupNormalization(2)(tf.keras.Input((None,))), ValueError,
     "Axis -1 of input tensor should have a defined dimension but the layer received an input with shape"),
    (lambda: L.UnitNormalization("a"), TypeError, "expected an int or a list/tuple of ints. Received: axis=a"),
    (lambda: L.UnitNormalization(3)(tf.zeros([2, 2])), tf.errors.InvalidArgumentError, "Invalid reduction dimension"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "kind", "text"), ERRORS, ids=[e[2][:40] for e in ERRORS])
def test_errors(make, kind, text):
    with pytest.raises(kind) as caught:
        make()
    assert text in str(caught.value)
