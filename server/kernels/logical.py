"""Kernels of the comparisons, logic and bits."""

from __future__ import annotations

from typing import Any

from server.kernels.registry import kernel

# Ops that are one ufunc.
UFUNCS = {
    "equal": "equal",
    "not_equal": "not_equal",
    "less": "less",
    "less_equal": "less_equal",
    "greater": "greater",
    "greater_equal": "greater_equal",
    "is_nan": "isnan",
    "is_inf": "isinf",
    "is_finite": "isfinite",
    "logical_and": "logical_and",
    "logical_or": "logical_or",
    "logical_xor": "logical_xor",
    "logical_not": "logical_not",
    "bitwise_and": "bitwise_and",
    "bitwise_or": "bitwise_or",
    "bitwise_xor": "bitwise_xor",
    "invert": "invert",
}


def _plain(name: str, ufunc: str) -> None:
    kernel(name, lambda xp, *arrays: getattr(xp, ufunc)(*arrays))


def _shift(name: str, ufunc: str) -> None:
    def run(xp: Any, x: Any, y: Any) -> Any:
        # A shift by a negative amount or by all the bits is undefined in C.
        return getattr(xp, ufunc)(x, xp.clip(y, 0, 8 * x.dtype.itemsize - 1))

    kernel(name, run)


for _name, _ufunc in UFUNCS.items():
    _plain(_name, _ufunc)
_shift("left_shift", "left_shift")
_shift("right_shift", "right_shift")
