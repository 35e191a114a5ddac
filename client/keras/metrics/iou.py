"""Intersections over unions, from a confusion matrix of classes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import client as tf
from client.api import public
from client.keras.losses.loss import EPSILON, converted, dims
from client.keras.metrics.metric import METRICS, Metric, as_tensor, unrecorded


def _flat(value: Any) -> Any:
    return tf.reshape(value, [-1]) if len(dims(value)) > 1 else value


class _IoUBase(Metric):
    """A confusion matrix of classes."""

    def __init__(
        self,
        num_classes: int,
        name: str | None,
        dtype: Any,
        ignore_class: int | None,
        sparse_y_true: bool,
        sparse_y_pred: bool,
        axis: int,
    ) -> None:
        super().__init__("int32" if dtype is None else dtype, name)
        self.num_classes = num_classes
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable((num_classes, num_classes), name="total_confusion_matrix")

    def _classes(self, value: Any, sparse: bool) -> Any:
        value = as_tensor(value)
        if not sparse:
            value = tf.argmax(value, axis=self.axis, output_type=tf.int32)
        return _flat(converted(value, self.dtype))

    def _predicted(self, value: Any) -> Any:
        return self._classes(value, self.sparse_y_pred)

    @unrecorded
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take examples into account. Does not wait.

        Args:
            y_true: labels; examples with classes out of range, of labels or predictions, do not count.
            y_pred: predictions.
            sample_weight: weights, of the labels' shape or one for all; a metric of integers cuts off their fractions.
        """
        true, pred = self._classes(y_true, self.sparse_y_true), self._predicted(y_pred)
        limit = self.num_classes
        valid = tf.logical_and(tf.logical_and(true >= 0, true < limit), tf.logical_and(pred >= 0, pred < limit))
        if self.ignore_class is not None:
            valid = tf.logical_and(valid, tf.not_equal(true, self.ignore_class))
        weights = tf.cast(valid, self.dtype)
        if sample_weight is not None:
            given = as_tensor(sample_weight)
            if self.dtype.is_integer and given.dtype.is_floating and hasattr(sample_weight, "dtype"):
                warnings.warn(
                    "You are passing weight as `float`, but dtype is `int`. This may result in an incorrect weight due "
                    "to type casting Consider using integer weights.",
                    stacklevel=3,
                )
            weights = weights * _flat(converted(given, self.dtype))
        pairs = tf.where(valid, true * limit + pred, tf.zeros_like(true))
        counts = tf.math.unsorted_segment_sum(weights, tf.cast(pairs, tf.int32), limit * limit)
        self.total_cm.assign_add(tf.reshape(counts, [limit, limit]))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        names = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
        return {**super().get_config(), **{n: getattr(self, n) for n in names}}


@public("keras.metrics.IoU")
@METRICS.add()
class IoU(_IoUBase):
    """The mean of hits / (labels + predictions - hits) over some classes.

    Args:
        num_classes: the number of classes.
        target_class_ids: the classes that count.
        name: its name.
        dtype: the dtype of its state.
        ignore_class: a class whose examples don't count.
        sparse_y_true: whether labels are integers; else one-hot.
        sparse_y_pred: whether predictions are integers; else probabilities.
        axis: the axis of the classes, where not integers.

    >>> import client as tf
    >>> print(tf.keras.metrics.IoU(2, [0])([0, 0, 1, 1], [0, 1, 0, 1]).numpy().round(3))
    0.333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
        if max(target_class_ids) >= num_classes:
            raise ValueError(f"Target class id {max(target_class_ids)} is out of range, which is [0, {num_classes}).")
        self.target_class_ids = list(target_class_ids)

    def result(self) -> Any:
        """The mean."""
        rows, columns = tf.reduce_sum(self.total_cm, 0), tf.reduce_sum(self.total_cm, 1)
        hits = tf.linalg.diag_part(self.total_cm)
        hits, union = (tf.cast(tf.gather(v, self.target_class_ids), tf.float32) for v in (hits, rows + columns - hits))
        present = tf.cast(union > 1e-9, tf.float32)
        ious = hits / (union + EPSILON) * present
        return tf.reduce_sum(ious) / (tf.reduce_sum(present) + EPSILON)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "target_class_ids": self.target_class_ids}


@public("keras.metrics.BinaryIoU")
@METRICS.add()
class BinaryIoU(IoU):
    """`IoU` of two classes, predictions on the sides of a threshold.

    Args:
        target_class_ids: the classes that count.
        threshold: the threshold.
        name: its name.
        dtype: the dtype of its state.

    >>> import client as tf
    >>> print(tf.keras.metrics.BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]).numpy().round(3))
    0.333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def _predicted(self, value: Any) -> Any:
        return _flat(tf.cast(converted(value, tf.float32) >= self.threshold, self.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {
            "name": self.name, "dtype": self.dtype.name, "target_class_ids": self.target_class_ids,
            "threshold": self.threshold,
        }  # fmt: skip


@public("keras.metrics.MeanIoU")
@METRICS.add()
class MeanIoU(IoU):
    """`IoU` over all classes. Arguments as `IoU`, without `target_class_ids`.

    >>> import client as tf
    >>> print(tf.keras.metrics.MeanIoU(2)([0, 0, 1, 1], [0, 1, 0, 1]).numpy().round(3))
    0.333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, list(range(num_classes)), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = super().get_config()
        del config["target_class_ids"]
        return config


@public("keras.metrics.OneHotIoU")
@METRICS.add()
class OneHotIoU(IoU):
    """`IoU` of one-hot labels. Arguments as `IoU`, without `sparse_y_true`.

    >>> import client as tf
    >>> print(tf.keras.metrics.OneHotIoU(2, [0, 1])([[0, 1], [1, 0]], [[0.2, 0.8], [0.9, 0.1]]).numpy().round(3))
    1.0
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = super().get_config()
        del config["sparse_y_true"]
        return config


@public("keras.metrics.OneHotMeanIoU")
@METRICS.add()
class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` of one-hot labels. Arguments as `MeanIoU`, without `sparse_y_true`.

    >>> import client as tf
    >>> print(tf.keras.metrics.OneHotMeanIoU(2)([[0, 1], [1, 0]], [[0.2, 0.8], [0.9, 0.1]]).numpy().round(3))
    1.0
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = super().get_config()
        del config["sparse_y_true"]
        return config
