"""Losses against NumPy in double precision: values, reductions, weights, masks, ranks, errors, configurations."""

import inspect

import numpy as np
import pytest

import client as tf
from client.keras.layers import masks
from client.keras.losses.loss import LossFunctionWrapper
from tests.client.waiting import remote, waits

K = tf.keras.losses
RNG = np.random.default_rng(4)
TRUE = RNG.random((5, 3))
GIVEN = RNG.random((5, 3)) * 0.8 + 0.1
BINARY = (RNG.random((5, 3)) < 0.5).astype(float)
LOGITS = RNG.normal(size=(5, 3))
CLASSES = np.array([0, 2, 1, 1, 0])
ONE_HOT = np.eye(3)[CLASSES]
WEIGHTS = np.array([1.0, 0.0, 2.0, 0.5, 3.0])


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def binary(y, p):
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def sides(y):
    return 2 * y - 1


def unit(x, axis=-1):
    return x / np.linalg.norm(x, axis=axis, keepdims=True)


def focal(y, p, gamma=2.0):
    return (1 - (y * p + (1 - y) * (1 - p))) ** gamma * binary(y, p)


PROBABLE = softmax(LOGITS)

# A class, its arguments, labels, predictions, and the loss of each example.
LOSSES = [
    (K.MeanSquaredError, {}, TRUE, GIVEN, ((TRUE - GIVEN) ** 2).mean(-1)),
    (K.MeanAbsoluteError, {}, TRUE, GIVEN, np.abs(TRUE - GIVEN).mean(-1)),
    (K.MeanAbsolutePercentageError, {}, TRUE, GIVEN, 100 * np.abs((TRUE - GIVEN) / TRUE).mean(-1)),
    (K.MeanSquaredLogarithmicError, {}, TRUE, GIVEN, ((np.log1p(TRUE) - np.log1p(GIVEN)) ** 2).mean(-1)),
    (K.Huber, {"delta": 0.25}, TRUE, GIVEN,
     np.where(abs(TRUE - GIVEN) <= 0.25, (TRUE - GIVEN) ** 2 / 2, 0.25 * abs(TRUE - GIVEN) - 0.25**2 / 2).mean(-1)),
    (K.LogCosh, {}, TRUE, GIVEN, np.log(np.cosh(TRUE - GIVEN)).mean(-1)),
    (K.Poisson, {}, TRUE, GIVEN, (GIVEN - TRUE * np.log(GIVEN)).mean(-1)),
    (K.CosineSimilarity, {}, TRUE, GIVEN, -(unit(TRUE) * unit(GIVEN)).sum(-1)),
    (K.KLDivergence, {}, TRUE, GIVEN, (TRUE * np.log(TRUE / GIVEN)).sum(-1)),
    (K.Hinge, {}, BINARY, LOGITS, np.maximum(1 - sides(BINARY) * LOGITS, 0).mean(-1)),
    (K.Hinge, {}, sides(BINARY), LOGITS, np.maximum(1 - sides(BINARY) * LOGITS, 0).mean(-1)),
    (K.SquaredHinge, {}, BINARY, LOGITS, (np.maximum(1 - sides(BINARY) * LOGITS, 0) ** 2).mean(-1)),
    (K.CategoricalHinge, {}, ONE_HOT, GIVEN,
     np.maximum(((1 - ONE_HOT) * GIVEN).max(-1) - (ONE_HOT * GIVEN).sum(-1) + 1, 0)),
    (K.BinaryCrossentropy, {}, BINARY, GIVEN, binary(BINARY, GIVEN).mean(-1)),
    (K.BinaryCrossentropy, {"from_logits": True, "label_smoothing": 0.2}, BINARY, LOGITS,
     binary(BINARY * 0.8 + 0.1, sigmoid(LOGITS)).mean(-1)),
    (K.BinaryFocalCrossentropy, {}, BINARY, GIVEN, focal(BINARY, GIVEN).mean(-1)),
    (K.BinaryFocalCrossentropy, {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5}, BINARY, GIVEN,
     ((BINARY * 0.3 + (1 - BINARY) * 0.7) * focal(BINARY, GIVEN, 1.5)).mean(-1)),
    (K.CategoricalCrossentropy, {}, ONE_HOT, PROBABLE, -(ONE_HOT * np.log(PROBABLE)).sum(-1)),
    (K.CategoricalCrossentropy, {}, ONE_HOT, 3 * PROBABLE, -(ONE_HOT * np.log(PROBABLE)).sum(-1)),
    (K.CategoricalCrossentropy, {"from_logits": True, "label_smoothing": 0.3}, ONE_HOT, LOGITS,
     -((ONE_HOT * 0.7 + 0.1) * np.log(PROBABLE)).sum(-1)),
    (K.CategoricalFocalCrossentropy, {"from_logits": True}, ONE_HOT, LOGITS,
     (0.25 * (1 - PROBABLE) ** 2 * -ONE_HOT * np.log(PROBABLE)).sum(-1)),
    (K.SparseCategoricalCrossentropy, {}, CLASSES, PROBABLE, -np.log(PROBABLE[range(5), CLASSES])),
    (K.SparseCategoricalCrossentropy, {"from_logits": True}, CLASSES, LOGITS, -np.log(PROBABLE[range(5), CLASSES])),
    (K.CategoricalGeneralizedCrossEntropy, {"q": 0.7}, CLASSES, PROBABLE,
     (1 - PROBABLE[range(5), CLASSES] ** 0.7) / 0.7),
    (K.Dice, {"axis": 1}, BINARY, GIVEN, 1 - 2 * (BINARY * GIVEN).sum(1) / (BINARY.sum(1) + GIVEN.sum(1))),
    (K.Tversky, {"alpha": 0.2, "beta": 0.7, "axis": 1}, BINARY, GIVEN,
     1 - (BINARY * GIVEN).sum(1) / ((BINARY * GIVEN).sum(1) + 0.2 * (BINARY * (1 - GIVEN)).sum(1)
                                    + 0.7 * ((1 - BINARY) * GIVEN).sum(1))),
]  # fmt: skip
every_loss = pytest.mark.parametrize(
    ("kind", "options", "labels", "given", "expected"), LOSSES, ids=[f"{c[0].__name__}-{c[1]}" for c in LOSSES]
)


