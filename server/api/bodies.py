"""Bodies of requests and answers: their media types, and how much memory they may take.

Owns: content negotiation, reading a body within limits, and JSON and msgpack decoded and encoded. Does not know what a
body means.

A decoded body takes many times its bytes: a list of empty lists, 64 times in msgpack. So both are bounded before they
are decoded: JSON by its bytes, msgpack by the number of its values, of which bytes are one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgpack
from fastapi import Request, Response

from protocol.errors import InvalidArgumentError, ResourceExhaustedError
from server.access import account_of
from server.api.problems import HttpError

JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"
NPY: Final = "application/x-npy"
_ALIASES: Final = {
    JSON: JSON, "text/json": JSON, MSGPACK: MSGPACK, "application/x-msgpack": MSGPACK,
    "application/vnd.msgpack": MSGPACK, NPY: NPY, "application/octet-stream": NPY,
}  # fmt: skip
_FORMATS: Final = {"json": JSON, "msgpack": MSGPACK, "npy": NPY}

MAX_JSON: Final = 4 * 2**20
"""Bytes of a body in JSON."""
MAX_MSGPACK: Final = 64 * 2**20
"""Bytes of a body in msgpack."""
MAX_NODES: Final = 2**18
"""Values in a body in msgpack."""
MAX_HELD: Final = 512 * 2**20
"""Bytes of a token's bodies that are in memory at a time."""
AT_ONCE: Final = 32 * 1024
"""Bytes of a body that the event loop decodes itself; a larger one goes to a thread."""
_MAX_DEPTH: Final = 64


# --- negotiation -----------------------------------------------------------------------------------------------------


def media_type(request: Request, offered: tuple[str, ...]) -> str:
    """The type of the request's body. curl's default for `-d` is taken as JSON. Raises HttpError (415)."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    found = _ALIASES.get(given, JSON if given in ("", "application/x-www-form-urlencoded") else None)
    if found not in offered:
        text = f"the body is {given!r:.100}; it can be {' or '.join(offered)}"
        raise HttpError(415, InvalidArgumentError(text))
    return found


def accepted(request: Request, offered: tuple[str, ...]) -> str:
    """The type to answer with: what `?format=` says, else the best of Accept, else the first offered.

    Raises HttpError (406).
    """
    wanted = request.query_params.get("format")
    if wanted is not None:
        found = _FORMATS.get(wanted)
        if found not in offered:
            names = [name for name, kind in _FORMATS.items() if kind in offered]
            raise HttpError(406, InvalidArgumentError(f"format is one of {', '.join(names)}, not {wanted!r:.50}"))
        return found
    header = request.headers.get("accept", "")
    best, quality = None, 0.0
    for part in header.split(",") if header.strip() else ["*/*"]:
        kind, *parameters = [p.strip().lower() for p in part.split(";")]
        weight = _quality(parameters)
        for offer in offered:
            matches = _ALIASES.get(kind) == offer or kind == "*/*" or (kind == "application/*")
            if matches and weight > quality:
                best, quality = offer, weight
                break
    if best is None:
        text = f"Accept is {header!r:.200}; the answer can be {' or '.join(offered)}"
        raise HttpError(406, InvalidArgumentError(text))
    return best


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                return 0.0
    return 1.0


# --- reading ---------------------------------------------------------------------------------------------------------


class Held:
    """How many bytes of bodies are in memory; `limit` bounds those of each token."""

    def __init__(self, limit: int = MAX_HELD) -> None:
        self._limit = limit
        self._bytes: Counter[str] = Counter()

    @contextlib.contextmanager
    def bytes(self, request: Request) -> Any:
        """A function that counts more bytes of a request's token; they are given back at the end of the block.

        It raises ResourceExhaustedError past the limit.
        """
        taken, owner = 0, account_of(request.scope).name

        def take(size: int) -> None:
            nonlocal taken
            if self._bytes[owner] + size > self._limit:
                raise ResourceExhaustedError("too many bytes of requests are in memory; try again in a moment")
            self._bytes[owner] += size
            taken += size

        try:
            yield take
        finally:
            self._bytes[owner] -= taken
            if not self._bytes[owner]:
                del self._bytes[owner]


def check_length(request: Request, limit: int) -> None:
    """Raise HttpError (413) where Content-Length says already that the body is over `limit`."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 18 or int(declared) > limit):
        raise too_large(limit)


