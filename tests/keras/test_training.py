"""`fit` and its like: how often they wait, what they do with each kind of data, against a reference in NumPy."""

import gc

import numpy as np
import pytest

import client as tf
from client.keras.models import data_adapter, triples
from tests.client.waiting import remote, waits

X = np.sin(np.arange(60, dtype=np.float32)).reshape(20, 3)
Y = np.cos(np.arange(20, dtype=np.float32))[:, None]
W = np.array([[0.5], [-0.25], [1.0]], np.float32)


def linear(rate=0.1, **compiled):
    layer = tf.keras.layers.Dense(1, use_bias=False)
    layer.build((None, 3))
    layer.set_weights([W])
    model = tf.keras.Sequential([tf.keras.Input((3,)), layer])
    model.compile(tf.keras.optimizers.SGD(rate), "mse", **compiled)
    return model


def descend(x, y, epochs, size, rate=0.1, weights=None, order=None):
    """Linear regression by hand: the mean losses of the epochs, and the weights after."""
    w = W.astype(np.float64)
    history = []
    for _ in range(epochs):
        losses = []
        rows = np.arange(len(x)) if order is None else order
        for start in range(0, len(x), size):
            at = rows[start : start + size]
            weight = np.ones((len(at), 1)) if weights is None else weights[at][:, None]
            error = x[at] @ w - y[at]
            losses.extend([np.mean(weight * error**2)] * len(at))
            w = w - rate * x[at].T @ (2 * weight * error) / len(at)
        history.append(np.mean(losses))
    return history, w


# --- waits -----------------------------------------------------------------------------------------------------------


def test_an_epoch_waits_once():
    model = linear(metrics=["mae"])
    model.fit(X, Y, verbose=0)
    with waits(1):
        model.fit(X, Y, verbose=0)
    with waits(3):
        history = model.fit(X, Y, epochs=3, batch_size=2, verbose=0, validation_data=(X, Y))
    assert all(type(v) is float for values in history.history.values() for v in values)


def test_evaluate_and_predict_wait_once():
    model = linear(metrics=["mae"])
    with waits(1):
        model.evaluate(X, Y, batch_size=2, verbose=0)
    with waits(1):
        model.predict(X, batch_size=2, verbose=0)
    with waits(1):
        model.predict_on_batch(X)


def test_single_batches_wait_when_looked_at():
    model = linear(metrics=["mae"])
    with waits(0):
        for _ in range(5):
            loss, error = model.train_on_batch(X, Y)
    with waits(1):
        assert loss < 10
        assert f"{loss:.2f}" == f"{float(loss):.2f}"
        assert error + 1 > 1
    with waits(0):
        logs = model.test_on_batch(X, Y, return_dict=True)
    with waits(1):
        assert list(logs) == ["loss", "mae"]
        assert logs["loss"] == logs["loss"]


def test_logs_of_a_batch_are_read_together():
    model = linear(metrics=["mae"])
    model.fit(X, Y, verbose=0)
    seen = []

    def look(batch, logs):
        if batch == 1:
            seen.append(logs["loss"] + logs["mae"])

    with waits(2):
        model.fit(X, Y, verbose=0, batch_size=5, callbacks=[tf.keras.callbacks.LambdaCallback(on_train_batch_end=look)])
    assert isinstance(seen[0], float)


def test_memory_on_the_server_stays():
    model = linear()
    model.fit(X, Y, verbose=0, epochs=2)

    def held():
        gc.collect()
        tf.sync()
        return tf.stats()["server_tensors"]

    before = held()
    for _ in range(5):
        model.fit(X, Y, verbose=0, epochs=3, batch_size=1)
        model.predict(X, verbose=0)
    assert held() <= before + 2


# --- data ------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["resident", "streamed", "streamed in blocks", "on the server"])
def columns(request, monkeypatch):
    if request.param == "on the server":
        return remote(X), remote(Y)
    if request.param != "resident":
        monkeypatch.setattr(data_adapter, "RESIDENT_BYTES", 0)
        monkeypatch.setattr(data_adapter, "_SMALL", 0)
        monkeypatch.setattr(data_adapter, "_BLOCK", 1 if request.param == "streamed" else 200)
        monkeypatch.setattr(data_adapter, "_LARGE_BLOCK", 1)
        monkeypatch.setattr(data_adapter, "_AHEAD", 400)
    return X, Y


def test_rows_in_order(columns):
    model = linear()
    history = model.fit(*columns, shuffle=False, batch_size=6, epochs=3, verbose=0)
    losses, w = descend(X, Y, 3, 6)
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], w, rtol=1e-5)


