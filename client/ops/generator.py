"""`tf.random.Generator`: random values with a state in hand, which is a key and a counter kept here, on the client."""

from __future__ import annotations

import math
import threading
from typing import Any, Final

import numpy as np

from client.api import namespace, public
from client.convert import convert_to_tensor
from client.dispatch import coerce
from client.ops.distributions import draw_binomial
from client.ops.random import Algorithm, Stream, check_algorithm, check_bounds, draw_normal, draw_uniform
from client.seeding import entropy, signed
from client.tensor import Tensor
from client.tracking import Stateful
from protocol.dtypes import as_dtype, float32, int32, uint64
from protocol.ops import OPS
from protocol.philox import SPLIT, Words
from protocol.spec import MAX_ELEMENTS

_WORD: Final = 2**64 - 1
_SHAPE: Final = OPS["random_normal"].attrs["shape"]


def _numbers(state: Any, length: int, what: str) -> list[int]:
    """`length` integers from a list or a tensor. One that only the server knows is read: nothing else waits."""
    values = np.asarray(state)
    if values.dtype.kind not in "iu":
        raise TypeError(f"{what} must be integers, not {values.dtype}")
    if values.shape != (length,):
        raise ValueError(f"Shapes {values.shape} and [{length}] are incompatible: {what} must be {length} integers")
    return [int(v) for v in values]


def _seed_words(seed: Any) -> tuple[int, int]:
    """(counter, key) of a generator made from `seed`."""
    if isinstance(seed, int | np.integer) or getattr(seed, "ndim", 1) == 0:
        number = int(seed)
        return number >> 64 << 64, number & _WORD
    words = np.asarray(seed).reshape(-1)[:3].tolist()
    low, high, key = [0] * (3 - len(words)) + [int(w) for w in words]
    return (high & _WORD) << 64 | (low & _WORD), key


@public("random.create_rng_state", "random.experimental.create_rng_state")
def create_rng_state(seed: Any, alg: Any) -> Tensor:
    """The state of `tf.random.Generator.from_seed(seed)`: `[counter's low word, counter's high word, key]`, int64.

    Args:
        seed: an integer, whose low 64 bits become the key and the next 64 the counter's high word; or up to three
            integers, which are the state, filled up with zeros in front.
        alg: "philox" or "auto_select".

    >>> import client as tf
    >>> tf.random.create_rng_state(7, "philox").numpy().tolist()
    [0, 0, 7]
    """
    return Generator.from_seed(seed, alg).state


