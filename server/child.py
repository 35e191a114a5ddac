"""A session's executor in a process of its own: the process's side.

Owns: `serve`, which runs the items that come over a channel until it is closed. Does not know sessions' streams, HTTP,
or how the process came to be. One thread receives, and runs what is light; another runs the rest: `ThreadHost`'s two,
without an event loop between them.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from protocol import wire
from protocol.errors import OpError
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
from server.payloads import Payloads, Pinned, Upload
from server.process_kinds import Kind
from server.values import MAX_TENSORS
from server.window import PIECE

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
            self._payloads.opened(*head)
        elif kind == Kind.FILL:
            self._payloads.filled(*head)
        elif kind == Kind.FETCH:
            self._payloads.fetched(*head)
        elif kind == Kind.WINDOW:
            self._payloads.attach(files[0])
        elif kind == Kind.TELL:
            self._shelf.told(head, body, files)
        elif kind == Kind.SAVE:
            self._channel.send(Kind.SAVED, (self._save(*head), self._payloads.received_bytes()))

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


class _Payloads(Payloads):
    """Uploads and pinned reads, of which the server's process is told; it has checked what comes from a client."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(sys.maxsize)
        self._channel = channel
        self._window: np.ndarray[Any, Any] | None = None

    # --- for the executor --------------------------------------------------------------------------------------------

    def declare(self, upload: int, spec: Spec, device: Device, store: Any) -> Upload:
        """The upload that an item of the stream marks."""
        found = super().declare(upload, spec, device, store)
        self._channel.send(Kind.DECLARED, (upload, spec.nbytes))
        return found

    def _end(self, upload: int, nbytes: int) -> None:
        super()._end(upload, nbytes)
        self._channel.send(Kind.OVER, (upload, nbytes))

    def _pin(self, read: int, pinned: Pinned) -> None:
        super()._pin(read, pinned)
        self._channel.send(Kind.OFFER, (read, pinned.nbytes))

    def refuse(self, read: int) -> None:
        """Tell a GET that there will be no value."""
        self._channel.send(Kind.REFUSE, (read,))

    def withdraw(self, read: int) -> None:
        """The client has the value."""
        super().withdraw(read)
        self._channel.send(Kind.WITHDRAW, (read,))

    # --- from the server ---------------------------------------------------------------------------------------------

    def attach(self, descriptor: int) -> None:
        """Here is the window."""
        self._window = shared_memory.attach(descriptor, os.fstat(descriptor).st_size)
        os.close(descriptor)

    def opened(self, upload: int, nbytes: int) -> None:
        """A PUT has begun."""
        with contextlib.suppress(OpError):  # it is declared with another size: whoever waits for it waits
            self.open(upload, nbytes)

    def filled(self, upload: int, offset: int, piece: int, count: int) -> None:
        """Bytes of an upload are in a piece of the window."""
        found = self._uploads.get(upload)  # none: it is over already
        if found is not None and offset + count <= found.nbytes:
            found.view[offset : offset + count] = self._piece(piece, count)
            found.fill(offset, count)
        self._channel.send(Kind.DONE, (piece, count))

    def fetched(self, read: int, start: int, piece: int, count: int) -> None:
        """Bytes of a pinned read are to be put into a piece."""
        pinned = self._offers.get(read)
        if pinned is None:
            count = 0
        else:
            pinned.copy(start, self._piece(piece, count))
        self._channel.send(Kind.DONE, (piece, count))

    def _piece(self, piece: int, count: int) -> memoryview:
        assert self._window is not None
        return memoryview(self._window)[piece * PIECE : piece * PIECE + count]  # type: ignore[arg-type]

    def received_bytes(self) -> dict[int, int]:
        """How much of each upload has come."""
        return {number: found.received for number, found in self._uploads.items()}
