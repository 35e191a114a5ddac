"""What a case is, and the makers that turn one table row into cases over dtypes, sizes and layouts.

A case is an op, NumPy inputs, attributes and a reference that does not come from our own code. One row drives every
check: forward, inference, wire parity, and (with the tape) the gradient.
"""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from protocol import dtypes
from protocol.dtypes import DType
from protocol.ops import lookup

# Relative tolerance of a result against a float64 (or complex128) reference, by dtype.
TOLERANCE = {
    "float16": 4e-3,
    "bfloat16": 3e-2,
    "float32": 2e-6,
    "float64": 1e-13,
    "complex64": 4e-6,
    "complex128": 1e-13,
}


@dataclass(frozen=True)
class Case:
    """`ref(*inputs, **attrs)` gives the expected array(s); float16, bfloat16 and float32 inputs reach it as float64."""

    op: str
    inputs: tuple[np.ndarray, ...]
    attrs: dict[str, Any]
    ref: Callable[..., Any]
    label: str = ""
    loose: float = 1.0  # factor on the tolerance, for ops that lose digits
    static: bool = True  # whether the client can know the result's shape
    gradient: bool = True  # False where the case sits on a kink or a pole, so that differences mean nothing
    fixed: tuple[int, ...] = ()  # inputs that follow from others, so that moving them alone means nothing
    symmetric: bool = False  # an op of self-adjoint matrices: only along those do differences mean something
    observe: Callable[..., Any] | None = None  # what to differentiate of results that are unique up to signs or phases
    marks: tuple[Any, ...] = field(default=())
    canonical: Callable[..., Any] | None = None  # makes a result that is unique up to signs or order comparable

    @property
    def name(self) -> str:
        return f"{self.op}-{self.label}" if self.label else self.op


def array(
    *shape: int, dtype: Any = "float32", low: float = -2.0, high: float = 2.0, seed: str = ""
) -> np.ndarray[Any, Any]:
    """A reproducible array of `shape`, uniform in [low, high); bools are fair coins, unsigned types start at 0."""
    kind = dtypes.as_dtype(dtype)
    rng = np.random.default_rng(zlib.crc32(f"{seed}{shape}{kind.name}".encode()))
    if kind.is_bool:
        return np.asarray(rng.random(shape) < 0.5)
    if kind.is_integer:
        floor = max(int(np.floor(low)), 0) if kind.is_unsigned else int(np.floor(low))
        return np.asarray(rng.integers(floor, max(int(np.ceil(high)), floor + 1), shape)).astype(kind.numpy)
    values = rng.uniform(low, high, shape)
    if kind.is_complex:
        values = values + 1j * rng.uniform(low, high, shape)
    return np.asarray(values).astype(kind.numpy)


def layouts(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same values in memory that is neither C- nor F-contiguous."""
    wide = np.zeros(tuple(2 * d for d in values.shape), values.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in values.shape)]
    view[...] = values
    return view


SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "scalar": ((), ()),
    "empty": ((0, 3), (0, 3)),
    "vector": ((7,), (7,)),
    "broadcast": ((2, 1, 3), (4, 1)),
    "deep": ((1, 2, 1, 2, 1, 2), (2, 1, 2, 1, 2, 1)),
}


def elementwise(
    op: str,
    ref: Callable[..., Any],
    *,
    low: float | Iterable[float] = -2.0,
    high: float | Iterable[float] = 2.0,
    types: Iterable[DType] | None = None,
    special: bool = True,
    loose: float = 1.0,
    **attrs: Any,
) -> list[Case]:
    """Cases of an elementwise op: every dtype it takes, every kind of size and layout, and NaN and infinities."""
    spec = lookup(op)
    arity = len(spec.inputs)
    lows = [low] * arity if isinstance(low, int | float) else list(low)
    highs = [high] * arity if isinstance(high, int | float) else list(high)
    cases = []

    def add(label: str, inputs: Iterable[np.ndarray[Any, Any]], gradient: bool = True) -> None:
        cases.append(Case(op, tuple(inputs), attrs, ref, label, loose, gradient=gradient))

    def make(shape: tuple[int, ...], i: int, dtype: DType) -> np.ndarray[Any, Any]:
        return array(*shape, dtype=dtype, low=lows[i], high=highs[i], seed=f"{op}{i}")

    kinds = tuple(spec.types if types is None else types)
    for dtype in kinds:
        add(dtype.name, [make((2, 3), i, dtype) for i in range(arity)])
    main = next((t for t in (dtypes.float32, dtypes.int32, dtypes.bool_) if t in kinds), kinds[0])
    for label, shapes in SHAPES.items():
        add(label, [make(shapes[i % 2], i, main) for i in range(arity)])
    add("strided", [layouts(make((3, 4), i, main)) for i in range(arity)])
    if special and main.is_floating:
        extremes = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], main.numpy)
        pairs = np.meshgrid(*[extremes] * arity)
        add("special", [np.ascontiguousarray(p) for p in pairs], gradient=False)
    return cases


def case(op: str, *inputs: Any, ref: Callable[..., Any], label: str = "", **options: Any) -> Case:
    """One case. Options that are fields of `Case` go there, the others are the op's attributes."""
    fields = {
        k: options.pop(k)
        for k in ("loose", "static", "canonical", "gradient", "fixed", "symmetric", "observe", "marks")
        if k in options
    }
    return Case(op, tuple(np.asarray(i) for i in inputs), options, ref, label, **fields)


def upcast(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A reference works in double precision, so that its own rounding does not count."""
    kind = dtypes.as_dtype(value.dtype)
    if kind.is_floating:
        return value.astype(np.float64)
    return value.astype(np.complex128) if kind.is_complex else value


def expected(case: Case) -> tuple[np.ndarray[Any, Any], ...]:
    """The reference's results, as a tuple."""
    attrs = {k: v.numpy if isinstance(v, DType) else v for k, v in case.attrs.items()}
    with np.errstate(all="ignore"):
        found = case.ref(*(upcast(i) for i in case.inputs), **attrs)
    return tuple(np.asarray(f) for f in found) if isinstance(found, tuple) else (np.asarray(found),)


def check(case: Case, results: Iterable[np.ndarray[Any, Any]]) -> None:
    """Assert that `results` are what the reference says: same shapes, integers and bools equal, floats within the
    dtype's rounding.
    """
    wanted = expected(case)
    got = tuple(np.asarray(r) for r in results)
    if case.canonical is not None:
        got, wanted = case.canonical(*got), case.canonical(*wanted)
    assert len(got) == len(wanted), f"{len(got)} results, the reference has {len(wanted)}"
    for result, reference in zip(got, wanted, strict=True):
        assert result.shape == reference.shape, f"shape {result.shape}, the reference has {reference.shape}"
        kind = dtypes.as_dtype(result.dtype)
        if kind.name not in TOLERANCE:
            np.testing.assert_array_equal(result, reference.astype(result.dtype))
            continue
        tolerance = TOLERANCE[kind.name] * case.loose
        wide = upcast(result)
        with np.errstate(all="ignore"):
            rounded = upcast(reference.astype(kind.numpy))  # overflows to inf where the dtype does
        np.testing.assert_allclose(wide, rounded, rtol=tolerance, atol=tolerance, equal_nan=True)
