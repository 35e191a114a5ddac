"""Where checkpoints are: on this machine, or with the server (`server://name`).

Owns: `Place`: files by name, written whole or not at all, and values on their way between them and a session. Does not
know what is in an index.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import queue
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Final, Protocol
from urllib.parse import quote

import numpy as np
import xxhash

from client import context
from client.tensor import Tensor
from client.train.bundle import DATA, INDEX, SUFFIX, Entry
from client.train.snapshot import Snapshot
from protocol import wire
from protocol.errors import DataLossError, InvalidArgumentError, NotFoundError
from protocol.spec import Spec
from protocol.wire import Item

SERVER: Final = "server://"
_PIECE: Final = 2**22
_PIECES: Final = 4
_CACHED: Final = 2**18
"""Bytes that are still in a processor's cache when they are looked at after they were read."""
_WORTH_A_THREAD: Final = 2**25
_SMALL: Final = wire.MAX_INLINE

Progress = Callable[[int], None]
"""Told how many more bytes are done."""


class Place(Protocol):
    """A kind of place. Names are those of files, without the `server://`."""

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises NotFoundError."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file: when this returns it is there, and before that what was there."""

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""

    def delete(self, prefix: str) -> None:
        """Remove a checkpoint's files."""

    def replace(self, prefix: str, index: bytes, data: str) -> None:
        """Make a checkpoint of an index and the data file that is there; what was at that prefix before goes."""

    def make_durable(self, prefix: str) -> None:
        """Return when a checkpoint would survive a loss of power: to be called before an older one is removed."""

    def start(self, name: str, head: bytes, snapshot: Snapshot) -> None:
        """Ask for the values of a data file: those of this moment. Does not wait."""

    def store(self, name: str, head: bytes, snapshot: Snapshot, progress: Progress) -> tuple[int, list[int]]:
        """After `start`, write the file: the head, then the values. Its size, and the values' checksums."""

    def verify(self, name: str, size: int, entries: Sequence[Entry], progress: Progress) -> None:
        """Raise DataLossError unless the file is as long as it should be and the values are those written."""

    def load(self, name: str, entry: Entry) -> Any:
        """A value, as a tensor on the server or an array. Does not wait."""

    def settle(self) -> None:
        """Wait for what can go wrong in `load`."""


def place_of(path: str) -> tuple[Place, str]:
    """The place that a path of the user's is in, and the name there."""
    if path.startswith(SERVER):
        return ServerPlace(), path.removeprefix(SERVER).strip("/")
    return LocalPlace(), path


def data_name(prefix: str) -> str:
    """A new name for a checkpoint's data."""
    return f"{prefix}{DATA}{secrets.token_hex(4)}{SUFFIX}"


