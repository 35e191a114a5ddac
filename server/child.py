"""A session's executor in a process of its own: the process's side.

Owns: `serve`, which runs the items that come over a channel until it is closed. Does not know sessions' streams, HTTP,
or how the process came to be. One thread receives, and runs what is light; another runs the rest: `ThreadHost`'s two,
without an event loop between them.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from protocol import wire
from protocol.errors import AbortedError, OpError, ProtocolError
from protocol.spec import Spec
from protocol.wire import Frame
from server import persistence, shared_memory
from server.channel import Channel, Message
from server.devices import Device, open_devices
from server.executor import Executor
from server.far_shelf import FarShelf
from server.files import Files
from server.host import ThreadHost
from server.ledger import Ledger, Place, Share
from server.payloads import Upload
from server.process_kinds import Kind
from server.values import MAX_TENSORS

_JOIN: Final = 2.0


def serve(connection: socket.socket, device: str) -> None:
    """Open the devices, say so, and serve one session. Returns when the server closes the channel."""
    np.seterr(all="ignore")  # this thread runs light ops: divisions by zero are the user's business
    channel = Channel(connection)
    devices = open_devices(device)
    channel.send(Kind.READY, ([{"name": d.name, **d.memory()} for d in devices],))
    first = channel.receive()
    if first is None or first.kind != Kind.START:
        return
    session = _Session(channel, devices, first.head[0], first.files)
    while (message := channel.receive()) is not None and message.kind != Kind.CLOSE:
        session.take(message)
    session.close()


class _Direct:
    """Stands for an event loop: what is called soon is called at once. `ThreadHost`'s threads take turns."""

    @staticmethod
    def call_soon_threadsafe(function: Callable[..., None], *arguments: Any) -> None:
        function(*arguments)


class _Session:
    """The executor, its thread, and what goes between them and the channel."""

    def __init__(
        self, channel: Channel, devices: list[Device], limits: dict[str, Any], ledger: tuple[int, ...]
    ) -> None:
        self._channel = channel
        self._payloads = _Payloads(channel)
        self._shelf = FarShelf(channel.send)
        files = Files(limits["data_dir"], limits["owner"], limits["file_bytes"])
        share: Share | None = None
        if ledger:
            slots, *place = limits["share"]
            share = Share(Ledger(slots, ledger[0]), Place(*place))
        saved = None if limits.get("restore") is None else Path(limits["restore"])
        description: dict[str, Any] = {}

        def make(emit: Callable[[tuple[Any, ...]], None]) -> Executor:
            executor = Executor(
                devices, limits["memory"], self._payloads, emit, files, share, self._shelf  # type: ignore[arg-type]
            )  # fmt: skip
            executor.store.most = limits["tensors"] or MAX_TENSORS
            if saved is not None:
                found, arrays = persistence.read(saved)
                persistence.restore_executor(executor, found, arrays)
                description.update(found)
            return executor

        self._host = ThreadHost(
            make,
            _Direct(),  # type: ignore[arg-type]
            self._replies,
            self._progress,
            self._broken,
        )
        self._frames = 0
        if saved is not None:
            saved.unlink()
            self._host.resume(description["pending"])

    def take(self, message: Message) -> None:
        """Do what the server asks."""
        kind, head, body, files = message
        if kind == Kind.FRAME:
            self._frames += 1
            self._host.submit(Frame(wire.ITEMS, self._frames, 0, 0, head[0], body))
        elif kind == Kind.CANCEL:
            self._host.cancel(head[0])
        elif kind == Kind.HOLD:
            self._host.hold(head[0])
        elif kind == Kind.UPLOAD:
            self._payloads.opened(head[0], head[1], files[0] if files else None)
        elif kind == Kind.FILLED:
            self._payloads.filled(head[0])
        elif kind == Kind.TELL:
            self._shelf.told(head, body, files)
        elif kind == Kind.SAVE:
            self._channel.send(Kind.SAVED, (self._save(*head),))

    def _save(self, path: str, timeout: float) -> bool:
        try:
            return self._host.save(Path(path), timeout)
        except Exception as error:
            print(f"telegrad: a session could not be saved: {error!r}", file=sys.stderr)
            return False

    def close(self) -> None:
        """End after the item that is running, or soon."""
        self._shelf.close()
        self._host.close()
        self._host.join(_JOIN)

    # --- from the host -----------------------------------------------------------------------------------------------

    def _report(self) -> tuple[Any, ...]:
        """What the session holds, and what is new of what it has done."""
        executor = self._host.executor
        store = executor.store
        totals, failures = executor.tally.changes()
        told = [(op, code, count) for (op, code), count in failures.items()]
        return len(store), store.used, store.highest, executor.tally.ops, totals, told

    def _replies(self, executed: int, body: bytes, count: int) -> None:
        self._channel.send(Kind.REPLIES, (executed, count, self._report()), body)

    def _progress(self, executed: int) -> None:
        self._channel.send(Kind.PROGRESS, (executed, self._report()))

    def _broken(self, error: OpError) -> None:
        self._channel.send(Kind.BROKEN, (error.error_code, error.message))


