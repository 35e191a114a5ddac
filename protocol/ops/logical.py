"""Comparisons, logic and bits, elementwise."""

from __future__ import annotations

from protocol.dtypes import DType
from protocol.ops.registry import ALL, BOOL, FLOATS, INTS, REAL, op
from protocol.ops.rules import broadcast, compare, predicate, same


def comparison(name: str, public: str, doc: str, *, types: tuple[DType, ...] = REAL) -> None:
    """An op that compares two tensors."""
    op(name, "x y", infer=compare, types=types, public=public, doc=doc)


def test(name: str, public: str, doc: str) -> None:
    """An op that says something about each element."""
    op(name, "x", infer=predicate, types=FLOATS, public=public, doc=doc)


def logic(name: str, public: str, doc: str) -> None:
    """An op of two bool tensors."""
    op(name, "x y", infer=broadcast, types=BOOL, public=public, doc=doc)


def bits(name: str, public: str, doc: str) -> None:
    """An op of two integer tensors."""
    op(name, "x y", infer=broadcast, types=INTS, public=public, doc=doc)


comparison("equal", "equal math.equal", "Whether x == y, elementwise; NaN equals nothing.", types=ALL)
comparison("not_equal", "not_equal math.not_equal", "Whether x != y, elementwise.", types=ALL)
comparison("less", "less math.less", "Whether x < y, elementwise.")
comparison("less_equal", "less_equal math.less_equal", "Whether x <= y, elementwise.")
comparison("greater", "greater math.greater", "Whether x > y, elementwise.")
comparison("greater_equal", "greater_equal math.greater_equal", "Whether x >= y, elementwise.")

test("is_nan", "math.is_nan", "Whether x is NaN, elementwise.")
test("is_inf", "math.is_inf", "Whether x is plus or minus infinity.")
test("is_finite", "math.is_finite", "Whether x is neither NaN nor infinite.")

logic("logical_and", "logical_and math.logical_and", "x and y, elementwise.")
logic("logical_or", "logical_or math.logical_or", "x or y, elementwise.")
logic("logical_xor", "math.logical_xor", "Whether exactly one of x, y is true.")
op("logical_not", "x", infer=same, types=BOOL, public="logical_not math.logical_not", doc="Not x, elementwise.")

bits("bitwise_and", "bitwise.bitwise_and", "The bits that x and y share.")
bits("bitwise_or", "bitwise.bitwise_or", "The bits that x or y has.")
bits("bitwise_xor", "bitwise.bitwise_xor", "The bits in which x and y differ.")
op("invert", "x", infer=same, types=INTS, public="bitwise.invert", doc="Every bit of x flipped.")
bits("left_shift", "bitwise.left_shift", "x moved left by y bits; y is held between 0 and all bits but one.")
bits(
    "right_shift",
    "bitwise.right_shift",
    "x moved right by y bits, keeping a signed x's sign; y is held between 0 and all bits but one.",
)
