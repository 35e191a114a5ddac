"""The language of einsum equations: parsing, and which label each axis of an operand bears.

Owns: `parse`, `axis_labels`, `Label`. Does not know specs or arrays: inference and the kernel both use it.

An axis's label is the letter that the equation gives it, or, under an ellipsis, the axis's distance from the ellipsis's
right end: so the integers 0, 1, ... name the same axis in every operand, as broadcasting wants it.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from protocol.errors import InvalidArgumentError

Label: TypeAlias = str | int

ELLIPSIS: Final = "."  # one character inside subscripts stands for the three of the equation
_FORM: Final = re.compile(r"[A-Za-z.]*(?:,[A-Za-z.]*)*(?:->[A-Za-z.]*)?")


class Equation(NamedTuple):
    """The operands' subscripts and the result's, each with `ELLIPSIS` at most once."""

    operands: tuple[str, ...]
    result: str


@lru_cache(maxsize=1024)
def parse(equation: str) -> Equation:
    """`equation` as subscripts. An absent result has the ellipsis, if any, then the labels that occur once, in order.

    Raises:
        ValueError: not an equation, or a result with a label that is repeated or that no operand has.
    """
    text = "".join(equation.split()).replace("...", ELLIPSIS)
    operands, arrow, result = text.partition("->")
    terms = tuple(operands.split(","))
    if not _FORM.fullmatch(text) or any(t.count(ELLIPSIS) > 1 for t in (*terms, result)):
        raise ValueError(f"Subscripts have incorrect format: {equation}")
    counts = Counter("".join(terms))
    dots = counts.pop(ELLIPSIS, 0)
    if not arrow:
        result = ELLIPSIS * bool(dots) + "".join(sorted(label for label, n in counts.items() if n == 1))
    for label in result.replace(ELLIPSIS, ""):
        if label not in counts:
            raise ValueError(f"Output subscripts contain the label {label} not present in the input subscripts.")
        if result.count(label) > 1:
            raise ValueError(f"Output subscripts contain a label appearing more than once: {equation}")
    return Equation(terms, result)


def axis_labels(subscripts: str, rank: int, which: int = 0) -> tuple[Label, ...]:
    """The label of each of `rank` axes of operand number `which`. InvalidArgumentError when the rank doesn't fit."""
    before, dots, after = subscripts.partition(ELLIPSIS)
    hidden = rank - len(before) - len(after)
    if hidden < 0 or (hidden and not dots):
        bound = "at least " if dots else ""
        wanted = len(before) + len(after)
        raise InvalidArgumentError(f"Expected input {which} to have rank {bound}{wanted} but got: {rank}")
    return (*before, *reversed(range(hidden)), *after)
