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
        "PearsonCorrelation", "ConcordanceCorrelation",
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
        "IoU of doubles": ("ids", lambda m: m.MeanIoU(4, dtype="float32")),
        "IoU out of range": ("ids", lambda m: m.MeanIoU(2)),
        "BinaryIoU": ("binary", lambda m: m.BinaryIoU(threshold=0.4)),
        "TopK": ("onehot", lambda m: m.TopKCategoricalAccuracy(k=2)),
        "SparseTopK": ("sparse", lambda m: m.SparseTopKCategoricalAccuracy(k=2)),
        "BinaryAccuracy 0.3": ("binary", lambda m: m.BinaryAccuracy(threshold=0.3)),
        "TruePositives thresholds": ("binary", lambda m: m.TruePositives(thresholds=[0.2, 0.8])),
        "Precision thresholds": ("binary", lambda m: m.Precision(thresholds=[0.2, 0.5, 0.8])),
        "FalseNegatives even": ("binary", lambda m: m.FalseNegatives(thresholds=[0.0, 0.5, 1.0])),
        "AUC thresholds": ("binary", lambda m: m.AUC(thresholds=[0.2, 0.7])),
        "AUC logits": ("binary", lambda m: m.AUC(from_logits=True)),
        "AUC summed labels": ("binary", lambda m: m.AUC(label_weights=[1.0, 2.0, 3.0, 4.0])),
        "AUC labels found": ("binary", lambda m: m.AUC(multi_label=True)),
        "AUC labels uneven": ("binary", lambda m: m.AUC(multi_label=True, num_labels=4, thresholds=[0.2, 0.7])),
        "Precision top and class": ("onehot", lambda m: m.Precision(top_k=2, class_id=1)),
        "Precision top": ("onehot", lambda m: m.Precision(top_k=2)),
        "Recall class": ("onehot", lambda m: m.Recall(class_id=1, thresholds=0.3)),
        "F1 macro": ("onehot", lambda m: m.F1Score(average="macro", threshold=0.4)),
        "F1 micro": ("onehot", lambda m: m.F1Score(average="micro")),
        "FBeta weighted": ("onehot", lambda m: m.FBetaScore(average="weighted", beta=2.0)),
        "R2 weighted": ("numbers", lambda m: m.R2Score(class_aggregation="variance_weighted_average")),
        "R2 adjusted": ("numbers", lambda m: m.R2Score(num_regressors=2)),
        "R2 each": ("numbers", lambda m: m.R2Score(class_aggregation=None)),
        "BinaryCrossentropy logits": ("binary", lambda m: m.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)),
        "CategoricalCrossentropy logits": ("onehot", lambda m: m.CategoricalCrossentropy(from_logits=True)),
        "SensitivityAtSpecificity of a class": ("binary", lambda m: m.SensitivityAtSpecificity(0.4, class_id=2)),
        "RecallAtPrecision of one": ("binary", lambda m: m.RecallAtPrecision(0.4, num_thresholds=1)),
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
    for name, (data, options) in FUNCTIONS.items():
        yield name, function(name, pairs[data][0][0], pairs[data][1][0], options)
    for name, value in FORMS.items():
        yield name, form(*value)
    for name, make in WRONG.items():
        yield f"wrong: {name}", lambda tf, make=make: [make(tf.keras.metrics)]
    yield "Mean and Sum", means
    yield "names", names
    yield "confusion_matrix", confusion_matrix


FUNCTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "binary_accuracy": ("binary", {"threshold": 0.4}),
    "categorical_accuracy": ("onehot", {}),
    "sparse_categorical_accuracy": ("sparse", {}),
    "top_k_categorical_accuracy": ("onehot", {"k": 2}),
    "sparse_top_k_categorical_accuracy": ("sparse", {"k": 2}),
    "pearson_correlation": ("numbers", {"axis": 0}),
    "concordance_correlation": ("numbers", {}),
}

