"""A session spoken by hand: frames over a WebSocket and large values over HTTP, many of them in one event loop.

Owns: `WireSession`. It is as little as a client can be, so that a measurement with many sessions is one of the server.
It keeps one question open at a time, and is lost with its connection.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

import httpx
import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from protocol import wire
from protocol.stream import Stream
from protocol.wire import Item, Kind

_OPS: Final = ("add", "subtract", "multiply", "matmul", "square", "reduce_mean", "reduce_sum", "assign_sub")


class LoadError(Exception):
    """The server did not do what it should."""


class WireSession:
    """Made by `open`. `send` numbers a frame of items; `ask` ends one with a read and gives the value."""

    def __init__(self, http: httpx.AsyncClient, identifier: str, socket: ClientConnection) -> None:
        self._http = http
        self._path = f"/v1/sessions/{identifier}"
        self._socket = socket
        self._stream = Stream()
        self._numbers = itertools.count(1)
        self._uploads = itertools.count(1)
        self._ids = itertools.count(1)
        self._pending: list[tuple[Any, ...]] = [(wire.BIND, i, name) for i, name in enumerate(_OPS)]

    @classmethod
    async def open(cls, http: httpx.AsyncClient) -> WireSession:
        """A new session with its connection."""
        answer = await http.post("/v1/sessions")
        answer.raise_for_status()
        identifier = answer.json()["session"]
        url = f"{str(http.base_url).replace('http', 'ws', 1).rstrip('/')}/v1/sessions/{identifier}/stream"
        headers = {"Authorization": http.headers["Authorization"]}
        socket = await connect(
            url, additional_headers=headers, max_size=None, compression=None, ping_interval=None, proxy=None
        )
        found = cls(http, identifier, socket)
        await socket.send(found._stream.control(Kind.HELLO, wire.pack({"version": wire.VERSION, "expects": 1})))
        first = wire.decode_frame(await socket.recv(decode=False))
        if first.kind != Kind.WELCOME:
            raise LoadError(f"the first frame is of kind {first.kind}")
        return found

    def id(self) -> int:
        """A new id for a tensor."""
        return next(self._ids)

    def item(self, *fields: Any) -> None:
        """Add an item to the next frame."""
        self._pending.append(fields)

    def run(self, op: str, *operands: Any, tapes: tuple[int, ...] = (), out: int | None = None) -> int:
        """Add an op to the next frame; the id of its result."""
        out = self.id() if out is None else out
        tail = (None, None, tapes) if tapes else ()
        self.item(Item.RUN, _OPS.index(op), out, operands, *tail)
        return out

    async def read(self, tensor: int) -> np.ndarray[Any, Any]:
        """Send what there is and wait for a tensor's value."""
        number = next(self._numbers)
        self.item(Item.READ, number, tensor)
        await self._flush()
        reply = await self._reply(number)
        if reply[0] == Item.PAYLOAD:
            answer = await self._http.get(f"{self._path}/reads/{number}")
            answer.raise_for_status()
            self.item(Item.READ_DONE, number)
            return np.frombuffer(answer.content, reply[2].numpy).reshape(reply[3])
        found: np.ndarray[Any, Any] = reply[2]
        return found

    async def _flush(self) -> None:
        items, self._pending = self._pending, []
        await self._socket.send(self._stream.send(wire.pack(items), len(items)))

    async def _reply(self, number: int) -> tuple[Any, ...]:
        while True:
            frame = self._stream.receive(await self._socket.recv(decode=False))
            if frame is not None and frame.kind == Kind.REFUSED:
                raise LoadError(str(wire.unpack_map(frame).get("message")))
            if frame is None or frame.kind != Kind.ITEMS:
                continue
            self._stream.execute(self._stream.items_received)
            for reply in wire.unpack_items(frame):
                if reply[0] in (Item.FAILED, Item.READ_FAILED):
                    raise LoadError(str(reply))
                if reply[1] == number:
                    return reply

    async def upload(self, array: np.ndarray[Any, Any], dtype: Any) -> int:
        """Send a large value; its id, for the next frame on."""
        number, tensor = next(self._uploads), self.id()
        self.item(Item.UPLOAD, tensor, number, dtype, array.shape)
        size = array.nbytes
        headers = {"Content-Range": f"bytes 0-{size - 1}/{size}"}
        answer = await self._http.put(f"{self._path}/uploads/{number}", content=array.tobytes(), headers=headers)
        answer.raise_for_status()
        if answer.json()["received"] != size:
            raise LoadError(f"{answer.json()} of {size} bytes arrived")
        return tensor

    async def close(self) -> None:
        """Leave."""
        await self._socket.send(self._stream.control(Kind.BYE))
        await self._socket.close()
