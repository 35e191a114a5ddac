"""Fit y = 3 x + 2 with a model of two variables and a tape, looking at the loss every 20 steps.

python examples/linear_regression.py [--url http://gpu-host:8470 --token-file token]
"""

from __future__ import annotations

from collections.abc import Callable

from common import connected

import client as tf

EXAMPLES = 2000


class Linear(tf.keras.Model):
    """Two variables, assigned to attributes: a model finds them by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.W = tf.Variable(5.0, name="weight")
        self.B = tf.Variable(10.0, name="bias")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs * self.W + self.B


def points() -> tuple[tf.Tensor, tf.Tensor]:
    """Points around 3 x + 2; they stay on the server."""
    tf.random.set_seed(0)
    x = tf.random.normal([EXAMPLES])
    return x, x * 3 + 2 + tf.random.normal([EXAMPLES])


def loss(model: Linear, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    error = model(inputs) - targets
    return tf.reduce_mean(tf.square(error))


def gradients(model: Linear, inputs: tf.Tensor, targets: tf.Tensor) -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
        value = loss(model, inputs, targets)
    return tape.gradient(value, [model.W, model.B])


def train(steps: int = 300, report: Callable[[int, float], None] | None = None) -> tuple[float, float, float]:
    """W, B and the last loss. Waits once for each reported loss, and once for the three together."""
    inputs, targets = points()
    model = Linear()
    optimizer = tf.keras.optimizers.SGD(learning_rate=0.01)
    for step in range(steps):
        grads = gradients(model, inputs, targets)
        optimizer.apply_gradients(zip(grads, [model.W, model.B], strict=True))
        if report is not None and step % 20 == 0:
            report(step, float(loss(model, inputs, targets)))
    w, b, last = tf.fetch(model.W, model.B, loss(model, inputs, targets))
    return float(w), float(b), float(last)


def main() -> None:
    connected(__doc__)
    inputs, targets = points()
    print(f"Initial loss: {float(loss(Linear(), inputs, targets)):.3f}")
    w, b, last = train(report=lambda step, value: print(f"Loss at step {step:03d}: {value:.3f}"))
    print(f"Final loss: {last:.3f}")
    print(f"W = {w}, B = {b}")
    print(f"{tf.stats()['waits']} waits")


if __name__ == "__main__":
    main()
