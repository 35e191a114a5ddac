"""Tokens: what each is called, what it may do and use, and the file that lists them.

Owns: `Quota`, `Token`, the file's format and its reading. Does not know requests, sessions, or who presents a token
(`server.access`). A token is kept as its SHA-256 digest alone, wherever it came from.

    [[tokens]]
    name = "alice"
    sha256 = "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"
    memory = "16g"
    rights = ["publish", "read"]
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from protocol.errors import PermissionDeniedError
from protocol.sizes import parse_size

if TYPE_CHECKING:
    from server.settings import Settings

DEFAULT_NAME: Final = "default"
RIGHTS: Final = ("publish", "read", "admin")
"""publish: give tensors names that others read; read: read what has such a name; admin: everyone's sessions in
`/v1/status`, and `/metrics`.
"""
_USUAL_RIGHTS: Final = frozenset(("publish", "read"))
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_SECRET: Final = re.compile(r"[\x21-\x7e]{16,512}")
_LEAST_QUEUE: Final = 16 * 2**20
_MOST: Final = 2**60
_MAX_FILE: Final = 16 * 2**20


@dataclass(frozen=True)
class Quota:
    """What a token may use. None: as much as there is.

    Of all its sessions together: `max_sessions` at once, `memory` bytes of values, `file_bytes` kept on the server,
    `total_upload_bytes` that have come before the streams have declared them. Of each session: `session_memory` bytes
    of values, `max_tensors`, `upload_bytes` like the total, `queued_bytes` of frames sent and not done, `run_seconds`
    of one item.
    """

    max_sessions: int
    session_memory: int
    upload_bytes: int
    memory: int | None = None
    file_bytes: int | None = None
    max_tensors: int | None = None
    queued_bytes: int | None = None
    run_seconds: float | None = None
    total_upload_bytes: int | None = None

    @classmethod
    def usual(cls, settings: Settings) -> Quota:
        """What a token has whose entry says nothing."""
        limit = settings.memory_limit
        return cls(settings.max_sessions, limit, limit, total_upload_bytes=limit)


@dataclass(frozen=True)
class Token:
    """A token by its name and digest; `digest` is None where no token is asked for."""

    name: str
    digest: bytes | None
    quota: Quota
    rights: frozenset[str] = frozenset(RIGHTS)

    def require(self, right: str) -> None:
        """Raises PermissionDeniedError unless the token has the right."""
        if right not in self.rights:
            raise PermissionDeniedError(f"the token {self.name!r} has no right to {right}")


def digest_of(secret: bytes) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(secret).digest()


def tokens_of(settings: Settings) -> list[Token]:
    """All tokens of a server: that of its command line or environment, called `default`, and those of the file.

    Where there is neither, the one that everybody has.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is malformed, or lists what the command line has given.
    """
    usual, found = Quota.usual(settings), []
    if settings.token is not None or settings.tokens_file is None:
        digest = None if settings.token is None else digest_of(settings.token.encode())
        found.append(Token(DEFAULT_NAME, digest, usual))
    if settings.tokens_file is not None:
        listed = read_tokens(settings.tokens_file, usual)
        if found and any(t.name == DEFAULT_NAME or t.digest == found[0].digest for t in listed):
            raise ValueError(f"the token {DEFAULT_NAME!r} is given by the file and outside of it")
        found += listed
    return found


def read_tokens(path: Path, usual: Quota) -> list[Token]:
    """The tokens that a file lists: TOML, or JSON where its name ends in `.json`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is malformed. The message names the entry and the key, and holds no token.
    """
    with open(path, "rb") as file:
        data = file.read(_MAX_FILE + 1)
    if len(data) > _MAX_FILE:
        raise ValueError(f"more than {_MAX_FILE} bytes")
    try:
        content = json.loads(data) if path.suffix == ".json" else tomllib.loads(data.decode())
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        # Its text may quote the line at fault, and with that a token.
        where = re.search(r"line \d+,? column \d+|end of document", str(error))
        raise ValueError(f"malformed{f', at {where[0]}' if where else ''}") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return parse_tokens(content, usual)


def parse_tokens(content: Any, usual: Quota) -> list[Token]:
    """The tokens that the content of a file lists. Raises ValueError."""
    entries = content.get("tokens") if isinstance(content, dict) and set(content) == {"tokens"} else None
    if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) for e in entries):
        raise ValueError("it has to hold `tokens`, one entry for each, and nothing else")
    found = [_token(entry, number, usual) for number, entry in enumerate(entries, 1)]
    names, digests = {t.name for t in found}, {t.digest for t in found}
    if len(names) < len(found):
        raise ValueError("two entries have the same name")
    if len(digests) < len(found):
        raise ValueError("two entries have the same token")
    return found


def _token(entry: Mapping[str, Any], number: int, usual: Quota) -> Token:
    name = entry.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"entry {number}: the name has to be lower-case letters, digits, _ and -, 64 at most")
    unknown = sorted(set(entry) - {"name", "token", "sha256", "rights", *_QUOTAS})
    if unknown:
        raise ValueError(f"{name}: unknown keys, {', '.join(map(repr, unknown))}")
    quota = {f.name: getattr(usual, f.name) for f in fields(Quota)}
    for key in _QUOTAS.keys() & entry.keys():
        quota[key] = _checked(f"{name}: {key}", _QUOTAS[key], entry[key])
    rights = _checked(f"{name}: rights", _rights, entry["rights"]) if "rights" in entry else _USUAL_RIGHTS
    return Token(name, _digest(name, entry), Quota(**quota), rights)


def _digest(name: str, entry: Mapping[str, Any]) -> bytes:
    secret, digest = entry.get("token"), entry.get("sha256")
    if (secret is None) == (digest is None):
        raise ValueError(f"{name}: either token or sha256 is needed")
    if digest is not None:
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest.lower()):
            raise ValueError(f"{name}: sha256 has to be 64 hexadecimal digits")
        return bytes.fromhex(digest)
    if not isinstance(secret, str) or not _SECRET.fullmatch(secret):
        raise ValueError(f"{name}: a token has 16 to 512 printable characters without spaces (`telegrad-server token`)")
    return digest_of(secret.encode())


def _checked(what: str, parse: Callable[[Any], Any], value: Any) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"{what} {error}") from None


def _count(value: Any) -> int:
    if type(value) is not int or not 0 < value < _MOST:
        raise ValueError("has to be a positive integer")
    return value


def _size(value: Any) -> int:
    try:
        size = parse_size(value) if isinstance(value, str) else value
    except ValueError:
        size = None
    if type(size) is not int or not 0 <= size < _MOST:
        raise ValueError('has to be a number of bytes, such as 8589934592 or "8g"')
    return size


def _queue(value: Any) -> int:
    size = _size(value)
    if size < _LEAST_QUEUE:
        raise ValueError(f"has to be {_LEAST_QUEUE} at least: a frame has to fit")
    return size


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 < value < _MOST:
        raise ValueError("has to be a positive number of seconds")
    return float(value)


def _rights(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(right in RIGHTS for right in value):
        raise ValueError(f"have to be an array of {', '.join(RIGHTS)}")
    return frozenset(value)


_QUOTAS: Final[dict[str, Callable[[Any], Any]]] = {
    "max_sessions": _count,
    "memory": _size,
    "session_memory": _size,
    "max_tensors": _count,
    "upload_bytes": _size,
    "total_upload_bytes": _size,
    "queued_bytes": _queue,
    "run_seconds": _seconds,
    "file_bytes": _size,
}
"""The keys of an entry that limit something, and how their values are read."""
