"""Losses between classes and their predicted probabilities or logits."""

from __future__ import annotations

from typing import Any

import client as tf
from client.api import public
from client.keras.layers import masks
from client.keras.losses.loss import EPSILON, LOSSES, LossFunctionWrapper, as_predictions, converted, pair
from client.tensor import Operand, Tensor


def _both(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    y_pred = as_predictions(y_pred)
    return converted(y_true, y_pred.dtype), y_pred


def _clipped(p: Any) -> Tensor:
    """Probabilities whose logarithms are finite."""
    return tf.clip_by_value(p, EPSILON, 1.0 - EPSILON)


def _same_shape(y_true: Any, y_pred: Any) -> None:
    if len(y_true.shape) != len(y_pred.shape):
        raise ValueError(
            "Arguments `target` and `output` must have the same rank (ndim). Received: "
            f"target.shape={tuple(y_true.shape)}, output.shape={tuple(y_pred.shape)}"
        )
    for a, b in zip(y_true.shape, y_pred.shape, strict=True):
        if a is not None and b is not None and a != b:
            raise ValueError(
                "Arguments `target` and `output` must have the same shape. Received: "
                f"target.shape={tuple(y_true.shape)}, output.shape={tuple(y_pred.shape)}"
            )


@public("keras.losses.binary_crossentropy", "keras.metrics.binary_crossentropy")
@LOSSES.add("bce", "BCE")
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """mean(-y log(p) - (1 - y) log(1 - p)) over an axis.

    Args:
        y_true: labels in [0, 1].
        y_pred: probabilities, or logits of them.
        from_logits: whether they are logits.
        label_smoothing: labels become y (1 - s) + s / 2.
        axis: the axis of the mean.

    >>> import client as tf
    >>> print(tf.keras.losses.binary_crossentropy([[1.0]], [[0.5]]).numpy().round(4))
    [0.6931]
    """
    y_true, y_pred = _both(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    _same_shape(y_true, y_pred)
    return tf.reduce_mean(_binary(y_true, y_pred, from_logits), axis=axis)


def _binary(y_true: Any, y_pred: Any, from_logits: bool) -> Tensor:
    if from_logits:
        return tf.nn.sigmoid_cross_entropy_with_logits(y_true, y_pred)
    p = _clipped(y_pred)
    return -(y_true * tf.math.log(p) + (1.0 - y_true) * tf.math.log(1.0 - p))


@public("keras.losses.binary_focal_crossentropy", "keras.metrics.binary_focal_crossentropy")
@LOSSES.add()
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Binary cross-entropy times (1 - p_t)^gamma, with p_t the probability of the right class (Lin et al., 2018).

    Args:
        y_true: labels in [0, 1].
        y_pred: probabilities, or logits of them.
        apply_class_balancing: whether class 1 is weighed by alpha and class 0 by 1 - alpha.
        alpha: see there.
        gamma: how much easy examples count less.
        from_logits: whether predictions are logits.
        label_smoothing: labels become y (1 - s) + s / 2.
        axis: the axis of the mean.

    >>> import client as tf
    >>> print(tf.keras.losses.binary_focal_crossentropy([[1.0]], [[0.5]]).numpy().round(4))
    [0.1733]
    """
    y_true, y_pred = _both(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        y_pred = tf.sigmoid(y_pred)
    _same_shape(y_true, y_pred)
    entropy = _binary(y_true, y_pred, False)
    right = y_true * y_pred + (1.0 - y_true) * (1.0 - y_pred)
    focal = tf.pow(1.0 - right, gamma) * entropy
    if apply_class_balancing:
        focal = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * focal
    return tf.reduce_mean(focal, axis=axis)


def _smoothed(y_true: Any, smoothing: float, axis: int) -> Any:
    if not smoothing:
        return y_true
    return y_true * (1.0 - smoothing) + smoothing / y_true.shape[axis]


@public("keras.losses.categorical_crossentropy", "keras.metrics.categorical_crossentropy")
@LOSSES.add()
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """-sum(y log(p)) over the axis of the classes.

    Args:
        y_true: a distribution over the classes, one-hot or not.
        y_pred: predicted probabilities, or logits of them.
        from_logits: whether they are logits.
        label_smoothing: labels become y (1 - s) + s / classes.
        axis: the axis of the classes.

    >>> import client as tf
    >>> print(tf.keras.losses.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).numpy().round(4))
    [0.6931]
    """
    if isinstance(axis, bool):
        raise ValueError(f"`axis` must be of type `int`. Received: axis={axis} of type {type(axis)}")
    y_true, y_pred = _both(y_true, y_pred)
    y_true = _smoothed(y_true, label_smoothing, axis)
    _same_shape(y_true, y_pred)
    if from_logits:
        return tf.nn.softmax_cross_entropy_with_logits(y_true, y_pred, axis=axis)
    p = _clipped(y_pred / tf.reduce_sum(y_pred, axis=axis, keepdims=True))
    return -tf.reduce_sum(y_true * tf.math.log(p), axis=axis)


@public("keras.losses.categorical_focal_crossentropy", "keras.metrics.categorical_focal_crossentropy")
@LOSSES.add()
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """sum(alpha (1 - p)^gamma * -y log(p)) over the axis of the classes (Lin et al., 2018).

    Args:
        y_true: a distribution over the classes.
        y_pred: predicted probabilities, or logits of them.
        alpha: a weight, or one for each class.
        gamma: how much easy examples count less.
        from_logits: whether predictions are logits.
        label_smoothing: labels become y (1 - s) + s / classes.
        axis: the axis of the classes.

    >>> import client as tf
    >>> print(tf.keras.losses.categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).numpy().round(4))
    [0.0433]
    """
    y_true, y_pred = _both(y_true, y_pred)
    y_true = _smoothed(y_true, label_smoothing, axis)
    p = tf.nn.softmax(y_pred, axis) if from_logits else y_pred / tf.reduce_sum(y_pred, axis=axis, keepdims=True)
    p = _clipped(p)
    return tf.reduce_sum(tf.pow(1.0 - p, gamma) * alpha * -(y_true * tf.math.log(p)), axis=axis)


@public("keras.losses.sparse_categorical_crossentropy", "keras.metrics.sparse_categorical_crossentropy")
@LOSSES.add()
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Tensor:
    """-log(p[y_true]): as `categorical_crossentropy`, with the classes as integers.

    Args:
        y_true: classes, of the predictions' shape without the axis of the classes (or with 1 there).
        y_pred: predicted probabilities, or logits of them.
        from_logits: whether they are logits.
        ignore_class: a class whose examples have the loss 0.
        axis: the axis of the classes.

    >>> import client as tf
    >>> print(tf.keras.losses.sparse_categorical_crossentropy([1], [[0.5, 0.5]]).numpy().round(4))
    [0.6931]
    """
    y_pred = as_predictions(y_pred)
    labels = y_true if isinstance(y_true, Operand) else tf.convert_to_tensor(y_true)
    rank = len(y_pred.shape)
    if len(labels.shape) == rank and labels.shape[-1] == 1:
        labels = tf.squeeze(labels, -1)
    if labels.dtype not in (tf.int32, tf.int64):
        labels = tf.cast(labels, tf.int64)
    if axis not in (-1, rank - 1):
        y_pred = tf.transpose(y_pred, [*[a for a in range(rank) if a != axis % rank], axis % rank])
    if len(labels.shape) != len(y_pred.shape) - 1:
        raise ValueError(
            "Argument `output` must have rank (ndim) `target.ndim + 1`. Received: "
            f"target.shape={tuple(labels.shape)}, output.shape={tuple(y_pred.shape)}"
        )
    valid = None
    if ignore_class is not None:
        valid = tf.not_equal(labels, ignore_class)
        labels = tf.where(valid, labels, tf.zeros_like(labels))
    logits = y_pred if from_logits else tf.math.log(_clipped(y_pred))
    found = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    if valid is None:
        return found
    found = tf.where(valid, found, tf.zeros_like(found))
    masks.put(found, valid)  # a mean does not count the examples of the ignored class
    return found


@public("keras.losses.kl_divergence", "keras.metrics.kl_divergence", "keras.losses.KLD", "keras.losses.kld")
@LOSSES.add("kld", "KLD", "kullback_leibler_divergence")
def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """sum(y_true log(y_true / y_pred)) over the last axis.

    >>> import client as tf
    >>> print(tf.keras.losses.kl_divergence([[0.5, 0.5]], [[0.5, 0.5]]).numpy())
    [0.]
    """
    y_true, y_pred = (tf.clip_by_value(y, EPSILON, 1.0) for y in _both(y_true, y_pred))
    return tf.reduce_sum(y_true * tf.math.log(y_true / y_pred), axis=-1)


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
    y_true, y_pred = _both(y_true, y_pred)
    return tf.reduce_mean(tf.maximum(1.0 - _signed(y_true) * y_pred, 0.0), axis=-1)


@public("keras.losses.squared_hinge", "keras.metrics.squared_hinge")
@LOSSES.add()
def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """mean(max(1 - y_true * y_pred, 0)^2) over the last axis, with labels -1 and 1 (or 0 and 1).

    >>> import client as tf
    >>> print(tf.keras.losses.squared_hinge([[1.0]], [[0.5]]).numpy())
    [0.25]
    """
    y_true, y_pred = _both(y_true, y_pred)
    return tf.reduce_mean(tf.square(tf.maximum(1.0 - _signed(y_true) * y_pred, 0.0)), axis=-1)


@public("keras.losses.categorical_hinge", "keras.metrics.categorical_hinge")
@LOSSES.add()
def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """max(neg - pos + 1, 0), with pos = sum(y_true y_pred) and neg = max((1 - y_true) y_pred) over the last axis.

    >>> import client as tf
    >>> print(tf.keras.losses.categorical_hinge([[0.0, 1.0]], [[0.5, 0.5]]).numpy())
    [1.]
    """
    y_true, y_pred = _both(y_true, y_pred)
    pos = tf.reduce_sum(y_true * y_pred, axis=-1)
    neg = tf.reduce_max((1.0 - y_true) * y_pred, axis=-1)
    return tf.maximum(neg - pos + 1.0, 0.0)


@public("keras.losses.dice")
@LOSSES.add()
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Tensor:
    """1 - (2 sum(y_true y_pred) + e) / (sum(y_true) + sum(y_pred) + e).

    >>> import client as tf
    >>> print(round(float(tf.keras.losses.dice([[1.0]], [[1.0]])), 3))
    0.0
    """
    y_true, y_pred = pair(y_true, y_pred)
    common = tf.reduce_sum(y_true * y_pred, axis=axis)
    total = tf.reduce_sum(y_true, axis=axis) + tf.reduce_sum(y_pred, axis=axis)
    return 1.0 - (2.0 * common + EPSILON) / (total + EPSILON)


_REDUCTION = "sum_over_batch_size"


@public("keras.losses.BinaryCrossentropy")
@LOSSES.add()
class BinaryCrossentropy(LossFunctionWrapper):
    """Cross-entropy between labels of 0 and 1 and their predicted probabilities.

    Args:
        from_logits: whether predictions are logits.
        label_smoothing: labels become y (1 - s) + s / 2.
        axis: the axis of the mean.
        reduction: how the examples' losses become one; see `Loss`.
        name: its name.
        dtype: the dtype to compute in.

    >>> import client as tf
    >>> print(round(float(tf.keras.losses.BinaryCrossentropy(from_logits=True)([[1.0]], [[0.0]])), 4))
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _REDUCTION,
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            binary_crossentropy, reduction, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing,
            axis=axis,
        )  # fmt: skip