def test_shuffled_rows(columns):
    tf.random.set_seed(3)
    order = data_adapter._permutation(20)
    assert sorted(order) == list(range(20))
    model = linear()
    tf.random.set_seed(3)
    history = model.fit(*columns, batch_size=6, verbose=0)
    losses, w = descend(X, Y, 1, 6, order=order)
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], w, rtol=1e-5)


def test_epochs_have_different_orders():
    seen = []
    model = linear(rate=0.0)

    class Watch(tf.keras.Sequential):
        def train_step(self, data):
            seen.append(data[0][:, 0])
            return super().train_step(data)

    model = Watch(model.layers)
    model.compile(tf.keras.optimizers.SGD(0.0), "mse")
    model.fit(X, Y, epochs=2, batch_size=20, verbose=0)
    first, second = (t.numpy() for t in seen)
    assert sorted(first) == sorted(second) == sorted(X[:, 0])
    assert list(first) != list(second)


def test_shuffling_within_batches(columns):
    seen = []

    class Watch(tf.keras.Sequential):
        def train_step(self, data):
            seen.append(data[0][:, 0])
            return super().train_step(data)

    model = Watch(linear().layers)
    model.compile(tf.keras.optimizers.SGD(0.0), "mse")
    model.fit(*columns, batch_size=6, shuffle="batch", verbose=0)
    found = [t.numpy() for t in seen]
    for i, rows in enumerate(found):
        assert sorted(rows) == sorted(X[6 * i : 6 * i + 6, 0])
    assert list(np.concatenate(found)) != list(X[:, 0])


def test_weights_of_samples_and_classes():
    given = np.linspace(0, 2, 20)
    classes = np.arange(20) % 3
    by_class = np.array([2.0, 1.0, 0.5])[classes]
    for arguments, weights in (
        ({"sample_weight": given}, given),
        ({"sample_weight": remote(given.astype(np.float32))}, given),
    ):
        model = linear()
        history = model.fit(X, Y, shuffle=False, batch_size=6, epochs=2, verbose=0, **arguments)
        losses, w = descend(X, Y, 2, 6, weights=weights)
        np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-5)
        np.testing.assert_allclose(model.get_weights()[0], w, rtol=1e-5)
    targets = classes.astype(np.float32)[:, None]
    losses, w = descend(X, targets, 2, 6, weights=by_class)
    for y in (targets, remote(targets)):
        model = linear()
        with waits(2):
            history = model.fit(X, y, shuffle=False, batch_size=6, epochs=2, verbose=0, class_weight={0: 2.0, 2: 0.5})
        np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-5)
        np.testing.assert_allclose(model.get_weights()[0], w, rtol=1e-5)


@pytest.mark.parametrize("labels", [[0, 2, 5, -1], [[0], [2], [5], [-1]], [0.0, 2.2, 4.9, -0.9]])
def test_weights_of_classes(labels):
    given = {0: 3.0, 2: 0.5, 7: 9.0}
    for y in (np.array(labels), remote(labels)):
        np.testing.assert_array_equal(np.asarray(triples.class_weights(y, given)), [3.0, 0.5, 1.0, 1.0])
    one_hot = np.eye(4)[[2, 0, 1]]
    for y in (one_hot, remote(one_hot)):
        np.testing.assert_array_equal(np.asarray(triples.class_weights(y, given)), [0.5, 3.0, 1.0])


def test_validation_split_of_tensors():
    model = linear()
    history = model.fit(remote(X), remote(Y), validation_split=0.25, shuffle=False, batch_size=5, verbose=0)
    losses, w = descend(X[:15], Y[:15], 1, 5)
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(history.history["val_loss"], [np.mean((X[15:] @ w - Y[15:]) ** 2)], rtol=1e-5)


def test_a_generator_that_ends_warns():
    def batches():
        for i in range(3):
            yield X[i : i + 4], Y[i : i + 4]

    model = linear()
    with pytest.warns(UserWarning, match="ran out of data"):
        history = model.fit(batches(), steps_per_epoch=5, epochs=1, verbose=0)
    assert len(history.history["loss"]) == 1
    model.fit(batches(), verbose=0)  # as long as it lasts


class Batches(tf.keras.utils.Sequence):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.asked = []
        self.epochs = []

    def __len__(self):
        return 4

    def __getitem__(self, i):
        self.asked.append(i)
        return X[i * 5 : i * 5 + 5], Y[i * 5 : i * 5 + 5]

    def on_epoch_begin(self):
        self.epochs.append("begin")

    def on_epoch_end(self):
        self.epochs.append("end")


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_of_a_class(workers):
    data = Batches(workers=workers, max_queue_size=2)
    model = linear()
    history = model.fit(data, shuffle=False, epochs=2, verbose=0)
    losses, w = descend(X, Y, 2, 5)
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], w, rtol=1e-5)
    assert sorted(data.asked) == sorted([*range(4)] * 2)
    assert data.epochs == ["begin", "end"] * 2
    data.asked.clear()
    tf.random.set_seed(5)
    model.fit(data, epochs=3, verbose=0)
    assert len({tuple(data.asked[i : i + 4]) for i in (0, 4, 8)}) > 1


