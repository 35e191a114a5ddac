"""Cases of `protocol/ops/segments.py`. References loop over the rows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from protocol import dtypes
from protocol.ops import lookup
from tests.ops.case import Case, array, case, layouts

nan, inf = np.nan, np.inf


def _grouped(rows: np.ndarray, ids: list[int], count: int, reduce: Callable[..., Any], empty: Any, dtype: Any) -> Any:
    result = np.empty((count, *rows.shape[1:]), dtype)
    for s in range(count):
        members = [rows[i] for i, place in enumerate(ids) if place == s]
        result[s] = reduce(np.stack(members)) if members else empty
    return result


def _integer_mean(rows: np.ndarray) -> Any:
    return np.trunc(rows.astype(float).sum(0) / len(rows)) if rows.dtype.kind in "iu" else rows.mean(0)


REDUCES: dict[str, Callable[..., Any]] = {
    "sum": lambda rows: rows.sum(0, dtype=rows.dtype),
    "prod": lambda rows: rows.prod(0, dtype=rows.dtype),
    "max": lambda rows: rows.max(0),
    "min": lambda rows: rows.min(0),
    "sqrt_n": lambda rows: rows.sum(0) / np.sqrt(len(rows)),
}


def _sorted_ref(name: str) -> Callable[..., Any]:
    reduce = REDUCES.get(name, _integer_mean)

    def ref(data: np.ndarray, ids: np.ndarray) -> Any:
        count = int(ids[-1]) + 1 if len(ids) else 0
        return _grouped(data, ids.tolist(), count, reduce, 1 if name == "prod" else 0, data.dtype)

    return ref


def _unsorted_ref(name: str, original: Any) -> Callable[..., Any]:
    """The limits of empty groups are those of `original`, the data's dtype; the reference sees double precision."""
    kind = dtypes.as_dtype(original)
    reduce = REDUCES.get(name, lambda rows: rows.mean(0))
    empty = {"prod": 1, "max": kind.min, "min": kind.max}.get(name, 0) if not kind.is_complex else int(name == "prod")

    def ref(data: np.ndarray, ids: np.ndarray, num_segments: int) -> Any:
        dtype = np.float64 if name == "mean" and data.dtype.kind in "iu" else data.dtype
        rows = data.reshape(ids.size, *data.shape[ids.ndim :])
        return _grouped(rows, ids.reshape(-1).tolist(), num_segments, reduce, empty, dtype)

    return ref


def sorted_segments(name: str) -> list[Case]:
    op, ref = f"segment_{name}", _sorted_ref(name)
    made = lambda *shape, dtype="float32": array(*shape, dtype=dtype, seed=op, high=4)
    ids = np.array([0, 0, 1, 3, 3, 3])
    special = np.array([[nan, 1], [1, inf], [inf, -inf], [-inf, nan], [0.0, -inf], [2, 3]], "float32")

    def row(label: str, data: Any, ids: Any, static: bool = False, **options: Any) -> Case:
        return case(op, data, ids, ref=ref, label=label, static=static, loose=2.0, **options)

    return [
        *(row(t.name, made(6, 3, dtype=t), ids) for t in lookup(op).types),
        *(row(f"vector-{t.name}", made(6, dtype=t), ids) for t in lookup(op).types),
        row("int32-ids", made(6, 2), ids.astype("int32")),
        row("deep", made(6, 1, 2, 1, 3), ids),
        row("strided", layouts(made(6, 3)), layouts(ids)),
        row("starts-late", made(3, 2), np.array([2, 2, 4])),
        row("one", made(1, 2), np.array([0])),
        row("long", made(700, 2), np.sort(array(700, dtype="int64", low=0, high=9, seed="ids"))),
        row("special", special, ids, gradient=False),
        row("empty", np.zeros((0, 3), "float32"), np.zeros(0, "int32"), static=True),
        row("no-columns", np.zeros((2, 0), "float32"), np.array([0, 1])),
    ]


