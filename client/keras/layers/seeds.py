"""Where the random numbers of layers come from.

Owns: `SeedStream`, dropout with it, `dims_of`. A layer with a seed has a stream of its own, which no other layer's
calls disturb. Does not know layers.
"""

from __future__ import annotations

from typing import Any

import client as tf
from client.ops.random import draw_normal, draw_uniform
from client.seeding import new_key, signed
from client.symbolic import is_symbol
from client.tensor import Tensor
from client.tracking import Stateful


def dims_of(x: Tensor) -> Any:
    """The shape: a tuple if it is known, else a tensor."""
    dims = x._spec.shape
    return tf.shape(x) if dims is None or None in dims else dims


class SeedStream(Stateful):
    """The random numbers of a layer: with a seed, those of each layer that has it; without, those of a key that
    `tf.random` gives it at its first use. Its position is kept by checkpoints.
    """

    def __init__(self, seed: int | None) -> None:
        self._key = None if seed is None else signed(seed)
        self._count = 0

    def uniform(self, shape: Any, dtype: Any) -> Tensor:
        """Numbers in [0, 1), others at each call."""
        return draw_uniform(shape, 0, 1, dtype, self._next("uniform", dtype))

    def normal(self, shape: Any, mean: float, stddev: float, dtype: Any) -> Tensor:
        """Normal numbers, others at each call."""
        return draw_normal("random_normal", shape, mean, stddev, dtype, self._next("random_normal", dtype))

    def _next(self, op: str, dtype: Any) -> tuple[tuple[int, int], int]:
        if self._key is None:
            self._key = new_key()
        self._count += 1
        return (self._key, 0), self._count - 1

    _state_kind = "seeds"

    def _checkpoint_state(self) -> dict[str, int | None]:
        return {"key": self._key, "count": self._count}

    def _restore_state(self, state: Any) -> None:
        self._key, self._count = state["key"], int(state["count"])

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
