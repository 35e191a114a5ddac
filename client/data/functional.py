"""Iterators of the transformations that call the user's functions.

Owns: how functions are called and their results taken, and a stage for each of these transformations. The functions
get tensors, and run here: their ops are sent as any others, and nothing waits unless they read a value. What decides
which elements there are (`filter`, `take_while`) has to be read: one wait for one element at first, then for twice as
many ahead, up to 64. Does not know datasets but by `stage_of`, or threads.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from client.convert import convert_to_tensor, static_value
from client.data.stages import Stage
from client.data.structure import (
    Nested,
    as_element,
    component,
    components,
    delivered,
    dtype_of,
    is_structure,
    map_components,
    matches,
    shape_of,
    spec_of,
)
from client.reading import fetch
from client.tensor import Operand
from client.tensor_spec import TensorSpec
from protocol.conversion import to_array
from protocol.dtypes import bool_
from protocol.errors import InvalidArgumentError

_AHEAD: Final = 64

Function = Callable[..., Any]
StageOf = Callable[[Any], Stage]


def check_callable(function: Any) -> None:
    """Raise ValueError, as TensorFlow does, unless `function` can be called."""
    if not callable(function):
        raise ValueError(f"Argument `func` must be a callable. Received func={function} (of type {type(function)})")


def called(function: Function, element: Any) -> Any:
    """The function's result for an element: a tuple's components are its arguments."""
    value = delivered(element)
    return function(*value) if type(value) is tuple else function(value)


def _result(found: Any) -> Any:
    return tuple(found) if type(found) is list else found


class Map(Stage):
    """What a function makes of each element. Passing over elements does not call it."""

    __slots__ = ("_function", "_input")

    def __init__(self, source: Stage, function: Function) -> None:
        self._input, self._function = source, function

    def next(self) -> Any:
        return as_element(_result(called(self._function, self._input.next())))

    def many(self, count: int) -> Sequence[Any]:
        function = self._function
        return [as_element(_result(called(function, e))) for e in self._input.many(count)]

    def skip(self, count: int) -> int:
        return self._input.skip(count)


class Judged(Stage):
    """Elements with the verdicts of a predicate, which are read for several elements at once."""

    __slots__ = ("_ahead", "_error", "_input", "_predicate", "_ready", "_said")

    def __init__(self, source: Stage, predicate: Function, said: str) -> None:
        self._input, self._predicate, self._said = source, predicate, said
        self._ready: deque[tuple[Any, bool]] = deque()
        self._ahead = 1
        self._error: BaseException | None = None

    def next(self) -> tuple[Any, bool]:
        """An element and its verdict."""
        if not self._ready:
            if self._error is None:
                self._look()
            if not self._ready:
                assert self._error is not None
                raise self._error
        return self._ready.popleft()

    def _look(self) -> None:
        elements: list[Any] = []
        verdicts: list[Any] = []
        unknown = False
        try:
            while len(elements) < self._ahead:
                element = self._input.next()
                verdict = self._judge(element)
                elements.append(element)
                verdicts.append(verdict)
                unknown = unknown or isinstance(verdict, Operand)
                if not unknown:
                    break
        except Exception as error:  # comes after the elements before it
            self._error = error
        if unknown:
            self._ahead = min(2 * self._ahead, _AHEAD)
            pending = [v for v in verdicts if isinstance(v, Operand)]
            values = iter(fetch(*pending) if len(pending) > 1 else [fetch(*pending)])
            verdicts = [next(values) if isinstance(v, Operand) else v for v in verdicts]
        self._ready.extend(zip(elements, map(bool, verdicts), strict=True))

    def _judge(self, element: Any) -> Any:
        found = called(self._predicate, element)
        if type(found) is bool:
            return found
        if not is_structure(found) and not isinstance(found, Nested):
            tensor = convert_to_tensor(found)
            if tensor.dtype is bool_ and tensor._spec.shape in ((), None):
                known = static_value(tensor)
                return tensor if known is None else bool(known)
            found = tensor
        shown = map_components(lambda v: spec_of(component(v)), found)
        raise ValueError(f"{self._said}{shown}.")


class Filter(Stage):
    """The elements for which a predicate holds."""

    __slots__ = ("_judged",)

    def __init__(self, source: Stage, predicate: Function) -> None:
        said = "Invalid `predicate`. `predicate` must return a `tf.bool` scalar tensor, but its return type is "
        self._judged = Judged(source, predicate, said)

    def next(self) -> Any:
        while True:
            element, holds = self._judged.next()
            if holds:
                return element


class TakeWhile(Stage):
    """The elements before the first for which a predicate does not hold."""

    __slots__ = ("_judged",)

    def __init__(self, source: Stage, predicate: Function) -> None:
        said = "Invalid `predicate`. `predicate` must return a `tf.bool` scalar tensor but its return type is"
        self._judged: Judged | None = Judged(source, predicate, said)

    def next(self) -> Any:
        if self._judged is None:
            raise StopIteration
        element, holds = self._judged.next()
        if not holds:
            self._judged = None
            raise StopIteration
        return element


class Scan(Stage):
    """What a function makes of a state and each element, besides the next state."""

    __slots__ = ("_function", "_input", "_state")

    def __init__(self, source: Stage, state: Any, function: Function) -> None:
        self._input, self._state, self._function = source, state, function

    def next(self) -> Any:
        element = delivered(self._input.next())
        found = self._function(delivered(self._state), element)
        if type(found) is list:
            found = tuple(found)
        if type(found) is not tuple or len(found) != 2:
            shown = map_components(lambda v: spec_of(component(v)), found)
            raise TypeError(
                "Invalid `scan_func`. `scan_func` should return a pair consisting of new state and the output value "
                f"but its return type is {shown}."
            )
        self._state = next_state(self._state, found[0], "Invalid `scan_func`. The element ")
        return as_element(found[1])


def next_state(old: Any, new: Any, said: str) -> Any:
    """A state that a function returned, with the structure and dtypes of the one before it.

    Raises:
        TypeError: it differs.
    """
    if not matches(old, new):
        raise TypeError(f"{said}structure for the new state must match the initial state. Expected {_shown(old)}.")
    found = as_element(new)
    for a, b in zip(components(old), components(found), strict=True):
        if dtype_of(a) is not dtype_of(b):
            raise TypeError(
                f"{said}types for the new state must match the initial state. "
                f"Expected {_dtypes(old)}, got {_dtypes(found)}."
            )
    return found


def _shown(element: Any) -> Any:
    return map_components(spec_of, element)


def _dtypes(element: Any) -> Any:
    return map_components(dtype_of, element)


def nested(function: Function, element: Any) -> Any:
    """The dataset that a function makes of an element.

    Raises:
        TypeError: it makes something else.
    """
    found = called(function, element)
    if not isinstance(found, Nested):
        raise TypeError(f"The `map_func` argument must return a `Dataset` object. Got {type(found)!r}.")
    return found


def flattened(source: Stage, function: Function, stage_of: StageOf) -> Iterator[Callable[[], Stage]]:
    """For `Chain`: the elements of the datasets that a function makes of elements."""
    with contextlib.suppress(StopIteration):
        while True:
            dataset = nested(function, source.next())
            yield lambda dataset=dataset: stage_of(dataset)  # type: ignore[misc]


class Interleave(Stage):
    """Elements of several datasets by turns: `block` of one, then of the next, `cycle` of them open at a time."""

    __slots__ = ("_at", "_block", "_ended", "_function", "_given", "_input", "_open", "_stage_of")

    def __init__(self, source: Stage, function: Function, cycle: int, block: int, stage_of: StageOf) -> None:
        self._input, self._function, self._block, self._stage_of = source, function, block, stage_of
        self._open: list[Stage | None] = [None] * cycle
        self._at = self._given = 0
        self._ended = False

    def next(self) -> Any:
        while not self._ended or any(s is not None for s in self._open):
            stage = self._open[self._at]
            if stage is not None:
                try:
                    found = stage.next()
                except StopIteration:
                    self._open[self._at] = None
                    self._turn()
                    continue
                self._given += 1
                if self._given == self._block:
                    self._turn()
                return found
            if self._ended:
                self._turn()
                continue
            try:
                element = self._input.next()
            except StopIteration:
                self._ended = True
                continue
            self._open[self._at] = self._stage_of(nested(self._function, element))
        raise StopIteration

    def _turn(self) -> None:
        self._at = (self._at + 1) % len(self._open)
        self._given = 0


class Generate(Stage):
    """What the user's generator yields, checked against the signature. The generator is closed with the iterator."""

    __slots__ = ("_arguments", "_function", "_iterator", "_signature")

    def __init__(self, function: Function, arguments: Sequence[Any], signature: Any) -> None:
        self._function, self._arguments, self._signature = function, arguments, signature
        self._iterator: Iterator[Any] | None = None

    def next(self) -> Any:
        if self._iterator is None:
            self._iterator = iter(self._function(*self._arguments))
        value = next(self._iterator)
        try:
            return _signed(self._signature, value)
        except (TypeError, ValueError) as error:
            if isinstance(error, InvalidArgumentError):
                raise
            raise InvalidArgumentError(
                "TypeError: `generator` yielded an element that did not match the expected structure. The expected "
                f"structure was {self._signature}, but the yielded element was {value}."
            ) from error


