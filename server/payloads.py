"""Values too large for the stream, on their way in or out over HTTP connections of their own.

Owns: `Upload` (filled by PUTs at offsets), pinned reads (served by GETs with a range), and their limits. Does not know
HTTP or items. The executor's thread declares, waits, offers and withdraws; the event loop fills and serves.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from protocol import wire
from protocol.errors import AbortedError, InvalidArgumentError, ProtocolError, ResourceExhaustedError
from protocol.spec import Spec
from server import spare_memory
from server.devices import Device
from server.pins import MAX_PINNED
from server.sinks import MemorySink, Sink
from server.waiting import Part

_MAX_OPEN: Final = MAX_PINNED
_REMEMBERED: Final = 1024
_PIECE: Final = 2**23
_SMALL: Final = 2**18


class Suspended(BaseException):
    """An item waits for bytes, and the session's state is to be written down: who takes it up executes the item."""


class Upload:
    """A buffer of known size that fills from the front."""

    def __init__(self, nbytes: int, buffer: np.ndarray[Any, Any] | None = None) -> None:
        self.nbytes = nbytes
        self.number = 0
        self.received = 0
        self.spec: Any = None
        self.device: Any = None
        self._buffer = spare_memory.take(nbytes) if buffer is None else buffer
        self.view = memoryview(self._buffer)
        self._finished = threading.Event()  # or nobody is to wait any longer
        self._complete = not nbytes
        self._aborted = False

    def sink(self, offset: int, end: int) -> Sink:
        """Where the bytes from `offset` to `end` go. What was received before may come again. Raises
        InvalidArgumentError when they leave a gap, or are too many.
        """
        if not offset <= end <= self.nbytes or offset > self.received:
            raise InvalidArgumentError(
                f"bytes {offset} to {end} don't follow the {self.received} received of {self.nbytes}"
            )
        return self._sink(offset, end)

    def _sink(self, offset: int, end: int) -> Sink:
        return _UploadSink(self, offset, end)

    def fill(self, offset: int, count: int) -> None:
        """Note that `count` bytes at `offset` are there."""
        if offset <= self.received < offset + count:
            self.received = offset + count
            if self.received == self.nbytes:
                self.finish()

    def finish(self) -> None:
        """All bytes are there."""
        self._complete = True
        self._finished.set()

    def wait(self) -> None:
        """Block until all bytes are there. Raises AbortedError when the session ends first, Suspended as that says."""
        if self.nbytes:
            self._finished.wait()
        if self._aborted:
            raise AbortedError("the session ended during an upload")
        if not self._complete:
            raise Suspended

    def interrupt(self) -> None:
        """Have nobody wait for bytes that are missing."""
        self._finished.set()

    def abort(self) -> None:
        """Wake whoever waits, with an error."""
        self._aborted = True
        self._finished.set()

    def array(self) -> np.ndarray[Any, Any]:
        """The finished array."""
        return self._buffer.view(self.spec.dtype.numpy).reshape(self.spec.shape)


class _UploadSink(MemorySink):
    """Fills a part of an upload's memory."""

    def __init__(self, upload: Upload, offset: int, end: int) -> None:
        super().__init__(upload.view[offset:end])
        self._upload = upload
        self._offset = offset

    def took(self, count: int) -> bool:
        """So many bytes were put there."""
        self._upload.fill(self._offset, count)
        self._offset += count
        return super().took(count)


