"""Sliding windows without padded copies: for each tap of a window, which outputs read which inputs.

Owns: `Axis` and `taps`. Convolution and pooling build on it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from protocol.attrs import Ints
from protocol.windows import Padding, extent, output_dim, pad_amounts, per_axis


class Axis(NamedTuple):
    """One axis of a window over an array."""

    dim: int
    out: int
    size: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def span(self) -> int:
        return extent(self.size, self.dilation)

    @property
    def padded(self) -> int:
        return self.dim + self.before + self.after

    def taps(self) -> Iterator[tuple[int, slice, slice]]:
        """(tap, outputs, inputs): at this tap these outputs read these inputs. Taps with none are left out."""
        first = max(-(-(self.before - (self.out - 1) * self.stride) // self.dilation), 0)
        last = min((self.before + self.dim - 1) // self.dilation, self.size - 1)
        tap = first
        while tap <= last:
            shift = tap * self.dilation - self.before
            low = max(-(shift // self.stride), 0)
            high = min((self.dim - 1 - shift) // self.stride + 1, self.out)
            begin = low * self.stride + shift
            if low < high:
                end = (high - 1) * self.stride + shift + 1
                yield tap, slice(low, high), slice(begin, end, self.stride)
            elif low == 0:
                return
            # Padding can be far longer than the axis: on to the tap at which an output before that one meets it.
            gap = self.stride - begin if low >= high else 0
            tap += max(-(-gap // self.dilation), 1)


@lru_cache(4096)
def axes_of(
    dims: Ints, sizes: Ints, strides: Ints, padding: Padding, dilations: Ints | None = None
) -> tuple[Axis, ...]:
    """The axes of a window over an array of `dims`."""
    found = []
    for dim, size, stride, dilation, pad in zip(
        dims, sizes, strides, dilations or (1,) * len(dims), per_axis(padding, len(dims)), strict=True
    ):
        out = output_dim(dim, size, stride, dilation, pad)
        assert out is not None
        found.append(Axis(dim, out, size, stride, dilation, *pad_amounts(dim, size, stride, dilation, pad)))
    return tuple(found)


def taps(axes: Sequence[Axis]) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...], tuple[slice, ...]]]:
    """`Axis.taps` over several axes, in row-major order."""
    for combined in itertools.product(*(tuple(a.taps()) for a in axes)):
        index, outputs, inputs = zip(*combined, strict=True)
        yield index, outputs, inputs
