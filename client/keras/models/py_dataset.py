"""`keras.utils.PyDataset`: batches made by a program's own class.

Owns: the base class, and making batches ahead in threads. Does not know models.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from client.api import public


@public("keras.utils.PyDataset", "keras.utils.Sequence")
class PyDataset:
    """A base for data that comes in batches: override `__getitem__`, which gives batch `index`, and `__len__`.

    A batch is `(x,)`, `(x, y)` or `(x, y, sample_weight)` of NumPy arrays or tensors. `num_batches` may be overridden
    instead of `__len__`; None is an endless dataset.

    Args:
        workers: how many threads make batches ahead while a model uses it; with 1, the program's own makes them.
        use_multiprocessing: accepted; threads are used.
        max_queue_size: how many batches to make ahead at most.

    >>> import client as tf
    >>> import numpy as np
    >>> class Squares(tf.keras.utils.PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         x = np.arange(2.0) + 2 * index
    ...         return x, x**2
    >>> [y.tolist() for x, y in Squares()]
    [[0.0, 1.0], [4.0, 9.0], [16.0, 25.0]]
    """

    workers = 1
    use_multiprocessing = False
    max_queue_size = 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """The batch at a position."""
        raise NotImplementedError

    @property
    def num_batches(self) -> int | None:
        """The number of batches; None: endless."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError("a PyDataset needs `__len__`, or a `num_batches` property")

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    def on_epoch_begin(self) -> None:
        """An epoch begins."""

    def on_epoch_end(self) -> None:
        """An epoch has ended."""


def batches_at(dataset: PyDataset, indices: Iterable[int]) -> Iterator[Any]:
    """The batches at several positions, made ahead by the dataset's threads if it has more than one."""
    if dataset.workers <= 1:
        yield from (dataset[index] for index in indices)
        return
    pool = ThreadPoolExecutor(dataset.workers, "telegrad-batches")
    ahead: deque[Future[Any]] = deque()
    try:
        for index in indices:
            ahead.append(pool.submit(dataset.__getitem__, index))
            if len(ahead) >= max(1, dataset.max_queue_size):
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
