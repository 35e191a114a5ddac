"""Gradients in programs that look at values, and gradients that a function defines itself.

python examples/advanced_gradients.py [--url http://gpu-host:8470 --token-file token]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from common import connected

import client as tf


def line_search_step(
    fn: Callable[[tf.Tensor], tf.Tensor], init_x: tf.Tensor, rate: float = 1.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """One step of gradient descent whose length is halved until the value falls enough.

    Each comparison looks at a value, so each try is one round trip; the gradient is none.
    """
    with tf.GradientTape() as tape:
        tape.watch(init_x)  # only variables are watched by themselves
        value = fn(init_x)
    grad = tape.gradient(value, init_x)
    grad_norm = tf.reduce_sum(grad * grad)
    init_value = value
    x = init_x
    while value > init_value - rate * grad_norm:
        x = init_x - rate * grad
        value = fn(x)
        rate /= 2.0
    return x, value


@tf.custom_gradient
def clip_gradient_by_norm(x: tf.Tensor, norm: float) -> Any:
    """The identity, whose gradient's norm is at most `norm`."""

    def grad_fn(dresult: tf.Tensor) -> list[Any]:
        return [tf.clip_by_norm(dresult, norm), None]

    return tf.identity(x), grad_fn


def log1pexp_plain(x: tf.Tensor) -> tf.Tensor:
    """log(1 + exp(x)), whose gradient is NaN for large x: infinity divided by infinity."""
    return tf.math.log(1 + tf.exp(x))


@tf.custom_gradient
def log1pexp(x: tf.Tensor) -> Any:
    """The same with its gradient simplified by hand, which uses exp(x) again."""
    e = tf.exp(x)

    def grad(dy: tf.Tensor) -> tf.Tensor:
        return dy * (1 - 1 / (1 + e))

    return tf.math.log(1 + e), grad


def derivative(fn: Callable[[tf.Tensor], tf.Tensor], at: float) -> float:
    """d fn / dx: one wait."""
    x = tf.constant(at)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = fn(x)
    return float(tape.gradient(value, x))


def main() -> None:
    connected(__doc__)
    x, value = line_search_step(lambda x: tf.reduce_sum(tf.square(x) * tf.square(x)), tf.constant([3.0, -1.0]))
    print(f"line search: {x.numpy()} with the value {float(value):.4f}")
    clipped = derivative(lambda x: 100.0 * clip_gradient_by_norm(x, 2.0), 1.0)
    print(f"a gradient of 100, clipped to a norm of 2: {clipped}")
    print(f"log1pexp, plain: {derivative(log1pexp_plain, 0.0)} at 0, {derivative(log1pexp_plain, 100.0)} at 100")
    print(f"log1pexp, by hand: {derivative(log1pexp, 0.0)} at 0, {derivative(log1pexp, 100.0)} at 100")


if __name__ == "__main__":
    main()
