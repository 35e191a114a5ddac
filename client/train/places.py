"""Where checkpoints are: on this machine, or with the server (`server://name`).

Owns: `Place`: files by name, written whole or not at all, and values on their way between them and a session. Does not
know what is in an index.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
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

    def delete(self, prefix: str, keep: str | None = None) -> None:
        """Remove a checkpoint's files; with `keep` only the data files other than that one."""

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

    def delete(self, prefix: str, keep: str | None = None) -> None:
        """Remove a checkpoint's files, the index first."""
        if keep is None:
            Path(prefix + INDEX).unlink(missing_ok=True)
        for each in glob.glob(f"{glob.escape(prefix)}{DATA}????????{SUFFIX}"):
            if keep is None or os.path.basename(each) != os.path.basename(keep):
                Path(each).unlink(missing_ok=True)

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
                os.fsync(file.fileno())
            return size, sums
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def verify(self, name: str, size: int, entries: Sequence[Entry], progress: Progress) -> None:
        """Read the values and compare their checksums."""
        piece = memoryview(bytearray(_PIECE))
        with self._open(name) as file:
            if not self._base and os.fstat(file.fileno()).st_size != size:
                raise DataLossError(f"{name} is damaged: it has {os.fstat(file.fileno()).st_size} bytes, not {size}")
            for entry in sorted(entries, key=lambda e: e.offset):
                digest = xxhash.xxh3_64()
                file.seek(self._base + entry.offset)
                left = entry.nbytes
                while left:
                    count = file.readinto(piece[: min(left, _PIECE)])  # type: ignore[attr-defined]
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
            session.issue((Item.UPLOAD, identifier, session.upload_from(source), spec.dtype, spec.shape))
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
    """Write a head and the values of a snapshot to a file, as they come; the checksums of the values."""
    file.write(head)
    piece = memoryview(bytearray(_PIECE))
    sums = []
    for spec in snapshot.specs:
        digest = xxhash.xxh3_64()
        left = spec.nbytes
        while left:
            count = snapshot.readinto(piece[: min(left, _PIECE)])
            digest.update(piece[:count])
            rest = piece[:count]
            while rest:
                rest = rest[file.write(rest) :]
            progress(count)
            left -= count
        sums.append(digest.intdigest())
    return sums


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
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Have a rename on disk, where the system lets one ask for that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
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

    def delete(self, prefix: str, keep: str | None = None) -> None:
        """Remove a checkpoint's files, the index first."""
        found = sorted(self._names(prefix + "."), key=lambda n: not n.endswith(INDEX))
        for name in found:
            data = name.startswith(prefix + DATA) and name.endswith(SUFFIX)
            if (keep is None and name == prefix + INDEX) or (data and name != keep):
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
