"""Transformations that choose elements and their order.

Owns: `Ordering`, a part of `tf.data.Dataset`. Does not know how elements are put together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from client.data import functional, stages, structure
from client.data.base import INFINITE, UNKNOWN, Base, integer
from client.data.runs import Run, Seeded
from client.data.stages import Stage
from client.tensor_spec import TensorSpec
from protocol.errors import InvalidArgumentError


class Ordering(Base):
    """`shuffle`, `repeat`, `take`, `filter` and their like."""

    def shuffle(
        self,
        buffer_size: Any,
        seed: Any = None,
        reshuffle_each_iteration: bool | None = True,
        name: str | None = None,
    ) -> Any:
        """Elements in random order: each is drawn from a buffer, into which the next one then comes.

        The same seed (with the same `tf.random.set_seed`) gives the same order in every run, though not TensorFlow's.

        Args:
            buffer_size: how many elements the buffer holds; as many as there are for a fair order.
                `tf.data.UNKNOWN_CARDINALITY`: all.
            seed: an integer.
            reshuffle_each_iteration: whether each pass has an order of its own.
            name: not used.

        Raises:
            tf.errors.InvalidArgumentError: `buffer_size` is not positive.

        >>> import client as tf
        >>> sorted(int(x) for x in tf.data.Dataset.range(5).shuffle(3))
        [0, 1, 2, 3, 4]
        """
        size = integer(buffer_size)
        if size <= 0 and size != UNKNOWN:
            raise InvalidArgumentError("buffer_size must be greater than zero or UNKNOWN_CARDINALITY")
        return self._on_positions(
            lambda d: _shuffled(d, size if size > 0 else 2**62, seed, reshuffle_each_iteration is not False)
        )

    def repeat(self, count: Any = None, name: str | None = None) -> Any:
        """The elements `count` times over; without end where it is None or negative."""
        times = -1 if count is None else integer(count)

        def size(n: int) -> int:
            if times == 0 or n == 0:
                return 0
            return INFINITE if times < 0 or n == INFINITE else n if n < 0 else n * times

        def make(d: Any) -> Any:
            def stage(run: Run, upload: bool) -> Stage:
                each = max(0, d._size()) if d._cheap and not _caches(d) else 0
                return stages.Chain(stages.repeats(lambda: d._stage(run, upload), times, each), each)

            return d._same("Repeat", stage, size)

        return self._on_positions(make)

    def take(self, count: Any, name: str | None = None) -> Any:
        """The first `count` elements; all where it is negative."""
        n = integer(count)
        if n < 0:
            n = 2**62

        def size(have: int) -> int:
            return (n if n < 2**62 else INFINITE) if have == INFINITE else UNKNOWN if have < 0 and n else min(have, n)

        return self._on_positions(
            lambda d: d._same(
                "Take", lambda run, up: stages.Take(d._stage(run, up), n), lambda have: 0 if not n else size(have)
            )
        )

    def skip(self, count: Any, name: str | None = None) -> Any:
        """What follows the first `count` elements; nothing where it is negative.

        Functions of `map` are not called for elements that are skipped.
        """
        n = integer(count)
        if n < 0:
            return self.take(0)
        return self._on_positions(
            lambda d: d._same(
                "Skip",
                lambda run, up: stages.Skip(d._stage(run, up), n),
                lambda have: have if have < 0 else max(0, have - n),
            )
        )

    def shard(self, num_shards: Any, index: Any, name: str | None = None) -> Any:
        """Every `num_shards`th element, from number `index` on.

        Raises:
            tf.errors.InvalidArgumentError: `index` is not in [0, num_shards).
        """
        count, at = integer(num_shards), integer(index)
        if count <= 0:
            raise InvalidArgumentError(f"Number of shards must be greater than zero (currently num_shards = {count}).")
        if not 0 <= at < count:
            raise InvalidArgumentError(f"Index must be between 0 and {count - 1} (currently index = {at}).")
        return self._on_positions(
            lambda d: d._same(
                "Shard",
                lambda run, up: stages.Shard(d._stage(run, up), count, at),
                lambda have: have if have < 0 else max(0, -(-(have - at) // count)),
            )
        )

    def concatenate(self, dataset: Any, name: str | None = None) -> Any:
        """The elements of this dataset, then those of another.

        Raises:
            TypeError: their structures or dtypes differ.
        """
        if self._cheap and dataset._cheap:
            common_elements(self, dataset)

        def size() -> int:
            sizes = (self._size(), dataset._size())
            return INFINITE if INFINITE in sizes else UNKNOWN if UNKNOWN in sizes else sum(sizes)

        def stage(run: Run, upload: bool) -> Stage:
            return stages.Chain(iter([lambda: self._stage(run, upload), lambda: dataset._stage(run, upload)]))

        return self._node("Concatenate", (self, dataset), stage, size, lambda: common_elements(self, dataset))

    def cache(self, filename: Any = "", name: str | None = None) -> Any:
        """The same elements in each pass: those of the first pass that comes to the end are kept, host values on the
        host and server tensors on the server.

        Args:
            filename: only "", which is memory.
            name: not used.

        Raises:
            NotImplementedError: a file.
        """
        if filename:
            raise NotImplementedError("a cache in a file is not supported: call `cache()` without `filename`")
        return self._on_positions(_cached)

    def unique(self, name: str | None = None) -> Any:
        """Each element once, where it first comes. Reads server tensors, one by one.

        Raises:
            TypeError: elements are not single tensors.
        """
        if self._cheap and not isinstance(self.element_spec, TensorSpec):
            raise TypeError("`unique` is only supported for datasets of single tensors")
        return self._same("Unique", lambda run, _: functional.Unique(self._stage(run, False)), _unknown, calls=True)

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Any:
        """The elements for which `predicate` gives true.

        The verdict has to be read where it is computed on the server: a wait for the first element, then one for the
        next 2, 4, ... 64. To get by without, compute it here: from NumPy arrays in `from_generator`, or before.

        Args:
            predicate: gives a bool or a scalar tensor of bools.
            name: not used.

        Raises:
            ValueError: at the first element: it gives something else.

        >>> import client as tf
        >>> list(tf.data.Dataset.range(10).filter(lambda x: x % 3 == 0).as_numpy_iterator())
        [np.int64(0), np.int64(3), np.int64(6), np.int64(9)]
        """
        functional.check_callable(predicate)
        return self._same(
            "Filter", lambda run, _: functional.Filter(self._stage(run, False), predicate), _unknown, calls=True
        )

    def take_while(self, predicate: Callable[..., Any], name: str | None = None) -> Any:
        """The elements before the first for which `predicate` gives false; it is read as `filter`'s is."""
        functional.check_callable(predicate)
        return self._same(
            "TakeWhile", lambda run, _: functional.TakeWhile(self._stage(run, False), predicate), _unknown, calls=True
        )


def _shuffled(source: Any, capacity: int, seed: Any, renew: bool) -> Any:
    orders = Seeded("shuffle_dataset", seed, renew)

    def stage(run: Run, _: bool) -> Stage:
        return stages.Shuffle(source._stage(run, False), capacity, run.order(orders))

    return source._same("Shuffle", stage, lambda have: have, orders)


def _cached(source: Any) -> Any:
    elements: list[list[Any]] = []

    def stage(run: Run, _: bool) -> Stage:
        return stages.Listed(elements[0]) if elements else stages.Store(source._stage(run, False), elements.append)

    return source._same("Cache", stage, lambda have: have)


def _caches(dataset: Any) -> bool:
    """Whether a pass has to be made for the next one."""
    return dataset._kind == "Cache" or any(map(_caches, dataset._inputs))


def _unknown(have: int) -> int:
    return UNKNOWN


def common_elements(first: Base, second: Base) -> Any:
    """The spec of the elements of either. Raises TypeError."""
    try:
        return structure.common_spec(first.element_spec, second.element_spec)
    except TypeError as error:
        raise TypeError(
            f"Incompatible dataset elements:\n  {first.element_spec} vs.   {second.element_spec}"
        ) from error