class _Payloads:
    """What the executor sees of payloads: `server.payloads.Payloads`, in another process than HTTP's."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._opened: dict[int, np.ndarray[Any, Any]] = {}
        self._filled: set[int] = set()
        self._uploads: dict[int, _Upload] = {}
        self._over: set[int] = set()
        self._closed = False

    # --- for the executor --------------------------------------------------------------------------------------------

    def declare(self, upload: int, spec: Spec, device: Device, store: Any) -> Upload:
        """The upload that an item of the stream marks."""
        if type(upload) is not int or upload < 0:
            raise ProtocolError(f"{upload!r} is no upload")
        with self._lock:
            if upload in self._uploads or upload in self._over:
                raise ProtocolError(f"upload {upload} is declared twice, or with another size than it has")
            there = self._opened.get(upload)
            if there is not None and there.nbytes != spec.nbytes:
                raise ProtocolError(f"upload {upload} is declared twice, or with another size than it has")
            try:
                store.charge(spec.nbytes)
            except OpError:
                self._end(upload, spec.nbytes)
                raise
            found = self._uploads[upload] = _Upload(upload, spec, device)
            self._channel.send(Kind.DECLARED, (upload, spec.nbytes))
            if there is not None:
                found.take(self._opened.pop(upload))
            if upload in self._filled:
                self._filled.discard(upload)
                found.finish()
            return found

    def finish(self, upload: _Upload) -> None:
        """Forget an upload that has become a value, or whose tensor was released before it did."""
        with self._lock:
            if self._uploads.pop(upload.number, None) is not None:
                self._end(upload.number, upload.nbytes)

    def _end(self, upload: int, nbytes: int) -> None:
        self._opened.pop(upload, None)
        self._over.add(upload)
        self._channel.send(Kind.OVER, (upload, nbytes))

    def offer(self, read: int, arrays: list[np.ndarray[Any, Any]]) -> None:
        """Put a read's values where the server can serve them."""
        sizes = tuple([a.nbytes for a in arrays])
        if not sum(sizes):
            self._channel.send(Kind.OFFER, (read, sizes))
            return
        descriptor, shared = shared_memory.create(sum(sizes))
        try:
            start = 0
            for each in arrays:
                np.copyto(shared[start : start + each.nbytes], each.reshape(-1).view(np.uint8))
                start += each.nbytes
            self._channel.send(Kind.OFFER, (read, sizes), files=(descriptor,))
        finally:
            os.close(descriptor)

    def refuse(self, read: int) -> None:
        """Tell a GET that there will be no value."""
        self._channel.send(Kind.REFUSE, (read,))

    def withdraw(self, read: int) -> None:
        """The client has the value."""
        self._channel.send(Kind.WITHDRAW, (read,))

    def close(self) -> None:
        """Wake whoever waits."""
        self._closed = True
        with self._lock:
            uploads = list(self._uploads.values())
        for each in uploads:
            each.abort()

    # --- from the server ---------------------------------------------------------------------------------------------

    def opened(self, upload: int, nbytes: int, descriptor: int | None) -> None:
        """A PUT has begun: here is the memory that it fills."""
        buffer = np.empty(0, np.uint8)
        if descriptor is not None:
            buffer = shared_memory.attach(descriptor, nbytes)
            os.close(descriptor)
        with self._lock:
            found = self._uploads.get(upload)
            if found is not None and found.nbytes == nbytes:
                found.take(buffer)
            elif found is None and upload not in self._over:
                self._opened[upload] = buffer

    def filled(self, upload: int) -> None:
        """A PUT is complete."""
        with self._lock:
            found = self._uploads.get(upload)
            if found is not None:
                found.finish()
            elif upload not in self._over:
                self._filled.add(upload)


class _Upload(Upload):
    """An upload whose memory comes from the server's process, perhaps later."""

    def __init__(self, number: int, spec: Spec, device: Device) -> None:
        super().__init__(spec.nbytes, np.empty(0, np.uint8))
        self.number = number
        self.spec, self.device = spec, device

    def take(self, buffer: np.ndarray[Any, Any]) -> None:
        """Here is the memory."""
        self._buffer = buffer

    def array(self) -> np.ndarray[Any, Any]:
        """The finished array."""
        if self.nbytes and self._aborted:
            raise AbortedError("the session ended during an upload")
        return super().array()
