"""Callbacks: how often they wait, what the progress bar shows, and what TensorFlow's recordings do not cover."""

import io
import re

import numpy as np
import pytest

import client as tf
from tests.client.waiting import waits
from tests.keras.test_training import X, Y, linear


def test_those_that_watch_share_the_epochs_wait():
    model = linear(metrics=["mae"])
    callbacks = [
        tf.keras.callbacks.EarlyStopping("loss", patience=50, restore_best_weights=True),
        tf.keras.callbacks.ReduceLROnPlateau("val_loss", patience=1, min_delta=0.1),
        tf.keras.callbacks.ReduceLROnPlateau("mae", patience=1, factor=0.5, min_delta=0.1),
        tf.keras.callbacks.TerminateOnNaN(),
    ]
    with waits(6):
        history = model.fit(X, Y, epochs=6, validation_data=(X, Y), callbacks=callbacks, verbose=0).history
    assert len(set(history["learning_rate"])) > 2


def test_a_schedule_that_ignores_the_rate_never_waits():
    model = linear()
    rates = [0.3, 0.2, 0.1]
    with waits(3):
        history = model.fit(
            X, Y, epochs=3, verbose=0, callbacks=[tf.keras.callbacks.LearningRateScheduler(lambda epoch: rates[epoch])]
        ).history
    np.testing.assert_allclose(history["learning_rate"], rates, rtol=1e-6)
    with waits(4):  # the first rate, which nobody knows, and one an epoch
        model.fit(
            X,
            Y,
            epochs=3,
            verbose=0,
            callbacks=[tf.keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)],
        )
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1 / 8)


def test_a_rate_that_a_callback_of_the_users_sets_is_seen():
    class Halve(tf.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.optimizer.learning_rate = 0.1 / 2 ** (epoch + 1)

    model = linear()
    watch = tf.keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9)
    history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[Halve(), watch]).history
    np.testing.assert_allclose(history["learning_rate"], [0.05, 0.025, 0.0125], rtol=1e-6)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.0125 / 2)


def test_the_best_weights_stay_on_the_server():
    model = linear()
    diverge = tf.keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 if epoch < 3 else 10.0)
    stop = tf.keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)
    after = []
    keep = tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: after.append(model.weights[0].value()))
    model.fit(X, Y, epochs=9, verbose=0, callbacks=[diverge, keep, stop])
    assert (stop.best_epoch, stop.stopped_epoch) == (
        3,
        4,
    )  # a loss is the mean over its epoch, so the rise shows one late
    np.testing.assert_array_equal(model.get_weights()[0], after[stop.best_epoch].numpy())


def test_a_bad_loss_ends_training_without_waiting(capsys):
    model = linear()
    steps = []
    count = tf.keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: steps.append(batch))
    with waits(1):
        model.fit(
            np.full_like(X, np.nan), Y, epochs=9, verbose=0, callbacks=[tf.keras.callbacks.TerminateOnNaN(), count]
        )
    assert len(steps) <= 1 and "Invalid loss, terminating training" in capsys.readouterr().out
    linear().fit(X, Y, epochs=2, verbose=0, callbacks=[tf.keras.callbacks.TerminateOnNaN()])
    assert not capsys.readouterr().out


def test_a_bad_loss_ends_training_in_the_middle_of_an_epoch():
    model = linear(rate=1e30)
    seen = []
    model.fit(
        np.tile(X, (1000, 1)),
        np.tile(Y, (1000, 1)),
        batch_size=1,
        verbose=0,
        callbacks=[
            tf.keras.callbacks.TerminateOnNaN(),
            tf.keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch)),
        ],
    )
    assert len(seen) < 20000


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, terminal, action):
    stream = Terminal() if terminal else io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        action()
    return re.sub(r"\x1b\[\d*m", "", stream.getvalue())


def test_the_bar_on_a_terminal(monkeypatch):
    model = linear(metrics=["mae"])
    with waits(2):
        text = shown(monkeypatch, True, lambda: model.fit(X, Y, batch_size=5, epochs=2))
    lines = text.split("\n")
    assert lines[0] == "Epoch 1/2" and lines[2] == "Epoch 2/2"
    last = lines[1].split("\r")[-1].rstrip()
    assert re.fullmatch(r"4/4 ━{20} \d+s \d+(s|ms|us)/step - loss: [\d.e+-]+ - mae: [\d.e+-]+", last), last