def test_zero_rows_and_scalars_are_refused():
    model = linear()
    with pytest.raises(ValueError, match="first axis"):
        model.fit(np.float32(1), np.float32(1), verbose=0)
    with pytest.raises(ValueError, match="cardinality"):
        model.fit(X, Y[:3], verbose=0)
    with pytest.warns(UserWarning, match="ran out"), pytest.raises(ValueError, match="no batch"):
        model.predict(X[:0], verbose=0)
    with pytest.raises(ValueError, match="dtype"):
        model.fit(np.array([["a"]]), Y[:1], verbose=0)


def test_predictions_of_several_reads(monkeypatch):
    from client.keras.models import running

    monkeypatch.setattr(running, "_GROUP_BYTES", 40)
    monkeypatch.setattr(running, "_GROUPS", 1)
    found = linear().predict(X, batch_size=3, verbose=0)
    np.testing.assert_allclose(found, X @ W, rtol=1e-5)
    assert found.dtype == np.float32


# --- steps of the user's ---------------------------------------------------------------------------------------------


def test_a_train_step_of_the_users_never_waits():
    class Model(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable(W)
            self.tracker = tf.keras.metrics.Mean(name="loss")

        def call(self, x):
            return x @ self.w

        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x) - y) ** 2)
            self.optimizer.apply_gradients(zip(tape.gradient(loss, [self.w]), [self.w], strict=True))
            self.tracker.update_state(loss, sample_weight=len(x))
            return {"loss": self.tracker.result()}

        @property
        def metrics(self):
            return [self.tracker]

    model = Model()
    model.compile(tf.keras.optimizers.SGD(0.1))
    with waits(3):
        history = model.fit(X, Y, shuffle=False, epochs=3, batch_size=6, verbose=0)
    losses, w = descend(X, Y, 3, 6)
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(model.w.numpy(), w, rtol=1e-5)


def test_added_losses_do_not_pile_up():
    class Model(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = tf.keras.layers.Dense(1)

        def call(self, x):
            y = self.dense(x)
            self.add_loss(tf.constant(1.0))
            return y

    model = Model()
    model.compile(tf.keras.optimizers.SGD(0.0), "mse", metrics=["mse"])
    history = model.fit(X, Y, epochs=2, verbose=0).history
    np.testing.assert_allclose(np.subtract(history["loss"], history["mse"]), 1.0, rtol=1e-5)


def test_no_trainable_weights_warn():
    model = linear()
    model.trainable = False
    with pytest.warns(UserWarning, match="trainable"):
        model.train_on_batch(X, Y)


def test_an_error_on_the_server_ends_the_epoch():
    class Pick(tf.keras.layers.Layer):
        def build(self, input_shape):
            self.table = self.add_weight((4, 1))

        def call(self, x):
            return tf.gather(self.table, x[:, 0])

    model = tf.keras.Sequential([tf.keras.Input((1,), dtype="int64"), Pick()])
    model.compile("sgd", "mse")
    targets = np.zeros((2, 1), np.float32)
    with pytest.raises(tf.errors.InvalidArgumentError):
        model.fit(np.array([[1], [9]]), targets, verbose=0)
    tf.sync()
    assert model.predict(np.array([[1], [3]]), verbose=0).shape == (2, 1)


def test_an_interrupted_fit_leaves_the_model_usable():
    model = linear()
    model.fit(X, Y, verbose=0)

    def interrupt(batch, logs):
        if batch == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(
            X, Y, verbose=0, batch_size=1, callbacks=[tf.keras.callbacks.LambdaCallback(on_train_batch_end=interrupt)]
        )
    assert np.isfinite(model.fit(X, Y, verbose=0).history["loss"][0])
    assert np.isfinite(model.get_weights()[0]).all()


def test_a_dataset_waits_once_an_epoch():
    model = linear()
    data = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(20).batch(3).prefetch(2)
    model.fit(data, verbose=0)
    with waits(3):
        model.fit(data, epochs=3, verbose=0, validation_data=data)


def test_the_history_does_not_keep_the_model():
    import weakref

    model = linear()
    history = model.fit(X, Y, verbose=0)
    assert history.model is model and model.history is history
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None and history.model is None and len(history.history["loss"]) == 1
