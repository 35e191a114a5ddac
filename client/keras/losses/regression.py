"""Losses between numbers."""

from __future__ import annotations

import math
from typing import Any

import client as tf
from client.api import public
from client.keras.losses.loss import EPSILON, LOSSES, LossFunctionWrapper, as_predictions, converted, pair
from client.tensor import Tensor


def _paths(*names: str) -> list[str]:
    """The names among losses and among metrics."""
    return [f"keras.{space}.{name}" for name in names for space in ("losses", "metrics")]


@public(*_paths("mean_squared_error", "mse", "MSE"))
@LOSSES.add("mse", "MSE")
def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """mean((y_true - y_pred)^2) over the last axis.

    >>> import client as tf
    >>> print(tf.keras.losses.mean_squared_error([[0.0, 1.0]], [[2.0, 1.0]]).numpy())
    [2.]
    """
    y_true, y_pred = pair(y_true, y_pred)
    return tf.reduce_mean(tf.math.squared_difference(y_true, y_pred), axis=-1)


@public(*_paths("mean_absolute_error", "mae", "MAE"))
@LOSSES.add("mae", "MAE")
def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """mean(|y_true - y_pred|) over the last axis.

    >>> import client as tf
    >>> print(tf.keras.losses.mean_absolute_error([[0.0, 1.0]], [[2.0, 1.0]]).numpy())
    [1.]
    """
    y_true, y_pred = pair(y_true, y_pred)
    return tf.reduce_mean(tf.abs(y_true - y_pred), axis=-1)


@public(*_paths("mean_absolute_percentage_error", "mape", "MAPE"))
@LOSSES.add("mape", "MAPE")
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    """100 * mean(|(y_true - y_pred) / y_true|) over the last axis.

    >>> import client as tf
    >>> print(tf.keras.losses.mean_absolute_percentage_error([[1.0]], [[1.5]]).numpy())
    [50.]
    """
    y_true, y_pred = pair(y_true, y_pred)
    return 100.0 * tf.reduce_mean(tf.abs((y_true - y_pred) / tf.maximum(tf.abs(y_true), EPSILON)), axis=-1)


@public(*_paths("mean_squared_logarithmic_error", "msle", "MSLE"))
@LOSSES.add("msle", "MSLE")
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    """mean((log(y_true + 1) - log(y_pred + 1))^2) over the last axis; negative numbers count as 0.

    >>> import client as tf
    >>> print(tf.keras.losses.mean_squared_logarithmic_error([[1.0]], [[1.0]]).numpy())
    [0.]
    """
    y_true, y_pred = pair(y_true, y_pred)
    first, second = (tf.math.log(tf.maximum(y, EPSILON) + 1.0) for y in (y_pred, y_true))
    return tf.reduce_mean(tf.math.squared_difference(first, second), axis=-1)


@public("keras.losses.huber", "keras.metrics.huber")
@LOSSES.add()
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """The mean over the last axis of e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2, with e the error.

    >>> import client as tf
    >>> print(tf.keras.losses.huber([[0.0, 0.0]], [[1.0, 3.0]]).numpy())
    [1.5]
    """
    y_true, y_pred = pair(y_true, y_pred)
    error = y_pred - y_true
    size = tf.abs(error)
    return tf.reduce_mean(tf.where(size <= delta, 0.5 * tf.square(error), delta * size - 0.5 * delta * delta), axis=-1)


@public(*_paths("log_cosh", "logcosh"))
@LOSSES.add("logcosh")
def log_cosh(y_true: Any, y_pred: Any) -> Tensor:
    """mean(log(cosh(y_pred - y_true))) over the last axis.

    >>> import client as tf
    >>> print(tf.keras.losses.log_cosh([[1.0]], [[1.0]]).numpy())
    [0.]
    """
    y_true, y_pred = pair(y_true, y_pred)
    x = y_pred - y_true
    return tf.reduce_mean(x + tf.nn.softplus(x * -2.0) - math.log(2.0), axis=-1)


@public("keras.losses.poisson", "keras.metrics.poisson")
@LOSSES.add()
def poisson(y_true: Any, y_pred: Any) -> Tensor:
    """mean(y_pred - y_true * log(y_pred)) over the last axis.

    >>> import client as tf
    >>> print(tf.keras.losses.poisson([[1.0]], [[1.0]]).numpy().round(3))
    [1.]
    """
    y_pred = as_predictions(y_pred)
    y_true = converted(y_true, y_pred.dtype)
    return tf.reduce_mean(y_pred - y_true * tf.math.log(y_pred + EPSILON), axis=-1)


