"""Losses between classes and their predicted probabilities or logits."""

from __future__ import annotations

from typing import Any

import client as tf
from client.api import public
from client.keras.layers import masks
from client.keras.losses.loss import EPSILON, LOSSES, LossFunctionWrapper, as_predictions, converted_pair, dims
from client.tensor import Operand, Tensor


def _clipped(p: Any) -> Tensor:
    """Probabilities whose logarithms are finite."""
    return tf.clip_by_value(p, EPSILON, 1.0 - EPSILON)


def _same_shape(y_true: Any, y_pred: Any) -> None:
    _agree(dims(y_true), dims(y_pred), "the same rank (ndim). Received: ", "the same shape. Received: ", 0)


def _agree(target: tuple[Any, ...], output: tuple[Any, ...], ranks: str, shapes: str, more: int) -> None:
    """Refuse shapes that differ; `more` is how many axes more the output has."""
    received = f"target.shape={target}, output.shape={output}"
    if len(target) + more != len(output):
        raise ValueError(f"Arguments `target` and `output` must have {ranks}{received}")
    for a, b in zip(target, output, strict=False):
        if a is not None and b is not None and a != b:
            raise ValueError(f"Arguments `target` and `output` must have {shapes}{received}")


def _check_classes(target: tuple[Any, ...], output: tuple[Any, ...]) -> None:
    if len(target) != len(output) - 1:
        raise ValueError(
            "Argument `output` must have rank (ndim) `target.ndim - 1`. Received: "
            f"target.shape={target}, output.shape={output}"
        )
    _agree(target, output, "", "the same shape up until the last dimension: ", 1)


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
    y_true, y_pred = converted_pair(y_true, y_pred)
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
    y_true, y_pred = converted_pair(y_true, y_pred)
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
    y_true, y_pred = converted_pair(y_true, y_pred)
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
    y_true, y_pred = converted_pair(y_true, y_pred)
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
    rank = len(dims(y_pred))
    if axis not in (-1, rank - 1):
        raise ValueError(f"Only axis=-1 is currently supported. Received: axis={axis}")
    if rank < 1:
        raise ValueError(f"Argument `output` must be at least rank 1. Received: output.shape={dims(y_pred)}")
    if len(dims(labels)) == rank and dims(labels)[-1] == 1:
        labels = tf.squeeze(labels, -1)
    if labels._spec.dtype not in (tf.int32, tf.int64):
        labels = tf.cast(labels, tf.int64)
    _check_classes(dims(labels), dims(y_pred))
    valid = None
    if ignore_class is not None:
        valid = tf.not_equal(labels, ignore_class)
        labels = tf.where(valid, labels, tf.zeros_like(labels))
        y_pred = tf.where(valid[..., tf.newaxis], y_pred, tf.zeros_like(y_pred))  # what is ignored may be NaN
    logits = y_pred if from_logits else tf.math.log(_clipped(y_pred))
    found = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    if valid is None:
        return found
    found = tf.where(valid, found, tf.zeros_like(found))
    masks.put(found, valid)  # a mean does not count the examples of the ignored class
    return found


@public("keras.losses.categorical_generalized_cross_entropy")
@LOSSES.add()
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Tensor:
    """(1 - p[y_true]^q) / q, which wrong labels disturb less than cross-entropy (Zhang and Sabuncu, 2018).

    Args:
        y_true: classes as integers.
        y_pred: predicted probabilities, their classes along the last axis.
        q: from 0 (cross-entropy) to 1 (the mean absolute error), both excluded.

    >>> import client as tf
    >>> print(tf.keras.losses.categorical_generalized_cross_entropy([1], [[0.75, 0.25]], q=0.5).numpy())
    [1.]
    """
    y_pred = as_predictions(y_pred)
    classes = tf.one_hot(tf.cast(y_true, tf.int32), dims(y_pred)[-1], dtype=y_pred.dtype)
    return (1.0 - tf.pow(tf.reduce_sum(y_pred * classes, axis=-1), q)) / q


@public(
    "keras.losses.kl_divergence", "keras.losses.KLD", "keras.losses.kld", "keras.losses.kullback_leibler_divergence",
    "keras.metrics.kl_divergence", "keras.metrics.KLD", "keras.metrics.kld",
    "keras.metrics.kullback_leibler_divergence",
)  # fmt: skip
@LOSSES.add("kld", "KLD", "kullback_leibler_divergence")
def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """sum(y_true log(y_true / y_pred)) over the last axis.

    >>> import client as tf
    >>> print(tf.keras.losses.kl_divergence([[0.5, 0.5]], [[0.5, 0.5]]).numpy())
    [0.]
    """
    y_true, y_pred = (tf.clip_by_value(y, EPSILON, 1.0) for y in converted_pair(y_true, y_pred))
    return tf.reduce_sum(y_true * tf.math.log(y_true / y_pred), axis=-1)


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
        return value if isinstance(value, Operand) else tf.convert_to_tensor(value)  # classes stay integers


@public("keras.losses.CategoricalGeneralizedCrossEntropy")
@LOSSES.add()
class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """(1 - p[y_true]^q) / q: between cross-entropy and the mean absolute error.

    Args:
        q: how far it is from cross-entropy, in (0, 1).
        reduction: how the examples' losses become one; see `Loss`.
        name: its name.
        dtype: the dtype to compute in.

    Raises:
        ValueError: another q.

    >>> import client as tf
    >>> print(float(tf.keras.losses.CategoricalGeneralizedCrossEntropy(q=0.5)([1], [[0.75, 0.25]])))
    1.0
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = _REDUCTION,
        name: str = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError("q must be in the interval (0, 1)")
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)


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
