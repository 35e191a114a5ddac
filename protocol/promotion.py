"""Which pairs of operands TensorFlow's binary functions and operators take, and in which dtypes it computes.

Owns: `resolve` and `supported`, the reading of `promotion.json`. Does not know tensors, shapes, ops or devices: a
tensor operand is named by its `DType`. Values are converted by `protocol.conversion`.

    resolve("+", float32, 2)      both operands float32, computed in float32, the result float32
    resolve("/", int32, 2)        both int32, cast to float64, the result float64
    resolve("add", 1, float32)    InvalidArgumentError: `tf.add` converts its left operand first, to int32

The rules are measured, not reasoned: `tests/peers/generate_promotion.py` asks TensorFlow 2.21. A rule is named by a
function ("add") or an operator ("+"), because `x + y`, `tf.add(x, y)` and `x * y` differ. Three kinds of operand are
told apart: a tensor; a NumPy scalar or array, which is cast to whatever is wanted, silently; a Python scalar or list,
which is converted only where that is safe in kind: 1 to float32, never 1.5 to int32.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from protocol.conversion import Leaves, base_type, natural_dtype, to_array
from protocol.dtypes import ALL, BY_CODE, DType
from protocol.errors import InvalidArgumentError, NotFoundError

__all__ = ["Resolution", "natural_dtype", "resolve", "rules", "supported", "to_array"]


class Resolution(NamedTuple):
    """How a binary op treats its operands.

    `operand` is what the values that are no tensors are converted to (None: each to its natural dtype). Then both
    operands are cast to `compute`, and what comes out to `result`. The three are the same but for the division of
    integers, comparisons and `*` with bools.
    """

    operand: DType | None
    compute: DType
    result: DType


_CODES: Final = "0123456789abcde"
_EACH: Final = "~"
_MEMO_LIMIT: Final = 8192
_memo: dict[Any, Resolution] = {}

_PYTHON_KIND: Final[dict[type, str]] = {
    bool: "python bool",
    int: "python int32",
    float: "python float32",
    complex: "python complex128",
}
_ERRORS: Final[dict[str, type[Exception]]] = {
    "T": TypeError,
    "V": ValueError,
    "I": InvalidArgumentError,
    "N": NotFoundError,
    ".": TypeError,  # an operator with no tensor on either side, which is not ours
}
_NUMPY_KIND: Final = {t: f"numpy {t.name}" for t in ALL}


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_name("promotion.json").read_text(encoding="ascii"))
    kinds = [
        f"{family} {BY_CODE[_CODES.index(c)].name}"
        for family in ("tensor", "python", "numpy")
        for c in table["kinds"][family]
    ]
    table["index"] = {kind: at for at, kind in enumerate(kinds)}
    return table


def rules() -> tuple[str, ...]:
    """The names that `resolve` takes: operators as Python writes them, functions as TensorFlow names them."""
    return tuple(_table()["rules"])


def supported(rule: str) -> tuple[DType, ...]:
    """The operand dtypes that `rule` takes."""
    return tuple(t for t, c in zip(ALL, _rule(rule)[1], strict=True) if c in _CODES)


def resolve(rule: str, left: Any, right: Any) -> Resolution:
    """The dtypes that `rule` gives its operands; a `DType` stands for a tensor, anything else for itself. Memoised.

    Raises:
        InvalidArgumentError, NotFoundError: the operands' dtypes differ, or the op does not take them.
        TypeError, ValueError: a value that cannot be converted.
    """
    key = (
        rule,
        left if type(left) is DType else _kind(left, right),
        right if type(right) is DType else _kind(right, left),
    )
    found = _memo.get(key)
    if found is None:
        found = _resolve(*key)
        if len(_memo) >= _MEMO_LIMIT:
            _memo.clear()
        _memo[key] = found
    return found


def _kind(value: Any, other: Any) -> str:
    """What the rules see of a value: "python int32" and the like, by the dtype that the value has on its own."""
    kind = type(value)
    known = _PYTHON_KIND.get(kind)
    if known is not None and (kind is not int or -(2**31) <= value < 2**31):
        return known
    if hasattr(kind, "__array__"):
        return _NUMPY_KIND[natural_dtype(value)]
    leaves = Leaves(value)
    if not leaves.types:
        return "numpy float32"  # an empty list is cast to anything, as an array is
    try:
        return "python " + leaves.natural().name
    except ValueError:
        # [True, 1] and 2**63 have no dtype of their own, but some tensors' dtypes fit them.
        if type(other) is not DType or not leaves.fits(other):
            raise
        return _PYTHON_KIND.get(base_type(leaves.first), "python bool")


def _resolve(rule: str, left: Any, right: Any) -> Resolution:
    at, compute, result = _rule(rule)
    index = _table()["index"]
    row = left if isinstance(left, str) else f"tensor {left.name}"
    column = right if isinstance(right, str) else f"tensor {right.name}"
    operand = _table()["matrices"][at][index[row]][index[column]]
    if operand == _EACH:
        return Resolution(None, BY_CODE[_CODES.index(compute[0])], BY_CODE[_CODES.index(result[0])])
    if operand not in _CODES:
        left_name, right_name = row.split()[1], column.split()[1]
        if left_name == right_name:
            raise _error(operand, f"{rule} does not take operands of dtype {left_name}")
        raise _error(
            operand, f"{rule}: operands of dtypes {left_name} and {right_name} ({row} and {column}) do not go together"
        )
    code = _CODES.index(operand)
    if compute[code] not in _CODES:
        names = ", ".join(t.name for t in supported(rule))
        raise _error(compute[code], f"{rule} does not take operands of dtype {BY_CODE[code].name}; it takes: {names}")
    return Resolution(BY_CODE[code], BY_CODE[_CODES.index(compute[code])], BY_CODE[_CODES.index(result[code])])


def _rule(rule: str) -> tuple[int, str, str]:
    try:
        at, compute, result = _table()["rules"][rule]
    except KeyError:
        raise KeyError(f"no operand rule for {rule!r}") from None
    return at, compute, result


def _error(letter: str, message: str) -> Exception:
    return _ERRORS[letter](message)
