"""The names of `tf.keras.utils`.

Owns: `set_random_seed`. The others are registered by the modules that own them, some of them after this one has run.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

import client as tf
from client.api import PUBLIC, names_in, public
from client.keras import array_utils, downloads, splitting  # noqa: F401  (they register their functions)


@public("keras.utils.set_random_seed")
def set_random_seed(seed: int) -> None:
    """Set the seeds of Python's `random`, of NumPy and of Telegrad, so that a program gives the same values again.

    Args:
        seed: an integer between 0 and 2^32 - 1.

    Raises:
        ValueError: no integer, or one that NumPy does not take.

    >>> import client as tf
    >>> tf.keras.utils.set_random_seed(7)
    >>> first = tf.random.uniform([2])
    >>> tf.keras.utils.set_random_seed(7)
    >>> bool(tf.reduce_all(tf.random.uniform([2]) == first))
    True
    """
    if not isinstance(seed, int):
        raise ValueError(f"Expected `seed` argument to be an integer. Received: seed={seed} (of type {type(seed)})")
    np.random.seed(seed)  # first, since it is the one that refuses numbers
    random.seed(seed)
    tf.random.set_seed(seed)


globals().update(names_in("keras.utils"))


def __getattr__(name: str) -> Any:
    found = PUBLIC.get(f"keras.utils.{name}")
    if found is None:
        raise AttributeError(f"module 'tf.keras.utils' has no attribute {name!r}")
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *names_in("keras.utils")})
