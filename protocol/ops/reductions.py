"""Reductions over axes (sums, means, extremes, norms, counts, `argmax`) and scans (running sums and products)."""

from __future__ import annotations

from functools import lru_cache

from protocol import dtypes
from protocol.attrs import Axes, Ints, Unknown
from protocol.dtypes import DType
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import ALL, BOOL, FLOATS, FLOATS_COMPLEX, NUMERIC, REAL, op
from protocol.ops.rules import shape_from
from protocol.spec import Dim, Shape, Spec, broadcasts_to, element_count, format_shape

INDEX_TYPES = (dtypes.int16, dtypes.uint16, dtypes.int32, dtypes.int64)


@lru_cache(1024)
def reduction_axes(axis: int | tuple[int, ...] | None, rank: int) -> tuple[int, ...]:
    """The axes to reduce, counted from the front, ascending; `None` is all of them."""
    if axis is None:
        return tuple(range(rank))
    found: set[int] = set()
    for a in (axis,) if isinstance(axis, int) else axis:
        if not -rank <= a < rank:
            raise InvalidArgumentError(f"Invalid reduction dimension ({a} for input with {rank} dimension(s)")
        if a % rank in found:
            raise InvalidArgumentError(f"Invalid reduction arguments: Axes contains duplicate dimension: {a % rank}")
        found.add(a % rank)
    return tuple(sorted(found))


def reduced(shape: Shape, axis: Axes | Unknown, keepdims: bool | None) -> Shape:
    """The shape that is left of `shape` when `axis` is reduced."""
    if axis is None and not keepdims:
        return ()
    if shape is None:
        return None
    if isinstance(axis, Unknown):
        return _reduced_by_unknown(len(shape), axis.spec, keepdims)
    axes = reduction_axes(axis, len(shape))
    if keepdims:
        return tuple(1 if i in axes else d for i, d in enumerate(shape))
    return tuple(d for i, d in enumerate(shape) if i not in axes)


def _reduced_by_unknown(rank: int, axis: Spec, keepdims: bool | None) -> Shape:
    if keepdims:
        return (None,) * rank
    if not axis.is_static:
        return None
    count = element_count(axis.shape)  # duplicates are refused, so each element takes one axis away
    if count > rank:
        raise InvalidArgumentError(f"Invalid reduction arguments: {count} axes for input with {rank} dimension(s)")
    return (None,) * (rank - count)


def _reduce(input_tensor: Spec, *, axis: Axes | Unknown = None, keepdims: bool | None = False) -> Spec:
    return Spec(input_tensor.dtype, reduced(input_tensor.shape, axis, keepdims))


def _reduce_to_real(input_tensor: Spec, *, axis: Axes | Unknown = None, keepdims: bool | None = False) -> Spec:
    return Spec(input_tensor.dtype.real_dtype, reduced(input_tensor.shape, axis, keepdims))


def _count(
    input: Spec, *, axis: Axes | Unknown = None, keepdims: bool | None = None, dtype: DType = dtypes.int64
) -> Spec:
    return Spec(dtype, reduced(input.shape, axis, keepdims))


def _fraction(value: Spec) -> Spec:
    return Spec(dtypes.float32, ())


def _arg(input: Spec, *, axis: int | Unknown | None = None, output_type: DType = dtypes.int64) -> Spec:
    if output_type not in INDEX_TYPES:
        listed = ", ".join(t.name for t in INDEX_TYPES)
        raise InvalidArgumentError(f"output_type must be one of {listed}, not {output_type.name}")
    shape = input.shape
    if isinstance(axis, Unknown):
        if axis.spec.rank:
            raise InvalidArgumentError(f"dim must be a scalar, but received tensor of rank {axis.spec.rank}")
        return Spec(output_type, None if shape is None else (None,) * (len(shape) - 1))
    if shape is None:
        return Spec(output_type, None)
    at, rank = axis or 0, len(shape)
    if not -rank <= at < rank:
        raise InvalidArgumentError(f"Expected dimension in the range [{-rank}, {rank}), but got {at}")
    rest: tuple[Dim, ...] = shape[: at % rank] + shape[at % rank + 1 :]
    if shape[at] == 0:
        raise InvalidArgumentError(f"Reduction axis {at} is empty in shape {list(shape)}")
    return Spec(output_type, rest)


def _sum_to_shape(x: Spec, *, shape: Ints | Unknown) -> Spec:
    """The inverse of broadcasting: the sum over the axes along which a tensor of `shape` was repeated."""
    wanted = shape_from(shape)
    if not isinstance(shape, Unknown) and x.is_static and not broadcasts_to(wanted, x.shape):
        raise InvalidArgumentError(f"{format_shape(wanted)} does not broadcast to {format_shape(x.shape)}")
    return Spec(x.dtype, wanted)


