"""Every metric over two batches, with and without weights, and after a reset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

RNG = np.random.default_rng(7)
PROBABILITIES = [RNG.dirichlet(np.ones(4), 6).astype(np.float32) for _ in range(2)]
ONE_HOT = [np.eye(4, dtype=np.float32)[RNG.integers(0, 4, 6)] for _ in range(2)]
CLASSES = [o.argmax(1) for o in ONE_HOT]
NUMBERS = [RNG.uniform(0.1, 1.0, (6, 4)).astype(np.float32) for _ in range(4)]
BINARY = [(RNG.random((6, 4)) < 0.5).astype(np.float32) for _ in range(2)]
WEIGHTS = [RNG.uniform(0.1, 2.0, 6).astype(np.float32) for _ in range(2)]

# Metrics that need no arguments, by the data they are for.
PLAIN = {
    "numbers": (
        "MeanSquaredError", "RootMeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError",
        "MeanSquaredLogarithmicError", "LogCoshError", "CosineSimilarity", "Poisson", "KLDivergence", "R2Score",
    ),
    "binary": (
        "BinaryAccuracy", "BinaryCrossentropy", "Hinge", "SquaredHinge", "TruePositives", "TrueNegatives",
        "FalsePositives", "FalseNegatives", "Precision", "Recall", "AUC",
    ),
    "onehot": ("CategoricalAccuracy", "CategoricalCrossentropy", "CategoricalHinge", "F1Score", "FBetaScore"),
}  # fmt: skip


def run(make: Callable[[Any], Any], labels: list[np.ndarray], given: list[np.ndarray], weighted: bool) -> Any:
    def program(tf: Any) -> list[Any]:
        metric = make(tf.keras.metrics)
        found = []
        for i in range(2):
            metric.update_state(labels[i], given[i], sample_weight=WEIGHTS[i] if weighted else None)
            found.append(np.array(metric.result()))  # a result may be the variable itself
        copy = type(metric).from_config(metric.get_config())
        copy.update_state(labels[1], given[1])
        metric.reset_state()
        metric.update_state(labels[1], given[1])
        return [np.asarray(v) for v in [*found, metric.result(), copy.result()]]

    return program


def cases() -> Iterator[tuple[str, Any]]:
    pairs: dict[str, tuple[Any, Any]] = {
        "numbers": (NUMBERS[:2], NUMBERS[2:]),
        "binary": (BINARY, NUMBERS[2:]),
        "onehot": (ONE_HOT, PROBABILITIES),
        "sparse": (CLASSES, PROBABILITIES),
        "ids": (CLASSES, [p.argmax(1) for p in PROBABILITIES]),
    }
    programs: dict[str, tuple[str, Callable[[Any], Any]]] = {
        name: (data, lambda m, name=name: getattr(m, name)()) for data, names in PLAIN.items() for name in names
    }
    programs |= {
        "SparseCategoricalAccuracy": ("sparse", lambda m: m.SparseCategoricalAccuracy()),
        "SparseCategoricalCrossentropy": ("sparse", lambda m: m.SparseCategoricalCrossentropy()),
        "Accuracy": ("ids", lambda m: m.Accuracy()),
        "MeanIoU": ("ids", lambda m: m.MeanIoU(4)),
        "MeanIoU ignoring": ("ids", lambda m: m.MeanIoU(4, ignore_class=1)),
        "IoU": ("ids", lambda m: m.IoU(4, [0, 2])),
        "OneHotIoU": ("onehot", lambda m: m.OneHotIoU(4, [1, 3])),
        "OneHotMeanIoU": ("onehot", lambda m: m.OneHotMeanIoU(4)),
        "TopK": ("onehot", lambda m: m.TopKCategoricalAccuracy(k=2)),
        "SparseTopK": ("sparse", lambda m: m.SparseTopKCategoricalAccuracy(k=2)),
        "BinaryAccuracy 0.3": ("binary", lambda m: m.BinaryAccuracy(threshold=0.3)),
        "TruePositives thresholds": ("binary", lambda m: m.TruePositives(thresholds=[0.2, 0.8])),
        "Precision thresholds": ("binary", lambda m: m.Precision(thresholds=[0.2, 0.5, 0.8])),
        "Precision top": ("onehot", lambda m: m.Precision(top_k=2)),
        "Recall class": ("onehot", lambda m: m.Recall(class_id=1, thresholds=0.3)),
        "F1 macro": ("onehot", lambda m: m.F1Score(average="macro", threshold=0.4)),
        "F1 micro": ("onehot", lambda m: m.F1Score(average="micro")),
        "FBeta weighted": ("onehot", lambda m: m.FBetaScore(average="weighted", beta=2.0)),
        "R2 weighted": ("numbers", lambda m: m.R2Score(class_aggregation="variance_weighted_average")),
        "R2 each": ("numbers", lambda m: m.R2Score(class_aggregation=None)),
        "BinaryCrossentropy logits": ("binary", lambda m: m.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)),
        "CategoricalCrossentropy logits": ("onehot", lambda m: m.CategoricalCrossentropy(from_logits=True)),
        "SensitivityAtSpecificity": ("binary", lambda m: m.SensitivityAtSpecificity(0.4)),
        "SpecificityAtSensitivity": ("binary", lambda m: m.SpecificityAtSensitivity(0.4)),
        "PrecisionAtRecall": ("binary", lambda m: m.PrecisionAtRecall(0.4)),
        "RecallAtPrecision": ("binary", lambda m: m.RecallAtPrecision(0.4)),
    }  # fmt: skip
    for curve in ("ROC", "PR", "PRGAIN"):
        for method in ("interpolation", "minoring", "majoring"):
            if (curve, method) != ("PRGAIN", "interpolation"):
                programs[f"AUC {curve} {method}"] = (
                    "binary", lambda m, c=curve, s=method: m.AUC(50, curve=c, summation_method=s),
                )  # fmt: skip
    programs["AUC labels"] = ("binary", lambda m: m.AUC(multi_label=True, num_labels=4))
    programs["AUC weighted labels"] = (
        "binary", lambda m: m.AUC(multi_label=True, num_labels=4, label_weights=[1.0, 2.0, 3.0, 4.0]),
    )  # fmt: skip
    for name, (data, make) in programs.items():
        yield name, run(make, *pairs[data], weighted=False)
        yield f"{name}, weighted", run(make, *pairs[data], weighted=True)
    yield "Mean and Sum", means


def means(tf: Any) -> list[Any]:
    mean, total = tf.keras.metrics.Mean("loss"), tf.keras.metrics.Sum()
    found = []
    for values, weights in ((0, None), (5, None), ([8, 9], None), (NUMBERS[0], WEIGHTS[0]), (NUMBERS[1], NUMBERS[2])):
        for metric in (mean, total):
            if metric is total and weights is not None and np.ndim(weights) == 1:
                continue
            metric.update_state(values, sample_weight=weights)
            found.append(np.asarray(metric.result()))
    return found
