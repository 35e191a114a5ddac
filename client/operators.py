"""Python's operators on tensors and variables.

Owns: the table from `__add__` and its like to ops, and its installation on `Operand`. Does not know promotion's rules (`protocol.promotion`) or indexing (`client.indexing`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from client import dispatch
from client.convert import convert_to_tensor
from client.indexing import getitem
from client.tensor import Operand
from protocol.errors import InvalidArgumentError

# Python's operator -> the op; those that TensorFlow's operators treat differently from one op are functions below.
_BINARY: Final = {"add": "add", "sub": "subtract", "mul": "multiply", "matmul": "matmul"}


def install() -> None:
    """Give `Operand` its operators."""
    for python, op in _BINARY.items():
        _set_binary(python, _function(op))


def _function(op: str) -> Callable[[Any, Any], Any]:
    return lambda x, y: dispatch.call(op, x, y)


def _set_binary(python: str, compute: Callable[[Any, Any], Any]) -> None:
    def forward(self: Any, other: Any) -> Any:
        return compute(self, other)

    def reflected(self: Any, other: Any) -> Any:
        return compute(other, self)

    setattr(Operand, f"__{python}__", forward)
    setattr(Operand, f"__r{python}__", reflected)


assert np and convert_to_tensor and getitem and InvalidArgumentError
