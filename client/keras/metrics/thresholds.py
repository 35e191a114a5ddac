"""How many labels and predictions are true or false positives or negatives at thresholds.

Owns: `counts`, and what brings labels, predictions and weights into one form before. Does not know metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

import client as tf
from client.keras.losses.loss import EPSILON, converted, dims, same_rank
from client.keras.metrics.metric import as_tensor
from client.tensor import Tensor

COUNTS: Final = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def counts(
    y_true: Any, y_pred: Any, thresholds: Sequence[float], weights: Any, labels: bool = False
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """True and false positives, true and false negatives at each threshold; with `labels`, for each column too.

    Args:
        y_true: labels, negative where 0, of shape (examples, columns).
        y_pred: predictions of that shape.
        thresholds: the thresholds.
        weights: weights of that shape, or None.
        labels: whether columns are counted apart.
    """
    kind = y_pred._spec.dtype
    positive = tf.cast(tf.not_equal(y_true, 0.0), kind)
    negative = 1.0 - positive
    if weights is not None:
        positive, negative = positive * weights, negative * weights
    if _are_even(thresholds):
        tp, fp = _above_even(positive, negative, y_pred, thresholds, labels)
    else:
        axes = [1] if labels else [1, 2]
        points = tf.constant(np.reshape(thresholds, (-1, 1, 1)), kind)
        guessed = tf.cast(y_pred[tf.newaxis] > points, kind)
        tp, fp = tf.reduce_sum(guessed * positive, axes), tf.reduce_sum(guessed * negative, axes)
    keep = [0] if labels else [0, 1]
    return tp, fp, tf.reduce_sum(negative, keep) - fp, tf.reduce_sum(positive, keep) - tp


def _are_even(thresholds: Sequence[float]) -> bool:
    count = len(thresholds)
    return count >= 3 and np.allclose(thresholds, np.arange(count, dtype=np.float32) / (count - 1), atol=EPSILON)


def _above_even(
    positive: Any, negative: Any, y_pred: Any, thresholds: Sequence[float], labels: bool
) -> tuple[Tensor, Tensor]:
    """The sums of `positive` and `negative` where predictions are above each of evenly spaced thresholds.

    A prediction falls into the bucket above the last threshold that it exceeds; a threshold has all buckets from its
    own on. So the time goes with the number of predictions, not with that times the number of thresholds.
    """
    count = len(thresholds)
    bucket = tf.math.ceil(tf.clip_by_value(y_pred, 0.0, 1.0) * (count - 1.0)) - 1.0
    if thresholds[0] < 0.0 or thresholds[-1] > 1.0:
        bucket = tf.nn.relu(bucket)  # a prediction of 0 is above the first threshold
    bucket = tf.cast(bucket, tf.int32)
    size = count
    if labels:
        columns = dims(y_pred)[1]
        size = count * columns
        first = tf.range(columns) * count
        bucket = tf.where(bucket < 0, bucket, bucket + first)
    found = []
    for each in (positive, negative):
        sums = tf.math.unsorted_segment_sum(each, bucket, size)
        if labels:
            sums = tf.transpose(tf.reshape(sums, [columns, count]))
        found.append(tf.cumsum(sums, 0, reverse=True))
    return found[0], found[1]


def as_matrices(y_true: Any, y_pred: Any, weights: Any, dtype: Any) -> tuple[Any, Any, Any]:
    """Labels, predictions and weights as matrices, the last axis as columns."""
    y_true, y_pred = same_rank(converted(y_true, dtype), converted(y_pred, dtype))
    shape = dims(y_pred)
    if len(dims(y_true)) != len(shape) or any(
        a != b for a, b in zip(dims(y_true), shape, strict=True) if None not in (a, b)
    ):
        raise ValueError(f"Shapes {shape} and {dims(y_true)} are incompatible")
    rank = len(shape)
    if weights is not None:
        weights = converted(weights, dtype)
        if len(dims(weights)) == rank + 1 and dims(weights)[-1] == 1:
            weights = tf.squeeze(weights, -1)
        while len(dims(weights)) < rank:
            weights = weights[..., tf.newaxis]
        if None in shape or dims(weights) != shape:
            weights = tf.broadcast_to(weights, tf.shape(y_pred) if None in shape else shape)
    if rank == 2:
        return y_true, y_pred, weights
    columns = shape[-1] if rank > 1 else 1
    return tuple(  # type: ignore[return-value]
        None if t is None else tf.reshape(t, [-1, columns]) for t in (y_true, y_pred, weights)
    )


def one_class(matrices: tuple[Any, Any, Any], given: Any, class_id: int | None) -> tuple[Any, Any, Any]:
    """The column of a class, or all."""
    if class_id is None:
        return matrices
    if len(dims(as_tensor(given))) == 1:
        raise ValueError(
            "When class_id is provided, y_pred must be a 2D array with shape (num_samples, num_classes), found shape: "
            f"{dims(as_tensor(given))}"
        )
    return tuple(None if t is None else t[:, class_id, tf.newaxis] for t in matrices)  # type: ignore[return-value]


def only_top(y_pred: Tensor, k: int) -> Tensor:
    """Predictions that are not among the k largest of their row become a very low number."""
    largest = tf.math.top_k(y_pred, k).indices
    seen = tf.reduce_sum(tf.one_hot(largest, dims(y_pred)[-1], dtype=y_pred.dtype), axis=-2)
    return y_pred * seen + -1e10 * (1.0 - seen)