# Metrics, labels, predictions and weights of ranks and dtypes that need a second look.
FORMS: dict[str, tuple[str, dict[str, Any], Any, Any, Any]] = {
    "accuracy (6, 1) and (6,)": ("Accuracy", {}, CLASSES[0][:, None], CLASSES[1], None),
    "accuracy (6, 1), weighted": ("Accuracy", {}, CLASSES[0][:, None], CLASSES[1][:, None], WEIGHTS[0]),
    "binary (6,)": ("BinaryAccuracy", {}, BINARY[0][:, 0], NUMBERS[0][:, 0], WEIGHTS[0]),
    "binary (6, 4) by element": ("BinaryAccuracy", {}, BINARY[0], NUMBERS[0], NUMBERS[1]),
    "sparse (6, 1)": ("SparseCategoricalAccuracy", {}, CLASSES[0][:, None], PROBABILITIES[0], WEIGHTS[0]),
    "sparse of floats": ("SparseCategoricalAccuracy", {}, CLASSES[0].astype(np.float32), PROBABILITIES[0], None),
    "sparse (2, 3)": (
        "SparseCategoricalAccuracy", {}, CLASSES[0].reshape(2, 3), PROBABILITIES[0].reshape(2, 3, 4),
        WEIGHTS[0].reshape(2, 3),
    ),
    "sparse (2, 3) by example": (
        "SparseCategoricalAccuracy", {}, CLASSES[0].reshape(2, 3), PROBABILITIES[0].reshape(2, 3, 4), WEIGHTS[0][:2],
    ),
    "top (2, 3)": (
        "SparseTopKCategoricalAccuracy", {"k": 2}, CLASSES[0].reshape(2, 3), PROBABILITIES[0].reshape(2, 3, 4), None,
    ),
    "top of sorted": (
        "SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}, CLASSES[0].astype(np.float32),
        (-PROBABILITIES[0]).argsort(1).astype(np.float32), None,
    ),
    "precision (6, 1) and (6,)": ("Precision", {}, BINARY[0][:, :1], NUMBERS[0][:, 0], WEIGHTS[0]),
    "precision by element": ("Precision", {}, BINARY[0], NUMBERS[0], NUMBERS[1]),
    "precision of a scalar weight": ("Precision", {}, BINARY[0], NUMBERS[0], 0.5),
    "recall of negative labels": ("Recall", {}, BINARY[0] - 1.0, NUMBERS[0], None),
    "AUC (6,)": ("AUC", {}, BINARY[0][:, 0], NUMBERS[0][:, 0], WEIGHTS[0]),
    "AUC at the ends": ("AUC", {"num_thresholds": 3}, [0, 1, 0, 1], [0.0, 0.0, 1.0, 0.5], None),
    "AUC of one class": ("AUC", {}, np.ones(6), NUMBERS[0][:, 0], None),
    "MeanIoU 2-D": ("MeanIoU", {"num_classes": 4}, CLASSES[0].reshape(2, 3), CLASSES[1].reshape(2, 3), [[1, 2, 0]] * 2),
    "mean of a scalar weight": ("MeanSquaredError", {}, NUMBERS[0], NUMBERS[1], 0.5),
    "mean by element": ("MeanAbsoluteError", {}, NUMBERS[0][:, :1], NUMBERS[1][:, :1], WEIGHTS[0]),
    "root (6,) and (6, 1)": ("RootMeanSquaredError", {}, NUMBERS[0][:, 0], NUMBERS[1][:, :1], WEIGHTS[0]),
    "ignored class": (
        "SparseCategoricalCrossentropy", {"ignore_class": 1}, CLASSES[0], PROBABILITIES[0], None
    ),
    "ignored class, weighted": (
        "SparseCategoricalCrossentropy", {"ignore_class": 1}, CLASSES[0], PROBABILITIES[0], WEIGHTS[0]
    ),
    "no examples": ("MeanSquaredError", {}, np.zeros((0, 2)), np.zeros((0, 2)), None),
    "F1 of 1-D": ("F1Score", {}, BINARY[0][0], NUMBERS[0][0], None),
    "R2 of 1-D": ("R2Score", {}, NUMBERS[0][:, 0], NUMBERS[1][:, 0], None),
    "AUC of labels, 1-D": ("AUC", {"multi_label": True}, BINARY[0][:, 0], NUMBERS[0][:, 0], None),
    "class of 1-D": ("Precision", {"class_id": 0}, BINARY[0][:, 0], NUMBERS[0][:, 0], None),
}  # fmt: skip

