"""Regularizers against their formulas, their gradients, and finding them by name."""

import itertools
import math

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

R = tf.keras.regularizers
X = np.random.default_rng(0).normal(size=(4, 3))


def orthogonality(x, mode):
    """The mean of abs(cosine) over all pairs."""
    rows = x if mode == "rows" else x.T
    pairs = [abs(a @ b) / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-30) for a, b in itertools.combinations(rows, 2)]
    return np.mean(pairs)


CASES = [
    (R.L1, {}, lambda x: 0.01 * np.abs(x).sum()),
    (R.L1, {"l1": 0.3}, lambda x: 0.3 * np.abs(x).sum()),
    (R.L2, {}, lambda x: 0.01 * (x**2).sum()),
    (R.L2, {"l2": 0.7}, lambda x: 0.7 * (x**2).sum()),
    (R.L1L2, {}, lambda x: 0.0 * x.sum()),
    (R.L1L2, {"l1": 0.3}, lambda x: 0.3 * np.abs(x).sum()),
    (R.L1L2, {"l2": 0.7}, lambda x: 0.7 * (x**2).sum()),
    (R.L1L2, {"l1": 0.3, "l2": 0.7}, lambda x: 0.3 * np.abs(x).sum() + 0.7 * (x**2).sum()),
    (R.OrthogonalRegularizer, {}, lambda x: 0.01 * orthogonality(x, "rows")),
    (R.OrthogonalRegularizer, {"factor": 2.0, "mode": "columns"}, lambda x: 2 * orthogonality(x, "columns")),
]
by_formula = pytest.mark.parametrize(
    ("kind", "options", "formula"), CASES, ids=[f"{k.__name__}-{o}" for k, o, _ in CASES]
)


@by_formula
@pytest.mark.parametrize(("dtype", "rtol"), [("float16", 2e-3), ("float32", 2e-6), ("float64", 1e-13)])
def test_values(kind, options, formula, dtype, rtol):
    x = X.astype(dtype)
    with waits(0):
        found = kind(**options)(remote(x))
    assert found.dtype == dtype and tuple(found.shape) == ()
    np.testing.assert_allclose(float(found), formula(x.astype("float64")), rtol=rtol)


@by_formula
def test_gradients_by_a_variable(kind, options, formula):
    w = tf.Variable(X)
    with tf.GradientTape() as tape:
        penalty = kind(**options)(w)
    found = tape.gradient(penalty, w)
    step = 1e-6
    numeric = [(formula(X + d) - formula(X - d)) / (2 * step) for d in step * np.eye(X.size).reshape(-1, *X.shape)]
    found = np.zeros_like(X) if found is None else found.numpy()
    np.testing.assert_allclose(found, np.reshape(numeric, X.shape), rtol=1e-6, atol=1e-9)


def test_rows_of_zeros():
    """One pair of three has a cosine, 11 / sqrt(125). The second number is what Keras 3.15 gives."""
    found = R.OrthogonalRegularizer()(remote([[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]]))
    assert float(found) == pytest.approx(0.01 / 3 * 11 / math.sqrt(125), rel=1e-6)
    assert float(found) == pytest.approx(0.003279566066339612, rel=1e-6)


def test_one_row_has_no_pairs():
    assert math.isnan(float(R.OrthogonalRegularizer()(remote([[1.0, 2.0]]))))
    assert math.isnan(float(R.OrthogonalRegularizer(mode="columns")(remote([[1.0], [2.0]]))))


def test_nothing_and_what_is_no_number():
    for kind in (R.L1, R.L2, R.L1L2):
        assert float(kind()(tf.zeros([0, 3]))) == 0.0
    assert math.isnan(float(R.L1()(remote([1.0, np.nan]))))
    assert float(R.L2()(remote([1.0, np.inf]))) == math.inf


@pytest.mark.parametrize("wrong", [-1, -0.1, math.nan, math.inf, -math.inf, "a", [1.0]])
def test_factors_that_are_refused(wrong):
    for make in (
        lambda: R.L1(wrong),
        lambda: R.L2(wrong),
        lambda: R.L1L2(l1=wrong),
        lambda: R.L1L2(l2=wrong),
        lambda: R.OrthogonalRegularizer(wrong),
    ):
        with pytest.raises(ValueError, match="expected a non-negative float"):
            make()


def test_none_is_the_default():
    assert R.L1(None).get_config() == {"l1": 0.01}
    assert R.L2(None).get_config() == {"l2": 0.01}
    assert R.L1L2(None, None).get_config() == {"l1": 0.0, "l2": 0.0}


def test_orthogonality_refuses():
    with pytest.raises(ValueError, match="Invalid value for argument `mode`"):
        R.OrthogonalRegularizer(mode="diagonals")
    with pytest.raises(ValueError, match="must have rank 2"):
        R.OrthogonalRegularizer()(tf.ones([3]))


def test_get():
    assert R.get(None) is None
    for name, kind in (("l1", R.L1), ("L1", R.L1), ("l2", R.L2), ("l1_l2", R.L1L2), ("L1L2", R.L1L2),
                       ("orthogonal_regularizer", R.OrthogonalRegularizer)):  # fmt: skip
        assert type(R.get(name)) is kind
        assert getattr(R, name) is kind
    made = R.L2(0.5)
    assert R.get(made) is made
    assert R.get(tf.reduce_sum) is tf.reduce_sum
    assert type(R.get(R.L1)) is R.L1
    for wrong in ("nope", 3):
        with pytest.raises(ValueError, match="Could not interpret regularizer identifier"):
            R.get(wrong)


@pytest.mark.parametrize("made", [R.L1(0.1), R.L2(0.2), R.L1L2(0.1, 0.2), R.OrthogonalRegularizer(0.3, "columns")])
def test_configurations_make_the_same_again(made):
    config = R.serialize(made)
    assert config == {"class_name": type(made).__name__, "config": made.get_config()}
    again = R.deserialize(config)
    assert type(again) is type(made) and again.get_config() == made.get_config()
    assert float(again(tf.constant(X))) == float(made(tf.constant(X)))


def test_own_regularizers():
    class Mean(R.Regularizer):
        def __call__(self, x):
            return tf.reduce_mean(x)

    layer = tf.keras.layers.Dense(2, kernel_initializer="ones", kernel_regularizer=Mean(), bias_regularizer="l2")
    layer(tf.ones([1, 3]))
    assert sorted(float(loss) for loss in layer.losses) == [0.0, 1.0]
    with pytest.raises(NotImplementedError, match="does not implement get_config"):
        Mean().get_config()
