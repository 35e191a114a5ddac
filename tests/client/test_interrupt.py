"""Ctrl-C at any moment of a training step leaves the session usable, and hardly anything behind."""

import gc
import signal

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote


@pytest.fixture
def interrupting():
    """A function that has this thread interrupted, as by Ctrl-C, after some seconds."""

    def raise_it(*_):
        signal.raise_signal(signal.SIGINT)  # as Ctrl-C does

    before = signal.signal(signal.SIGALRM, raise_it)
    # Again after a while: one that falls into a destructor is lost, as Python has it.
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds, 0.05 if seconds else 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


class Model:
    def __init__(self):
        self.w = tf.Variable(tf.ones([4]))
        self.b = tf.Variable(0.0)
        self.x = remote(np.arange(4, dtype=np.float32))

    def step(self, read):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self.w * self.x + self.b))
        dw, db = tape.gradient(loss, [self.w, self.b])
        self.w.assign_sub(1e-6 * dw)
        self.b.assign_sub(1e-6 * db)
        return float(loss) if read else loss


def held():
    gc.collect()
    tf.sync()
    tf.sync()
    return tf.stats()["server_tensors"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("read", [False, True], ids=["unread", "read"])
def test_interrupts_at_random_moments(interrupting, read):
    model = Model()
    model.step(True)
    before = held()
    rng = np.random.default_rng(read)
    hits = 0
    for _ in range(150):
        try:
            interrupting(rng.uniform(1e-4, 4e-3))
            while True:
                model.step(read)
        except KeyboardInterrupt:
            hits += 1
        finally:
            interrupting(0)
        try:
            after = model.step(True)
        except tf.errors.CancelledError:  # of what was cancelled; told once
            after = model.step(True)
        assert np.isfinite(after)
    assert hits == 150
    # Python drops an exception that falls into a destructor, and with it that destructor's release: a few may stay.
    assert held() <= before + 40
