"""Random bits on either device: the words of `protocol.philox`, from NumPy's generator or from the same one in CUDA.

Owns: `words`. Does not know what the words become.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from protocol.philox import VALUES, Words

# One thread makes whole blocks of four words. The constants are the generator's published multipliers and key steps.
SOURCE = r"""
extern "C" __global__ void philox4x64_10(
    unsigned long long seed0, unsigned long long seed1, unsigned long long counter, unsigned long long domain,
    unsigned long long first, unsigned long long blocks, unsigned long long* out
) {
    unsigned long long step = (unsigned long long)gridDim.x * blockDim.x;
    for (unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x; i < blocks; i += step) {
        unsigned long long c0 = first + i, c1 = 0, c2 = counter, c3 = domain;
        unsigned long long k0 = seed0, k1 = seed1;
        for (int round = 0; round < 10; ++round) {
            unsigned long long high0 = __umul64hi(0xD2E7470EE14C6C93ULL, c0), low0 = 0xD2E7470EE14C6C93ULL * c0;
            unsigned long long high1 = __umul64hi(0xCA5A826395121157ULL, c2), low1 = 0xCA5A826395121157ULL * c2;
            c0 = high1 ^ c1 ^ k0;
            c1 = low1;
            c2 = high0 ^ c3 ^ k1;
            c3 = low0;
            k0 += 0x9E3779B97F4A7C15ULL;
            k1 += 0xBB67AE8584CAA73BULL;
        }
        out[4 * i] = c0;
        out[4 * i + 1] = c1;
        out[4 * i + 2] = c2;
        out[4 * i + 3] = c3;
    }
}
"""
_MASK = 2**64 - 1
_THREADS = 256
_GRID = 4096


class _DeviceWords:
    """`protocol.philox.Words` on a GPU. What is taken at once must be whole blocks, but for the last."""

    def __init__(self, xp: Any, seed: tuple[int, ...], counter: int, domain: int) -> None:
        self._xp = xp
        self._stream = [np.uint64(word & _MASK) for word in (*seed, counter, domain)]
        self._next = 1

    def take(self, count: int) -> Any:
        blocks = -(-count // 4)
        found = self._xp.empty(4 * blocks, np.uint64)
        if blocks:
            grid = min(-(-blocks // _THREADS), _GRID)
            arguments = (*self._stream, np.uint64(self._next), np.uint64(blocks), found)
            _compiled(self._xp)((grid,), (_THREADS,), arguments)
            self._next += blocks
        return found[:count]


@functools.cache
def _compiled(xp: Any) -> Any:
    return xp.RawKernel(SOURCE, "philox4x64_10")


def words(xp: Any, seed: tuple[int, ...], counter: int, domain: int = VALUES) -> Any:
    """The stream named by `seed`, `counter` and `domain`; its `take(count)` gives the next words as uint64 of `xp`."""
    return Words(seed, counter, domain) if xp is np else _DeviceWords(xp, seed, counter, domain)
