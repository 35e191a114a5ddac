"""The files that clients keep on the server, under one data directory, in a folder for each token.

Owns: `Files`: names and what is behind them, written whole or not at all, and how much. Does not know what is in them,
tensors, or HTTP. Clients give names, never paths: parts of letters, digits, `.`, `_`, `-` and `+` between slashes, none
of which starts with a dot, and no link is followed out of the directory.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from protocol.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError, ResourceExhaustedError
from server.tokens import DEFAULT_NAME

MAX_NAME: Final = 512
_PART: Final = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]{0,199}")
_TEMPORARY: Final = ".part-"
_LOOK_AGAIN: Final = 64 * 2**20
"""Bytes written between looks at what others have written meanwhile."""


class Files:
    """The named files of `owner` below `root`; with no root every use is refused. `limit`: bytes they may have."""

    def __init__(
        self, root: str | os.PathLike[str] | None, owner: str = DEFAULT_NAME, limit: int | None = None
    ) -> None:
        self._root = None if root is None else Path(root).resolve() / "files" / owner
        self.limit = limit

    def path(self, name: Any) -> Path:
        """Where the file called `name` is, or would be.

        Raises:
            FailedPreconditionError: the server has no data directory.
            InvalidArgumentError: `name` is no name.
        """
        if self._root is None:
            raise FailedPreconditionError(
                "this server keeps no files: start it with --data-dir (TELEGRAD_DATA_DIR), or use a path on your own "
                "machine instead of server://"
            )
        parts = name.split("/") if isinstance(name, str) and len(name) <= MAX_NAME else []
        if not parts or not all(_PART.fullmatch(part) for part in parts):
            raise InvalidArgumentError(
                f"{name!r:.100} is no file name: letters, digits and ._+- between slashes, no part starting with a dot"
            )
        found = self._root.joinpath(*parts)
        if found.parent.exists() and not found.parent.resolve().is_relative_to(self._root):
            raise InvalidArgumentError(f"{name!r} leads out of the server's data directory")
        return found

    @contextlib.contextmanager
    def writing(self, name: Any) -> Iterator[Writer]:
        """A file to write to, which takes the name when the block ends without an error and its bytes are on disk.

        `write` raises ResourceExhaustedError when there is no room for more.
        """
        path = self.path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except (FileExistsError, NotADirectoryError):
            raise FailedPreconditionError(f"a part of {name!r} is the name of a file") from None
        temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with open(os.open(temporary, flags, 0o600), "wb", buffering=0) as file:
                yield Writer(file, self)
                self.check_room(0)
                os.fsync(file.fileno())
            try:
                os.replace(temporary, path)
            except IsADirectoryError:
                raise FailedPreconditionError(f"files have names that go on from {name!r}") from None
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def check_room(self, size: int) -> int:
        """How many bytes may be written before one has to look again.

        Raises:
            ResourceExhaustedError: `size` more are too many beside all files, those being written too.
        """
        if self.limit is None:
            return 2**62
        used = 0
        for path in self._all():
            with contextlib.suppress(FileNotFoundError):
                used += path.lstat().st_size
        if used + size > self.limit:
            raise ResourceExhaustedError(
                f"no room for files: {size} bytes asked, {used} used, {self.limit} allowed for this token"
            )
        return max(size, min(self.limit - used, _LOOK_AGAIN))

    def sweep(self) -> None:
        """Remove what was being written when the server was killed."""
        for path in self._all():
            if path.name.startswith(_TEMPORARY):
                path.unlink(missing_ok=True)

    def _all(self) -> Iterator[Path]:
        for folder, _, names in os.walk(self._root or os.devnull):
            yield from (Path(folder, each) for each in names)

    def existing(self, name: Any) -> Path:
        """The path of a file that is there. Raises NotFoundError."""
        path = self.path(name)
        if path.is_symlink() or not path.is_file():
            raise NotFoundError(f"the server has no file {name!r}")
        return path

    def delete(self, name: Any) -> None:
        """Remove a file, and the directories that become empty by it. Raises NotFoundError."""
        path = self.existing(name)
        path.unlink()
        assert self._root is not None
        for parent in path.parents:
            if parent == self._root or not parent.is_relative_to(self._root):
                break
            try:
                parent.rmdir()
            except OSError:
                break

    def listed(self, prefix: str = "") -> list[dict[str, Any]]:
        """The files whose names start with `prefix`, by name: `name`, `bytes` and `modified` (seconds since 1970)."""
        if self._root is None:
            self.path("x")
        assert self._root is not None
        found = []
        for path in self._all():
            name = path.relative_to(self._root).as_posix()
            if name.startswith(prefix) and not path.name.startswith(_TEMPORARY) and not path.is_symlink():
                with contextlib.suppress(FileNotFoundError):
                    about = path.stat()
                    found.append({"name": name, "bytes": about.st_size, "modified": about.st_mtime})
        return sorted(found, key=lambda f: str(f["name"]))


class Writer:
    """A file being written, within what its owner's files may have together."""

    def __init__(self, file: io.FileIO, files: Files) -> None:
        self._file = file
        self._files = files
        self._room = 0  # bytes that may be written before looking again

    def write(self, data: bytes | memoryview) -> int:
        """Write some of `data`; how much it was. Raises ResourceExhaustedError."""
        if len(data) > self._room:
            self._room = self._files.check_room(len(data))
        count = self._file.write(data)
        self._room -= count
        return count

    def tell(self) -> int:
        """The bytes written so far."""
        return self._file.tell()
