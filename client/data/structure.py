"""Elements: nested tuples and dicts of components, which are host arrays, server tensors or datasets.

Owns: taking elements apart and putting them together, what becomes a component, what describes one, and handing an
element out as tensors. Lists are values here, not structure: `[1, 2]` is one component, as in TensorFlow. Does not know
where elements come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from client.api import public
from client.convert import convert_to_tensor, from_array, static_value
from client.shape import TensorShape
from client.tensor import Composite, Operand
from client.tensor_spec import TensorSpec
from protocol.conversion import to_array
from protocol.dtypes import BY_NUMPY
from protocol.errors import InvalidArgumentError


@public("data.DatasetSpec")
class DatasetSpec:
    """Describes a component that is itself a dataset, as `Dataset.window` makes them.

    Args:
        element_spec: the spec of its elements.
        dataset_shape: the shape of the tensor of datasets; always a scalar's.

    >>> import client as tf
    >>> tf.data.Dataset.range(4).window(2).element_spec
    DatasetSpec(TensorSpec(shape=(), dtype=tf.int64, name=None), TensorShape([]))
    """

    def __init__(self, element_spec: Any, dataset_shape: Any = ()) -> None:
        self.element_spec = element_spec
        self._dataset_shape = TensorShape(dataset_shape)

    @property
    def shape(self) -> TensorShape:
        """The shape of the tensor of datasets."""
        return self._dataset_shape

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatasetSpec) and self.element_spec == other.element_spec

    def __hash__(self) -> int:
        return hash(DatasetSpec)

    def __repr__(self) -> str:
        return f"DatasetSpec({self.element_spec!r}, {self._dataset_shape!r})"


class Nested:
    """What a component that is a dataset derives from."""

    __slots__ = ()

    @property
    def element_spec(self) -> Any:
        """The spec of its elements."""
        raise NotImplementedError


# --- structures ------------------------------------------------------------------------------------------------------


def is_structure(value: Any) -> bool:
    """Whether a value has components of its own."""
    return isinstance(value, tuple | Mapping)


def map_components(function: Callable[..., Any], structure: Any, *others: Any) -> Any:
    """`function` of each component, or of corresponding components of structures of one form."""
    kind: Any = type(structure)
    if kind is tuple:
        if not others:
            return tuple([map_components(function, v) for v in structure])
        return tuple([map_components(function, *parts) for parts in zip(structure, *others, strict=True)])
    if isinstance(structure, Mapping):
        items = {k: map_components(function, structure[k], *[o[k] for o in others]) for k in structure}
        return items if kind is dict or hasattr(structure, "default_factory") else kind(items)
    if isinstance(structure, tuple):
        return kind(*[map_components(function, *parts) for parts in zip(structure, *others, strict=True)])
    return function(structure, *others)


def components(structure: Any) -> list[Any]:
    """The components in order, dicts by sorted key."""
    return list(_components(structure))


def _components(structure: Any) -> Iterator[Any]:
    if isinstance(structure, tuple):
        for value in structure:
            yield from _components(value)
    elif isinstance(structure, Mapping):
        for key in sorted(structure):
            yield from _components(structure[key])
    else:
        yield structure


def numbered(structure: Any) -> Any:
    """The same form with the position of each component, as `components` orders them."""
    boxed = map_components(lambda _: [None], structure)
    positions = {id(box): i for i, box in enumerate(components(boxed))}
    return map_components(lambda box: positions[id(box)], boxed)


def matches(form: Any, value: Any) -> bool:
    """Whether `value` has the containers of `form`."""
    if isinstance(form, Mapping):
        return isinstance(value, Mapping) and set(form) == set(value) and all(matches(form[k], value[k]) for k in form)
    if isinstance(form, tuple):
        return isinstance(value, tuple) and len(form) == len(value) and all(map(matches, form, value))
    return not is_structure(value)


# --- components ------------------------------------------------------------------------------------------------------


def component(value: Any) -> Any:
    """A user's value as a component: an array that nobody else writes to where the value is known here, else a tensor.

    Raises:
        TypeError, ValueError: no tensor can be made of it.
    """
    if isinstance(value, Operand):
        tensor = convert_to_tensor(value)
        known = static_value(tensor)
        return tensor if known is None else known
    if isinstance(value, Nested):
        return value
    if isinstance(value, Composite) or (type(value) is list and any(isinstance(v, Operand) for v in _leaves(value))):
        return component(convert_to_tensor(value))
    array = to_array(value)
    # An array of somebody else's, or what `__array__` gave, may be written to later.
    return array.copy() if array is value or (array.ndim and hasattr(value, "__array__")) else array


def _leaves(value: list[Any]) -> Iterator[Any]:
    for item in value:
        if type(item) is list:
            yield from _leaves(item)
        else:
            yield item


def as_element(value: Any) -> Any:
    """A structure of users' values as an element."""
    return map_components(component, value)


def spec_of(value: Any) -> Any:
    """The spec of a component."""
    if type(value) is np.ndarray:
        return TensorSpec(value.shape, BY_NUMPY[value.dtype])
    return DatasetSpec(value.element_spec) if isinstance(value, Nested) else TensorSpec.from_tensor(value)


