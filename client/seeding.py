"""Who counts for the random ops that are called without a generator: the global seed and what has been drawn under it.

Owns: `set_seed`, `next_stream`, `new_key`, their `state`. Does not know distributions; `protocol.philox` says what a
seed and a counter mean.

A value is decided by a seed (two numbers) and a counter, which a random op carries to the server as attributes:

    neither `set_seed` nor `seed=`   a seed from the operating system; the counter goes up with each call
    `set_seed(g)` alone              (g, 0), the counter goes down with each call from -1
    `seed=s`                         (g, s), the counter goes up from 0 with each call of the same op, dtype and s;
                                     without `set_seed`, g is a fixed number, so that every run gives the same
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from typing import Any, Final

from client.api import public
from client.convert import static_value
from client.tensor import Operand

_DEFAULT_SEED: Final = 87654321

_lock = threading.Lock()
_global_seed: int | None = None
_unseeded: int = 0
_counts: defaultdict[tuple[str, str, int], int] = defaultdict(int)
_entropy: tuple[int, int] = (0, 0)


def signed(word: int) -> int:
    """The low 64 bits of `word` as a two's complement number, which is what an attribute can carry."""
    return ((word + 2**63) & (2**64 - 1)) - 2**63


def entropy() -> int:
    """64 bits from the operating system, as a two's complement number."""
    return int.from_bytes(os.urandom(8), "little", signed=True)


def _renew() -> None:
    global _entropy, _lock
    _lock = threading.Lock()
    _entropy = (entropy(), entropy())


_renew()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def as_seed(value: Any) -> int | None:
    """A `seed=` argument as an integer of 64 bits; None stays None.

    Raises:
        TypeError: no number, or a tensor whose value only the server knows.
    """
    if value is None:
        return None
    if isinstance(value, Operand):
        known = static_value(value)
        if known is None:
            raise TypeError("`seed` must be a number; for a computed one use the tf.random.stateless_* ops")
        value = known
    return signed(int(value))


@public("random.set_seed")
def set_seed(seed: Any) -> None:
    """Set the global seed: from here on, random ops give the same values again whenever the program sets the same seed.

    Ops with a `seed` of their own depend on both. Generators and the `stateless_` functions have their own seeds alone.
    The values are not those that TensorFlow gives for the same seed.

    Args:
        seed: an integer. None: no global seed, so that ops without a `seed` give other values in each run.

    >>> import client as tf
    >>> tf.random.set_seed(1)
    >>> first = tf.random.normal([2])
    >>> tf.random.set_seed(1)
    >>> bool(tf.reduce_all(tf.random.normal([2]) == first))
    True
    """
    global _global_seed, _unseeded, _entropy
    wanted = as_seed(seed)
    with _lock:
        _global_seed, _unseeded = wanted, 0
        _entropy = (entropy(), entropy())  # the count begins again, and must not repeat what was drawn without a seed
        _counts.clear()


def next_stream(op: str, dtype: str = "", seed: Any = None) -> tuple[tuple[int, int], int]:
    """The `seed` and `counter` attributes of the next call of `op`, and the count goes on.

    Args:
        op: the op's name.
        dtype: the name of its result's dtype.
        seed: the user's `seed=`, or None.
    """
    global _unseeded
    own = as_seed(seed)
    with _lock:
        if own is None:
            count = _unseeded
            _unseeded += 1
            return (_entropy, count) if _global_seed is None else ((_global_seed, 0), -1 - count)
        key = (op, dtype, own)
        count = _counts[key]
        _counts[key] = count + 1
        return (_DEFAULT_SEED if _global_seed is None else _global_seed, own), count


def new_key() -> int:
    """A key for a stream of one's own, drawn from those without a seed."""
    from protocol.philox import SPLIT, Words

    seed, counter = next_stream("key")
    return signed(int(Words(seed, counter, SPLIT).take(1)[0]))


def state() -> dict[str, Any]:
    """What has been drawn so far, as plain values, for `restore` in another program."""
    with _lock:
        counts = [[*key, count] for key, count in _counts.items()]
        return {"seed": _global_seed, "unseeded": _unseeded, "entropy": list(_entropy), "counts": counts}


def restore(found: Any) -> None:
    """Go on drawing where a program was when `state` gave this."""
    global _global_seed, _unseeded, _entropy
    with _lock:
        _global_seed, _unseeded = found["seed"], int(found["unseeded"])
        _entropy = (int(found["entropy"][0]), int(found["entropy"][1]))
        _counts.clear()
        _counts.update({(op, dtype, seed): count for op, dtype, seed, count in found["counts"]})
