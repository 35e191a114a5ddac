"""Training steps, as the user writes them: tape, gradient, update.

Owns: `tape_step`, `linear_step`, `convnet_step` and its unread kind, `fit_fed`. Each takes the library, ours or
TensorFlow, as `tf`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.work.timing import repeat

_BLOCK = 20
_BATCH = 32
_EPOCH = 50  # batches


def tape_step(tf: Any, seconds: float) -> list[float]:
    """Seconds of w*w, its sum, the gradient and `assign_sub`, on one number, and never a look at it."""
    w = tf.Variable([[1.0]])

    def step() -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(w * w)
        w.assign_sub(0.01 * tape.gradient(loss, w))

    return _unread(step, w.numpy, seconds)


def linear_step(tf: Any, seconds: float) -> list[float]:
    """Seconds of a step of linear regression on 2,000 points, never read."""
    w, b = tf.Variable(5.0), tf.Variable(10.0)
    x = tf.random.normal([2000])
    y = x * 3.0 + 2.0 + tf.random.normal([2000])
    optimizer = tf.keras.optimizers.SGD(learning_rate=0.01)

    def step() -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(x * w + b - y))
        optimizer.apply_gradients(zip(tape.gradient(loss, [w, b]), [w, b], strict=True))

    return _unread(step, w.numpy, seconds)


def convnet_step(tf: Any, seconds: float) -> list[float]:
    """Seconds of a step of the digits' convnet, with the loss read."""
    step, _ = _convnet(tf)
    return repeat(lambda: float(step()), seconds)


def convnet_step_unread(tf: Any, seconds: float) -> list[float]:
    """Seconds of the same step, with no look at the loss."""
    step, last = _convnet(tf)
    return _unread(step, last, seconds)


def _convnet(tf: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A step on 28x28 images, 32 a batch, and a read that ends a run of them."""
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(16, [3, 3], activation="relu"),
            layers.Conv2D(16, [3, 3], activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )
    optimizer = tf.keras.optimizers.Adam()
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rng = np.random.default_rng(0)
    images = tf.constant(rng.random((_BATCH, 28, 28, 1), np.float32))
    labels = tf.constant(rng.integers(0, 10, _BATCH))
    variables = model.trainable_variables

    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(images, training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    float(step())
    return step, lambda: float(step())


def _unread(step: Callable[[], Any], read: Callable[[], Any], seconds: float) -> list[float]:
    """Seconds a step of many, with the one read that ends them.

    How many is tried out, since sending a step takes far less than running it; and tried again until they take about
    `seconds`, since behind a delay a short run is mostly its closing read.
    """
    count = _BLOCK
    while True:
        read()
        start = time.perf_counter()
        for _ in range(count):
            step()
        read()
        took = time.perf_counter() - start
        if took >= seconds / 2:
            return [took / count]
        count = int(count * seconds / took) + 1


def fit_fed(tf: Any, seconds: float) -> list[float]:
    """Seconds a step of `fit` on batches that come from this machine, one epoch after the other."""
    rng = np.random.default_rng(0)
    images = rng.random((_EPOCH * _BATCH, 28, 28, 1), np.float32)
    labels = rng.integers(0, 10, _EPOCH * _BATCH)
    data = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(1000).batch(_BATCH).prefetch(4)
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(16, [3, 3], activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(data, epochs=1, verbose=0)
    return [s / _EPOCH for s in repeat(lambda: model.fit(data, epochs=1, verbose=0), seconds)]
