"""Order and membership: sorting, top-k, unique values, search in sorted sequences, counts of integers."""

from __future__ import annotations

from protocol import dtypes
from protocol.attrs import Unknown
from protocol.dtypes import DType
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import ALL, FLOATS, REAL, op
from protocol.spec import Dim, Spec, format_shape, merge_shapes

DIRECTIONS = ("ASCENDING", "DESCENDING")


def _check_type(name: str, dtype: DType, allowed: tuple[DType, ...]) -> None:
    if dtype not in allowed:
        raise InvalidArgumentError(f"{name} must be one of {', '.join(t.name for t in allowed)}, not {dtype.name}")


def _check_sort(values: Spec, axis: int | Unknown, direction: str) -> None:
    if direction not in DIRECTIONS:
        raise ValueError(
            f"Argument `direction` should be one of {', '.join(DIRECTIONS)}. Received: direction={direction}"
        )
    if isinstance(axis, Unknown):
        if axis.spec.rank:
            raise InvalidArgumentError(f"axis must be a scalar, got shape {format_shape(axis.spec.shape)}")
    elif values.shape is not None and not -len(values.shape) <= axis < len(values.shape):
        rank = len(values.shape)
        raise InvalidArgumentError(f"axis {axis} is out of bounds [{-rank}, {rank}) for the shape {list(values.shape)}")


def _sort(values: Spec, *, axis: int | Unknown = -1, direction: str = "ASCENDING") -> Spec:
    _check_sort(values, axis, direction)
    return values


def _argsort(values: Spec, *, axis: int | Unknown = -1, direction: str = "ASCENDING", stable: bool = False) -> Spec:
    _check_sort(values, axis, direction)
    return Spec(dtypes.int32, values.shape)


def _top_k(
    input: Spec, *, k: int | Unknown = 1, sorted: bool = True, index_type: DType = dtypes.int32
) -> tuple[Spec, Spec]:
    _check_type("index_type", index_type, (dtypes.int16, dtypes.int32, dtypes.int64))
    columns = _columns(k)
    if input.shape is None:
        return Spec(input.dtype, None), Spec(index_type, None)
    if not input.shape:
        raise InvalidArgumentError("input must be >= 1-D, got shape []")
    if columns is not None and input.shape[-1] is not None and input.shape[-1] < columns:
        raise InvalidArgumentError(f"input must have at least k columns. Had {input.shape[-1]}, needed {columns}")
    shape = (*input.shape[:-1], columns)
    return Spec(input.dtype, shape), Spec(index_type, shape)


def _columns(k: int | Unknown) -> Dim:
    if isinstance(k, Unknown):
        if k.spec.rank:
            raise InvalidArgumentError(f"k must be scalar, got shape {format_shape(k.spec.shape)}")
        return None
    if k < 0:
        raise InvalidArgumentError(f"Need k >= 0, got {k}")
    return k


def _in_top_k(targets: Spec, predictions: Spec, *, k: int | Unknown) -> Spec:
    if targets.rank not in (None, 1):
        raise InvalidArgumentError("targets must be 1-dimensional")
    if predictions.rank not in (None, 2):
        raise InvalidArgumentError("predictions must be 2-dimensional")
    length: Dim = targets.shape[0] if targets.shape else None
    rows: Dim = predictions.shape[0] if predictions.shape else None
    if length is not None and rows is not None and length != rows:
        raise InvalidArgumentError(f"First dimension of predictions {rows} must match length of targets {length}")
    return Spec(dtypes.bool_, (rows if length is None else length,))


def _unique_with_counts(x: Spec, *, out_idx: DType = dtypes.int32) -> tuple[Spec, Spec, Spec]:
    _check_type("out_idx", out_idx, (dtypes.int32, dtypes.int64))
    if x.rank not in (None, 1):
        raise InvalidArgumentError("unique expects a 1D vector.")
    length: Dim = x.shape[0] if x.shape else None
    found: Dim = length if length in (0, 1) else None
    return Spec(x.dtype, (found,)), Spec(out_idx, (length,)), Spec(out_idx, (found,))


def _unique(x: Spec, *, out_idx: DType = dtypes.int32) -> tuple[Spec, Spec]:
    return _unique_with_counts(x, out_idx=out_idx)[:2]