@every_loss
def test_values_of_examples(kind, options, labels, given, expected):
    found = kind(reduction="none", **options)(labels, given)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-4, atol=2e-6)


@every_loss
def test_a_loss_waits_for_nothing_and_survives_its_configuration(kind, options, labels, given, expected):
    made = kind(**options)
    config = K.serialize(made)
    labels, given = remote(labels), remote(given, "float32")
    with waits(0):
        first = made(labels, given)
        second = K.deserialize(config)(labels, given)
    assert first.shape == ()
    np.testing.assert_allclose(first.numpy(), expected.mean(), rtol=2e-4, atol=2e-6)
    assert float(second) == float(first)


@pytest.mark.parametrize("weights", [None, WEIGHTS, WEIGHTS[:, None], 0.25, np.zeros(5)], ids=str)
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None])
def test_reductions(reduction, weights):
    examples = ((TRUE - GIVEN) ** 2).mean(-1)
    each = np.ones(5) if weights is None else np.reshape(weights, -1)
    weighed = examples * each
    if reduction == "sum":
        expected = weighed.sum()
    elif reduction == "mean_with_sample_weight":
        expected = weighed.sum() / each.sum() if each.any() else 0.0
    elif reduction in ("none", None):
        expected = weighed if np.ndim(weights) < 2 else weighed[:, None]  # as the weights, an axis of one more
    else:
        expected = weighed.mean()
    found = K.MeanSquaredError(reduction=reduction)(TRUE, GIVEN, sample_weight=weights)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-7)


def test_an_unknown_reduction():
    with pytest.raises(ValueError, match=r"Invalid value for argument `reduction`\. Expected one of .* reduction=most"):
        K.Huber(reduction="most")


