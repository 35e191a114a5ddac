"""Cases of `protocol/ops/sorting.py`. References are plain Python over each row."""

from collections.abc import Callable
from typing import Any

import numpy as np

from protocol import dtypes
from protocol.ops import lookup
from tests.ops.case import Case, array, case, layouts

nan, inf = np.nan, np.inf
TIES = np.array([[3, 1, 3, 2, 1, 1], [2, 2, 2, 2, 2, 2], [5, 4, 3, 2, 1, 0]])
HOLES = np.array([3, nan, 1, inf, nan, -inf, 0.0, -0.0, 1], "float32")


def distinct(*shape: int, dtype: Any = "float32", seed: str = "") -> np.ndarray:
    """All values differ by 1/8 or more (by 1 among integers), in random order."""
    size = int(np.prod(shape))
    step = 1 if dtypes.as_dtype(dtype).is_integer else 8
    order = array(size, dtype="float64", seed=seed).argsort()
    return (order.reshape(shape) / step).astype(dtypes.as_dtype(dtype).numpy)


def _key(value: Any) -> tuple[bool, Any]:
    """NaN counts as greater than all numbers."""
    return (value != value, 0 if value != value else value)


def _order(row: list[Any], descending: bool) -> list[int]:
    """Python's sort is stable, with `reverse` too."""
    return sorted(range(len(row)), key=lambda i: _key(row[i]), reverse=descending)


def _argsort(x: np.ndarray, axis: int = -1, direction: str = "ASCENDING", stable: bool = False) -> Any:
    if not x.size:
        return x.astype(np.int32)
    return np.apply_along_axis(lambda row: _order(row.tolist(), direction == "DESCENDING"), axis, x).astype(np.int32)


def _sort(x: np.ndarray, axis: int = -1, direction: str = "ASCENDING") -> Any:
    return np.take_along_axis(x, _argsort(x, axis, direction).astype(np.int64), axis)


def _top_k(x: np.ndarray, k: int = 1, sorted: bool = True, index_type: Any = np.int32) -> Any:
    order = _argsort(x, -1, "DESCENDING")[..., :k]
    return np.take_along_axis(x, order.astype(np.int64), -1), order.astype(index_type)


def orders(op: str, ref: Callable[..., Any]) -> list[Case]:
    made = lambda *shape, dtype="float32": array(*shape, dtype=dtype, seed="sort", high=4)
    both = ("ASCENDING", "DESCENDING")
    return [
        *(
            case(op, made(3, 6, dtype=t), ref=ref, label=f"{t.name}-{d}", direction=d)
            for t in lookup(op).types
            for d in both
        ),
        *(
            case(op, made(2, 3, 1, 4, 2), ref=ref, label=f"axis{axis}-{d}", axis=axis, direction=d)
            for axis in (0, 1, -1, -2)
            for d in both
        ),
        *(
            case(op, x, ref=ref, label=f"{label}-{d}", direction=d, gradient=label not in ("special", "ties"))
            for label, x in (
                ("ties", TIES),
                ("special", HOLES),
                ("empty", np.zeros((0, 3), "float32")),
                ("no-columns", np.zeros((3, 0), "float32")),
                ("strided", layouts(made(3, 4))),
                ("limits", np.array([1, -(2**31), 2**31 - 1, 0], "int32")),
            )
            for d in both
        ),
    ]


def _in_top_k(targets: np.ndarray, predictions: np.ndarray, k: int) -> Any:
    def one(target: int, row: list[float]) -> bool:
        if not 0 <= target < len(row) or not all(np.isfinite(row)):
            return False
        return sum(p > row[target] for p in row) < k

    return np.array([one(t, r) for t, r in zip(targets.tolist(), predictions.tolist(), strict=True)], bool)


