"""Python and NumPy values to arrays, as TensorFlow's eager mode converts them.

Owns: `natural_dtype`, `to_array`, and `Leaves`, a nested list taken apart. Does not know tensors, ops or operand rules
(`protocol.promotion`): a list that holds tensors is its caller's, and an object with `__array__` is asked for it.

TensorFlow looks at the first element, then converts all to its type; these are its rules, messages and error classes.
The exceptions: what crashes TensorFlow (uint64 of a negative or larger integer) is a ValueError; strings are refused.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from protocol.dtypes import (
    ALL,
    BY_NUMPY,
    DType,
    bfloat16,
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int32,
    int64,
    uint64,
)

Array = npt.NDArray[Any]

_CAST_FROM_NATURAL: Final = frozenset(["int8", "int16", "uint8", "uint16", "uint32", "bfloat16", "complex64"])
_INT_LIMITS: Final = {int32: (-(2**31), 2**31 - 1), int64: (-(2**63), 2**63 - 1), uint64: (0, 2**64 - 1)}
_CPP_NAMES: Final = {float16: "half", float32: "float", float64: "double"}

# The values between which a Python scalar of that type surely becomes that dtype with no check, overflow or warning.
_LIMITS: Final[dict[tuple[type, DType], tuple[float, float]]] = {
    (bool, bool_): (0, 1),
    **{(bool, t): (0, 1) for t in (int32, int64, uint64, float16, float32, float64, complex128)},
    **{(int, t): (int(t.min), int(t.max)) for t in ALL if t.is_integer},
    **{(int, t): (-60000, 60000) for t in (float16, bfloat16)},
    **{(int, t): (-(2**63), 2**63 - 1) for t in (float32, float64, complex64, complex128)},
    (float, float16): (-60000.0, 60000.0),
    **{(float, t): (-1e38, 1e38) for t in (float32, complex64)},
    **{(float, t): (float("-inf"), float("inf")) for t in (float64, complex128)},
}


def natural_dtype(value: Any) -> DType:
    """The dtype of `tf.constant(value)`: int32 for an int (int64 if it needs it), float32 for a float, NumPy's own.

    Raises:
        TypeError: strings.
        ValueError: what TensorFlow takes for no tensor: None, ragged or mixed lists, integers beyond int64.
    """
    kind = type(value)
    if kind is int and -(2**31) <= value < 2**31:
        return int32
    if kind is float and -3e38 < value < 3e38:
        return float32
    if isinstance(value, (np.ndarray, np.generic)):
        return _numpy_dtype(value.dtype)
    if hasattr(kind, "__array__"):
        return _numpy_dtype(np.asarray(value).dtype)
    leaves = Leaves(value)
    dtype = leaves.natural()
    if dtype is float32:
        leaves.check_float32()
    return dtype


def to_array(value: Any, dtype: DType | None = None, dtype_hint: DType | None = None) -> Array:
    """`value` as a C-contiguous array in native byte order; an array that is one already is returned, not copied.

    Without `dtype` the natural one; `dtype_hint` is tried first and given up silently. Python values are refused where
    TensorFlow refuses them. NumPy values are cast to `dtype` whatever they hold, and integers wrap, as in TensorFlow.

    Raises:
        TypeError: a value that `dtype` cannot hold, as 1.5 in int32; strings.
        ValueError: None, ragged or mixed lists, integers beyond the widest type.
    """
    limits = _LIMITS.get((type(value), dtype))  # type: ignore[arg-type]
    if limits is not None and limits[0] <= value <= limits[1]:
        return np.asarray(value, dtype.numpy)  # type: ignore[union-attr]
    if dtype is None and dtype_hint is not None:
        try:
            return to_array(value, dtype_hint)
        except (TypeError, ValueError):
            return to_array(value)
    if isinstance(value, (np.ndarray, np.generic)) or hasattr(type(value), "__array__"):
        return _from_numpy(np.asarray(value), dtype)
    return Leaves(value).convert(dtype)


def _from_numpy(array: Array, dtype: DType | None) -> Array:
    if dtype is None or array.dtype.kind in "SUT":
        dtype = _numpy_dtype(array.dtype)
    if array.dtype is dtype.numpy and array.flags.c_contiguous:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(array, dtype.numpy, order="C")


def _numpy_dtype(numpy: np.dtype[Any]) -> DType:
    found = BY_NUMPY.get(numpy) or BY_NUMPY.get(numpy.newbyteorder("="))
    if found is None:
        if numpy.kind in "SUT":
            raise TypeError("string tensors are not supported: Telegrad holds numbers and booleans only")
        raise ValueError(f"Failed to convert a NumPy array to a Tensor (Unsupported numpy type: {numpy}).")
    return found


def base_type(value: Any) -> type:
    """The Python type that stands for a leaf's: np.float32 is a float here, an IntEnum an int."""
    for base, types in _BASES:
        if isinstance(value, types):
            return base
    if isinstance(value, (str, bytes)):
        return str
    raise ValueError(
        f"Attempt to convert a value ({value!r:.200}) with an unsupported type ({type(value)}) to a Tensor."
    )


_BASES: Final[tuple[tuple[type, tuple[type, ...]], ...]] = (
    (np.bool_, (np.bool_,)),
    (bool, (bool,)),
    (int, (int, np.integer)),
    (float, (float, np.floating)),
    (complex, (complex, np.complexfloating)),
)


