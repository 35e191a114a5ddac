"""Learning rate schedules against their formulas in double precision."""

import math

import numpy as np
import pytest

import client as tf
from tests.client.waiting import waits

S = tf.keras.optimizers.schedules
STEPS = [0, 1, 2, 3, 5, 7, 8, 9, 14, 20, 21, 25, 56, 100]


def exponential(step, rate, steps, decay, staircase=False):
    return rate * decay ** (step // steps if staircase else step / steps)


def inverse(step, rate, steps, decay, staircase=False):
    return rate / (1 + decay * (step // steps if staircase else step / steps))


def piecewise(step, boundaries, values):
    return values[sum(step > b for b in boundaries)]


def polynomial(step, rate, steps, end_learning_rate=0.0001, power=1.0, cycle=False):
    if cycle:
        steps *= max(1, math.ceil(step / steps))
    return (rate - end_learning_rate) * (1 - min(step, steps) / steps) ** power + end_learning_rate


def cosine(step, rate, steps, alpha=0.0, warmup_target=None, warmup_steps=0):
    if warmup_target is not None:
        if step < warmup_steps:
            return rate + (warmup_target - rate) * step / warmup_steps
        step, rate = step - warmup_steps, warmup_target
    return rate * ((1 - alpha) * (1 + math.cos(math.pi * min(step, steps) / steps)) / 2 + alpha)


def restarts(step, rate, steps, t_mul=2.0, m_mul=1.0, alpha=0.0):
    """Fall after fall."""
    height = 1.0
    while step >= steps:
        step, steps, height = step - steps, steps * t_mul, height * m_mul
    return rate * ((1 - alpha) * height * (1 + math.cos(math.pi * step / steps)) / 2 + alpha)


CASES = [
    (S.ExponentialDecay, exponential, (0.1, 7, 0.9), {}),
    (S.ExponentialDecay, exponential, (0.1, 7, 0.9), {"staircase": True}),
    (S.InverseTimeDecay, inverse, (0.1, 7, 0.9), {}),
    (S.InverseTimeDecay, inverse, (0.1, 7, 0.9), {"staircase": True}),
    (S.PiecewiseConstantDecay, piecewise, ([3, 8, 20], [0.1, 0.5, 0.2, 0.4]), {}),
    (S.PiecewiseConstantDecay, piecewise, ([], [0.25]), {}),
    (S.PolynomialDecay, polynomial, (0.1, 20), {}),
    (S.PolynomialDecay, polynomial, (0.1, 20), {"end_learning_rate": 0.03, "power": 2.0}),
    (S.PolynomialDecay, polynomial, (0.1, 7), {"cycle": True, "power": 0.5}),
    (S.CosineDecay, cosine, (0.1, 20), {}),
    (S.CosineDecay, cosine, (0.1, 20), {"alpha": 0.2}),
    (S.CosineDecay, cosine, (0.0, 20), {"warmup_target": 0.3, "warmup_steps": 5}),
    (S.CosineDecay, cosine, (0.1, 20), {"warmup_target": 0.3, "warmup_steps": 0, "alpha": 0.5}),
    (S.CosineDecayRestarts, restarts, (0.1, 8), {}),
    (S.CosineDecayRestarts, restarts, (0.1, 8), {"t_mul": 1.0, "m_mul": 0.5, "alpha": 0.1}),
    (S.CosineDecayRestarts, restarts, (0.1, 8), {"t_mul": 1.5, "m_mul": 0.9}),
]
by_schedule = pytest.mark.parametrize(
    ("kind", "formula", "arguments", "options"), CASES, ids=[f"{c[0].__name__}-{i}" for i, c in enumerate(CASES)]
)


@by_schedule
def test_values(kind, formula, arguments, options):
    """Of a number, of a tensor, and of a variable that only the server knows; nothing waits."""
    schedule = kind(*arguments, **options)
    counter = tf.Variable(0, dtype="int64")
    found = []
    with waits(0):
        for step in STEPS:
            counter.assign(step)
            rates = [schedule(step), schedule(tf.constant(step, "int64")), schedule(counter)]
            assert all(r.dtype == tf.float32 and r.shape == () for r in rates)
            found.append(tf.stack(rates))
    expected = [[formula(step, *arguments, **options)] * 3 for step in STEPS]
    np.testing.assert_allclose(tf.fetch(*found), expected, rtol=1e-5, atol=1e-7)


@by_schedule
def test_configurations(kind, formula, arguments, options):
    schedule = kind(*arguments, **options)
    config = S.serialize(schedule)
    assert config["class_name"] == kind.__name__
    assert all(config["config"][k] == v for k, v in options.items())
    again = S.deserialize(config)
    assert type(again) is kind
    assert again.get_config() == schedule.get_config()


def test_double_precision():
    rate = S.ExponentialDecay(np.float64(0.1), 7, 0.9)(3)
    assert rate.dtype == tf.float64
    assert float(rate) == pytest.approx(0.1 * 0.9 ** (3 / 7), rel=1e-14)


def test_a_learning_rate_on_the_server():
    first = tf.Variable(0.5)
    schedule = S.CosineDecay(first, 10, alpha=tf.constant(0.5))
    first.assign(0.25)
    with waits(0):
        rate = schedule(10)
    assert float(rate) == 0.125


def test_a_schedule_of_the_users():
    class Harmonic(S.LearningRateSchedule):
        def __init__(self, first):
            self.first = first

        def __call__(self, step):
            return self.first / (tf.cast(step, "float32") + 1.0)

        def get_config(self):
            return {"first": self.first}

    optimizer = tf.keras.optimizers.SGD(Harmonic(1.0))
    variable = tf.Variable(0.0)
    with waits(0):
        for _ in range(2):
            optimizer.apply([tf.constant(1.0)], [variable])
    assert float(variable) == -1.5
    again = tf.keras.optimizers.SGD.from_config(optimizer.get_config(), {"Harmonic": Harmonic})
    assert float(again.learning_rate) == 1.0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: S.ExponentialDecay(0.1, 0, 0.9), "Argument `decay_steps` must be > 0. Received: decay_steps=0"),
        (lambda: S.InverseTimeDecay(0.1, -1, 0.9), "Argument `decay_steps` must be > 0"),
        (lambda: S.PolynomialDecay(0.1, 0), "Argument `decay_steps` must be > 0"),
        (lambda: S.CosineDecay(0.1, 0), "Argument `decay_steps` must be > 0"),
        (lambda: S.CosineDecayRestarts(0.1, 0), "Argument `first_decay_steps` must be > 0"),
        (lambda: S.PiecewiseConstantDecay([1, 2], [1.0]), "The length of boundaries should be 1 less than"),
    ],
)
def test_errors(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_the_base_does_nothing():
    base = S.LearningRateSchedule()
    with pytest.raises(NotImplementedError, match=r"must override `__call__\(self, step\)`"):
        base(1)
    with pytest.raises(NotImplementedError, match=r"must override `get_config\(\)`"):
        base.get_config()
