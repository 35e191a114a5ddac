"""How well predicted numbers follow the labels: the coefficient of determination, correlations."""

from __future__ import annotations

from typing import Any

import client as tf
from client.api import public
from client.keras.losses.loss import EPSILON, converted, dims, pair, same_rank
from client.keras.metrics.means import mean_of
from client.keras.metrics.metric import FUNCTIONS, METRICS, Metric, unrecorded
from client.tensor import Tensor


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

    @unrecorded
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take examples, of shape (batch, outputs), into account. Does not wait."""
        y_true, y_pred = same_rank(converted(y_true, self.dtype), converted(y_pred, self.dtype))
        shape = dims(y_true)
        if self.squared_sum is None:
            if len(shape) != 2 or len(dims(y_pred)) != 2:
                raise ValueError(
                    "R2Score expects 2D inputs with shape (batch_size, output_dim). Received input shapes: "
                    f"y_pred.shape={dims(y_pred)} and y_true.shape={shape}."
                )
            self.squared_sum, self.sum, self.total_mse, self.count = (
                self.add_variable((shape[1],), name=n) for n in ("squared_sum", "sum", "residual", "count")
            )
        weights: Any = tf.constant(1.0, self.dtype) if sample_weight is None else converted(sample_weight, self.dtype)
        if len(dims(weights)) == 1:
            weights = weights[:, tf.newaxis]
        weights = tf.broadcast_to(weights, tf.shape(y_true) if None in shape else shape)
        weighed = y_true * weights
        self.sum.assign_add(tf.reduce_sum(weighed, 0))
        self.squared_sum.assign_add(tf.reduce_sum(y_true * weighed, 0))
        self.total_mse.assign_add(tf.reduce_sum(tf.math.squared_difference(y_true, y_pred) * weights, 0))
        self.count.assign_add(tf.reduce_sum(weights, 0))
        self.num_samples.assign_add(tf.cast(tf.size(y_true), self.dtype))

    def result(self) -> Any:
        """The score; the plain one where there are too few examples for the adjusted one."""
        if self.squared_sum is None:
            return tf.constant(0.0, self.dtype)
        total = self.squared_sum - tf.square(self.sum) / self.count
        raw = 1.0 - self.total_mse / total
        score = tf.where(tf.math.is_inf(raw), tf.zeros_like(raw), raw)
        if self.class_aggregation == "uniform_average":
            score = tf.reduce_mean(score)
        elif self.class_aggregation == "variance_weighted_average":
            score = tf.reduce_sum(score * total) / tf.reduce_sum(total)
        if self.num_regressors:
            free = self.num_samples - (self.num_regressors + 1.0)
            adjusted = 1.0 - tf.math.divide_no_nan((1.0 - score) * (self.num_samples - 1.0), free)
            score = tf.where(free > 0.0, adjusted, score)
        return score

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }


@public("keras.metrics.pearson_correlation")
@FUNCTIONS.add()
def pearson_correlation(y_true: Any, y_pred: Any, axis: Any = -1) -> Tensor:
    """mean((t - mean(t)) (p - mean(p))) / (std(t) std(p)) along an axis, with t the labels and p the predictions.

    >>> import client as tf
    >>> print(tf.keras.metrics.pearson_correlation([[0.0, 1.0, 2.0]], [[1.0, 3.0, 5.0]]).numpy().round(4))
    [1.]
    """
    (true, mean, variance), (pred, other, spread) = _moments(y_true, y_pred, axis)
    product = (true - mean) / tf.sqrt(variance) * ((pred - other) / tf.sqrt(spread))
    return tf.reduce_mean(product, axis=axis)


@public("keras.metrics.concordance_correlation")
@FUNCTIONS.add()
def concordance_correlation(y_true: Any, y_pred: Any, axis: Any = -1) -> Tensor:
    """2 mean((t - mean(p)) (p - mean(p))) / (var(t) + var(p) + (mean(t) - mean(p))^2) along an axis.

    >>> import client as tf
    >>> print(tf.keras.metrics.concordance_correlation([[0.0, 1.0, 2.0]], [[0.0, 1.0, 2.0]]).numpy().round(4))
    [1.]
    """
    (true, mean, variance), (pred, other, spread) = _moments(y_true, y_pred, axis)
    scale = variance + spread + tf.math.squared_difference(mean, other) + EPSILON
    return tf.reduce_mean(2.0 * (true - other) * (pred - other) / scale, axis=axis)


def _moments(y_true: Any, y_pred: Any, axis: Any) -> Any:
    """Labels and predictions, each with mean and variance along an axis."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    return [(y, *tf.nn.moments(y, axes, keepdims=True)) for y in pair(y_true, y_pred)]


mean_of(
    pearson_correlation, "PearsonCorrelation", "pearson_correlation", "The mean of Pearson's correlations.", axis=-1
)
mean_of(
    concordance_correlation, "ConcordanceCorrelation", "concordance_correlation",
    "The mean of the concordance correlations.", axis=-1,
)  # fmt: skip
