"""Watch a training in TensorBoard: the loss and its distribution, every 100 steps, without waiting for either.

python examples/summaries.py [--logdir tb] [--url http://gpu-host:8470 --token-file token]
tensorboard --logdir tb

Needs TensorBoard on this machine: pip install "telegrad[tensorboard]".
"""

from __future__ import annotations

from pathlib import Path

from common import connected
from linear_regression import Linear, gradients, loss, points

import client as tf


def train(logdir: Path, steps: int = 1000, every: int = 100) -> None:
    """Fit the line, and write event files. Waits once, if at all: when the writer is closed."""
    inputs, targets = points()
    model = Linear()
    optimizer = tf.keras.optimizers.SGD(learning_rate=0.01)
    writer = tf.summary.create_file_writer(logdir)
    with writer.as_default():
        for step in range(1, steps + 1):
            grads = gradients(model, inputs, targets)
            optimizer.apply_gradients(zip(grads, [model.W, model.B], strict=True))
            if step % every == 0:
                tf.summary.scalar("loss", loss(model, inputs, targets), step=step)
                tf.summary.histogram("error", model(inputs) - targets, step=step)
    writer.close()


def main() -> None:
    given = connected(__doc__, ("--logdir", {"type": Path, "default": Path("tb"), "help": "where (%(default)s)"}))
    train(given.logdir)
    print(f"{tf.stats()['waits']} waits; now run: tensorboard --logdir {given.logdir}")


if __name__ == "__main__":
    main()