def test_the_cross_entropy_of_logits_is_two_ops():
    labels, logits = remote(CLASSES), remote(LOGITS, "float32")
    loss = K.SparseCategoricalCrossentropy(from_logits=True)
    before = tf.stats()["ops"]
    loss(labels, logits)
    assert tf.stats()["ops"] - before == 2  # the entropies and their mean


@pytest.mark.parametrize(
    ("first", "second"), [((5,), (5, 1)), ((5, 1), (5,)), ((5, 2), (5, 2, 1)), ((5, 2, 1), (5, 2))]
)
@pytest.mark.parametrize("kind", [K.MeanSquaredError, K.BinaryCrossentropy, K.Poisson, K.KLDivergence, K.Hinge])
def test_an_axis_of_one_more_is_no_difference(kind, first, second):
    size = int(np.prod(first))
    labels, given = np.resize(BINARY, size), np.resize(GIVEN, size)
    found = kind(reduction="sum")(labels.reshape(first), given.reshape(second))
    shape = (5, size // 5)
    expected = kind(reduction="sum")(labels.reshape(shape), given.reshape(shape))
    assert float(found) == float(expected)


def test_the_mean_of_no_examples_is_zero():
    assert float(K.MeanSquaredError()(np.zeros((0, 2, 3)), np.zeros((0, 2, 3)))) == 0.0
    assert K.MeanSquaredError()(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)  # one value for each of none
    empty = tf.boolean_mask(remote(TRUE), remote([False] * 5))
    assert float(K.MeanAbsoluteError()(tf.reshape(empty, [-1, 1, 3]), tf.reshape(empty, [-1, 1, 3]))) == 0.0


def test_dtypes_of_labels_and_predictions():
    assert K.MeanSquaredError()([[1, 2]], np.array([[2, 4]])).dtype == tf.float32
    assert K.MeanSquaredError(dtype="float64")([[1, 2]], [[2, 4]]).dtype == tf.float64
    assert K.mean_squared_error(np.array([1, 2]), np.array([2.0, 4.0])).dtype == tf.float64
    assert float(K.SparseCategoricalCrossentropy()(CLASSES.astype("uint8"), PROBABLE)) == pytest.approx(
        -np.log(PROBABLE[range(5), CLASSES]).mean(), rel=1e-5
    )


def test_an_ignored_class_counts_neither_in_the_mean_nor_in_the_gradient():
    logits = tf.Variable(np.where((CLASSES == 1)[:, None], np.nan, LOGITS).astype("float32"))
    loss = K.SparseCategoricalCrossentropy(from_logits=True, ignore_class=1)
    with tf.GradientTape() as tape:
        value = loss(CLASSES, logits)
    kept = CLASSES != 1
    assert float(value) == pytest.approx(-np.log(PROBABLE[range(5), CLASSES])[kept].mean(), rel=1e-5)
    expected = np.where(kept[:, None], (PROBABLE - ONE_HOT) / kept.sum(), 0.0)
    np.testing.assert_allclose(tape.gradient(value, logits).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_a_mask_leaves_examples_out_of_the_mean(weights):
    inside = np.array([True, False, True, True, False])
    given = remote(GIVEN, "float32")
    masks.put(given, tf.constant(inside))
    found = K.MeanSquaredError()(TRUE, given, sample_weight=weights)
    examples = ((TRUE - GIVEN) ** 2).mean(-1) * (1.0 if weights is None else weights)
    assert float(found) == pytest.approx(examples[inside].mean(), rel=1e-5)


def test_a_mask_of_nothing_gives_zero():
    given = remote(GIVEN, "float32")
    masks.put(given, tf.zeros(5, tf.bool))
    assert float(K.MeanSquaredError()(TRUE, given)) == 0.0


def test_a_loss_of_structures():
    class Both(K.Loss):
        def call(self, y_true, y_pred):
            return tf.abs(y_true["a"] - y_pred["a"]) + tf.abs(y_true["b"] - y_pred["b"])

    found = Both()({"a": TRUE[:, 0], "b": TRUE[:, 1]}, {"a": GIVEN[:, 0], "b": GIVEN[:, 1]})
    assert float(found) == pytest.approx(np.abs(TRUE - GIVEN)[:, :2].sum(-1).mean(), rel=1e-5)


def test_a_loss_without_a_call_and_one_without_a_name():
    with pytest.raises(NotImplementedError):
        K.Loss()([1.0], [2.0])
    assert K.Loss(name="mine").get_config() == {"name": "mine", "reduction": "sum_over_batch_size"}


@pytest.mark.parametrize(
    ("labels", "given", "message"),
    [
        (ONE_HOT[:, :2], GIVEN, "must have the same shape. Received: target.shape=(5, 2), output.shape=(5, 3)"),
        (ONE_HOT[None], GIVEN, "must have the same rank (ndim). Received: target.shape=(1, 5, 3), output.shape=(5, 3)"),
    ],
)
@pytest.mark.parametrize("kind", [K.CategoricalCrossentropy, K.BinaryCrossentropy])
def test_shapes_that_differ(kind, labels, given, message):
    with pytest.raises(ValueError) as found:
        kind()(labels, given)
    assert str(found.value) == f"Arguments `target` and `output` {message}"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: K.SparseCategoricalCrossentropy()(CLASSES[:4], GIVEN),
         "Arguments `target` and `output` must have the same shape up until the last dimension: target.shape=(4,), "
         "output.shape=(5, 3)"),
        (lambda: K.SparseCategoricalCrossentropy()(ONE_HOT, GIVEN),
         "Argument `output` must have rank (ndim) `target.ndim - 1`. Received: target.shape=(5, 3), "
         "output.shape=(5, 3)"),
        (lambda: K.SparseCategoricalCrossentropy(axis=0)(CLASSES, GIVEN),
         "Only axis=-1 is currently supported. Received: axis=0"),
        (lambda: K.CategoricalGeneralizedCrossEntropy(q=1.0), "q must be in the interval (0, 1)"),
        (lambda: K.get("nothing"), "Could not interpret loss identifier: nothing"),
    ],
)  # fmt: skip
def test_other_errors(function, message):
    with pytest.raises(ValueError) as found:
        function()
    assert str(found.value) == message


