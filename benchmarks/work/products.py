"""A long chain of matrix products whose values shrink below the normal numbers, which a processor may be many times
slower with.

Owns: `shrinking` for TensorFlow-like libraries, `shrinking_numpy`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.work.timing import repeat

_SIDE = 1000
_STEPS = 200
_SHRINK = 0.5  # what a product keeps of its operand: float32's smallest normal number is passed at about step 120


def _matrix() -> Any:
    normal = np.random.default_rng(0).standard_normal((_SIDE, _SIDE), dtype=np.float32)
    return normal * np.float32(_SHRINK / _SIDE**0.5)


def shrinking(tf: Any, seconds: float) -> list[float]:
    """Seconds of the whole chain and the read of its end."""
    w = tf.constant(_matrix())
    w[0, 0].numpy()

    def chain() -> None:
        x = w
        for _ in range(_STEPS):
            x = tf.matmul(x, w)
        x.numpy()

    return repeat(chain, min(seconds, 0.1))


def shrinking_numpy(xp: Any, seconds: float) -> list[float]:
    """The same without a library in between."""
    w = _matrix()

    def chain() -> None:
        x = w
        for _ in range(_STEPS):
            x = xp.matmul(x, w)

    return repeat(chain, min(seconds, 0.1))
