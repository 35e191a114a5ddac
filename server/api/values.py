"""Tensors as other tools write them: JSON, msgpack, and NumPy's `.npy`.

Owns: from arrays to these forms and back, with every check. Does not know sessions, names or HTTP.

In JSON and msgpack a tensor is `{"dtype", "shape", "data"}`, or data alone: a number, a bool, or lists of them. `data`
is nested lists, or one flat list for a `shape` that is given; in msgpack it may be bytes: the elements in C order,
little-endian. Without a dtype, integers are int32 (int64 where one does not fit), numbers with a fraction float32.

    NaN and infinities   the strings "NaN", "Infinity", "-Infinity"
    integers             with all their digits; on the way in also as strings of digits
    complex numbers      pairs [real, imaginary]
    float16, bfloat16    numbers, rounded to the nearest on the way in
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import ml_dtypes
import numpy as np

from protocol import dtypes, wire
from protocol.dtypes import BY_NUMPY, DType
from protocol.errors import InvalidArgumentError, ProtocolError
from protocol.spec import MAX_RANK, Spec

MAX_LISTED: Final = 2**18
"""Elements that are written as lists of numbers, in all of an answer."""
_INT: Final = re.compile(r"-?[0-9]{1,20}")
_SPECIAL: Final = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}
_PIECE: Final = 4096


def dtype_named(name: Any) -> DType:
    """The dtype of that name. Raises InvalidArgumentError."""
    found = dtypes.BY_NAME.get(name) if isinstance(name, str) else None
    if found is None:
        raise InvalidArgumentError(f"{name!r:.50} is no dtype; those are {', '.join(t.name for t in dtypes.ALL)}")
    return found


# --- in --------------------------------------------------------------------------------------------------------------


class Literal(NamedTuple):
    """A value as it was given. `typed` says whether it came with a dtype; if not, an op may choose one."""

    data: Any
    dtype: DType | None
    shape: tuple[int, ...] | None

    @property
    def typed(self) -> bool:
        return self.dtype is not None

    def array(self, dtype: DType | None = None) -> np.ndarray[Any, Any]:
        """The value, of `dtype` where it has none of its own. Raises InvalidArgumentError."""
        wanted = self.dtype or dtype
        if isinstance(self.data, bytes):
            return _from_bytes(self.data, wanted, self.shape)
        return _from_lists(self.data, wanted, self.shape)

    def like(self, dtype: DType | None) -> np.ndarray[Any, Any]:
        """The value, of `dtype` if it has none of its own and can be. Raises InvalidArgumentError."""
        return self.array(dtype if dtype is not None and not self.typed and self.fits(dtype) else None)

    def fits(self, dtype: DType) -> bool:
        """Whether the numbers, which came without a dtype, can be of this one."""
        kinds = _leaf_kinds(self.data)
        if kinds <= {int}:
            return dtype.kind in "iuf"
        return dtype.kind == ("b" if kinds == {bool} else "f")


def literal(value: Any) -> Literal:
    """What a tensor in JSON or msgpack says. Raises InvalidArgumentError for what is none."""
    if not isinstance(value, dict):
        return Literal(value, None, None)
    unknown = value.keys() - {"dtype", "shape", "data"}
    if unknown or "data" not in value:
        raise InvalidArgumentError("a tensor is a number, lists of numbers, or {dtype, shape, data}")
    dtype = None if value.get("dtype") is None else dtype_named(value["dtype"])
    shape = value.get("shape")
    if shape is not None:
        shape = checked_dims(shape)
    return Literal(value["data"], dtype, shape)


def checked_dims(shape: Any) -> tuple[int, ...]:
    """A shape that came from outside. Raises InvalidArgumentError."""
    if not isinstance(shape, list | tuple) or len(shape) > MAX_RANK:
        raise InvalidArgumentError(f"a shape is a list of at most {MAX_RANK} sizes")
    try:
        wire.checked_count(shape)
    except ProtocolError as error:
        raise InvalidArgumentError(str(error)) from None
    return tuple(shape)


def _from_bytes(data: bytes, dtype: DType | None, shape: tuple[int, ...] | None) -> np.ndarray[Any, Any]:
    if dtype is None or shape is None:
        raise InvalidArgumentError("data in bytes needs its dtype and shape")
    size = wire.checked_count(shape) * dtype.size
    if len(data) != size:
        raise InvalidArgumentError(f"{Spec(dtype, shape)} takes {size} bytes of data, not {len(data)}")
    array = np.frombuffer(data, dtype.numpy).reshape(shape)
    if dtype.is_bool and array.size and int(array.view(np.uint8).max()) > 1:
        raise InvalidArgumentError("a bool in bytes is 0 or 1")
    return array


def _from_lists(data: Any, dtype: DType | None, wanted: tuple[int, ...] | None) -> np.ndarray[Any, Any]:
    shape, leaves = _flattened(data)
    kinds = set(map(type, leaves))
    if not kinds <= {bool, int, float, str}:
        raise InvalidArgumentError("a tensor's data is numbers and bools, in lists of equal lengths")
    if dtype is None:
        dtype = _inferred(kinds, leaves)
    if dtype.is_complex:
        if not leaves:
            shape = shape if wanted is None else wanted
        elif not shape or shape[-1] != 2:
            raise InvalidArgumentError("complex numbers are pairs [real, imaginary]")
        else:
            shape = shape[:-1]
        array = _numbers(leaves, kinds, dtype.real_dtype).view(dtype.numpy)
    else:
        array = _numbers(leaves, kinds, dtype)
    if wanted is not None and shape != wanted:
        if len(shape) != 1 or wire.checked_count(wanted) != array.size:
            raise InvalidArgumentError(f"the data has the shape {list(shape)}, which is not {list(wanted)}")
        shape = wanted
    return array.reshape(shape)


def _flattened(data: Any) -> tuple[tuple[int, ...], list[Any]]:
    """The shape of nested lists and their leaves in order, level by level."""
    shape: list[int] = []
    level = [data]
    while level and type(level[0]) in (list, tuple):
        length = len(level[0])
        if len(shape) == MAX_RANK + 1 or any(type(x) not in (list, tuple) or len(x) != length for x in level):
            raise InvalidArgumentError("a tensor's data is numbers and bools, in lists of equal lengths")
        shape.append(length)
        level = [x for inner in level for x in inner]
    return tuple(shape), level


def _leaf_kinds(data: Any) -> set[type]:
    return set(map(type, _flattened(data)[1]))


def _inferred(kinds: set[type], leaves: list[Any]) -> DType:
    if not kinds or float in kinds or str in kinds:
        return dtypes.float32
    if kinds == {bool}:
        return dtypes.bool_
    return dtypes.int32 if all(-(2**31) <= x < 2**31 for x in leaves) else dtypes.int64


def _numbers(leaves: list[Any], kinds: set[type], dtype: DType) -> np.ndarray[Any, Any]:
    if dtype.is_bool:
        if kinds - {bool}:
            raise InvalidArgumentError("bools are true and false")
        return np.array(leaves, np.bool_)
    if bool in kinds:
        raise InvalidArgumentError(f"true and false are no {dtype.name}")
    if dtype.is_integer:
        if float in kinds or not all(_INT.fullmatch(x) for x in leaves if type(x) is str):
            raise InvalidArgumentError(f"data of {dtype.name} is integers")
        leaves = list(map(int, leaves)) if str in kinds else leaves
    elif str in kinds:
        if not all(x in _SPECIAL for x in leaves if type(x) is str):
            raise InvalidArgumentError(f'data of {dtype.name} is numbers, "NaN", "Infinity" and "-Infinity"')
        leaves = [_SPECIAL[x] if type(x) is str else x for x in leaves]
    try:
        values = np.array(leaves, dtype.numpy if dtype.is_integer else np.float64)
    except OverflowError:
        raise InvalidArgumentError(f"a number is beyond {dtype.name}") from None
    with np.errstate(over="ignore"):
        return values.astype(dtype.numpy, copy=False)


# --- out -------------------------------------------------------------------------------------------------------------


def described(array: np.ndarray[Any, Any], data: Any) -> dict[str, Any]:
    """A tensor with `data` in one of its forms."""
    return {"dtype": BY_NUMPY[array.dtype].name, "shape": list(array.shape), "data": data}


def listed_size(shape: Iterable[int]) -> int:
    """How many elements, or empty lists, it takes to write a tensor of that shape as lists."""
    size = 1
    for dim in shape:
        if not dim:
            break
        size *= dim
    return size


def as_json(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """A tensor for JSON: strict JSON, whatever its values. Numbers are the shortest that give the same value back."""
    return described(array, _listed(array))


def as_msgpack(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """A tensor for msgpack, its data as bytes."""
    return described(array, array.tobytes())


def _listed(array: np.ndarray[Any, Any]) -> Any:
    dtype = BY_NUMPY[array.dtype]
    if dtype.is_complex:
        pairs = np.ascontiguousarray(array).view(dtype.real_dtype.numpy) if array.ndim else array.reshape(1).view(
            dtype.real_dtype.numpy
        )  # fmt: skip
        return _listed(pairs.reshape(*array.shape, 2))
    if not dtype.is_floating:
        return array.tolist()
    if dtype is dtypes.bfloat16:
        array = array.astype(np.float32)
    numbers: list[Any] = []
    flat = array.reshape(-1)
    for start in range(0, flat.size, _PIECE):  # in pieces, so that other threads have their turn
        piece = flat[start : start + _PIECE]
        numbers += piece.tolist() if array.dtype == np.float64 else map(float, piece.astype(str).tolist())
    finite = np.isfinite(flat)
    for i in np.flatnonzero(~finite).tolist():
        value = numbers[i]
        numbers[i] = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return _nested(numbers, array.shape)


def _nested(flat: list[Any], shape: tuple[int, ...]) -> Any:
    """Flat numbers as nested lists."""
    if not shape:
        return flat[0]
    if 0 in shape:
        return np.empty(shape).tolist()
    for size in reversed(shape[1:]):
        flat = [flat[i : i + size] for i in range(0, len(flat), size)]
    return flat


# --- .npy ------------------------------------------------------------------------------------------------------------

MAX_NPY_HEADER: Final = 2**16
_BFLOAT16: Final = np.dtype(ml_dtypes.bfloat16)


class NpyHeader(NamedTuple):
    """What a `.npy` file says before its elements. `order` is C or F; `swapped` means that they are big-endian."""

    spec: Spec
    order: str
    swapped: bool
    size: int


def npy_header(spec: Spec) -> bytes:
    """The bytes before the elements in C order. bfloat16 stands as `V2`, which is what NumPy makes of it."""
    assert spec.shape is not None
    out = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(spec.dtype.numpy)
    np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": spec.shape})
    return out.getvalue()


def read_npy_header(data: bytes) -> NpyHeader | None:
    """The header at the start of `data`; None when more bytes are needed.

    Raises:
        InvalidArgumentError: no `.npy` file, or of a dtype that is none here.
    """
    if not data.startswith(np.lib.format.MAGIC_PREFIX[: len(data)]):
        raise InvalidArgumentError("the body is no .npy file")
    stream = io.BytesIO(data)
    if len(data) < 12:
        return None
    major = data[6]
    if major not in (1, 2, 3):
        raise InvalidArgumentError(f".npy files of version {major} are not known")
    size = 10 + int.from_bytes(data[8:10], "little") if major == 1 else 12 + int.from_bytes(data[8:12], "little")
    if size > MAX_NPY_HEADER:
        raise InvalidArgumentError(f"a .npy header of {size} bytes is over the limit of {MAX_NPY_HEADER}")
    if len(data) < size:
        return None
    try:
        stream.seek(8)
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream, max_header_size=MAX_NPY_HEADER)
    except Exception as error:  # NumPy's parser has many for a header that is none
        raise InvalidArgumentError(f"malformed .npy header: {error}"[:300]) from None
    if dtype == np.dtype("V2"):
        dtype = _BFLOAT16
    found = BY_NUMPY.get(dtype.newbyteorder("="))
    if found is None:
        raise InvalidArgumentError(
            f"tensors cannot be of {dtype.str!r}; they are {', '.join(t.name for t in dtypes.ALL)}"
        )
    return NpyHeader(Spec(found, checked_dims(shape)), "F" if fortran else "C", not dtype.isnative, size)