def test_names():
    assert K.get("mse") is K.get("MSE") is K.mse is K.mean_squared_error is tf.keras.metrics.MSE
    assert K.get("kld") is K.kullback_leibler_divergence is tf.keras.metrics.kl_divergence
    assert K.logcosh is tf.keras.metrics.logcosh
    assert K.get("hinge") is K.hinge
    assert isinstance(K.get("Hinge"), K.Hinge)
    assert K.get(None) is None
    assert K.Reduction.NONE == "none"
    assert float(tf.keras.losses.MeanSquaredError(reduction=K.Reduction.SUM)([[1.0], [2.0]], [[0.0], [0.0]])) == 5.0


def test_a_wrapped_function_survives_its_configuration():
    made = LossFunctionWrapper(K.huber, reduction="sum", name="h", delta=0.5)
    copy = LossFunctionWrapper.from_config(made.get_config())
    assert (
        float(copy(TRUE, GIVEN)) == float(made(TRUE, GIVEN)) == pytest.approx(float(K.Huber(0.5, "sum")(TRUE, GIVEN)))
    )


def test_signatures_are_keras():
    def names(function):
        return list(inspect.signature(function).parameters)

    assert names(K.SparseCategoricalCrossentropy) == [
        "from_logits", "ignore_class", "reduction", "axis", "name", "dtype",
    ]  # fmt: skip
    assert names(K.Tversky) == ["alpha", "beta", "reduction", "name", "axis", "dtype"]
    assert names(K.BinaryCrossentropy) == ["from_logits", "label_smoothing", "axis", "reduction", "name", "dtype"]


def test_probabilities_at_their_ends_give_finite_losses():
    found = K.BinaryCrossentropy()([[1.0, 0.0]], [[0.0, 1.0]])
    assert float(found) == pytest.approx(-np.log(1e-7), rel=0.02)
    assert np.isfinite(float(K.CategoricalCrossentropy()([[1.0, 0.0]], [[0.0, 1.0]])))
    assert np.isnan(float(K.MeanSquaredError()([[np.nan]], [[1.0]])))
