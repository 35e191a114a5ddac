"""Batches of elements that differ in shape.

Owns: the checks of `padded_batch`'s arguments, and `Padding`, which puts such elements together. Does not know where
they come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from client.convert import convert_to_tensor
from client.data.structure import (
    DatasetSpec,
    components,
    dtype_of,
    map_components,
    numbered,
    on_host,
    shape_of,
    tensor,
)
from client.dispatch import call
from client.shape import TensorShape
from client.tensor import Operand
from client.tensor_spec import TensorSpec
from protocol.errors import DataLossError

Dims = tuple[int | None, ...]


class Padding:
    """Puts elements side by side, each component padded at its ends to a shape of its own.

    Args:
        spec: the elements' spec.
        shapes: `padded_shapes`; None: every dim as long as the longest in the batch.
        values: `padding_values`; None: zeros.
        certain: whether the dims in `spec` hold for every element.

    Raises:
        ValueError, TypeError: shapes or values that do not fit the spec.
    """

    def __init__(self, spec: Any, shapes: Any, values: Any, certain: bool = True) -> None:
        parts = components(spec)
        for part in parts:
            if isinstance(part, DatasetSpec):
                raise TypeError("`padded_batch` is not supported for datasets of datasets")
        given = [None] * len(parts) if shapes is None else _along(spec, shapes)
        self._shapes = [_shape(i, s, part) for i, (s, part) in enumerate(zip(given, parts, strict=True))]
        if shapes is None and not certain:
            self._shapes = [(None,) * len(s) for s in self._shapes]
        fill = [None] * len(parts) if values is None else _along(spec, values, spread=True)
        self._values = [_value(v, part) for v, part in zip(fill, parts, strict=True)]
        self._form = numbered(spec)
        self.spec = map_components(lambda i: TensorSpec([None, *self._shapes[i]], parts[i].dtype), self._form)

    def spec_of(self, size: int | None) -> Any:
        """The spec of the batches."""
        return map_components(lambda s: TensorSpec([size, *s.shape.dims[1:]], s.dtype), self.spec)

    def __call__(self, elements: Sequence[Any]) -> Any:
        columns = list(zip(*map(components, elements), strict=True))
        found = [self._padded(c, s, v) for c, s, v in zip(columns, self._shapes, self._values, strict=True)]
        return map_components(found.__getitem__, self._form)

    def _padded(self, column: Sequence[Any], shape: Dims, value: np.ndarray[Any, Any]) -> Any:
        shapes = [shape_of(v) if None not in (shape_of(v) or (None,)) else tuple(v.shape) for v in column]
        dims = tuple([max(s[i] for s in shapes) if d is None else d for i, d in enumerate(shape)])
        if any(n > d for s in shapes for n, d in zip(s, dims, strict=True)):
            raise DataLossError("Attempted to pad to a smaller size than the input element.")
        known = [on_host(v) for v in column]
        if any(v is None for v in known):
            return call("stack", *[_pad_remote(v, s, dims, value) for v, s in zip(column, shapes, strict=True)], axis=0)
        batch = np.full((len(column), *dims), value, dtype_of(column[0]).numpy)
        for i, array in enumerate(known):
            assert array is not None
            ends: Any = (i, *[slice(n) for n in array.shape])
            batch[ends] = array
        return batch


def _pad_remote(value: Any, shape: Dims, dims: Dims, fill: np.ndarray[Any, Any]) -> Any:
    from client.ops.joining import pad

    given = tensor(value)
    if shape == dims:
        return given
    ends = [[0, (d or 0) - (n or 0)] for d, n in zip(dims, shape, strict=True)]
    return pad(given, ends, constant_values=fill[()])


def _along(spec: Any, given: Any, spread: bool = False) -> list[Any]:
    """What stands beside each component; a list there is a shape, not structure."""
    if not isinstance(spec, tuple | Mapping):
        return [given]
    if spread and not isinstance(given, tuple | list | Mapping):
        return [given] * len(components(spec))
    if isinstance(spec, Mapping):
        if not isinstance(given, Mapping) or set(given) != set(spec):
            raise ValueError(f"expected the keys {sorted(spec)}, got {given!r}")
        return [v for key in sorted(spec) for v in _along(spec[key], given[key], spread)]
    if not isinstance(given, tuple | list) or len(given) != len(spec):
        raise ValueError(f"expected {len(spec)} components, got {given!r}")
    return [v for part, own in zip(spec, given, strict=True) for v in _along(part, own, spread)]


def _shape(position: int, given: Any, part: TensorSpec) -> Dims:
    if given is None:
        if part.shape.dims is None:
            raise ValueError(
                f"You must provide `padded_shapes` argument because component {position} has unknown rank."
            )
        return tuple(part.shape.dims)
    if isinstance(given, Operand):
        given = given.numpy().tolist()
    listed = given.as_list() if isinstance(given, TensorShape) else [given] if isinstance(given, int) else list(given)
    dims = tuple([None if d is None or int(d) < 0 else int(d) for d in listed])
    own = part.shape.dims
    if own is not None and (
        len(own) != len(dims) or any(n is not None and d is not None and n > d for n, d in zip(own, dims, strict=True))
    ):
        raise ValueError(
            f"The padded shape {dims} is not compatible with the shape {tuple(own)} of the corresponding input "
            "component."
        )
    return dims


def _value(given: Any, part: TensorSpec) -> np.ndarray[Any, Any]:
    if given is None:
        return np.zeros((), part.dtype.numpy)
    value = convert_to_tensor(given, dtype_hint=part.dtype)
    if value._spec.shape != ():
        raise ValueError(f"Invalid `padding_values`. `padding_values` values should be scalars, but got {value.shape}.")
    if value.dtype is not part.dtype:
        raise TypeError(
            f"Invalid `padding_values`. `padding_values` values type {value.dtype} does not match type {part.dtype} of "
            "the corresponding input component."
        )
    found: np.ndarray[Any, Any] = np.asarray(value.numpy())
    return found
