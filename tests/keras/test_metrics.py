"""Metrics against NumPy and scikit-learn over several batches; state that nobody waits for and no tape watches."""

import inspect

import numpy as np
import pytest

import client as tf
from client.keras.layers import masks
from tests.client.waiting import remote, waits

K = tf.keras.metrics
RNG = np.random.default_rng(8)
BATCHES = 3
SIZE = 7


def batches(make):
    return [make() for _ in range(BATCHES)]


NUMBERS = batches(lambda: RNG.uniform(0.1, 1.0, (SIZE, 4)))
GIVEN = batches(lambda: RNG.uniform(0.1, 1.0, (SIZE, 4)))
BINARY = batches(lambda: (RNG.random((SIZE, 4)) < 0.5).astype(float))
CLASSES = batches(lambda: RNG.integers(0, 4, SIZE))
ONE_HOT = [np.eye(4)[c] for c in CLASSES]
PROBABLE = batches(lambda: RNG.dirichlet(np.ones(4), SIZE))
GUESSED = [p.argmax(-1) for p in PROBABLE]
WEIGHTS = batches(lambda: RNG.uniform(0.1, 2.0, SIZE))


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def ranked(y, p, k):
    return (p > np.take_along_axis(p, y[:, None], 1)).sum(1) < k


# A metric, labels, predictions, and the value of each example, of which it is the mean.
MEANS = [
    (lambda: K.MeanSquaredError(), NUMBERS, GIVEN, lambda y, p: ((y - p) ** 2).mean(-1)),
    (lambda: K.MeanAbsoluteError(), NUMBERS, GIVEN, lambda y, p: abs(y - p).mean(-1)),
    (lambda: K.MeanAbsolutePercentageError(), NUMBERS, GIVEN, lambda y, p: 100 * abs((y - p) / y).mean(-1)),
    (lambda: K.MeanSquaredLogarithmicError(), NUMBERS, GIVEN, lambda y, p: ((np.log1p(y) - np.log1p(p)) ** 2).mean(-1)),
    (lambda: K.LogCoshError(), NUMBERS, GIVEN, lambda y, p: np.log(np.cosh(y - p)).mean(-1)),
    (lambda: K.CosineSimilarity(), NUMBERS, GIVEN, lambda y, p: (unit(y) * unit(p)).sum(-1)),
    (lambda: K.Poisson(), NUMBERS, GIVEN, lambda y, p: (p - y * np.log(p)).mean(-1)),
    (lambda: K.KLDivergence(), NUMBERS, GIVEN, lambda y, p: (y * np.log(y / p)).sum(-1)),
    (lambda: K.Hinge(), BINARY, GIVEN, lambda y, p: np.maximum(1 - (2 * y - 1) * p, 0).mean(-1)),
    (lambda: K.SquaredHinge(), BINARY, GIVEN, lambda y, p: (np.maximum(1 - (2 * y - 1) * p, 0) ** 2).mean(-1)),
    (lambda: K.BinaryCrossentropy(), BINARY, GIVEN,
     lambda y, p: -(y * np.log(p + 1e-7) + (1 - y) * np.log1p(1e-7 - p)).mean(-1)),
    (lambda: K.CategoricalCrossentropy(), ONE_HOT, PROBABLE, lambda y, p: -(y * np.log(p)).sum(-1)),
    (lambda: K.SparseCategoricalCrossentropy(), CLASSES, PROBABLE, lambda y, p: -np.log(p[range(SIZE), y])),
    (lambda: K.Accuracy(), CLASSES, GUESSED, lambda y, p: y == p),
    (lambda: K.BinaryAccuracy(threshold=0.4), BINARY, GIVEN, lambda y, p: (y == (p > 0.4)).mean(-1)),
    (lambda: K.CategoricalAccuracy(), ONE_HOT, PROBABLE, lambda y, p: y.argmax(-1) == p.argmax(-1)),
    (lambda: K.SparseCategoricalAccuracy(), CLASSES, PROBABLE, lambda y, p: y == p.argmax(-1)),
    (lambda: K.TopKCategoricalAccuracy(k=2), ONE_HOT, PROBABLE, lambda y, p: ranked(y.argmax(-1), p, 2)),
    (lambda: K.SparseTopKCategoricalAccuracy(k=3), CLASSES, PROBABLE, lambda y, p: ranked(y, p, 3)),
    (lambda: K.PearsonCorrelation(), NUMBERS, GIVEN,
     lambda y, p: np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(y, p, strict=True)])),
    (lambda: K.MeanMetricWrapper(tf.keras.losses.huber, delta=2.0), NUMBERS, GIVEN,
     lambda y, p: ((y - p) ** 2 / 2).mean(-1)),
]  # fmt: skip


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    ("make", "labels", "given", "by_example"), MEANS, ids=[type(case[0]()).__name__ for case in MEANS]
)
def test_means(make, labels, given, by_example, weighted):
    metric = make()
    for i in range(BATCHES):
        y, p = remote(labels[i]), remote(given[i])
        with waits(0):
            metric.update_state(y, p, sample_weight=WEIGHTS[i] if weighted else None)
            value = metric.result()
        values = np.concatenate([by_example(a, b) for a, b in zip(labels[: i + 1], given[: i + 1], strict=True)])
        weights = np.concatenate(WEIGHTS[: i + 1]) if weighted else None
        np.testing.assert_allclose(float(value), np.average(values, weights=weights), rtol=1e-4)
    copy = type(metric).from_config(metric.get_config())
    metric.reset_state()
    assert float(metric.result()) == 0.0
    for each in (metric, copy):
        np.testing.assert_allclose(float(each(labels[0], given[0])), by_example(labels[0], given[0]).mean(), rtol=1e-4)


