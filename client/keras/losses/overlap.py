"""Losses of how little labels and predictions overlap, such as the regions of an image."""

from __future__ import annotations

from typing import Any

import client as tf
from client.api import public
from client.keras.losses.loss import EPSILON, LOSSES, LossFunctionWrapper, converted_pair
from client.tensor import Tensor


@public("keras.losses.dice")
@LOSSES.add()
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Tensor:
    """1 - 2 sum(y_true y_pred) / (sum(y_true) + sum(y_pred)), over some axes or all.

    >>> import client as tf
    >>> print(round(float(tf.keras.losses.dice([[1.0]], [[1.0]])), 3))
    0.0
    """
    y_true, y_pred = converted_pair(y_true, y_pred)
    common = tf.reduce_sum(y_true * y_pred, axis=axis)
    total = tf.reduce_sum(y_true, axis=axis) + tf.reduce_sum(y_pred, axis=axis)
    return 1.0 - 2.0 * common / (total + EPSILON)


@public("keras.losses.tversky")
@LOSSES.add()
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Tensor:
    """1 - c / (c + alpha sum(y_true (1 - y_pred)) + beta sum(y_pred (1 - y_true))) with c = sum(y_true y_pred).

    >>> import client as tf
    >>> print(round(float(tf.keras.losses.tversky([[1.0, 1.0]], [[1.0, 0.0]], alpha=1.0)), 3))
    0.5
    """
    y_true, y_pred = converted_pair(y_true, y_pred)
    common = tf.reduce_sum(y_true * y_pred, axis=axis)
    missed = tf.reduce_sum((1.0 - y_pred) * y_true, axis=axis)
    added = tf.reduce_sum(y_pred * (1.0 - y_true), axis=axis)
    return 1.0 - common / (common + missed * alpha + added * beta + EPSILON)


@public("keras.losses.Dice")
@LOSSES.add()
class Dice(LossFunctionWrapper):
    """One minus the Dice coefficient.

    Args:
        reduction: how the examples' losses become one; see `Loss`.
        name: its name.
        axis: the axes that are summed; None: all.
        dtype: the dtype to compute in.

    >>> import client as tf
    >>> print(round(float(tf.keras.losses.Dice()([[1.0]], [[1.0]])), 3))
    0.0
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "dice", axis: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(dice, reduction, name, dtype, axis=axis)


@public("keras.losses.Tversky")
@LOSSES.add()
class Tversky(LossFunctionWrapper):
    """One minus the Tversky index; the Dice coefficient's generalization.

    Args:
        alpha: how much labels without a prediction count.
        beta: how much predictions without a label count.
        reduction: how the examples' losses become one; see `Loss`.
        name: its name.
        axis: the axes that are summed; None: all.
        dtype: the dtype to compute in.

    >>> import client as tf
    >>> print(round(float(tf.keras.losses.Tversky(alpha=1.0)([[1.0, 1.0]], [[1.0, 0.0]])), 3))
    0.5
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