class Pinned:
    """The value of a read, or its values one after the other, kept until the client has them."""

    def __init__(self, parts: Sequence[np.ndarray[Any, Any]]) -> None:
        self._parts = [wire.array_bytes(a) for a in parts]
        self.nbytes = sum(map(len, self._parts))

    def arrays(self) -> list[np.ndarray[Any, Any]]:
        """The values' bytes."""
        return [np.frombuffer(part, np.uint8) for part in self._parts]

    async def whole(self) -> np.ndarray[Any, Any]:
        """All of the bytes."""
        if len(self._parts) == 1:
            return self.arrays()[0]
        found, end = np.empty(self.nbytes, np.uint8), 0
        async for piece in self.pieces(0):
            found[end : end + len(piece)] = np.frombuffer(piece, np.uint8)
            end += len(piece)
        return found

    def copy(self, start: int, into: memoryview) -> None:
        """Fill `into` with the bytes from `start` on."""
        for part in self._parts:
            rest, start = part[start:], max(0, start - len(part))
            count = min(len(rest), len(into))
            into[:count] = rest[:count]
            into = into[count:]
            if not into:
                return

    async def pieces(self, start: int) -> AsyncIterator[memoryview | bytes]:
        """The bytes from `start` on. Small parts next to each other are put together, so that each costs no turn."""
        small = bytearray()
        for part in self._parts:
            rest, start = part[start:], max(0, start - len(part))
            if len(rest) < _SMALL:
                small += rest
                if len(small) < _SMALL:
                    continue
                rest = memoryview(b"")
            if small:
                yield bytes(small)
                small.clear()
            for first in range(0, len(rest), _PIECE):
                yield rest[first : first + _PIECE]
        yield bytes(small)