def unsorted_segments(name: str) -> list[Case]:
    op = f"unsorted_segment_{name}"
    made = lambda *shape, dtype="float32": array(*shape, dtype=dtype, seed=op, high=4)
    ids = np.array([3, 0, 1, 3, -1, 0])
    special = np.array([[nan, 1], [1, inf], [inf, -inf], [-inf, nan], [0.0, -inf], [2, 3]], "float32")

    def row(label: str, data: np.ndarray, ids: Any, count: int = 5, **options: Any) -> Case:
        ref = _unsorted_ref(name, data.dtype)
        return case(op, data, ids, ref=ref, label=label, loose=2.0, num_segments=count, **options)

    return [
        *(row(t.name, made(6, 3, dtype=t), ids) for t in lookup(op).types),
        *(row(f"vector-{t.name}", made(6, dtype=t), ids) for t in lookup(op).types),
        *(row(f"ids-{t}", made(6, 2), np.array([1, 1, 0, 2, 0, 1], t)) for t in ("int8", "int32", "uint16", "uint64")),
        row("matrix-ids", made(2, 3, 2), np.array([[0, 1, 0], [2, -1, 0]]), 3),
        row("deep", made(2, 3, 2, 1, 2), np.array([[0, 1, 0], [2, -1, 0]]), 3),
        row("scalar-ids", made(2, 3), np.int32(1), 3),
        row("scalar", made(), np.int64(1), 3),
        row("strided", layouts(made(6, 3)), layouts(ids)),
        row("long", made(700, 2), array(700, dtype="int64", low=-1, high=9, seed="ids"), 9),
        row("special", special, ids, gradient=False),
        row("empty", np.zeros((0, 3), "float32"), np.zeros(0, "int32"), 2),
        row("no-columns", np.zeros((2, 0), "float32"), np.array([0, 1]), 2),
        row("all-dropped", made(3, 2), np.array([-1, -2, -1]), 2),
        row("no-segments", made(3, 2), np.array([-1, -2, -1]), 0),
    ]


def _rows_of(params: np.ndarray, ids: np.ndarray) -> Any:
    found = [params[i] if i >= 0 else np.zeros(params.shape[1:], params.dtype) for i in ids.reshape(-1).tolist()]
    return np.reshape(np.array(found, params.dtype), ids.shape + params.shape[1:])


def segment_rows() -> list[Case]:
    made = lambda *shape, dtype="float32": array(*shape, dtype=dtype, seed="rows", high=4)
    ids = np.array([[1, 0, -1], [2, 1, 1]])
    pairs = [
        *((t.name, made(3, 2, dtype=t), ids) for t in lookup("segment_rows").types),
        *((f"ids-{t}", made(3, 2), np.array([2, 0], t)) for t in ("int8", "int32", "uint64")),
        ("vector", made(3), ids),
        ("scalar-id", made(3, 2), np.int32(2)),
        ("dropped-id", made(3, 2), np.int32(-1)),
        ("deep", made(3, 1, 2, 1, 2), ids),
        ("strided", layouts(made(3, 4)), layouts(ids)),
        ("no-ids", made(3, 2), np.zeros((0, 2), "int32")),
        ("no-columns", made(3, 0), ids),
        ("no-rows", made(0, 2), np.array([-1, -3])),
    ]
    return [case("segment_rows", params, i, ref=_rows_of, label=label) for label, params, i in pairs]


CASES = [
    *segment_rows(),
    *(c for name in ("sum", "mean", "max", "min", "prod") for c in sorted_segments(name)),
    *(c for name in ("sum", "mean", "max", "min", "prod", "sqrt_n") for c in unsorted_segments(name)),
    case(
        "segment_mean",
        np.array([-1, -2, 4]),
        np.array([0, 0, 1]),
        ref=lambda x, i: np.array([-1, 4]),
        label="toward-zero",
        static=False,
    ),
    case(
        "segment_mean",
        np.full(3, 100, "int8"),
        np.zeros(3, "int32"),
        ref=lambda x, i: np.int8([100]),
        label="no-overflow",
        static=False,
    ),
    case(
        "segment_sum",
        np.ones(3000, "float16"),
        np.zeros(3000, "int32"),
        ref=lambda x, i: np.array([3000.0]),
        label="wide-sum",
        static=False,
    ),
    case(
        "unsorted_segment_sum",
        np.array([2**62, 1, 2**53, 1]),
        np.array([0, 0, 1, 1]),
        num_segments=2,
        ref=lambda x, i, num_segments: np.array([2**62 + 1, 2**53 + 1]),
        label="exact-int64",
    ),
]
