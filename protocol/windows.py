"""The arithmetic of sliding windows, shared by convolution and pooling: output sizes, padding, checks of attributes.

Owns: `Padding`, and what one axis of a window does. Does not know tensors, channels or ops.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from protocol.attrs import Ints, Pairs
from protocol.errors import InvalidArgumentError
from protocol.spec import Dim

Padding: TypeAlias = Literal["VALID", "SAME"] | Pairs


def extent(size: int, dilation: int) -> int:
    """How many elements a window of `size` spans."""
    return (size - 1) * dilation + 1


def pad_amounts(dim: int, size: int, stride: int, dilation: int, padding: str | tuple[int, int]) -> tuple[int, int]:
    """The zeros before and after an axis of `dim` elements. SAME puts the odd one after, as TensorFlow does."""
    if padding == "VALID":
        return 0, 0
    if isinstance(padding, tuple):
        return padding
    total = max((-(-dim // stride) - 1) * stride + extent(size, dilation) - dim, 0)
    return total // 2, total - total // 2


def output_dim(dim: Dim, size: Dim, stride: int, dilation: int, padding: str | tuple[int, int]) -> Dim:
    """How many windows fit along an axis.

    Raises:
        InvalidArgumentError: the window is longer than the axis by more than a stride.
    """
    if dim is None:
        return None
    if padding == "SAME":
        return -(-dim // stride)
    if size is None:
        return None
    before, after = pad_amounts(dim, size, stride, dilation, padding)
    span = extent(size, dilation)
    room = dim + before + after - span + stride
    if room <= -stride:  # TensorFlow's division rounds towards zero, so a shortage of less than a stride gives 0
        raise InvalidArgumentError(
            f"Computed output size would be negative: {-(-room // stride)} "
            f"[input_size: {dim + before + after}, effective_filter_size: {span}, stride: {stride}]"
        )
    return max(room, 0) // stride


def per_axis(padding: Padding, count: int) -> tuple[str | tuple[int, int], ...]:
    """The padding of each of `count` axes.

    Raises:
        InvalidArgumentError: explicit padding of another number of axes, or negative.
    """
    if isinstance(padding, str):
        return (padding,) * count
    if len(padding) != count:
        raise InvalidArgumentError(f"explicit padding must be given for {count} dimensions, got {len(padding)}")
    if any(p < 0 for pair in padding for p in pair):
        raise InvalidArgumentError(f"All elements of explicit_paddings must be nonnegative, got {padding}")
    return padding


def check_positive(values: Ints, count: int, what: str) -> None:
    """Raise InvalidArgumentError unless there are `count` values and all are positive."""
    if len(values) != count:
        raise InvalidArgumentError(f"{what} must have {count} values, got {list(values)}")
    if any(v <= 0 for v in values):
        raise InvalidArgumentError(f"{what} must be > 0, but got {','.join(map(str, values))}")