class LocalPlace:
    """Files of this machine. `base` is where a data file begins within a larger one."""

    def __init__(self, base: int = 0) -> None:
        self._base = base

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        try:
            return Path(name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotFoundError(f"there is no file {name}") from None

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole."""
        with replacing(name) as file:
            file.write(data)

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return os.path.isfile(name)

    def delete(self, prefix: str) -> None:
        """Remove a checkpoint's files, the index first."""
        Path(prefix + INDEX).unlink(missing_ok=True)
        for each in self._data_files(prefix):
            Path(each).unlink(missing_ok=True)

    def replace(self, prefix: str, index: bytes, data: str) -> None:
        """Make a checkpoint."""
        older = [each for each in self._data_files(prefix) if os.path.basename(each) != os.path.basename(data)]
        if older:  # else nothing is lost before the system has written it
            _sync(data)
        self.write(prefix + INDEX, index)
        for each in older:
            Path(each).unlink(missing_ok=True)

    def make_durable(self, prefix: str) -> None:
        """Have the system write what it has not written yet."""
        for each in self._data_files(prefix):
            _sync(each)

    @staticmethod
    def _data_files(prefix: str) -> list[str]:
        return glob.glob(f"{glob.escape(prefix)}{DATA}????????{SUFFIX}")

    def start(self, name: str, head: bytes, snapshot: Snapshot) -> None:
        """Ask for the values."""
        snapshot.start()

    def store(self, name: str, head: bytes, snapshot: Snapshot, progress: Progress) -> tuple[int, list[int]]:
        """Write a data file. Its name is new, so it need not be put in the place of another."""
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        try:
            with open(name, "xb", buffering=0) as file:
                sums = receive(file, head, snapshot, progress)
                size = file.tell()
            return size, sums
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def verify(self, name: str, size: int, entries: Sequence[Entry], progress: Progress) -> None:
        """Read the values and compare their checksums, in two threads where it is worth it."""
        with self._open(name) as file:
            found = os.fstat(file.fileno()).st_size
        if not self._base and found != size:
            raise DataLossError(f"{name} is damaged: it has {found} bytes, not {size}")
        if sum(e.nbytes for e in entries) < _WORTH_A_THREAD:
            self._verify(name, entries, progress)
            return
        with ThreadPoolExecutor(2) as pool:
            for each in [pool.submit(self._verify, name, entries[k::2], progress) for k in (0, 1)]:
                each.result()

    def _verify(self, name: str, entries: Sequence[Entry], progress: Progress) -> None:
        piece = memoryview(bytearray(_CACHED))
        with self._open(name) as file:
            for entry in entries:
                digest = xxhash.xxh3_64()
                file.seek(self._base + entry.offset)
                left = entry.nbytes
                while left:
                    count = file.readinto(piece[: min(left, _CACHED)])  # type: ignore[attr-defined]
                    if not count:
                        raise DataLossError(f"{name} is damaged: it ends early")
                    digest.update(piece[:count])
                    progress(count)
                    left -= count
                if digest.intdigest() != entry.checksum:
                    raise DataLossError(
                        f"{name} is damaged: its bytes from {entry.offset} on ({entry.dtype.name} "
                        f"{list(entry.shape)}) are not those written"
                    )

    def load(self, name: str, entry: Entry) -> Any:
        """A small value as an array; a larger one is sent from the file in the background."""
        from client.transport.payloads import FileSource

        offset = self._base + entry.offset
        if entry.nbytes > _SMALL:
            session = context.session()
            spec = Spec(entry.dtype, entry.shape)
            source = FileSource(self._open(name), offset, entry.nbytes)
            identifier = next(session.ids)
            session.issue((Item.UPLOAD, identifier, session.transfers.upload_from(source), spec.dtype, spec.shape))
            return Tensor(session, spec, identifier, None, None)
        with self._open(name) as file:
            file.seek(offset)
            found = np.frombuffer(file.read(entry.nbytes), np.uint8)
        return (
            found.view(entry.dtype.numpy).reshape(entry.shape)
            if found.size
            else np.empty(entry.shape, entry.dtype.numpy)
        )

    def settle(self) -> None:
        """Nothing: `verify` has looked at everything."""

    @staticmethod
    def _open(name: str) -> IO[bytes]:
        try:
            return open(name, "rb", buffering=0)
        except FileNotFoundError:
            raise NotFoundError(f"there is no file {name}, which its checkpoint needs") from None


def receive(file: Any, head: bytes, snapshot: Snapshot, progress: Progress) -> list[int]:
    """Write a head and the values of a snapshot to a file, as they come; the checksums of the values.

    One thread receives while another writes: each takes about as long as the other.
    """
    file.write(head)
    empty: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
    full: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
    for _ in range(_PIECES):
        empty.put(memoryview(bytearray(_PIECE)))
    sums = _Checksums([spec.nbytes for spec in snapshot.specs])
    failed: list[BaseException] = []

    def write() -> None:
        while (piece := full.get()) is not None:
            try:
                if not failed:
                    _write_all(file, piece)
            except BaseException as error:
                failed.append(error)
            empty.put(memoryview(piece.obj))

    writer = threading.Thread(target=write, name="telegrad-file")
    writer.start()
    try:
        left = snapshot.nbytes
        while left and not failed:
            piece = empty.get()[: min(left, _PIECE)]
            filled = 0
            while filled < len(piece):
                filled += snapshot.readinto(piece[filled:])
            sums.update(piece)
            full.put(piece)
            progress(filled)
            left -= filled
    finally:
        full.put(None)
        writer.join()
    if failed:
        raise failed[0]
    return sums.finished()


class _Checksums:
    """The checksums of values of known sizes, one after the other in a stream of bytes."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = iter(sizes)
        self._found: list[int] = []
        self._digest = xxhash.xxh3_64()
        self._left = next(self._sizes, -1)

    def update(self, piece: memoryview) -> None:
        """Take the next bytes."""
        while piece:
            self._pass_finished()
            now, piece = piece[: self._left], piece[self._left :]
            self._digest.update(now)
            self._left -= len(now)

    def _pass_finished(self) -> None:
        while self._left == 0:
            self._found.append(self._digest.intdigest())
            self._digest.reset()
            self._left = next(self._sizes, -1)

    def finished(self) -> list[int]:
        """The checksums, when all bytes were taken."""
        self._pass_finished()
        return self._found


def _write_all(file: Any, data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]


@contextlib.contextmanager
def replacing(name: str) -> Any:
    """A file to write, which takes the name when the block ends without an error and its bytes are on disk."""
    folder = os.path.dirname(name) or "."
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{os.path.basename(name)}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, name)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync(folder)


def _sync(name: str) -> None:
    """Have a file's bytes, or a directory's renames, on disk. Not every system lets one ask that of a directory."""
    with contextlib.suppress(PermissionError, FileNotFoundError):
        descriptor = os.open(name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError:
            if not os.path.isdir(name):
                raise
        finally:
            os.close(descriptor)


class ServerPlace:
    """Files that the server keeps in its data directory: values go between them and a session without crossing the
    network.
    """

    def _request(self, method: str, name: str, body: bytes | None = None) -> bytes:
        from client.transport.payloads import request_file

        return request_file(context.session().endpoint, method, f"/v1/files/{quote(name)}", body)

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        return self._request("GET", name)

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole."""
        self._request("PUT", name, data)

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return name in self._names(name)

    def _names(self, prefix: str) -> list[str]:
        from client.transport.payloads import request_file

        answer = request_file(context.session().endpoint, "GET", f"/v1/files?prefix={quote(prefix)}")
        return [f["name"] for f in json.loads(answer)["files"]]

    def delete(self, prefix: str) -> None:
        """Remove a checkpoint's files, the index first."""
        self._remove([prefix + INDEX, *self._data_files(prefix)])

    def replace(self, prefix: str, index: bytes, data: str) -> None:
        """Make a checkpoint."""
        older = [each for each in self._data_files(prefix) if each != data]
        self.write(prefix + INDEX, index)
        self._remove(older)

    def make_durable(self, prefix: str) -> None:
        """Nothing: the server answers when a file is on disk."""

    def clear(self, folder: str) -> None:
        """Remove all files below a name."""
        self._remove(self._names(folder.strip("/") + "/"))

    def _data_files(self, prefix: str) -> list[str]:
        return [name for name in self._names(prefix + DATA) if name.endswith(SUFFIX)]

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            with contextlib.suppress(NotFoundError):
                self._request("DELETE", name)

    def start(self, name: str, head: bytes, snapshot: Snapshot) -> None:
        """Have the server write a data file."""
        snapshot.start_store(name, head)

    def store(self, name: str, head: bytes, snapshot: Snapshot, progress: Progress) -> tuple[int, list[int]]:
        """Wait until it is written."""
        return snapshot.stored()

    def verify(self, name: str, size: int, entries: Sequence[Entry], progress: Progress) -> None:
        """Only the size: the server compares the checksums as it loads."""
        if not self.exists(name):
            raise NotFoundError(f"the server has no file {name!r}, which its checkpoint needs")

    def load(self, name: str, entry: Entry) -> Any:
        """A value, by the server."""
        session = context.session()
        identifier = next(session.ids)
        session.issue((Item.LOAD, identifier, name, entry.offset, entry.dtype, entry.shape, entry.checksum))
        return Tensor(session, Spec(entry.dtype, entry.shape), identifier, None, None)

    def settle(self) -> None:
        """Wait until the server has loaded everything."""
        context.sync()


def check_prefix(path: Any) -> str:
    """A path of the user's as text. Raises TypeError, InvalidArgumentError."""
    found = os.fspath(path)
    if not isinstance(found, str):
        raise TypeError(f"a path is text, not {path!r:.100}")
    if found in ("", SERVER):
        raise InvalidArgumentError("an empty path is no place for a checkpoint")
    return found


def specs_of(variables: Mapping[str, Any]) -> dict[str, Spec]:
    """The dtypes and shapes of variables as they are now. Waits only for a shape that the server alone knows."""
    found = {}
    for key, variable in variables.items():
        spec = variable._spec
        if not spec.is_static:
            spec = Spec(spec.dtype, tuple(variable.read_value().shape.as_list()))
        found[key] = spec
    return found