def _signed(spec: Any, value: Any) -> Any:
    """A yielded value as an element of that spec. Lists may stand where the signature has tuples."""
    if isinstance(spec, tuple):
        if isinstance(value, list):
            value = tuple(value)
        if not isinstance(value, tuple) or len(value) != len(spec):
            raise TypeError("the structure differs")
        parts = [_signed(s, v) for s, v in zip(spec, value, strict=True)]
        return type(spec)(*parts) if hasattr(spec, "_fields") else tuple(parts)
    if is_structure(spec):
        if not is_structure(value) or isinstance(value, tuple) or set(spec) != set(value):
            raise TypeError("the structure differs")
        return {k: _signed(spec[k], value[k]) for k in spec}
    if isinstance(value, Nested):
        return value
    if isinstance(value, Operand) or not isinstance(spec, TensorSpec):
        found = component(value)
    else:
        found = _array(value, spec)
    said = "TypeError: `generator` yielded an element of "
    if dtype_of(found) is not spec.dtype:
        raise InvalidArgumentError(
            f"{said}type {dtype_of(found).name} where an element of type {spec.dtype.name} was expected."
        )
    if not spec.shape.is_compatible_with(shape_of(found)):
        raise InvalidArgumentError(
            f"{said}shape {shape_of(found)} where an element of shape {spec.shape} was expected."
        )
    return found


def _array(value: Any, spec: TensorSpec) -> np.ndarray[Any, Any]:
    own = isinstance(value, np.ndarray)
    array = to_array(value) if own and value.dtype == spec.dtype.numpy else to_array(value, spec.dtype)
    return array.copy() if own and np.may_share_memory(array, value) else array


class Unique(Stage):
    """Each value once, where it first comes. Values of server tensors are read."""

    __slots__ = ("_input", "_seen")

    def __init__(self, source: Stage) -> None:
        self._input = source
        self._seen: set[Any] = set()

    def next(self) -> Any:
        while True:
            element = self._input.next()
            array = np.asarray(element if type(element) is np.ndarray else element._read())
            key = (array.shape, array.tobytes())
            if key not in self._seen:
                self._seen.add(key)
                return element
