"""Metrics made of true and false positives and negatives at thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import client as tf
from client.api import public
from client.keras.losses.loss import EPSILON, dims
from client.keras.metrics.metric import METRICS, Metric, as_tensor, unrecorded
from client.keras.metrics.thresholds import COUNTS, as_matrices, counts, one_class, only_top


class _AtThresholds(Metric):
    """Counts at given thresholds."""

    counted: tuple[str, ...] = ()

    def __init__(self, thresholds: Any, top_k: int | None, class_id: int | None, name: str | None, dtype: Any) -> None:
        super().__init__(dtype, name)
        default = -1e10 if top_k is not None else 0.5
        given = [default] if thresholds is None else thresholds if isinstance(thresholds, Sequence) else [thresholds]
        wrong = [t for t in given if t is None or (thresholds is not None and not 0 <= t <= 1)]
        if wrong:
            raise ValueError(f"Threshold values must be in [0, 1]. Received: {wrong}")
        self.thresholds = list(given)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        self._make_state()

    def _make_state(self) -> None:
        for each in self.counted:
            setattr(self, each, self.add_variable((len(self.thresholds),), name=each))

    @unrecorded
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take examples into account, weighed by `sample_weight`. Does not wait."""
        true, pred, weights = as_matrices(y_true, y_pred, sample_weight, self.dtype)
        if self.top_k is not None:
            pred = only_top(pred, self.top_k)
        true, pred, weights = one_class((true, pred, weights), y_pred, self.class_id)
        found = counts(true, pred, self.thresholds, weights)
        for variable, count in zip(self._self_variables, self.counted, strict=True):
            variable.assign_add(found[COUNTS.index(count)])

    def _shaped(self, value: Any) -> Any:
        """A number for one threshold."""
        return value[0] if len(self.thresholds) == 1 else value

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = {**super().get_config(), "thresholds": self.init_thresholds}
        if not isinstance(self, _Count):
            config.update(top_k=self.top_k, class_id=self.class_id)
        return config


