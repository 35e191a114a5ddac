"""Measure TensorFlow's operand rules and write them to `protocol/promotion.json`.

Run it with TensorFlow 2.21 installed (the `bench` extra), from the root of the repository:

    python -m tests.peers.generate_promotion

Every binary function and operator is called with every pair of operand kinds; what it converted the operands to is read
from the ops that TensorFlow then executed, not from the result alone. Functions and operators that treat their operands
alike share one matrix. The last step looks every measured outcome up in the table, so the compression loses nothing.
"""

from __future__ import annotations

import json
import operator
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_callbacks

from protocol import dtypes

TABLE = Path(__file__).parents[2] / "protocol" / "promotion.json"

# Python values are told apart by the dtype they have on their own: a big int is "int64", [np.float64(1)] "float64".
PYTHON = ("bool", "int32", "int64", "float16", "float32", "float64", "complex128")
KINDS = (
    [f"tensor {t.name}" for t in dtypes.ALL] + [f"python {n}" for n in PYTHON] + [f"numpy {t.name}" for t in dtypes.ALL]
)
SCALARS: dict[str, Any] = {
    "bool": True,
    "int32": 1,
    "int64": 2**40 + 1,  # 1 in every narrower integer type, so that no division by zero hides the answer
    "float32": 1.5,
    "complex128": 1 + 1j,
}
LISTS: dict[str, Any] = {n: [v] for n, v in SCALARS.items()} | {
    "float16": [np.float16(1.5)],
    "float64": [np.float64(1.5)],
}

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow, "@": operator.matmul, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "&": operator.and_, "|": operator.or_, "^": operator.xor,
}  # fmt: skip
FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": tf.add, "subtract": tf.subtract, "multiply": tf.multiply, "divide": tf.divide, "truediv": tf.truediv,
    "divide_no_nan": tf.math.divide_no_nan, "multiply_no_nan": tf.math.multiply_no_nan, "floordiv": tf.math.floordiv,
    "floormod": tf.math.floormod, "mod": tf.math.mod, "truncatediv": tf.truncatediv, "truncatemod": tf.truncatemod,
    "pow": tf.pow, "maximum": tf.maximum, "minimum": tf.minimum, "squared_difference": tf.math.squared_difference,
    "atan2": tf.atan2, "less": tf.less, "less_equal": tf.less_equal, "greater": tf.greater,
    "greater_equal": tf.greater_equal, "equal": tf.equal, "not_equal": tf.not_equal, "logical_and": tf.logical_and,
    "logical_or": tf.logical_or, "logical_xor": tf.math.logical_xor, "bitwise_and": tf.bitwise.bitwise_and,
    "bitwise_or": tf.bitwise.bitwise_or, "bitwise_xor": tf.bitwise.bitwise_xor, "left_shift": tf.bitwise.left_shift,
    "right_shift": tf.bitwise.right_shift, "xdivy": tf.math.xdivy, "xlogy": tf.math.xlogy, "xlog1py": tf.math.xlog1py,
    "igamma": tf.math.igamma, "igammac": tf.math.igammac, "zeta": tf.math.zeta,
    "polygamma": tf.math.polygamma, "matmul": tf.matmul,
}  # fmt: skip

CODES = "0123456789abcde"  # a dtype's wire code, as one character
ERRORS = {
    "TypeError": "T",
    "ValueError": "V",
    "InvalidArgumentError": "I",
    "NotFoundError": "N",
    "UnimplementedError": "U",
}
# bool_tensor | [1]: a TypeError, lost when TensorFlow then asks the list for an `__ror__`, which only its type has.
ERRORS["AttributeError"] = "T"
ABSENT = "."  # an operator between two values that are no tensors is Python's own business
EACH = "~"  # each operand is converted on its own, then cast: what `*` does when one operand is a bool tensor
UNSUPPORTED = (
    "not in the list of allowed values",
    "Could not find device",
    "Invalid dtype",
)

Outcome = tuple[str, str, str]  # the operands' common dtype, the dtype computed in, the result's: characters as above


def char(dtype: Any) -> str:
    return CODES[dtypes.as_dtype(dtype.name).code]


def operands(kind: str, matrix: bool) -> list[Any]:
    """The values that stand for `kind`: they must all behave alike."""
    family, name = kind.split()
    wrap = (lambda v: [[v[0]]]) if matrix else (lambda v: v)
    if family == "tensor":
        return [tf.cast(tf.constant(wrap([1])), name)]
    if family == "python":
        return ([SCALARS[name]] if name in SCALARS and not matrix else []) + [wrap(LISTS[name])]
    array = np.ones((1, 1) if matrix else 1, dtypes.as_dtype(name).numpy)
    # A bfloat16 scalar is not NumPy's own and has operators of its own, which do not yield to a tensor's.
    return [array] + ([array[0]] if not matrix and name != "bfloat16" else [])