def shape_of(value: Any) -> Any:
    """The shape of a component as far as it is known: a tuple with None for open dims, or None."""
    return value.shape if type(value) is np.ndarray else value._spec.shape


def dtype_of(value: Any) -> Any:
    """The dtype of a component that is no dataset."""
    return BY_NUMPY[value.dtype] if type(value) is np.ndarray else value.dtype


def tensor(value: Any) -> Any:
    """A component as the user gets it. An array is sent from where it is; it must not change any more."""
    return from_array(value, copied=True) if type(value) is np.ndarray else value


def delivered(element: Any) -> Any:
    """An element as the user gets it: its host arrays are on their way to the server. Nothing waits."""
    kind = type(element)
    if kind is np.ndarray:
        return from_array(element, copied=True)
    if kind is tuple:
        return tuple([from_array(v, copied=True) if type(v) is np.ndarray else delivered(v) for v in element])
    return map_components(tensor, element)


def on_host(value: Any) -> np.ndarray[Any, Any] | None:
    """The value of a component where it is known here."""
    return value if type(value) is np.ndarray else static_value(value)


# --- specs -----------------------------------------------------------------------------------------------------------


def with_leading(spec: Any, size: int | None) -> Any:
    """The specs of batches of what `spec` describes.

    Raises:
        TypeError: a component is a dataset.
    """

    def batched(part: Any) -> TensorSpec:
        if isinstance(part, DatasetSpec):
            raise TypeError("Batching of datasets is not supported: batch their elements, as in `flat_map`")
        dims = part.shape.dims
        return TensorSpec(None if dims is None else [size, *dims], part.dtype)

    return map_components(batched, spec)


def common_spec(first: Any, second: Any) -> Any:
    """The narrowest spec of elements that either describes.

    Raises:
        TypeError: there is none.
    """

    def common(a: Any, b: Any) -> Any:
        if isinstance(a, DatasetSpec) and isinstance(b, DatasetSpec):
            return DatasetSpec(common_spec(a.element_spec, b.element_spec))
        found = a.most_specific_common_supertype([b]) if isinstance(a, TensorSpec) else None
        if found is None:
            raise TypeError(f"No common supertype of {a} and {b}.")
        return found

    if not matches(first, second):
        raise TypeError(f"No common supertype of {first} and {second}.")
    return map_components(common, first, second)


# --- putting elements together ---------------------------------------------------------------------------------------


def stacked(elements: Sequence[Any]) -> Any:
    """Elements side by side along a new first axis: on the host where all their values are known here.

    Positions (`client.data.rows`) are elements too: consecutive ones stay a range.

    Raises:
        tf.errors.InvalidArgumentError: components differ in shape.
    """
    first = elements[0]
    kind = type(first)
    if kind is int:
        return elements if type(elements) is range and elements.step == 1 else np.array(elements, np.int64)
    if kind is range:
        return np.stack([np.asarray(e, np.int64) for e in elements])
    if kind is tuple or isinstance(first, Mapping | tuple):
        columns = zip(*map(components, elements), strict=True)
        parts = [_stacked_component(column, i) for i, column in enumerate(columns)]
        return map_components(lambda i: parts[i], numbered(first))
    return _stacked_component(elements, 0)


def _stacked_component(values: Sequence[Any], position: int) -> Any:
    if isinstance(values[0], Nested):
        raise TypeError("Batching of datasets is not supported: batch their elements, as in `flat_map`")
    shape = shape_of(values[0])
    for i, value in enumerate(values):
        other = shape_of(value)
        if other != shape and not TensorShape(other).is_compatible_with(shape):
            raise InvalidArgumentError(
                f"Cannot batch tensors with different shapes in component {position}. "
                f"First element had shape {_dims(shape)} and element {i} had shape {_dims(other)}."
            )
    known = [on_host(v) for v in values]
    if all(v is not None for v in known):
        return np.stack(known)  # type: ignore[arg-type]
    from client.dispatch import call

    return call("stack", *[tensor(v) for v in values], axis=0)


def _dims(shape: Any) -> str:
    return str(list(shape)).replace(" ", "").replace("None", "?")


def parts_of(element: Any) -> Sequence[Any]:
    """The elements that lie side by side in `element`, along its first axis.

    Raises:
        tf.errors.InvalidArgumentError: a component is a scalar, or they differ in length.
    """
    if type(element) is range:
        return element
    if type(element) is np.ndarray and element.ndim:
        return [element[i, ...] for i in range(len(element))]
    lengths = set()
    for value in components(element):
        if shape_of(value) == ():
            raise InvalidArgumentError("Cannot unbatch an input with scalar components.")
        lengths.add(len(value))
    if len(lengths) != 1:
        raise InvalidArgumentError(
            f"Input tensors must have the same size in the first dimension, but have {sorted(lengths)}"
        )
    count = lengths.pop()
    columns = map_components(lambda v: _parts(v, count), element)
    return [map_components(lambda column, i=i: column[i], columns) for i in range(count)]


class _Column(list[Any]):
    """The parts of a component: no structure."""


def _parts(value: Any, count: int) -> _Column:
    if type(value) is np.ndarray:
        return _Column([value[i, ...] for i in range(count)])
    from client.dispatch import call

    return _Column(call("unstack", value, num=count, axis=0) if count else [])