class Leaves:
    """A Python scalar or nested list, taken apart: its shape, its leaves in order, the first one, and the types."""

    __slots__ = ("first", "leaves", "shape", "types", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        leaves: Any = [value]
        shape: tuple[int, ...] = ()
        while leaves and _is_sequence(leaves[0]):
            if all(type(leaf) is np.ndarray and leaf.dtype == leaves[0].dtype for leaf in leaves):
                # Arrays of one dtype: one stack of them, whose scalars need not be looked at one by one.
                if any(leaf.shape != leaves[0].shape for leaf in leaves):
                    raise ValueError("Can't convert non-rectangular Python sequence to Tensor.")
                leaves, tail = np.concatenate([leaf.reshape(-1) for leaf in leaves]), leaves[0].shape
                shape += tail
                break
            count = len(leaves[0])
            if not all(_is_sequence(leaf) and len(leaf) == count for leaf in leaves):
                raise ValueError("Can't convert non-rectangular Python sequence to Tensor.")
            leaves = leaves[0] if len(leaves) == 1 else list(chain.from_iterable(leaves))
            shape += (count,)
        if not isinstance(leaves, np.ndarray) and any(issubclass(t, np.ndarray) for t in set(map(type, leaves))):
            leaves = [leaf[()] if isinstance(leaf, np.ndarray) and leaf.ndim == 0 else leaf for leaf in leaves]
        self.leaves, self.shape = leaves, shape
        self.first = leaves[0] if len(leaves) else None
        if isinstance(leaves, np.ndarray):
            self.types = {base_type(self.first)} if len(leaves) else set()
            return
        examples = {type(leaf): leaf for leaf in leaves}
        if len(examples) > 1 and any(_is_sequence(e) for e in examples.values()):
            raise _mixed()
        if len(examples) > 1 and None in leaves:
            raise _mixed()
        self.types = {base_type(example) for example in examples.values()}

    def natural(self) -> DType:
        """The leaves' own dtype. The first one says most: [1.5, True] is float32, [True, 1.5] is refused."""
        if not self.types:
            return float32
        first, types = base_type(self.first), self.types
        if str in types:
            if len(types) > 1:
                raise _mixed()
            raise TypeError("string tensors are not supported: Telegrad holds numbers and booleans only")
        if first in (bool, np.bool_):
            if types <= {bool, np.bool_}:
                return bool_
        elif np.bool_ not in types:
            if first is int and types <= {bool, int}:
                low, high = min(self.leaves), max(self.leaves)
                if not -(2**63) <= low <= high < 2**63:
                    raise _out_of_range()
                return int32 if low >= -(2**31) and high < 2**31 else int64
            if first in (int, float) and complex not in types:
                special = {np.float64: float64, np.float16: float16}
                return special.get(type(self.first), float32)
            if first is complex:
                return complex128
        raise _mixed()

    def convert(self, dtype: DType | None) -> Array:
        """The leaves as an array of `dtype`: straight where TensorFlow has a way, else from their natural dtype."""
        if dtype is None or not self.fits(dtype):
            natural = self.natural()
            if dtype is None and natural is float32:
                self.check_float32()
            if dtype is uint64 and self.types <= {bool, int}:
                raise _out_of_range()
            if dtype is not None and not _compatible(dtype, natural):
                name = _CPP_NAMES.get(dtype, dtype.name)
                raise TypeError(f"Cannot convert {reprlib.repr(self.value)} to EagerTensor of dtype {name}")
            array = self._array(natural)
            dtype = dtype or natural
        else:
            array = self._array(dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(array, dtype.numpy, order="C")

    def check_float32(self) -> None:
        """Refuse what float32 cannot hold: only where nobody asked for float32, which would make it infinite."""
        if any(3.4028235677973366e38 <= abs(v) < float("inf") for v in map(_plain, self.leaves)):
            raise ValueError("Can't convert Python sequence with a value out of range for a double-precision float.")

    def fits(self, dtype: DType) -> bool:
        """Whether TensorFlow converts these leaves straight to `dtype`, without asking for their natural one."""
        if dtype is bool_:
            return self.types <= {bool, np.bool_}
        if np.bool_ in self.types or str in self.types or dtype.name in _CAST_FROM_NATURAL:
            return not self.types
        if dtype.is_integer:
            low, high = _INT_LIMITS[dtype]
            return self.types <= {bool, int} and all(low <= v <= high for v in self.leaves)
        if dtype.is_floating and not self.types <= {bool, int, float}:
            return False
        return not any(isinstance(v, int) and abs(v) >= 2**1023 for v in self.leaves)

    def _array(self, dtype: DType) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.array(self.leaves, dtype.numpy).reshape(self.shape)


def _compatible(dtype: DType, natural: DType) -> bool:
    """Whether TensorFlow casts a Python value of `natural` dtype to `dtype`: never from bool, never down in kind."""
    order = {"b": -1, "i": 0, "u": 0, "f": 1, "c": 2}
    return dtype is natural or 0 <= order[natural.kind] <= order[dtype.kind]


def _is_sequence(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return True
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _plain(value: Any) -> int | float:
    """A NumPy scalar as Python's number: comparing it as it is would round what it is compared with to its own type."""
    return value if isinstance(value, int) else float(value)


def _mixed() -> ValueError:
    return ValueError("Can't convert Python sequence with mixed types to Tensor.")


def _out_of_range() -> ValueError:
    return ValueError("Can't convert Python sequence with out-of-range integer to Tensor.")
