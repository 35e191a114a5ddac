"""What must hold of the codec for any bytes, and bytes that are nearly frames.

Owns: the checks that the tests, the guided fuzzer and the corpus share; strategies of values, arrays, mutated frames.
"""

from __future__ import annotations

import contextlib
import tracemalloc
from typing import Any

import msgpack
import numpy as np
from hypothesis import strategies as st

from protocol import dtypes, wire
from protocol.errors import ProtocolError
from protocol.stream import Credit, Stream
from protocol.wire import Deframer, Kind, Ref

FACTOR = 128
"""Bytes of memory that a byte may take: the smallest objects of msgpack are the dearest."""
CONSTANT = 2**20


def measured(function: Any, *arguments: Any) -> tuple[Any, int]:
    """What `function` gives, None for a ProtocolError, and the most memory that it took meanwhile."""
    started = not tracemalloc.is_tracing()
    if started:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            found = function(*arguments)
        except ProtocolError:
            found = None
        return found, tracemalloc.get_traced_memory()[1] - before
    finally:
        if started:
            tracemalloc.stop()


def check_value(data: bytes) -> None:
    """Bytes are a value, which then survives a round trip, or a ProtocolError; in memory bounded by their length."""
    found, peak = measured(_value, data)
    assert peak <= CONSTANT + FACTOR * len(data), (peak, len(data))
    if found is not None:
        with contextlib.suppress(RecursionError, ValueError):  # too deep to be sent by anyone
            again = wire.pack(wire.as_sent(found[0]))
            assert same(wire.unpack(again), found[0])


def _value(data: bytes) -> tuple[Any]:
    return (wire.unpack(data),)


def check_frame(data: bytes) -> None:
    """Bytes are a frame that a stream and the decoders of bodies take, or a ProtocolError, in bounded memory."""
    _, peak = measured(_frame, data)
    assert peak <= CONSTANT + FACTOR * len(data), (peak, len(data))


def _frame(data: bytes) -> None:
    credit = Credit(100, 2**20)
    stream = Stream(received_credit=credit)
    before = stream.state()
    try:
        frame = stream.receive(data)
    except ProtocolError:
        assert stream.state() == before, "a refused frame changed the stream"
        raise
    assert frame is not None  # nothing has been received before
    assert stream.items_received <= credit.items
    assert stream.unexecuted_bytes <= credit.bytes
    if frame.kind == Kind.ITEMS:
        items = wire.unpack_items(frame)
        assert len(items) == frame.items
        assert all(type(item[0]) is int for item in items)
    elif frame.kind in (Kind.HELLO, Kind.WELCOME, Kind.REFUSED):
        assert type(wire.unpack_map(frame)) is dict
    elif frame.body:
        wire.unpack(frame.body)


def check_byte_stream(data: bytes, cuts: list[int]) -> None:
    """However the bytes of prefixed frames arrive, the same frames come out, or the same refusal."""
    pieces, start = [], 0
    for cut in sorted(min(c, len(data)) for c in cuts):
        pieces.append(data[start:cut])
        start = cut
    pieces.append(data[start:])
    assert _deframed([data]) == _deframed(pieces)


def _deframed(pieces: list[bytes]) -> tuple[list[bytes], bool]:
    deframer, frames = Deframer(), []
    try:
        for piece in pieces:
            frames += deframer.feed(piece)
    except ProtocolError:
        return [], False
    return frames, deframer.empty


# --- values ----------------------------------------------------------------------------------------------------------


