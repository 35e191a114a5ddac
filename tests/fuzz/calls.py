"""What no honest client sends, for every op: attributes by their declared types; inputs by dtype, shape and value.

Owns: `Call` and `calls`. Most calls are rows of `tests/ops/cases` with a few things spoiled, so that many get past
inference; the others are made of the op's declaration alone.
"""

from __future__ import annotations

import types
import typing
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st

from protocol.dtypes import ALL, BY_NUMPY, DType
from protocol.ops import OPS
from protocol.ops.registry import GROUPS
from tests.ops import cases

POWERS = (2**7, 2**12, 2**16, 2**20, 2**24, 2**27, 2**31 - 1, 2**31, 2**32, 2**40, 2**48, 2**62, 2**63 - 1)
INTS = st.one_of(
    st.integers(-3, 8),
    st.sampled_from((0, 1, -1, 2)),
    st.sampled_from((*POWERS, *(-p for p in POWERS), -(2**63))),
)
FLOATS = st.sampled_from(
    (0.0, -0.0, 1.0, 0.5, -1.0, 2.0, float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 5e-324, 1e30, 2.0**62)
)
STRINGS = st.sampled_from(
    ("", "SAME", "VALID", "NCHW", "DESCENDING", "ij,jk->ik", "...,...", "aaa->a", "a" * 1024, "\0")
)
WRONG = st.one_of(
    st.sampled_from((None, True, False, 1, 1.5, 2.0, -1, 2**64, float("nan"), b"x", "x")),
    st.sampled_from(((), ((),), ((1,),), (1.0,), (True,), ("a",), {})),
    st.sampled_from(ALL),
)
DIMS = st.one_of(st.integers(0, 4), st.sampled_from((0, 1, 1, 2, 3, 7, 64)))
SMALL_SHAPES = st.lists(DIMS, max_size=5).map(tuple)
SHAPES = st.one_of(
    SMALL_SHAPES,
    SMALL_SHAPES,
    st.lists(st.just(1), min_size=30, max_size=32).map(tuple),
    st.lists(st.sampled_from((0, 1, 2**15, 2**16, 2**40)), min_size=1, max_size=3)
    .map(lambda s: (*s, 0))
    .filter(lambda s: np.prod([float(d or 1) for d in s]) < 2**48),
)
MOST_ELEMENTS = 4096


@dataclass(frozen=True)
class Call:
    """An op, its inputs, and its attributes; `by_tensor` are those sent as tensors."""

    op: str
    inputs: tuple[np.ndarray[Any, Any], ...]
    attrs: dict[str, Any]
    by_tensor: tuple[str, ...] = ()

    def __repr__(self) -> str:
        inputs = ", ".join(_shown(i) for i in self.inputs)
        return f"Call({self.op!r}, ({inputs}{',' if inputs else ''}), {self.attrs!r}, {self.by_tensor!r})"


def _shown(array: np.ndarray[Any, Any]) -> str:
    if not array.size:
        return f"np.empty({array.shape}, {array.dtype.name!r})"
    if array.size > 8:
        return f"np.full({array.shape}, {array.flat[0]!r}, {array.dtype.name!r})"
    return f"np.array({array.tolist()!r}, {array.dtype.name!r}).reshape({array.shape})"


