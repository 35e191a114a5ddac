"""The bytes of frames, items and values: what is written is what is read, and what is malformed is refused."""

import contextlib

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import dtypes, wire
from protocol.errors import ProtocolError
from protocol.wire import Frame, Kind

SHAPES = [(), (0,), (3,), (0, 4), (2, 3), (1, 2, 1, 2, 1, 2)]


@pytest.mark.parametrize("kind", dtypes.ALL, ids=lambda t: t.name)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_arrays_survive(kind, shape):
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(kind.numpy)
    found = wire.unpack(wire.pack(values))
    assert found.dtype == values.dtype
    assert found.shape == values.shape
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("value", [None, True, -(2**63), 2**64 - 1, 1.5, "name", (1, (2, ())), dtypes.bfloat16])
def test_attribute_values_survive(value):
    assert wire.unpack(wire.pack(value)) == value


def test_a_reference_survives():
    assert wire.unpack(wire.pack([wire.ref_ext(2**40)])) == (wire.Ref(2**40),)


def array(code: int, rank: int, dims: bytes, data: bytes) -> bytes:
    return msgpack.packb(msgpack.ExtType(wire.EXT_ARRAY, bytes((code, rank)) + dims + data))


HUGE = (2**62).to_bytes(8, "big")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xc1", b"\x93\x01", b"\x81\x01\x02", b"\xa1\xff", b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
        b"\x01\x02", b"\x91" * 2000, b"\x81" + b"\x91" * 600,
        array(99, 0, b"", b""), array(11, 0, b"", b"abc"),
        array(11, 33, b"\0" * 8 * 33, b""), array(11, 1, b"\0\0", b""),
        array(11, 2, HUGE + HUGE, b""), array(11, 1, b"\xff" * 8, b""), array(11, 2, HUGE + b"\0" * 8, b""),
        msgpack.packb(msgpack.ExtType(wire.EXT_DTYPE, b"\x63")), msgpack.packb(msgpack.ExtType(wire.EXT_REF, b"\x01")),
        msgpack.packb(msgpack.ExtType(77, b"")),
    ],
)  # fmt: skip
def test_malformed_msgpack_is_a_protocol_error(data):
    with pytest.raises(ProtocolError):
        wire.unpack(data)


@pytest.mark.parametrize(
    ("count", "body"),
    [(2, wire.pack([[1]])), (1, wire.pack([[]])), (1, wire.pack([1])), (1, wire.pack([["a"]])), (1, wire.pack({}))],
)
def test_malformed_items_are_protocol_errors(count, body):
    with pytest.raises(ProtocolError):
        wire.unpack_items(Frame(Kind.ITEMS, 1, 0, 0, count, body))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_protocol_error(data):
    with contextlib.suppress(ProtocolError):
        wire.unpack(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_are_a_frame_or_a_protocol_error(data):
    try:
        frame = wire.decode_frame(data)
    except ProtocolError:
        return
    assert wire.encode_frame(*frame) == data


def test_the_dims_of_an_empty_shape_are_bounded():
    assert wire.checked_count((2**40, 0)) == 0
    with pytest.raises(ProtocolError):
        wire.checked_count((2**40, 2**40, 0))