@public("keras.losses.BinaryFocalCrossentropy")
@LOSSES.add()
class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Binary cross-entropy in which easy examples count less. Arguments as `binary_focal_crossentropy`.

    >>> import client as tf
    >>> print(round(float(tf.keras.losses.BinaryFocalCrossentropy()([[1.0]], [[0.5]])), 4))
    0.1733
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _REDUCTION,
        name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            binary_focal_crossentropy, reduction, name, dtype, apply_class_balancing=apply_class_balancing,
            alpha=alpha, gamma=gamma, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis,
        )  # fmt: skip


@public("keras.losses.CategoricalCrossentropy")
@LOSSES.add()
class CategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy between distributions over classes. Arguments as `categorical_crossentropy`, then those of `Loss`.

    >>> import client as tf
    >>> print(round(float(tf.keras.losses.CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4))
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _REDUCTION,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            categorical_crossentropy, reduction, name, dtype, from_logits=from_logits,
            label_smoothing=label_smoothing, axis=axis,
        )  # fmt: skip


@public("keras.losses.CategoricalFocalCrossentropy")
@LOSSES.add()
class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Categorical cross-entropy in which easy examples count less. Arguments as `categorical_focal_crossentropy`.

    >>> import client as tf
    >>> print(round(float(tf.keras.losses.CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4))
    0.0433
    """

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _REDUCTION,
        name: str = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            categorical_focal_crossentropy, reduction, name, dtype, alpha=alpha, gamma=gamma,
            from_logits=from_logits, label_smoothing=label_smoothing, axis=axis,
        )  # fmt: skip


@public("keras.losses.SparseCategoricalCrossentropy")
@LOSSES.add()
class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy between classes as integers and predicted distributions.

    Args:
        from_logits: whether predictions are logits.
        ignore_class: a class whose examples have the loss 0.
        reduction: how the examples' losses become one; see `Loss`.
        axis: the axis of the classes.
        name: its name.
        dtype: the dtype to compute in.

    >>> import client as tf
    >>> print(round(float(tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)([1], [[0.0, 0.0]])), 4))
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = _REDUCTION,
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            sparse_categorical_crossentropy, reduction, name, dtype, from_logits=from_logits,
            ignore_class=ignore_class, axis=axis,
        )  # fmt: skip

    def _labels(self, value: Any) -> Any:
        return value  # classes stay integers


@public("keras.losses.KLDivergence")
@LOSSES.add()
class KLDivergence(LossFunctionWrapper):
    """The Kullback-Leibler divergence sum(y_true log(y_true / y_pred)).

    Args:
        reduction: how the examples' losses become one; see `Loss`.
        name: its name.
        dtype: the dtype to compute in.

    >>> import client as tf
    >>> print(float(tf.keras.losses.KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]])))
    0.0
    """

    def __init__(self, reduction: str | None = _REDUCTION, name: str = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(kl_divergence, reduction, name, dtype)


@public("keras.losses.Hinge")
@LOSSES.add()
class Hinge(LossFunctionWrapper):
    """The mean of max(1 - y_true y_pred, 0). Arguments as `KLDivergence`.

    >>> import client as tf
    >>> print(float(tf.keras.losses.Hinge()([[1.0]], [[0.5]])))
    0.5
    """

    def __init__(self, reduction: str | None = _REDUCTION, name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(hinge, reduction, name, dtype)


@public("keras.losses.SquaredHinge")
@LOSSES.add()
class SquaredHinge(LossFunctionWrapper):
    """The mean of max(1 - y_true y_pred, 0)^2. Arguments as `KLDivergence`.

    >>> import client as tf
    >>> print(float(tf.keras.losses.SquaredHinge()([[1.0]], [[0.5]])))
    0.25
    """

    def __init__(self, reduction: str | None = _REDUCTION, name: str = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(squared_hinge, reduction, name, dtype)


@public("keras.losses.CategoricalHinge")
@LOSSES.add()
class CategoricalHinge(LossFunctionWrapper):
    """max(neg - pos + 1, 0) for the best wrong class and the right one. Arguments as `KLDivergence`.

    >>> import client as tf
    >>> print(float(tf.keras.losses.CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.5]])))
    1.0
    """

    def __init__(self, reduction: str | None = _REDUCTION, name: str = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(categorical_hinge, reduction, name, dtype)


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
        self, reduction: str | None = _REDUCTION, name: str = "dice", axis: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(dice, reduction, name, dtype, axis=axis)
