"""Classify scikit-learn's handwritten digits with softmax regression, trained on a server.

    python examples/train_digits.py                                       # an embedded server, started for this program
    python examples/train_digits.py --url http://gpu-host:8470 --token-file token

Every step is sent without waiting; the loss is read as futures behind the program's back, so the whole training waits
only for the last values.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import matplotlib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import client as tf

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def step(images: tf.Tensor, labels: tf.Tensor, weights: tf.Variable, bias: tf.Variable, rate: float) -> tf.Tensor:
    """One step of gradient descent on the mean cross-entropy; its loss. The gradient of softmax regression is x^T (p -
    y).
    """
    logits = images @ weights + bias
    wanted = tf.one_hot(labels, 10)
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, logits))
    error = (tf.nn.softmax(logits) - wanted) / float(images.shape[0])
    weights.assign_sub(rate * tf.matmul(images, error, transpose_a=True))
    bias.assign_sub(rate * tf.reduce_sum(error, axis=0))
    return loss


def accuracy(images: tf.Tensor, labels: tf.Tensor, weights: tf.Variable, bias: tf.Variable) -> float:
    """The share of images whose likeliest class is their label."""
    hits = tf.equal(tf.argmax(images @ weights + bias, axis=1), labels)
    return float(tf.reduce_mean(tf.cast(hits, tf.float32)))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--url", help="server to use instead of an embedded one")
    options.add_argument("--token-file", type=Path, help="file with the server's token")
    options.add_argument("--epochs", type=int, default=30)
    options.add_argument(
        "--plot", type=Path, default=Path("train_digits.png"), help="where the picture of the loss goes"
    )
    given = options.parse_args()
    tf.connect(given.url, given.token_file.read_text().strip() if given.token_file else None)

    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        (digits.data / 16.0).astype(np.float32), digits.target, test_size=0.25, random_state=0
    )
    x, y = tf.constant(x_train), tf.constant(y_train)
    weights, bias = tf.Variable(tf.zeros([64, 10])), tf.Variable(tf.zeros([10]))

    started = time.perf_counter()
    losses = []
    batches = range(0, len(x_train) - 31, 32)
    for _ in tqdm(range(given.epochs), unit="epoch"):
        for start in batches:
            loss = step(x[start : start + 32], y[start : start + 32], weights, bias, rate=0.5)
        losses.append(tf.fetch(loss, wait=False))
    history = [float(loss.result()) for loss in losses]
    score = accuracy(tf.constant(x_test), tf.constant(y_test), weights, bias)
    steps = given.epochs * len(batches)
    print(f"{steps} steps in {time.perf_counter() - started:.1f} s, {tf.stats()['waits']} waits")
    print(f"accuracy on {len(x_test)} held-out digits: {score:.3f}")

    plt.plot(history)
    plt.xlabel("epoch")
    plt.ylabel("loss")
    plt.savefig(given.plot)
    print(f"the loss is drawn in {given.plot}")


if __name__ == "__main__":
    main()
