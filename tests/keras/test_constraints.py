"""Constraints against arithmetic, at a weight of a model that trains, and by name."""

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

C = tf.keras.constraints
W = np.random.default_rng(4).normal(size=(3, 4, 2))
W[:, 1, 0] = 0.0


def norms(w, axis):
    return np.sqrt((w**2).sum(tuple(axis) if isinstance(axis, list) else axis, keepdims=True))


def scaled(w, axis, wanted):
    """w with the norms that `wanted` makes of its own; where a norm is 0, w stays 0."""
    n = norms(w, axis)
    return np.divide(w * wanted(n), n, out=np.zeros_like(w), where=n > 0)


CASES = [
    (C.NonNeg(), lambda w: np.maximum(w, 0)),
    (C.MaxNorm(), lambda w: scaled(w, 0, lambda n: np.minimum(n, 2))),
    (C.MaxNorm(0.5, axis=1), lambda w: scaled(w, 1, lambda n: np.minimum(n, 0.5))),
    (C.MaxNorm(1.5, axis=[0, 1]), lambda w: scaled(w, [0, 1], lambda n: np.minimum(n, 1.5))),
    (C.MaxNorm(0.0), lambda w: 0 * w),
    (C.UnitNorm(), lambda w: scaled(w, 0, np.ones_like)),
    (C.UnitNorm(axis=-1), lambda w: scaled(w, -1, np.ones_like)),
    (C.UnitNorm(axis=[0, 1, 2]), lambda w: scaled(w, [0, 1, 2], np.ones_like)),
    (C.MinMaxNorm(), lambda w: scaled(w, 0, lambda n: np.clip(n, 0, 1))),
    (C.MinMaxNorm(1.0, 2.0, axis=1), lambda w: scaled(w, 1, lambda n: np.clip(n, 1, 2))),
    (C.MinMaxNorm(4.0, 5.0, 0.0), lambda w: w),
    (C.MinMaxNorm(1.5, 2.0, 0.25), lambda w: scaled(w, 0, lambda n: 0.25 * np.clip(n, 1.5, 2) + 0.75 * n)),
]
each_case = pytest.mark.parametrize(
    ("constraint", "expected"), CASES, ids=[f"{type(c).__name__}-{c.get_config()}" for c, _ in CASES]
)


@each_case
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-6), ("float16", 4e-3)])
def test_values(constraint, expected, dtype, tolerance):
    w = W[:, 2:] if dtype == "float16" else W  # a norm of 0 divides by 1e-7, which half precision does not survive
    with waits(0):
        found = constraint(remote(w, dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found.numpy(), expected(w), rtol=tolerance, atol=tolerance)


@each_case
def test_variables_arrays_and_nothing(constraint, expected):
    weight = W.astype(np.float32)
    for given in (tf.Variable(weight), weight):
        np.testing.assert_allclose(np.asarray(constraint(given)), expected(W), rtol=1e-6, atol=1e-6)
    assert constraint(tf.zeros([0, 4, 2])).numpy().shape == (0, 4, 2)


@each_case
def test_twice_is_once(constraint, expected):
    if constraint.get_config().get("rate", 1) == 1:
        once = constraint(tf.constant(W))
        np.testing.assert_allclose(constraint(once).numpy(), once.numpy(), rtol=1e-6)


@each_case
def test_configurations(constraint, expected):
    config = C.serialize(constraint)
    assert config == {"class_name": type(constraint).__name__, "config": constraint.get_config()}
    for made in (C.deserialize(config), C.get(config), type(constraint).from_config(constraint.get_config())):
        assert type(made) is type(constraint)
        assert made.get_config() == constraint.get_config()
        np.testing.assert_allclose(made(tf.constant(W)).numpy(), expected(W), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("NonNeg", C.NonNeg), ("non_neg", C.NonNeg), ("MaxNorm", C.MaxNorm), ("max_norm", C.MaxNorm),
     ("UnitNorm", C.UnitNorm), ("unit_norm", C.UnitNorm), ("MinMaxNorm", C.MinMaxNorm), ("min_max_norm", C.MinMaxNorm)],
)  # fmt: skip
def test_names(name, kind):
    assert type(C.get(name)) is kind
    assert getattr(C, name) is kind
    assert C.get(name).get_config() == kind().get_config()


def test_get():
    def halve(w):
        return 0.5 * w

    assert C.get(None) is None
    assert C.get(halve) is halve
    assert type(C.get(C.UnitNorm)) is C.UnitNorm
    for wrong in ("nothing", 3, {"class_name": "Nothing", "config": {}}):
        with pytest.raises(ValueError, match="constraint"):
            C.get(wrong)


def test_defaults():
    assert C.MaxNorm().get_config() == {"max_value": 2, "axis": 0}
    assert C.UnitNorm().get_config() == {"axis": 0}
    assert C.MinMaxNorm().get_config() == {"min_value": 0.0, "max_value": 1.0, "rate": 1.0, "axis": 0}
    assert C.NonNeg().get_config() == {}


def test_a_base_leaves_the_weight_alone():
    w = tf.constant([1.0])
    assert C.Constraint()(w) is w


def test_infinity_and_nan_spread_within_their_norm_alone():
    w = tf.constant([[np.nan, 1.0, -3.0]], tf.float32)
    np.testing.assert_array_equal(C.NonNeg()(w).numpy(), [[np.nan, 1.0, 0.0]])
    found = C.UnitNorm()(w).numpy()
    assert np.isnan(found[0, 0])
    np.testing.assert_allclose(found[0, 1:], [1.0, -1.0], rtol=1e-6)


def test_an_optimizer_applies_them_after_each_update():
    layer = tf.keras.layers.Dense(2, kernel_constraint="non_neg", bias_constraint=C.MaxNorm(0.5), use_bias=True)
    layer.build((1, 3))
    layer.kernel.assign([[0.5, 2.0], [1.0, 1.0], [0.0, 3.0]])
    optimizer = tf.keras.optimizers.SGD(1.0)
    with waits(0):
        optimizer.apply([tf.ones([3, 2]), tf.constant([3.0, 4.0])], [layer.kernel, layer.bias])
    np.testing.assert_array_equal(layer.kernel.numpy(), [[0.0, 1.0], [0.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(layer.bias.numpy(), [-0.3, -0.4], rtol=1e-5)  # a norm of 5 becomes one of 0.5
