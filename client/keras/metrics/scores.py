"""F-scores: precision and recall as one number."""

from __future__ import annotations

from typing import Any

import client as tf
from client.api import public
from client.keras.losses.loss import EPSILON, converted
from client.keras.metrics.metric import METRICS, Metric, unrecorded


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
        if threshold is not None and not isinstance(threshold, float):
            raise ValueError(
                f"Invalid `threshold` argument value. It should be a Python float. Received: threshold={threshold} of "
                f"type '{type(threshold)}'"
            )
        if threshold is not None and not 0.0 < threshold <= 1.0:
            raise ValueError(
                f"Invalid `threshold` argument value. It should verify 0 < threshold <= 1. Received: "
                f"threshold={threshold}"
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

    @unrecorded
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take examples, of shape (batch, classes), into account. Does not wait."""
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
