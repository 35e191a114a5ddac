"""Hinge losses: how far predictions are from the right side of a margin."""

from __future__ import annotations

from typing import Any

import client as tf
from client.api import public
from client.keras.losses.loss import LOSSES, LossFunctionWrapper, converted_pair
from client.tensor import Tensor


def _signed(y_true: Any) -> Tensor:
    """Labels of 0 and 1 as -1 and 1; others as they are. The server decides: nothing waits."""
    binary = tf.reduce_all(tf.logical_or(tf.equal(y_true, 0.0), tf.equal(y_true, 1.0)))
    return tf.where(binary, 2.0 * y_true - 1.0, y_true)


@public("keras.losses.hinge", "keras.metrics.hinge")
@LOSSES.add()
def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """mean(max(1 - y_true * y_pred, 0)) over the last axis, with labels -1 and 1 (or 0 and 1).

    >>> import client as tf
    >>> print(tf.keras.losses.hinge([[1.0]], [[0.5]]).numpy())
    [0.5]
    """
    y_true, y_pred = converted_pair(y_true, y_pred)
    return tf.reduce_mean(tf.maximum(1.0 - _signed(y_true) * y_pred, 0.0), axis=-1)


@public("keras.losses.squared_hinge", "keras.metrics.squared_hinge")
@LOSSES.add()
def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """mean(max(1 - y_true * y_pred, 0)^2) over the last axis, with labels -1 and 1 (or 0 and 1).

    >>> import client as tf
    >>> print(tf.keras.losses.squared_hinge([[1.0]], [[0.5]]).numpy())
    [0.25]
    """
    y_true, y_pred = converted_pair(y_true, y_pred)
    return tf.reduce_mean(tf.square(tf.maximum(1.0 - _signed(y_true) * y_pred, 0.0)), axis=-1)


@public("keras.losses.categorical_hinge", "keras.metrics.categorical_hinge")
@LOSSES.add()
def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """max(neg - pos + 1, 0), with pos = sum(y_true y_pred) and neg = max((1 - y_true) y_pred) over the last axis.

    >>> import client as tf
    >>> print(tf.keras.losses.categorical_hinge([[0.0, 1.0]], [[0.5, 0.5]]).numpy())
    [1.]
    """
    y_true, y_pred = converted_pair(y_true, y_pred)
    pos = tf.reduce_sum(y_true * y_pred, axis=-1)
    neg = tf.reduce_max((1.0 - y_true) * y_pred, axis=-1)
    return tf.maximum(neg - pos + 1.0, 0.0)


@public("keras.losses.Hinge")
@LOSSES.add()
class Hinge(LossFunctionWrapper):
    """The mean of max(1 - y_true y_pred, 0). Arguments as `KLDivergence`.

    >>> import client as tf
    >>> print(float(tf.keras.losses.Hinge()([[1.0]], [[0.5]])))
    0.5
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(hinge, reduction, name, dtype)


@public("keras.losses.SquaredHinge")
@LOSSES.add()
class SquaredHinge(LossFunctionWrapper):
    """The mean of max(1 - y_true y_pred, 0)^2. Arguments as `KLDivergence`.

    >>> import client as tf
    >>> print(float(tf.keras.losses.SquaredHinge()([[1.0]], [[0.5]])))
    0.25
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "squared_hinge", dtype: Any = None
    ) -> None:
        super().__init__(squared_hinge, reduction, name, dtype)


@public("keras.losses.CategoricalHinge")
@LOSSES.add()
class CategoricalHinge(LossFunctionWrapper):
    """max(neg - pos + 1, 0) for the best wrong class and the right one. Arguments as `KLDivergence`.

    >>> import client as tf
    >>> print(float(tf.keras.losses.CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.5]])))
    1.0
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "categorical_hinge", dtype: Any = None
    ) -> None:
        super().__init__(categorical_hinge, reduction, name, dtype)