class Payloads:
    """A session's open uploads and pinned reads; `limit` bounds the bytes of uploads that the stream has not declared
    yet, and `waiting` those of all sessions of the token.
    """

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop | None = None, waiting: Part | None = None) -> None:
        self.limit = limit
        self._loop = loop
        self._uploads: dict[int, Upload] = {}
        self._undeclared = waiting or Part()
        self._lock = threading.Lock()
        self._offers: dict[int, Pinned] = {}
        self._refused: deque[int] = deque(maxlen=_REMEMBERED)
        self._over: dict[int, int] = {}  # the last uploads that became a value, or never will, and their sizes
        self._waiting: dict[int, tuple[asyncio.Event, int]] = {}  # and how many wait for it
        self._closed = False

    # --- uploads -----------------------------------------------------------------------------------------------------

    def open(self, upload: int, nbytes: int) -> Upload | None:
        """The upload, made at the first PUT that names it; None when it is over, so that nobody wants its bytes (any
        more).

        Raises:
            InvalidArgumentError: it was opened with another size.
            ResourceExhaustedError: too many bytes or uploads are open.
        """
        with self._lock:
            if upload in self._over:
                return None
            found = self._uploads.get(upload)
            if found is None:
                found = self._make(upload, nbytes)
                self._undeclared.add(nbytes)
            if found.nbytes != nbytes:
                raise InvalidArgumentError(f"upload {upload} has {found.nbytes} bytes, not {nbytes}")
            return found

    def _make(self, upload: int, nbytes: int) -> Upload:
        self._check(upload, nbytes)
        return self._uploads.setdefault(upload, Upload(nbytes))

    def _check(self, upload: int, nbytes: int) -> None:
        """Raise unless an upload of so many bytes may be opened."""
        if upload < 0:
            raise InvalidArgumentError(f"{upload} is no upload")
        if self._closed:
            raise AbortedError("the session has ended")
        if self._undeclared.held + nbytes > self.limit or len(self._uploads) >= _MAX_OPEN:
            raise ResourceExhaustedError(
                f"out of memory for an upload: {nbytes} bytes asked, {self._undeclared.held} open, {self.limit} allowed"
            )
        self._undeclared.check(nbytes)

    def declare(self, upload: int, spec: Spec, device: Device, store: Any) -> Upload:
        """The upload that an item of the stream marks; it is the store's from here on."""
        with self._lock:
            found = self._uploads.get(upload)
            if type(upload) is not int or upload < 0:
                raise ProtocolError(f"{upload!r} is no upload")
            again = upload in self._over or (found is not None and found.spec is not None)
            if again or (found is not None and found.nbytes != spec.nbytes):
                raise ProtocolError(f"upload {upload} is declared twice, or with another size than it has")
            if found is not None:
                self._undeclared.add(-found.nbytes)
            try:
                store.charge(spec.nbytes)
                found = found or self._make(upload, spec.nbytes)
            except ResourceExhaustedError:
                self._end(upload, spec.nbytes)
                raise
            found.spec, found.device, found.number = spec, device, upload
            return found

    def received(self, upload: int) -> int:
        """How many bytes of an upload have come: 0 for one that is not open yet, all for one that is over."""
        found = self._uploads.get(upload)
        return self._over.get(upload, 0) if found is None else found.received

    def finish(self, upload: Upload) -> None:
        """Forget an upload that has become a value, or whose tensor was released before it did."""
        with self._lock:
            for key, value in self._uploads.items():
                if value is upload:
                    self._end(key, value.nbytes)
                    return

    def _end(self, upload: int, nbytes: int) -> None:
        """With the lock: forget an upload but for its being over, which a client that missed the answer will ask."""
        self._uploads.pop(upload, None)
        self._over[upload] = nbytes
        while len(self._over) > _REMEMBERED:
            del self._over[next(iter(self._over))]

    # --- reads -------------------------------------------------------------------------------------------------------

    def offer(self, read: int, arrays: Sequence[np.ndarray[Any, Any]]) -> None:
        """Pin a read's value, or values, until the client has it."""
        self._pin(read, Pinned(arrays))

    def _pin(self, read: int, pinned: Pinned) -> None:
        if len(self._offers) >= _MAX_OPEN:
            raise ResourceExhaustedError(f"more than {_MAX_OPEN} reads are pinned")
        self._offers[read] = pinned
        self._notify(read)

    def refuse(self, read: int) -> None:
        """Tell a GET that waits, or comes later, that there will be no value."""
        self._refused.append(read)
        if read in self._waiting:
            self._notify(read)

    def withdraw(self, read: int) -> None:
        """Unpin: the client has the value."""
        self._offers.pop(read, None)

    def _notify(self, read: int) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake, read)

    def _wake(self, read: int) -> None:
        if read in self._waiting:
            self._waiting[read][0].set()

    async def get(self, read: int, timeout: float) -> Pinned | None:
        """The pinned value of `read`, awaited until it is executed; None when it failed or the session ended.

        Raises:
            TimeoutError: it was not executed in `timeout` seconds.
        """
        if read not in self._offers and read not in self._refused and not self._closed:
            event, others = self._waiting.get(read, (asyncio.Event(), 0))
            self._waiting[read] = event, others + 1  # a client that lost its connection comes again
            try:
                await asyncio.wait_for(event.wait(), timeout)
            finally:
                event, waiting = self._waiting.pop(read)
                if waiting > 1:
                    self._waiting[read] = event, waiting - 1
        return self._offers.get(read)

    # --- across a restart of the server ------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], list[np.ndarray[Any, Any]]]:
        """Uploads under way with what has come of them, and pinned reads: for `restore`."""
        uploads, offers, arrays = [], [], []
        for number, upload in list(self._uploads.items()):
            uploads.append((number, upload.nbytes, len(arrays)))
            arrays.append(np.frombuffer(upload.view[: upload.received], np.uint8))
        for read, pinned in list(self._offers.items()):
            parts = pinned.arrays()
            offers.append((read, len(arrays), len(parts)))
            arrays.extend(parts)
        over = list(self._over.items())
        return {"uploads": uploads, "offers": offers, "over": over, "refused": list(self._refused)}, arrays

    def restore(self, state: Mapping[str, Any], arrays: Sequence[np.ndarray[Any, Any]]) -> None:
        """Take up what `state` gave. Uploads that the stream had declared are to be declared again."""
        self._over.update(dict(state["over"]))
        self._refused.extend(state["refused"])
        for number, nbytes, at in state["uploads"]:
            upload = self._uploads[number] = Upload(nbytes)
            self._undeclared.add(nbytes)
            came = arrays[at].nbytes
            upload.view[:came] = wire.array_bytes(arrays[at])
            upload.fill(0, came)
        for read, at, count in state["offers"]:
            self.offer(read, arrays[at : at + count])

    def here(self) -> Any:
        """What of the state is not with the executor's: nothing."""
        return None

    def restore_here(self, state: Any) -> None:
        """Take up what `here` gave."""

    def close(self) -> None:
        """Drop everything; whoever waits for an upload gets an error."""
        with self._lock:
            self._closed = True
            self._undeclared.close()
            uploads = list(self._uploads.values())
            self._uploads.clear()
        for upload in uploads:
            upload.abort()
        self._offers.clear()
        for read in list(self._waiting):
            self._notify(read)
