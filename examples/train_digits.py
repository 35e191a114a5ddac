"""Train a small convolutional network on handwritten digits with a tape, and draw its loss.

    python examples/train_digits.py                                  # scikit-learn's digits, an embedded server
    python examples/train_digits.py --dataset mnist --epochs 3       # MNIST, downloaded once
    python examples/train_digits.py --url http://gpu-host:8470 --token-file token

Every step is sent without waiting. The losses are read as futures behind the program's back, so that the progress bar
shows the newest that has arrived, and the whole training waits only for the last values.
"""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from common import connected
from tqdm import tqdm

import client as tf

matplotlib.use("Agg")
import matplotlib.pyplot as plt

BATCH = 32


def digits(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images in [0, 1] with a channel axis and their labels: for training, and held out."""
    if name == "mnist":
        (x_train, y_train), (x_test, y_test) = tf.keras.datasets.mnist.load_data()
        scale = 255.0
    else:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        data = load_digits()
        x_train, x_test, y_train, y_test = train_test_split(data.images, data.target, test_size=0.25, random_state=0)
        scale = 16.0
    x_train, x_test = ((x[..., np.newaxis] / scale).astype(np.float32) for x in (x_train, x_test))
    return x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64)


def network() -> tf.keras.Model:
    """Two convolutions, a mean over the image, and a score for each digit: images of any size."""
    return tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(16, [3, 3], activation="relu", input_shape=(None, None, 1)),
            tf.keras.layers.Conv2D(16, [3, 3], activation="relu"),
            tf.keras.layers.GlobalAveragePooling2D(),
            tf.keras.layers.Dense(10),
        ]
    )


class Training:
    """A model, its optimizer and loss, and one step of them."""

    def __init__(self, rate: float) -> None:
        self.model = network()
        self.optimizer = tf.keras.optimizers.Adam(rate)
        self.loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def step(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """One step on a batch; its loss, which nobody has to look at."""
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            tf.debugging.assert_equal(logits.shape, (len(labels), 10))  # shapes are known here: no wait
            loss = self.loss(labels, logits)
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """The share of images whose likeliest digit is their label: one wait."""
        metric = tf.keras.metrics.SparseCategoricalAccuracy()
        for start in range(0, len(images), 1000):
            metric.update_state(labels[start : start + 1000], self.model(images[start : start + 1000]))
        return float(metric.result())


def train(training: Training, data: tf.data.Dataset, epochs: int, show: bool = True) -> list[float]:
    """The loss of every step. Waits once, at the end."""
    futures: list[Any] = []
    unseen: deque[Any] = deque()
    steps = epochs * len(data)
    with tqdm(total=steps, unit="step", disable=not show) as bar:
        for _ in range(epochs):
            for images, labels in data:
                futures.append(tf.fetch(training.step(images, labels), wait=False))
                unseen.append(futures[-1])
                while unseen and unseen[0].done():
                    bar.set_postfix(loss=f"{float(unseen.popleft().result()):.3f}", refresh=False)
                bar.update()
        tf.sync()
    return [float(f.result()) for f in futures]


def draw(losses: list[float], path: Path) -> None:
    """The loss of each batch, and its mean over 50, as a picture."""
    plt.figure(figsize=(8, 4.5))
    plt.plot(losses, linewidth=0.6, alpha=0.5, label="each batch")
    if len(losses) >= 50:
        plt.plot(np.arange(25, len(losses) - 24), np.convolve(losses, np.ones(50) / 50, "valid"), label="mean of 50")
    plt.xlabel("Batch #")
    plt.ylabel("Loss [entropy]")
    plt.legend()
    plt.savefig(path, dpi=120)
    plt.close()


def main() -> None:
    given = connected(
        __doc__,
        ("--dataset", {"choices": ["digits", "mnist"], "default": "digits", "help": "whose digits (%(default)s)"}),
        ("--epochs", {"type": int, "default": 40, "help": "passes over the data (%(default)s)"}),
        ("--rate", {"type": float, "default": 1e-2, "help": "Adam's learning rate (%(default)s)"}),
        ("--plot", {"type": Path, "default": Path("train_digits.png"), "help": "where the picture goes"}),
    )
    tf.keras.utils.set_random_seed(0)
    x_train, y_train, x_test, y_test = digits(given.dataset)
    data = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(len(x_train), seed=0).batch(BATCH).prefetch(2)
    training = Training(given.rate)

    started = time.perf_counter()
    before = tf.stats()["waits"]
    losses = train(training, data, given.epochs)
    waits = tf.stats()["waits"] - before
    print(f"{len(losses)} steps in {time.perf_counter() - started:.1f} s, {waits} waits")
    print(f"accuracy on {len(x_test)} held-out digits: {training.accuracy(x_test, y_test):.3f}")
    draw(losses, given.plot)
    print(f"the loss is drawn in {given.plot}")


if __name__ == "__main__":
    main()
