"""Where a session's executor runs. `ThreadHost` gives it a thread beside the event loop.

Owns: the hosting interface (submit, cancel, close; callbacks for replies and progress) and the thread. Does not know
frames' numbers or sockets. A host in another process, or on another machine, has the same methods.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from protocol import wire
from protocol.errors import InternalError, OpError, ResourceExhaustedError, brief
from protocol.wire import Frame, Item
from server import persistence
from server.denormals import flush_denormals
from server.executor import Executor
from server.light import is_light
from server.payloads import Suspended

_REPLY_FRAME: Final = 2 * 2**20
"""Bytes of values past which replies go into another frame."""
_ITEM: Final = 64
"""Bytes of a reply that says little."""
_ENTRY: Final = {"totals": 300, "published": 1024, "checksums": 9}
"""Bytes of an entry in a report's lists at most."""
_SLOTS: Final = 8
"""Frames of replies with more than `_LIGHT_BODY` bytes on their way to the event loop."""
_LIGHT_BODY: Final = 4096
_ACK_EVERY: Final = 16
"""Frames executed between two notes of progress while more wait."""
_FEW: Final = 8
"""Items of a frame up to which the event loop runs them itself, if they are light and the thread is idle."""
_SMALL: Final = 256 * 1024
"""Bytes of such a frame: many small objects in a large one take the event loop long to decode."""


