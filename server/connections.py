"""The two ways a session's frames travel: a WebSocket, and plain HTTP where WebSocket is blocked.

Owns: `WebSocketConnection`, `HttpConnection`, and the loops that move frames between them and a session. Does not know
what a frame holds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import Any, Final

from fastapi import WebSocket

from protocol import wire
from protocol.errors import OpError, ProtocolError, SequenceGapError, brief
from protocol.wire import Deframer, Kind, decode_frame, prefixed
from server.access import account_of
from server.logs import note_error
from server.session import Session, Sessions

log = logging.getLogger("telegrad.connection")

_HELLO_TIMEOUT: Final = 10.0
_POLL_BYTES: Final = 4 * 2**20
_SMALL_OUTBOX: Final = 2**16
_MAX_QUEUED: Final = 2**27
"""Bytes that may wait to be sent: twice what a session keeps for a client that acknowledges nothing."""
_FRAME_COSTS: Final = 64
"""Bytes that a frame takes beside its own."""
_ATTENTION: Final = 0.0005
"""Seconds for which the event loop stays awake after a frame that left nothing to do."""


def refusal(error: OpError) -> bytes:
    """A REFUSED frame for a connection that no session takes."""
    said = {"code": error.error_code, "message": brief(error.message)}
    return wire.encode_frame(Kind.REFUSED, 0, 0, 0, 0, wire.pack(said))


class _Queue:
    """Frames that wait to be sent. What a session sends is bounded by what its client acknowledges; a client that says
    it has what it never took meets the end of its connection, past `_MAX_QUEUED` bytes.
    """

    def __init__(self) -> None:
        self._out: deque[bytes] = deque()
        self._queued = 0
        self._wake = asyncio.Event()

    def send(self, frame: bytes) -> None:
        """Queue one frame."""
        if self._queued > _MAX_QUEUED:
            self._out.clear()
            self.close("the client does not take what it is sent")
            return
        if self._out and frame[0] == Kind.ACK == self._out[-1][0]:  # it says all that the one before it did
            self._queued -= len(self._out.pop()) + _FRAME_COSTS
        self._queued += len(frame) + _FRAME_COSTS
        self._out.append(frame)
        self._wake.set()

    def close(self, reason: str) -> None:
        """Close after what was queued."""
        raise NotImplementedError

    def _next(self) -> bytes:
        frame = self._out.popleft()
        self._queued -= len(frame) + _FRAME_COSTS
        return frame


class WebSocketConnection(_Queue):
    """Frames as binary messages."""

    carrier = "websocket"

    def __init__(self, socket: WebSocket) -> None:
        super().__init__()
        self._socket = socket
        self._closing: str | None = None

    def close(self, reason: str) -> None:
        """Close after what was queued."""
        if self._closing is None:
            self._closing = reason
        self._wake.set()

    @property
    def closing(self) -> bool:
        """Whether it is on its way out."""
        return self._closing is not None

    async def send_now(self) -> None:
        """Send what is queued from the reading task: a turn of the event loop less than by waking the writing one.

        Only for a client that keeps up, so that writing never keeps this side from reading.
        """
        send, out = self._socket._send, self._out
        while out:
            await send({"type": "websocket.send", "bytes": self._next()})

    async def write(self) -> None:
        """Send what is queued until the connection is closed."""
        wake = self._wake
        while True:
            await self.send_now()
            if self._closing is not None:
                await self._socket.close(1000, self._closing[:100])
                return
            wake.clear()
            await wake.wait()


async def serve_websocket(socket: WebSocket, sessions: Sessions, identifier: str) -> None:
    """Attach a WebSocket to its session and move frames until one of them ends."""
    await socket.accept()
    connection = WebSocketConnection(socket)
    writer = asyncio.create_task(connection.write())
    session: Session | None = None
    try:
        async with asyncio.timeout(min(_HELLO_TIMEOUT, sessions.settings.header_seconds)):
            hello = decode_frame(await socket.receive_bytes())
        session = sessions.get(identifier, account_of(socket.scope))
        session.attach(connection, hello)
        await _read(socket, sessions, session, connection)
    except OpError as error:
        note_error(error)
        connection.send(refusal(error))
        connection.close("refused")
    except Exception as error:  # the peer is gone, in one of the ways that Starlette and uvicorn have for it
        log.debug("connection lost: %r", error)
        connection.close("lost")
    finally:
        if session is not None:
            session.detach(connection)
        connection.close("over")
        try:
            async with asyncio.timeout(1.0):
                await writer
        except Exception:
            writer.cancel()


async def _read(socket: WebSocket, sessions: Sessions, session: Session, connection: WebSocketConnection) -> None:
    receive = socket._receive
    attention = _Attention(asyncio.get_running_loop())
    while True:
        message = await receive()
        if message["type"] != "websocket.receive":
            return
        data = message.get("bytes")
        if data is None:
            raise ProtocolError("a text message; frames are binary")
        if session.connection is not connection or connection.closing:
            return  # fenced: a newer connection took over; or given up
        if len(data) >= wire.HEADER.size and data[0] == Kind.BYE:
            sessions.end(session, "the client left")
            return
        deliver(sessions, session, data)
        if session.stream.outbox_bytes < _SMALL_OUTBOX:
            await connection.send_now()
        if session.host.idle:
            attention.renew()


class _Attention:
    """Keeps the event loop awake for a moment after a frame.

    The next frame of a program that reads small values comes sooner than a sleeping process wakes, on either side.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._until = 0.0
        self._looking = False

    def renew(self) -> None:
        """Look for another moment from now."""
        self._until = time.monotonic() + _ATTENTION
        if not self._looking:
            self._looking = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        if time.monotonic() < self._until:
            self._loop.call_soon(self._look)
        else:
            self._looking = False


