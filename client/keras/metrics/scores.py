"""F-scores and intersections over unions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import client as tf
from client.api import public
from client.keras.losses.loss import EPSILON, converted
from client.keras.metrics.metric import METRICS, Metric, as_tensor
from client.recording import paused


@public("keras.metrics.FBetaScore")
@METRICS.add()
class FBetaScore(Metric):
    """(1 + beta^2) precision recall / (beta^2 precision + recall), for each class or averaged.

    Args:
        average: None for a score for each class, `micro` (of all counts together), `macro` (the mean), or `weighted`
            (by the number of labels).
        beta: how much recall counts.
        threshold: above it a prediction is positive; None: the largest of each example.
        name: its name.
        dtype: the dtype of its state.

    Raises:
        ValueError: another average; `beta` not positive; a threshold out of (0, 1].

    >>> import client as tf
    >>> m = tf.keras.metrics.FBetaScore(beta=2.0, threshold=0.5)
    >>> print(m([[1, 1], [1, 0]], [[0.9, 0.2], [0.6, 0.1]]).numpy().round(3).tolist())
    [1.0, 0.0]
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(
                f"Invalid `average` argument value. Expected one of: {{None, 'micro', 'macro', 'weighted'}}. "
                f"Received: average={average}"
            )
        if not isinstance(beta, float):
            raise ValueError(f"Invalid `beta` argument value. It should be a Python float. Received: beta={beta} of "
                             f"type '{type(beta)}'")  # fmt: skip
        if beta <= 0.0:
            raise ValueError(f"Invalid `beta` argument value. It should be > 0. Received: beta={beta}")
        if threshold is not None and not (isinstance(threshold, float) and 0.0 < threshold <= 1.0):
            raise ValueError(
                f"Invalid `threshold` argument value. It should verify 0 < threshold <= 1. Received: {threshold}"
            )
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self._self_built = False

    def _build(self, classes: int) -> None:
        shape = () if self.average == "micro" else (classes,)
        self.true_positives, self.false_positives, self.false_negatives, self.intermediate_weights = (
            self.add_variable(shape, name=n)
            for n in ("true_positives", "false_positives", "false_negatives", "intermediate_weights")
        )
        self._self_built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take examples, of shape (batch, classes), into account. Does not wait."""
        with paused():
            y_true, y_pred = converted(y_true, self.dtype), converted(y_pred, self.dtype)
            if len(y_pred.shape) != 2 or len(y_true.shape) != 2:
                raise ValueError(
                    f"FBetaScore expects 2D inputs with shape (batch_size, output_dim). Received input shapes: "
                    f"y_pred.shape={tuple(y_pred.shape)} and y_true.shape={tuple(y_true.shape)}."
                )
            if not self._self_built:
                self._build(y_pred.shape[-1])
            if self.threshold is None:
                largest = tf.reduce_max(y_pred, axis=-1, keepdims=True)
                hit = tf.logical_and(y_pred >= largest, tf.abs(y_pred) > 1e-9)
            else:
                hit = y_pred > self.threshold
            guessed = tf.cast(hit, self.dtype)
            weights = None if sample_weight is None else converted(sample_weight, self.dtype)[:, tf.newaxis]
            axis = None if self.average == "micro" else 0
            for variable, value in (
                (self.true_positives, guessed * y_true),
                (self.false_positives, guessed * (1.0 - y_true)),
                (self.false_negatives, (1.0 - guessed) * y_true),
                (self.intermediate_weights, y_true),
            ):
                variable.assign_add(tf.reduce_sum(value if weights is None else value * weights, axis))

    def result(self) -> Any:
        """The score or scores."""
        if not self._self_built:
            return tf.constant(0.0, self.dtype)
        precision = self.true_positives / (self.true_positives + self.false_positives + EPSILON)
        recall = self.true_positives / (self.true_positives + self.false_negatives + EPSILON)
        square = self.beta**2
        score = precision * recall / (square * precision + recall + EPSILON) * (1.0 + square)
        if self.average == "weighted":
            weights = self.intermediate_weights / (tf.reduce_sum(self.intermediate_weights) + EPSILON)
            return tf.reduce_sum(score * weights)
        return score if self.average is None else tf.reduce_mean(score)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "average": self.average, "beta": self.beta, "threshold": self.threshold}


@public("keras.metrics.F1Score")
@METRICS.add()
class F1Score(FBetaScore):
    """2 precision recall / (precision + recall). Arguments as `FBetaScore`, without `beta`.

    >>> import client as tf
    >>> print(tf.keras.metrics.F1Score(threshold=0.5)([[1, 1]], [[0.9, 0.2]]).numpy().round(3).tolist())
    [1.0, 0.0]
    """

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str = "f1_score", dtype: Any = None
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = super().get_config()
        del config["beta"]
        return config


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
        super().__init__(dtype, name)
        self.num_classes = num_classes
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable((num_classes, num_classes), name="total_confusion_matrix")

    def _classes(self, value: Any, sparse: bool) -> Any:
        value = as_tensor(value)
        return tf.reshape(value if sparse else tf.argmax(value, axis=self.axis), [-1])

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take examples into account, weighed by `sample_weight`. Does not wait."""
        with paused():
            true = tf.cast(self._classes(y_true, self.sparse_y_true), tf.int64)
            pred = tf.cast(self._classes(y_pred, self.sparse_y_pred), tf.int64)
            weights: Any = None
            if sample_weight is not None:
                given = converted(sample_weight, self.dtype)
                form = as_tensor(y_true)
                dims = [d for i, d in enumerate(form.shape) if self.sparse_y_true or i != self.axis % len(form.shape)]
                while len(given.shape) < len(dims):
                    given = given[..., tf.newaxis]
                weights = tf.reshape(tf.broadcast_to(given, dims), [-1])
            if self.ignore_class is not None:
                valid = tf.not_equal(true, self.ignore_class)
                counted = tf.cast(valid, self.dtype)
                weights = counted if weights is None else weights * counted
                true = tf.where(valid, true, tf.zeros_like(true))
            found = tf.math.confusion_matrix(true, pred, self.num_classes, weights, dtype=self.dtype)
            self.total_cm.assign_add(found)

    def _ious(self) -> tuple[Any, Any]:
        """The intersection over the union of each class, and whether there is such a class."""
        hits = tf.linalg.diag_part(self.total_cm)
        union = tf.reduce_sum(self.total_cm, 0) + tf.reduce_sum(self.total_cm, 1) - hits
        return tf.math.divide_no_nan(hits, union), union

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
        ious, union = (tf.gather(v, self.target_class_ids) for v in self._ious())
        present = tf.cast(tf.not_equal(union, 0.0), self.dtype)
        return tf.math.divide_no_nan(tf.reduce_sum(ious), tf.reduce_sum(present))

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

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take examples into account, weighed by `sample_weight`. Does not wait."""
        with paused():
            hit = tf.cast(converted(y_pred, self.dtype) >= self.threshold, tf.int64)
            super().update_state(y_true, hit, sample_weight)

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
    >>> print(tf.keras.metrics.OneHotIoU(2, [0, 1])([[0, 1], [1, 0]], [[0.2, 0.8], [0.9, 0.1]]).numpy())
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
    >>> print(tf.keras.metrics.OneHotMeanIoU(2)([[0, 1], [1, 0]], [[0.2, 0.8], [0.9, 0.1]]).numpy())
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
