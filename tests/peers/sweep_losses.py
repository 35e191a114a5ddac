"""Every loss under every reduction, with and without weights; ranks, empty batches, structures, functions, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

RNG = np.random.default_rng(0)
TRUE = RNG.random((6, 4)).astype(np.float32)
PROBABILITIES = (RNG.random((6, 4)) * 0.9 + 0.05).astype(np.float32)
LOGITS = RNG.normal(size=(6, 4)).astype(np.float32)
CLASSES = np.array([0, 1, 2, 3, 1, 0])
ONE_HOT = np.eye(4, dtype=np.float32)[CLASSES]
BINARY = (TRUE > 0.5).astype(np.float32)
WEIGHTS = RNG.random(6).astype(np.float32)
WITH_NAN = np.where((CLASSES == 1)[:, None], np.float32(np.nan), LOGITS)

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)
LOSSES: list[tuple[str, dict[str, Any], np.ndarray, np.ndarray]] = [
    ("MeanSquaredError", {}, TRUE, PROBABILITIES),
    ("MeanAbsoluteError", {}, TRUE, PROBABILITIES),
    ("MeanAbsolutePercentageError", {}, TRUE, PROBABILITIES),
    ("MeanSquaredLogarithmicError", {}, TRUE, PROBABILITIES),
    ("Huber", {"delta": 0.3}, TRUE, PROBABILITIES),
    ("LogCosh", {}, TRUE, PROBABILITIES),
    ("Poisson", {}, TRUE, PROBABILITIES),
    ("CosineSimilarity", {}, TRUE, PROBABILITIES),
    ("CosineSimilarity", {"axis": 0}, TRUE, PROBABILITIES),
    ("KLDivergence", {}, TRUE, PROBABILITIES),
    ("Hinge", {}, BINARY, LOGITS),
    ("SquaredHinge", {}, BINARY, LOGITS),
    ("Hinge", {}, TRUE, LOGITS),
    ("CategoricalHinge", {}, ONE_HOT, PROBABILITIES),
    ("Dice", {}, BINARY, PROBABILITIES),
    ("Dice", {"axis": 1}, BINARY, PROBABILITIES),
    ("Tversky", {}, BINARY, PROBABILITIES),
    ("Tversky", {"alpha": 0.2, "beta": 0.9, "axis": 1}, BINARY, PROBABILITIES),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.5}, CLASSES, PROBABILITIES),
    ("SparseCategoricalCrossentropy", {}, CLASSES, PROBABILITIES),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, CLASSES, PROBABILITIES),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1, "from_logits": True}, CLASSES, WITH_NAN),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, CLASSES[:, None], LOGITS),
    ("SparseCategoricalCrossentropy", {"axis": 0}, CLASSES, PROBABILITIES),
    ("SparseCategoricalCrossentropy", {"axis": 1}, CLASSES, PROBABILITIES),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, CLASSES.astype(np.uint8), LOGITS),
    ("SparseCategoricalCrossentropy", {}, CLASSES.astype(np.float32), PROBABILITIES),
    *[
        (name, {"from_logits": logits, "label_smoothing": smoothing, **more}, y, LOGITS if logits else PROBABILITIES)
        for logits in (False, True)
        for smoothing in (0.0, 0.1)
        for name, more, y in (
            ("BinaryCrossentropy", {}, BINARY),
            ("BinaryFocalCrossentropy", {"apply_class_balancing": True}, BINARY),
            ("CategoricalCrossentropy", {}, ONE_HOT),
            ("CategoricalFocalCrossentropy", {}, ONE_HOT),
        )
    ],
]  # fmt: skip

FORGETFUL = ("Huber", "CosineSimilarity", "SparseCategoricalCrossentropy")  # Keras leaves some arguments out of configs

# Labels and predictions of ranks, sizes or dtypes that need a second look.
FORMS: dict[str, tuple[Any, Any]] = {
    "(6,) and (6, 1)": (BINARY[:, 0], PROBABILITIES[:, :1]),
    "(6, 1) and (6,)": (BINARY[:, :1], PROBABILITIES[:, 0]),
    "(6, 4) and (6, 4, 1)": (BINARY, PROBABILITIES[..., None]),
    "(6, 4, 1) and (6, 4)": (BINARY[..., None], PROBABILITIES),
    "(6,) and (6,)": (BINARY[:, 0], PROBABILITIES[:, 0]),
    "no examples": (np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)),
    "integers": (BINARY.astype(np.int32), BINARY.astype(np.int32)),
    "lists": (BINARY.tolist(), PROBABILITIES.tolist()),
    "doubles": (BINARY.astype(np.float64), PROBABILITIES.astype(np.float64)),
    "three axes": (BINARY.reshape(2, 3, 4), PROBABILITIES.reshape(2, 3, 4)),
}
FORM_LOSSES = (
    "BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy", "CategoricalHinge", "CosineSimilarity",
    "Dice", "Hinge", "Huber", "KLDivergence", "LogCosh", "MeanAbsoluteError", "MeanSquaredError", "Poisson", "Tversky",
)  # fmt: skip

FUNCTIONS: dict[str, tuple[np.ndarray, np.ndarray]] = {
    **dict.fromkeys(
        (
            "mse", "MSE", "mae", "MAE", "mape", "MAPE", "msle", "MSLE", "kld", "KLD", "kullback_leibler_divergence",
            "logcosh", "huber", "poisson", "hinge", "squared_hinge", "categorical_hinge", "binary_crossentropy",
            "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
        ),
        (TRUE, PROBABILITIES),
    ),
    "sparse_categorical_crossentropy": (CLASSES, PROBABILITIES),
}  # fmt: skip


def loss(name: str, options: dict[str, Any], labels: Any, given: Any, weights: Any) -> Callable[[Any], Any]:
    def program(tf: Any) -> Any:
        made = getattr(tf.keras.losses, name)(**options)
        if name not in FORGETFUL:
            made = type(made).from_config(made.get_config())
        return [np.asarray(made(labels, given, sample_weight=weights))]

    return program


def function(space: str, name: str, labels: np.ndarray, given: np.ndarray) -> Callable[[Any], Any]:
    return lambda tf: [np.asarray(getattr(getattr(tf.keras, space), name)(labels, given))]


def with_gradient(name: str, options: dict[str, Any], labels: np.ndarray, given: np.ndarray) -> Callable[[Any], Any]:
    def program(tf: Any) -> Any:
        x = tf.Variable(given)
        with tf.GradientTape() as tape:
            value = getattr(tf.keras.losses, name)(**options)(labels, x)
        return [np.asarray(tape.gradient(value, x))]

    return program


def structured(tf: Any) -> Any:
    class Both(tf.keras.losses.Loss):  # type: ignore[misc,name-defined]
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return tf.abs(y_true["a"] - y_pred["a"]) + tf.abs(y_true["b"] - y_pred["b"])

    labels, given = {"a": TRUE[:, 0], "b": TRUE[:, 1]}, {"a": LOGITS[:, 0], "b": LOGITS[:, 1]}
    return [np.asarray(Both()(labels, given)), np.asarray(Both()(labels, given, sample_weight=WEIGHTS))]


def cases() -> Iterator[tuple[str, Any]]:
    for i, (name, options, labels, given) in enumerate(LOSSES):
        for reduction in REDUCTIONS:
            for weights in (None, WEIGHTS):
                label = f"{i} {name} {options} {reduction}{'' if weights is None else ', weighted'}"
                yield label, loss(name, {**options, "reduction": reduction}, labels, given, weights)
        yield f"{i} {name} {options}, gradient", with_gradient(name, options, labels, given)
    for form, (labels, given) in FORMS.items():
        for name in FORM_LOSSES:
            if (name, form) == ("CategoricalHinge", "no examples"):
                continue  # Keras refuses the largest of nothing even where there are no rows
            yield f"{name} of {form}", loss(name, {}, labels, given, None)
    for form, weights in {
        "a scalar": 0.5, "zeros": np.zeros(6, np.float32), "(6, 1)": WEIGHTS[:, None], "integers": [0, 1, 2, 3, 4, 5],
        "too few": WEIGHTS[:5],
    }.items():  # fmt: skip
        for reduction in REDUCTIONS:
            yield (
                f"weights: {form}, {reduction}",
                loss("MeanSquaredError", {"reduction": reduction}, TRUE, PROBABILITIES, weights),
            )
    for name, (labels, given) in FUNCTIONS.items():
        for space in ("losses", "metrics"):
            yield f"{space}.{name}", function(space, name, labels, given)
    for name in ("cosine_similarity", "dice", "tversky"):
        yield f"losses.{name}", function("losses", name, TRUE, PROBABILITIES)
    for name, options, labels, given in (
        ("CategoricalCrossentropy", {}, ONE_HOT[:, :3], PROBABILITIES),
        ("CategoricalCrossentropy", {}, ONE_HOT[:, None], PROBABILITIES),
        ("CategoricalCrossentropy", {"axis": True}, ONE_HOT, PROBABILITIES),
        ("BinaryCrossentropy", {}, BINARY[:5], PROBABILITIES),
        ("SparseCategoricalCrossentropy", {}, CLASSES[:5], PROBABILITIES),
        ("SparseCategoricalCrossentropy", {}, ONE_HOT, PROBABILITIES),
        ("CategoricalGeneralizedCrossEntropy", {"q": 1.0}, CLASSES, PROBABILITIES),
    ):
        yield f"wrong: {name} {options} {np.shape(labels)}", loss(name, options, labels, given, None)
    yield "structures", structured
