"""What fails on the server is raised once, at the next wait, with the user's line.

Its dependents alone are poisoned, and effects after it are skipped.
"""

import re
import sys

import numpy as np
import pytest

import client as tf
from tests.support import run_program


def singular() -> tf.Tensor:
    return tf.linalg.inv(tf.zeros([8, 8]))


def here() -> int:
    return sys._getframe(1).f_lineno


def test_a_shape_mistake_is_raised_on_its_own_line():
    x = tf.zeros([8, 3])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[8,3\] vs. \[4\].*Op:add.*x: float32\[8,3\]") as caught:
        x + tf.zeros([4])
    assert caught.traceback[0].path.name == "test_failures.py"


def test_a_dtype_mistake_is_raised_on_its_own_line():
    with pytest.raises(tf.errors.InvalidArgumentError, match="float64"):
        tf.zeros([8, 3]) + tf.zeros([3], tf.float64)
    with pytest.raises(TypeError):
        tf.zeros([8], tf.int32) * 1.5


def test_a_failure_is_raised_once_at_the_next_wait_and_names_the_line(capfd):
    bad = singular()
    good = tf.ones([8, 8]) + 1.0
    with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible") as caught:
        good.numpy()
    assert re.search(r"test_failures\.py:\d+, in singular: return tf\.linalg\.inv", str(caught.value))
    assert caught.value.op == "inv"
    np.testing.assert_array_equal(good.numpy(), np.full((8, 8), 2.0))
    tf.sync()
    error = capfd.readouterr().err
    assert error.count("telegrad: inv failed") == 1
    del bad


def test_the_line_is_that_of_the_issue_not_of_the_read():
    bad = tf.linalg.inv(tf.zeros([8, 8])); line = here()  # fmt: skip  # noqa: E702
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"test_failures\.py:{line},"):
        bad.numpy()


def test_only_dependents_are_poisoned_and_they_stay_so():
    bad = singular()
    dependent = tf.reduce_sum(bad * 2.0)
    independent = tf.reduce_sum(tf.ones([8]))
    with pytest.raises(tf.errors.InvalidArgumentError):
        dependent.numpy()
    for _ in range(2):
        with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible"):
            dependent.numpy()
    assert float(independent) == 8.0
    tf.sync()


def test_variables_are_as_they_were_at_the_failing_op():
    v, w = tf.Variable(1.0), tf.Variable([1.0, 2.0])
    v.assign_add(1.0)
    singular()
    v.assign_add(10.0)
    w.assign([5.0, 5.0])
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.sync()
    assert float(v) == 2.0
    np.testing.assert_array_equal(w.numpy(), [1.0, 2.0])
    v.assign_add(10.0)
    assert float(v) == 12.0


def test_catching_and_trying_again_is_correct():
    total = tf.Variable(tf.zeros([8, 8]))

    def step(scale: float) -> None:
        total.assign_add(tf.linalg.inv(tf.eye(8) * scale))
        total.assign_add(tf.ones([8, 8]))
        tf.sync()

    step(1.0)
    with pytest.raises(tf.errors.InvalidArgumentError):
        step(0.0)
    step(2.0)
    np.testing.assert_allclose(total.numpy(), 1.5 * np.eye(8) + 2.0)


def test_an_effect_on_a_poisoned_value_fails_again():
    v = tf.Variable(tf.zeros([8, 8]))
    bad = singular()
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.sync()
    v.assign(bad)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible"):
        tf.sync()
    np.testing.assert_array_equal(v.numpy(), np.zeros((8, 8)))


def test_several_failures_are_told_together():
    singular()
    singular()
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.sync()
    assert any("and then" in note for note in caught.value.__notes__)
    tf.sync()


def test_out_of_memory_says_how_much_and_leaves_the_session_usable():
    x = tf.ones([1000])
    with pytest.raises(tf.errors.ResourceExhaustedError, match=r"\d+ bytes asked, \d+ used, \d+ allowed"):
        tf.ones([2**40], tf.float32).numpy()
    assert float(tf.reduce_sum(x)) == 1000.0


def test_a_failure_nobody_saw_is_told_at_exit():
    done = run_program("import client as tf\nx = tf.linalg.inv(tf.zeros([8, 8]))\n")
    assert done.returncode == 0
    assert "never raised" in done.stderr
    assert "<string>:2" in done.stderr
