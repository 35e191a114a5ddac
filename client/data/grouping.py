"""Transformations that put elements together and take them apart.

Owns: `Grouping`, a part of `tf.data.Dataset`. Does not know which elements there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from client.data import stages, structure
from client.data.base import UNKNOWN, Base, positive
from client.data.padding import Padding
from client.data.structure import DatasetSpec, components, map_components
from client.tensor_spec import TensorSpec


class Grouping(Base):
    """`batch`, `padded_batch`, `unbatch` and `window`."""

    def batch(
        self,
        batch_size: Any,
        drop_remainder: bool = False,
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Any:
        """Elements side by side along a new first axis.

        Args:
            batch_size: how many.
            drop_remainder: whether to leave out a last batch that is smaller.
            num_parallel_calls: accepted.
            deterministic: accepted: the order is always kept.
            name: not used.

        Raises:
            tf.errors.InvalidArgumentError: `batch_size` is not positive; in iterating, elements differ in shape.
        """
        n, drop = positive(batch_size, "Batch size must be greater than zero."), bool(drop_remainder)

        def make(d: Any) -> Any:
            return d._node(
                "Batch",
                (d,),
                lambda run, _: stages.Batch(d._stage(run, False), n, drop),
                lambda: _batches(d._size(), n, drop),
                lambda: structure.with_leading(d.element_spec, n if drop else None),
            )

        return self._on_positions(make)

    def padded_batch(
        self,
        batch_size: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Any:
        """Elements side by side, each padded at the ends of its axes.

        Args:
            batch_size: how many.
            padded_shapes: a shape for each component; a dim of None or -1 becomes the longest in the batch, and so do
                the dims that differ where this is not given.
            padding_values: a scalar for each component, or one for all; zeros by default.
            drop_remainder: whether to leave out a last batch that is smaller.
            name: not used.

        Raises:
            ValueError, TypeError: shapes or values that do not fit the elements.
            tf.errors.DataLossError: an element is longer than its padded shape.

        >>> import client as tf
        >>> dataset = tf.data.Dataset.range(1, 4).map(lambda n: tf.fill([int(n)], n))
        >>> print(next(iter(dataset.padded_batch(3))).numpy())
        [[1 0 0]
         [2 2 0]
         [3 3 3]]
        """
        n, drop = positive(batch_size, "Batch size must be greater than zero."), bool(drop_remainder)
        padding = Padding(self.element_spec, padded_shapes, padding_values, certain=self._cheap)
        return self._node(
            "PaddedBatch",
            (self,),
            lambda run, _: stages.Batch(self._stage(run, False), n, drop, padding),
            lambda: _batches(self._size(), n, drop),
            lambda: padding.spec_of(n if drop else None),
        )

    def unbatch(self, name: str | None = None) -> Any:
        """The slices of each element along its first axis, as elements.

        Raises:
            ValueError: components are scalars, or differ in length.
        """
        if self._cheap:
            _unbatched(self.element_spec)
        return self._node(
            "Unbatch",
            (self,),
            lambda run, _: stages.Unbatch(self._stage(run, False)),
            lambda: _unbatched_size(self),
            lambda: _unbatched(self.element_spec)[0],
        )

    def rebatch(self, batch_size: Any, drop_remainder: bool = False, name: str | None = None) -> Any:
        """Batches of another size: `unbatch`, then `batch`.

        Raises:
            ValueError: components are scalars.
        """
        if self._cheap and any(s.shape.rank == 0 for s in components(self.element_spec)):
            raise ValueError(
                "Invalid `batch_sizes`. Expected dataset with rank of >= 1 but found a dataset with scalar elements. "
                "Fix the issue by adding the `batch` transformation to the dataset."
            )
        return self.unbatch().batch(batch_size, drop_remainder)

    def window(
        self, size: Any, shift: Any = None, stride: Any = 1, drop_remainder: bool = False, name: str | None = None
    ) -> Any:
        """Datasets of `size` elements each. An element with several components gives a dataset for each of them.

        Args:
            size: how many elements a window has.
            shift: how far the next window begins after this one; `size` by default.
            stride: how far apart the elements in a window are.
            drop_remainder: whether to leave out last windows that are smaller.
            name: not used.

        Raises:
            tf.errors.InvalidArgumentError: a number that is not positive.

        >>> import client as tf
        >>> windows = tf.data.Dataset.range(5).window(3, shift=1, drop_remainder=True)
        >>> [w.numpy().tolist() for w in windows.flat_map(lambda w: w.batch(3))]
        [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
        """
        n = positive(size, "Window size must be greater than zero.")
        step = n if shift is None else positive(shift, "Window shift must be greater than zero.")
        gap = positive(stride, "Window stride must be greater than zero.")

        def count() -> int:
            have = self._size()
            if have < 0:
                return have
            span = (n - 1) * gap + 1
            return max(0, (have - span) // step + 1) if drop_remainder else -(-have // step)

        source, split = self._in_windows()
        return self._node(
            "Window",
            (source,),
            lambda run, _: stages.Window(source._stage(run, False), n, step, gap, bool(drop_remainder), split),
            count,
            lambda: map_components(DatasetSpec, self.element_spec),
            self._cheap,
        )

    def _in_windows(self) -> tuple[Any, Callable[[Sequence[Any]], Any]]:
        """What windows are taken of, and what makes a window's datasets of a list of that."""
        raise NotImplementedError


def _batches(have: int, size: int, drop: bool) -> int:
    return have if have < 0 else have // size if drop else -(-have // size)


def _unbatched(spec: Any) -> tuple[Any, int | None]:
    """The spec of the slices of elements, and how many an element has."""
    known: int | None = None
    for part in components(spec):
        if part.shape.rank == 0:
            raise ValueError("Cannot unbatch an input with scalar components.")
        size = None if part.shape.dims is None else part.shape[0]
        if size is not None and known is not None and size != known:
            raise ValueError(
                "`unbatch()` is only supported for datasets of elements whose components have a matching leading "
                f"dimension. Encountered both {known} and {size}."
            )
        known = size if size is not None else known
    return map_components(lambda p: TensorSpec(p.shape[1:], p.dtype), spec), known


def _unbatched_size(dataset: Base) -> int:
    have = dataset._size()
    if have < 0:
        return have
    known = _unbatched(dataset.element_spec)[1]
    return UNKNOWN if known is None else have * known
