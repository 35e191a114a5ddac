"""The TensorBoard callback: what it writes, against the history and NumPy, and that training does not wait for it."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from tensorboard.plugins.graph.keras_util import keras_model_to_graph_def

import client as tf
from tests.client.event_files import in_order, read, scalars
from tests.client.waiting import waits
from tests.keras.test_training import X, Y, linear

TensorBoard = tf.keras.callbacks.TensorBoard


def steps_by_tag(folder):
    return {tag: [step for step, _ in found] for tag, found in read(folder).items()}


def pictures():
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.Input((4, 4, 1)), layers.Conv2D(2, 3, name="c"), layers.Flatten(), layers.Dense(2, name="d")], name="s"
    )
    model.compile("adam", "mse", metrics=["mae"])
    return model, np.random.rand(10, 4, 4, 1).astype("f"), np.random.rand(10, 2).astype("f")


def test_what_keras_writes(tmp_path):
    """The tags and steps that Keras 3.15 wrote for the same program."""
    model, x, y = pictures()
    callback = TensorBoard(
        tmp_path, histogram_freq=1, write_images=True, write_steps_per_second=True, update_freq="batch"
    )
    model.fit(x, y, batch_size=2, epochs=2, verbose=0, validation_data=(x, y), callbacks=[callback])
    weights = [
        f"s/{name}/{kind}" for name in ("c/kernel", "c/bias", "d/kernel", "d/bias") for kind in ("histogram", "image")
    ]
    assert steps_by_tag(tmp_path / "train") == {
        "keras": [0],
        **{f"batch_{name}": list(range(1, 11)) for name in ("loss", "mae", "steps_per_second")},
        **{f"epoch_{name}": [0, 1] for name in ("loss", "mae", "learning_rate", "steps_per_second")},
        **{tag: [0, 1] for tag in weights},
    }
    assert steps_by_tag(tmp_path / "validation") == {
        **{f"evaluation_{name}_vs_iterations": [5, 10] for name in ("loss", "mae")},
        **{f"epoch_{name}": [0, 1] for name in ("loss", "mae")},
    }


def test_the_values_are_those_of_the_history(tmp_path):
    model = linear(metrics=["mae"], rate=0.125)
    history = model.fit(
        X,
        Y,
        batch_size=5,
        epochs=3,
        verbose=0,
        validation_data=(X, Y),
        callbacks=[TensorBoard(tmp_path, update_freq=3)],
    ).history
    train, validation = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    for name in ("loss", "mae"):
        assert train[f"epoch_{name}"] == list(enumerate(history[name]))
        assert validation[f"epoch_{name}"] == list(enumerate(history[f"val_{name}"]))
        found = validation[f"evaluation_{name}_vs_iterations"]
        assert found == list(zip([4, 8, 12], history[f"val_{name}"], strict=True))
    assert train["epoch_learning_rate"] == [(0, 0.125), (1, 0.125), (2, 0.125)]
    assert [step for step, _ in train["batch_loss"]] == [3, 6, 9, 12]
    assert train["batch_loss"][-1] == (12, history["loss"][-1])  # the mean over the epoch so far


def test_the_learning_rate_is_that_of_a_schedule_or_a_callback(tmp_path):
    model = linear()
    halve = tf.keras.callbacks.LearningRateScheduler(lambda epoch: 0.5**epoch)
    with waits(3):
        model.fit(X, Y, epochs=3, verbose=0, callbacks=[halve, TensorBoard(tmp_path / "a", write_graph=False)])
    assert scalars(tmp_path / "a" / "train")["epoch_learning_rate"] == [(0, 1.0), (1, 0.5), (2, 0.25)]

    schedule = tf.keras.optimizers.schedules.PiecewiseConstantDecay([1, 2], [1.0, 0.5, 0.25])
    model.compile(tf.keras.optimizers.SGD(schedule), "mse")
    model.fit(X, Y, epochs=3, batch_size=100, verbose=0, callbacks=[TensorBoard(tmp_path / "b", write_graph=False)])
    assert scalars(tmp_path / "b" / "train")["epoch_learning_rate"] == [(0, 1.0), (1, 0.5), (2, 0.25)]

    class Set(tf.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.optimizer.learning_rate = 0.125 * (epoch + 1)

    model.compile(tf.keras.optimizers.SGD(1.0), "mse")
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[Set(), TensorBoard(tmp_path / "c", write_graph=False)])
    assert scalars(tmp_path / "c" / "train")["epoch_learning_rate"] == [(0, 0.125), (1, 0.25)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"update_freq": "batch", "write_steps_per_second": True},
        {"update_freq": 2, "histogram_freq": 1, "write_images": True},
        {"histogram_freq": 2},
    ],
    ids=str,
)
def test_training_does_not_wait_for_it(tmp_path, options):
    model, x, y = pictures()

    def fit(callbacks):
        model.fit(x, y, batch_size=2, epochs=4, verbose=0, validation_data=(x, y), callbacks=callbacks)

    with waits(4):
        fit([])
    with waits(4):
        fit([TensorBoard(tmp_path, **options)])
    assert set(steps_by_tag(tmp_path / "train")["epoch_loss"]) == {0, 1, 2, 3}  # all is there when `fit` returns


def test_histograms_and_images_of_weights(tmp_path):
    model, x, y = pictures()
    model.fit(x, y, epochs=3, verbose=0, callbacks=[TensorBoard(tmp_path, histogram_freq=2, write_images=True)])
    found = read(tmp_path / "train")
    kernel, bias = model.get_layer("d").get_weights()
    (first, _), (step, buckets) = found["s/d/kernel/histogram"]
    assert (first, step, buckets.shape) == (0, 2, (30, 3))
    counts, edges = np.histogram(kernel.astype(np.float64), 30)
    np.testing.assert_allclose(buckets[:, 0], edges[:-1], rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(buckets[:, 2], counts)

    def pixels(tag):
        return [np.asarray(Image.open(io.BytesIO(data))) for data in found[tag][-1][1][2:]]

    def as_bytes(values):
        return (np.clip(values * np.float32(255.5), 0, 255)).astype(np.uint8)

    np.testing.assert_array_equal(pixels("s/d/kernel/image"), [as_bytes(kernel.T)])  # 8 x 2, lying
    np.testing.assert_array_equal(pixels("s/d/bias/image"), [as_bytes(bias[:, None])])
    kernels = model.get_layer("c").get_weights()[0]  # 3 x 3 x 1 x 2: an image each
    np.testing.assert_array_equal(pixels("s/c/kernel/image"), as_bytes(kernels[:, :, 0].transpose(2, 0, 1)))


def test_weights_that_are_no_images_are_left_out(tmp_path):
    model = tf.keras.Sequential([tf.keras.layers.Conv2D(5, 3, input_shape=(4, 4, 2)), tf.keras.layers.Flatten()])
    model.compile("sgd", "mse")
    model.fit(
        np.zeros([2, 4, 4, 2]), np.zeros([2, 20]), verbose=0,
        callbacks=[TensorBoard(tmp_path, histogram_freq=1, write_images=True)],
    )  # fmt: skip
    tags = set(read(tmp_path / "train"))
    assert {t.rsplit("/", 2)[-2] for t in tags if t.endswith("/histogram")} == {"kernel", "bias"}
    assert {t.rsplit("/", 2)[-2] for t in tags if t.endswith("/image")} == {"bias"}


# --- the user's own summaries ----------------------------------------------------------------------------------------


class Watched(tf.keras.Model):
    def __init__(self):
        super().__init__(name="watched")
        self.dense = tf.keras.layers.Dense(1)

    def call(self, x):
        tf.summary.scalar("sum", tf.reduce_sum(x))
        return self.dense(x)


def test_summaries_in_a_models_call(tmp_path):
    model = Watched()
    model.compile("sgd", "mse")
    x, y = np.ones([10, 3], np.float32), np.ones([10, 1], np.float32)
    with waits(2):
        model.fit(
            x, y, batch_size=2, epochs=2, verbose=0, validation_data=(x, y),
            callbacks=[TensorBoard(tmp_path, update_freq=2)],
        )  # fmt: skip
    assert in_order(tmp_path / "train") == [
        *[(tag, step) for step in (2, 4) for tag in ("watched/sum", "batch_loss")],
        ("epoch_loss", 0), ("epoch_learning_rate", 0),
        *[(tag, step) for step in (6, 8, 10) for tag in ("watched/sum", "batch_loss")],
        ("epoch_loss", 1), ("epoch_learning_rate", 1),
    ]  # fmt: skip
    assert scalars(tmp_path / "validation")["watched/sum"] == [(step, 6.0) for step in (2, 4, 6, 8, 10)]
    assert not tf.summary.should_record_summaries()


def test_a_callback_of_the_users_can_log_without_waiting(tmp_path):
    model = linear()
    writer = tf.summary.create_file_writer(tmp_path)
    log = tf.keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: tf.summary.scalar("loss", logs["loss"], step=batch)
    )
    with waits(1), writer.as_default():
        history = model.fit(X, Y, batch_size=5, verbose=0, callbacks=[log]).history
    writer.close()
    found = scalars(tmp_path)["loss"]
    assert [step for step, _ in found] == [0, 1, 2, 3] and found[-1][1] == history["loss"][0]


# --- other ways to use it --------------------------------------------------------------------------------------------


def test_evaluate_alone(tmp_path):
    model = linear()
    model.fit(X, Y, batch_size=5, verbose=0)
    callback = TensorBoard(tmp_path)
    loss = model.evaluate(X, Y, verbose=0, callbacks=[callback])
    assert scalars(tmp_path / "validation") == {"evaluation_loss_vs_iterations": [(4, loss)]}


def test_a_callback_serves_again_and_after_an_interruption(tmp_path):
    class Interrupt(tf.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    model, callback = linear(), TensorBoard(tmp_path, update_freq=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, verbose=0, callbacks=[callback, Interrupt()])
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[callback])
    assert not tf.summary.should_record_summaries()
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[callback])
    assert len(list((tmp_path / "train").iterdir())) == 3


def test_without_validation_there_is_no_file_for_it(tmp_path):
    linear().fit(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path)])
    assert [p.name for p in tmp_path.iterdir()] == ["train"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"update_freq": "step"}, {"update_freq": 0}, {"update_freq": 1.5}, {"histogram_freq": -1},
        {"profile_batch": 2}, {"profile_batch": (2, 4)}, {"profile_batch": "2,4"}, {"embeddings_freq": 1},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).split("_")[0]):
        TensorBoard("logs", **wrong)


# --- the graph of the layers -----------------------------------------------------------------------------------------


def graph_of(model, folder):
    """What TensorBoard's graph plugin makes of it: the inputs of each node, by its name, and the classes."""
    model.compile("sgd", "mse")
    callback = TensorBoard(folder)
    callback.set_model(model)
    callback.on_train_end()
    found = read(folder / "train") if (folder / "train").exists() else {}
    if "keras" not in found:
        return None
    ((step, written),) = found["keras"]
    assert step == 0
    graph = keras_model_to_graph_def(json.loads(written.item()))
    return {n.name: (n.attr["keras_class"].s.decode(), list(n.input)) for n in graph.node}