class ThreadHost:
    """Runs an executor in a thread; a few light items, when the thread is idle, at once on the event loop.

    Two hand-overs between threads cost many times what a small op does, and they are most of a small read's latency.
    What is light is the executor's to say: microseconds, on values of a few KB, never a wait for a device.

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
        self._weight = 0  # of these
        self._working: int | None = None  # the thread is at a frame, and before it were so many
        self._slots = threading.Semaphore(_SLOTS)
        self._room = threading.Event()
        self._room.set()
        self._queue: queue.SimpleQueue[Frame | tuple[tuple[Any, ...], ...] | None] = queue.SimpleQueue()
        self._submitted = 0  # to the thread; and of these done, as far as the event loop has been told
        self._settled = 0
        self.executor = make_executor(self._reply)
        self._closing = False
        self._suspended = False
        self._left: tuple[tuple[Any, ...], ...] = ()  # of the frame that the thread was at when it was suspended
        self._thread = threading.Thread(target=self._work, name="telegrad-executor", daemon=True)
        self._thread.start()

    @property
    def report(self) -> dict[str, Any]:
        """What the session holds and has done, for status pages and metrics."""
        store = self.executor.store
        return {
            "tensors": len(store), "bytes": store.used, "peak_bytes": store.highest, **self.executor.tally.report(),
        }  # fmt: skip

    @property
    def idle(self) -> bool:
        """Whether the thread has nothing to do, as far as the event loop has been told."""
        return self._submitted == self._settled

    own_process = False
    busy_seconds = 0.0
    """A thread can't be ended, so nobody needs to know how long it has been working."""

    def kill(self, reason: OpError) -> None:
        """A thread can't be ended."""

    def submit(self, frame: Frame) -> None:
        """Run the items of a frame, or queue them."""
        work: Frame | tuple[tuple[Any, ...], ...] = frame
        if (
            self.idle
            and not self._suspended
            and self._room.is_set()
            and not self._closing
            and frame.items <= _FEW
            and len(frame.body) <= _SMALL
        ):
            try:
                work = self._run_light(wire.unpack_items(frame))
            except Exception as error:
                self._on_broken(as_op_error(error))
                return
            if self._replies:
                for arguments in self._packed():
                    self._on_replies(*arguments)
            elif not work:
                self._on_progress(self.executor.executed)
            if not work:
                return
        self._submitted += 1
        self._queue.put(work)

    def _run_light(self, items: tuple[tuple[Any, ...], ...]) -> tuple[tuple[Any, ...], ...]:
        """Run items while they are light; those that are left."""
        executor = self.executor
        for done, item in enumerate(items):
            if not is_light(executor, item):
                return items[done:]
            executor.execute((item,))
        return ()

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

    def save(self, path: Path, timeout: float) -> bool:
        """Stop after the item that is running, and write the executor's state and what is not executed to a file.
        Whether that was done within some seconds. Not on the event loop's thread.
        """
        self._suspended = True
        self._room.set()
        self.executor.suspend()
        self._queue.put(None)
        self._thread.join(timeout)
        if self._thread.is_alive() or self._closing:
            return False
        pending = [_packed_items(self._left)] if self._left else []
        while not self._queue.empty():
            work = self._queue.get()
            if isinstance(work, Frame):
                pending.append((work.items, work.body))
            elif work is not None:
                pending.append(_packed_items(work))
        description, arrays = persistence.executor_state(self.executor)
        persistence.write(path, {**description, "pending": pending}, arrays)
        return True

    def restored(self, submitted: int, executed: int) -> None:
        """Nothing: the thread counts what it is given."""

    def resume(self, pending: Sequence[tuple[int, bytes]]) -> None:
        """Run what was not executed when a state was saved, which the executor has been given."""
        for count, body in pending:
            self._submitted += 1
            self._queue.put(Frame(wire.ITEMS, 0, 0, 0, count, body))

    def _reply(self, item: tuple[Any, ...]) -> None:
        """From the executor. A frame of items may ask for much more than it holds, so that its replies go out as they
        come, and it waits for the client to take them.
        """
        self._replies.append(item)
        self._weight += _weight(item)
        if self._weight > _REPLY_FRAME and self._working is not None:
            self._deliver(self._working)
            self._room.wait()

    def _packed(self) -> Iterator[tuple[int, bytes, int]]:
        """The replies so far, as (executed, body, count) of one frame each."""
        replies, self._replies, self._weight = self._replies, [], 0
        start = size = 0
        for end, item in enumerate(replies):
            weight = _weight(item)
            if size + weight > _REPLY_FRAME and end > start:
                yield 0, wire.pack(replies[start:end]), end - start  # tells nothing new as done
                start, size = end, 0
            size += weight
        if replies:
            yield self.executor.executed, wire.pack(replies[start:]), len(replies) - start

    def _deliver(self, settled: int) -> bool:
        """From the thread: hand over the replies there are. False when there are none."""
        found = False
        for arguments in self._packed():
            self._hand_over(*arguments)
            found = True
        if found:
            self._call(self._settle, settled)
        return found

    def _hand_over(self, executed: int, body: bytes, count: int) -> None:
        """Have the event loop take replies; of large ones it is given a few at a time."""
        if len(body) <= _LIGHT_BODY:
            self._call(self._on_replies, executed, body, count)
            return
        while not self._slots.acquire(timeout=1.0):
            if self._closing:
                return
        self._call(self._take_over, executed, body, count)

    def _take_over(self, executed: int, body: bytes, count: int) -> None:
        self._slots.release()
        self._on_replies(executed, body, count)

    def _settle(self, settled: int) -> None:
        self._settled = settled

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is closed: the server is ending
            self._closing = True

    def _work(self) -> None:
        flush_denormals()
        np.seterr(all="ignore")
        frames = 0
        while not self._closing and not self._suspended:
            work = self._queue.get()
            if work is None:
                break
            try:
                self._working = frames
                self._execute(wire.unpack_items(work) if isinstance(work, Frame) else work, frames)
                self._working = None
            except Exception as error:
                self._call(self._on_broken, as_op_error(error))
                break
            frames += 1
            if not self._deliver(frames) and (self._queue.empty() or frames % _ACK_EVERY == 0):
                self._call(self._on_progress, self.executor.executed)
                self._call(self._settle, frames)
        if not self._suspended:
            self.executor.close()

    def _execute(self, items: tuple[tuple[Any, ...], ...], settled: int) -> None:
        """Run one frame, handing replies over before anything slow may follow them."""
        executor = self.executor
        before = executor.executed
        start = 0
        for end in range(len(items)):
            if items[end][0] == wire.READ and end + 1 < len(items) and items[end + 1][0] != wire.READ:
                if not self._run(executor, items[start : end + 1]):
                    break
                start = end + 1
                self._deliver(settled)
        else:
            if self._run(executor, items[start:]):
                return
        self._left = items[executor.executed - before :]

    def _run(self, executor: Executor, items: tuple[tuple[Any, ...], ...]) -> bool:
        """Run items, once the client takes replies. False when the thread is to end instead."""
        if not self._room.is_set():
            self._room.wait()
        if self._closing or self._suspended:
            return False
        try:
            executor.execute(items)
        except Suspended:
            executor.store.settle()
            return False
        return True


def _packed_items(items: tuple[tuple[Any, ...], ...]) -> tuple[int, bytes]:
    return len(items), wire.pack(wire.as_sent(items))


def _weight(item: tuple[Any, ...]) -> int:
    """About how many bytes a reply takes, where it can be many."""
    kind = item[0]
    if kind == Item.VALUE:
        return _ITEM + int(item[2].nbytes)
    if kind == Item.FAILED or kind == Item.READ_FAILED:
        return _ITEM + len(item[3])
    if kind == Item.REPORT:
        report = item[2]
        spans = report["spans"].nbytes if "spans" in report else 0
        return _ITEM + int(spans) + sum([_ENTRY[key] * len(report[key]) for key in _ENTRY if key in report])
    if kind == Item.PAYLOADS:
        return _ITEM + 4 * len(item[2]) + 9 * sum(map(len, item[3]))
    return _ITEM


def as_op_error(error: Exception) -> OpError:
    """Why a session ends: the error itself, or a bug of ours. Its text is as long as a text may be."""
    if isinstance(error, MemoryError):
        return ResourceExhaustedError("out of memory on the server")
    if not isinstance(error, OpError):
        return InternalError(brief(repr(error)))
    error.message = brief(error.message)
    error.args = (error.message,)
    return error
