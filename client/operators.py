"""Python's operators on tensors and variables.

Owns: the table from `__add__` and its like to ops, and its installation on `Operand`. Does not know promotion's rules
(`protocol.promotion`) or what an index means (`client.indexing`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from client.convert import constant_value_tensor, convert_to_tensor, resolve
from client.dispatch import call, execute
from client.indexing import getitem
from client.tensor import Operand
from protocol import promotion
from protocol.dtypes import DType, bool_
from protocol.errors import InvalidArgumentError
from protocol.ops import OPS, Op

# Python's method -> the operator, as promotion's rules name it, and the op.
_ARITHMETIC: Final = {
    "add": ("+", "add"), "sub": ("-", "subtract"), "mul": ("*", "multiply"), "truediv": ("/", "divide"),
    "floordiv": ("//", "floordiv"), "mod": ("%", "floormod"), "pow": ("**", "pow"), "matmul": ("@", "matmul"),
    "and": ("&", "bitwise_and"), "or": ("|", "bitwise_or"), "xor": ("^", "bitwise_xor"),
}  # fmt: skip
_ORDER: Final = {
    "lt": ("<", "less"), "le": ("<=", "less_equal"), "gt": (">", "greater"), "ge": (">=", "greater_equal"),
}  # fmt: skip
_EQUALITY: Final = {"eq": ("==", "equal"), "ne": ("!=", "not_equal")}
_OF_BOOLS: Final = {"bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_xor": "logical_xor"}


def binary(rule: str, op: Op, x: Any, y: Any) -> Any:
    """`x <rule> y`, with operands promoted as TensorFlow's operators do. At least one of the two is a tensor or
    variable.

    Raises:
        TypeError, ValueError, tf.errors.InvalidArgumentError: dtypes that don't go together, or shapes that don't
        broadcast.
    """
    operand, compute, result = resolve(rule, op, x, y)
    inputs = []
    for value in (x, y):
        tensor: Any = value if isinstance(value, Operand) else convert_to_tensor(value, operand)
        inputs.append(tensor if tensor._spec.dtype is compute else call("cast", tensor, dtype=compute))
    if compute is bool_ and op.name in _OF_BOOLS:
        op = OPS[_OF_BOOLS[op.name]]
    found = execute(op, inputs)
    return found if found._spec.dtype is result else call("cast", found, dtype=result)


def _plain_when_same(rule: str) -> frozenset[DType]:
    """The dtypes for which two tensors of that dtype need no casts: the short way."""
    kinds = []
    for kind in promotion.supported(rule):
        operand, compute, result = promotion.resolve(rule, kind, kind)
        if operand is kind and compute is kind and result in (kind, bool_) and kind is not bool_:
            kinds.append(kind)
    return frozenset(kinds)


def _methods(rule: str, op: Op) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    plain = _plain_when_same(rule)

    def forward(self: Any, other: Any) -> Any:
        if isinstance(other, Operand):
            kind = self._spec.dtype
            if kind is other._spec.dtype and kind in plain:
                return execute(op, (self, other))
        elif _defers_to(other):
            return NotImplemented
        return binary(rule, op, self, other)

    def reflected(self: Any, other: Any) -> Any:
        return binary(rule, op, other, self)

    return forward, reflected


def _defers_to(other: Any) -> bool:
    """Whether an unknown class has operators of its own that come first."""
    return getattr(other, "__array_priority__", 0) > Operand.__array_priority__


def _equality(rule: str, op: Op) -> Callable[[Any, Any], Any]:
    forward, _ = _methods(rule, op)
    differs = rule == "!="

    def method(self: Any, other: Any) -> Any:
        if other is None:
            return differs
        try:
            return forward(self, other)
        except InvalidArgumentError as error:
            if "Incompatible shapes" not in str(error):
                raise
            # Tensors of shapes that don't broadcast are simply not equal.
            import numpy as np

            return constant_value_tensor(np.array(differs))

    return method


def _abs(self: Any) -> Any:
    return call("abs", self)


def _neg(self: Any) -> Any:
    return call("negative", self)


def _invert(self: Any) -> Any:
    return call("logical_not" if self._spec.dtype is bool_ else "invert", self)


def install() -> None:
    """Give `Operand` its operators. `==` compares elementwise, so tensors are not hashable: `ref()` is."""
    methods: dict[str, Any] = {
        "abs": _abs, "neg": _neg, "invert": _invert, "pos": lambda self: self, "getitem": getitem, "hash": _unhashable,
    }  # fmt: skip
    for name, (rule, op) in _ARITHMETIC.items():
        methods[name], methods[f"r{name}"] = _methods(rule, OPS[op])
    for name, (rule, op) in _ORDER.items():
        methods[name] = _methods(rule, OPS[op])[0]
    for name, (rule, op) in _EQUALITY.items():
        methods[name] = _equality(rule, OPS[op])
    for name, method in methods.items():
        if method is not getitem and name != "hash":
            method.__name__ = method.__qualname__ = f"__{name}__"
        setattr(Operand, f"__{name}__", method)


def _unhashable(self: Any) -> int:
    raise TypeError(f"{type(self).__name__} is unhashable. Instead, use tensor.ref() as the key.")
