"""A session's executor in a process of its own: the server's side.

Owns: `ProcessHost`, with `ThreadHost`'s interface, and the payloads that go between HTTP and that process. Does not
know how the process comes to be (`server.nursery`) or what it does (`server.child`).

A crash, a kill for want of memory or a broken CUDA context ends this session and no other; a kernel that does not end
can be ended; no session holds another's interpreter lock. The event loop moves frames as they are, undecoded, and
values over the inline limit through memory that both see (`server.window`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from protocol.errors import InvalidArgumentError, OpError, SessionLostError, error_from
from protocol.wire import Frame
from server.channel import LoopChannel, Message
from server.far_shelf import ShelfDesk
from server.nursery import Child, Nursery
from server.payloads import Payloads, Pinned, Upload
from server.process_kinds import Kind
from server.published import Shelf
from server.waiting import Part
from server.window import Window, WindowSink

_GRACE: Final = 2.0
"""Seconds that a process has to end by itself."""


class SharedPayloads(Payloads):
    """A session's uploads and pinned reads, whose bytes are with its process and pass through a window."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop | None = None, waiting: Part | None = None) -> None:
        super().__init__(limit, loop, waiting)
        self.window = Window(_nowhere)
        self._declared: dict[int, int] = {}  # before their PUT: their sizes
        self._marked: set[int] = set()
        self._saved: dict[int, int] = {}

    def _make(self, upload: int, nbytes: int) -> Upload:
        marked = self._declared.get(upload)
        if marked is not None and marked != nbytes:
            raise InvalidArgumentError(f"upload {upload} has {marked} bytes, not {nbytes}")
        self._check(upload, 0 if marked is not None else nbytes)
        if self._declared.pop(upload, None) is not None:
            self._undeclared.add(-nbytes)  # which `open` adds
        found = self._uploads[upload] = _FarUpload(upload, nbytes, self.window)
        self.window.send(Kind.UPLOAD, (upload, nbytes))
        return found

    def close(self) -> None:
        """Drop everything; whoever waits gets an error."""
        super().close()
        self.window.close()

    # --- across a restart of the server ------------------------------------------------------------------------------

    def here(self) -> Any:
        """What the process does not know; its own state has the bytes, and how many they are."""
        uploads = [(number, found.nbytes, self._saved.get(number, 0)) for number, found in self._uploads.items()]
        return {"uploads": uploads, "over": list(self._over.items()), "refused": list(self._refused)}

    def restore_here(self, state: Any) -> None:
        """Take up what `here` gave. The process tells what is declared and what is pinned."""
        self._over.update(dict(state["over"]))
        self._refused.extend(state["refused"])
        for number, nbytes, received in state["uploads"]:
            upload = self._uploads[number] = _FarUpload(number, nbytes, self.window)
            self._undeclared.add(nbytes)
            upload.received = received

    # --- from the process --------------------------------------------------------------------------------------------

    def saved(self, received: Mapping[int, int]) -> None:
        """The process has written its state, with so many bytes of each upload."""
        self._saved = dict(received)

    def declared(self, upload: int, nbytes: int) -> None:
        """The stream has come to the mark of an upload."""
        if upload in self._uploads:
            self._undeclared.add(-nbytes)
        else:
            self._declared[upload] = nbytes
        self._marked.add(upload)

    def over(self, upload: int, nbytes: int) -> None:
        """An upload has become a value, or never will."""
        with self._lock:
            if upload in self._uploads and upload not in self._marked:
                self._undeclared.add(-nbytes)  # it was refused at its mark
            self._marked.discard(upload)
            self._declared.pop(upload, None)
            self._end(upload, nbytes)

    def offered(self, read: int, nbytes: int) -> None:
        """The process has pinned a read's value."""
        self._pin(read, _FarPinned(read, nbytes, self.window))


class _FarUpload(Upload):
    """An upload whose memory is the process's."""

    def __init__(self, number: int, nbytes: int, window: Window) -> None:
        super().__init__(nbytes, np.empty(0, np.uint8))
        self.number = number
        self._window = window

    def _sink(self, offset: int, end: int) -> WindowSink:
        return WindowSink(self._window, self.number, offset, end, self.fill)


class _FarPinned(Pinned):
    """A read's value that the process has."""

    def __init__(self, read: int, nbytes: int, window: Window) -> None:
        super().__init__(())
        self.nbytes = nbytes
        self._read = read
        self._window = window

    def pieces(self, start: int) -> AsyncIterator[memoryview | bytes]:
        """The bytes from `start` on."""
        return self._window.pieces(self._read, start, self.nbytes)


