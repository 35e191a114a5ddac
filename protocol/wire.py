"""The bytes of a frame, and the items in it. `protocol/README.md` is the prose of this file.

Owns: frame kinds, the header, item kinds and their fields, how arrays, dtypes and tensor references stand in msgpack,
and the limits a decoder holds. Does not know sessions or order (`protocol.stream`), nor what an item does.

A frame is a 29-byte header and a body. A frame of kind ITEMS carries `count` items, each a msgpack array whose first
element is its kind.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, Final, NamedTuple

import msgpack
import numpy as np

from protocol import dtypes
from protocol.dtypes import DType
from protocol.errors import ProtocolError, brief
from protocol.spec import MAX_ELEMENTS, MAX_RANK

VERSION: Final = 1

MAX_FRAME: Final = 8 * 2**20
"""Bytes of a frame, header included. Larger values travel as payloads on connections of their own."""
MAX_INLINE: Final = 2**20
"""Bytes of a value that may stand inside an item."""

HEADER: Final = struct.Struct(">BQQQI")


class Kind(IntEnum):
    """What a frame is. Only ITEMS is sequenced; the others have sequence number 0."""

    ITEMS = 1
    ACK = 2
    CANCEL = 3
    HELLO = 4
    WELCOME = 5
    REFUSED = 6
    BYE = 7


class Frame(NamedTuple):
    """A decoded header and the body's bytes.

    seq: number of this frame among the sender's sequenced frames, from 1.
    taken: the highest sequence number that the sender has received from its peer.
    done: how many of the peer's items the sender has executed.
    items: how many items stand in the body.
    """

    kind: int
    seq: int
    taken: int
    done: int
    items: int
    body: bytes


def encode_frame(kind: int, seq: int, taken: int, done: int, count: int = 0, body: bytes = b"") -> bytes:
    """The bytes of one frame."""
    return HEADER.pack(kind, seq, taken, done, count) + body


def decode_frame(data: bytes) -> Frame:
    """Split a frame. Raises ProtocolError when it is too short, too long or of an unknown kind."""
    if len(data) < HEADER.size:
        raise ProtocolError(f"a frame of {len(data)} bytes is shorter than its header")
    if len(data) > MAX_FRAME:
        raise ProtocolError(f"a frame of {len(data)} bytes is over the limit of {MAX_FRAME}")
    kind, seq, taken, done, count = HEADER.unpack_from(data)
    if kind not in _KINDS:
        raise ProtocolError(f"unknown frame kind {kind}")
    return Frame(kind, seq, taken, done, count, data[HEADER.size :])


_KINDS: Final = frozenset(int(k) for k in Kind)


class Item(IntEnum):
    """What an item is; its fields stand in `FIELDS`. 0 to 31 go to the server, 32 and up to the client."""

    RUN = 0
    BIND = 1
    RELEASE = 2
    READ = 3
    CONST = 4
    UPLOAD = 5
    CLEAR = 6
    VARIABLE = 7
    SYNC = 8
    READ_DONE = 9
    TAPE = 10
    GRADIENT = 11
    SET = 12
    READ_MANY = 13
    STORE = 14
    LOAD = 15
    RECORDS = 16
    PUBLISH = 17
    UNPUBLISH = 18
    FETCH_PUBLISHED = 19
    LIST_PUBLISHED = 20
    VALUE = 32
    PAYLOAD = 33
    READ_FAILED = 34
    FAILED = 35
    REPORT = 36
    PAYLOADS = 37
    PUBLISHED = 38


FIELDS: Final[dict[int, tuple[str, ...]]] = {
    Item.RUN: ("op", "outs", "ins", "attrs?", "device?", "tapes?"),
    Item.BIND: ("op", "name"),
    Item.RELEASE: ("ids",),
    Item.READ: ("read", "id", "edge?", "threshold?"),
    Item.CONST: ("id", "value", "device?"),
    Item.UPLOAD: ("id", "upload", "dtype", "shape", "device?"),
    Item.CLEAR: ("item",),
    Item.VARIABLE: ("id", "value", "device?"),
    Item.SYNC: ("read",),
    Item.READ_DONE: ("read",),
    Item.TAPE: ("id",),
    Item.GRADIENT: ("tape", "targets", "sources", "outs", "seeds?", "keep?"),
    Item.SET: ("name", "value"),
    Item.READ_MANY: ("read", "ids"),
    Item.STORE: ("read", "file", "head", "ids"),
    Item.LOAD: ("id", "file", "offset", "dtype", "shape", "checksum?", "device?"),
    Item.RECORDS: ("read", "profile", "spans?"),
    Item.PUBLISH: ("name", "value"),
    Item.UNPUBLISH: ("name",),
    Item.FETCH_PUBLISHED: ("read", "id", "name", "device?"),
    Item.LIST_PUBLISHED: ("read", "prefix"),
    Item.VALUE: ("read", "value", "shape?"),
    Item.PAYLOAD: ("read", "dtype", "shape"),
    Item.READ_FAILED: ("read", "code", "message", "op", "item"),
    Item.FAILED: ("item", "code", "message", "op"),
    Item.REPORT: ("read", "report"),
    Item.PAYLOADS: ("read", "dtypes", "shapes"),
    Item.PUBLISHED: ("read", "dtype", "shape"),
}
"""The fields after the kind, in order; those with a question mark may be left out from the end."""

# Plain ints for the hot paths, which build and match tuples of them: an enum member costs several times as much.
RUN, BIND, RELEASE, READ, CONST = 0, 1, 2, 3, 4
VALUE, FAILED, ITEMS = 32, 35, 1


class Ref(NamedTuple):
    """An attribute whose value is a tensor on the server."""

    id: int


EXT_REF: Final = 1
EXT_DTYPE: Final = 2
EXT_ARRAY: Final = 3


def array_ext(value: np.ndarray[Any, Any]) -> msgpack.ExtType:
    """`value` as it stands in an item: dtype code, rank, dims (64 bits each), elements in C order, little-endian."""
    code = dtypes.BY_NUMPY[value.dtype].code
    head = struct.pack(f">BB{value.ndim}Q", code, value.ndim, *value.shape)
    return msgpack.ExtType(EXT_ARRAY, head + value.tobytes())


def decode_array(data: bytes) -> np.ndarray[Any, Any]:
    """The read-only array in `data`. Raises ProtocolError unless dtype, rank, dims and length agree."""
    if len(data) < 2:
        raise ProtocolError("an array value is cut short")
    code, rank = data[0], data[1]
    kind = dtypes.BY_CODE.get(code)
    start = 2 + 8 * rank
    if kind is None or rank > MAX_RANK or len(data) < start:
        raise ProtocolError(f"an array value has an unknown dtype code {code}, or a rank {rank} over {MAX_RANK}")
    if rank == 0:
        shape: tuple[int, ...] = ()
        count = 1
    else:
        shape = struct.unpack_from(f">{rank}Q", data, 2)
        count = checked_count(shape)
    if len(data) - start != count * kind.size:
        raise ProtocolError(f"an array value of shape {shape} and dtype {kind.name} has {len(data) - start} bytes")
    array = np.frombuffer(data, kind.numpy, count, start).reshape(shape)
    if kind.numpy == np.bool_ and not holds_bools(array):
        raise ProtocolError("an array value of bools has other bytes than 0 and 1")
    return array


def holds_bools(array: np.ndarray[Any, Any]) -> bool:
    """Whether the bytes of a C-contiguous array of bools are all 0 or 1: NumPy counts on it, and does not look."""
    return not array.size or int(array.reshape(-1).view(np.uint8).max()) <= 1


def array_bytes(value: np.ndarray[Any, Any]) -> memoryview:
    """The bytes of a C-contiguous array, not copied."""
    flat: Any = value.reshape(-1).view(np.uint8)
    return memoryview(flat)


def checked_count(shape: Iterable[int]) -> int:
    """The product of dims that came over the wire. Raises ProtocolError for a negative or absurd one."""
    count, empty = 1, False
    for dim in shape:
        if type(dim) is not int or not 0 <= dim <= MAX_ELEMENTS:
            raise ProtocolError(f"{dim!r} is no dimension")
        count *= dim or 1  # no elements, but NumPy multiplies the other dims all the same
        empty = empty or not dim
    if count > MAX_ELEMENTS:
        raise ProtocolError(f"a shape has {count} elements, over the limit of {MAX_ELEMENTS}")
    return 0 if empty else count


def checked_shape(shape: Any) -> tuple[int, ...]:
    """`shape`, if it is an array of at most `MAX_RANK` dims that came over the wire. Raises ProtocolError."""
    if type(shape) is not tuple or len(shape) > MAX_RANK:
        raise ProtocolError(f"{shape!r:.100} is no shape")
    checked_count(shape)
    return shape


def _default(value: Any) -> msgpack.ExtType:
    if isinstance(value, DType):
        return msgpack.ExtType(EXT_DTYPE, bytes((value.code,)))
    if isinstance(value, np.ndarray):
        return array_ext(value)
    raise TypeError(f"{type(value).__name__} cannot be sent")


class _Packers(threading.local):
    """A packer for each thread: making one costs more than packing a small frame with it."""

    def __init__(self) -> None:
        self.packer = msgpack.Packer(default=_default, use_bin_type=True)


_packers = _Packers()


def ext_hook(code: int, data: bytes) -> Any:
    """The array, dtype or reference in an extension value. Raises ProtocolError."""
    if code == EXT_ARRAY:
        return decode_array(data)
    if code == EXT_DTYPE and len(data) == 1 and data[0] in dtypes.BY_CODE:
        return dtypes.BY_CODE[data[0]]
    if code == EXT_REF and len(data) == 8:
        return Ref(int.from_bytes(data, "big"))
    raise ProtocolError(f"unknown or malformed extension value {code}")


def ref_ext(tensor: int) -> msgpack.ExtType:
    """A tensor's id as it stands for an attribute's value."""
    return msgpack.ExtType(EXT_REF, tensor.to_bytes(8, "big"))


def pack(value: Any) -> bytes:
    """`value` in msgpack, with arrays, dtypes and references as extension values."""
    return bytes(_packers.packer.pack(value))


def as_sent(value: Any) -> Any:
    """What `unpack` gave as `pack` takes it: a reference is a tuple, which would travel as an array."""
    if type(value) is Ref:
        return ref_ext(value.id)
    if type(value) is tuple:
        return [as_sent(each) for each in value]
    if type(value) is dict:
        return {key: as_sent(each) for key, each in value.items()}
    return value


def unpack(data: bytes) -> Any:
    """What `pack` wrote; arrays of msgpack become tuples. Raises ProtocolError for anything malformed.

    The memory it takes is bounded by the size of `data`: at most about a hundred times as much, for the smallest
    objects there are.
    """
    try:
        if len(data) > _FEW and data.count(b"\xdc") + data.count(b"\xdd") > _FEW_ARRAYS:
            _check_whole(data)
        return msgpack.unpackb(
            data,
            use_list=False,
            ext_hook=ext_hook,
            max_str_len=2**16,
            max_bin_len=MAX_FRAME,
            max_ext_len=MAX_FRAME,
            max_array_len=min(2**17, len(data)),
            max_map_len=1024,
        )
    except ProtocolError:
        raise
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise ProtocolError(f"malformed msgpack: {brief(str(error)) or type(error).__name__}") from None


_FEW: Final = 1024
_FEW_ARRAYS: Final = 4


def _check_whole(data: bytes) -> None:
    """Raise an exception of msgpack's when `data` ends too soon, before anything is made of it.

    A decoder makes room for an array when it sees its length: many arrays, one within the other, that are longer than
    what follows would take a thousand times the memory of their bytes.
    """
    unpacker = msgpack.Unpacker(max_buffer_size=0, read_size=2**14)
    unpacker.feed(data)
    unpacker.skip()


def unpack_items(frame: Frame) -> tuple[Any, ...]:
    """The items of an ITEMS frame: non-empty tuples whose first element is an int, as many as the header says."""
    items = unpack(frame.body)
    if type(items) is not tuple or len(items) != frame.items:
        raise ProtocolError("the body of a frame is not an array of as many items as its header says")
    for item in items:
        if type(item) is not tuple or not item or type(item[0]) is not int:
            raise ProtocolError("an item is not an array that starts with its kind")
    return items


def unpack_map(frame: Frame) -> dict[str, Any]:
    """The body of a HELLO, WELCOME or REFUSED frame."""
    body = unpack(frame.body)
    if type(body) is not dict:
        raise ProtocolError("the body of a frame is not a map")
    return body


class Deframer:
    """Cuts a byte stream of length-prefixed frames (32 bits, big-endian) back into frames, however the bytes arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes. Raises ProtocolError for a length over `MAX_FRAME`."""
        self._buffer += data
        frames = []
        while len(self._buffer) >= 4:
            size = int.from_bytes(self._buffer[:4], "big")
            if size > MAX_FRAME:
                raise ProtocolError(f"a frame of {size} bytes is over the limit of {MAX_FRAME}")
            if len(self._buffer) < 4 + size:
                break
            frames.append(bytes(self._buffer[4 : 4 + size]))
            del self._buffer[: 4 + size]
        return frames

    @property
    def empty(self) -> bool:
        """Whether no partial frame is held."""
        return not self._buffer


def prefixed(frame: bytes) -> bytes:
    """A frame as it stands in a byte stream."""
    return len(frame).to_bytes(4, "big") + frame
