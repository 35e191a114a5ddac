"""Fit y = 3 x + 2 with a model of two variables and a tape, looking at the loss every 20 steps.

python examples/linear_regression.py [--plot linear_regression.png] [--url http://gpu-host:8470 --token-file token]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
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


def draw(x: np.ndarray, y: np.ndarray, w: float, b: float, losses: Sequence[tuple[int, float]], path: Path) -> None:
    """The points with the line, and the losses that were looked at, as a picture."""
    from matplotlib.figure import Figure  # only who wants a picture needs it

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.scatter(x, y, s=2, alpha=0.5)
    ends = np.array([x.min(), x.max()])
    left.plot(ends, w * ends + b, color="tab:orange", label=f"{w:.2f} x + {b:.2f}")
    left.set(xlabel="x", ylabel="y")
    left.legend()
    right.plot(*zip(*losses, strict=True), marker=".")
    right.set(xlabel="Step", ylabel="Loss [mean squared error]", yscale="log")
    figure.savefig(path, dpi=120)


def main() -> None:
    given = connected(__doc__, ("--plot", {"type": Path, "help": "draw the line and the loss in this file (PNG)"}))
    inputs, targets = points()
    losses = [(0, float(loss(Linear(), inputs, targets)))]
    print(f"Initial loss: {losses[0][1]:.3f}")

    def report(step: int, value: float) -> None:
        losses.append((step + 1, value))
        print(f"Loss at step {step:03d}: {value:.3f}")

    w, b, last = train(report=report)
    print(f"Final loss: {last:.3f}")
    print(f"W = {w}, B = {b}")
    print(f"{tf.stats()['waits']} waits")
    if given.plot is not None:
        draw(*tf.fetch(inputs, targets), w, b, losses, given.plot)
        print(f"the line and the loss are drawn in {given.plot}")


if __name__ == "__main__":
    main()
