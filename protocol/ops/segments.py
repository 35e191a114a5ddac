"""Reductions over groups of rows: the segments that sorted or unsorted ids name."""

from __future__ import annotations

from protocol import dtypes
from protocol.attrs import Unknown
from protocol.dtypes import DType
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import FLOATS, NUMERIC, REAL, op
from protocol.spec import Dim, Shape, Spec, format_shape


def _segment(data: Spec, segment_ids: Spec) -> Spec:
    if data.rank == 0:
        raise InvalidArgumentError("input must be at least rank 1")
    if segment_ids.rank not in (None, 1):
        raise InvalidArgumentError("segment_ids should be a vector.")
    rows: Dim = data.shape[0] if data.shape else None
    ids: Dim = segment_ids.shape[0] if segment_ids.shape else None
    if rows is not None and ids is not None and rows != ids:
        raise InvalidArgumentError("segment_ids should be the same size as dimension 0 of input.")
    if data.shape is None:
        return data
    return Spec(data.dtype, (0 if 0 in (rows, ids) else None, *data.shape[1:]))


def _unsorted_shape(data: Spec, segment_ids: Spec, num_segments: int | Unknown) -> Shape:
    rows, ids = data.shape, segment_ids.shape
    if isinstance(num_segments, Unknown):
        if num_segments.spec.rank:
            raise InvalidArgumentError(
                f"num_segments should be a scalar, not shape {format_shape(num_segments.spec.shape)}"
            )
    elif num_segments < 0:
        raise InvalidArgumentError(f"Input num_segments == {num_segments} must not be negative.")
    if rows is None or ids is None:
        return None
    fits = len(rows) >= len(ids) and all(a is None or b is None or a == b for a, b in zip(rows, ids, strict=False))
    if not fits:
        raise InvalidArgumentError(
            f"data.shape = {format_shape(rows)} does not start with segment_ids.shape = {format_shape(ids)}"
        )
    return (None if isinstance(num_segments, Unknown) else num_segments, *rows[len(ids) :])


def _unsorted(data: Spec, segment_ids: Spec, *, num_segments: int | Unknown) -> Spec:
    return Spec(data.dtype, _unsorted_shape(data, segment_ids, num_segments))


def _mean_dtype(dtype: DType) -> DType:
    """What TensorFlow's `/` gives: the dtype itself, but a float for integers."""
    if not dtype.is_integer:
        return dtype
    return dtypes.float32 if dtype.size < 4 else dtypes.float64


def _unsorted_mean(data: Spec, segment_ids: Spec, *, num_segments: int | Unknown) -> Spec:
    return Spec(_mean_dtype(data.dtype), _unsorted_shape(data, segment_ids, num_segments))


def _segment_rows(params: Spec, segment_ids: Spec) -> Spec:
    """The row of each id, zeros for a negative one: how a gradient passes through a reduction over segments."""
    if params.rank == 0:
        raise InvalidArgumentError("params must be at least 1 dimensional")
    if params.shape is None or segment_ids.shape is None:
        return Spec(params.dtype, None)
    return Spec(params.dtype, (*segment_ids.shape, *params.shape[1:]))


_SORTED_DOC = (
    "result[s] is {what} data[i] over all i with segment_ids[i] == s. `segment_ids` is a sorted vector, an id for each "
    "row of `data`; the result has a row for every id up to the last, {empty} where an id does not occur."
)
_UNSORTED_DOC = (
    "result[s] is {what} data[i] over all i with segment_ids[i] == s, {empty} if none is, for s < `num_segments`. "
    "`segment_ids`, in any order, has the leading axes of `data`; data with negative ids are dropped."
)

_SORTED: tuple[tuple[str, tuple[DType, ...], str, str], ...] = (
    ("sum", NUMERIC, "the sum of", "0"),
    ("mean", NUMERIC, "the mean of", "0"),
    ("max", REAL, "the maximum of", "0"),
    ("min", REAL, "the minimum of", "0"),
    ("prod", NUMERIC, "the product of", "1"),
)
_UNSORTED: tuple[tuple[str, tuple[DType, ...], str, str], ...] = (
    ("sum", NUMERIC, "the sum of", "0"),
    ("mean", NUMERIC, "the mean of", "0"),
    ("max", REAL, "the maximum of", "the dtype's lowest finite value"),
    ("min", REAL, "the minimum of", "the dtype's highest finite value"),
    ("prod", NUMERIC, "the product of", "1"),
    ("sqrt_n", FLOATS, "the sum, divided by the square root of their number, of", "0"),
)

for _name, _types, _what, _empty in _SORTED:
    op(
        f"segment_{_name}",
        "data segment_ids:index",
        infer=_segment,
        types=_types,
        public=f"math.segment_{_name}",
        doc=_SORTED_DOC.format(what=_what, empty=_empty),
    )

for _name, _types, _what, _empty in _UNSORTED:
    op(
        f"unsorted_segment_{_name}",
        "data segment_ids:int",
        infer=_unsorted_mean if _name == "mean" else _unsorted,
        types=_types,
        public=f"math.unsorted_segment_{_name}",
        doc=_UNSORTED_DOC.format(what=_what, empty=_empty),
    )

op("segment_rows", "params segment_ids:int", infer=_segment_rows, types=NUMERIC)
