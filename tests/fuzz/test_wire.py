"""The codec and bytes of any kind: they are a message or a `ProtocolError`, and never anything else."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import strategies as st

from protocol import wire
from protocol.errors import ProtocolError


def test_any_bytes_are_values_or_refused(explore: Any) -> None:
    def check(data: bytes) -> None:
        with contextlib.suppress(ProtocolError):
            wire.unpack(data)

    explore(check, st.binary(max_size=300), examples=500)