TOP = [
    *(case("top_k", distinct(3, 9, dtype=t, seed="top"), ref=_top_k, label=t.name, k=2) for t in lookup("top_k").types),
    *(case("top_k", TIES, ref=_top_k, label=f"ties-{k}", k=k, gradient=False) for k in (0, 1, 2, 3, 6)),
    *(case("top_k", distinct(2, 1, 2, 3, 40, seed="deep"), ref=_top_k, label=f"deep-{k}", k=k) for k in (1, 3, 10, 40)),
    *(
        case(
            "top_k",
            np.round(array(5, 64, dtype=t, seed="r")),
            ref=_top_k,
            label=f"many-ties-{t.name}",
            k=9,
            gradient=False,
        )
        for t in dtypes.FLOATS
    ),
    *(
        case("top_k", TIES, ref=_top_k, label=f"to-{t.name}", k=2, index_type=t, gradient=False)
        for t in (dtypes.int16, dtypes.int32, dtypes.int64)
    ),
    *(case("top_k", HOLES, ref=_top_k, label=f"special-{k}", k=k, gradient=False) for k in (1, 2, 4, 9)),
    case("top_k", array(4, seed="d"), ref=_top_k, label="default"),
    case("top_k", array(6, seed="u"), ref=_top_k, label="unsorted", k=3, sorted=False),
    case("top_k", layouts(distinct(3, 20, seed="s")), ref=_top_k, label="strided", k=4),
    case(
        "top_k", np.zeros((0, 3), "float32"), ref=lambda x, k: (np.zeros((0, 2)), np.zeros((0, 2))), label="empty", k=2
    ),
    case("top_k", np.zeros((3, 0), "float32"), ref=lambda x, k: (x, x), label="no-columns", k=0),
    *(
        case(
            "in_top_k",
            np.array([1, 0, 3, 2], i),
            array(4, 5, dtype=t, seed="in"),
            ref=_in_top_k,
            label=f"{i}-{t.name}",
            k=2,
        )
        for i in ("int32", "int64")
        for t in lookup("in_top_k").types
    ),
    *(
        case(
            "in_top_k",
            np.array([0, 1, 2, 5, -1]),
            TIES[[0, 0, 1, 1, 2]].astype("float32"),
            ref=_in_top_k,
            label=f"k{k}",
            k=k,
        )
        for k in (-1, 0, 1, 2, 9)
    ),
    case(
        "in_top_k",
        np.array([1, 0, 0, 1]),
        np.array([[2, nan], [2, nan], [2, inf], [-inf, 1]]),
        ref=_in_top_k,
        label="special",
        k=2,
    ),
    case("in_top_k", np.zeros(0, "int32"), np.zeros((0, 3), "float32"), ref=_in_top_k, label="empty", k=2),
    case("in_top_k", np.zeros(2, "int32"), np.zeros((2, 0), "float32"), ref=_in_top_k, label="no-classes", k=2),
]


def _unique(x: np.ndarray, out_idx: Any = np.int32) -> Any:
    values: list[Any] = []
    places = []
    for v in x.tolist():
        place = next((i for i, u in enumerate(values) if u == v), len(values))
        if place == len(values):
            values.append(v)
        places.append(place)
    counts = [places.count(i) for i in range(len(values))]
    return np.array(values, x.dtype), np.array(places, out_idx), np.array(counts, out_idx)


UNIQUE = [
    case(op, x, ref=ref, label=label, static=len(x) < 2, **attrs)
    for op, ref in (("unique", lambda x, **a: _unique(x, **a)[:2]), ("unique_with_counts", _unique))
    for label, x, attrs in (
        *((t.name, array(12, dtype=t, seed="q", high=3).round(0), {}) for t in dtypes.ALL if t.kind in "iu"),
        *((t.name, np.array([3, 1, 3, 2, 1, 0, 0]).astype(t.numpy), {}) for t in dtypes.ALL if t.kind not in "iu"),
        ("special", HOLES, {}),
        ("empty", np.zeros(0, "float32"), {}),
        ("one", np.ones(1, "int32"), {}),
        ("strided", layouts(np.array([4, 4, 1, 4, 9, 1])), {}),
        ("to-int32", TIES[0], {"out_idx": dtypes.int32}),
        ("to-int64", TIES[0], {"out_idx": dtypes.int64}),
    )
]


def _searchsorted(sequence: np.ndarray, values: np.ndarray, side: str = "left", out_type: Any = np.int32) -> Any:
    """How many elements come before; NaN compares as nothing."""
    if sequence.ndim == 1:
        sequence = np.broadcast_to(sequence, (*values.shape[:-1], len(sequence)))
    row, value = sequence[..., None, :], values[..., None]
    before = row < value if side == "left" else ~(value < row)
    return before.sum(axis=-1).astype(out_type)


def searches() -> list[Case]:
    made = lambda *shape, dtype="float32": array(*shape, dtype=dtype, seed="search", high=5)
    ordered = lambda *shape, dtype="float32": np.sort(made(*shape, dtype=dtype).astype("float64"), -1).astype(dtype)
    types = [t.numpy for t in lookup("searchsorted").types]
    pairs = {
        "ties": (np.array([1, 1, 3, 3, 5]), np.array([0, 1, 2, 3, 5, 6])),
        "batch": (ordered(2, 3, 7), made(2, 3, 4)),
        "batch-ties": (np.sort(TIES), TIES),
        "deep": (ordered(2, 1, 2, 1, 4), made(2, 1, 2, 1, 3)),
        "one-row": (ordered(1, 1, 5), made(1, 1, 3)),
        "one-sequence": (ordered(5), made(2, 3, 4)),
        "strided": (layouts(ordered(3, 4)), layouts(made(3, 2))),
        "empty-sequence": (np.zeros((2, 0), "float32"), made(2, 3)),
        "empty-values": (ordered(2, 4), np.zeros((2, 0), "float32")),
        "empty-batch": (np.zeros((0, 4), "float32"), np.zeros((0, 3), "float32")),
        "special": (np.array([-inf, 1, 3, inf]), np.array([nan, inf, -inf, 1])),
        "special-batch": (np.array([[-inf, 1, 3, inf]] * 2), np.array([[nan, inf, -inf, 1]] * 2)),
    }
    return [
        case("searchsorted", s, v, ref=_searchsorted, label=f"{label}-{side}", side=side)
        for side in ("left", "right")
        for label, (s, v) in (
            *pairs.items(),
            *((f"{t}", (ordered(6, dtype=t), made(4, dtype=t))) for t in map(np.dtype, types)),
            *((f"batch-{t}", (ordered(2, 6, dtype=t), made(2, 4, dtype=t))) for t in map(np.dtype, types)),
        )
    ] + [
        case("searchsorted", *pairs["batch"], ref=_searchsorted, label=f"to-{t.name}", out_type=t)
        for t in (dtypes.int32, dtypes.int64)
    ]


