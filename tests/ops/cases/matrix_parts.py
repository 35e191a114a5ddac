"""Cases of `protocol/ops/matrix_parts.py`. The references go element by element."""

from itertools import product

import numpy as np

from protocol import dtypes
from tests.ops.case import array, case, layouts

ALIGNS = ("RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT")


def ends(k):
    return (k, k) if isinstance(k, int) else (k[0], k[-1])


def places(k, rows, columns, align):
    """(stored row, stored column, matrix row, matrix column) of each element of the diagonals."""
    lower, upper = ends(k)
    lengths = {d: max(min(rows, columns - d) if d >= 0 else min(rows + d, columns), 0) for d in range(lower, upper + 1)}
    longest = max(lengths.values())
    for d, length in lengths.items():
        side = align.split("_")[0 if d > 0 else 1]
        for n in range(length):
            yield upper - d, n + (longest - length if side == "RIGHT" else 0), n + max(-d, 0), n + max(d, 0)


def diag_part(input, padding=0, *, k=0, align="RIGHT_LEFT"):
    rows, columns = input.shape[-2:]
    lower, upper = ends(k)
    longest = max(min(rows + min(upper, 0), columns - max(lower, 0)), 0)
    found = np.full((*input.shape[:-2], upper - lower + 1, longest), padding, input.dtype)
    for i, j, row, column in places(k, rows, columns, align):
        found[..., i, j] = input[..., row, column]
    return found if lower != upper else found[..., 0, :]


def set_diag(input, diagonal, *, k=0, align="RIGHT_LEFT"):
    found = input.copy()
    stored = diagonal[..., None, :] if ends(k)[0] == ends(k)[1] else diagonal
    for i, j, row, column in places(k, *input.shape[-2:], align):
        found[..., row, column] = stored[..., i, j]
    return found


def diag(diagonal, padding=0, *, k=0, num_rows=-1, num_cols=-1, align="RIGHT_LEFT"):
    lower, upper = ends(k)
    batch = diagonal.shape[:-1] if lower == upper else diagonal.shape[:-2]
    fewest = diagonal.shape[-1] - min(upper, 0), diagonal.shape[-1] + max(lower, 0)
    if num_rows == num_cols == -1:
        num_rows = num_cols = max(fewest)
    shape = (fewest[0] if num_rows == -1 else num_rows, fewest[1] if num_cols == -1 else num_cols)
    return set_diag(np.full((*batch, *shape), padding, diagonal.dtype), diagonal, k=k, align=align)


def tensor_diag(diagonal):
    found = np.zeros(diagonal.shape * 2, diagonal.dtype)
    for index in np.ndindex(diagonal.shape):
        found[index * 2] = diagonal[index]
    return found