# --- counts at thresholds -------------------------------------------------------------------------------------------


def counted(threshold, weights):
    y, p = np.concatenate(BINARY).ravel() > 0, np.concatenate(GIVEN).ravel() > threshold
    w = np.repeat(np.concatenate(WEIGHTS), 4) if weights else np.ones(y.size)
    return {"tp": w[y & p].sum(), "fp": w[~y & p].sum(), "tn": w[~y & ~p].sum(), "fn": w[y & ~p].sum()}


def run(metric, labels=BINARY, given=GIVEN, weighted=False):
    for i in range(BATCHES):
        y, p = remote(labels[i]), remote(given[i])
        with waits(0):
            metric.update_state(y, p, sample_weight=WEIGHTS[i] if weighted else None)
    with waits(0):
        value = metric.result()
    return value.numpy()


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("thresholds", [None, 0.3, [0.2, 0.8], [0.0, 0.25, 0.5, 0.75, 1.0]], ids=str)
def test_counts_and_their_ratios(thresholds, weighted):
    points = [0.5] if thresholds is None else np.reshape(thresholds, -1)
    found = [counted(t, weighted) for t in points]
    expected = {
        K.TruePositives: [c["tp"] for c in found],
        K.FalsePositives: [c["fp"] for c in found],
        K.TrueNegatives: [c["tn"] for c in found],
        K.FalseNegatives: [c["fn"] for c in found],
        K.Precision: [c["tp"] / max(c["tp"] + c["fp"], 1e-9) for c in found],
        K.Recall: [c["tp"] / (c["tp"] + c["fn"]) for c in found],
    }
    for kind, values in expected.items():
        value = run(kind(thresholds=thresholds), weighted=weighted)
        np.testing.assert_allclose(value, values[0] if len(points) == 1 else values, rtol=1e-5, atol=1e-6)