def _inverse(x: np.ndarray) -> Any:
    return np.array([x.tolist().index(i) for i in range(len(x))], x.dtype)


INVERSES = [
    case("invert_permutation", np.array(values, t), ref=_inverse, label=f"{label}-{t}")
    for t in ("int32", "int64")
    for label, values in (("three", [2, 0, 1]), ("one", [0]), ("empty", []), ("same", [0, 1, 2, 3]))
] + [case("invert_permutation", layouts(np.array([3, 0, 2, 1])), ref=_inverse, label="strided")]


def _bincount(
    arr: np.ndarray, *weights: np.ndarray, minlength: Any = None, maxlength: Any = None, dtype: Any = np.int32,
    axis: Any = None, binary_output: bool = False,
) -> Any:  # fmt: skip
    rows = arr if axis == -1 and arr.ndim == 2 else arr.reshape(1, -1)
    size = max(int(arr.max()) + 1 if arr.size else 0, minlength or 0)
    size = size if maxlength is None else min(size, maxlength)
    kind = weights[0].dtype if weights else dtype
    amounts = weights[0].reshape(rows.shape) if weights and weights[0].size else np.ones(rows.shape)
    result = np.zeros((len(rows), size), kind)
    for i, row in enumerate(rows):
        for j, value in enumerate(row.tolist()):
            if value < size:
                result[i, value] = 1 if binary_output else result[i, value] + amounts[i, j].astype(kind)
    return result if axis == -1 and arr.ndim == 2 else result[0]


def counts() -> list[Case]:
    values, matrix = np.array([1, 1, 3, 0, 7, 1]), np.array([[1, 1, 0], [4, 0, 4], [2, 2, 2]])
    weights = array(6, seed="weights")
    half = np.array([0.5, 2, -1, 4, 8, 0.25])

    def row(label: str, *inputs: Any, static: bool = False, **attrs: Any) -> Case:
        return case("bincount", *inputs, ref=_bincount, label=label, static=static, **attrs)

    def sized(label: str, *inputs: Any, **attrs: Any) -> Case:
        return row(label, *inputs, static=True, minlength=5, maxlength=5, **attrs)

    return [
        *(row(t.name, values.astype(t.numpy)) for t in dtypes.INTS),
        *(row(f"to-{t.name}", values, dtype=t) for t in lookup("bincount").types),
        *(
            row(f"weights-{t.name}", values, half.round().astype(t.numpy))
            for t in lookup("bincount").types
            if not t.is_unsigned
        ),
        *(
            row(f"weights-{t.name}", values, np.arange(6, dtype=t.numpy))
            for t in lookup("bincount").types
            if t.is_unsigned
        ),
        row("weights", values, weights),
        row("weights-matrix", matrix, array(3, 3, seed="wm")),
        row("weights-rows", matrix, array(3, 3, seed="wr"), axis=-1),
        row("weights-none", values, np.zeros(0, "float32")),
        row("big-weights", np.array([0, 0, 1]), np.array([2**53, 1, 2**62])),
        *(row(f"axis{axis}", matrix, axis=axis) for axis in (None, 0, -1)),
        row("axis-vector", values, axis=-1),
        row("binary", values, binary_output=True),
        row("binary-rows", matrix, binary_output=True, axis=-1, dtype=dtypes.float32),
        row("deep", values.reshape(1, 2, 1, 3, 1)),
        row("scalar", np.int32(3)),
        row("strided", layouts(matrix), axis=-1),
        row("minlength", values, minlength=12),
        row("minlength-less", values, minlength=3),
        row("maxlength", values, maxlength=3),
        row("maxlength-more", values, maxlength=30),
        row("maxlength-zero", values, maxlength=0),
        row("both", values, minlength=2, maxlength=4),
        sized("sized", values),
        sized("sized-rows", matrix, axis=-1),
        sized("sized-weights", values, weights),
        row("maxlength-rows", matrix, axis=-1, maxlength=3),
        row("huge-unsigned", np.array([1, 2**64 - 1], "uint64"), maxlength=3),
        row("empty", np.zeros(0, "int32"), static=True),
        row("empty-minlength", np.zeros(0, "int32"), static=True, minlength=3),
        row("empty-rows", np.zeros((2, 0), "int32"), static=True, axis=-1, minlength=2),
        row("no-rows", np.zeros((0, 2), "int32"), static=True, axis=-1),
    ]


CASES = [
    *orders("sort", _sort),
    *orders("argsort", _argsort),
    *TOP,
    *UNIQUE,
    *searches(),
    *INVERSES,
    *counts(),
    case("argsort", TIES, ref=_argsort, label="stable", stable=True),
]