class _Count(_AtThresholds):
    """One of the four counts."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(thresholds, None, None, name, dtype)

    def _make_state(self) -> None:
        self.accumulator = self.add_variable((len(self.thresholds),), name="accumulator")

    def result(self) -> Any:
        """The count: a number, or one for each of several thresholds."""
        return self._shaped(tf.convert_to_tensor(self.accumulator))


def _count_class(class_name: str, counted: str, what: str) -> None:
    doc = f"""How many {what} there are, by weight.

    Args:
        thresholds: a threshold in [0, 1], or several; None: 0.5.
        name: its name.
        dtype: the dtype of its state.

    >>> import client as tf
    >>> print(tf.keras.metrics.{class_name}()([1, 0, 1, 0], [0.9, 0.8, 0.1, 0.2]).numpy())
    1.0
    """
    made = type(class_name, (_Count,), {"counted": (counted,), "__doc__": doc, "__module__": __name__})
    globals()[class_name] = METRICS.add()(public(f"keras.metrics.{class_name}")(made))


_count_class("TruePositives", "true_positives", "positive labels predicted as such")
_count_class("FalsePositives", "false_positives", "negative labels predicted as positive")
_count_class("TrueNegatives", "true_negatives", "negative labels predicted as such")
_count_class("FalseNegatives", "false_negatives", "positive labels predicted as negative")


@public("keras.metrics.Precision")
@METRICS.add()
class Precision(_AtThresholds):
    """true positives / (true positives + false positives).

    Args:
        thresholds: a threshold in [0, 1], or several; None: 0.5, or none with `top_k`.
        top_k: only the k largest predictions of an example count as positive.
        class_id: the one class, a column of the last axis, that counts.
        name: its name.
        dtype: the dtype of its state.

    >>> import client as tf
    >>> print(tf.keras.metrics.Precision()([0, 1, 1, 1], [1, 0, 1, 1]).numpy().round(3))
    0.667
    """

    counted = ("true_positives", "false_positives")

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(thresholds, top_k, class_id, name, dtype)

    def result(self) -> Any:
        """The precision; 0 where nothing is predicted as positive."""
        tp = self.true_positives
        return self._shaped(tf.math.divide_no_nan(tp, tp + self.false_positives))


@public("keras.metrics.Recall")
@METRICS.add()
class Recall(_AtThresholds):
    """true positives / (true positives + false negatives). Arguments as `Precision`.

    >>> import client as tf
    >>> print(tf.keras.metrics.Recall()([0, 1, 1, 1], [1, 0, 1, 1]).numpy().round(3))
    0.667
    """

    counted = ("true_positives", "false_negatives")

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(thresholds, top_k, class_id, name, dtype)

    def result(self) -> Any:
        """The recall; 0 where there is no positive label."""
        tp = self.true_positives
        return self._shaped(tf.math.divide_no_nan(tp, tp + self.false_negatives))


def _evenly(count: int) -> list[float]:
    """Thresholds from just below 0 to just above 1."""
    return [-EPSILON, *[(i + 1) / (count - 1) for i in range(count - 2)], 1.0 + EPSILON]


class _Curve(Metric):
    """All four counts at many thresholds."""

    def _start(self, thresholds: list[float], shape: tuple[int, ...]) -> None:
        self.thresholds = thresholds
        for each in COUNTS:
            setattr(self, each, self.add_variable(shape, name=each))

    def _count(self, y_true: Any, y_pred: Any, weights: Any, labels: bool = False) -> None:
        for name, value in zip(COUNTS, counts(y_true, y_pred, self.thresholds, weights, labels), strict=True):
            getattr(self, name).assign_add(value)


@public("keras.metrics.AUC")
@METRICS.add()
class AUC(_Curve):
    """The area under the curve of true over false positive rate (ROC), or of precision over recall (PR).

    Args:
        num_thresholds: the number of points of the curve.
        curve: `ROC`, `PR` or `PRGAIN`.
        summation_method: `interpolation`, `minoring` or `majoring`: the heights of the strips.
        name: its name.
        dtype: the dtype of its state.
        thresholds: the thresholds between 0 and 1, instead of a number of them.
        multi_label: whether each column is a label with a curve of its own.
        num_labels: the number of columns; None: that of the first predictions.
        label_weights: how the labels' areas are averaged.
        from_logits: whether predictions are logits.

    Raises:
        ValueError: fewer than two thresholds, or some out of [0, 1]; another curve or method.

    >>> import client as tf
    >>> print(tf.keras.metrics.AUC()([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]).numpy())
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(dtype, name)
        if curve not in ("ROC", "roc", "PR", "pr", "PRGAIN", "prgain"):
            raise ValueError(f'Invalid AUC curve value: "{curve}". Expected values are ["PR", "ROC", "PRGAIN"]')
        if str(summation_method).lower() not in ("interpolation", "minoring", "majoring"):
            raise ValueError(
                f'Invalid AUC summation method value: "{summation_method}". Expected values are '
                '["interpolation", "majoring", "minoring"]'
            )
        if num_labels and not multi_label:
            raise ValueError("`num_labels` is needed only when `multi_label` is True.")
        if thresholds is not None:
            if any(not 0 <= t <= 1 for t in thresholds):
                raise ValueError(f"Threshold values must be in [0, 1]. Received: {list(thresholds)}")
            points = [-EPSILON, *sorted(thresholds), 1.0 + EPSILON]
            self._self_given: list[float] | None = sorted(thresholds)
        else:
            if num_thresholds <= 1:
                raise ValueError(
                    f"Argument `num_thresholds` must be an integer > 1. Received: num_thresholds={num_thresholds}"
                )
            points, self._self_given = _evenly(num_thresholds), None
        self.num_thresholds = len(points)
        self.curve = str(curve).upper()
        self.summation_method = str(summation_method).lower()
        self.multi_label = multi_label
        self.num_labels = num_labels
        self._self_label_weights = label_weights
        self.from_logits = from_logits
        self._self_points = points
        self._self_built = False
        if not multi_label or num_labels:
            self._make(num_labels)

    def _make(self, labels: int | None) -> None:
        count = self.num_thresholds
        self._start(self._self_points, (count, labels) if self.multi_label and labels else (count,))
        self._self_built = True

    @unrecorded
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take examples into account, weighed by `sample_weight`. Does not wait."""
        if not self._self_built:
            shape = dims(as_tensor(y_pred))
            if len(shape) != 2:
                raise ValueError(
                    f"`y_pred` must have rank 2 when `multi_label=True`. Found rank {len(shape)}. Full shape received "
                    f"for `y_pred`: {shape}"
                )
            self._make(shape[-1])
        y_true, y_pred, weights = as_matrices(y_true, y_pred, sample_weight, self.dtype)
        if self.from_logits:
            y_pred = tf.sigmoid(y_pred)
        if not self.multi_label and self._self_label_weights is not None:
            by_label = tf.constant(self._self_label_weights, self.dtype) * tf.ones_like(y_pred)
            weights = by_label if weights is None else weights * by_label
        self._count(y_true, y_pred, weights, self.multi_label)

    def result(self) -> Any:
        """The area."""
        if not self._self_built:
            return tf.constant(0.0, self.dtype)
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._averaged(self._interpolated())
        x, y = self._axes()
        left, right = y[:-1], y[1:]
        if self.summation_method == "interpolation":
            heights = (left + right) / 2.0
        else:
            heights = tf.minimum(left, right) if self.summation_method == "minoring" else tf.maximum(left, right)
        return self._averaged((x[:-1] - x[1:]) * heights)

    def _axes(self) -> tuple[Any, Any]:
        divide = tf.math.divide_no_nan
        tp, fp, tn, fn = self.true_positives, self.false_positives, self.true_negatives, self.false_negatives
        recall = divide(tp, tp + fn)
        if self.curve == "ROC":
            return divide(fp, fp + tn), recall
        if self.curve == "PR":
            return recall, divide(tp, tp + fp)
        scale = divide(tp + fn, tn + fp)
        none = tf.equal(tp, 0.0)
        zeros = tf.zeros_like(recall)
        recall_gain = tf.where(none, zeros, 1.0 - scale * divide(fn, tp))
        precision_gain = tf.where(none, zeros + 1.0, 1.0 - scale * divide(fp, tp))
        return tf.maximum(recall_gain, 0.0), precision_gain

    def _interpolated(self) -> Any:
        """Strips under the precision-recall curve, interpolated as in Davis and Goadrich (2006)."""
        divide = tf.math.divide_no_nan
        tp, fn = self.true_positives, self.false_negatives
        dtp = tp[:-1] - tp[1:]
        p = tp + self.false_positives
        dp = p[:-1] - p[1:]
        slope = divide(dtp, tf.maximum(dp, 0.0))
        intercept = tp[1:] - slope * p[1:]
        both = tf.logical_and(p[:-1] > 0.0, p[1:] > 0.0)
        ratio = tf.where(both, divide(p[:-1], tf.maximum(p[1:], 0.0)), tf.ones_like(dtp))
        return divide(slope * (dtp + intercept * tf.math.log(ratio)), tf.maximum(tp[1:] + fn[1:], 0.0))

    def _averaged(self, strips: Any) -> Any:
        if not self.multi_label:
            return tf.reduce_sum(strips)
        areas = tf.reduce_sum(strips, 0)
        if self._self_label_weights is None:
            return tf.reduce_mean(areas)
        weights = tf.constant(self._self_label_weights, self.dtype)
        return tf.math.divide_no_nan(tf.reduce_sum(areas * weights), tf.reduce_sum(weights))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {
            **super().get_config(), "num_thresholds": self.num_thresholds, "curve": self.curve,
            "summation_method": self.summation_method, "multi_label": self.multi_label, "num_labels": self.num_labels,
            "label_weights": self._self_label_weights, "thresholds": self._self_given, "from_logits": self.from_logits,
        }  # fmt: skip


class _Constrained(_Curve):
    """The best of one rate where another is at least `value`."""

    def __init__(self, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any) -> None:
        super().__init__(dtype, name)
        if not 0 <= value <= 1:
            raise ValueError(
                f"Argument `{self.argument}` must be in the range [0, 1]. Received: {self.argument}={value}"
            )
        if num_thresholds <= 0:
            raise ValueError(f"Argument `num_thresholds` must be an integer > 0. Received: {num_thresholds}")
        self.value = value
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        self._start([0.5] if num_thresholds == 1 else _inner(num_thresholds), (num_thresholds,))

    argument = "value"

    @unrecorded
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take examples into account, weighed by `sample_weight`. Does not wait."""
        matrices = as_matrices(y_true, y_pred, sample_weight, self.dtype)
        self._count(*one_class(matrices, y_pred, self.class_id))

    def _rates(self) -> dict[str, Any]:
        divide = tf.math.divide_no_nan
        tp, fp, tn, fn = self.true_positives, self.false_positives, self.true_negatives, self.false_negatives
        return {
            "recall": divide(tp, tp + fn), "sensitivity": divide(tp, tp + fn),
            "precision": divide(tp, tp + fp), "specificity": divide(tn, tn + fp),
        }  # fmt: skip

    best = ""

    def result(self) -> Any:
        """The best value; 0 where the constraint holds nowhere."""
        rates = self._rates()
        wanted = rates[self.best]
        return tf.reduce_max(tf.where(rates[self.argument] >= self.value, wanted, tf.zeros_like(wanted)))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {
            **super().get_config(), "num_thresholds": self.num_thresholds, self.argument: self.value,
            "class_id": self.class_id,
        }  # fmt: skip


