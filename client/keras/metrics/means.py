"""Metrics that are the mean of a value of each example: accuracies, errors and cross-entropies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import client as tf
from client.api import public
from client.keras import losses
from client.keras.losses.loss import as_predictions, converted, dims, pair, same_rank
from client.keras.metrics.metric import FUNCTIONS, METRICS, Mean, MeanMetricWrapper, as_tensor, unrecorded
from client.tensor import Tensor

# --- accuracies ------------------------------------------------------------------------------------------------------


@FUNCTIONS.add()
def accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 for each element that is its label, else 0."""
    y_pred = as_tensor(y_pred)
    y_true, y_pred = same_rank(converted(y_true, y_pred._spec.dtype), y_pred)
    return tf.cast(tf.equal(y_true, y_pred), tf.float32)


@public("keras.metrics.binary_accuracy")
@FUNCTIONS.add()
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Tensor:
    """1 for each element whose prediction is on the label's side of the threshold, else 0.

    >>> import client as tf
    >>> print(tf.keras.metrics.binary_accuracy([[1.0, 0.0]], [[0.9, 0.6]]).numpy())
    [[1. 0.]]
    """
    y_true, y_pred = pair(y_true, y_pred)
    return tf.cast(tf.equal(y_true, tf.cast(y_pred > threshold, y_true.dtype)), tf.float32)


def _hits(classes: Any, y_pred: Any) -> Tensor:
    """1 where the likeliest class is that of `classes`, integers or whole floats."""
    kind = classes._spec.dtype
    kind = kind if kind in (tf.int32, tf.int64) else tf.int64
    return tf.cast(tf.equal(converted(classes, kind), tf.argmax(y_pred, -1, output_type=kind)), tf.float32)


@public("keras.metrics.categorical_accuracy")
@FUNCTIONS.add()
def categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 for each example whose likeliest class is the label's, else 0.

    >>> import client as tf
    >>> print(tf.keras.metrics.categorical_accuracy([[0.0, 1.0]], [[0.3, 0.7]]).numpy())
    [1.]
    """
    return _hits(tf.argmax(as_tensor(y_true), -1), as_predictions(y_pred))


@public("keras.metrics.sparse_categorical_accuracy")
@FUNCTIONS.add()
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 for each example whose likeliest class is the label, an integer, else 0.

    >>> import client as tf
    >>> print(tf.keras.metrics.sparse_categorical_accuracy([1], [[0.3, 0.7]]).numpy())
    [1.]
    """
    y_pred, y_true = as_predictions(y_pred), as_tensor(y_true)
    if len(dims(y_true)) == len(dims(y_pred)) and dims(y_true)[-1] == 1:
        y_true = tf.squeeze(y_true, -1)
    return _hits(y_true, y_pred)


@public("keras.metrics.top_k_categorical_accuracy")
@FUNCTIONS.add()
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Tensor:
    """1 for each example whose label is among the k likeliest classes, else 0.

    >>> import client as tf
    >>> print(tf.keras.metrics.top_k_categorical_accuracy([[0.0, 1.0]], [[0.7, 0.3]], k=1).numpy())
    [0.]
    """
    return sparse_top_k_categorical_accuracy(tf.argmax(as_tensor(y_true), -1), y_pred, k)


@public("keras.metrics.sparse_top_k_categorical_accuracy")
@FUNCTIONS.add()
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Tensor:
    """1 for each example whose label, an integer, is among the k likeliest classes, else 0.

    >>> import client as tf
    >>> print(tf.keras.metrics.sparse_top_k_categorical_accuracy([1], [[0.7, 0.3]], k=2).numpy())
    [1.]
    """
    y_true = as_tensor(y_true)
    if from_sorted_ids:
        ids = tf.cast(as_tensor(y_pred)[:, :k], tf.int64)
        return tf.cast(tf.reduce_any(tf.equal(tf.cast(y_true, tf.int64)[:, tf.newaxis], ids), -1), tf.float32)
    y_pred = as_predictions(y_pred)
    shape = dims(y_true)
    classes = dims(y_pred)[-1]
    found = tf.math.in_top_k(tf.reshape(tf.cast(y_true, tf.int64), [-1]), tf.reshape(y_pred, [-1, classes]), k)
    return tf.reshape(tf.cast(found, tf.float32), shape if None not in shape else tf.shape(y_true))


def mean_of(function: Callable[..., Any], class_name: str, name: str, what: str, **options: Any) -> type:
    """A metric that is the mean of `function`, with the options as further arguments."""
    parameters = ", ".join(["name=_name", "dtype=None", *(f"{o}=_default_{o}" for o in options)])
    given = ", ".join(f"{o}={o}" for o in options)
    scope: dict[str, Any] = {"_base": MeanMetricWrapper, "_function": function, "_name": name}
    scope.update({f"_default_{o}": v for o, v in options.items()})
    source = f"def __init__(self, {parameters}):\n    _base.__init__(self, _function, name, dtype, {given})"
    exec(source, scope)  # so that the signature is Keras'
    made = type(class_name, (MeanMetricWrapper,), {"__init__": scope["__init__"], "__module__": __name__})
    lines = "".join(f"\n        {o}: as in the function of that name." for o in options)
    made.__doc__ = f"""{what}

    Args:
        name: its name.
        dtype: the dtype of its state.{lines}

    >>> import client as tf
    >>> tf.keras.metrics.{class_name}().name
    '{name}'
    """
    public(f"keras.metrics.{class_name}")(made)
    METRICS.add()(made)
    return made