def deliver(sessions: Sessions, session: Session, data: bytes) -> None:
    """Hand a frame to its session; what breaks the rules ends the session, what is merely out of order ends the
    connection.
    """
    try:
        session.receive(data)
    except SequenceGapError:
        raise
    except ProtocolError as error:
        session.broken = error
        session.close("protocol error")
        raise


class HttpConnection(_Queue):
    """Frames in request bodies one way, and in the answers of long polls the other."""

    carrier = "http"

    def __init__(self) -> None:
        super().__init__()
        self._poll = 0
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.closed = False

    def close(self, reason: str) -> None:
        """End the polls."""
        self.closed = True
        self._wake.set()

    async def answer(self, poll: int, wait: float) -> bytes:
        """What the client's poll of this number is answered: the same if it comes twice, whoever sent it again.

        Raises:
            SequenceGapError: it is not the newest.
        """
        if poll < self._poll:
            raise SequenceGapError(f"poll {poll} is over: {self._poll} has come")
        if poll > self._poll:
            self._poll = poll
            self._answer = asyncio.ensure_future(self.poll(wait))
        return await asyncio.shield(self._answer)

    async def poll(self, wait: float) -> bytes:
        """What is queued, as length-prefixed frames; waits up to `wait` seconds for the first."""
        if not self._out and not self.closed:
            self._wake.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                pass
        frames, size = [], 0
        while self._out and size < _POLL_BYTES:
            frame = self._next()
            size += len(frame)
            frames.append(prefixed(frame))
        return b"".join(frames)


def attach_http(session: Session, body: bytes) -> tuple[HttpConnection, int]:
    """Attach an HTTP connection whose first request body is the HELLO."""
    frames = Deframer().feed(body)
    if len(frames) != 1:
        raise ProtocolError("the first request of a connection carries one frame, HELLO")
    connection = HttpConnection()
    return connection, session.attach(connection, decode_frame(frames[0]))


def receive_http(sessions: Sessions, session: Session, body: bytes) -> None:
    """Take the frames of one request body, in order."""
    deframer = Deframer()
    for frame in deframer.feed(body):
        if frame[:1] == bytes((Kind.BYE,)):
            sessions.end(session, "the client left")
            return
        deliver(sessions, session, frame)
    if not deframer.empty:
        raise SequenceGapError("the body ends in the middle of a frame")


def attached(session: Session, attachment: int) -> Any:
    """The session's HTTP connection, if `attachment` is the newest. Raises ProtocolError when it was fenced."""
    connection = session.connection
    if session.attachment != attachment or not isinstance(connection, HttpConnection):
        raise SequenceGapError("another connection took over")
    if connection.closed:
        raise SequenceGapError("the connection was given up: what it was sent was not taken")
    return connection