WRONG: dict[str, Callable[[Any], Any]] = {
    "threshold": lambda m: m.Precision(thresholds=[0.5, 1.5]),
    "curve": lambda m: m.AUC(curve="x"),
    "summation": lambda m: m.AUC(summation_method="x"),
    "points": lambda m: m.AUC(num_thresholds=1),
    "labels": lambda m: m.AUC(num_labels=2),
    "average": lambda m: m.F1Score(average="x"),
    "beta": lambda m: m.FBetaScore(beta=1),
    "negative beta": lambda m: m.FBetaScore(beta=-1.0),
    "F threshold": lambda m: m.F1Score(threshold=1),
    "large F threshold": lambda m: m.F1Score(threshold=1.5),
    "class": lambda m: m.IoU(2, [2]),
    "recall": lambda m: m.PrecisionAtRecall(1.5),
    "number": lambda m: m.PrecisionAtRecall(0.5, num_thresholds=0),
    "aggregation": lambda m: m.R2Score(class_aggregation="x"),
    "regressors": lambda m: m.R2Score(num_regressors=-1),
    "name": lambda m: m.get("x"),
    "no update": lambda m: m.Metric().update_state(),
}


def function(name: str, labels: np.ndarray, given: np.ndarray, options: dict[str, Any]) -> Callable[[Any], Any]:
    return lambda tf: [np.asarray(getattr(tf.keras.metrics, name)(labels, given, **options))]


def form(name: str, options: dict[str, Any], labels: Any, given: Any, weights: Any) -> Callable[[Any], Any]:
    def program(tf: Any) -> Any:
        metric = getattr(tf.keras.metrics, name)(**options)
        labels_, given_ = tf.constant(labels), tf.constant(given)
        return [np.array(metric(labels_, given_, sample_weight=weights))]

    return program


def names(tf: Any) -> list[Any]:
    """What names stand for, and what metrics and their variables are called."""
    asked = (
        "mse", "MSE", "mae", "mape", "msle", "bce", "accuracy", "binary_accuracy", "mean_squared_error", "auc", "AUC",
        "categorical_crossentropy", "cosine_similarity", "kl_divergence", "mean_io_u", "f1_score",
    )  # fmt: skip
    found = []
    for name in asked:
        try:
            metric = tf.keras.metrics.get(name)
            found.append(f"{type(metric).__name__} {metric.name.rstrip('_0123456789')}")
        except ValueError as error:
            found.append(str(error))
    for kind in ("TruePositives", "Precision", "Mean", "AUC", "R2Score", "SensitivityAtSpecificity"):
        metric = getattr(tf.keras.metrics, kind)(*([0.5] if "At" in kind else []))
        found += [kind, str(metric.dtype), *(f"{v.name} {tuple(v.shape)}" for v in metric.variables)]
    return found


def confusion_matrix(tf: Any) -> list[Any]:
    make = tf.math.confusion_matrix
    return [
        np.asarray(make(*given, **options))
        for given, options in (
            (CLASSES, {}),
            (CLASSES, {"num_classes": 6}),
            (CLASSES, {"weights": WEIGHTS[0], "dtype": "float32"}),
            (CLASSES, {"weights": [1, 2, 3, 4, 5, 6], "dtype": "int64"}),
            (([], []), {"num_classes": 2}),
            ((CLASSES[0][:, None], CLASSES[1]), {}),
        )
    ]


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
