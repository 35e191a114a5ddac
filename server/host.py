"""Where a session's executor runs. `ThreadHost` gives it a thread beside the event loop.

Owns: the hosting interface (submit, cancel, close; callbacks for replies and progress) and the thread. Does not know
frames' numbers or sockets. A host in another process, or on another machine, has the same methods.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from protocol import wire
from protocol.errors import InternalError, OpError
from protocol.wire import Frame, Item
from server.denormals import flush_denormals
from server.executor import Executor

_REPLY_FRAME: Final = 2 * 2**20
"""Bytes of values past which replies go into another frame."""
_ACK_EVERY: Final = 16
"""Frames executed between two notes of progress while more wait."""


class ThreadHost:
    """Runs an executor in a thread.

    on_replies(executed, body, count), with the packed items of one frame, and on_progress(executed) are called on the
    event loop in the order in which things happened, so that a failure is always told before, or with, the number of
    items done that includes it.
    """

    def __init__(
        self,
        make_executor: Callable[[Callable[[tuple[Any, ...]], None]], Executor],
        loop: asyncio.AbstractEventLoop,
        on_replies: Callable[[int, bytes, int], None],
        on_progress: Callable[[int], None],
        on_broken: Callable[[OpError], None],
    ) -> None:
        self._loop = loop
        self._on_replies = on_replies
        self._on_progress = on_progress
        self._on_broken = on_broken
        self._replies: list[tuple[Any, ...]] = []
        self._room = threading.Event()
        self._room.set()
        self._queue: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self.executor = make_executor(self._reply)
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="telegrad-executor", daemon=True)
        self._thread.start()

    @property
    def report(self) -> dict[str, int]:
        """What the session holds, for status pages."""
        return {"tensors": len(self.executor.store), "bytes": self.executor.store.used, "ops": self.executor.ops}

    def submit(self, frame: Frame) -> None:
        """Queue the items of a frame."""
        self._queue.put(frame)

    def cancel(self, through: int) -> None:
        """Drop the items up to number `through` that have not run."""
        self.executor.cancel_through = max(self.executor.cancel_through, through)

    def hold(self, held: bool) -> None:
        """Pause before the next item while the client does not take the replies it asked for."""
        if held:
            self._room.clear()
        else:
            self._room.set()

    def close(self) -> None:
        """End the thread after the item it is at, and free what the session holds."""
        self._closing = True
        self.executor.payloads.close()
        self._room.set()
        self._queue.put(None)

    def join(self, timeout: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout)

    def _reply(self, item: tuple[Any, ...]) -> None:
        self._replies.append(item)

    def _deliver(self) -> None:
        replies, self._replies = self._replies, []
        executed = 0  # what a frame of replies tells as done, before the last: nothing new
        start = size = 0
        for end, item in enumerate(replies):
            weight = item[2].nbytes if item[0] == Item.VALUE else 0
            if size + weight > _REPLY_FRAME and end > start:
                self._call(self._on_replies, executed, wire.pack(replies[start:end]), end - start)
                start, size = end, 0
            size += weight
        if replies:
            self._call(self._on_replies, self.executor.executed, wire.pack(replies[start:]), len(replies) - start)

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is closed: the server is ending
            self._closing = True

    def _work(self) -> None:
        flush_denormals()
        np.seterr(all="ignore")
        frames = 0
        while not self._closing:
            frame = self._queue.get()
            if frame is None:
                break
            try:
                self._execute(wire.unpack_items(frame))
            except Exception as error:
                self._call(self._on_broken, error if isinstance(error, OpError) else InternalError(repr(error)))
                break
            frames += 1
            delivered = bool(self._replies)
            self._deliver()
            if not delivered and (self._queue.empty() or frames % _ACK_EVERY == 0):
                self._call(self._on_progress, self.executor.executed)
        self.executor.close()

    def _execute(self, items: tuple[tuple[Any, ...], ...]) -> None:
        """Run one frame, handing replies over before anything slow may follow them."""
        executor = self.executor
        start = 0
        for end in range(len(items)):
            if self._closing:
                return
            if items[end][0] == wire.READ and end + 1 < len(items) and items[end + 1][0] != wire.READ:
                self._run(executor, items[start : end + 1])
                start = end + 1
                self._deliver()
        self._run(executor, items[start:])

    def _run(self, executor: Executor, items: tuple[tuple[Any, ...], ...]) -> None:
        if not self._room.is_set():
            self._room.wait()
        if not self._closing:
            executor.execute(items)