def _scan(x: Spec, *, axis: int | Unknown = 0, exclusive: bool = False, reverse: bool = False) -> Spec:
    if isinstance(axis, Unknown):
        if axis.spec.rank:
            raise InvalidArgumentError(f"ScanOp: axis must be a scalar, not of rank {axis.spec.rank}")
    elif x.shape is not None and not -len(x.shape) <= axis < len(x.shape):
        rank = len(x.shape)
        raise InvalidArgumentError(f"ScanOp: Expected scan axis in the range [{-rank}, {rank}), but got {axis}")
    return x


for _name, _types, _prefixes, _doc in (
    ("reduce_sum", NUMERIC, " math.", "The sum over `axis` (all axes if None)."),
    ("reduce_prod", NUMERIC, " math.", "The product over `axis` (all axes if None)."),
    (
        "reduce_mean", NUMERIC, " math.",
        "The mean over `axis` (all axes if None). Integers are divided as integers, rounding toward zero.",
    ),
    (
        "reduce_max", REAL, " math.",
        "The maximum over `axis` (all axes if None). NaN if any element is; the lowest value (-inf) if there is none.",
    ),
    (
        "reduce_min", REAL, " math.",
        "The minimum over `axis` (all axes if None). NaN if any element is; the highest value (inf) if there is none.",
    ),
    ("reduce_any", BOOL, " math.", "Whether any element along `axis` (all axes if None) is true."),
    ("reduce_all", BOOL, " math.", "Whether all elements along `axis` (all axes if None) are true."),
    (
        "reduce_logsumexp", FLOATS, " math.",
        "log(sum(exp(x))) over `axis` (all axes if None), computed without overflow.",
    ),
    (
        "reduce_euclidean_norm", NUMERIC, "math.",
        "The Euclidean norm sqrt(sum(|x|^2)) over `axis` (all axes if None).",
    ),
):  # fmt: skip
    op(
        _name,
        "input_tensor",
        infer=_reduce,
        types=_types,
        public=" ".join(prefix + _name for prefix in _prefixes.split(" ")),
        doc=_doc,
    )

op(
    "reduce_variance", "input_tensor", infer=_reduce_to_real, types=FLOATS_COMPLEX, public="math.reduce_variance",
    doc="The variance mean(|x - mean(x)|^2) over `axis` (all axes if None); real for complex input.",
)  # fmt: skip
op(
    "reduce_std", "input_tensor", infer=_reduce_to_real, types=FLOATS_COMPLEX, public="math.reduce_std",
    doc="The standard deviation sqrt(mean(|x - mean(x)|^2)) over `axis` (all axes if None); real for complex input.",
)  # fmt: skip
op(
    "count_nonzero", "input", infer=_count, types=ALL, public="math.count_nonzero",
    doc="The number of elements along `axis` (all axes if None) that are not zero, as `dtype`.",
)  # fmt: skip
op(
    "zero_fraction", "value", infer=_fraction, types=ALL, public="nn.zero_fraction math.zero_fraction",
    doc="The fraction of the elements of `value` that are zero, as float32; NaN if there are no elements.",
)  # fmt: skip
op(
    "argmax", "input", infer=_arg, types=REAL + BOOL, public="argmax math.argmax",
    doc="The index of the largest element along `axis` (0 if None), the first one in a tie. NaNs are passed over.",
)  # fmt: skip
op(
    "argmin", "input", infer=_arg, types=REAL + BOOL, public="argmin math.argmin",
    doc="The index of the smallest element along `axis` (0 if None), the first one in a tie. NaNs are passed over.",
)  # fmt: skip
op(
    "cumsum", "x", infer=_scan, types=NUMERIC, public="cumsum math.cumsum",
    doc="Running sums along `axis`: [a, a + b, a + b + c]; `exclusive` gives [0, a, a + b], `reverse` goes backward.",
)  # fmt: skip
op(
    "cumprod", "x", infer=_scan, types=NUMERIC, public="math.cumprod",
    doc="Running products along `axis`: [a, a b, a b c]; `exclusive` gives [1, a, a b], `reverse` goes backward.",
)  # fmt: skip
op(
    "cumulative_logsumexp", "x", infer=_scan, types=FLOATS, public="math.cumulative_logsumexp",
    doc="log(cumsum(exp(x))) along `axis`, computed without overflow; with `exclusive` the first is -inf.",
)  # fmt: skip
op("sum_to_shape", "x", infer=_sum_to_shape, types=NUMERIC)