def test_the_bar_redraws_ten_times_a_second_at_most(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("client.keras.progress.monotonic", lambda: now[0])
    monkeypatch.setattr("client.keras.progbar_logger.monotonic", lambda: now[0])

    def tick(batch, logs):
        now[0] += 0.01

    model = linear()
    ticking = tf.keras.callbacks.LambdaCallback(on_train_batch_begin=tick)
    text = shown(monkeypatch, True, lambda: model.fit(X, Y, batch_size=1, epochs=1, callbacks=[ticking]))
    assert 1 <= text.count("\r") <= 4  # 0.2 seconds, and the last


def test_one_line_an_epoch_elsewhere(monkeypatch):
    model = linear(metrics=["mae"])
    with waits(2):
        text = shown(monkeypatch, False, lambda: model.fit(X, Y, batch_size=5, epochs=2))
    line = r"4/4 - \d+s - \d+(s|ms|us)/step - loss: [\d.e+-]+ - mae: [\d.e+-]+\n"
    assert re.fullmatch(f"Epoch 1/2\n{line}Epoch 2/2\n{line}", text), text
    assert shown(monkeypatch, False, lambda: model.fit(X, Y, verbose=0)) == ""
    bar = shown(monkeypatch, False, lambda: model.fit(X, Y, verbose=1))
    assert re.fullmatch(r"1/1 ━{20} \d+s \d+(s|ms|us)/step - loss: [\d.e+-]+ - mae: [\d.e+-]+\n", bar), bar
    assert re.fullmatch(line.replace("4/4", "1/1"), shown(monkeypatch, False, lambda: model.evaluate(X, Y)))
    assert re.fullmatch(r"1/1 - \d+s - \d+(s|ms|us)/step\n", shown(monkeypatch, False, lambda: model.predict(X)))


def test_a_bar_of_unknown_length(monkeypatch):
    def batches():
        for i in range(4):
            yield X[i * 5 : i * 5 + 5], Y[i * 5 : i * 5 + 5]

    model = linear()
    text = shown(monkeypatch, True, lambda: model.fit(batches()))
    assert text.split("\r")[-1].startswith("4/4 ━")


def test_progbar_averages(monkeypatch):
    def run():
        bar = tf.keras.utils.Progbar(3, interval=0, stateful_metrics=["b"])
        for i, v in enumerate([1.0, 3.0]):
            bar.update(i + 1, [("a", tf.constant(v)), ("b", v)])
        bar.add(1, [("a", 5.0), ("b", 5.0)])

    drawn = [part.rstrip() for part in shown(monkeypatch, True, run).split("\r")[1:]]
    assert [re.search(r"- a: .*", part).group() for part in drawn] == [
        "- a: 1.0000 - b: 1.0000",
        "- a: 2.0000 - b: 3.0000",
        "- a: 5.0000 - b: 5.0000",
    ]
    assert drawn[1].startswith("2/3 ━━━━━━━━━━━━━━━━━━━━")


def test_numbers_behave_as_floats():
    from client.keras.logs import Logs

    with waits(0):
        logs = Logs({"b": tf.identity(tf.constant([2.5]))[0], "a": {"c": tf.identity(tf.constant([4.0]))[0]}, "d": 1})
    assert list(logs) == ["c", "b", "d"]
    with waits(1):
        value = logs["b"]
        assert float(value) == value == 2.5 and value != 2 and hash(value) == hash(2.5)
        assert value < 3 <= logs["c"] and value > 2 and round(value) == 2 and int(value) == 2 and bool(value)
        assert value + 1 == 3.5 and 1 - value == -1.5 and value * value == 6.25 and 5 / value == 2 and value**2 == 6.25
        assert -value == -2.5 and abs(value) == 2.5 and value // 2 == 1 and value % 2 == 0.5
        assert f"{value:.3f} {value}" == "2.500 2.5" and repr(value) == "2.5"
        assert np.isfinite(value) and np.float64(1) + value == 3.5 and np.asarray(value) == 2.5


def test_a_failing_callback_leaves_the_model_usable():
    def fail(batch, logs):
        raise RuntimeError("mine")

    model = linear()
    with pytest.raises(RuntimeError, match="mine"):
        model.fit(X, Y, verbose=0, callbacks=[tf.keras.callbacks.LambdaCallback(on_train_batch_end=fail)])
    model.fit(X, Y, verbose=0)
