"""Programs of one layer, for sweeps: outputs, gradients, weights, and the weights' names and order.

The programs call the layer twice with fixed weights, so that what a layer keeps between calls counts too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

NAME = "layer"
Program = Callable[[Any], list[Any]]


def normal(seed: int, *shape: int) -> np.ndarray:
    """Fixed numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def layer_program(
    make: Callable[[Any], Any],
    call: Callable[..., Any],
    inputs: Sequence[np.ndarray],
    weights: Callable[[str, int, tuple[int, ...]], np.ndarray] | None = None,
    calls: int = 2,
    configured: bool = True,
) -> Program:
    """`call(tf, layer, *inputs)` with the layer that `make(tf.keras.layers)` gives.

    Args:
        make: makes the layer, with the name "layer".
        call: gives a tensor or a structure of tensors.
        inputs: what it is called on; gradients are taken with respect to those that are floating-point.
        weights: gives each weight's value by its path, number and shape; None: small normal numbers.
        calls: how often it is called.
        configured: whether a layer made from the layer's configuration is to give the same.
    """

    def program(tf: Any) -> list[Any]:
        layer = make(tf.keras.layers)
        call(tf, layer, *[tf.constant(x) for x in inputs])
        found: list[Any] = [" ".join(f"{w.path.partition('/')[2]} {tuple(w.shape)}" for w in layer.weights)]
        forget(tf, layer)
        values = [
            (weights or (lambda _path, i, shape: normal(i, *shape) * 0.4))(w.path, i, tuple(w.shape))
            for i, w in enumerate(layer.weights)
        ]
        layer.set_weights(values)
        for _ in range(calls):
            found += outputs_and_gradients(tf, layer, call, [tf.constant(x) for x in inputs])
        found += layer.get_weights()
        if configured:
            copy = type(layer).from_config(layer.get_config())
            call(tf, copy, *[tf.constant(x) for x in inputs])
            copy.set_weights(values)
            forget(tf, copy)
            found += flat(tf, call(tf, copy, *[tf.constant(x) for x in inputs]))
        return found

    return program


def forget(tf: Any, layer: Any) -> None:
    """Set the states that a layer keeps to zeros."""
    for state in tf.nest.flatten(getattr(layer, "states", None) or []):
        state.assign(np.zeros(state.shape, np.float32))


def flat(tf: Any, structure: Any) -> list[Any]:
    """The arrays in a structure of tensors."""
    return [t.numpy() for t in tf.nest.flatten(structure)]


def outputs_and_gradients(tf: Any, layer: Any, call: Callable[..., Any], inputs: list[Any]) -> list[Any]:
    """The outputs, and the gradients of a weighted sum of them."""
    watched = [x for x in inputs if x.dtype.is_floating]
    with tf.GradientTape() as tape:
        for x in watched:
            tape.watch(x)
        outputs = tf.nest.flatten(call(tf, layer, *inputs))
        total = sum(tf.reduce_sum(y * np.cos(np.arange(np.prod(y.shape))).reshape(y.shape)) for y in outputs)
    variables = [v if callable(getattr(v, "value", None)) else v.value for v in layer.trainable_variables]
    gradients = tape.gradient(total, [*watched, *variables])
    return [
        *(y.numpy() for y in outputs),
        *("no gradient" if g is None else tf.convert_to_tensor(g).numpy() for g in gradients),
    ]
