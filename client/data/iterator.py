"""`tf.data.Iterator`: a position in a dataset.

Owns: `Iterator`. Does not know what a dataset is made of.
"""

from __future__ import annotations

from typing import Any

from client.api import public
from client.data.runs import Run, State
from client.data.structure import delivered
from client.tracking import Stateful
from protocol.errors import OutOfRangeError


@public("data.Iterator")
class Iterator(Stateful):
    """The elements of a dataset one after the other, as tensors; made by `iter(dataset)`.

    Host arrays are sent when their element is asked for, or before where the dataset ends in `prefetch`. Nothing waits.
    A `tf.train.Checkpoint` keeps its position.

    >>> import client as tf
    >>> iterator = iter(tf.data.Dataset.range(3))
    >>> int(next(iterator)), int(iterator.get_next())
    (0, 1)
    >>> place = iterator.state()
    >>> other = iter(tf.data.Dataset.range(3))
    >>> other.restore(place)
    >>> int(next(other))
    2
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._start(None)

    def _start(self, draws: Any) -> None:
        self._count = 0
        self._run = Run(self._dataset, draws)
        self._stage = self._dataset._stage(self._run, True)

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        element = self._stage.next()
        self._count += 1
        return delivered(element)

    def next(self) -> Any:
        """The next element. Raises StopIteration at the end."""
        return self.__next__()

    def get_next(self) -> Any:
        """The next element. Raises tf.errors.OutOfRangeError at the end."""
        try:
            return self.__next__()
        except StopIteration:
            raise OutOfRangeError("End of sequence") from None

    @property
    def element_spec(self) -> Any:
        """The spec of the elements."""
        return self._dataset.element_spec

    def state(self) -> State:
        """The position as plain values: how many elements were given out, and the random orders they came in."""
        return {"count": self._count, "draws": self._run.drawn()}

    def restore(self, state: State) -> None:
        """Go to a position that `state` gave, perhaps in another program that made the same dataset.

        Elements before it are passed over: functions of `map` are not called for them, generators run again.
        """
        self._start(state["draws"])
        self._count = self._stage.skip(state["count"])

    _state_kind = "dataset iterator"
    _checkpoint_state = state
    _restore_state = restore

    def __repr__(self) -> str:
        return f"<Iterator of {self._dataset!r}>"
