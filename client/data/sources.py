"""Where datasets begin: the static methods of `tf.data.Dataset`.

Owns: `from_tensor_slices`, `from_tensors`, `from_generator`, `range`, `random`, and what takes several datasets: `zip`,
`choose_from_datasets`, `sample_from_datasets`. Does not know transformations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from client.data import functional, stages, structure
from client.data.base import INFINITE, UNKNOWN, MakeStage, integer
from client.data.dataset import Dataset, Node, Rows, listed
from client.data.rows import Source, Steps, cut_together
from client.data.runs import Run, Seeded
from client.data.stages import Stage
from client.data.structure import as_element, components, map_components, spec_of
from client.reading import fetch
from client.shape import TensorShape
from client.tensor_spec import TensorSpec
from protocol.dtypes import as_dtype, float32, float64, int64
from protocol.errors import InvalidArgumentError

_SCALAR: Final = TensorSpec([], int64)
_ENDLESS: Final = 2**62
"""A count of positions that nobody comes to the end of."""


class _Positions(Node):
    """0, 1, 2, ...: the positions of a source as it is."""

    def __init__(self, count: int, kind: str) -> None:
        self.count = count
        super().__init__(
            kind,
            (),
            lambda _run, _upload: stages.Positions(count),
            lambda: count if count < _ENDLESS else INFINITE,
            lambda: _SCALAR,
        )


def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
    """The slices of tensors along their first axis.

    NumPy and Python values are copied and stay on the host; server tensors stay on the server.

    Args:
        tensors: a structure of tensors that have the same first dim.
        name: not used.

    Raises:
        ValueError: no tensor, a scalar, or first dims that differ.

    >>> import client as tf
    >>> list(tf.data.Dataset.from_tensor_slices({"a": [1, 2]}).as_numpy_iterator())
    [{'a': np.int32(1)}, {'a': np.int32(2)}]
    """
    source = Source(as_element(tensors))
    assert source.count is not None
    return Rows(source, _Positions(source.count, "TensorSlice"))


def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
    """A single element.

    >>> import client as tf
    >>> tf.data.Dataset.from_tensors(([1, 2], 3.0)).element_spec
    (TensorSpec(shape=(2,), dtype=tf.int32, name=None), TensorSpec(shape=(), dtype=tf.float32, name=None))
    """
    element = as_element(tensors)
    if not components(element):
        raise InvalidArgumentError("an element needs at least one component")
    return listed([element], map_components(spec_of, element))


def range_(*args: Any, output_type: Any = int64, name: str | None = None) -> Dataset:
    """`range(stop)`, `range(start, stop)` or `range(start, stop, step)` as scalars.

    Args:
        *args: integers.
        output_type: the dtype.
        name: not used.

    >>> import client as tf
    >>> [int(x) for x in tf.data.Dataset.range(1, 8, 3)]
    [1, 4, 7]
    """
    if not 1 <= len(args) <= 3:
        raise ValueError(f"Invalid `args`. The length of `args` should be between 1 and 3 but was {len(args)}.")
    numbers = [integer(a) for a in args]
    start, stop = (0, numbers[0]) if len(numbers) == 1 else numbers[:2]
    step = numbers[2] if len(numbers) == 3 else 1
    if step == 0:
        raise InvalidArgumentError("step must be a non-zero integer.")
    count = max(0, -((start - stop) // step))
    return Rows(Source(Steps(start, step, as_dtype(output_type))), _Positions(count, "Range"))


def counter(start: Any = 0, step: Any = 1, dtype: Any = int64, name: str | None = None) -> Dataset:
    """`start`, `start + step`, ... without end.

    >>> import client as tf
    >>> [int(x) for x in tf.data.Dataset.counter(5, 2).take(3)]
    [5, 7, 9]
    """
    return Rows(Source(Steps(integer(start), integer(step), as_dtype(dtype))), _Positions(_ENDLESS, "Counter"))


def from_generator(
    generator: Callable[..., Any],
    output_types: Any = None,
    output_shapes: Any = None,
    args: Any = None,
    output_signature: Any = None,
    name: str | None = None,
) -> Dataset:
    """What a generator yields; it is started anew for each pass, and closed with the iterator.

    NumPy and Python values stay on the host until an element is asked for. The generator's exceptions are raised as
    they are.

    Args:
        generator: gives an iterable; called with `args`.
        output_types: a structure of dtypes.
        output_shapes: a structure of shapes beside it; any shape by default.
        args: tensors, which the generator gets as NumPy arrays.
        output_signature: a structure of `tf.TensorSpec`, in place of types and shapes.
        name: not used.

    Raises:
        TypeError: no callable, or not one of the two kinds of signature.
        tf.errors.InvalidArgumentError: in iterating: an element does not fit the signature.

    >>> import client as tf
    >>> def squares():
    ...     for n in range(3):
    ...         yield n * n
    >>> dataset = tf.data.Dataset.from_generator(squares, output_signature=tf.TensorSpec([], tf.int32))
    >>> [int(x) for x in dataset]
    [0, 1, 4]
    """
    if not callable(generator):
        raise TypeError("`generator` must be a Python callable.")
    signature = _signature(output_types, output_shapes, output_signature)
    arguments = [] if args is None else [np.asarray(v) if np.ndim(v) else v for v in _arrays(args)]
    return Node(
        "FlatMap",
        (),
        lambda _run, _upload: functional.Generate(generator, arguments, signature),
        lambda: UNKNOWN,
        lambda: signature,
        calls=True,
    )


def _arrays(args: Any) -> list[Any]:
    values = list(args)
    return list(fetch(*values)) if len(values) > 1 else [fetch(*values)] if values else []


def _signature(types: Any, shapes: Any, signature: Any) -> Any:
    if signature is not None:
        for given, which in ((types, "output_types"), (shapes, "output_shapes")):
            if given is not None:
                raise TypeError(
                    f"The `{which}` argument can not be used together with the `output_signature` argument."
                )
        for spec in components(signature):
            if not isinstance(spec, TensorSpec | structure.DatasetSpec):
                raise TypeError(
                    "`output_signature` must contain objects that are subclass of `tf.TypeSpec` but found "
                    f"{type(spec)} which is not."
                )
        return signature
    if types is None:
        raise TypeError(
            "To specify the output signature you need to provide either the `output_signature` argument or the "
            "`output_types` argument."
        )
    return _specs(tuple(types) if isinstance(types, list) else types, shapes)


def _specs(types: Any, shapes: Any) -> Any:
    if isinstance(types, tuple):
        given = shapes if shapes is not None else [None] * len(types)
        parts = [_specs(t, s) for t, s in zip(types, given, strict=True)]
        return type(types)(*parts) if hasattr(types, "_fields") else tuple(parts)
    if isinstance(types, Mapping):
        return {k: _specs(types[k], None if shapes is None else shapes[k]) for k in types}
    return TensorSpec(TensorShape(shapes), as_dtype(types))


def zip_(*args: Any, datasets: Any = None, name: str | None = None) -> Dataset:
    """Elements of several datasets together, in the structure that the datasets are in; as many as the shortest has.

    Args:
        *args: datasets, or one structure (tuples, dicts) of them.
        datasets: the structure, by keyword.
        name: not used.

    Raises:
        TypeError: no dataset, or something else in the structure.

    >>> import client as tf
    >>> range = tf.data.Dataset.range
    >>> list(tf.data.Dataset.zip({"a": range(2), "b": range(5, 9)}).as_numpy_iterator())
    [{'a': np.int64(0), 'b': np.int64(5)}, {'a': np.int64(1), 'b': np.int64(6)}]
    """
    if not args and datasets is None:
        raise TypeError("Must pass at least one dataset to `zip`.")
    if args and datasets is not None:
        raise TypeError("Both `*args` and `datasets` cannot be set.")
    form = datasets if datasets is not None else args[0] if len(args) == 1 else args
    inputs = components(form)
    for dataset in inputs:
        if not isinstance(dataset, Dataset):
            said = "Invalid input to `zip`. Inputs are expected to be (nested) structures of `tf.data.Dataset` objects"
            if isinstance(dataset, list):
                raise TypeError(f"{said}. Python `list` is not supported and you should use `tuple` instead.")
            raise TypeError(f"{said} but encountered object of type {type(dataset)}.")
    numbers = structure.numbered(form)
    plain = [d for d in inputs if isinstance(d, Rows) and isinstance(d.positions, _Positions)]
    if inputs and len(plain) == len(inputs):  # rows of one source: one stream of positions
        count = min(d.positions.count for d in plain)
        cut = cut_together([d.source for d in plain], count)
        return Rows(Source(map_components(cut.__getitem__, numbers)), _Positions(count, "Zip"))

    def size() -> int:
        sizes = [d._size() for d in inputs]
        finite = [n for n in sizes if n != INFINITE]
        return UNKNOWN if UNKNOWN in finite else min(finite, default=INFINITE)

    def stage(run: Run, _: bool) -> Stage:
        return stages.Zip([d._stage(run, False) for d in inputs], lambda row: map_components(row.__getitem__, numbers))

    return Node("Zip", tuple(inputs), stage, size, lambda: map_components(lambda d: d.element_spec, form))


# --- random numbers and choices --------------------------------------------------------------------------------------


class _Drawn(Stage):
    """Random values without end."""

    __slots__ = ("_random",)

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random

    def next(self) -> Any:
        return np.asarray(self._random.integers(2**32), np.int64)


def random(seed: Any = None, rerandomize_each_iteration: bool | None = None, name: str | None = None) -> Dataset:
    """Random int64 scalars in [0, 2**32), without end.

    Args:
        seed: an integer: the same numbers in every run, though not TensorFlow's.
        rerandomize_each_iteration: whether each pass has numbers of its own.
        name: not used.

    >>> import client as tf
    >>> dataset = tf.data.Dataset.random(seed=4).take(3)
    >>> [int(x) for x in dataset] == [int(x) for x in dataset]
    True
    """
    orders = Seeded("random_dataset", seed, bool(rerandomize_each_iteration))

    def stage(run: Run, _: bool) -> Stage:
        return _Drawn(_generator(run.order(orders)))

    return Node("Random", (), stage, lambda: INFINITE, lambda: _SCALAR, orders=orders)


def _generator(order: Sequence[int]) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([word & (2**64 - 1) for word in order]))


def choose_from_datasets(
    datasets: Sequence[Dataset], choice_dataset: Dataset, stop_on_empty_dataset: bool = True
) -> Dataset:
    """The next element of `datasets[i]` for each i that another dataset gives.

    Args:
        datasets: datasets of one structure and dtypes.
        choice_dataset: int64 scalars.
        stop_on_empty_dataset: whether to end with the first dataset that ends; else those are passed over.

    Raises:
        ValueError, TypeError: no dataset, or ones that do not fit.

    >>> import client as tf
    >>> range = tf.data.Dataset.range
    >>> choices = range(2).repeat(2)
    >>> [int(x) for x in tf.data.Dataset.choose_from_datasets([range(2), range(5, 7)], choices)]
    [0, 5, 1, 6]
    """
    if not datasets:
        raise ValueError("Invalid `datasets`. `datasets` should not be empty.")
    if not isinstance(choice_dataset, Dataset):
        raise TypeError(
            f"Invalid `choice_dataset`. `choice_dataset` should be a `tf.data.Dataset` but is {type(choice_dataset)}."
        )
    if choice_dataset._cheap and choice_dataset.element_spec != _SCALAR:
        raise TypeError(
            "Invalid `choice_dataset`. Elements of `choice_dataset` must be scalar `tf.int64` tensors but are "
            f"{choice_dataset.element_spec}."
        )

    def stage(run: Run, _: bool) -> Stage:
        choices = choice_dataset._stage(run, False)
        inputs = [d._stage(run, False) for d in datasets]
        return stages.Select(inputs, lambda _ended: int(choices.next()), stop_on_empty_dataset)

    return _selection([*datasets], (choice_dataset,), stage)


def sample_from_datasets(
    datasets: Sequence[Dataset],
    weights: Any = None,
    seed: Any = None,
    stop_on_empty_dataset: bool = False,
    rerandomize_each_iteration: bool | None = None,
) -> Dataset:
    """Elements of several datasets, each time from one that is drawn at random.

    Args:
        datasets: datasets of one structure and dtypes.
        weights: how likely each is drawn; equally by default.
        seed: an integer: the same choices in every run, though not TensorFlow's.
        stop_on_empty_dataset: whether to end with the first dataset that ends; else with the last.
        rerandomize_each_iteration: whether each pass has choices of its own.

    Raises:
        ValueError, TypeError: no dataset, ones that do not fit, or another number of weights.
    """
    if not datasets:
        raise ValueError("Invalid `datasets`. `datasets` should not be empty.")
    found = np.ones(len(datasets)) if weights is None else np.asarray(weights)
    if len(found) != len(datasets):
        raise ValueError(
            "Invalid `weights`. `weights` should have the same length as `datasets` but got "
            f"`len(weights)={len(found)}` vs. `len(datasets)={len(datasets)}`."
        )
    if found.dtype not in (float32.numpy, float64.numpy):
        raise TypeError(
            f"Invalid `weights`. `weights` type must be either `tf.float32` or `tf.float64` but is {found.dtype}."
        )
    drawn = [d for d, share in zip(datasets, found, strict=True) if share]
    if len(drawn) == 1:
        return drawn[0]
    found = found[found != 0]
    orders = Seeded("sample_from_datasets", seed, bool(rerandomize_each_iteration))

    def stage(run: Run, _: bool) -> Stage:
        random = _generator(run.order(orders))

        def choose(ended: set[int]) -> int:
            left = np.array([0.0 if i in ended else share for i, share in enumerate(found)]).cumsum()
            return int(left.searchsorted(random.random() * left[-1], side="right"))

        return stages.Select([d._stage(run, False) for d in drawn], choose, stop_on_empty_dataset)

    return _selection(drawn, (), stage, orders)


def _selection(
    datasets: Sequence[Dataset], more: tuple[Dataset, ...], stage: MakeStage, orders: Seeded | None = None
) -> Dataset:
    def spec() -> Any:
        first = found = datasets[0].element_spec
        for i, dataset in enumerate(datasets[1:], 1):
            try:
                found = structure.common_spec(found, dataset.element_spec)
            except TypeError as error:
                raise TypeError(
                    "Invalid `datasets`. `datasets` must have compatible element specs.\n "
                    f"Dataset 0 element_spec={first}.\nDataset {i} element_spec={dataset.element_spec}."
                ) from error
        return found

    cheap = all(d._cheap for d in datasets)
    if cheap:
        spec()
    return Node("DirectedInterleave", (*datasets, *more), stage, lambda: UNKNOWN, spec, cheap, orders)


_STATIC: Final[dict[str, Any]] = {
    "from_tensor_slices": from_tensor_slices,
    "from_tensors": from_tensors,
    "from_generator": from_generator,
    "range": range_,
    "counter": counter,
    "zip": zip_,
    "random": random,
    "choose_from_datasets": choose_from_datasets,
    "sample_from_datasets": sample_from_datasets,
}
for _name, _function in _STATIC.items():
    setattr(Dataset, _name, staticmethod(_function))
