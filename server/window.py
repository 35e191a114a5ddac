"""A few pieces of memory that the server and a session's process both see: large values pass through them.

Owns: `Window`, the server's end, and `WindowSink`. Does not know HTTP, nor what the process does with the bytes
(`server.child`).

A value of any size passes through the same few pieces, which stay in the processor's cache. New memory for each would
cost several times its copy: pages of shared memory are small, and each is made when it is first touched (m: 64 MB in
85 ms, against 13 ms for memory of the process's own).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

from protocol.errors import AbortedError
from server import shared_memory
from server.process_kinds import Kind

PIECE: Final = 2**20
PIECES: Final = 8
_ASIDE: Final = 2**16
_AHEAD: Final = 4
"""Pieces that are asked for before they can be sent."""


class Window:
    """The pieces, by number, made when the first is wanted. `send` sends a message to the process. All on the event
    loop.
    """

    def __init__(self, send: Callable[..., None]) -> None:
        self.send = send
        self._memory: memoryview | None = None
        self._free: deque[int] = deque(range(PIECES))
        self._waiting: deque[asyncio.Future[int]] = deque()
        self._filling: dict[int, WindowSink] = {}
        self._asked: dict[int, asyncio.Future[bytes]] = {}
        self._closed = False

    def __getitem__(self, piece: int) -> memoryview:
        assert self._memory is not None
        return self._memory[piece * PIECE : (piece + 1) * PIECE]

    def take(self, sink: WindowSink) -> int | None:
        """A piece for a sink, which fills it, if one is free now."""
        self._make()
        if not self._free or self._waiting:
            return None
        piece = self._free.popleft()
        self._filling[piece] = sink
        return piece

    def _make(self) -> None:
        if self._memory is None:
            descriptor, array = shared_memory.create(PIECE * PIECES)
            self._memory = memoryview(array)  # type: ignore[arg-type]
            self.send(Kind.WINDOW, (), b"", (descriptor,))

    async def wait(self) -> int:
        """A piece, when there is one. Those that are partly full are passed on, so that none is held by a sink whose
        bytes don't come. Raises AbortedError when the session ends.
        """
        if self._closed:
            raise AbortedError("the session has ended")
        self._make()
        if self._free and not self._waiting:
            return self._free.popleft()
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        for sink in list(self._filling.values()):
            sink.flush()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(turn.result())
            raise

    def give(self, piece: int) -> None:
        """A piece is free."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(piece)
                return
        self._free.append(piece)

    def fill(self, upload: int, offset: int, piece: int, count: int) -> None:
        """Have the process take bytes of an upload out of a piece, which is free then."""
        self._filling.pop(piece, None)
        if not count:  # room for bytes that did not come
            self.give(piece)
            return
        self.send(Kind.FILL, (upload, offset, piece, count))

    def ask(self, read: int, start: int, piece: int, count: int) -> asyncio.Future[bytes]:
        """Bytes of a pinned read, which the process puts into a piece; none when it has them no more."""
        found = self._asked[piece] = asyncio.get_running_loop().create_future()
        self.send(Kind.FETCH, (read, start, piece, count))
        return found

    def done(self, piece: int, count: int) -> None:
        """The process has done with a piece what it was asked for."""
        asked = self._asked.pop(piece, None)
        if asked is not None and not asked.done():  # else it was filled, or asked for by someone who has gone
            asked.set_result(bytes(self[piece][:count]))  # at once: who reads slowly must not keep the piece
        self.give(piece)

    def close(self) -> None:
        """Wake whoever waits, with an error."""
        self._closed = True
        for future in (*self._waiting, *self._asked.values()):
            if not future.done():
                future.set_exception(AbortedError("the session has ended"))
                future.exception()  # perhaps nobody is left to see it
        self._waiting.clear()

    async def pieces(self, read: int, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of a pinned read. Raises AbortedError when they are withdrawn before the end."""
        coming: deque[tuple[asyncio.Future[bytes], int]] = deque()
        try:
            while coming or start < end:
                while start < end and (not coming or (len(coming) < _AHEAD and self._free)):
                    piece = await self.wait()
                    count = min(PIECE, end - start)
                    coming.append((self.ask(read, start, piece, count), count))
                    start += count
                asked, count = coming.popleft()
                data = await asked
                if len(data) != count:
                    raise AbortedError(f"read {read} was withdrawn while it was sent")
                yield data
        finally:
            for asked, _ in coming:
                asked.cancel()


class WindowSink:
    """Passes the bytes of an upload on to the process, from `offset` to `end`. `passed` is told of each part."""

    def __init__(self, window: Window, upload: int, offset: int, end: int, passed: Callable[[int, int], None]) -> None:
        self._window = window
        self._upload = upload
        self._offset = offset
        self._passed = passed
        self._piece: int | None = None
        self._filled = 0
        self._aside = memoryview(b"")
        self._apart = 0
        self.left = end - offset

    def room(self) -> memoryview:
        """The rest of a piece; when none is free, a little memory aside."""
        if self._piece is None:
            self._piece = self._window.take(self)
        if self._piece is None:
            self._aside = memoryview(bytearray(min(_ASIDE, self.left)))
            return self._aside
        return self._window[self._piece][self._filled : min(PIECE, self._filled + self.left)]

    def took(self, count: int) -> bool:
        """So many bytes were put there."""
        if self._piece is None:
            self._apart = count
            return False
        self.left -= count
        self._filled += count
        if self._filled == PIECE or not self.left:
            self.flush()
        return True

    async def ready(self) -> None:
        """Return when a piece has been free for what lies aside."""
        if self._apart:
            self._piece = await self._window.wait()
            self._window[self._piece][: self._apart] = self._aside[: self._apart]
            self._filled, self._apart = self._apart, 0
            self.left -= self._filled
            self.flush()

    def close(self) -> None:
        """Pass on what has come, but for what lies aside: it will come again."""
        self.flush()

    def flush(self) -> None:
        """Pass on what is in the piece."""
        piece, self._piece = self._piece, None
        start, count = self._offset, self._filled
        self._offset, self._filled = start + count, 0
        if piece is not None:
            self._window.fill(self._upload, start, piece, count)
            self._passed(start, count)
