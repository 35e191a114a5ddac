"""Regularizers and their gradients against arithmetic, in a model's losses, and by name."""

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

R = tf.keras.regularizers
X = np.random.default_rng(5).normal(size=(4, 3))


def cosines(x):
    """The mean of |cosine| over the pairs of rows."""
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.mean([abs(unit[i] @ unit[j]) for i in range(len(x)) for j in range(i)])


CASES = [
    (R.L1(), lambda x: 0.01 * abs(x).sum()),
    (R.L1(0.5), lambda x: 0.5 * abs(x).sum()),
    (R.L1(0), lambda x: 0.0),
    (R.L1(None), lambda x: 0.01 * abs(x).sum()),
    (R.L2(), lambda x: 0.01 * (x**2).sum()),
    (R.L2(2), lambda x: 2 * (x**2).sum()),
    (R.L1L2(), lambda x: 0.0),
    (R.L1L2(l1=0.25), lambda x: 0.25 * abs(x).sum()),
    (R.L1L2(l2=0.25), lambda x: 0.25 * (x**2).sum()),
    (R.L1L2(0.5, 0.125), lambda x: 0.5 * abs(x).sum() + 0.125 * (x**2).sum()),
    (R.L1L2(None, None), lambda x: 0.0),
    (R.OrthogonalRegularizer(), lambda x: 0.01 * cosines(x)),
    (R.OrthogonalRegularizer(3.0, mode="columns"), lambda x: 3.0 * cosines(x.T)),
]
each_case = pytest.mark.parametrize(
    ("regularizer", "expected"), CASES, ids=[f"{type(c).__name__}-{c.get_config()}" for c, _ in CASES]
)


@each_case
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12), ("float16", 4e-3)])
def test_values(regularizer, expected, dtype, tolerance):
    with waits(0):
        found = regularizer(remote(X, dtype))
    assert found.dtype == dtype
    assert found.shape == ()
    np.testing.assert_allclose(found.numpy(), expected(X), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(regularizer(tf.Variable(X, dtype=dtype)).numpy(), found.numpy())


@each_case
def test_gradients(regularizer, expected):
    with waits(0):
        x = remote(X, "float64")
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = regularizer(x)
        gradient = tape.gradient(loss, x, unconnected_gradients="zero")
    numeric, step = np.empty_like(X), 1e-6
    for at in np.ndindex(X.shape):
        up, down = X.copy(), X.copy()
        up[at] += step
        down[at] -= step
        numeric[at] = (expected(up) - expected(down)) / (2 * step)
    np.testing.assert_allclose(gradient.numpy(), numeric, rtol=1e-6, atol=1e-7)


@each_case
def test_configurations(regularizer, expected):
    config = R.serialize(regularizer)
    assert config == {"class_name": type(regularizer).__name__, "config": regularizer.get_config()}
    for made in (R.deserialize(config), R.get(config), type(regularizer).from_config(regularizer.get_config())):
        assert type(made) is type(regularizer)
        assert made.get_config() == regularizer.get_config()
        np.testing.assert_allclose(made(tf.constant(X)).numpy(), expected(X), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("L1", R.L1), ("l1", R.L1), ("L2", R.L2), ("l2", R.L2), ("L1L2", R.L1L2), ("l1_l2", R.L1L2),
     ("OrthogonalRegularizer", R.OrthogonalRegularizer), ("orthogonal_regularizer", R.OrthogonalRegularizer)],
)  # fmt: skip
def test_names(name, kind):
    assert type(R.get(name)) is kind
    assert getattr(R, name) is kind
    if name != "l1_l2":
        assert R.get(name).get_config() == kind().get_config()


def test_the_name_of_both_has_factors():
    """As in TensorFlow 2.4: those of the class would do nothing. Keras 3 does not know the name."""
    assert R.get("l1_l2").get_config() == {"l1": 0.01, "l2": 0.01}


def test_get():
    def penalty(x):
        return tf.reduce_max(x)

    assert R.get(None) is None
    assert R.get(penalty) is penalty
    assert type(R.get(R.L2)) is R.L2
    for wrong in ("nothing", 3, {"class_name": "Nothing", "config": {}}):
        with pytest.raises(ValueError, match="regularizer"):
            R.get(wrong)


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), float("inf"), "0.1", [0.1]])
@pytest.mark.parametrize(("kind", "name"), [(R.L1, "l1"), (R.L2, "l2"), (R.L1L2, "l1"), (R.L1L2, "l2"),
                                            (R.OrthogonalRegularizer, "factor")])  # fmt: skip
def test_a_factor_must_be_a_number_that_is_not_negative(kind, name, wrong):
    with pytest.raises(ValueError, match=f"expected a non-negative float. Received: {name}="):
        kind(**{name: wrong})


def test_orthogonal_refuses():
    with pytest.raises(ValueError, match="mode"):
        R.OrthogonalRegularizer(mode="diagonals")
    for shape in ((), (2,), (2, 2, 2)):
        with pytest.raises(ValueError, match="rank 2"):
            R.OrthogonalRegularizer()(tf.zeros(shape))


def test_a_base():
    class Largest(R.Regularizer):
        def __call__(self, x):
            return tf.reduce_max(x)

    assert R.Regularizer()(tf.constant(1.0)) == 0.0
    with pytest.raises(NotImplementedError, match="get_config"):
        Largest().get_config()
    layer = tf.keras.layers.Dense(2, kernel_regularizer=Largest())
    layer.build((1, 2))
    layer.kernel.assign([[1.0, 5.0], [3.0, 2.0]])
    assert [float(loss) for loss in layer.losses] == [5.0]


def test_rows_of_zeros():
    """One pair of three has a cosine, 11 / sqrt(125). The second number is what Keras 3.15 gives."""
    found = float(R.OrthogonalRegularizer()(remote([[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]])))
    assert found == pytest.approx(0.01 / 3 * 11 / 125**0.5, rel=1e-6)
    assert found == pytest.approx(0.003279566066339612, rel=1e-6)


def test_one_row_has_no_pairs():
    """NaN, as in Keras."""
    assert np.isnan(float(R.OrthogonalRegularizer()(remote([[1.0, 2.0]]))))
    assert np.isnan(float(R.OrthogonalRegularizer(mode="columns")(remote([[1.0], [2.0]]))))


def test_nothing_and_nan():
    for regularizer in (R.L1(), R.L2(), R.L1L2(1.0, 1.0)):
        assert float(regularizer(tf.zeros([0, 3]))) == 0.0
        assert np.isnan(float(regularizer(tf.constant([np.nan, 1.0]))))
    assert float(R.OrthogonalRegularizer(1.0)(tf.zeros([3, 2]))) == 0.0
    assert float(R.L2()(remote([1.0, np.inf]))) == np.inf


def test_a_model_adds_them_up():
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Dense(2, kernel_regularizer="l2", bias_regularizer=R.L1(0.5), kernel_initializer="ones",
                         bias_initializer="ones", input_shape=(3,)),
            layers.Dense(1, activity_regularizer=R.L2(0.25), kernel_initializer="ones"),
        ]
    )  # fmt: skip
    model(tf.ones([2, 3]))
    # 0.01 * 6 ones, 0.5 * 2 ones; outputs of 2 * (3 + 1) = 8 for both rows: 0.25 * 2 * 64, divided by the batch's size
    assert sorted(float(loss) for loss in model.losses) == pytest.approx([0.06, 1.0, 16.0])