def _inner(count: int) -> list[float]:
    return [0.0, *[(i + 1) / (count - 1) for i in range(count - 2)], 1.0]


def _constrained_class(class_name: str, best: str, argument: str) -> None:
    scope: dict[str, Any] = {"_base": _Constrained}
    exec(
        f"def __init__(self, {argument}, num_thresholds=200, class_id=None, name=None, dtype=None):\n"
        f"    _base.__init__(self, {argument}, num_thresholds, class_id, name, dtype)",
        scope,
    )  # so that the signature is Keras'
    doc = f"""The best {best} where the {argument} is at least a given value.

    Args:
        {argument}: that value, in [0, 1].
        num_thresholds: the number of thresholds tried.
        class_id: the one class, a column of the last axis, that counts.
        name: its name.
        dtype: the dtype of its state.

    >>> import client as tf
    >>> print(tf.keras.metrics.{class_name}(0.5)([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]).numpy())
    1.0
    """
    body = {"__init__": scope["__init__"], "best": best, "argument": argument, "__doc__": doc, "__module__": __name__}
    globals()[class_name] = METRICS.add()(
        public(f"keras.metrics.{class_name}")(type(class_name, (_Constrained,), body))
    )


_constrained_class("SensitivityAtSpecificity", "sensitivity", "specificity")
_constrained_class("SpecificityAtSensitivity", "specificity", "sensitivity")
_constrained_class("PrecisionAtRecall", "precision", "recall")
_constrained_class("RecallAtPrecision", "recall", "precision")
