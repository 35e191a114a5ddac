"""What the README shows and what docs/tensorflow.md promises, where no other test does."""

import re
from pathlib import Path

import pytest

import client as tf
from tests.client.waiting import remote, waits

README = Path(__file__).parents[2] / "README.md"


def test_the_readmes_example(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    with waits(3):
        exec(compile(example, "README.md", "exec"), {})
    w, b, loss = map(float, capsys.readouterr().out.split())
    # y = 3 x + 2 + noise of variance 1: the loss that is left is the noise's.
    assert w == pytest.approx(3, abs=0.2) and b == pytest.approx(2, abs=0.2) and loss == pytest.approx(1, abs=0.2)


def test_a_branch_that_leads_to_no_source_needs_no_gradient():
    x, rate = remote([1.0, 2.0]), remote([3.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, rate])
        y = tf.reduce_sum(x * x) + tf.reduce_sum(tf.truncatemod(rate, 2.0))
    with waits(0):
        gradient = tape.gradient(y, x)
        with pytest.raises(LookupError):
            tape.gradient(y, rate)
    assert gradient.numpy().tolist() == [2.0, 4.0]


def test_mixed_precision_is_refused_by_name():
    with pytest.raises(ValueError, match=r"mixed precision \('mixed_float16'\) is not supported"):
        tf.keras.layers.Dense(2, dtype="mixed_float16")


def test_a_lambda_has_no_configuration():
    with pytest.raises(ValueError, match="a Lambda layer holds Python code"):
        tf.keras.layers.Lambda(lambda x: x).get_config()