def of_annotation(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of an attribute's declared type, mean ones among them."""
    origin, options = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return st.one_of([of_annotation(o) for o in options if getattr(o, "__name__", "") != "Unknown"])
    if origin is Literal:
        return st.sampled_from(options)
    if origin is tuple:
        if options[-1] is Ellipsis:
            each = of_annotation(options[0])
            return st.one_of(
                st.lists(each, max_size=4).map(tuple),
                st.builds(lambda v, n: (v,) * n, each, st.sampled_from((31, 32, 33, 64, 4096))),
            )
        return st.tuples(*(of_annotation(o) for o in options))
    if annotation is float:
        return st.one_of(FLOATS, INTS)
    simple = {int: INTS, bool: st.booleans(), str: STRINGS, DType: st.sampled_from(ALL)}
    return simple.get(annotation, st.none())


def values(dtype: DType, shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    """Arrays of a dtype and shape: one value over and over, or a few in turn."""
    if dtype.is_bool:
        each: st.SearchStrategy[Any] = st.booleans()
    elif dtype.is_integer:
        each = st.one_of(INTS, st.sampled_from((dtype.min, dtype.max))).filter(lambda v: dtype.min <= v <= dtype.max)
    else:
        each = FLOATS
    return st.lists(each, min_size=1, max_size=6).map(lambda found: filled(found, dtype, shape))


def filled(found: Any, dtype: DType, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The entries of `found` in turn, as far as there is room."""
    with np.errstate(all="ignore"):
        return np.resize(np.array(found).astype(dtype.numpy), shape) if 0 not in shape else np.empty(shape, dtype.numpy)


@st.composite
def arrays(draw: Any, dtype: DType, like: tuple[int, ...] | None = None) -> np.ndarray[Any, Any]:
    """An array of `dtype`, of a small shape or one a little off `like`."""
    if like is None:
        shape = draw(SHAPES)
    else:
        shape = list(like)
        for _ in range(draw(st.integers(0, 2))):
            if shape:
                shape[draw(st.integers(0, len(shape) - 1))] = draw(DIMS)
        if draw(st.integers(0, 9)) == 0:
            shape = draw(st.permutations(shape)) + draw(st.sampled_from(([], [1], [0], [2])))
    while np.prod([float(d) for d in shape]) > MOST_ELEMENTS:
        shape = [min(d, 3) for d in shape[:7]]
    return draw(values(dtype, tuple(shape)))


_CASES = defaultdict(list)
for _case in cases.ALL:
    if sum(i.nbytes for i in _case.inputs) <= 2**16:
        _CASES[_case.op].append(_case)


@st.composite
def calls(draw: Any, names: tuple[str, ...] = tuple(OPS)) -> Call:
    """A call of one of the ops."""
    op = OPS[draw(st.sampled_from(names))]
    if op.name in _CASES and draw(st.integers(0, 3)):
        call = _spoiled(draw, op)
    else:
        call = _made(draw, op)
    tensors = tuple(
        a
        for a, v in call.attrs.items()
        if a in op.attrs and op.attrs[a].takes_tensor and _numbers(v) and not draw(st.integers(0, 5))
    )
    return Call(call.op, call.inputs, call.attrs, tensors)


def _numbers(value: Any) -> bool:
    if isinstance(value, tuple):
        return len({len(v) if isinstance(v, tuple) else -1 for v in value}) <= 1 and all(map(_numbers, value))
    return isinstance(value, int | float) and abs(value) < 2**63


def _made(draw: Any, op: Any) -> Call:
    count = len(op.inputs) + (draw(st.integers(-1, 2)) if op.variadic else 0)
    shared = draw(st.sampled_from(op.types))
    shape = draw(st.one_of(st.none(), SMALL_SHAPES))
    inputs = []
    for group in op.input_groups(count)[:count]:
        dtype = shared if group == "T" else draw(st.sampled_from(GROUPS[group]))
        inputs.append(draw(arrays(dtype, shape)))
    attrs = {
        a.name: draw(of_annotation(a.annotation))
        for a in op.attrs.values()
        if draw(st.integers(0, 3)) or "required" in repr(a.default)
    }
    return Call(op.name, tuple(inputs), attrs)


def _spoiled(draw: Any, op: Any) -> Call:
    case = draw(st.sampled_from(_CASES[op.name]))
    inputs, attrs = list(case.inputs), dict(case.attrs)
    if inputs and not draw(st.integers(0, 3)):
        shared = draw(st.sampled_from(op.types))
        groups = op.input_groups(len(inputs))
        with np.errstate(all="ignore"):
            inputs = [
                i.astype(shared.numpy) if g == "T" and i.dtype.kind != "c" else i
                for i, g in zip(inputs, groups, strict=False)
            ]
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.integers(0, 9))
        if kind < 5 and op.attrs:
            attr = draw(st.sampled_from(list(op.attrs.values())))
            attrs[attr.name] = _other(draw, attr, attrs.get(attr.name))
        elif kind == 5 and attrs:
            attrs.pop(draw(st.sampled_from(list(attrs))))
        elif kind == 6 and inputs:
            at = draw(st.integers(0, len(inputs) - 1))
            inputs[at] = draw(arrays(draw(st.sampled_from(ALL)), inputs[at].shape))
        elif inputs:
            at = draw(st.integers(0, len(inputs) - 1))
            dtype = BY_NUMPY[inputs[at].dtype]
            inputs[at] = draw(values(dtype, inputs[at].shape) if kind == 7 else arrays(dtype, inputs[at].shape))
    return Call(op.name, tuple(inputs), attrs)


def _other(draw: Any, attr: Any, old: Any) -> Any:
    if not draw(st.integers(0, 7)):
        return draw(WRONG)
    if isinstance(old, tuple) and old and draw(st.booleans()):
        at = draw(st.integers(0, len(old) - 1))
        each = draw(st.tuples(INTS, INTS) if isinstance(old[at], tuple) else INTS)
        return (*old[:at], each, *old[at + 1 :])
    return draw(of_annotation(attr.annotation))
