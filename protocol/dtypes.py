"""The element types both sides know, their one-byte wire codes and their NumPy counterparts.

Owns: `DType`, the sixteen dtypes, and `as_dtype`. Does not know tensors, promotion (`protocol.promotion`) or devices.
Strings are no dtype here: a remote accelerator has no use for them, and asking for one is a `TypeError` that says so.
"""

from __future__ import annotations

from typing import Any, Final

import ml_dtypes
import numpy as np


class DType:
    """A tensor's element type, with TensorFlow's attributes.

    Interned: there is one object for each dtype, so identity is equality. Comparing with whatever `as_dtype` takes
    works too:

    >>> float32 == "float32", float32 == np.float32, float32.size
    (True, True, 4)
    """

    __slots__ = ("as_datatype_enum", "as_numpy_dtype", "code", "differentiable", "kind", "name", "numpy", "size")

    def __init__(self, name: str, code: int, kind: str, numpy_type: Any, enum: int) -> None:
        self.name: Final = name
        self.code: Final = code
        self.kind: Final = kind  # 'b'ool, 'i'nt, 'u'nsigned, 'f'loat, 'c'omplex
        self.as_numpy_dtype: Final = numpy_type
        self.numpy: Final[np.dtype[Any]] = np.dtype(numpy_type)
        self.size: Final = self.numpy.itemsize
        self.as_datatype_enum: Final = enum
        self.differentiable: Final = kind in "fc"

    @property
    def is_bool(self) -> bool:
        return self.kind == "b"

    @property
    def is_integer(self) -> bool:
        return self.kind in "iu"

    @property
    def is_unsigned(self) -> bool:
        return self.kind == "u"

    @property
    def is_floating(self) -> bool:
        return self.kind == "f"

    @property
    def is_complex(self) -> bool:
        return self.kind == "c"

    @property
    def is_numeric(self) -> bool:
        return self.kind != "b"

    @property
    def is_numpy_compatible(self) -> bool:
        return True

    @property
    def base_dtype(self) -> DType:
        return self

    @property
    def real_dtype(self) -> DType:
        """The dtype of the real and imaginary parts: float32 for complex64, itself for what is real."""
        return {"complex64": float32, "complex128": float64}.get(self.name, self)

    @property
    def min(self) -> Any:
        return self._limit("min")

    @property
    def max(self) -> Any:
        return self._limit("max")

    def _limit(self, which: str) -> Any:
        if self.kind == "b":
            return which == "max"
        if self.kind == "c":
            raise TypeError(f"Cannot find {which}imum value of {self!r}.")
        info: Any = np.iinfo(self.numpy) if self.kind in "iu" else ml_dtypes.finfo(self.numpy)  # type: ignore[no-untyped-call]
        return getattr(info, which)

    def is_compatible_with(self, other: Any) -> bool:
        return self is as_dtype(other)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if other is None or isinstance(other, DType):
            return False
        try:
            return self is as_dtype(other)
        except TypeError:
            return False

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __str__(self) -> str:
        return f"<dtype: '{self.name}'>"

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self.name,)


# The last column is TensorFlow's DataType number: tools that store it find the one they expect.
bool_ = DType("bool", 0, "b", np.bool_, 10)
int8 = DType("int8", 1, "i", np.int8, 6)
int16 = DType("int16", 2, "i", np.int16, 5)
int32 = DType("int32", 3, "i", np.int32, 3)
int64 = DType("int64", 4, "i", np.int64, 9)
uint8 = DType("uint8", 5, "u", np.uint8, 4)
uint16 = DType("uint16", 6, "u", np.uint16, 17)
uint32 = DType("uint32", 7, "u", np.uint32, 22)
uint64 = DType("uint64", 8, "u", np.uint64, 23)
float16 = DType("float16", 9, "f", np.float16, 19)
bfloat16 = DType("bfloat16", 10, "f", ml_dtypes.bfloat16, 14)
float32 = DType("float32", 11, "f", np.float32, 1)
float64 = DType("float64", 12, "f", np.float64, 2)
complex64 = DType("complex64", 13, "c", np.complex64, 8)
complex128 = DType("complex128", 14, "c", np.complex128, 18)

ALL: Final = (
    bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64,
    float16, bfloat16, float32, float64, complex64, complex128,
)  # fmt: skip
BY_CODE: Final = {t.code: t for t in ALL}
BY_NAME: Final = {t.name: t for t in ALL} | {
    "half": float16,
    "float": float32,
    "double": float64,
}
BY_NUMPY: Final[dict[np.dtype[Any], DType]] = {t.numpy: t for t in ALL}
_PYTHON: Final[dict[Any, DType]] = {bool: bool_, int: int32, float: float32, complex: complex128}

FLOATS: Final = (float16, bfloat16, float32, float64)
INTS: Final = (int8, int16, int32, int64, uint8, uint16, uint32, uint64)
COMPLEX: Final = (complex64, complex128)


def as_dtype(value: Any) -> DType:
    """The `DType` that `value` names: a DType, a name ("float32"), a NumPy dtype or type, or Python's bool, int, float,
    complex.

    Raises:
        TypeError: no such dtype, or a string dtype.
    """
    if isinstance(value, DType):
        return value
    if isinstance(value, str) and value in BY_NAME:
        return BY_NAME[value]
    if isinstance(value, type) and value in _PYTHON:
        return _PYTHON[value]
    try:
        numpy_dtype = np.dtype(value)
    except TypeError:
        numpy_dtype = None
    if value is not None and numpy_dtype is not None:
        found = BY_NUMPY.get(numpy_dtype.newbyteorder("="))
        if found is not None:
            return found
        if numpy_dtype.kind in "SUT":
            raise TypeError("string tensors are not supported: Telegrad holds numbers and booleans only")
    raise TypeError(f"Cannot convert the argument `type_value`: {value!r} to a TensorFlow DType.")