@public("keras.losses.cosine_similarity")
@LOSSES.add()
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """-sum(y_true / |y_true| * y_pred / |y_pred|): -1 for the same direction, 0 for a right angle.

    >>> import client as tf
    >>> print(tf.keras.losses.cosine_similarity([[0.0, 2.0]], [[0.0, 3.0]]).numpy())
    [-1.]
    """
    y_true, y_pred = pair(y_true, y_pred)
    return -tf.reduce_sum(_unit(y_true, axis) * _unit(y_pred, axis), axis=axis)


def _unit(x: Tensor, axis: int) -> Tensor:
    """Of length 1 along `axis`; zeros stay zeros."""
    length = tf.sqrt(tf.reduce_sum(tf.square(x), axis=axis, keepdims=True))
    return x / tf.maximum(length, EPSILON)


@public("keras.losses.MeanSquaredError")
@LOSSES.add()
class MeanSquaredError(LossFunctionWrapper):
    """The mean of squared errors.

    Args:
        reduction: how the examples' losses become one; see `Loss`.
        name: its name.
        dtype: the dtype to compute in.

    >>> import client as tf
    >>> print(float(tf.keras.losses.MeanSquaredError()([[0.0], [2.0]], [[1.0], [5.0]])))
    5.0
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_squared_error", dtype: Any = None
    ) -> None:
        super().__init__(mean_squared_error, reduction, name, dtype)


@public("keras.losses.MeanAbsoluteError")
@LOSSES.add()
class MeanAbsoluteError(LossFunctionWrapper):
    """The mean of absolute errors. Arguments as `MeanSquaredError`.

    >>> import client as tf
    >>> print(float(tf.keras.losses.MeanAbsoluteError()([[0.0], [2.0]], [[1.0], [5.0]])))
    2.0
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_absolute_error", dtype: Any = None
    ) -> None:
        super().__init__(mean_absolute_error, reduction, name, dtype)


@public("keras.losses.MeanAbsolutePercentageError")
@LOSSES.add()
class MeanAbsolutePercentageError(LossFunctionWrapper):
    """The mean of absolute errors in percent of the true value. Arguments as `MeanSquaredError`.

    >>> import client as tf
    >>> print(float(tf.keras.losses.MeanAbsolutePercentageError()([[1.0]], [[1.5]])))
    50.0
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_absolute_percentage_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


@public("keras.losses.MeanSquaredLogarithmicError")
@LOSSES.add()
class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """The mean of squared differences of log(y + 1). Arguments as `MeanSquaredError`.

    >>> import client as tf
    >>> print(float(tf.keras.losses.MeanSquaredLogarithmicError()([[1.0]], [[1.0]])))
    0.0
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


@public("keras.losses.Huber")
@LOSSES.add()
class Huber(LossFunctionWrapper):
    """Quadratic for small errors, linear for large ones.

    Args:
        delta: where it becomes linear.
        reduction: how the examples' losses become one; see `Loss`.
        name: its name.
        dtype: the dtype to compute in.

    >>> import client as tf
    >>> print(float(tf.keras.losses.Huber()([[0.0, 0.0]], [[1.0, 3.0]])))
    1.5
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(huber, reduction, name, dtype, delta=delta)


@public("keras.losses.LogCosh")
@LOSSES.add()
class LogCosh(LossFunctionWrapper):
    """The mean of log(cosh(error)). Arguments as `MeanSquaredError`.

    >>> import client as tf
    >>> print(float(tf.keras.losses.LogCosh()([[1.0]], [[1.0]])))
    0.0
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "log_cosh", dtype: Any = None
    ) -> None:
        super().__init__(log_cosh, reduction, name, dtype)


@public("keras.losses.Poisson")
@LOSSES.add()
class Poisson(LossFunctionWrapper):
    """The mean of y_pred - y_true log(y_pred). Arguments as `MeanSquaredError`.

    >>> import client as tf
    >>> print(round(float(tf.keras.losses.Poisson()([[1.0]], [[1.0]])), 3))
    1.0
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "poisson", dtype: Any = None) -> None:
        super().__init__(poisson, reduction, name, dtype)


@public("keras.losses.CosineSimilarity")
@LOSSES.add()
class CosineSimilarity(LossFunctionWrapper):
    """Minus the cosine of the angle between labels and predictions.

    Args:
        axis: the axis of the vectors.
        reduction: how the examples' losses become one; see `Loss`.
        name: its name.
        dtype: the dtype to compute in.

    >>> import client as tf
    >>> print(float(tf.keras.losses.CosineSimilarity()([[0.0, 2.0]], [[0.0, 3.0]])))
    -1.0
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)
