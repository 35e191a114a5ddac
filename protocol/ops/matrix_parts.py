"""Parts of matrices, moved without arithmetic: diagonals (taken, set, made into matrices), bands, transposition."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from protocol.attrs import Ints, Unknown
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import op
from protocol.spec import Dim, Shape, Spec, format_shape, merge_shapes

Align: TypeAlias = Literal["RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT"]
Diagonals: TypeAlias = int | Ints | Unknown


class Band(NamedTuple):
    """The diagonals from `lower` to `upper`; 0 is the main one, above it is positive."""

    lower: int
    upper: int

    @property
    def height(self) -> int:
        return self.upper - self.lower + 1

    def longest(self, rows: Dim, columns: Dim) -> Dim:
        """The length of the longest diagonal of a matrix within the band."""
        if rows is None or columns is None:
            return None
        return max(min(rows + min(self.upper, 0), columns - max(self.lower, 0)), 0)


def band_of(k: int | Ints) -> Band:
    """The band that `k` names: one diagonal, or the lowest and the highest."""
    listed = (k,) if isinstance(k, int) else k
    if len(listed) not in (1, 2):
        raise InvalidArgumentError(f"diag_index must have only one or two elements, received {len(listed)} elements.")
    lower, upper = listed[0], listed[-1]
    if lower > upper:
        raise InvalidArgumentError(f"lower_diag_index must not be larger than upper_diag_index: {lower} > {upper}")
    return Band(lower, upper)


def names_one(k: Unknown) -> bool:
    """Whether a `k` of unknown value can only name one diagonal."""
    return k.spec.shape in ((), (1,))


def _at_least(shape: Shape, rank: int, name: str) -> None:
    if shape is not None and len(shape) < rank:
        raise InvalidArgumentError(f"{name} must be at least {rank}-dim, received shape: {format_shape(shape)}")


def _check_band(band: Band, rows: Dim, columns: Dim) -> None:
    """Raise when a diagonal of `band` lies outside the matrix. The main one never does: empty matrices have it too."""
    if rows is None or columns is None:
        return
    for name, k in zip(("lower_diag_index", "upper_diag_index"), band, strict=True):
        if k != 0 and not -rows < k < columns:
            raise InvalidArgumentError(f"{name} is out of bound: {k}. It must be between {-rows} and {columns}")


def _matrix_diag(
    diagonal: Spec,
    *padding_value: Spec,
    k: Diagonals = 0,
    num_rows: int | Unknown = -1,
    num_cols: int | Unknown = -1,
    align: Align = "RIGHT_LEFT",
) -> Spec:
    if len(padding_value) > 1 or any(p.shape not in ((), None) for p in padding_value):
        raise InvalidArgumentError("padding_value must be a scalar")
    _at_least(diagonal.shape, 1, "diagonal")
    if diagonal.shape is None:
        return Spec(diagonal.dtype, None)
    if isinstance(k, Unknown):
        return Spec(diagonal.dtype, (*diagonal.shape[:-1], None, None) if names_one(k) else None)
    band = band_of(k)
    batch = diagonal.shape[:-1]
    if band.height > 1:
        if not batch or batch[-1] not in (band.height, None):
            raise InvalidArgumentError(
                "The number of diagonals provided in the input does not match the lower_diag_index and "
                "upper_diag_index range."
            )
        batch = batch[:-1]
    return Spec(diagonal.dtype, (*batch, *matrix_dims(diagonal.shape[-1], band, num_rows, num_cols)))


def matrix_dims(longest: Dim, band: Band, num_rows: int | Unknown, num_cols: int | Unknown) -> tuple[Dim, Dim]:
    """Rows and columns of the matrix around diagonals, the longest of `longest` elements; -1 is "as few as fit"."""
    if longest is None or isinstance(num_rows, Unknown) or isinstance(num_cols, Unknown):
        given = (num_rows, num_cols)
        rows, columns = (d if isinstance(d, int) and d >= 0 else None for d in given)
        return rows, columns
    fewest = longest - min(band.upper, 0), longest + max(band.lower, 0)
    if num_rows == num_cols == -1:
        return max(fewest), max(fewest)
    rows, columns = (least if n == -1 else n for n, least in zip((num_rows, num_cols), fewest, strict=True))
    for name, dim, least in zip(("rows", "columns"), (rows, columns), fewest, strict=True):
        if dim < least:
            raise InvalidArgumentError(f"The number of {name} is too small.")
    if rows != fewest[0] and columns != fewest[1]:
        raise InvalidArgumentError(
            "The number of rows or columns is not consistent with the specified d_lower, d_upper, and diagonal."
        )
    return rows, columns


op("matrix_diag", "diagonal *padding_value", infer=_matrix_diag, doc="Matrices with the given diagonals.")


def _matrix_diag_part(
    input: Spec,
    *padding_value: Spec,
    k: Diagonals = 0,
    align: Align = "RIGHT_LEFT",
) -> Spec:
    if len(padding_value) > 1 or any(p.shape not in ((), None) for p in padding_value):
        raise InvalidArgumentError("padding_value must be a scalar")
    _at_least(input.shape, 2, "input")
    if input.shape is None:
        return Spec(input.dtype, None)
    if isinstance(k, Unknown):
        return Spec(input.dtype, (*input.shape[:-2], None) if names_one(k) else None)
    band = band_of(k)
    _check_band(band, *input.shape[-2:])
    return Spec(input.dtype, input.shape[:-2] + _diagonal_dims(band, *input.shape[-2:]))


def _diagonal_dims(band: Band, rows: Dim, columns: Dim) -> tuple[Dim, ...]:
    longest = band.longest(rows, columns)
    return (longest,) if band.height == 1 else (band.height, longest)


op("matrix_diag_part", "input *padding_value", infer=_matrix_diag_part, doc="Diagonals of matrices.")


def _matrix_set_diag(
    input: Spec,
    diagonal: Spec,
    *,
    k: Diagonals = 0,
    align: Align = "RIGHT_LEFT",
) -> Spec:
    _at_least(input.shape, 2, "input")
    _at_least(diagonal.shape, 1, "diagonal")
    if input.shape is None or isinstance(k, Unknown):
        return input
    band = band_of(k)
    _check_band(band, *input.shape[-2:])
    expected = input.shape[:-2] + _diagonal_dims(band, *input.shape[-2:])
    try:
        merge_shapes(diagonal.shape, expected)
    except InvalidArgumentError:
        raise InvalidArgumentError(
            "Either first dimensions of diagonal don't match input.shape[:-2], or diagonal.shape[:-1] is not equal to "
            "the longests diagonal in range [lower_diag_index:upper_diag_index]. "
            f"Input shape: {format_shape(input.shape)} Diagonal shape: {format_shape(diagonal.shape)} "
            f"Expected diagonal shape: {format_shape(expected)}"
        ) from None
    return input


op("matrix_set_diag", "input diagonal", infer=_matrix_set_diag, doc="Matrices with some diagonals replaced.")


def _tensor_diag(diagonal: Spec) -> Spec:
    _at_least(diagonal.shape, 1, "Input")
    return Spec(diagonal.dtype, None if diagonal.shape is None else diagonal.shape * 2)


op(
    "tensor_diag",
    "diagonal",
    infer=_tensor_diag,
    public="linalg.tensor_diag",
    doc="A tensor of shape `diagonal.shape + diagonal.shape` with `diagonal` on its main diagonal and zeros elsewhere.",
)


def _tensor_diag_part(input: Spec) -> Spec:
    if input.shape is None:
        return input
    half, odd = divmod(len(input.shape), 2)
    if odd:
        shape = format_shape(input.shape)
        raise InvalidArgumentError(f"The rank of the tensor should be even and positive, got shape {shape}")
    for i in range(half):
        a, b = input.shape[i], input.shape[i + half]
        if a is not None and b is not None and a != b:
            shape = format_shape(input.shape)
            raise InvalidArgumentError(f"Invalid shape {shape}: dimensions {i} and {i + half} do not match.")
    return Spec(input.dtype, merge_shapes(input.shape[:half], input.shape[half:]))


op(
    "tensor_diag_part",
    "input",
    infer=_tensor_diag_part,
    public="linalg.tensor_diag_part",
    doc="The diagonal of a tensor of shape `s + s`: `result[i, ...] = input[i, ..., i, ...]`.",
)


def _band_part(input: Spec, *, num_lower: int | Unknown, num_upper: int | Unknown) -> Spec:
    _at_least(input.shape, 2, "input")
    if input.shape is not None:
        sides = (("num_lower", num_lower, "rows"), ("num_upper", num_upper, "columns"))
        for (name, number, what), dim in zip(sides, input.shape[-2:], strict=True):
            if isinstance(number, int) and dim is not None and number > dim:
                text = f"{name} must be negative or less or equal to number of {what} ({dim}) got: {number}"
                raise InvalidArgumentError(text)
    return input


op(
    "band_part",
    "input",
    infer=_band_part,
    public="linalg.band_part",
    doc="Matrices with zeros outside a band: at most `num_lower` diagonals below the main one and `num_upper` above it "
    "are kept; a negative number keeps all.",
)


def _matrix_transpose(a: Spec, *, conjugate: bool = False) -> Spec:
    if a.shape is None:
        return a
    if len(a.shape) < 2:
        raise ValueError(f"Argument `a` should be a (batch) matrix with rank >= 2. Its shape is {a.shape}")
    return Spec(a.dtype, (*a.shape[:-2], a.shape[-1], a.shape[-2]))


op("matrix_transpose", "a", infer=_matrix_transpose, doc="The last two axes swapped.")
