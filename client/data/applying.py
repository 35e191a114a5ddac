"""Transformations that call the user's functions.

Owns: `Applying`, a part of `tf.data.Dataset`. Does not know how functions are called (`client.data.functional`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from client.data import functional, stages, structure
from client.data.base import AUTOTUNE, UNKNOWN, Base, integer, positive, spec_of_part
from client.data.runs import Run
from client.data.stages import Stage
from client.data.structure import Nested, as_element, map_components
from client.data.tracing import result_of

_AUTO_CYCLE: Final = 4


class Applying(Base):
    """`map`, `flat_map`, `interleave`, `scan` and `apply`."""

    def map(
        self,
        map_func: Callable[..., Any],
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        synchronous: bool | None = None,
        use_unbounded_threadpool: bool | None = None,
        name: str | None = None,
    ) -> Any:
        """What `map_func` makes of each element.

        It is called in Python for each element, when that is asked for, and may use Python's control flow; its
        parallelism is the server's, which works while the program goes on.

        Args:
            map_func: takes an element, a tuple's components as arguments.
            num_parallel_calls: accepted.
            deterministic: accepted: the order is always kept.
            synchronous: accepted.
            use_unbounded_threadpool: accepted.
            name: not used.

        Raises:
            ValueError: `map_func` cannot be called.

        >>> import client as tf
        >>> [int(x) for x in tf.data.Dataset.range(3).map(lambda x: x + 1)]
        [1, 2, 3]
        """
        functional.check_callable(map_func)
        return self._node(
            "Map",
            (self,),
            lambda run, _: functional.Map(self._stage(run, False), map_func),
            self._size,
            lambda: map_components(spec_of_part, self._result(map_func)),
            cheap=False,
        )

    def _result(self, function: Callable[..., Any]) -> Any:
        return result_of(function, self.element_spec, lambda: self._stage(Run(self, keep=True), False).next())

    def _nested_spec(self, function: Callable[..., Any]) -> Any:
        found = self._result(function)
        if not isinstance(found, Nested):
            raise TypeError(f"The `map_func` argument must return a `Dataset` object. Got {type(found)!r}.")
        return found.element_spec

    def flat_map(self, map_func: Callable[..., Any], name: str | None = None) -> Any:
        """The elements of the datasets that `map_func` makes of elements, one dataset after the other.

        Raises:
            ValueError: `map_func` cannot be called.
            TypeError: in iterating: it makes something else.

        >>> import client as tf
        >>> [int(x) for x in tf.data.Dataset.range(4).flat_map(tf.data.Dataset.range)]
        [0, 0, 1, 0, 1, 2]
        """
        functional.check_callable(map_func)

        def stage(run: Run, _: bool) -> Stage:
            source = self._stage(run, False)
            return stages.Chain(functional.flattened(source, map_func, lambda d: d._stage(run, False)))

        return self._node("FlatMap", (self,), stage, _unknown, lambda: self._nested_spec(map_func), cheap=False)

    def interleave(
        self,
        map_func: Callable[..., Any],
        cycle_length: Any = None,
        block_length: Any = None,
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Any:
        """The elements of the datasets that `map_func` makes of elements, by turns.

        Args:
            map_func: gives a dataset.
            cycle_length: how many datasets are open at a time; 4 by default.
            block_length: how many elements come from one before it is the next one's turn; 1 by default.
            num_parallel_calls: accepted.
            deterministic: accepted: the order is always that of `deterministic=True`.
            name: not used.

        Raises:
            tf.errors.InvalidArgumentError: a length that is not positive.

        >>> import client as tf
        >>> dataset = tf.data.Dataset.range(1, 4)
        >>> [int(x) for x in dataset.interleave(lambda x: tf.data.Dataset.from_tensors(x).repeat(2), cycle_length=2)]
        [1, 2, 1, 2, 3, 3]
        """
        functional.check_callable(map_func)
        auto = cycle_length is None or integer(cycle_length) == AUTOTUNE
        cycle = _AUTO_CYCLE if auto else positive(cycle_length, "cycle_length must be greater than zero.")
        block = 1 if block_length is None else positive(block_length, "block_length must be greater than zero.")

        def stage(run: Run, _: bool) -> Stage:
            source = self._stage(run, False)
            return functional.Interleave(source, map_func, cycle, block, lambda d: d._stage(run, False))

        return self._node("Interleave", (self,), stage, _unknown, lambda: self._nested_spec(map_func), cheap=False)

    def scan(self, initial_state: Any, scan_func: Callable[..., Any], name: str | None = None) -> Any:
        """What `scan_func(state, element)` gives as the second of a pair, whose first is the next state.

        Raises:
            TypeError: in iterating: it gives no pair, or the state's structure or dtypes change.

        >>> import client as tf
        >>> sums = tf.data.Dataset.range(4).scan(tf.constant(0, tf.int64), lambda total, x: (total + x, total + x))
        >>> [int(x) for x in sums]
        [0, 1, 3, 6]
        """
        functional.check_callable(scan_func)
        state = as_element(initial_state)

        def spec() -> Any:
            pair = result_of(
                lambda s, *e: scan_func(s, e[0] if len(e) == 1 else e),
                (map_components(structure.spec_of, state), self.element_spec),
                lambda: (state, self._stage(Run(self, keep=True), False).next()),
            )
            return map_components(spec_of_part, pair[1])

        return self._node(
            "Scan", (self,), lambda run, _: functional.Scan(self._stage(run, False), state, scan_func), self._size,
            spec, cheap=False,
        )  # fmt: skip

    def apply(self, transformation_func: Callable[[Any], Any]) -> Any:
        """`transformation_func(self)`. Raises TypeError where that is no dataset."""
        found = transformation_func(self)
        if not isinstance(found, Base):
            raise TypeError(f"`transformation_func` must return a `tf.data.Dataset` object. Got {type(found)}.")
        return found


def _unknown() -> int:
    return UNKNOWN
