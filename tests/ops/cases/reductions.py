"""Cases of `protocol/ops/reductions.py`."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import scipy.special

from protocol import dtypes
from protocol.attrs import Axes
from protocol.ops import lookup
from tests.ops.case import Case, array, case, layouts

EXTREMES = np.array(
    [[np.nan, 1.0, 2.0], [np.inf, -np.inf, 0.0], [-np.inf, -np.inf, -np.inf], [-0.0, 3.0, np.inf]], "float32"
)


# Reductions of one element, whose deviation is 0.
OF_ONE = ("axis()-False", "axis()-True", "keepdims-None", "scalar", "scalar-keepdims", "one")


def reduction(op: str, ref: Callable[..., Any], loose: float = 1.0, kinks: tuple[str, ...] = ()) -> list[Case]:
    """Cases of a reduction: its dtypes, every form of `axis`, sizes, layouts and, for floats, NaN and infinities.

    `ref(x, axis, keepdims)` takes what NumPy takes. `kinks` names the cases at which the result has no derivative.
    """

    def wrapped(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
        return ref(x, axis, bool(keepdims))

    def make(*shape: int, dtype: Any) -> np.ndarray:
        return array(*shape, dtype=dtype, seed=op)

    types = lookup(op).types
    main = next(t for t in (dtypes.float32, dtypes.int32, dtypes.bool_) if t in types)
    deep, cases = make(2, 1, 3, 2, 2, dtype=main), []

    def add(label: str, x: np.ndarray, **options: Any) -> None:
        options.setdefault("gradient", label not in kinks)
        cases.append(case(op, x, ref=wrapped, label=label, loose=loose, **options))

    for dtype in types:
        add(dtype.name, make(3, 4, dtype=dtype), axis=1)
    for axis in (None, 0, -1, 2, (), (0, 2), (-1, 1), (4, 3, 2, 1, 0)):
        for keepdims in (False, True):
            add(f"axis{axis}-{keepdims}", deep, axis=axis, keepdims=keepdims)
    add("keepdims-None", deep, axis=1, keepdims=None)
    add("scalar", make(dtype=main))
    add("scalar-keepdims", make(dtype=main), axis=(), keepdims=True)
    add("strided", layouts(make(4, 5, dtype=main)), axis=0)
    add("transposed", make(4, 5, dtype=main).T, axis=0)
    add("no-rows-left", np.zeros((3, 0, 2), main.numpy), axis=0)
    add("one", make(1, dtype=main))
    if main.is_floating:
        for axis in (0, 1, None):
            add(f"special-{axis}", EXTREMES, axis=axis, gradient=False)
    return cases


def empty(op: str, value: Any, types: Iterable[Any]) -> list[Case]:
    """What a reduction of no elements is, by dtype."""
    return [
        case(
            op, np.zeros((0, 2), t.numpy), ref=lambda x, t=t, **_: np.full(2, value(t)), label=f"empty-{t.name}", axis=0
        )
        for t in types
    ]


def _lowest(t: dtypes.DType) -> Any:
    return -np.inf if t.is_floating else t.min


def _highest(t: dtypes.DType) -> Any:
    return np.inf if t.is_floating else t.max


def _count(x: np.ndarray, axis: Any) -> int:
    return int(np.prod([x.shape[a] for a in (range(x.ndim) if axis is None else np.atleast_1d(axis).astype(int))]))


def _mean(x: np.ndarray, axis: Any, keepdims: bool) -> Any:
    if x.dtype.kind in "iu":
        return np.trunc(np.sum(x.astype(np.float64), axis, keepdims=keepdims) / max(_count(x, axis), 1))
    return np.mean(x, axis, keepdims=keepdims)


def _sum(x: np.ndarray, axis: Any, keepdims: bool) -> Any:
    return np.sum(x, axis, dtype=x.dtype, keepdims=keepdims)


def _prod(x: np.ndarray, axis: Any, keepdims: bool) -> Any:
    return np.prod(x, axis, dtype=x.dtype, keepdims=keepdims)


def _norm(x: np.ndarray, axis: Any, keepdims: bool) -> Any:
    root = np.sqrt(np.sum(np.abs(x.astype(np.complex128)) ** 2, axis, keepdims=keepdims))
    return np.trunc(root) if x.dtype.kind in "iu" else root


def _logsumexp(x: np.ndarray, axis: Any, keepdims: bool) -> Any:
    if axis == ():
        return x
    return scipy.special.logsumexp(x, axis=axis, keepdims=keepdims)


def _variance(x: np.ndarray, axis: Any, keepdims: bool) -> Any:
    return np.var(x, axis, keepdims=keepdims)


LARGE = array(3001, 3, seed="large", low=0.0)
HALVES = np.full((5000, 2), 0.25)

SUMS = [
    *reduction("reduce_sum", _sum),
    *reduction("reduce_prod", _prod),
    *reduction("reduce_mean", _mean),
    *reduction("reduce_logsumexp", _logsumexp),
    *reduction("reduce_euclidean_norm", _norm),
    *reduction("reduce_variance", _variance, loose=4.0),
    *reduction("reduce_std", lambda x, a, k: np.std(x, a, keepdims=k), loose=4.0, kinks=OF_ONE),
    *reduction("reduce_max", lambda x, a, k: np.max(x, a, keepdims=k)),
    *reduction("reduce_min", lambda x, a, k: np.min(x, a, keepdims=k)),
    *reduction("reduce_any", lambda x, a, k: np.any(x, a, keepdims=k)),
    *reduction("reduce_all", lambda x, a, k: np.all(x, a, keepdims=k)),
    *empty("reduce_sum", lambda t: 0, lookup("reduce_sum").types),
    *empty("reduce_prod", lambda t: 1, lookup("reduce_prod").types),
    *empty("reduce_mean", lambda t: 0, dtypes.INTS),
    *empty("reduce_mean", lambda t: np.nan, dtypes.FLOATS),
    *empty("reduce_max", _lowest, lookup("reduce_max").types),
    *empty("reduce_min", _highest, lookup("reduce_min").types),
    *empty("reduce_any", lambda t: False, (dtypes.bool_,)),
    *empty("reduce_all", lambda t: True, (dtypes.bool_,)),
    *empty("reduce_logsumexp", lambda t: -np.inf, dtypes.FLOATS),
    *empty("reduce_euclidean_norm", lambda t: 0, dtypes.FLOATS),
    *empty("reduce_variance", lambda t: np.nan, dtypes.FLOATS),
    case("reduce_sum", np.array([100, 100, 100], "int8"), ref=lambda x: np.int8(44), label="wraps"),
    case("reduce_mean", np.array([100, 100, 100], "int8"), ref=lambda x: np.int8(100), label="no-overflow"),
    case("reduce_mean", np.array([-1, -2, -4], "int32"), ref=lambda x: np.int32(-2), label="toward-zero"),
    case("reduce_logsumexp", np.array([1e4, 1e4, -1e4], "float32"), ref=lambda x: 1e4 + np.log(2), label="large"),
    *(
        case(op, x, ref=ref, label=label, axis=0, loose=2.0)
        for op, ref in (("reduce_sum", lambda x, axis: x.sum(axis)), ("reduce_mean", lambda x, axis: x.mean(axis)))
        for label, x in (
            ("long", LARGE),
            ("long-int", array(3001, 3, dtype="int64", high=9, seed="l") if op == "reduce_sum" else LARGE[:, :1]),
            ("long-wide", array(600, 70, seed="w", low=0.0)),
            ("long-strided", layouts(LARGE)),
            ("long-none", np.zeros((3000, 0), "float32")),
            ("float16-wide-sum", HALVES.astype("float16")),
            ("bfloat16-wide-sum", HALVES.astype(dtypes.bfloat16.numpy)),
        )
    ),
    case(
        "reduce_sum",
        array(30, 20, 7, seed="lead"),
        ref=lambda x, **_: x.sum((0, 1), keepdims=True),
        axis=(0, 1),
        keepdims=True,
        label="long-lead-keepdims",
        loose=2.0,
    ),
]


def _nonzero(x: np.ndarray, axis: Any = None, keepdims: Any = None, dtype: Any = np.int64) -> Any:
    return np.sum(np.not_equal(x, 0), axis, keepdims=bool(keepdims)).astype(dtype)


MIXED = np.array([[1, 0, 2, 0], [0, 0, 3, 4], [0, 0, 0, 1]])
COUNTS = [
    *(case("count_nonzero", MIXED.astype(t.numpy), ref=_nonzero, label=t.name, axis=1) for t in dtypes.ALL),
    *(case("count_nonzero", MIXED, ref=_nonzero, label=f"to-{t.name}", axis=0, dtype=t) for t in dtypes.ALL),
    *(
        case("count_nonzero", MIXED, ref=_nonzero, label=f"axis{axis}-{keep}", axis=axis, keepdims=keep)
        for axis in (None, -1, (), (0, 1))
        for keep in (None, False, True)
    ),
    case("count_nonzero", EXTREMES, ref=lambda x: np.int64(10), label="special", gradient=False),
    case("count_nonzero", np.zeros((0, 3)), ref=_nonzero, label="empty", axis=0),
    case("count_nonzero", np.float32(2), ref=_nonzero, label="scalar"),
    *(case("zero_fraction", MIXED.astype(t.numpy), ref=lambda x: 7 / 12, label=t.name) for t in dtypes.ALL),
    case("zero_fraction", np.zeros((0, 3)), ref=lambda x: np.nan, label="empty"),
    case("zero_fraction", np.float32(0), ref=lambda x: 1.0, label="scalar"),
    case("zero_fraction", EXTREMES, ref=lambda x: 2 / 12, label="special"),
]


def _arg(extreme: Callable[..., Any]) -> Callable[..., Any]:
    """The lowest index that holds the extreme of the numbers, in plain Python."""

    def best(values: np.ndarray) -> int:
        numbers = [(i, v) for i, v in enumerate(values.tolist()) if v == v]
        return next(i for i, v in numbers if v == extreme(v for _, v in numbers)) if numbers else 0

    def ref(x: np.ndarray, axis: int | None = None, output_type: Any = np.int64) -> Any:
        return np.apply_along_axis(best, axis or 0, x).astype(output_type)

    return ref


def arguments(op: str, extreme: Callable[..., Any]) -> list[Case]:
    ref = _arg(extreme)
    made = lambda *shape, dtype="float32": array(*shape, dtype=dtype, seed=op, high=3)
    holes = np.array(
        [[np.nan, 1, np.nan, 2, 2], [np.nan] * 5, [np.inf, np.nan, -np.inf, 0, 1], [3, 1, 2, 1, 3]], "float32"
    )
    return [
        *(case(op, made(4, 5, dtype=t), ref=ref, label=t.name, axis=1) for t in lookup(op).types),
        *(case(op, made(2, 3, 2, 1, 2), ref=ref, label=f"axis{axis}", axis=axis) for axis in (None, 0, 1, -1, -5)),
        *(
            case(op, made(3, 4, dtype="int32"), ref=ref, label=f"to-{t.name}", axis=1, output_type=t)
            for t in (dtypes.int16, dtypes.uint16, dtypes.int32, dtypes.int64)
        ),
        *(
            case(op, holes.astype(t.numpy), ref=ref, label=f"nan-{t.name}-{axis}", axis=axis)
            for t in dtypes.FLOATS
            for axis in (0, 1)
        ),
        case(op, layouts(made(3, 4)), ref=ref, label="strided", axis=0),
        case(op, np.zeros((0, 3), "float32"), ref=lambda x, axis: np.zeros(0, "int64"), label="empty", axis=1),
        case(op, np.array([0.0, -0.0, 0.0], "float32"), ref=lambda x: np.int64(0), label="zeros"),
    ]


def _running(combine: Callable[[Any, Any], Any], identity: Any) -> Callable[..., Any]:
    """A scan as a plain loop."""

    def ref(x: np.ndarray, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Any:
        rows = np.moveaxis(x, axis, 0)
        result = np.empty_like(rows)
        total = np.full(rows.shape[1:], identity, rows.dtype)
        for i in range(len(rows))[:: -1 if reverse else 1]:
            after = combine(total, rows[i])
            result[i] = total if exclusive else after
            total = after
        return np.moveaxis(result, 0, axis)

    return ref


def scan(op: str, ref: Callable[..., Any]) -> list[Case]:
    made = lambda *shape, dtype="float32": array(*shape, dtype=dtype, seed=op)
    differentiable = lambda exclusive: not (exclusive and op == "cumulative_logsumexp")  # its first is -inf
    return [
        *(case(op, made(5, 3, dtype=t), ref=ref, label=t.name, loose=2.0) for t in lookup(op).types),
        *(
            case(
                op,
                made(2, 3, 2, 1, 4),
                ref=ref,
                label=f"{axis}-{exclusive}-{reverse}",
                axis=axis,
                exclusive=exclusive,
                reverse=reverse,
                gradient=differentiable(exclusive),
            )
            for axis in (0, 1, -1)
            for exclusive in (False, True)
            for reverse in (False, True)
        ),
        *(
            case(
                op,
                x,
                ref=ref,
                label=f"{label}-{exclusive}",
                exclusive=exclusive,
                gradient=label != "special" and differentiable(exclusive),
            )
            for label, x in (
                ("empty", np.zeros((0, 3), "float32")),
                ("empty-rest", np.zeros((3, 0), "float32")),
                ("one", made(1)),
                ("strided", layouts(made(4, 3))),
                ("special", np.concatenate([EXTREMES[1:], EXTREMES[:1]])),
            )
            for exclusive in (False, True)
        ),
    ]


def _logaddexp(a: Any, b: Any) -> Any:
    return np.log(np.exp(a) + np.exp(b))


def summed_to_shape(x: Any, *, shape: tuple[int, ...]) -> Any:
    """As broadcasting a tensor of `shape` and summing over the copies of each element."""
    total = np.zeros(shape, x.dtype)
    places = np.broadcast_to(np.arange(total.size).reshape(shape), x.shape)
    np.add.at(total.reshape(-1), places.ravel(), x.ravel())
    return total


TO_SHAPES = [
    case(
        "sum_to_shape",
        array(*shape, dtype=dtype),
        ref=summed_to_shape,
        label=f"{dtype}-{shape}-{to}",
        shape=to,
        loose=4,
    )
    for dtype, shape, to in (
        *((d, (2, 3, 4), (3, 1)) for d in ("float16", "bfloat16", "float32", "float64", "complex64", "int32")),
        ("float32", (2, 3), (2, 3)),
        ("float32", (2, 3), ()),
        ("float32", (600, 5), (5,)),
        ("float32", (4, 1, 3), (1, 1)),
        ("float32", (0, 3), (3,)),
        ("float32", (0, 3), (0, 1)),
        ("float32", (), ()),
    )
]

CASES = [
    *SUMS,
    *TO_SHAPES,
    *COUNTS,
    *arguments("argmax", max),
    *arguments("argmin", min),
    *scan("cumsum", _running(np.add, 0)),
    *scan("cumprod", _running(np.multiply, 1)),
    *scan("cumulative_logsumexp", _running(_logaddexp, -np.inf)),
    case("cumsum", np.array([100, 100], "int8"), ref=lambda x: np.array([100, -56], "int8"), label="wraps"),
    case(
        "cumulative_logsumexp",
        np.array([1e4, 1e4], "float32"),
        ref=lambda x: np.array([1e4, 1e4 + np.log(2)]),
        label="large",
    ),
]