@public("random.Generator", "random.experimental.Generator")
class Generator(Stateful):
    """Random values from a state of its own: a key (64 bits) and a counter (128 bits).

    Drawing n values moves the counter on by n, which takes no round trip. Different keys, and different counters, give
    unrelated values; the same state gives the same values on every device. Threads may share a generator.

    >>> import client as tf
    >>> g = tf.random.Generator.from_seed(1)
    >>> g.normal([2, 3]).shape, g.state.numpy().tolist()
    (TensorShape([2, 3]), [6, 0, 1])
    """

    def __init__(self, copy_from: Generator | None = None, state: Any = None, alg: Any = None) -> None:
        """Make a generator from another's state or from a state; the `from_` methods are the usual ways.

        Args:
            copy_from: a generator whose state to copy.
            state: three integers: the counter's low and high word, the key.
            alg: "philox" or "auto_select".

        Raises:
            ValueError: neither or both of `copy_from` and `state`, or another `alg`.
        """
        if (copy_from is None) is (state is None):
            raise ValueError("Exactly one of `copy_from` and `state` must be given.")
        check_algorithm(alg)
        self._lock = threading.Lock()
        self._counter, self._key = 0, 0
        if copy_from is not None:
            self._set(copy_from._counter, copy_from._key)
        else:
            self.reset(state)

    def _set(self, counter: int, key: int) -> None:
        with self._lock:
            self._counter, self._key = counter % 2**128, signed(key)

    def _advance(self, count: int) -> tuple[int, int]:
        """The counter and the key, before the counter moves on by `count`."""
        with self._lock:
            counter = self._counter
            self._counter = (counter + count) % 2**128
            return counter, self._key

    @classmethod
    def _of(cls, counter: int, key: int) -> Generator:
        return cls(state=(signed(counter), signed(counter >> 64), signed(key)))

    # --- ways to make one ---

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """A generator whose values the seed decides; see `tf.random.create_rng_state` for its state."""
        check_algorithm(alg)
        return cls._of(*_seed_words(seed))

    @classmethod
    def from_state(cls, state: Any, alg: Any) -> Generator:
        """A generator with the state of another one (`other.state`): three integers, or a tensor, which is read."""
        return cls(state=state, alg=alg)

    @classmethod
    def from_key_counter(cls, key: Any, counter: Any, alg: Any) -> Generator:
        """A generator with a key (an integer) and a counter (its low and its high word)."""
        check_algorithm(alg)
        low, high = _numbers(counter, 2, "the counter")
        return cls(state=(low, high, signed(int(key))))

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """A generator that the operating system seeds, different at each call."""
        check_algorithm(alg)
        return cls(state=(entropy(), entropy(), entropy()))

    # --- the state ---

    @property
    def state(self) -> Tensor:
        """The state now, as int64: the counter's low and high word, and the key. A copy, not a variable."""
        return self._state_of(*self._advance(0))

    @staticmethod
    def _state_of(counter: int, key: int) -> Tensor:
        return convert_to_tensor(np.array([signed(counter), signed(counter >> 64), key], np.int64))

    @property
    def key(self) -> Tensor:
        """The key, an int64 scalar."""
        return convert_to_tensor(np.array(self._key, np.int64))

    @property
    def algorithm(self) -> int:
        """The number of the algorithm: 1, Philox."""
        return int(Algorithm.PHILOX.value)

    def reset(self, state: Any) -> None:
        """Take the state of another generator: three integers, or a tensor of them, which is read.

        Raises:
            ValueError, TypeError: not three integers.
        """
        low, high, key = _numbers(state, 3, "a generator's state")
        self._set((high & _WORD) << 64 | (low & _WORD), key)

    def reset_from_seed(self, seed: Any) -> None:
        """Take the state that `from_seed(seed)` begins with."""
        self._set(*_seed_words(seed))

    def reset_from_key_counter(self, key: Any, counter: Any) -> None:
        """Take a key (an integer) and a counter (its low and its high word)."""
        low, high = _numbers(counter, 2, "the counter")
        self._set((high & _WORD) << 64 | (low & _WORD), int(key))

    def skip(self, delta: Any) -> Tensor:
        """Move on as if `delta` values had been drawn. Gives the state before that."""
        return self._state_of(*self._advance(int(delta)))

    def _words(self, count: int) -> np.ndarray[Any, Any]:
        counter, key = self._advance(count)
        words = Words((key, counter >> 64), counter & _WORD, SPLIT).take(count)
        return words.view(np.int64)

    def split(self, count: int = 1) -> list[Generator]:
        """`count` new generators with keys drawn from this one, whose values are unrelated."""
        return [self._of(0, int(key)) for key in self._words(count)]

    def make_seeds(self, count: int = 1) -> Tensor:
        """`count` seeds for the `stateless_` functions, `[2, count]`, int64: each column is one."""
        return convert_to_tensor(np.stack([self._words(count), np.zeros(count, np.int64)]))

    _state_kind = "random generator"

    def _checkpoint_state(self) -> list[int]:
        counter, key = self._advance(0)
        return [signed(counter), signed(counter >> 64), key]

    def _restore_state(self, state: Any) -> None:
        self.reset(state)

    # --- values ---

    def _draw(self, shape: Any) -> tuple[Any, Stream]:
        """`shape` as an attribute, and the stream of its draw. A shape not known here counts as the largest."""
        shape = coerce(_SHAPE, shape)
        known = type(shape) is tuple and all(type(d) is int and d >= 0 for d in shape)
        counter, key = self._advance(math.prod(shape) if known else MAX_ELEMENTS)
        return shape, ((key, signed(counter >> 64)), signed(counter))

    def normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: str | None = None
    ) -> Tensor:
        """Values from the normal distribution; the arguments are those of `tf.random.normal`."""
        shape, stream = self._draw(shape)
        return draw_normal("random_normal", shape, mean, stddev, dtype, stream)

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: str | None = None
    ) -> Tensor:
        """Values from the normal distribution cut at two standard deviations, as in `tf.random.truncated_normal`."""
        shape, stream = self._draw(shape)
        return draw_normal("random_truncated_normal", shape, mean, stddev, dtype, stream)

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32, name: str | None = None
    ) -> Tensor:
        """Values in [minval, maxval), as in `tf.random.uniform`; with both None all of an integer dtype's numbers."""
        dtype = check_bounds(dtype, minval, maxval)
        shape, stream = self._draw(shape)
        return draw_uniform(shape, minval, maxval, dtype, stream)

    def uniform_full_int(self, shape: Any, dtype: Any = uint64, name: str | None = None) -> Tensor:
        """Integers, each of the dtype's numbers as likely as the others."""
        shape, stream = self._draw(shape)
        return draw_uniform(shape, None, None, as_dtype(dtype), stream)

    def binomial(self, shape: Any, counts: Any, probs: Any, dtype: Any = int32, name: str | None = None) -> Tensor:
        """Counts of successes; the arguments are those of `tf.random.stateless_binomial`."""
        shape, stream = self._draw(shape)
        return draw_binomial(shape, counts, probs, dtype, stream)

    def __repr__(self) -> str:
        return f"<tf.random.Generator key={self._key} counter={self._counter}>"


_lock = threading.Lock()
_global: Generator | None = None


@public("random.get_global_generator", "random.experimental.get_global_generator")
def get_global_generator() -> Generator:
    """The program's generator, seeded by the operating system when it is first asked for."""
    global _global
    with _lock:
        if _global is None:
            _global = Generator.from_non_deterministic_state()
        return _global


@public("random.set_global_generator", "random.experimental.set_global_generator")
def set_global_generator(generator: Generator) -> None:
    """Make `generator` the one that `tf.random.get_global_generator` gives.

    Raises:
        TypeError: it is no `tf.random.Generator`.
    """
    global _global
    if not isinstance(generator, Generator):
        raise TypeError(f"a tf.random.Generator is needed, not {generator!r:.100}")
    with _lock:
        _global = generator


public("random.experimental")(namespace("random.experimental"))
