"""The codec and bytes of any kind: they are a message or a `ProtocolError`, never anything else; in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from protocol import dtypes, wire
from protocol.errors import ProtocolError
from protocol.wire import prefixed
from tests.fuzz import codec


def test_any_bytes_are_values_or_refused(explore: Any) -> None:
    explore(codec.check_value, st.binary(max_size=300), examples=500)


def test_what_nearly_is_a_value_is_one_or_refused(explore: Any) -> None:
    explore(codec.check_value, codec.structured(), examples=150)


def test_a_mutated_value_is_one_or_refused(explore: Any) -> None:
    packed = codec.values.map(lambda v: wire.pack(wire.as_sent(v)))
    explore(codec.check_value, packed.flatmap(codec.mutated), examples=200)


def test_values_survive(explore: Any) -> None:
    def check(value: Any) -> None:
        assert codec.same(wire.unpack(wire.pack(wire.as_sent(value))), value)

    explore(check, codec.values, examples=200)


def test_frames_are_taken_or_refused(explore: Any) -> None:
    explore(codec.check_frame, codec.frames(), examples=200)


def test_mutated_frames_are_taken_or_refused(explore: Any) -> None:
    explore(codec.check_frame, codec.frames().flatmap(codec.mutated), examples=200)


def test_a_byte_stream_gives_the_same_frames_however_it_is_cut(explore: Any) -> None:
    framed = st.lists(codec.frames().map(prefixed), max_size=3).map(b"".join)
    data = st.one_of(framed, framed.flatmap(codec.mutated), st.binary(max_size=40))
    explore(codec.check_byte_stream, data, st.lists(st.integers(0, 400), max_size=5), examples=100)


# --- found before ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [b"\xdd\x00\x02\x00\x00", b"\xdc\xff\xff"])
def test_arrays_that_announce_more_than_comes_take_no_memory(head: bytes) -> None:
    """A thousand arrays within each other, each said to be long: a decoder would make room for all of them."""
    found, peak = codec.measured(wire.unpack, head * 1000)
    assert found is None
    assert peak < 2**20


def test_a_bool_is_0_or_1() -> None:
    ext = wire.array_ext(np.array([True, False]))
    assert wire.unpack(wire.pack(ext)).tolist() == [True, False]
    with pytest.raises(ProtocolError, match="other bytes than 0 and 1"):
        wire.unpack(wire.pack(ext._replace(data=ext.data[:-1] + b"\x02")))


@pytest.mark.parametrize("kind", dtypes.ALL, ids=lambda t: t.name)
def test_the_dearest_arrays_stay_within_the_bound(kind: Any) -> None:
    codec.check_value(wire.pack([np.zeros((), kind.numpy)] * 5000))


@pytest.mark.parametrize("depth", [0, 1, 100, 1000, 1024, 1025, 100_000])
def test_depth(depth: int) -> None:
    codec.check_value(codec.nested(depth))
