"""Kernels of the parts of matrices: a loop over diagonals, each of them one strided view."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from protocol.attrs import Ints
from protocol.ops.matrix_parts import Band, band_of, matrix_dims
from server.kernels.registry import kernel


class Line(NamedTuple):
    """Where a diagonal is: its row among the stored ones, its elements within that row, and its place in the matrix."""

    row: int
    elements: slice
    k: int
    length: int


def _lines(band: Band, rows: int, columns: int, align: str) -> Iterator[Line]:
    """The diagonals of `band`, from the highest, as they are stored: `align` says to which side shorter ones go."""
    longest = band.longest(rows, columns) or 0
    above, _, below = align.partition("_")
    for row, k in enumerate(range(band.upper, band.lower - 1, -1)):
        length = max(min(rows + min(k, 0), columns - max(k, 0)), 0)
        start = longest - length if (above if k > 0 else below) == "RIGHT" else 0
        yield Line(row, slice(start, start + length), k, length)


def _stored(diagonal: Any, band: Band) -> Any:
    """The diagonals with an axis for the band, also where it is a single one."""
    return diagonal if band.height > 1 else diagonal[..., None, :]


def _write(matrix: Any, diagonal: Any, band: Band, align: str) -> Any:
    """Put the diagonals into `matrix`, which must be fresh and contiguous."""
    if matrix.size and diagonal.size:
        rows, columns = matrix.shape[-2:]
        flat = matrix.reshape(-1, rows * columns)
        stored = _stored(diagonal, band)
        stored = stored.reshape(-1, *stored.shape[-2:])
        for row, elements, k, length in _lines(band, rows, columns, align):
            start = max(k, -k * columns)
            stop = start + length * (columns + 1)
            flat[:, start : stop : columns + 1][:, :length] = stored[:, row, elements]
    return matrix


def _padding(padding_value: tuple[Any, ...]) -> Any:
    return padding_value[0] if padding_value else 0


def _matrix_diag(
    xp: Any,
    diagonal: Any,
    *padding_value: Any,
    k: int | Ints = 0,
    num_rows: int = -1,
    num_cols: int = -1,
    align: str = "RIGHT_LEFT",
) -> Any:
    band = band_of(k)
    rows, columns = matrix_dims(diagonal.shape[-1], band, num_rows, num_cols)
    batch = diagonal.shape[:-1] if band.height == 1 else diagonal.shape[:-2]
    matrix = xp.empty((*batch, rows, columns), diagonal.dtype)
    matrix[...] = _padding(padding_value)
    return _write(matrix, diagonal, band, align)


def _matrix_diag_part(xp: Any, input: Any, *padding_value: Any, k: int | Ints = 0, align: str = "RIGHT_LEFT") -> Any:
    band = band_of(k)
    rows, columns = input.shape[-2:]
    if band.height == 1:
        return xp.diagonal(input, band.lower, -2, -1)
    stored = xp.empty((*input.shape[:-2], band.height, band.longest(rows, columns)), input.dtype)
    stored[...] = _padding(padding_value)
    for row, elements, k, _ in _lines(band, rows, columns, align):
        stored[..., row, elements] = xp.diagonal(input, k, -2, -1)
    return stored


def _matrix_set_diag(xp: Any, input: Any, diagonal: Any, *, k: int | Ints = 0, align: str = "RIGHT_LEFT") -> Any:
    return _write(xp.array(input, order="C"), diagonal, band_of(k), align)


def _tensor_diag(xp: Any, diagonal: Any) -> Any:
    matrix = xp.zeros((diagonal.size, diagonal.size), diagonal.dtype)
    matrix.reshape(-1)[:: diagonal.size + 1] = diagonal.reshape(-1)
    return matrix.reshape(diagonal.shape * 2)


def _tensor_diag_part(xp: Any, input: Any) -> Any:
    shape = input.shape[: input.ndim // 2]
    size = math.prod(shape)
    return xp.diagonal(input.reshape(size, size)).reshape(shape)


def _band_part(xp: Any, input: Any, *, num_lower: int, num_upper: int) -> Any:
    below = input if num_upper < 0 else xp.tril(input, num_upper)
    return below if num_lower < 0 else xp.triu(below, -num_lower)


def _matrix_transpose(xp: Any, a: Any, *, conjugate: bool = False) -> Any:
    return xp.swapaxes(xp.conj(a) if conjugate and a.dtype.kind == "c" else a, -1, -2)


kernel("matrix_diag", _matrix_diag)
kernel("matrix_diag_part", _matrix_diag_part)
kernel("matrix_set_diag", _matrix_set_diag)
kernel("tensor_diag", _tensor_diag)
kernel("tensor_diag_part", _tensor_diag_part)
kernel("band_part", _band_part)
kernel("matrix_transpose", _matrix_transpose)