def test_precision_of_the_top_and_of_a_class():
    y, p = np.concatenate(ONE_HOT), np.concatenate(PROBABLE)
    top = (-p).argsort(1)[:, :2]
    hits = np.take_along_axis(y, top, 1).sum()
    np.testing.assert_allclose(run(K.Precision(top_k=2), ONE_HOT, PROBABLE), hits / top.size, rtol=1e-6)
    np.testing.assert_allclose(run(K.Recall(top_k=2), ONE_HOT, PROBABLE), hits / len(y), rtol=1e-6)
    guessed = p[:, 1] > 0.3
    value = run(K.Precision(thresholds=0.3, class_id=1), ONE_HOT, PROBABLE)
    np.testing.assert_allclose(value, y[guessed, 1].mean(), rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_areas_under_curves(weighted):
    scores = pytest.importorskip("sklearn.metrics")
    grid = [np.round(p * 40) / 40 - 0.005 for p in GIVEN]  # between the thresholds, so that the curve is exact
    y, p = np.concatenate(BINARY).ravel(), np.concatenate(grid).ravel()
    w = np.repeat(np.concatenate(WEIGHTS), 4) if weighted else None
    metric = K.AUC(num_thresholds=41)
    np.testing.assert_allclose(
        run(metric, given=grid, weighted=weighted), scores.roc_auc_score(y, p, sample_weight=w), rtol=1e-5
    )
    precise = K.AUC(num_thresholds=41, curve="PR", summation_method="minoring")
    rougher = K.AUC(num_thresholds=41, curve="PR", summation_method="majoring")
    area = scores.average_precision_score(y, p, sample_weight=w)
    low, high = (run(m, given=grid, weighted=weighted) for m in (precise, rougher))
    assert low <= area + 1e-6
    assert high >= area - 1e-6
    assert high - low < 0.2


def test_the_area_of_each_label():
    scores = pytest.importorskip("sklearn.metrics")
    grid = [np.round(p * 40) / 40 - 0.005 for p in GIVEN]
    y, p = np.concatenate(BINARY), np.concatenate(grid)
    areas = scores.roc_auc_score(y, p, average=None)
    np.testing.assert_allclose(run(K.AUC(41, multi_label=True), given=grid), areas.mean(), rtol=1e-5)
    weights = [1.0, 2.0, 3.0, 4.0]
    value = run(K.AUC(41, multi_label=True, num_labels=4, label_weights=weights), given=grid)
    np.testing.assert_allclose(value, np.average(areas, weights=weights), rtol=1e-5)


def test_the_best_rate_under_a_constraint():
    points = np.linspace(0, 1, 200)
    found = [counted(t, False) for t in points]
    recall = np.array([c["tp"] / (c["tp"] + c["fn"]) for c in found])
    specificity = np.array([c["tn"] / (c["tn"] + c["fp"]) for c in found])
    precision = np.array([c["tp"] / max(c["tp"] + c["fp"], 1e-9) for c in found])
    for kind, best, constrained in (
        (K.SensitivityAtSpecificity, recall, specificity),
        (K.SpecificityAtSensitivity, specificity, recall),
        (K.PrecisionAtRecall, precision, recall),
        (K.RecallAtPrecision, recall, precision),
    ):
        np.testing.assert_allclose(run(kind(0.45)), best[constrained >= 0.45].max(), rtol=1e-5)
    assert run(K.RecallAtPrecision(1.0), [np.zeros((SIZE, 4))] * BATCHES) == 0.0  # it holds nowhere


# --- scores -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_f_scores(average, beta):
    scores = pytest.importorskip("sklearn.metrics")
    y = np.concatenate(BINARY)
    expected = scores.fbeta_score(y, np.concatenate(GIVEN) > 0.5, beta=beta, average=average)
    np.testing.assert_allclose(run(K.FBetaScore(average, beta, 0.5)), expected, rtol=1e-4)
    if beta == 1.0:
        np.testing.assert_allclose(run(K.F1Score(average, threshold=0.5)), expected, rtol=1e-4)
        expected = scores.f1_score(np.concatenate(CLASSES), np.concatenate(GUESSED), average=average)
        np.testing.assert_allclose(run(K.F1Score(average), ONE_HOT, PROBABLE), expected, rtol=1e-4)


def test_the_coefficient_of_determination():
    scores = pytest.importorskip("sklearn.metrics")
    y, p, w = np.concatenate(NUMBERS), np.concatenate(GIVEN), np.concatenate(WEIGHTS)
    for ours, theirs in (
        ("uniform_average", "uniform_average"),
        ("variance_weighted_average", "variance_weighted"),
        (None, "raw_values"),
    ):
        for weighted in (False, True):
            expected = scores.r2_score(y, p, multioutput=theirs, sample_weight=w if weighted else None)
            value = run(K.R2Score(class_aggregation=ours), NUMBERS, GIVEN, weighted)
            if not (weighted and theirs == "variance_weighted"):  # which of the two weighs the variances
                np.testing.assert_allclose(value, expected, rtol=1e-3)
    plain = scores.r2_score(y[:, 0], p[:, 0])
    n = len(y)
    columns = [b[:, :1] for b in NUMBERS], [b[:, :1] for b in GIVEN]
    adjusted = 1 - (1 - plain) * (n - 1) / (n - 3 - 1)
    np.testing.assert_allclose(run(K.R2Score(num_regressors=3), *columns), adjusted, rtol=1e-3)
    np.testing.assert_allclose(run(K.R2Score(num_regressors=n), *columns), plain, rtol=1e-3)  # too many: the plain one


def test_intersections_over_unions():
    scores = pytest.importorskip("sklearn.metrics")
    y, p = np.concatenate(CLASSES), np.concatenate(GUESSED)
    each = scores.jaccard_score(y, p, average=None)
    np.testing.assert_allclose(run(K.MeanIoU(4), CLASSES, GUESSED), each.mean(), rtol=1e-5)
    np.testing.assert_allclose(run(K.IoU(4, [0, 3]), CLASSES, GUESSED), each[[0, 3]].mean(), rtol=1e-5)
    np.testing.assert_allclose(run(K.OneHotMeanIoU(4), ONE_HOT, PROBABLE), each.mean(), rtol=1e-5)
    np.testing.assert_allclose(run(K.OneHotIoU(4, [1]), ONE_HOT, PROBABLE), each[1], rtol=1e-5)
    binary = scores.jaccard_score(np.concatenate(BINARY).ravel(), np.concatenate(GIVEN).ravel() >= 0.4, average=None)
    np.testing.assert_allclose(run(K.BinaryIoU(threshold=0.4)), binary.mean(), rtol=1e-5)


def test_iou_counts_in_integers_and_leaves_out_what_is_out_of_range():
    metric = K.MeanIoU(2)
    assert metric.dtype == tf.int32
    assert metric.variables[0].dtype == tf.int32
    metric.update_state([0, 1, 1, 7, -1, 0], [0, 1, 0, 1, 1, 9], sample_weight=[1, 2, 3, 4, 5, 6])
    assert metric.variables[0].numpy().tolist() == [[1, 0], [3, 2]]
    assert float(metric.result()) == pytest.approx((1 / 4 + 2 / 5) / 2, rel=1e-5)
    assert metric.result().dtype == tf.float32
    metric.reset_state()
    metric.update_state([0, 1], [0, 1], sample_weight=[1.9, 2.9])  # cut off
    assert metric.variables[0].numpy().tolist() == [[1, 0], [0, 2]]
    with pytest.warns(UserWarning, match="You are passing weight as `float`, but dtype is `int`"):
        metric.update_state([0], [0], sample_weight=np.array([0.5]))
    floats = K.MeanIoU(2, dtype="float32")
    floats.update_state([0, 1], [0, 1], sample_weight=np.array([0.5, 1.5]))
    assert floats.variables[0].numpy().tolist() == [[0.5, 0.0], [0.0, 1.5]]


def test_iou_ignores_a_class():
    metric = K.MeanIoU(3, ignore_class=255)
    metric.update_state(np.array([[0, 1], [2, 255]], "uint8"), np.array([[0, 2], [2, 1]], "uint8"))
    assert metric.variables[0].numpy().tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]


