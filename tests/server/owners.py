"""A server with several tokens, as seen by each of them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.support import ServerProcess, serving


@dataclasses.dataclass
class Seen:
    """A server, as the holder of a token sees it: what `tests.stream.raw` takes for a server."""

    url: str
    port: int
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def status(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}/v1/status", headers=self.headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def accepted(self) -> bool:
        return httpx.get(f"{self.url}/v1/status", headers=self.headers).status_code == 200


class Owners:
    """A server with a tokens file. `owners.alice` is the server as alice sees it; `owners.admin`, as the token outside
    of the file.
    """

    def __init__(self, folder: Path, server: ServerProcess | None = None) -> None:
        self.path = folder / "tokens.toml"
        self.data = folder / "data"
        self.server = server
        self.entries: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, str] = {}

    def __getattr__(self, name: str) -> Seen:
        if name.startswith("_"):
            raise AttributeError(name)
        assert self.server is not None
        token = self.server.token if name == "admin" else self.secrets[name]
        return Seen(self.server.url, self.server.port, token)

    def give(self, name: str, **quota: Any) -> None:
        """Write an entry, with the token that the name had, or a new one."""
        self.secrets.setdefault(name, secrets.token_urlsafe(24))
        self.entries[name] = quota
        self.write()

    def drop(self, name: str) -> None:
        del self.entries[name]
        self.write()

    def write(self) -> None:
        lines = []
        for name, quota in self.entries.items():
            lines += ["[[tokens]]", f'name = "{name}"', f'token = "{self.secrets[name]}"']
            lines += [f"{key} = {value!r}" for key, value in quota.items()]
        temporary = self.path.with_suffix(".new")
        temporary.write_text("\n".join(lines))
        temporary.replace(self.path)

    def hang_up(self) -> None:
        """Tell the server to read the file again."""
        assert self.server is not None
        os.kill(self.server.pid, signal.SIGHUP)


@contextlib.contextmanager
def owners(folder: Path, *options: str, environment: dict[str, str] | None = None, **quotas: Any) -> Iterator[Owners]:
    """A server with a token for each of `quotas`."""
    found = Owners(folder)
    for name, quota in quotas.items():
        found.give(name, **quota)
    arguments = ("--tokens-file", str(found.path), "--data-dir", str(found.data), *options)
    with serving(*arguments, **(environment or {})) as server:
        found.server = server
        yield found