def too_large(limit: int) -> HttpError:
    """A body over its limit."""
    return HttpError(413, ResourceExhaustedError(f"the body is over the limit of {limit} bytes"), limit=limit)


async def pieces(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body as it comes. Raises HttpError (413) as soon as it is over `limit`."""
    check_length(request, limit)
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        yield piece


async def read(request: Request, limit: int, take: Callable[[int], None]) -> bytes:
    """The whole body; `take` counts its bytes."""
    found = []
    async for piece in pieces(request, limit):
        take(len(piece))
        found.append(piece)
    return b"".join(found)


async def read_value(request: Request, take: Callable[[int], None]) -> tuple[Any, bytes]:
    """What a body in JSON or msgpack says, and its bytes.

    Raises:
        HttpError: 413, 415, or 400 for what is malformed.
    """
    kind = media_type(request, (JSON, MSGPACK))
    data = await read(request, MAX_JSON if kind == JSON else MAX_MSGPACK, take)
    decode = decode_json if kind == JSON else decode_msgpack
    value = decode(data) if len(data) <= AT_ONCE else await asyncio.to_thread(decode, data)
    return value, data


def decode_json(data: bytes) -> Any:
    """The value in a JSON body; NaN and Infinity are let through as the numbers they are. Raises HttpError (400)."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is one, and so is a number of too many digits
        raise HttpError(400, InvalidArgumentError(f"malformed JSON: {error or type(error).__name__}"[:300])) from None


def decode_msgpack(data: bytes) -> Any:
    """The value in a msgpack body. Raises HttpError (400)."""
    try:
        _check_nodes(data)
        return msgpack.unpackb(data, max_array_len=MAX_NODES, max_map_len=MAX_NODES)
    except (ValueError, TypeError, IndexError, RecursionError, msgpack.UnpackException) as error:
        text = f"malformed msgpack: {error or type(error).__name__}"[:300]
        raise HttpError(400, InvalidArgumentError(text)) from None


def _check_nodes(data: bytes) -> None:
    """Raise ValueError for more values than may be, or deeper ones. What is malformed otherwise, decoding finds."""
    at = nodes = 0
    left = [1]  # values to come in each array or map that is open
    while left:
        if not left[-1]:
            left.pop()
            continue
        left[-1] -= 1
        nodes += 1
        size, inner = _token(data, at)
        at += size
        if at > len(data):
            raise ValueError("the body is cut short")
        if inner:
            left.append(inner)
        if nodes > MAX_NODES or len(left) > _MAX_DEPTH or inner > MAX_NODES:
            raise ValueError(f"more than {MAX_NODES} values, or {_MAX_DEPTH} levels")


_SIZES: Final = {
    0xC0: 1, 0xC2: 1, 0xC3: 1, 0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9,
    0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18,
}  # fmt: skip
_LENGTHS: Final = {  # first byte: bytes of the length, and bytes that follow it besides
    0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1),
    0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0),
}  # fmt: skip
_COUNTS: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}  # bytes of the count; values for each


def _token(data: bytes, at: int) -> tuple[int, int]:
    """The bytes of the value at `at`, without those inside it, and how many there are inside."""
    first = data[at]
    if first < 0x80 or first >= 0xE0:
        return 1, 0
    if first < 0xA0:
        count = first & 0x0F
        return 1, count if first >= 0x90 else 2 * count
    if first < 0xC0:
        return 1 + (first & 0x1F), 0
    if first in _SIZES:
        return _SIZES[first], 0
    if first in _LENGTHS:
        width, more = _LENGTHS[first]
        return 1 + width + more + int.from_bytes(data[at + 1 : at + 1 + width], "big"), 0
    if first in _COUNTS:
        width, each = _COUNTS[first]
        return 1 + width, each * int.from_bytes(data[at + 1 : at + 1 + width], "big")
    raise ValueError(f"unknown type 0x{first:02x}")


# --- answering -------------------------------------------------------------------------------------------------------


def encode(value: Any, kind: str) -> bytes:
    """`value` in JSON or msgpack."""
    if kind == MSGPACK:
        return bytes(msgpack.packb(value))
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def answer(value: Any, kind: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response with `value` in JSON or msgpack."""
    return Response(encode(value, kind), status, headers, media_type=kind)
