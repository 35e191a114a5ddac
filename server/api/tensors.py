"""Whole tensors in and out over HTTP: `.npy` as it comes and goes, without a copy of it in between.

Owns: `receive_npy`, `get_tensor`, `npy_response`. Does not know paths, or what a tensor is for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import numpy as np
from fastapi import Request, Response

from protocol import wire
from protocol.dtypes import BY_NUMPY
from protocol.errors import InvalidArgumentError
from protocol.spec import Spec
from protocol.wire import MAX_INLINE
from server.api import bodies, values
from server.api.bodies import JSON, MSGPACK, NPY
from server.api.drafting import MAX_READ, Uploaded
from server.api.problems import HttpError, failed
from server.api.tool import Tool
from server.api.values import MAX_LISTED, NpyHeader

_PIECE: Final = 2**22


class Incoming:
    """A tensor that a request brought: an array, or bytes that lie beside the stream already."""

    def __init__(self, source: np.ndarray[Any, Any] | Uploaded) -> None:
        self.source = source

    async def abandon(self, tool: Tool) -> None:
        """Free the bytes: nothing has used them."""
        if isinstance(self.source, Uploaded):
            await _abandon(tool, self.source.number, self.source.spec.nbytes)


async def _abandon(tool: Tool, number: int, size: int) -> None:
    async with tool.turn():
        await tool.abandon([(number, size)])


async def receive_npy(request: Request, tool: Tool, take: Callable[[int], None]) -> Incoming:
    """The tensor in a `.npy` body. A large one goes beside the stream as it comes.

    Raises:
        InvalidArgumentError: no `.npy` file, or more or fewer bytes than its header says.
        HttpError: 413.
    """
    limit = tool.session.quota.upload_bytes + values.MAX_NPY_HEADER
    stream = bodies.pieces(request, limit)
    first = b""
    header: NpyHeader | None = None
    async for piece in stream:
        first += piece
        header = values.read_npy_header(first)
        if header is not None:
            break
    if header is None:
        raise InvalidArgumentError("the body ends within the header of a .npy file")
    declared = request.headers.get("content-length")
    if declared is not None and int(declared) != header.size + header.spec.nbytes:
        raise InvalidArgumentError(_wrong_size(header))
    elements = _native(_continued(first[header.size :], stream), header)
    if header.spec.nbytes <= MAX_INLINE:
        return Incoming(await _collected(elements, header, take))
    return Incoming(await _uploaded(elements, header, tool))


def _wrong_size(header: NpyHeader) -> str:
    return f"after its header the body has other bytes than the {header.spec.nbytes} of {header.spec}"


async def _continued(first: bytes, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in stream:
        yield piece


async def _native(stream: AsyncIterator[bytes], header: NpyHeader) -> AsyncIterator[bytes]:
    """The pieces, little-endian, whatever they came as."""
    if not header.swapped:
        async for piece in stream:
            yield piece
        return
    dtype, rest = header.spec.dtype.numpy, b""
    async for piece in stream:
        piece = rest + piece
        whole = len(piece) - len(piece) % dtype.itemsize
        yield np.frombuffer(piece[:whole], dtype).byteswap().tobytes()
        rest = piece[whole:]
    yield rest


async def _collected(stream: AsyncIterator[bytes], header: NpyHeader, take: Callable[[int], None]) -> Any:
    found = bytearray()
    async for piece in stream:
        take(len(piece))
        found += piece
        if len(found) > header.spec.nbytes:
            break
    if len(found) != header.spec.nbytes:
        raise InvalidArgumentError(_wrong_size(header))
    array = values.Literal(bytes(found), header.spec.dtype, header.spec.shape).array()
    if header.order == "F":
        array = np.asarray(array.reshape(array.shape[::-1]).T, order="C")  # a scalar stays one
    return array


async def _uploaded(stream: AsyncIterator[bytes], header: NpyHeader, tool: Tool) -> Uploaded:
    number, total = next(tool.book.numbers), header.spec.nbytes
    await tool.upload(number, total, 0, b"")  # refused here when there is no room
    done = 0
    try:
        async for piece in stream:
            if done + len(piece) > total:
                raise InvalidArgumentError(_wrong_size(header))
            await tool.upload(number, total, done, piece)
            done += len(piece)
        if done != total:
            raise InvalidArgumentError(_wrong_size(header))
    except BaseException:
        await _abandon(tool, number, total)
        raise
    return Uploaded(number, header.spec, header.order)


# --- out -------------------------------------------------------------------------------------------------------------


async def get_tensor(tool: Tool, reference: str, kind: str) -> Response:
    """The value of a tensor or variable.

    Raises:
        NotFoundError: there is none of that name.
        HttpError: 406 for one that is too large for the form that was asked for; its failure, when it failed.
    """
    async with tool.turn():
        entry = tool.book.find(reference)
        if entry.spec is None:
            raise InvalidArgumentError(f"{reference!r} is a tape, not a tensor")
        if entry.kind == "tensor" and entry.spec.is_static:
            check_size(entry.spec, kind)
        number = next(tool.book.numbers)
        told = await tool.run([(wire.READ, number, entry.id)])
        if number in told.unread:
            raise failed(told.unread[number])
        array = told.values[number]
        if kind == NPY and told.pinned:
            return npy_response(array, after=lambda: _finish(tool, number))
        try:
            check_size(Spec(BY_NUMPY[array.dtype], array.shape), kind)
            return await tensor_response(array, kind)
        finally:
            await tool.finish_reads(told.pinned)


async def _finish(tool: Tool, number: int) -> None:
    async with tool.turn():
        await tool.finish_reads([number])


def check_size(spec: Spec, kind: str) -> None:
    """Raise HttpError (406) for a value that is too large for a form of answer."""
    assert spec.shape is not None
    if kind == JSON and values.listed_size(spec.shape) * (1 + spec.dtype.is_complex) > MAX_LISTED:
        text = f"{spec} has more than the {MAX_LISTED} numbers that are given as JSON; ask for {NPY}"
        raise HttpError(406, InvalidArgumentError(text))
    if kind == MSGPACK and spec.nbytes > MAX_READ:
        text = f"{spec} has more than the {MAX_READ} bytes that are given as msgpack; ask for {NPY}"
        raise HttpError(406, InvalidArgumentError(text))


async def tensor_response(array: np.ndarray[Any, Any], kind: str, headers: dict[str, str] | None = None) -> Response:
    """A tensor as the answer to a request."""
    if kind == NPY:
        return npy_response(array, headers)
    form = values.as_json if kind == JSON else values.as_msgpack
    body = await asyncio.to_thread(lambda: bodies.encode(form(array), kind))
    return Response(body, media_type=kind, headers=headers)


def npy_response(
    array: np.ndarray[Any, Any],
    headers: dict[str, str] | None = None,
    after: Callable[[], Awaitable[None]] | None = None,
) -> Response:
    """A tensor as a `.npy` file, its elements sent as they lie in memory; `after` is called when they are sent."""
    spec = Spec(BY_NUMPY[array.dtype], array.shape)
    start = values.npy_header(spec)
    found = {"content-length": str(len(start) + array.nbytes), "x-tensor-dtype": spec.dtype.name, **(headers or {})}
    return _Npy(start, wire.array_bytes(np.ascontiguousarray(array)), found, after)


class _Npy(Response):
    """A header and an array's bytes."""

    def __init__(
        self, start: bytes, elements: memoryview, headers: dict[str, str], after: Callable[[], Awaitable[None]] | None
    ) -> None:
        super().__init__(headers=headers, media_type=NPY)
        self._start = start
        self._elements = elements
        self._after = after

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self._start, "more_body": True})
            for at in range(0, len(self._elements), _PIECE):
                piece = self._elements[at : at + _PIECE]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if self._after is not None:
                await self._after()
