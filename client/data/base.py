"""What all datasets have: elements to iterate, their number and their spec.

Owns: `Base`, the numbers for infinite and unknown sizes, and integer arguments. Does not know transformations.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from collections.abc import Iterator as Iterates
from typing import Any, Final

from client.convert import convert_to_tensor
from client.data import functional, structure
from client.data.ahead import read_ahead
from client.data.iterator import Iterator
from client.data.options import Options
from client.data.runs import Run, Seeded
from client.data.stages import Stage
from client.data.structure import DatasetSpec, Nested, as_element, components, delivered
from client.tensor import Operand
from client.tensor_spec import TensorSpec
from protocol.dtypes import int64
from protocol.errors import InvalidArgumentError

AUTOTUNE: Final = -1
INFINITE: Final = -1
UNKNOWN: Final = -2

MakeStage = Callable[[Run, bool], Stage]


def integer(value: Any, name: str = "value") -> int:
    """An argument as a Python int; reads a tensor that only the server knows.

    Raises:
        TypeError: no integer.
    """
    if isinstance(value, Operand):
        return operator.index(value)  # type: ignore[arg-type]
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"Cannot convert {value!r} to EagerTensor of dtype int64") from None


def positive(value: Any, message: str) -> int:
    """`integer`, and InvalidArgumentError with that message unless it is positive."""
    found = integer(value)
    if found <= 0:
        raise InvalidArgumentError(message)
    return found


def spec_of_part(part: Any) -> Any:
    """The spec of a component, or of what is one already."""
    return part if isinstance(part, TensorSpec | DatasetSpec) else structure.spec_of(part)


class Base(Nested):
    """The part of `tf.data.Dataset` that is no transformation."""

    _inputs: tuple[Any, ...] = ()
    _kind = ""
    _cheap = True
    """Whether the element spec is known without calling a function."""

    _calls = False
    """Whether making elements calls the user's functions, or waits."""
    _orders: Seeded | None = None
    """What draws the orders of its passes, where they are random."""

    def _stage(self, run: Run, upload: bool) -> Stage:
        """A new iterator; with `upload`, what it gives goes to the program as tensors next."""
        raise NotImplementedError

    def _size(self) -> int:
        raise NotImplementedError

    def _find_spec(self) -> Any:
        raise NotImplementedError

    # --- about a dataset ---------------------------------------------------------------------------------------------

    @property
    def element_spec(self) -> Any:
        """The structure of an element with a `tf.TensorSpec` for each tensor.

        Nothing waits. Functions are called once with tensors that are on no server, or, where that does not do, with
        the first element.
        """
        if "_known_spec" not in self.__dict__:
            self._known_spec = self._find_spec()
        return self._known_spec

    def cardinality(self) -> Any:
        """The number of elements as an int64 scalar, `tf.data.INFINITE_CARDINALITY` or
        `tf.data.UNKNOWN_CARDINALITY`.
        """
        return convert_to_tensor(self._size(), int64)

    def __len__(self) -> int:
        """The number of elements. Raises TypeError where it is infinite or unknown."""
        size = self._size()
        if size == INFINITE:
            raise TypeError("The dataset is infinite.")
        if size == UNKNOWN:
            raise TypeError("The dataset length is unknown.")
        return size

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        shown = repr(self.element_spec) if self._cheap or "_known_spec" in self.__dict__ else "..."
        return f"<_{self._kind}Dataset element_spec={shown}>"

    def options(self) -> Options:
        """The options set by `with_options`, on this dataset or what it was made of."""
        merged = Options()
        for source in self._inputs:
            merged = merged.merge(source.options())
        return merged

    # --- iterating ---------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator:
        return Iterator(self)

    def as_numpy_iterator(self) -> Iterates[Any]:
        """The elements as NumPy arrays, which are read-only. Host values never wait; of server tensors, the reads of
        the next elements are under way while the program has one.

        Raises:
            TypeError: an element has datasets in it.

        >>> import client as tf
        >>> list(tf.data.Dataset.range(3).map(lambda x: x * x).as_numpy_iterator())
        [np.int64(0), np.int64(1), np.int64(4)]
        """
        if self._cheap and any(isinstance(s, DatasetSpec) for s in components(self.element_spec)):
            raise TypeError(
                "`tf.data.Dataset.as_numpy_iterator()` is not supported for datasets that produce values of type "
                f"{type(self)}"
            )
        return read_ahead(self._stage(Run(self), False))

    def get_single_element(self, name: str | None = None) -> Any:
        """The only element.

        Raises:
            tf.errors.InvalidArgumentError: there is none, or more than one.
        """
        found = self._stage(Run(self), False).many(2)
        if len(found) != 1:
            raise InvalidArgumentError("Dataset had more than one element." if found else "Dataset was empty.")
        return delivered(found[0])

    def reduce(self, initial_state: Any, reduce_func: Callable[..., Any], name: str | None = None) -> Any:
        """`reduce_func(state, element)` over all elements, from `initial_state` on; the last state.

        Args:
            initial_state: a structure of tensors.
            reduce_func: gives the next state, of the same structure and dtypes.
            name: not used.

        Raises:
            TypeError: the state's dtypes or structure change.

        >>> import client as tf
        >>> int(tf.data.Dataset.range(5).reduce(tf.constant(0, tf.int64), lambda total, x: total + x))
        10
        """
        functional.check_callable(reduce_func)
        state = as_element(initial_state)
        stage = self._stage(Run(self), False)
        said = "The element "
        for element in iter(lambda: stage.many(1), ()):
            if not element:
                break
            state = functional.next_state(state, reduce_func(delivered(state), delivered(element[0])), said)
        return delivered(state)

    # --- making others -----------------------------------------------------------------------------------------------

    def _node(self, *args: Any, **kwargs: Any) -> Any:
        """A new `client.data.dataset.Node`."""
        raise NotImplementedError

    def _on_positions(self, make: Callable[[Any], Any]) -> Any:
        """A transformation that never looks at values."""
        return make(self)

    def _same(
        self, kind: str, stage: MakeStage, size: Callable[[int], int], orders: Seeded | None = None, calls: bool = False
    ) -> Any:
        """A dataset with elements of the same spec."""
        return self._node(
            kind, (self,), stage, lambda: size(self._size()), lambda: self.element_spec, orders=orders, calls=calls
        )