def same(a: Any, b: Any) -> bool:
    """Whether two decoded values are the same, bit by bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if type(a) is tuple:
        return len(a) == len(b) and all(map(same, a, b))
    if type(a) is dict:
        return list(map(repr, a)) == list(map(repr, b)) and all(map(same, a.values(), b.values()))
    if type(a) is float:
        return np.float64(a).tobytes() == np.float64(b).tobytes()
    return bool(a == b)


@st.composite
def arrays(draw: Any, max_side: int = 4) -> np.ndarray[Any, Any]:
    """An array of any dtype, of rank up to 4 (now and then 32), of any bits."""
    kind = draw(st.sampled_from(dtypes.ALL))
    shape = draw(st.one_of(st.lists(st.integers(0, max_side), max_size=4), st.just([1] * 32)))
    count = int(np.prod(shape, dtype=int))
    if kind.name == "bool":
        return np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_).reshape(shape)
    data = draw(st.binary(min_size=count * kind.size, max_size=count * kind.size))
    return np.frombuffer(data, kind.numpy).reshape(shape)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=20),
    st.binary(max_size=20), st.sampled_from(dtypes.ALL), arrays(), st.integers(0, 2**64 - 1).map(Ref),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6).map(tuple), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)

# --- bytes that are nearly a frame -----------------------------------------------------------------------------------

HEADS = [
    b"\xdd\x00\x02\x00\x00", b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdf\x00\x00\x04\x00", b"\xde\x04\x00",
    b"\xdb\x00\x01\x00\x00", b"\xc6\x00\x80\x00\x00", b"\xc9\x00\x00\x00\xff\x03", b"\x91", b"\x81\xc0", b"\x80",
    b"\xd4\x02\x0b", b"\xc7\x06\x03\x05\x00\x01", b"\xc7\x0a\x03\x0b\x01" + b"\xff" * 8, b"\xc1", b"\xc0",
    b"\xc7\x12\x03\x00\x02" + (2**32).to_bytes(8, "big") * 2, b"\xc7\x03\x03\x00\x00\x07", b"\xd7\x01" + b"\xff" * 8,
]  # fmt: skip
"""Beginnings of msgpack values: much announced, nested, overflowing, small and dear, or wrong."""


@st.composite
def structured(draw: Any) -> bytes:
    """Bytes made of such beginnings, some repeated many times."""
    parts = draw(
        st.lists(st.tuples(st.sampled_from(HEADS), st.sampled_from([1, 1, 2, 5, 300, 1030, 5000])), max_size=5)
    )
    return b"".join(head * times for head, times in parts) + draw(st.binary(max_size=8))


@st.composite
def mutated(draw: Any, data: bytes) -> bytes:
    """`data` with a few bytes flipped, cut, inserted, or put in twice."""
    found = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(found)))
        end = min(len(found), at + draw(st.integers(0, 16)))
        how = draw(st.sampled_from(["flip", "cut", "end", "insert", "twice"]))
        if how == "flip" and at < len(found):
            found[at] ^= draw(st.integers(1, 255))
        elif how == "cut":
            del found[at:end]
        elif how == "end":
            del found[at:]
        elif how == "insert":
            found[at:at] = draw(st.one_of(st.binary(max_size=8), st.sampled_from(HEADS)))
        else:
            found[at:at] = found[at:end]
    return bytes(found)


@st.composite
def frames(draw: Any) -> bytes:
    """A frame of any kind: well-formed, or with numbers and a body that do not belong together."""
    kind = draw(st.one_of(st.sampled_from(list(Kind)), st.integers(0, 255)))
    items = draw(st.lists(st.lists(values, min_size=1, max_size=5), max_size=4))
    body = draw(
        st.one_of(
            st.just([[draw(st.integers(0, 40)), *map(wire.as_sent, item)] for item in items]).map(wire.pack),
            values.map(lambda v: wire.pack(wire.as_sent(v))),
            structured(),
        )
    )
    number = st.sampled_from([0, 0, 1, 1, 2, 2**32, 2**64 - 1])
    count = draw(st.sampled_from([0, 1, len(items), len(items), len(items) + 1, 2**32 - 1]))
    return wire.encode_frame(int(kind), draw(number), draw(number), draw(number), count, body)


def nested(depth: int) -> bytes:
    """An array within an array, `depth` times."""
    return bytes(msgpack.packb(None)) if not depth else b"\x91" * depth + b"\xc0"
