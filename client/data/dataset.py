"""`tf.data.Dataset`: elements, and what becomes of them on their way to the program.

Owns: `Dataset`, and `Node` and `Rows`, which all datasets are. Its transformations are in `client.data.ordering`,
`grouping` and `applying`, the iterators in `stages`, `functional` and `ahead`; `client.data.sources` adds where
datasets begin.

A dataset of rows (`from_tensor_slices`, `range`) is a source and a dataset of positions; what does not look at values
changes the positions alone. The rows are gathered at the end, a batch in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from client.api import public
from client.data import stages, structure
from client.data.ahead import Prefetch
from client.data.applying import Applying
from client.data.base import AUTOTUNE, MakeStage, integer, spec_of_part
from client.data.grouping import Grouping
from client.data.options import Options
from client.data.ordering import Ordering
from client.data.rows import Source
from client.data.runs import Run, Seeded
from client.data.stages import Stage
from client.data.structure import components, map_components
from protocol.errors import InvalidArgumentError

_AUTO_DEPTH: Final = 4


@public("data.Dataset")
class Dataset(Ordering, Grouping, Applying):
    """A sequence of elements: tensors, or tuples and dicts of them, nested at will. Lists become tensors.

    Made by the static methods; each transformation gives a new dataset. Nothing is computed before it is iterated.
    Host values stay on the host until an element is asked for, and slices of server tensors are gathered on the server:
    only positions travel. Functions given to `map` and others are Python code: they are called for each element, with
    tensors, and nothing waits unless they read one.

    >>> import client as tf
    >>> dataset = tf.data.Dataset.from_tensor_slices(([1, 2, 3], [0.1, 0.2, 0.3])).batch(2)
    >>> for x, y in dataset:
    ...     print(x.numpy(), y.numpy())
    [1 2] [0.1 0.2]
    [3] [0.3]
    """

    def __init__(self) -> None:
        raise TypeError("Can't instantiate abstract class Dataset: use its static methods")

    def _node(self, *args: Any, **kwargs: Any) -> Dataset:
        return Node(*args, **kwargs)

    def _in_windows(self) -> tuple[Any, Callable[[Sequence[Any]], Any]]:
        """What windows are taken of, and what makes a window's datasets of a list of that."""

        def split(elements: Sequence[Any]) -> Any:
            columns = list(zip(*map(components, elements), strict=True))
            return map_components(lambda i: listed(columns[i]), structure.numbered(elements[0]))

        return self, split

    def enumerate(self, start: Any = 0, name: str | None = None) -> Dataset:
        """Pairs of a count and an element."""
        return Dataset.zip((Dataset.counter(start), self))  # type: ignore[attr-defined,no-any-return]

    # --- how it is done ----------------------------------------------------------------------------------------------

    def prefetch(self, buffer_size: Any, name: str | None = None) -> Dataset:
        """The same elements, made ahead. Where this is the last step, host values are sent before they are asked for.

        Generators and functions run in a thread, while the program works; it ends with the iterator. What fails in it
        is raised where the element would have come.

        Args:
            buffer_size: how many elements ahead; `tf.data.AUTOTUNE` for a few; 0: none.
            name: not used.

        Raises:
            tf.errors.InvalidArgumentError: a negative number.
        """
        size = integer(buffer_size)
        if size < AUTOTUNE:
            raise InvalidArgumentError("buffer_size must be >= 0 or set buffer_size to be -1 for auto-tuning")
        depth = _AUTO_DEPTH if size == AUTOTUNE else size

        def stage(run: Run, upload: bool) -> Stage:
            return Prefetch(self._stage(run, upload), depth, upload, self._calls) if depth else self._stage(run, upload)

        return self._same("Prefetch", stage, lambda n: n)

    def with_options(self, options: Options, name: str | None = None) -> Dataset:
        """The same dataset with options, which are kept and change nothing here."""
        node = Node("Options", (self,), self._stage, self._size, lambda: self.element_spec)
        node._options = options
        return node


class Node(Dataset):
    """A dataset made of others: how to iterate it, how many elements it has, what they are."""

    def __init__(
        self,
        kind: str,
        inputs: tuple[Dataset, ...],
        stage: MakeStage,
        size: Callable[[], int],
        spec: Callable[[], Any],
        cheap: bool | None = None,
        orders: Seeded | None = None,
        calls: bool = False,
    ) -> None:
        self._kind, self._inputs, self._orders = kind, inputs, orders
        self._options: Options | None = None
        self._stage, self._size, self._find_spec = stage, size, spec  # type: ignore[method-assign,assignment]
        self._cheap = all(d._cheap for d in inputs) if cheap is None else cheap
        self._calls = calls or cheap is False or any(d._calls for d in inputs)

    def options(self) -> Options:
        found = super().options()
        return found if self._options is None else found.merge(self._options)


class Rows(Dataset):
    """The rows of a source at the positions of another dataset."""

    def __init__(self, source: Source, positions: Dataset) -> None:
        self.source, self.positions = source, positions
        self._inputs = (positions,)
        self._calls = positions._calls
        self._kind = positions._kind

    def _stage(self, run: Run, upload: bool) -> Stage:
        return stages.Gather(self.source, self.positions._stage(run, False))

    def _size(self) -> int:
        return self.positions._size()

    def _find_spec(self) -> Any:
        return self.source.spec(self.positions.element_spec)

    def _on_positions(self, make: Callable[[Dataset], Dataset]) -> Dataset:
        return Rows(self.source, make(self.positions))

    def concatenate(self, dataset: Any, name: str | None = None) -> Any:
        if isinstance(dataset, Rows) and dataset.source is self.source:
            return Rows(self.source, self.positions.concatenate(dataset.positions))
        return super().concatenate(dataset)

    def unbatch(self, name: str | None = None) -> Any:
        if self.positions.element_spec.shape.rank:
            return Rows(self.source, self.positions.unbatch())
        return super().unbatch()

    def _in_windows(self) -> tuple[Dataset, Callable[[Sequence[Any]], Any]]:
        columns = map_components(Source, self.source.structure)
        spec = self.positions.element_spec
        return self.positions, lambda found: map_components(lambda c: Rows(c, listed(found, spec)), columns)


def listed(elements: Sequence[Any], spec: Any = None, kind: str = "Tensor") -> Dataset:
    """The dataset of given elements."""

    def common() -> Any:
        if spec is not None or not elements:
            return spec
        found = map_components(spec_of_part, elements[0])
        for element in elements[1:]:
            found = structure.common_spec(found, map_components(spec_of_part, element))
        return found

    return Node(kind, (), lambda _run, _upload: stages.Listed(elements), lambda: len(elements), common)