class ProcessHost:
    """Has a process of the nursery run a session's items. The callbacks are `ThreadHost`'s.

    `limits` is what the process has to know; `ledger` the file that `limits["share"]` is a place of, if there is one.
    """

    own_process = True

    def __init__(
        self,
        nursery: Nursery,
        payloads: SharedPayloads,
        shelf: Shelf,
        limits: dict[str, Any],
        ledger: tuple[int, ...],
        loop: asyncio.AbstractEventLoop,
        on_replies: Callable[[int, bytes, int], None],
        on_progress: Callable[[int], None],
        on_broken: Callable[[OpError], None],
    ) -> None:
        self._loop = loop
        self._payloads = payloads
        self._on_replies = on_replies
        self._on_progress = on_progress
        self._on_broken = on_broken
        self._submitted = self._executed = 0  # items
        self._busy_since = 0.0
        self._closing = False
        self._saved = threading.Event()
        self._was_saved = False
        self._report: dict[str, Any] = {
            "tensors": 0, "bytes": 0, "peak_bytes": 0, "ops": 0, "by_op": {}, "failures": {},
        }  # fmt: skip
        self._child: Child = nursery.take(self._ended)
        self._channel = LoopChannel(self._child.socket, loop, self._message, self._lost)
        payloads.window.send = self._channel.send
        self._desk = ShelfDesk(shelf, loop, self._channel.send)
        self._channel.send(Kind.START, (limits,), b"", ledger)

    # --- ThreadHost's interface --------------------------------------------------------------------------------------

    @property
    def report(self) -> dict[str, Any]:
        """What the session held when it was last heard of."""
        return self._report

    @property
    def idle(self) -> bool:
        """Whether the process has nothing to do, as far as the event loop has been told."""
        return self._submitted == self._executed

    @property
    def busy_seconds(self) -> float:
        """How long the process has been working without finishing a frame."""
        return 0.0 if self.idle else time.monotonic() - self._busy_since

    def submit(self, frame: Frame) -> None:
        """Hand over a frame."""
        if self.idle:
            self._busy_since = time.monotonic()
        self._submitted += frame.items
        self._channel.send(Kind.FRAME, (frame.items,), frame.body)

    def cancel(self, through: int) -> None:
        """Drop the items up to number `through` that have not run."""
        self._channel.send(Kind.CANCEL, (through,))

    def hold(self, held: bool) -> None:
        """Pause before the next item while the client does not take the replies it asked for."""
        self._channel.send(Kind.HOLD, (held,))

    def kill(self, reason: OpError) -> None:
        """End the process at once."""
        if not self._closing:
            self._child.kill()
            self._break(reason)

    def close(self) -> None:
        """End the process, after the item it is at if that does not take long."""
        if self._closing:
            return
        self._closing = True
        self._payloads.close()
        self._channel.send(Kind.CLOSE)
        self._loop.call_later(_GRACE, self._finish)

    def _finish(self) -> None:
        self._channel.close()
        self._child.kill()

    def join(self, timeout: float) -> None:
        """Wait for the process to end; it is ended when it takes longer."""
        if not self._child.wait(timeout):
            self._child.kill()

    def save(self, path: Path, timeout: float) -> bool:
        """Have the process write its state to a file: whether it did within some seconds. Not for the event loop."""
        self._loop.call_soon_threadsafe(self._channel.send, Kind.SAVE, (str(path), timeout))
        return self._saved.wait(timeout) and self._was_saved

    def restored(self, submitted: int, executed: int) -> None:
        """The process goes on with a state in which so many items had been submitted and executed."""
        self._submitted, self._executed = submitted, executed

    # --- from the process, on the event loop -------------------------------------------------------------------------

    def _message(self, message: Message) -> None:
        kind, head, body, files = message
        if kind == Kind.REPLIES:
            executed, count, report = head
            self._note(executed, report)
            if not self._closing:
                self._on_replies(executed, body, count)
        elif kind == Kind.PROGRESS:
            executed, report = head
            self._note(executed, report)
            if not self._closing:
                self._on_progress(executed)
        elif kind == Kind.BROKEN:
            error = error_from(*head)
            self._break(error if isinstance(error, OpError) else SessionLostError(str(error)))
        elif kind == Kind.OFFER:
            self._payloads.offered(*head)
        elif kind == Kind.DONE:
            self._payloads.window.done(*head)
        elif kind == Kind.REFUSE:
            self._payloads.refuse(head[0])
        elif kind == Kind.WITHDRAW:
            self._payloads.withdraw(head[0])
        elif kind == Kind.DECLARED:
            self._payloads.declared(*head)
        elif kind == Kind.OVER:
            self._payloads.over(*head)
        elif kind == Kind.ASK:
            self._desk.asked(head, body, files)
        elif kind == Kind.SAVED:
            self._was_saved, received = head
            self._payloads.saved(received)
            self._saved.set()

    def _note(self, executed: int, report: tuple[Any, ...]) -> None:
        if executed > self._executed:
            self._executed = executed
            self._busy_since = time.monotonic()
        tensors, used, peak, ops, totals, failures = report
        mine = self._report
        mine["tensors"], mine["bytes"], mine["peak_bytes"], mine["ops"] = tensors, used, peak, ops
        mine["by_op"].update(totals)
        mine["failures"].update({(op, code): count for op, code, count in failures})

    def _lost(self) -> None:
        """The process is gone; why comes with `_ended`, soon."""
        if not self._closing:
            self._loop.call_later(_GRACE, self._break, SessionLostError("the session's process is gone"))

    def _ended(self, status: int) -> None:
        """The process ended, with a status as `os.waitpid` gives it."""
        if not self._closing:
            self._loop.call_soon(self._break, SessionLostError(why(status)))

    def _break(self, error: OpError) -> None:
        if self._closing:
            return
        self._closing = True
        self._payloads.close()
        self._channel.close()
        self._child.kill()
        self._on_broken(error)


def why(status: int) -> str:
    """Why a session's process ended, for its user."""
    advice = "; other sessions go on. Restore a checkpoint in a new one"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name
        if number == signal.SIGKILL:
            return f"the session's process was killed, as the system does when memory runs out ({name}){advice}"
        return f"the session's process crashed ({name}){advice}"
    return f"the session's process ended with status {os.waitstatus_to_exitcode(status)}{advice}"


def _nowhere(*arguments: Any) -> None:
    pass
