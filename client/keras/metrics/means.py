"""Metrics that are the mean of a value of each example: accuracies, errors and cross-entropies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import client as tf
from client.api import public
from client.keras import losses
from client.keras.losses.loss import EPSILON, as_predictions, converted, pair, same_rank
from client.keras.metrics.metric import METRICS, Mean, MeanMetricWrapper, Metric, as_tensor
from client.recording import paused
from client.tensor import Tensor

# --- accuracies ------------------------------------------------------------------------------------------------------


@METRICS.add()
def accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """The share of equal elements in each example."""
    y_true, y_pred = same_rank(as_tensor(y_true), as_tensor(y_pred))
    return tf.reduce_mean(tf.cast(tf.equal(converted(y_true, y_pred.dtype), y_pred), tf.float32), axis=-1)


@public("keras.metrics.binary_accuracy")
@METRICS.add()
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Tensor:
    """The share of elements in each example whose prediction is on the label's side of the threshold.

    >>> import client as tf
    >>> print(tf.keras.metrics.binary_accuracy([[1.0, 0.0]], [[0.9, 0.6]]).numpy())
    [0.5]
    """
    y_true, y_pred = pair(y_true, y_pred)
    guessed = tf.cast(y_pred > threshold, y_true.dtype)
    return tf.reduce_mean(tf.cast(tf.equal(y_true, guessed), tf.float32), axis=-1)


@public("keras.metrics.categorical_accuracy")
@METRICS.add()
def categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 for each example whose likeliest class is the label's, else 0.

    >>> import client as tf
    >>> print(tf.keras.metrics.categorical_accuracy([[0.0, 1.0]], [[0.3, 0.7]]).numpy())
    [1.]
    """
    return tf.cast(tf.equal(tf.argmax(as_tensor(y_true), -1), tf.argmax(as_predictions(y_pred), -1)), tf.float32)


@public("keras.metrics.sparse_categorical_accuracy")
@METRICS.add()
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 for each example whose likeliest class is the label, an integer, else 0.

    >>> import client as tf
    >>> print(tf.keras.metrics.sparse_categorical_accuracy([1], [[0.3, 0.7]]).numpy())
    [1.]
    """
    y_pred, y_true = as_predictions(y_pred), as_tensor(y_true)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        y_true = tf.squeeze(y_true, -1)
    return tf.cast(tf.equal(tf.cast(y_true, tf.int64), tf.argmax(y_pred, -1)), tf.float32)


@public("keras.metrics.top_k_categorical_accuracy")
@METRICS.add()
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Tensor:
    """1 for each example whose label is among the k likeliest classes, else 0.

    >>> import client as tf
    >>> print(tf.keras.metrics.top_k_categorical_accuracy([[0.0, 1.0]], [[0.7, 0.3]], k=1).numpy())
    [0.]
    """
    return sparse_top_k_categorical_accuracy(tf.argmax(as_tensor(y_true), -1), y_pred, k)


@public("keras.metrics.sparse_top_k_categorical_accuracy")
@METRICS.add()
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
    shape = y_true.shape
    classes = y_pred.shape[-1]
    found = tf.math.in_top_k(tf.reshape(tf.cast(y_true, tf.int64), [-1]), tf.reshape(y_pred, [-1, classes]), k)
    return tf.reshape(tf.cast(found, tf.float32), shape if None not in shape else tf.shape(y_true))


def _mean_of(function: Callable[..., Any], class_name: str, name: str, what: str, **options: Any) -> type:
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
    globals()[_class] = _mean_of(_function, _class, _name, _what, **_options)


def _cosine(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    return -losses.cosine_similarity(y_true, y_pred, axis)


_cosine.__name__ = "cosine_similarity"
_mean_of(_cosine, "CosineSimilarity", "cosine_similarity", "The cosine of the angle to the label.", axis=-1)


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

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take examples into account, weighed by `sample_weight`. Does not wait."""
        with paused():
            y_true, y_pred = pair(y_true, y_pred)
            super().update_state(tf.math.squared_difference(y_true, y_pred), sample_weight)

    def result(self) -> Any:
        """The root of the mean."""
        return tf.sqrt(super().result())


@public("keras.metrics.R2Score")
@METRICS.add()
class R2Score(Metric):
    """The coefficient of determination, 1 - residual / total sum of squares.

    Args:
        class_aggregation: how the outputs' scores become one: `uniform_average`, `variance_weighted_average` or None.
        num_regressors: the number of independent variables, for the adjusted score; 0: the plain one.
        name: its name.
        dtype: the dtype of its state.

    >>> import client as tf
    >>> print(tf.keras.metrics.R2Score()([[1.0], [3.0]], [[1.0], [3.0]]).numpy())
    1.0
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        allowed = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in allowed:
            raise ValueError(
                f"Invalid value for argument `class_aggregation`. Expected one of {allowed}. Received: "
                f"class_aggregation={class_aggregation}"
            )
        if num_regressors < 0:
            raise ValueError(
                "Invalid value for argument `num_regressors`. Expected a value >= 0. Received: "
                f"num_regressors={num_regressors}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable((), name="num_samples")
        self.squared_sum: Any = None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take examples, of shape (batch, outputs), into account. Does not wait."""
        with paused():
            y_true, y_pred = converted(y_true, self.dtype), converted(y_pred, self.dtype)
            if self.squared_sum is None:
                size = (y_true.shape[1],)
                self.squared_sum, self.sum, self.total_mse, self.count = (
                    self.add_variable(size, name=n) for n in ("squared_sum", "sum", "residual", "count")
                )
            weights: Any = tf.ones([1, 1], self.dtype)
            if sample_weight is not None:
                weights = converted(sample_weight, self.dtype)
                weights = weights[:, tf.newaxis] if len(weights.shape) == 1 else weights
            weights = tf.broadcast_to(weights, tf.shape(y_true))
            weighed = y_true * weights
            self.sum.assign_add(tf.reduce_sum(weighed, 0))
            self.squared_sum.assign_add(tf.reduce_sum(y_true * weighed, 0))
            self.total_mse.assign_add(tf.reduce_sum(tf.square(y_true - y_pred) * weights, 0))
            self.count.assign_add(tf.reduce_sum(weights, 0))
            self.num_samples.assign_add(tf.cast(tf.size(y_true), self.dtype))

    def result(self) -> Any:
        """The score."""
        if self.squared_sum is None:
            return tf.constant(0.0, self.dtype)
        total = self.squared_sum - tf.square(self.sum) / self.count
        raw = 1.0 - self.total_mse / total
        raw = tf.where(tf.math.is_inf(raw), tf.zeros_like(raw), raw)
        if self.class_aggregation == "uniform_average":
            score = tf.reduce_mean(raw)
        elif self.class_aggregation == "variance_weighted_average":
            score = tf.reduce_sum(raw * total) / (tf.reduce_sum(total) + EPSILON)
        else:
            score = raw
        if self.num_regressors:
            n = self.num_samples
            score = 1.0 - (1.0 - score) * (n - 1.0) / (n - self.num_regressors - 1.0)
        return score

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }


METRICS.objects.update(
    {
        "acc": accuracy, "mse": losses.mean_squared_error, "MSE": losses.mean_squared_error,
        "mae": losses.mean_absolute_error, "MAE": losses.mean_absolute_error,
        "mape": losses.mean_absolute_percentage_error, "MAPE": losses.mean_absolute_percentage_error,
        "msle": losses.mean_squared_logarithmic_error, "MSLE": losses.mean_squared_logarithmic_error,
        "bce": losses.binary_crossentropy, "cosine_similarity": _cosine,
    }
)  # fmt: skip
