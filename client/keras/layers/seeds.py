"""Where the random numbers of layers come from.

Owns: `SeedStream`, dropout with it, `dims_of`. A layer with a seed has a stream of its own, which no other layer's
calls disturb. Does not know layers.
"""

from __future__ import annotations

from typing import Any

import client as tf
from client.ops.random import draw_normal, draw_uniform
from client.seeding import next_stream, signed
from client.symbolic import is_symbol
from client.tensor import Tensor


def dims_of(x: Tensor) -> Any:
    """The shape: a tuple if it is known, else a tensor."""
    dims = x._spec.shape
    return tf.shape(x) if dims is None or None in dims else dims


class SeedStream:
    """The random numbers of a layer: with a seed, those of each layer that has it; else those of `tf.random`."""

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._count = 0

    def uniform(self, shape: Any, dtype: Any) -> Tensor:
        """Numbers in [0, 1), others at each call."""
        return draw_uniform(shape, 0, 1, dtype, self._next("uniform", dtype))

    def normal(self, shape: Any, mean: float, stddev: float, dtype: Any) -> Tensor:
        """Normal numbers, others at each call."""
        return draw_normal("random_normal", shape, mean, stddev, dtype, self._next("random_normal", dtype))

    def _next(self, op: str, dtype: Any) -> tuple[tuple[int, int], int]:
        if self._seed is None:
            return next_stream(op, dtype.name)
        self._count += 1
        return (signed(self._seed), 0), self._count - 1

    def dropout(self, x: Tensor, rate: float, noise_shape: Any = None) -> Tensor:
        """`x` with a share of its elements set to 0, the others multiplied by 1 / (1 - rate).

        Args:
            x: floating-point numbers.
            rate: the share, in [0, 1].
            noise_shape: the shape of the mask; None: that of `x`.
        """
        if is_symbol(x):
            return x  # only its shape and dtype matter
        if rate >= 1:
            return tf.zeros_like(x)  # type: ignore[no-any-return]
        if noise_shape is None:
            noise_shape = dims_of(x)
        kept = tf.cast(self.uniform(noise_shape, x.dtype) >= rate, x.dtype)
        return x * (kept / (1.0 - rate))  # type: ignore[no-any-return]
