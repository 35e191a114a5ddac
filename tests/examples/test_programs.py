"""The example programs: what they print, and how often they wait."""

import advanced_gradients
import basics
import checkpoints
import linear_regression
import matrix_products
import numpy as np
import pytest
import summaries
import train_digits

import client as tf
from tests.client.event_files import read
from tests.client.waiting import waits


def test_hello():
    with waits(1):
        assert basics.hello() == "hello, [[4.]]"


def test_arithmetic():
    assert basics.arithmetic() == ["[[1 2]\n [3 4]]", "[[2 3]\n [4 5]]", "[[ 2  6]\n [12 20]]", "[[ 2  6]\n [12 20]]"]


def test_fizzbuzz_waits_for_nothing():
    with waits(0):
        said = basics.fizzbuzz(15)
    assert " ".join(said) == "1 2 Fizz 4 Buzz Fizz 7 8 Fizz Buzz 11 Fizz 13 14 FizzBuzz"


def test_the_gradient_of_a_square():
    with waits(0):
        gradient = basics.gradient_of_a_square()
    with waits(1):
        assert str(gradient) == "tf.Tensor([[2.]], shape=(1, 1), dtype=float32)"


def test_the_running_mean():
    with waits(2):
        assert basics.running_mean() == (2.5, 5.5)


def test_linear_regression():
    inputs, targets = linear_regression.points()
    first = float(linear_regression.loss(linear_regression.Linear(), inputs, targets))
    seen = []
    with waits(15 + 1):  # a loss every 20 steps of 300, and the three values at the end
        w, b, last = linear_regression.train(report=lambda step, value: seen.append(value))
    # Initially the error is (5 - 3) x + (10 - 2) - noise, whose mean square is 4 + 64 + 1.
    assert first == pytest.approx(69, abs=3) and last == pytest.approx(1.0, abs=0.1)
    assert w == pytest.approx(3, abs=0.1) and b == pytest.approx(2, abs=0.1)
    assert len(seen) == 15 and seen == sorted(seen, reverse=True)
    with waits(1):
        linear_regression.train(steps=20)


def test_summaries(tmp_path):
    before = tf.stats()["waits"]
    summaries.train(tmp_path)
    assert tf.stats()["waits"] - before <= 1
    found = read(tmp_path)
    steps = list(range(100, 1001, 100))
    assert [step for step, _ in found["loss"]] == [step for step, _ in found["error"]] == steps
    losses = [float(value) for _, value in found["loss"]]
    assert losses[0] == max(losses) < 5 and losses[-1] == pytest.approx(1.0, abs=0.1)
    assert all(buckets[:, 2].sum() == linear_regression.EXAMPLES for _, buckets in found["error"])


def test_checkpoints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with waits(1):
        checkpoints.weights_of_a_model("./w")
    with waits(1):
        path, x = checkpoints.a_variable("./ckpt")
    assert path == "./ckpt/-1"
    assert repr(x) == "<tf.Variable 'Variable:0' shape=() dtype=float32, numpy=2.0>"
    status = checkpoints.a_model_and_its_optimizer("./model")
    assert isinstance(status, tf.train.CheckpointLoadStatus)
    status.assert_consumed()
    with waits(1):  # `int(step)`
        assert checkpoints.train("./run", 30) == (0, 3)
    assert checkpoints.train("./run", 60) == (30, 3)
    assert checkpoints.train("./run", 60) == (60, 3)


def test_line_search():
    def fn(x):
        return tf.reduce_sum(tf.square(x) * tf.square(x))

    # fn = 82, its gradient (108, -4) has the square norm 11680; x - rate * gradient first falls enough at rate 1/128,
    # after trying 1, 1/2, ..., so 8 values are looked at after the first comparison: 2 at the start, as written.
    x, rate, value, norm, tries = np.array([3.0, -1.0]), 1.0, 82.0, 108.0**2 + 4.0**2, 1
    new = x
    while value > 82.0 - rate * norm:
        new = x - rate * np.array([108.0, -4.0])
        value = float((new**4).sum())
        rate /= 2
        tries += 1
    with waits(tries):
        found, reached = advanced_gradients.line_search_step(fn, tf.constant([3.0, -1.0]))
    assert np.allclose(found, new) and float(reached) == pytest.approx(value)


def test_custom_gradients():
    derivative = advanced_gradients.derivative
    with waits(5):
        assert derivative(advanced_gradients.log1pexp_plain, 0.0) == 0.5
        assert np.isnan(derivative(advanced_gradients.log1pexp_plain, 100.0))
        assert derivative(advanced_gradients.log1pexp, 0.0) == 0.5
        assert derivative(advanced_gradients.log1pexp, 100.0) == 1.0
        assert derivative(lambda x: 100.0 * advanced_gradients.clip_gradient_by_norm(x, 2.0), 1.0) == 2.0


def test_products_on_every_device():
    with waits(2):  # the first use of the device, and the value at the end
        found = matrix_products.on_every_device(50, 200)
    assert len(found) == 1 and all(seconds > 0 for seconds in found.values())
    with waits(0):
        assert matrix_products.moved(tf.random.normal([10, 10]))[0].endswith("CPU:0")


@pytest.fixture(scope="module")
def data():
    return train_digits.digits("digits")


def test_a_step_on_digits_waits_for_its_loss_alone(data):
    x, y = data[0][:32], data[1][:32]
    with waits(0):
        training = train_digits.Training(1e-2)
        images, labels = tf.constant(x), tf.constant(y)
        losses = [training.step(images, labels) for _ in range(5)]
    for loss in losses:
        with waits(1):
            assert 0 < float(loss) < 10
    with waits(1):
        assert 0 <= training.accuracy(x, y) <= 1


def test_the_digits_are_learned(data, tmp_path):
    tf.random.set_seed(0)
    x_train, y_train, x_test, y_test = data
    rows = tf.data.Dataset.from_tensor_slices((x_train, y_train))
    dataset = rows.shuffle(len(x_train), seed=0).batch(32).prefetch(2)
    training = train_digits.Training(1e-2)
    with waits(1):
        losses = train_digits.train(training, dataset, 40, show=False)
    assert len(losses) == 40 * 43 and np.mean(losses[-43:]) < 0.4 < 2 < losses[0]
    assert training.accuracy(x_test, y_test) > 0.95
    train_digits.draw(losses, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
