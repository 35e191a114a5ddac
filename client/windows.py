"""TensorFlow's ways to say strides, windows, padding and data formats, as attributes of convolution and pooling ops.

Owns: reading these arguments. Does not know tensors.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Final

from protocol.attrs import Ints
from protocol.errors import InvalidArgumentError, UnimplementedError
from protocol.windows import Padding

FORMATS: Final = {1: ("NWC", "NCW"), 2: ("NHWC", "NCHW"), 3: ("NDHWC", "NCDHW")}


def channels_first(data_format: str | None, spatial: int) -> bool:
    """Whether `data_format` (None is channels last) says that channels come before the spatial axes.

    Raises:
        InvalidArgumentError: no format of that many spatial axes.
    """
    allowed = FORMATS[spatial]
    if data_format is not None and data_format not in allowed:
        listed = ", ".join(f'"{f}"' for f in allowed)
        raise InvalidArgumentError(
            f"Value for attr 'data_format' of \"{data_format}\" is not in the list of allowed values: {listed}"
        )
    return data_format == allowed[1]


def integers(value: Any) -> Ints:
    """One integer, or several, as a tuple."""
    return tuple(map(operator.index, value)) if isinstance(value, Sequence) else (operator.index(value),)


def spatial_values(value: Any, spatial: int, first: bool, name: str) -> Ints:
    """`value` for each spatial axis: one for all, one each, or one for each axis of the tensor. None is 1.

    Raises:
        ValueError: another number of values.
        UnimplementedError: the batch or channel axis would be other than 1.
    """
    given = (1,) if value is None else integers(value)
    if len(given) == spatial + 2:
        batch, *rest = given
        channel = rest.pop(0 if first else -1)
        if (batch, channel) != (1, 1):
            raise UnimplementedError(
                f"Current implementation does not yet support {name} in the batch and depth dimensions."
            )
        return tuple(rest)
    if len(given) == 1:
        return given * spatial
    if len(given) != spatial:
        raise _length_error(name, value, spatial)
    return given


def all_values(value: Any, spatial: int, first: bool, name: str) -> Ints:
    """`value` for each axis of the tensor, 1 for batch and channels unless they are given too.

    Raises:
        ValueError: another number of values.
    """
    given = (1,) if value is None else integers(value)
    if len(given) == spatial + 2:
        return given
    if len(given) == 1:
        given *= spatial
    if len(given) != spatial:
        raise _length_error(name, value, spatial)
    return (1, 1, *given) if first else (1, *given, 1)


def _length_error(name: str, value: Any, spatial: int) -> ValueError:
    lengths = "1 or 3" if spatial == 1 else f"1, {spatial} or {spatial + 2}"
    return ValueError(f"{name} should be of length {lengths}. Received: {name}={value} of length {len(value)}")


def all_padding(padding: Any, spatial: int) -> Padding:
    """`padding` as the name "VALID" or "SAME", or as a pair for each axis of the tensor.

    Raises:
        InvalidArgumentError: another string.
        ValueError: another number of pairs.
    """
    if isinstance(padding, str):
        if padding not in ("VALID", "SAME"):
            raise InvalidArgumentError(
                f'Value for attr \'padding\' of "{padding}" is not in the list of allowed values: "SAME", "VALID"'
            )
        return padding  # type: ignore[return-value]
    if len(padding) != spatial + 2:
        raise ValueError(
            f"When padding is a list, it must be of size {spatial + 2}. "
            f"Received: padding={padding} of size {len(padding)}"
        )
    pairs = []
    for pair in padding:
        before, after = integers(pair)
        pairs.append((before, after))
    return tuple(pairs)


def spatial_padding(padding: Any, spatial: int, first: bool) -> Padding:
    """`all_padding` without the batch and channel axes.

    Raises:
        InvalidArgumentError: another string, or padding of the batch or channel axis.
        ValueError: another number of pairs.
    """
    found = all_padding(padding, spatial)
    if isinstance(found, str):
        return found
    batch, *rest = found
    channel = rest.pop(0 if first else -1)
    if (batch, channel) != ((0, 0), (0, 0)):
        raise InvalidArgumentError("Nonzero explicit padding in the batch or depth dimensions is not supported")
    return tuple(rest)
