"""What users train on, as batches on the server: arrays, tensors, datasets, generators.

Owns: where rows are gathered and when they are uploaded, shuffling, splitting for validation, what counts as an epoch.
Does not know models, nor how inputs, targets and weights go together (`triples`).

Arrays of the host are uploaded once and gathered on the server where that pays: they are small enough and the data is
gone through more than once. Then, as for tensors that are there already, only indices travel. Otherwise they are
gathered here and uploaded in blocks of several batches, ahead of the steps that use them, with a bound on how much is
ahead. Nothing waits for the server but that bound.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from client import nest, seeding
from client.convert import constant, from_array
from client.data.runs import orders_of, set_orders
from client.dispatch import call, execute
from client.keras.models.py_dataset import PyDataset, batches_at
from client.keras.models.triples import (
    pack_x_y_sample_weight,
    sample_weights_of,
    with_class_weights,
)
from client.reading import Pending
from client.tensor import Operand, Tensor
from protocol.dtypes import BY_NUMPY, float32
from protocol.ops import OPS

RESIDENT_BYTES: Final = 256 * 2**20
"""Arrays of the host up to this size together are uploaded whole for several epochs."""
_SMALL: Final = 2**20
"""Arrays up to this size are uploaded whole for a single epoch too."""
_BLOCK: Final = 512 * 1024
"""Bytes of rows that are sent together, within the stream, where a batch has fewer."""
_LARGE_BLOCK: Final = 8 * 2**20
"""Bytes of rows that are uploaded together beside the stream, which takes round trips, where a batch has more."""
_AHEAD: Final = 256 * 2**20
"""Bytes of rows that may be uploaded ahead of the steps that use them."""

_SLICE: Final = OPS["strided_slice"]


def split(arrays: Any, validation_split: float) -> tuple[Any, Any]:
    """Arrays or tensors without their last part, and that part.

    Raises:
        ValueError: something else, or a part would be empty.
    """
    flat = nest.flatten(arrays)
    unfit = [type(v) for v in flat if not is_array(v)]
    if unfit:
        raise ValueError(
            "Argument `validation_split` is only supported for tensors or NumPy arrays."
            f"Found incompatible type in the input: {unfit}"
        )
    columns = [v if v is None else _column(v) for v in flat]
    count = next((len(c) for c in columns if c is not None), 0)
    at = math.floor(count * (1.0 - validation_split))
    if at in (0, count):
        raise ValueError(
            f"Training data contains {count} samples, which is not sufficient to split it into a validation and "
            f"training set as specified by `validation_split={validation_split}`. Either provide more data, or a "
            "different value for the `validation_split` argument."
        )
    first = [c if c is None else _rows(c, 0, at) for c in columns]
    last = [c if c is None else _rows(c, at, count) for c in columns]
    return nest.pack_sequence_as(arrays, first), nest.pack_sequence_as(arrays, last)


# --- arrays ----------------------------------------------------------------------------------------------------------


def is_array(value: Any) -> bool:
    """Whether it has rows that can be picked; None counts, for what is missing."""
    return value is None or isinstance(value, Operand) or hasattr(value, "__array__")


def _column(value: Any) -> Any:
    """A tensor, or an array of the host; floats as float32."""
    if isinstance(value, Operand):
        tensor = value if isinstance(value, Tensor) else value._snapshot()
        return call("cast", tensor, dtype=float32) if _to_cast(tensor.dtype) else tensor
    array = np.asarray(value)
    if array.dtype not in BY_NUMPY:
        raise ValueError(f"an array of dtype {array.dtype} cannot be trained on")
    return array.astype(np.float32) if _to_cast(BY_NUMPY[array.dtype]) else array


def _to_cast(dtype: Any) -> bool:
    return dtype.is_floating and dtype is not float32


def _rows(column: Any, start: int, stop: int) -> Any:
    if isinstance(column, np.ndarray):
        return column[start:stop]
    return execute(_SLICE, (column,), {"begin": (start,), "end": (stop,)})


def _permutation(count: int) -> np.ndarray[Any, Any]:
    """A random order, decided by the global seed."""
    seed, counter = seeding.next_stream("shuffle")
    words = [v & (2**64 - 1) for v in (*seed, counter)]
    return np.random.Generator(np.random.PCG64(words)).permutation(count)


class Batches:
    """A source of batches. `epoch` begins to give them anew where it can; `count` is how many, None if not known."""

    count: int | None = None

    def epoch(self) -> Iterator[Any]:
        """The batches: structures of tensors."""
        raise NotImplementedError

    def begin(self) -> None:
        """An epoch begins."""

    def end(self) -> None:
        """An epoch has ended."""

    def state(self) -> Any:
        """What decides the order of the next `epoch`, as plain values: here, the counters of random ops."""
        return seeding.state()

    def restore(self, state: Any) -> None:
        """Have the next `epoch` in the order that it would have had when `state` gave this."""
        seeding.restore(state)


class ArrayBatches(Batches):
    """Rows of arrays and tensors that go together.

    Args:
        data: the structure; its arrays have the same number of rows.
        batch_size: rows of a batch; None: 32, or what makes `steps` batches.
        shuffle: True, or "batch": only within each batch.
        passes: how often it will be gone through, None where not known.
    """

    def __init__(
        self, data: Any, batch_size: int | None = None, shuffle: Any = False, passes: int = 1, steps: int | None = None
    ) -> None:
        self._form = _tuples(data)
        leaves = nest.flatten(self._form)
        self._flat = isinstance(self._form, tuple) and len(leaves) == len(self._form)
        self._columns = [v if v is None else _column(v) for v in leaves]
        present = [c for c in self._columns if c is not None]
        if any(c.ndim == 0 for c in present):
            raise ValueError("scalars cannot be split into batches: arrays need a first axis")
        self._size = _common_length(data, present)
        self._batch = batch_size or (math.ceil(self._size / steps) if steps else 32)
        self.count = math.ceil(self._size / self._batch)
        self._shuffle = shuffle
        host = sum([c.nbytes for c in present if isinstance(c, np.ndarray)])
        if host <= (_SMALL if passes == 1 else RESIDENT_BYTES):
            self._columns = [from_array(c) if isinstance(c, np.ndarray) else c for c in self._columns]
            host = 0
        batch_bytes = max(1, host * self._batch // max(1, self._size))
        wanted = _BLOCK if batch_bytes <= _BLOCK else _LARGE_BLOCK
        self._per_block = max(1, wanted // batch_bytes) if host else 1
        self._block_bytes = batch_bytes * self._per_block if host else 0
        self._remote = [isinstance(c, Operand) for c in self._columns]

    def epoch(self) -> Iterator[Any]:
        order = _permutation(self._size) if self._shuffle is True or self._shuffle == 1 else None
        ahead = _Ahead(self._block_bytes)
        rows = self._batch * self._per_block
        for start in range(0, self._size, rows):
            stop = min(start + rows, self._size)
            indices = None if order is None else order[start:stop]
            if self._shuffle == "batch":
                parts = [
                    start + p + _permutation(min(self._batch, stop - start - p))
                    for p in range(0, stop - start, self._batch)
                ]
                indices = np.concatenate(parts)
            blocks = [
                c if r or c is None else _uploaded(c, start, stop, indices)
                for c, r in zip(self._columns, self._remote, strict=True)
            ]
            for at in range(start, stop, self._batch):
                yield self._at(blocks, start, at, min(at + self._batch, stop), indices)
            ahead.used()

    def _at(self, blocks: list[Any], block: int, start: int, stop: int, indices: Any) -> Any:
        """The batch of rows `start` to `stop` in the order of the epoch; uploaded blocks begin at row `block`."""
        picked: Tensor | None = None
        found: list[Any] = []
        for column, remote in zip(blocks, self._remote, strict=True):
            if column is None:
                found.append(None)
            elif not remote:
                whole = self._per_block == 1
                found.append(column if whole else _rows(column, start - block, stop - block))
            elif indices is None:
                found.append(_rows(column, start, stop))
            else:
                if picked is None:
                    narrow = np.int32 if self._size < 2**31 else np.int64
                    picked = from_array(indices[start - block : stop - block].astype(narrow), copied=True)
                found.append(call("gather", column, picked, axis=0))
        return tuple(found) if self._flat else nest.pack_sequence_as(self._form, found)


def _tuples(data: Any) -> Any:
    if isinstance(data, tuple | list) and not hasattr(data, "_fields"):
        return tuple([_tuples(v) for v in data])
    return {k: _tuples(v) for k, v in data.items()} if isinstance(data, Mapping) else data


def _common_length(data: Any, columns: list[Any]) -> int:
    lengths = {len(c) for c in columns}
    if len(lengths) != 1:
        named = zip(("x", "y", "sample_weight"), data if isinstance(data, tuple) else (data,), strict=False)
        listed = "".join(
            [
                f"'{name}' sizes: {', '.join(str(len(v)) for v in nest.flatten(part) if v is not None)}\n"
                for name, part in named
            ]
        )
        raise ValueError(
            f"Data cardinality is ambiguous. Make sure all arrays contain the same number of samples.{listed}"
        )
    return lengths.pop()


def _uploaded(column: np.ndarray[Any, Any], start: int, stop: int, indices: Any) -> Tensor:
    if indices is not None:
        return from_array(column.take(indices, axis=0), copied=True)
    return from_array(np.ascontiguousarray(column[start:stop]))


class _Ahead:
    """Bounds how many bytes of blocks are uploaded and not used yet."""

    def __init__(self, size: int) -> None:
        self._most = max(2, _AHEAD // size) if size else 0
        self._marks: deque[Pending] = deque()

    def used(self) -> None:
        """The steps that use a block are issued: wait for those of an older one, if too many are under way."""
        if not self._most:
            return
        self._marks.append(Pending([call("identity", constant(0))]))
        while len(self._marks) > self._most:
            self._marks.popleft().wait(-1)


# --- other sources ---------------------------------------------------------------------------------------------------


def _delivered(value: Any) -> Any:
    if value is None or isinstance(value, Operand):
        return value
    return constant(value)


class DatasetBatches(Batches):
    """The elements of a `tf.data.Dataset`."""

    def __init__(self, dataset: Any, weights: Mapping[int, float] | None) -> None:
        count = int(dataset.cardinality())
        self.count = None if count < 0 else count
        self._dataset = dataset
        self._weights = weights

    def epoch(self) -> Iterator[Any]:
        return map(self._weighted, self._dataset)

    def state(self) -> Any:
        return {**super().state(), "orders": orders_of(self._dataset)}

    def restore(self, state: Any) -> None:
        super().restore(state)
        set_orders(self._dataset, state["orders"])

    def _weighted(self, batch: Any) -> Any:
        return batch if self._weights is None else with_class_weights(batch, self._weights)


class GeneratorBatches(Batches):
    """What a generator gives; it goes on from epoch to epoch."""

    def __init__(self, generator: Iterator[Any]) -> None:
        first = list(itertools.islice(generator, 1))
        if not first:
            raise ValueError(
                "When passing a Python generator to a Keras model, the generator must yield at least one batch. "
                "Received an empty generator."
            )
        if not isinstance(first[0], tuple):
            raise ValueError(
                "When passing a Python generator to a Keras model, the generator must return a tuple, either (input,) "
                f"or (inputs, targets) or (inputs, targets, sample_weights). Received: {type(first[0])}"
            )
        self._rest = itertools.chain(first, generator)

    def epoch(self) -> Iterator[Any]:
        return (nest.map_structure(_delivered, batch) for batch in self._rest)


class PyDatasetBatches(Batches):
    """The batches of a `keras.utils.PyDataset`, in a random order if asked for."""

    def __init__(self, dataset: PyDataset, shuffle: Any, weights: Mapping[int, float] | None) -> None:
        self.count = dataset.num_batches
        if self.count == 0:
            raise ValueError("The PyDataset has length 0")
        self._dataset = dataset
        self._shuffle = shuffle
        self._weights = weights

    def epoch(self) -> Iterator[Any]:
        indices: Iterable[int] = itertools.count() if self.count is None else range(self.count)
        if self._shuffle and self.count is not None:
            indices = [int(i) for i in _permutation(self.count)]
        for batch in batches_at(self._dataset, indices):
            yield nest.map_structure(_delivered, self._checked(batch))

    def _checked(self, batch: Any) -> Any:
        if isinstance(batch, dict):
            return batch
        batch = tuple(batch) if isinstance(batch, list) else (batch,) if isinstance(batch, np.ndarray) else batch
        if not isinstance(batch, tuple) or len(batch) not in (1, 2, 3):
            raise ValueError(
                "PyDataset.__getitem__() must return a tuple or a dict. If a tuple, it must be ordered either (input,) "
                f"or (inputs, targets) or (inputs, targets, sample_weights). Received: {str(batch)[:100]}... of type "
                f"{type(batch)}"
            )
        return batch if self._weights is None else with_class_weights(batch, self._weights)

    def begin(self) -> None:
        self._dataset.on_epoch_begin()

    def end(self) -> None:
        self._dataset.on_epoch_end()
        self.count = self._dataset.num_batches


def batches(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: Any = False,
    class_weight: Mapping[int, float] | None = None,
    passes: int = 1,
) -> Batches:
    """The batches of whatever a user trains on.

    Raises:
        ValueError: something that no batches can be made of, or arguments that do not go with it.
    """
    if isinstance(x, Batches):
        return x
    if all(map(is_array, nest.flatten((x, y, sample_weight)))):
        weights = sample_weights_of(y, sample_weight, class_weight)
        return ArrayBatches(pack_x_y_sample_weight(x, y, weights), batch_size, shuffle, passes, steps)
    kind = _kind(x)
    for name, value, what in (("y", y, "the targets"), ("sample_weights", sample_weight, "the sample weights")):
        if value is not None and kind:
            raise ValueError(
                f"When providing `x` as a {kind}, `{name}` should not be passed. Instead, {what} should be included as "
                f"part of the {kind}."
            )
    if isinstance(x, PyDataset):
        return PyDatasetBatches(x, shuffle, class_weight)
    if kind == "tf.data.Dataset":
        return DatasetBatches(x, class_weight)
    if kind == "generator":
        if class_weight is not None:
            raise ValueError(
                "Argument `class_weight` is not supported for Python generator inputs. Received: "
                f"class_weight={class_weight}"
            )
        return GeneratorBatches(iter(x))
    raise ValueError(f"Unrecognized data type: x={str(x)[:200]} (of type {type(x)})")


def _kind(x: Any) -> str:
    if isinstance(x, PyDataset):
        return "PyDataset"
    if hasattr(x, "element_spec") and hasattr(x, "cardinality"):
        return "tf.data.Dataset"
    return "generator" if hasattr(x, "__next__") else ""


# --- epochs ----------------------------------------------------------------------------------------------------------


class Epochs:
    """Batches epoch by epoch: all there are, or a number of steps, which go on where the last epoch ended."""

    def __init__(self, source: Batches, steps: int | None = None) -> None:
        self._source = source
        self._steps = steps
        self._going: Iterator[Any] | None = None
        self._began: Any = None  # the source's state when the present pass over it began
        self._seen = 0
        self._resumed = False
        self._known: int | None = None

    @property
    def count(self) -> int | None:
        """The number of steps of an epoch, None while it is not known."""
        return self._steps or self._source.count or self._known

    def restart(self) -> None:
        """Begin anew, at the first batch."""
        self._going = None

    def position(self) -> dict[str, Any]:
        """Where in the data the next batch is, as plain values."""
        if self._going is None:
            return {"source": self._source.state(), "seen": 0}
        return {"source": self._began, "seen": self._seen}

    def restore(self, position: Any) -> None:
        """Go to where `position` was, perhaps in another program. Batches before it are made and dropped."""
        self._source.restore(position["source"])
        self._start()
        assert self._going is not None
        for _ in range(int(position["seen"])):
            next(self._going, None)
            self._seen += 1
        self._resumed = True

    def _start(self) -> None:
        self._began = self._source.state()
        self._going, self._seen = self._source.epoch(), 0

    def epoch(self, given: int = 0) -> Iterator[Any]:
        """The batches of the next epoch, of which `given` were given. Warns where there are fewer than `steps`."""
        source = self._source
        source.begin()
        if self._going is None or (self._steps is None and not self._resumed):
            self._start()
        self._resumed = False
        going = self._going
        while going is not None and (self._steps is None or given < self._steps):
            try:
                batch = next(going)
            except StopIteration:
                self._ended(given)
                break
            given += 1
            self._seen += 1
            yield batch
        if self._steps is None or (source.count is not None and self._seen >= source.count):
            self._going = None
        source.end()

    def _ended(self, given: int) -> None:
        self._going = None
        if self._steps is None and self._source.count is None and self._known is None and given:
            self._known = given
        elif (self._steps is not None and given < self._steps) or not given:
            warnings.warn(
                "Your input ran out of data; interrupting training. Make sure that your dataset or generator can "
                "generate at least `steps_per_epoch * epochs` batches. You may need to use the `.repeat()` function "
                "when building your dataset.",
                stacklevel=4,
            )