def test_confusion_matrix():
    scores = pytest.importorskip("sklearn.metrics")
    y, p = np.concatenate(CLASSES), np.concatenate(GUESSED)
    labels, guessed = remote(y), remote(p)
    with waits(0):
        found = tf.math.confusion_matrix(labels, guessed)
        weighed = tf.math.confusion_matrix(y, p[:, None], 5, np.concatenate(WEIGHTS), "float64")
    assert found.numpy().tolist() == scores.confusion_matrix(y, p).tolist()
    expected = scores.confusion_matrix(y, p, labels=range(5), sample_weight=np.concatenate(WEIGHTS))
    np.testing.assert_allclose(weighed.numpy(), expected)


# --- sums and means ---------------------------------------------------------------------------------------------------


def test_mean_of_a_training_loop():
    loss = K.Mean("loss")
    loss(0)
    loss(5)
    assert float(loss.result()) == 2.5
    loss(8)
    loss(9)
    assert float(loss.result()) == 5.5
    assert (loss.name, float(loss.total), float(loss.count)) == ("loss", 22.0, 4.0)
    loss.reset_states()
    assert float(loss.result()) == 0.0


def test_mean_counts_examples_and_sum_counts_elements():
    values = np.arange(24.0).reshape(4, 3, 2)
    mean, total = K.Mean(), K.Sum()
    mean.update_state(values)
    total.update_state(values)
    assert (float(mean.result()), float(mean.count), float(total.result())) == (values.mean(), 4.0, values.sum())
    weights = np.array([1.0, 0.0, 2.0, 1.0])
    mean.reset_state()
    total.reset_state()
    mean.update_state(values, sample_weight=weights)
    total.update_state(values, sample_weight=weights)
    assert float(mean.result()) == pytest.approx(np.average(values.mean((1, 2)), weights=weights))
    assert float(total.result()) == pytest.approx((values.sum((1, 2)) * weights).sum())


