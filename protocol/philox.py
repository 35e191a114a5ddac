"""The random bits that both sides agree on: Philox4x64-10, keyed by a seed and placed by a counter.

Owns: `Words`, and new seeds made of seeds (`split`, `fold_in`). Does not know distributions (`server.kernels.random`)
or who counts (`client.ops.random`).

A stream is named by a seed (two 64-bit words, Philox's key), a counter and a domain (a word each). Its words are the
outputs of the blocks 1, 2, 3, ..., four words each, where block b encrypts Philox's counter (b, 0, counter, domain).
Streams that differ in seed, counter or domain share no block, however many values are drawn from each.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

_MASK: Final = 2**64 - 1
VALUES: Final = 0  # domains: the values of a distribution, retries of a rejected value, new seeds
SPLIT: Final = 1
FOLD: Final = 2
RETRY: Final = 3


class Words:
    """The words of one stream, in order, on the CPU."""

    def __init__(self, seed: tuple[int, ...], counter: int, domain: int = VALUES) -> None:
        key = np.array([seed[0] & _MASK, seed[1] & _MASK], np.uint64)
        place = np.array(
            [0, 0, counter & _MASK, domain], np.uint64
        )  # NumPy counts before it encrypts: the first block is 1
        self._take = np.random.Philox(key=key, counter=place).random_raw

    def take(self, count: int) -> np.ndarray[Any, Any]:
        """The next `count` words, as uint64."""
        found: np.ndarray[Any, Any] = self._take(count)
        return found


def split(seed: Any, num: int) -> np.ndarray[Any, Any]:
    """`num` new seeds from one, in its dtype: `[num, 2]`, the words of the domain `SPLIT` cut to the dtype's bits."""
    words = Words((int(seed[0]), int(seed[1])), 0, SPLIT).take(2 * num)
    return words.astype(seed.dtype).reshape(num, 2)


def fold_in(seed: Any, data: Any) -> np.ndarray[Any, Any]:
    """A new seed from a seed and a number, in the number's dtype: the stream that has the number as its counter."""
    words = Words((int(seed[0]), int(seed[1])), int(data), FOLD).take(2)
    return words.astype(data.dtype)