def measure(function: Callable[[Any, Any], Any], x: Any, y: Any) -> Outcome | str:
    """What happened: the dtypes, or the letter of an error, after "?" where the op does not take the dtype."""
    seen: list[tuple[str, list[Any]]] = []

    def record(
        op_type: bytes | str, inputs: Any, attrs: Any, outputs: Any, op_name: Any = None, graph: Any = None
    ) -> None:
        seen.append((op_type.decode() if isinstance(op_type, bytes) else op_type, [i.dtype for i in inputs]))

    op_callbacks.add_op_callback(record)
    try:
        result = function(x, y)
    except Exception as error:
        letter = ERRORS[type(error).__name__]
        return "?" + letter if any(text in str(error) for text in UNSUPPORTED) else letter
    finally:
        op_callbacks.remove_op_callback(record)
    if not isinstance(result, tf.Tensor):
        # bool_tensor / array: TensorFlow refuses, then asks the array, and NumPy divides. We stop at the refusal.
        return "?T"
    computed = next(inputs for name, inputs in seen if name != "Cast")
    if computed[0] != computed[1]:
        # matmul of a bfloat16 and a float32 tensor, through a sparse kernel: we refuse it as any other mismatch.
        assert seen[-1][0] == "SparseMatMul", seen
        return "I"
    cast = [inputs[0] for name, inputs in seen if name == "Cast"][:2]
    operand = EACH if len(cast) == 2 and cast[0] != cast[1] else char(seen[0][1][0])
    return operand, char(computed[0]), char(result.dtype)


def measure_all(name: str, function: Callable[[Any, Any], Any]) -> dict[tuple[str, str], Outcome | str]:
    found: dict[tuple[str, str], Outcome | str] = {}
    matrix = name in ("@", "matmul")
    values = {kind: operands(kind, matrix) for kind in KINDS}
    for left in KINDS:
        for right in KINDS:
            if name in OPERATORS and not (left.startswith("tensor") or right.startswith("tensor")):
                found[left, right] = ABSENT
                continue
            outcomes = [measure(function, x, y) for x in values[left] for y in values[right]]
            # A list takes a slower path through TensorFlow: it refuses the same, now and then with another error.
            refused = all(isinstance(o, str) for o in outcomes)
            assert refused or len(set(outcomes)) == 1, f"{name} {left} {right}: {outcomes}"
            found[left, right] = outcomes[0]
    return found


def supported(name: str, found: dict[tuple[str, str], Outcome | str]) -> tuple[str, str]:
    """By dtype of the operands: the dtype computed in, and the result's; an error's letter where there is none."""
    compute, result = "", ""
    for t in dtypes.ALL:
        outcome = found[f"tensor {t.name}", f"tensor {t.name}"]
        if isinstance(outcome, str):
            compute, result = compute + outcome[-1], result + outcome[-1]
        else:
            compute, result = compute + outcome[1], result + outcome[2]
    return compute, result


def pattern(found: dict[tuple[str, str], Outcome | str]) -> str:
    """The operands' dtype for every pair of kinds, as one string, rows after each other; "?" where the op hid it."""
    return "".join(o[0] for o in found.values())


def merge(one: str, other: str) -> str | None:
    """Both patterns as one, if they differ in hidden places only."""
    if any(a != b and "?" not in (a, b) for a, b in zip(one, other, strict=True)):
        return None
    return "".join(b if a == "?" else a for a, b in zip(one, other, strict=True))


def look_up(matrix: str, compute: str, result: str, cell: int) -> Outcome | str:
    """What the table says of one cell: the reading that `protocol.promotion` makes too."""
    operand = matrix[cell]
    if operand == EACH:
        return operand, compute[0], result[0]
    if operand not in CODES:
        return operand
    at = CODES.index(operand)
    return (operand, compute[at], result[at]) if compute[at] in CODES else compute[at]


def generate() -> dict[str, Any]:
    warnings.simplefilter("ignore")
    measured = {name: measure_all(name, f) for name, f in (OPERATORS | FUNCTIONS).items()}
    matrices: list[str] = []
    # The ops that hide least come first: each later one then has few places left to be wrong in.
    for name in sorted(measured, key=lambda n: (pattern(measured[n]).count("?"), n)):
        own = pattern(measured[name])
        for at, matrix in enumerate(matrices):
            merged = merge(matrix, own)
            if merged is not None:
                matrices[at] = merged
                break
        else:
            matrices.append(own)
    # A place hidden in every op of a matrix: no dtype is supported there, so the error is the whole answer.
    rules: dict[str, Any] = {}
    final: dict[int, list[str]] = {}
    for name in sorted(measured):
        own = pattern(measured[name])
        at = next(i for i, matrix in enumerate(matrices) if merge(matrix, own) == matrix)
        compute, result = supported(name, measured[name])
        rules[name] = [at, compute, result]
        cells = final.setdefault(at, list(matrices[at]))
        for cell, outcome in enumerate(measured[name].values()):
            if cells[cell] == "?":
                cells[cell] = outcome[-1]
    table = {
        "kinds": {"tensor": CODES, "python": "".join(CODES[dtypes.as_dtype(n).code] for n in PYTHON), "numpy": CODES},
        "tensorflow": ".".join(tf.__version__.split(".")[:2]),
        "matrices": ["".join(final[at]) for at in range(len(matrices))],
        "rules": rules,
    }
    for name, found in measured.items():
        at, compute, result = rules[name]
        for cell, (kinds, outcome) in enumerate(found.items()):
            said = look_up(table["matrices"][at], compute, result, cell)
            expected = outcome[-1] if isinstance(outcome, str) else outcome
            # Dtypes that differ, and that the op does not take either: it may complain of one or the other.
            either = outcome[0] == "?" and said in ERRORS.values()
            assert said == expected or either, f"{name} {kinds}: TensorFlow {outcome}, the table {said}"
    width = len(KINDS)
    table["matrices"] = [[m[i : i + width] for i in range(0, len(m), width)] for m in table["matrices"]]
    return table


def as_text(table: dict[str, Any]) -> str:
    return json.dumps(table, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    TABLE.write_text(as_text(generate()), encoding="ascii")
    print(f"{TABLE}: {TABLE.stat().st_size} bytes", file=sys.stderr)