def test_the_mean_of_data_whose_size_only_the_server_knows():
    mean = K.Mean()
    with waits(0):
        mean.update_state(tf.boolean_mask(remote([1.0, 2.0, 4.0, 8.0]), remote([True, False, True, True])))
        value = mean.result()
    assert float(value) == pytest.approx(13 / 3)


def test_no_examples_change_nothing():
    metric = K.MeanSquaredError()
    metric.update_state([[1.0]], [[3.0]])
    metric.update_state(np.zeros((0, 1)), np.zeros((0, 1)))
    assert float(metric.result()) == 4.0


# --- state ------------------------------------------------------------------------------------------------------------


def test_tapes_neither_watch_state_nor_record_updates():
    x = tf.Variable([[1.0], [3.0]])
    metrics = [K.MeanSquaredError(), K.Mean(), K.Precision(), K.R2Score(), K.AUC(), K.MeanIoU(4), K.F1Score()]
    with tf.GradientTape() as tape:
        y = x * 2.0
        for metric in metrics:
            if type(metric) is K.Mean:
                metric.update_state(y)
            else:
                metric.update_state([[0.0], [1.0]], tf.stop_gradient(y) if isinstance(metric, K.MeanIoU) else y)
            metric.result()
        loss = tf.reduce_sum(y)
    assert [v.name for v in tape.watched_variables()] == [x.name]
    assert tape.gradient(loss, x).numpy().tolist() == [[2.0], [2.0]]
    assert not any(v.trainable for m in metrics for v in m.variables)


def test_a_result_is_of_its_moment():
    metric = K.TruePositives(thresholds=[0.2, 0.8])
    first = metric([1, 1], [0.5, 0.9])
    metric.update_state([1], [0.9])
    metric.reset_state()
    assert first.numpy().tolist() == [2.0, 1.0]