def _searchsorted(sorted_sequence: Spec, values: Spec, *, side: str = "left", out_type: DType = dtypes.int32) -> Spec:
    if side not in ("left", "right"):
        raise ValueError(f"Argument `side` must be either 'right' or 'left'. Received: `side` = {side!r}.")
    _check_type("out_type", out_type, (dtypes.int32, dtypes.int64))
    rows, wanted = sorted_sequence.shape, values.shape
    if rows == () or wanted == ():
        raise InvalidArgumentError("sorted_sequence and values must be at least 1-dimensional")
    if rows is None or wanted is None:
        return Spec(out_type, wanted)
    if len(rows) == 1:
        return Spec(out_type, wanted)  # one sequence serves any batch of values
    try:
        lead = merge_shapes(rows[:-1], wanted[:-1])
    except InvalidArgumentError:
        raise InvalidArgumentError("Leading dim_size of both tensors must match.") from None
    return Spec(out_type, (*(lead or ()), wanted[-1]))


def _invert_permutation(x: Spec) -> Spec:
    if x.rank not in (None, 1):
        raise InvalidArgumentError("invert_permutation expects a 1D vector.")
    return Spec(x.dtype, x.shape or (None,))


def _bincount(
    arr: Spec,
    *weights: Spec,
    minlength: int | Unknown | None = None,
    maxlength: int | Unknown | None = None,
    dtype: DType = dtypes.int32,
    axis: int | None = None,
    binary_output: bool = False,
) -> Spec:
    if len(weights) > 1:
        raise TypeError(f"bincount takes at most one tensor of weights, not {len(weights)}")
    if axis not in (None, 0, -1):
        raise ValueError(f"Unsupported value for argument axis={axis}. Only 0 and -1 are currently supported.")
    if weights and binary_output:
        raise ValueError("Arguments `binary_output` and `weights` are mutually exclusive. Please specify only one.")
    if isinstance(maxlength, int) and maxlength < 0:
        raise InvalidArgumentError(f"size ({maxlength}) must be non-negative")
    for weight in weights:
        _check_weights(arr, weight)
    result = weights[0].dtype if weights else dtype
    length = _bins(arr, minlength, maxlength)
    if axis != -1 or arr.rank in (0, 1):
        return Spec(result, (length,))
    if arr.shape is None:
        return Spec(result, None)
    if len(arr.shape) > 2:
        raise InvalidArgumentError(f"Shape must be at most rank 2 but is rank {len(arr.shape)}")
    return Spec(result, (arr.shape[0], length))


def _check_weights(arr: Spec, weights: Spec) -> None:
    if weights.shape in (None, (0,), (None,)):
        return
    try:
        merge_shapes(arr.shape, weights.shape)
    except InvalidArgumentError:
        raise InvalidArgumentError(
            "`weights` must be the same shape as `arr` or a length-0 `Tensor`, in which case it acts as all weights "
            f"equal to 1. Received {format_shape(weights.shape)}"
        ) from None


def _bins(arr: Spec, minlength: int | Unknown | None, maxlength: int | Unknown | None) -> Dim:
    """The number of bins where it does not depend on `arr`'s values."""
    if isinstance(minlength, Unknown) or isinstance(maxlength, Unknown):
        return None
    if arr.shape is not None and 0 in arr.shape:
        least = max(minlength or 0, 0)
        return least if maxlength is None else min(least, maxlength)
    return maxlength if maxlength is not None and minlength is not None and minlength >= maxlength else None


op(
    "sort", "values", infer=_sort, types=REAL, public="sort",
    doc="`values` in order along `axis`. `direction` is \"ASCENDING\" (NaNs last) or \"DESCENDING\" (NaNs first).",
)  # fmt: skip
op(
    "argsort", "values", infer=_argsort, types=REAL, public="argsort",
    doc="The indices that sort `values` along `axis`, as int32. Equal elements keep their order in any case.",
)  # fmt: skip
op("top_k", "input", infer=_top_k, types=REAL)
op(
    "in_top_k", "targets:index predictions", infer=_in_top_k, types=FLOATS, public="math.in_top_k nn.in_top_k",
    doc="For each row, whether fewer than `k` predictions exceed that of the target. "
    "False where the target is no class or a prediction of the row is not finite.",
)  # fmt: skip
op("unique", "x", infer=_unique, types=ALL)
op("unique_with_counts", "x", infer=_unique_with_counts, types=ALL)
op(
    "searchsorted", "sorted_sequence values", infer=_searchsorted, types=REAL, public="searchsorted",
    doc="For each value, the index in the last axis of `sorted_sequence` before which inserting it keeps the order: "
    "before equal elements (`side=\"left\"`) or after them (\"right\"). "
    "Leading axes agree, or there is one sequence for all values.",
)  # fmt: skip
op(
    "invert_permutation", "x:index", infer=_invert_permutation, public="math.invert_permutation",
    doc="The inverse y of a permutation x of 0, 1, ..., n - 1: y[x[i]] = i.",
)  # fmt: skip
op("bincount", "arr:int *weights", infer=_bincount, types=REAL)
