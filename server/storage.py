"""Several values at once, out of a session and in: as one payload, and to and from the server's files.

Owns: what the items READ_MANY, STORE and LOAD do. Does not know checkpoints: a file is a head that the client wrote,
and the bytes of values after it, each with a checksum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xxhash

from protocol import wire
from protocol.errors import (
    DataLossError,
    InvalidArgumentError,
    OutOfRangeError,
    ProtocolError,
    ResourceExhaustedError,
    code_of,
)  # fmt: skip
from protocol.spec import Spec
from protocol.wire import MAX_FRAME, Item
from server.values import Poison, Value

if TYPE_CHECKING:
    from server.executor import Executor

_PIECE: Final = 2**23
_MAX_HEAD: Final = 2**23


def handlers(executor: Executor) -> dict[int, Callable[[tuple[Any, ...], int], None]]:
    """What `executor` does for the items of this module."""
    storage = _Storage(executor)
    return {Item.READ_MANY: storage.read_many, Item.STORE: storage.store, Item.LOAD: storage.load}


class _Storage:
    """The items of this module for one session."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def read_many(self, item: tuple[Any, ...], number: int) -> None:
        """Pin the values, as they are now, until the client has them."""
        _, read, ids = item
        found = self._values(read, ids, number, pin=True)
        if found is not None:
            values, arrays = found
            self._executor.payloads.offer(read, arrays)
            dtypes, shapes = tuple(v.spec.dtype for v in values), tuple(v.spec.shape for v in values)
            self._executor.emit((Item.PAYLOADS, read, dtypes, shapes))

    def store(self, item: tuple[Any, ...], number: int) -> None:
        """Write a file: the head, then the values. The session goes on when it is on disk."""
        _, read, file, head, ids = item
        if type(head) is not bytes or len(head) > _MAX_HEAD:
            raise ProtocolError("STORE has no head of bytes, or a larger one than may be")
        found = self._values(read, ids, number)
        if found is None:
            return
        executor = self._executor
        try:
            with executor.files.writing(file) as out:
                out.write(head)
                sums = [_write(out, array) for array in found[1]]
                size = out.tell()
        except Exception as error:
            executor.refuse_read(read, Poison(code_of(error), str(error), None, number))
            return
        executor.emit((Item.REPORT, read, {"bytes": size, "checksums": sums}))

    def _values(
        self, read: Any, ids: Any, number: int, pin: bool = False
    ) -> tuple[list[Value], list[np.ndarray[Any, Any]]] | None:
        """The values of `ids` and where they lie in host memory; None when one of them is not there, which is told.
        With `pin` they are counted as the read's before they are taken.
        """
        if type(ids) is not tuple:
            raise ProtocolError(f"{ids!r:.100} is no array of ids")
        executor = self._executor
        values: list[Value] = []
        arrays: list[np.ndarray[Any, Any]] = []
        poison: Poison | None = None
        try:
            for each in ids:
                value = executor.operand(each)
                if type(value) is Poison:
                    poison = value
                    break
                assert isinstance(value, Value)
                values.append(value)
            if poison is None:
                if pin:
                    _check_description(values)
                    executor.pins.add(read, sum([v.nbytes for v in values]))
                arrays = [(v.device or executor.default).host(v.array) for v in values]
        except ProtocolError:
            raise
        except Exception as error:
            poison = Poison(code_of(error), str(error), None, number)
        if poison is not None:
            executor.refuse_read(read, poison)
            return None
        return values, arrays

    def load(self, item: tuple[Any, ...], number: int) -> None:
        """Make a tensor of a piece of a file."""
        _, tensor, file, offset, dtype, shape = item[:6]
        checksum = item[6] if len(item) > 6 else None
        executor = self._executor
        count = wire.checked_count(wire.checked_shape(shape))
        if type(offset) is not int or offset < 0:
            raise ProtocolError(f"{offset!r} is no offset")
        try:
            spec = Spec(dtype, shape)
            executor.store.charge(count * dtype.size)
            device = executor.device_of(item, 7)
            array = np.empty(shape, dtype.numpy)
            self._read_file(file, offset, array, checksum)
            value = Value(device.take(array), spec, device)
        except ProtocolError:
            raise
        except Exception as error:
            executor.fail("load", tensor, error, number)
            return
        executor.store.put(tensor, value)

    def _read_file(self, file: Any, offset: int, into: np.ndarray[Any, Any], checksum: int | None) -> None:
        path = self._executor.files.existing(file)
        if offset + into.nbytes > path.stat().st_size:
            raise OutOfRangeError(f"the file {file!r} ends before byte {offset + into.nbytes}")
        view = wire.array_bytes(into)
        digest = xxhash.xxh3_64()
        with open(path, "rb", buffering=0) as source:
            source.seek(offset)
            for start in range(0, len(view), _PIECE):
                piece = view[start : start + _PIECE]
                while piece:
                    count = source.readinto(piece)
                    if not count:
                        raise DataLossError(f"the file {file!r} ended while it was read")
                    digest.update(piece[:count])
                    piece = piece[count:]
        if checksum is not None and digest.intdigest() != checksum:
            raise DataLossError(f"the file {file!r} is damaged: its bytes from {offset} on are not those written")
        if into.dtype == np.bool_ and into.size and int(into.view(np.uint8).max()) > 1:
            raise InvalidArgumentError(f"the file {file!r} has other bytes than 0 and 1 for a bool")


def _check_description(values: list[Value]) -> None:
    """Raise unless the dtypes and shapes of so many values surely fit in a frame."""
    size = sum([4 + 9 * (1 + len(v.spec.shape or ())) for v in values])
    if size > MAX_FRAME // 2:
        raise ResourceExhaustedError(f"the shapes of {len(values)} values are too many for one answer")


def _write(out: Any, array: np.ndarray[Any, Any]) -> int:
    """Write an array's bytes; their checksum."""
    data = wire.array_bytes(np.ascontiguousarray(array))
    for start in range(0, len(data), _PIECE):
        piece = data[start : start + _PIECE]
        while piece:
            piece = piece[out.write(piece) :]
    return xxhash.xxh3_64_intdigest(data)
