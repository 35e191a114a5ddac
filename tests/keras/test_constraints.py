"""Constraints against their formulas, on matrices and kernels of convolutions, and finding them by name."""

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

C = tf.keras.constraints
EPSILON = 1e-7
MATRIX = np.array([[1.0, -2.0, 0.0], [3.0, 0.5, 0.0]])
KERNEL = np.random.default_rng(0).normal(size=(3, 3, 2, 4))


def norms(w, axis):
    return np.sqrt((w**2).sum(axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=True))


def max_norm(w, largest, axis):
    n = norms(w, axis)
    return w * np.minimum(n, largest) / (n + EPSILON)


def min_max_norm(w, smallest, largest, rate, axis):
    n = norms(w, axis)
    return w * (rate * np.clip(n, smallest, largest) + (1 - rate) * n) / (n + EPSILON)


CASES = [
    (C.MaxNorm(), lambda w: max_norm(w, 2, 0)),
    (C.MaxNorm(1.0), lambda w: max_norm(w, 1, 0)),
    (C.MaxNorm(1.5, axis=1), lambda w: max_norm(w, 1.5, 1)),
    (C.MaxNorm(1.0, axis=[0, 1]), lambda w: max_norm(w, 1, [0, 1])),
    (C.MaxNorm(0.0), lambda w: 0 * w),
    (C.NonNeg(), lambda w: np.maximum(w, 0)),
    (C.UnitNorm(), lambda w: w / (norms(w, 0) + EPSILON)),
    (C.UnitNorm(axis=[0, 1]), lambda w: w / (norms(w, [0, 1]) + EPSILON)),
    (C.MinMaxNorm(), lambda w: min_max_norm(w, 0, 1, 1, 0)),
    (C.MinMaxNorm(0.5, 1.0), lambda w: min_max_norm(w, 0.5, 1, 1, 0)),
    (C.MinMaxNorm(4.0, 5.0, rate=0.25, axis=1), lambda w: min_max_norm(w, 4, 5, 0.25, 1)),
    (C.MinMaxNorm(4.0, 5.0, rate=0.0), lambda w: min_max_norm(w, 4, 5, 0, 0)),
    (C.Constraint(), lambda w: w),
]
by_formula = pytest.mark.parametrize(
    ("constraint", "formula"), CASES, ids=[f"{type(c).__name__}-{c.get_config()}" for c, _ in CASES]
)


@by_formula
@pytest.mark.parametrize("value", [MATRIX, KERNEL, np.zeros((0, 3))], ids=["matrix", "kernel", "nothing"])
def test_values(constraint, formula, value):
    for dtype, rtol in (("float32", 1e-6), ("float64", 1e-12)):
        w = value.astype(dtype)
        with waits(0):
            found = constraint(remote(w))
        assert found.dtype == dtype
        np.testing.assert_allclose(found.numpy(), formula(w.astype("float64")), rtol=rtol, atol=1e-12)
        np.testing.assert_allclose(np.asarray(constraint(tf.Variable(w))), found.numpy(), rtol=rtol)


@by_formula
def test_twice_is_once(constraint, formula):
    if constraint.get_config().get("rate", 1) == 1:
        once = constraint(tf.constant(KERNEL))
        np.testing.assert_allclose(constraint(once).numpy(), once.numpy(), rtol=1e-6)


def test_what_is_no_number():
    w = remote([[np.nan, -1.0], [1.0, 1.0]])
    np.testing.assert_array_equal(C.NonNeg()(w).numpy(), [[np.nan, 0], [1, 1]])
    np.testing.assert_array_equal(np.isnan(C.MaxNorm()(w).numpy()), [[True, False], [True, False]])


def test_an_optimizer_applies_them():
    layer = tf.keras.layers.Dense(2, kernel_constraint="non_neg", bias_constraint=C.MaxNorm(0.5), use_bias=True)
    layer.build((None, 3))
    optimizer = tf.keras.optimizers.SGD(1.0)
    grown = [tf.constant([[1.0, -1.0], [10.0, -10.0], [0.0, 0.0]]), tf.constant([-3.0, -4.0])]
    kernel = layer.kernel.numpy()
    optimizer.apply_gradients(zip(grown, layer.trainable_variables, strict=True))
    np.testing.assert_allclose(layer.kernel.numpy(), np.maximum(kernel - grown[0].numpy(), 0), rtol=1e-6)
    np.testing.assert_allclose(layer.bias.numpy(), [0.3, 0.4], rtol=1e-6)


def test_get():
    assert C.get(None) is None
    for name, kind in (("max_norm", C.MaxNorm), ("MaxNorm", C.MaxNorm), ("non_neg", C.NonNeg),
                       ("unit_norm", C.UnitNorm), ("min_max_norm", C.MinMaxNorm)):  # fmt: skip
        assert type(C.get(name)) is kind
        assert getattr(C, name) is kind
    made = C.MaxNorm(3.0)
    assert C.get(made) is made
    assert C.get(abs) is abs
    assert type(C.get(C.NonNeg)) is C.NonNeg
    for wrong in ("nope", 3):
        with pytest.raises(ValueError, match="Could not interpret constraint identifier"):
            C.get(wrong)


@by_formula
def test_configurations_make_the_same_again(constraint, formula):
    if type(constraint) is C.Constraint:
        return
    config = C.serialize(constraint)
    assert config == {"class_name": type(constraint).__name__, "config": constraint.get_config()}
    again = C.deserialize(config)
    assert type(again) is type(constraint) and again.get_config() == constraint.get_config()
