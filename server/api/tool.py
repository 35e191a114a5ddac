"""A session that is driven by HTTP requests: a client inside the server, which names values and keeps the stream.

Owns: `Tool` and `tool_of`: the client's side of the stream, turns, credit, acknowledgements, answers that a retry gets
again. Does not know what requests say (`server.api.draft`) or HTTP.

The session, its stream and its executor are those of any client, and so are their rules: a tool's items are frames with
numbers, executed once and in order. A session belongs to one kind of client, whichever came first: to HTTP requests, or
to a connection with frames; the other is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from protocol import wire
from protocol.dtypes import DType, uint8
from protocol.errors import (
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    OpError,
    ProtocolError,
    SessionLostError,
    error_from,
)  # fmt: skip
from protocol.stream import Credit, Stream
from protocol.wire import Frame, Item, Kind
from server.api.book import Book
from server.api.keeping import book_state, restored_book
from server.api.problems import HttpError
from server.connections import deliver
from server.session import Session, Sessions
from server.sinks import pour

log = logging.getLogger("telegrad.tool")

_FRAME: Final = 2**20
"""Bytes of values in a frame."""
_FRAME_ITEMS: Final = 256
_READ_WAIT: Final = 60.0
MAX_KEYS: Final = 1024
"""Idempotency keys of a session that are remembered."""
MAX_ANSWERS: Final = 16 * 2**20
"""Bytes of the answers kept for them."""


def tool_of(sessions: Sessions, session: Session) -> Tool:
    """The session's own tool, made at the first use. Raises HttpError (409) for a session that has another client."""
    if session.driver is None:
        if session.attachment and session.driver_state is None:
            text = "this session is driven by a client over its stream; HTTP requests need a session of their own"
            raise HttpError(409, FailedPreconditionError(text))
        session.driver = Tool(sessions, session)
        if session.driver_state is not None:
            session.driver.restore(session.driver_state)
            session.driver_state = None
    found: Tool = session.driver
    return found


class Told:
    """What the stream has said in answer to one batch of items."""

    def __init__(self, first: int) -> None:
        self.first = first  # the number of the batch's first item
        self.failed: dict[int, dict[str, Any]] = {}
        self.values: dict[int, np.ndarray[Any, Any]] = {}
        self.unread: dict[int, dict[str, Any]] = {}  # reads that failed
        self.pinned: dict[int, tuple[DType, tuple[int, ...]]] = {}  # reads whose values lie beside the stream