def tensor_diag_part(input):
    found = np.empty(input.shape[: input.ndim // 2], input.dtype)
    for index in np.ndindex(found.shape):
        found[index] = input[index * 2]
    return found


def band_part(input, num_lower, num_upper):
    found = np.zeros_like(input)
    for i, j in np.ndindex(input.shape[-2:]):
        if (num_lower < 0 or i - j <= num_lower) and (num_upper < 0 or j - i <= num_upper):
            found[..., i, j] = input[..., i, j]
    return found


def transpose(a, conjugate=False):
    return np.moveaxis(np.conj(a) if conjugate else a, -1, -2)


SPECIAL = np.array([[np.nan, 1, np.inf], [-np.inf, -0.0, np.nan]], "float32")

DIAG = [
    *(case("matrix_diag", array(2, 3, dtype=t), ref=diag, label=t.name) for t in dtypes.ALL),
    *(
        case("matrix_diag", array(*shape), np.float32(7), ref=diag, label=f"{shape}-{k}".replace(" ", ""), k=k)
        for shape, k in (
            ((3,), 1),
            ((3,), -2),
            ((3,), (1,)),
            ((2, 3), (2, 2)),
            ((2, 3), (0, 1)),
            ((2, 3), (-1, 0)),
            ((4, 2, 3), (-3, -2)),
            ((5, 3), (-2, 2)),
            ((0,), 0),
            ((0,), 2),
            ((0, 3), 1),
            ((2, 0), (0, 1)),
            ((1, 2, 1, 2, 3), 0),
        )
    ),
    *(
        case("matrix_diag", array(3, dtype="int32"), ref=diag, label=f"{k}-{rows}x{columns}", k=k, **dims)
        for k, rows, columns in ((0, 5, 3), (0, -1, 6), (1, 6, -1), (1, -1, 4), (-2, 5, 7), (7, 3, 10))
        for dims in ({"num_rows": rows, "num_cols": columns},)
    ),
    *(case("matrix_diag", array(2, 4, 3), ref=diag, label=a, k=(-2, 1), num_rows=4, align=a) for a in ALIGNS),
    case("matrix_diag", layouts(array(3, 4)), ref=diag, label="strided"),
    case("matrix_diag", SPECIAL, ref=diag, label="special", gradient=False),
    case("matrix_diag", [1 + 2j, 3j], 5 - 1j, ref=diag, label="complex-padding"),
]

DIAG_PART = [
    *(case("matrix_diag_part", array(2, 3, 4, dtype=t), ref=diag_part, label=t.name) for t in dtypes.ALL),
    *(
        case(
            "matrix_diag_part", array(*shape), np.float32(7), ref=diag_part, label=f"{shape}-{k}".replace(" ", ""), k=k
        )
        for shape, k in (
            ((3, 4), 1),
            ((3, 4), 3),
            ((3, 4), -2),
            ((3, 4), (-1,)),
            ((3, 4), (0, 0)),
            ((3, 4), (-1, 1)),
            ((5, 4), (-4, -2)),
            ((2, 3, 4), (2, 3)),
            ((2, 3, 4), (-2, 3)),
            ((0, 0), 0),
            ((3, 0), 0),
            ((0, 3), 1),
            ((0, 3, 4), (0, 1)),
            ((1, 2, 1, 2, 4, 3), (-1, 0)),
        )
    ),
    *(
        case("matrix_diag_part", array(*shape), ref=diag_part, label=f"{shape[-2:]}-{a}", k=(-2, 1), align=a)
        for shape, a in product(((2, 3, 5), (5, 3), (3, 3)), ALIGNS)
    ),
    case("matrix_diag_part", layouts(array(3, 4)), ref=diag_part, label="strided", k=(0, 1)),
    case("matrix_diag_part", SPECIAL, ref=diag_part, label="special", gradient=False),
]

SET_DIAG = [
    *(
        case("matrix_set_diag", array(2, 3, 4, dtype=t), array(2, 3, dtype=t), ref=set_diag, label=t.name)
        for t in dtypes.ALL
    ),
    *(
        case("matrix_set_diag", array(*a), array(*b), ref=set_diag, label=f"{a}-{k}".replace(" ", ""), k=k)
        for a, b, k in (
            ((3, 4), (3,), 1),
            ((3, 4), (2,), -1),
            ((3, 4), (1,), (3,)),
            ((3, 4), (3,), (0, 0)),
            ((2, 5, 3), (2, 2, 3), (-1, 0)),
            ((0, 0), (0,), 0),
            ((3, 0), (0,), 0),
            ((0, 3, 4), (0, 3), 0),
            ((1, 2, 1, 2, 3), (1, 2, 1, 2), 0),
        )
    ),
    *(
        case("matrix_set_diag", array(2, 3, 5), array(2, 4, 3), ref=set_diag, label=a, k=(-2, 1), align=a)
        for a in ALIGNS
    ),
    case("matrix_set_diag", layouts(array(3, 4)), layouts(array(3)), ref=set_diag, label="strided"),
    case("matrix_set_diag", SPECIAL, SPECIAL[:, 1], ref=set_diag, label="special", gradient=False),
]

TENSOR = [
    *(case("tensor_diag", array(2, 3, dtype=t), ref=tensor_diag, label=t.name) for t in dtypes.ALL),
    *(case("tensor_diag", array(*s), ref=tensor_diag, label=str(len(s))) for s in ((3,), (2, 1, 3), (2, 1, 2, 1, 2))),
    case("tensor_diag", array(3, 0), ref=tensor_diag, label="empty"),
    case("tensor_diag", layouts(array(3, 2)), ref=tensor_diag, label="strided"),
    *(case("tensor_diag_part", array(2, 3, 2, 3, dtype=t), ref=tensor_diag_part, label=t.name) for t in dtypes.ALL),
    *(
        case("tensor_diag_part", array(*s, *s), ref=tensor_diag_part, label=label)
        for label, s in (("scalar", ()), ("matrix", (3,)), ("deep", (2, 1, 2)), ("empty", (2, 0)))
    ),
    case("tensor_diag_part", layouts(array(2, 3, 2, 3)), ref=tensor_diag_part, label="strided"),
]

BAND = [
    *(
        case("band_part", array(3, 4, dtype=t), ref=band_part, label=t.name, num_lower=1, num_upper=0)
        for t in dtypes.ALL
    ),
    *(
        case("band_part", array(*s), ref=band_part, label=f"{s}-{i}-{j}".replace(" ", ""), num_lower=i, num_upper=j)
        for s, i, j in (
            ((3, 4), 0, 0),
            ((3, 4), -1, 0),
            ((3, 4), 0, -1),
            ((3, 4), -1, -1),
            ((4, 3), 4, 3),
            ((2, 4, 3), 1, 2),
            ((0, 2), 0, 0),
            ((2, 0), -1, 0),
            ((1, 2, 1, 2, 4, 3), 1, 1),
        )
    ),
    case("band_part", layouts(array(3, 4)), ref=band_part, label="strided", num_lower=0, num_upper=1),
    case("band_part", SPECIAL, ref=band_part, label="special", gradient=False, num_lower=0, num_upper=0),
]

TRANSPOSE = [
    *(case("matrix_transpose", array(2, 3, 4, dtype=t), ref=transpose, label=t.name) for t in dtypes.ALL),
    *(
        case("matrix_transpose", array(3, 4, dtype=t), ref=transpose, label=f"conjugate-{t}", conjugate=True)
        for t in ("float32", "int32", "complex64", "complex128")
    ),
    *(case("matrix_transpose", array(*s), ref=transpose, label=str(s)) for s in ((0, 3), (1, 2, 1, 2, 3))),
    case("matrix_transpose", layouts(array(3, 4)), ref=transpose, label="strided"),
]

CASES = [*DIAG, *DIAG_PART, *SET_DIAG, *TENSOR, *BAND, *TRANSPOSE]
