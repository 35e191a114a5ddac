"""`.npy` files as nobody would write them."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from hypothesis import strategies as st

DESCRS = [
    "<f4",
    ">f4",
    "<f8",
    "<i2",
    ">i8",
    "|b1",
    "|u1",
    "<c8",
    "<f2",
    "V2",
    "|O",
    "S4",
    "<U2",
    "V8",
    "<M8[s]",
    "<f16",
    "<i3",
]


def npy(
    descr: str,
    shape: str = "",
    fortran: str = "False",
    version: int = 1,
    length: int | None = None,
    elements: bytes = b"",
) -> bytes:
    """A file with a header of these parts, however little they fit; `length` is what it says of its header."""
    head = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': ({shape}), }}\n".encode()
    return framed(head, version, length) + elements


def framed(head: bytes, version: int, length: int | None = None) -> bytes:
    """A header behind its version and length."""
    size = len(head) if length is None else length
    return b"\x93NUMPY" + bytes((version, 0)) + struct.pack("<H" if version == 1 else "<I", size) + head


@st.composite
def npy_files(draw: Any) -> bytes:
    """Right ones, and ones with a lie somewhere."""
    descr = draw(st.sampled_from(DESCRS))
    dims = draw(st.lists(st.integers(0, 3) | st.sampled_from([-1, 2**31, 2**63 - 1, 2**64]), max_size=4))
    shape = "".join([f"{d}, " for d in dims])
    fortran = draw(st.sampled_from(["False", "True", "False", "True", "1", "None"]))
    version = draw(st.sampled_from([1, 1, 2, 3, 0, 4]))
    try:
        count = np.dtype(descr).itemsize * int(np.prod([d for d in dims if 0 <= d < 4], dtype=int))
    except TypeError:
        count = 8
    size = max(0, count + draw(st.sampled_from([0, 0, 0, 1, -1])))
    elements = draw(st.binary(min_size=size, max_size=size))
    if descr == "|b1":
        elements = bytes([b & 1 for b in elements])
    whole = npy(descr, shape, fortran, version, draw(st.sampled_from([None, None, None, 0, 7, 65535])), elements)
    return whole[: draw(st.sampled_from([None, None, None, 5, 11, 40]))] + draw(st.sampled_from([b"", b"", b"\0"]))