class Tool:
    """The client of one session. Only the event loop calls."""

    def __init__(self, sessions: Sessions, session: Session) -> None:
        self.book = Book()
        self.session = session
        self._sessions = sessions
        self._loop = asyncio.get_running_loop()
        self._stream = Stream()
        self._turn = asyncio.Lock()
        self._progress = asyncio.Event()
        self._told = Told(0)
        self._failed = 0  # the last item that failed, whose failure has been told with its request's answer
        self._error: OpError | None = None
        self._acknowledging = False
        self._kept: dict[str, _Kept] = {}  # by key, the oldest first
        self._tasks: set[asyncio.Future[bytes]] = set()

    # --- turns -------------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The time of one request: it alone sends. Raises SessionLostError when the session has gone."""
        async with self._turn:
            self._sessions.get(self.session.id, self.session.account)
            self._attach()
            try:
                yield
            finally:
                self._acknowledge()
                self.session.detach(self)

    def _attach(self) -> None:
        hello = self._stream.control(Kind.HELLO, wire.pack({"version": wire.VERSION, "expects": self._stream.expects}))
        self.session.attach(self, wire.decode_frame(hello))
        for frame in self._stream.resume(self._welcome["expects"]):
            deliver(self._sessions, self.session, frame)

    async def run(self, items: Sequence[tuple[Any, ...]]) -> Told:
        """Within a turn: send items, and give what was said when they are done.

        Raises:
            OpError: the session ended.
        """
        if self._failed:  # told with the answer of an earlier request: effects run again
            items = [(Item.CLEAR, self._failed), *items]
            self._failed = 0
            told = self._told = Told(self._stream.items_sent + 2)
        else:
            told = self._told = Told(self._stream.items_sent + 1)
        for batch in _frames(items):
            body = wire.pack(batch)
            await self._until(partial(self._stream.room, len(batch), len(body)))
            self._deliver(self._stream.send(body, len(batch)))
        last = self._stream.items_sent
        await self._until(lambda: self._stream.items_done >= last)
        for number, (dtype, shape) in told.pinned.items():
            found = await self.session.payloads.get(number, _READ_WAIT)
            if found is None:
                raise InternalError(f"the value of read {number} went missing")
            told.values[number] = (await found.whole()).view(dtype.numpy).reshape(shape)
        return told

    async def upload_all(self, uploads: Sequence[tuple[int, np.ndarray[Any, Any]]]) -> None:
        """Within a turn: put values beside the stream, all or none. Raises ResourceExhaustedError."""
        done: list[tuple[int, int]] = []
        try:
            for number, array in uploads:
                await self.upload(number, array.nbytes, 0, wire.array_bytes(np.ascontiguousarray(array)))
                done.append((number, array.nbytes))
        except OpError:
            await self.abandon(done)
            raise

    async def abandon(self, uploads: Sequence[tuple[int, int]]) -> None:
        """Within a turn: free the bytes of uploads that nothing will use, given as (number, size)."""
        items: list[tuple[Any, ...]] = []
        for number, size in uploads:
            identifier = next(self.book.ids)
            items += [(Item.UPLOAD, identifier, number, uint8, (size,)), (wire.RELEASE, [identifier])]
        if items:
            await self.run(items)

    async def upload(self, number: int, total: int, offset: int, data: memoryview | bytes) -> None:
        """Put bytes of a value beside the stream. Raises ResourceExhaustedError."""
        target = self.session.payloads.open(number, total)
        if target is not None:
            sink = target.sink(offset, offset + len(data))
            await pour(sink, data)
            sink.close()

    async def finish_reads(self, numbers: Iterable[int]) -> None:
        """Within a turn: unpin the values of reads."""
        items = [(Item.READ_DONE, n) for n in numbers]
        if items:
            await self.run(items)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._error is not None:
                raise self._error
            self._progress.clear()
            await self._progress.wait()

    def _deliver(self, frame: bytes) -> None:
        if self._error is not None:
            raise self._error
        try:
            deliver(self._sessions, self.session, frame)
        except ProtocolError as error:  # what we send breaks no rule, so this is a bug
            log.error("a request broke the stream's rules: %s", error)
            raise InternalError(f"the server has a bug: {error}") from error

    # --- the connection, as the session sees it ----------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Take a frame of the server's."""
        frame = self._stream.receive(data)
        if frame is None:
            return
        if frame.kind == wire.ITEMS:
            for item in wire.unpack_items(frame):
                self._take(item)
        elif frame.kind == Kind.WELCOME:
            self._take_welcome(frame)
        elif frame.kind == Kind.REFUSED:
            said = wire.unpack_map(frame)
            error = error_from(said["code"], said["message"])
            self._error = SessionLostError(f"the session ended: {error}")
        self._progress.set()
        if not self._acknowledging:
            self._acknowledging = True
            self._loop.call_soon(self._acknowledge)

    def close(self, reason: str) -> None:
        """The session has ended, or somebody has ended it."""
        if self._error is None:
            self._error = SessionLostError(f"the session ended: {reason}")
        self._progress.set()

    def _take_welcome(self, frame: Frame) -> None:
        self._welcome = wire.unpack_map(frame)
        self._stream.sent_credit = Credit(*self._welcome["credit"])
        self._error = None

    def _acknowledge(self) -> None:
        """Say what was taken, so that the session keeps it no longer."""
        self._acknowledging = False
        if self.session.connection is self and self._error is None:
            deliver(self._sessions, self.session, self._stream.control(Kind.ACK))

    def _take(self, item: tuple[Any, ...]) -> None:
        kind, told = item[0], self._told
        if kind == wire.VALUE:
            told.values[item[1]] = item[2]
        elif kind == Item.PAYLOAD:
            told.pinned[item[1]] = item[2:4]
        elif kind == Item.READ_FAILED:
            told.unread[item[1]] = _failure(item[2], item[3])
        elif kind == wire.FAILED:
            self._failed = max(self._failed, item[1])
            told.failed[item[1]] = _failure(item[2], item[3])

    # --- across a restart of the server ------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What `restore` gives to a tool of the next server."""
        kept = [(key, k.digest, k.answer) for key, k in self._kept.items()]
        return {"book": book_state(self.book), "stream": self._stream.state(), "failed": self._failed, "kept": kept}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of another. The answer to what was being executed has been lost."""
        self.book = restored_book(state["book"])
        self._stream.restore(state["stream"])
        self._failed = state["failed"]
        for key, digest, answer in state["kept"]:
            task = None if answer is None else self._loop.create_future()
            if task is not None:
                task.set_result(answer)
            self._kept[key] = _Kept(digest, task, len(answer or b""))

    # --- retries -----------------------------------------------------------------------------------------------------

    async def once(self, key: str | None, body: bytes, work: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        """The answer of `work`, which is done once for each key: a retry waits for it, or gets it again.

        Raises:
            HttpError: 422 for a key that came with another body, 409 for one whose answer is no longer kept.
        """
        if key is None:
            return await asyncio.shield(self._task(work()))
        digest = hashlib.sha256(body).digest()
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _Kept(digest, self._task(self._remember(key, work)))
        elif kept.digest != digest:
            text = "this Idempotency-Key came with another request before"
            raise HttpError(422, InvalidArgumentError(text))
        if kept.task is None:
            raise HttpError(409, FailedPreconditionError("this request was executed, and its answer is no longer kept"))
        return await asyncio.shield(kept.task)

    def _task(self, work: Coroutine[Any, Any, bytes]) -> asyncio.Future[bytes]:
        """Work that goes on when whoever asked for it has gone."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _remember(self, key: str, work: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        try:
            found = await work()
        except HttpError:
            self._kept.pop(key, None)  # it was refused: nothing of it was executed
            raise
        self._kept[key].size = len(found)
        self._forget_old()
        return found

    def _forget_old(self) -> None:
        finished = [k for k in self._kept.values() if k.size]
        size = sum(k.size for k in finished)
        for kept in finished:
            if size <= MAX_ANSWERS:
                break
            size -= kept.size
            kept.task, kept.size = None, 0
        over = len(self._kept) - MAX_KEYS
        for key in [k for k, kept in self._kept.items() if kept.task is None or kept.task.done()][: max(0, over)]:
            del self._kept[key]


class _Kept:
    """A request that was executed, or is being: the digest of its body, and its answer while it is kept."""

    def __init__(self, digest: bytes, task: asyncio.Future[bytes] | None, size: int = 0) -> None:
        self.digest = digest
        self.task = task
        self.size = size

    @property
    def answer(self) -> bytes | None:
        """The answer, if it is there and kept."""
        return self.task.result() if self.size and self.task is not None and self.task.done() else None


def _failure(code: int, message: str) -> dict[str, Any]:
    return {"title": type(error_from(code, message)).__name__, "detail": message, "code": code}


def _frames(items: Sequence[tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    """Items in the batches that are sent as frames."""
    batches: list[list[tuple[Any, ...]]] = []
    weight = _FRAME + 1
    for item in items:
        size = sum([v.nbytes for v in _arrays(item)])
        if weight + size > _FRAME or len(batches[-1]) == _FRAME_ITEMS:
            batches.append([])
            weight = 0
        batches[-1].append(item)
        weight += size
    return batches


def _arrays(value: Any) -> list[np.ndarray[Any, Any]]:
    if isinstance(value, np.ndarray):
        return [value]
    return [a for v in value for a in _arrays(v)] if isinstance(value, tuple | list) else []