def test_the_graph_of_a_sequential_model(tmp_path):
    layers = tf.keras.layers
    inner = tf.keras.Sequential([layers.Dense(2, name="a"), layers.ReLU(name="b")], name="inner")
    model = tf.keras.Sequential([layers.Input((3,), name="in"), inner, layers.Dense(1, name="c")], name="m")
    found = graph_of(model, tmp_path)
    assert found["m/inner/b"] == ("ReLU", ["m/inner/a"]) and found["m/c"] == ("Dense", ["m/inner/b"])


def test_the_graph_of_a_functional_model(tmp_path):
    layers = tf.keras.layers
    x, z = tf.keras.Input((3,), name="x"), tf.keras.Input((3,), name="z")
    shared = layers.Dense(3, name="shared")
    inner_in = tf.keras.Input((3,), name="inner_in")
    inner = tf.keras.Model(inner_in, layers.Dense(3, name="deep")(inner_in), name="inner")
    joined = layers.Add(name="join")([shared(x), shared(z) * 2.0])
    model = tf.keras.Model([x, z], layers.Dense(1, name="out")(inner(joined)), name="m")
    found = graph_of(model, tmp_path)
    assert found["m/x"] == ("InputLayer", []) and found["m/shared"] == ("Dense", ["m/x", "m/z"])
    ((operation, (_, sources)),) = ((n, f) for n, f in found.items() if f[0] == "Op")
    assert sources == ["m/shared"] and found["m/join"] == ("Add", ["m/shared", operation])
    assert found["m/inner/inner_in"] == ("InputLayer", ["m/join"])
    assert found["m/inner/deep"] == ("Dense", ["m/inner/inner_in"]) and found["m/out"] == ("Dense", ["m/inner/deep"])


def test_a_subclassed_model_has_no_graph(tmp_path):
    assert graph_of(Watched(), tmp_path) is None