for _function, _class, _name, _what, _options in (
    (accuracy, "Accuracy", "accuracy", "How often predictions equal labels.", {}),
    (
        binary_accuracy, "BinaryAccuracy", "binary_accuracy",
        "How often predictions are on the label's side of a threshold.", {"threshold": 0.5},
    ),
    (
        categorical_accuracy, "CategoricalAccuracy", "categorical_accuracy",
        "How often the likeliest class is the label's, one-hot.", {},
    ),
    (
        sparse_categorical_accuracy, "SparseCategoricalAccuracy", "sparse_categorical_accuracy",
        "How often the likeliest class is the label, an integer.", {},
    ),
    (losses.mean_squared_error, "MeanSquaredError", "mean_squared_error", "The mean of squared errors.", {}),
    (losses.mean_absolute_error, "MeanAbsoluteError", "mean_absolute_error", "The mean of absolute errors.", {}),
    (
        losses.mean_absolute_percentage_error, "MeanAbsolutePercentageError", "mean_absolute_percentage_error",
        "The mean of absolute errors in percent of the true value.", {},
    ),
    (
        losses.mean_squared_logarithmic_error, "MeanSquaredLogarithmicError", "mean_squared_logarithmic_error",
        "The mean of squared differences of log(y + 1).", {},
    ),
    (losses.log_cosh, "LogCoshError", "logcosh", "The mean of log(cosh(error)).", {}),
    (
        losses.binary_crossentropy, "BinaryCrossentropy", "binary_crossentropy",
        "The cross-entropy of labels of 0 and 1.", {"from_logits": False, "label_smoothing": 0},
    ),
    (
        losses.categorical_crossentropy, "CategoricalCrossentropy", "categorical_crossentropy",
        "The cross-entropy of one-hot labels.", {"from_logits": False, "label_smoothing": 0, "axis": -1},
    ),
    (
        losses.sparse_categorical_crossentropy, "SparseCategoricalCrossentropy", "sparse_categorical_crossentropy",
        "The cross-entropy of labels that are integers.", {"from_logits": False, "ignore_class": None, "axis": -1},
    ),
    (losses.kl_divergence, "KLDivergence", "kl_divergence", "The Kullback-Leibler divergence.", {}),
    (losses.poisson, "Poisson", "poisson", "The mean of y_pred - y_true log(y_pred).", {}),
    (losses.hinge, "Hinge", "hinge", "The mean of max(1 - y_true y_pred, 0).", {}),
    (losses.squared_hinge, "SquaredHinge", "squared_hinge", "The mean of max(1 - y_true y_pred, 0)^2.", {}),
    (
        losses.categorical_hinge, "CategoricalHinge", "categorical_hinge",
        "The mean of max(neg - pos + 1, 0).", {},
    ),
):  # fmt: skip
    globals()[_class] = mean_of(_function, _class, _name, _what, **_options)


def _cosine(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    return -losses.cosine_similarity(y_true, y_pred, axis)


_cosine.__name__ = "cosine_similarity"
FUNCTIONS.add()(_cosine)
mean_of(_cosine, "CosineSimilarity", "cosine_similarity", "The cosine of the angle to the label.", axis=-1)


@public("keras.metrics.TopKCategoricalAccuracy")
@METRICS.add()
class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the label, one-hot, is among the k likeliest classes.

    Args:
        k: how many classes count.
        name: its name.
        dtype: the dtype of its state.

    >>> import client as tf
    >>> print(tf.keras.metrics.TopKCategoricalAccuracy(k=1)([[0.0, 1.0]], [[0.3, 0.7]]).numpy())
    1.0
    """

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


@public("keras.metrics.SparseTopKCategoricalAccuracy")
@METRICS.add()
class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the label, an integer, is among the k likeliest classes.

    Args:
        k: how many classes count.
        name: its name.
        dtype: the dtype of its state.
        from_sorted_ids: whether predictions are class ids, the likeliest first.

    >>> import client as tf
    >>> print(tf.keras.metrics.SparseTopKCategoricalAccuracy(k=1)([1], [[0.3, 0.7]]).numpy())
    1.0
    """

    def __init__(
        self,
        k: int = 5,
        name: str = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)


@public("keras.metrics.RootMeanSquaredError")
@METRICS.add()
class RootMeanSquaredError(Mean):
    """The root of the mean of squared errors.

    Args:
        name: its name.
        dtype: the dtype of its state.

    >>> import client as tf
    >>> print(tf.keras.metrics.RootMeanSquaredError()([[0.0]], [[2.0]]).numpy())
    2.0
    """

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    @unrecorded
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take examples into account, weighed by `sample_weight`. Does not wait."""
        y_true, y_pred = pair(y_true, y_pred)
        super().update_state(tf.math.squared_difference(y_true, y_pred), sample_weight)

    def result(self) -> Any:
        """The root of the mean."""
        return tf.sqrt(super().result())


METRICS.objects.update(
    {
        alias: METRICS.objects[name]
        for name, aliases in (
            ("MeanSquaredError", ("mse", "MSE")),
            ("MeanAbsoluteError", ("mae", "MAE")),
            ("MeanAbsolutePercentageError", ("mape", "MAPE")),
            ("MeanSquaredLogarithmicError", ("msle", "MSLE")),
            ("BinaryCrossentropy", ("bce", "BCE")),
            ("KLDivergence", ("kld", "KLD", "kl_divergence", "kullback_leibler_divergence")),
            ("LogCoshError", ("logcosh", "log_cosh")),
        )
        for alias in aliases
    }
)