def test_a_mask_of_the_predictions():
    given = remote(GIVEN[0], "float32")
    inside = np.arange(SIZE) % 2 == 0
    masks.put(given, tf.constant(inside))
    metric = K.MeanAbsoluteError()
    metric.update_state(NUMBERS[0], given)
    assert float(metric.result()) == pytest.approx(abs(NUMBERS[0] - GIVEN[0]).mean(-1)[inside].mean(), rel=1e-5)
    weighed = K.MeanAbsoluteError()
    weighed.update_state(NUMBERS[0], given, sample_weight=WEIGHTS[0])
    expected = np.average(abs(NUMBERS[0] - GIVEN[0]).mean(-1), weights=WEIGHTS[0] * inside)
    assert float(weighed.result()) == pytest.approx(expected, rel=1e-5)


def test_an_own_metric():
    class Largest(K.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.largest = self.add_weight(name="value", initializer="zeros")
            self.inner = K.Sum()

        def update_state(self, values, sample_weight=None):
            self.largest.assign(tf.maximum(self.largest, tf.reduce_max(values)))
            self.inner.update_state(values)

        def result(self):
            return {"largest": tf.identity(self.largest), "sum": self.inner.result()}

    metric = Largest()
    values = remote([2.0, 5.0, 1.0])
    with waits(0):
        found = metric(values)
    assert {k: float(v) for k, v in found.items()} == {"largest": 5.0, "sum": 8.0}
    assert [v.path for v in metric.variables] == ["largest/value", "sum/total"]
    metric.reset_state()
    assert float(metric.result()["sum"]) == 0.0
    assert repr(metric) == "<Largest name=largest>"


def test_a_metric_that_forgot_its_base():
    class Bare(K.Metric):
        def __init__(self):
            pass

    with pytest.raises(RuntimeError, match=r"You forgot to call `super\(\).__init__\(\)`"):
        Bare()(1)


def test_labels_of_other_ranks_and_dtypes():
    y, p = CLASSES[0], PROBABLE[0]
    expected = (y == p.argmax(-1)).mean()
    for labels in (y[:, None], y.astype("float32"), y.astype("uint8"), y.astype("int32"), y.tolist()):
        assert float(K.SparseCategoricalAccuracy()(labels, p)) == pytest.approx(expected)
    assert K.sparse_categorical_accuracy(y.reshape(1, SIZE), p.reshape(1, SIZE, 4)).shape == (1, SIZE)
    assert K.binary_accuracy(BINARY[0], GIVEN[0]).shape == (SIZE, 4)


# --- names and configurations -----------------------------------------------------------------------------------------


CONFIGURED = [
    (K.AUC, {"thresholds": [0.2, 0.6], "curve": "PR", "summation_method": "majoring", "from_logits": True}),
    (K.AUC, {"num_thresholds": 30, "multi_label": True, "num_labels": 4, "label_weights": [1.0, 2.0, 3.0, 4.0]}),
    (K.Precision, {"thresholds": [0.1, 0.2], "class_id": 1}),
    (K.FalseNegatives, {"thresholds": 0.3}),
    (K.RecallAtPrecision, {"precision": 0.6, "num_thresholds": 50}),
    (K.FBetaScore, {"average": "macro", "beta": 2.0, "threshold": 0.3}),
    (K.F1Score, {"threshold": 0.2}),
    (K.R2Score, {"class_aggregation": None, "num_regressors": 2}),
    (K.Mean, {"name": "m", "dtype": "float64"}),
    (K.BinaryCrossentropy, {"from_logits": True, "label_smoothing": 0.1}),
    (K.ConcordanceCorrelation, {"axis": 0}),
    (K.SparseTopKCategoricalAccuracy, {"k": 3}),
    (K.MeanMetricWrapper, {"fn": K.binary_accuracy, "name": "mine", "threshold": 0.3}),
    (K.CosineSimilarity, {"axis": 0}),
]


@pytest.mark.parametrize(("kind", "options"), CONFIGURED, ids=lambda v: getattr(v, "__name__", ""))
def test_configurations(kind, options):
    metric = kind(**options)
    copy = K.deserialize(K.serialize(metric))
    assert type(copy) is type(metric)
    assert copy.get_config() == metric.get_config()
    if type(metric) is K.Mean:
        return
    labels, given = (CLASSES, PROBABLE) if "Sparse" in type(metric).__name__ else (BINARY, GIVEN)
    for each in (metric, copy):
        each.update_state(labels[0], given[0])
    np.testing.assert_array_equal(metric.result().numpy(), copy.result().numpy())


@pytest.mark.parametrize(
    "metric", [K.IoU(3, [0, 2], ignore_class=1), K.MeanIoU(3, sparse_y_pred=False, axis=0), K.BinaryIoU([1], 0.2),
               K.OneHotIoU(3, [1]), K.OneHotMeanIoU(3, sparse_y_pred=True)], ids=lambda m: type(m).__name__,
)  # fmt: skip
def test_configurations_of_iou(metric):
    copy = K.deserialize(K.serialize(metric))
    assert copy.get_config() == metric.get_config()
    assert copy.dtype == tf.int32


def test_names():
    assert type(K.get("mse")) is K.MeanSquaredError
    assert type(K.get("binary_accuracy")) is type(K.get("BinaryAccuracy")) is K.BinaryAccuracy
    assert K.get(K.AUC).__class__ is K.AUC
    assert K.get(None) is None
    assert K.get(K.binary_accuracy) is K.binary_accuracy
    first, second = K.Precision(), K.Precision()
    assert first.name.startswith("precision")
    assert first.name != second.name
    assert list(inspect.signature(K.BinaryAccuracy).parameters) == ["name", "dtype", "threshold"]
    assert list(inspect.signature(K.SensitivityAtSpecificity).parameters) == [
        "specificity", "num_thresholds", "class_id", "name", "dtype",
    ]  # fmt: skip


ERRORS = [
    (lambda: K.Precision(thresholds=[0.5, 1.5]), "Threshold values must be in [0, 1]. Received: [1.5]"),
    (lambda: K.AUC(curve="x"), 'Invalid AUC curve value: "x". Expected values are ["PR", "ROC", "PRGAIN"]'),
    (lambda: K.AUC(num_thresholds=1), "Argument `num_thresholds` must be an integer > 1. Received: num_thresholds=1"),
    (lambda: K.AUC(num_labels=2), "`num_labels` is needed only when `multi_label` is True."),
    (lambda: K.PrecisionAtRecall(1.5), "Argument `recall` must be in the range [0, 1]. Received: recall=1.5"),
    (lambda: K.F1Score(average="x"),
     "Invalid `average` argument value. Expected one of: {None, 'micro', 'macro', 'weighted'}. Received: average=x"),
    (lambda: K.FBetaScore(beta=-1.0), "Invalid `beta` argument value. It should be > 0. Received: beta=-1.0"),
    (lambda: K.F1Score(threshold=1.5),
     "Invalid `threshold` argument value. It should verify 0 < threshold <= 1. Received: threshold=1.5"),
    (lambda: K.IoU(2, [2]), "Target class id 2 is out of range, which is [0, 2)."),
    (lambda: K.R2Score(num_regressors=-1),
     "Invalid value for argument `num_regressors`. Expected a value >= 0. Received: num_regressors=-1"),
    (lambda: K.F1Score()([0, 1], [0.2, 0.3]),
     "FBetaScore expects 2D inputs with shape (batch_size, output_dim). Received input shapes: y_pred.shape=(2,) and "
     "y_true.shape=(2,)."),
    (lambda: K.Precision(class_id=0)([0, 1], [0.2, 0.3]),
     "When class_id is provided, y_pred must be a 2D array with shape (num_samples, num_classes), found shape: (2,)"),
    (lambda: K.get("nothing"), "Could not interpret metric identifier: nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "message"), ERRORS, ids=[e[1][:40] for e in ERRORS])
def test_errors(function, message):
    with pytest.raises(ValueError) as found:
        function()
    assert str(found.value) == message
