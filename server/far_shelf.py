"""Published values as a session's process sees them, which keeps none itself: they are the server's process's.

Owns: `FarShelf` (the session's side, `server.published.Shelf`'s methods) and `ShelfDesk` (the server's). Does not know
who publishes, or how the messages travel (`server.channel`).

A call is a message ASK with its number, answered by one TELL; a value goes as bytes of the message while it is small,
and in shared memory otherwise.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from protocol import wire
from protocol.dtypes import BY_CODE, BY_NUMPY
from protocol.errors import AbortedError, code_of, error_from
from server import shared_memory
from server.process_kinds import Kind
from server.published import Shelf

_SMALL: Final = 64 * 1024
"""Bytes of a value that stands in the message itself."""

Array = np.ndarray[Any, Any]
Send = Callable[..., None]


def _packed(array: Array) -> tuple[tuple[Any, ...], bytes, tuple[int, ...]]:
    """An array as a head, a body and files; whoever sends it closes the files."""
    head = BY_NUMPY[array.dtype].code, array.shape
    data = wire.array_bytes(np.ascontiguousarray(array))
    if array.nbytes <= _SMALL:
        return head, bytes(data), ()
    descriptor, shared = shared_memory.create(array.nbytes)
    np.copyto(shared, np.frombuffer(data, np.uint8))
    return head, b"", (descriptor,)


def _unpacked(head: tuple[Any, ...], body: bytes, files: tuple[int, ...]) -> Array:
    """The array that `_packed` took apart; its memory is nobody else's."""
    code, shape = head
    dtype = BY_CODE[code].numpy
    if not files:
        return np.frombuffer(body, dtype).reshape(shape)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    shared = shared_memory.attach(files[0], size)
    os.close(files[0])
    return shared.view(dtype).reshape(shape)


class FarShelf:
    """In a session's process. Its executor's thread calls; another receives the answers."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._calls = 0
        self._answered = threading.Event()
        self._answer: tuple[Any, ...] | None = None
        self._closed = False

    def publish(self, name: str, array: Array) -> None:
        """As `Shelf.publish`."""
        head, body, files = _packed(array)
        try:
            self._ask("publish", (name, *head), body, files)
        finally:
            for each in files:
                os.close(each)

    def fetch(self, name: str) -> Array:
        """As `Shelf.fetch`."""
        return _unpacked(*self._ask("fetch", (name,)))

    def unpublish(self, name: str) -> None:
        """As `Shelf.unpublish`."""
        self._ask("unpublish", (name,))

    def listed(self, prefix: str = "") -> list[dict[str, Any]]:
        """As `Shelf.listed`."""
        head, _, _ = self._ask("listed", (prefix,))
        return [{**entry, "shape": list(entry["shape"])} for entry in head[0]]

    def _ask(
        self, method: str, arguments: tuple[Any, ...], body: bytes = b"", files: tuple[int, ...] = ()
    ) -> tuple[tuple[Any, ...], bytes, tuple[int, ...]]:
        self._calls += 1
        self._answered.clear()
        self._send(Kind.ASK, (self._calls, method, *arguments), body, files)
        while True:
            self._answered.wait()
            if self._closed:
                raise AbortedError("the session ended while it published")
            assert self._answer is not None
            (call, error, *head), body, files = self._answer
            if call == self._calls:
                break
        if error is not None:
            raise error_from(*error)
        return tuple(head), body, files

    # --- the receiving thread ----------------------------------------------------------------------------------------

    def told(self, head: tuple[Any, ...], body: bytes, files: tuple[int, ...]) -> None:
        """A TELL has come."""
        self._answer = head, body, files
        self._answered.set()

    def close(self) -> None:
        """Wake who waits: no answer will come."""
        self._closed = True
        self._answered.set()


class ShelfDesk:
    """In the server's process: answers what a session's process asks, copying large values beside the event loop."""

    def __init__(self, shelf: Shelf, loop: asyncio.AbstractEventLoop, send: Send) -> None:
        self._shelf = shelf
        self._loop = loop
        self._send = send
        self._tasks: set[asyncio.Future[None]] = set()

    def asked(self, head: tuple[Any, ...], body: bytes, files: tuple[int, ...]) -> None:
        """An ASK has come."""
        call, method, name, *rest = head
        task = self._loop.create_task(self._serve(call, method, name, tuple(rest), body, files))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, call: int, method: str, name: Any, rest: tuple[Any, ...], body: bytes, files: tuple[int, ...]
    ) -> None:
        try:
            if method == "publish":
                self._shelf.publish(name, _unpacked(rest, body, files), copy=False)
                self._send(Kind.TELL, (call, None))
            elif method == "fetch":
                array = self._shelf.fetch(name)
                packed = _packed(array) if array.nbytes <= _SMALL else await asyncio.to_thread(_packed, array)
                self._send(Kind.TELL, (call, None, *packed[0]), packed[1], packed[2])
            elif method == "unpublish":
                self._shelf.unpublish(name)
                self._send(Kind.TELL, (call, None))
            else:
                self._send(Kind.TELL, (call, None, self._shelf.listed(name)))
        except Exception as error:
            self._send(Kind.TELL, (call, (code_of(error), str(error))))
