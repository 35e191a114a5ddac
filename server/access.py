"""Who may talk to the server, and as whom: the accounts behind tokens, kept up with the tokens file while it runs.

Owns: `Account` (what a token's name stands for while the server runs), `Access` (finds the account of a presented
token, reads the file again on SIGHUP and when it changes). Lives on the event loop. Does not know routes or
sessions: who keeps these asks to be told when an account is removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import secrets
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from protocol.errors import NotFoundError
from server.files import Files
from server.ledger import Ledger, Share
from server.settings import Settings
from server.tokens import DEFAULT_NAME, Quota, Token, digest_of, tokens_of
from server.waiting import Waiting

log = logging.getLogger("telegrad.access")

ACCOUNT: Final = "telegrad.account"
"""The entry of a request's scope."""
_LOOK: Final = 1.0
"""Seconds between looks at the file. It is read when it has stayed the same from one to the next: what a program is
still writing would end the sessions of the tokens that it has not come to.
"""


class Account:
    """A token's name, its quota and rights as they are now, and what is kept for it. Sessions belong to one."""

    def __init__(self, token: Token, settings: Settings, number: int, ledger: Ledger | None) -> None:
        self.token = token
        self.files = Files(settings.data_dir, token.name, token.quota.file_bytes)
        self.files.sweep()
        self.waiting = Waiting(token.name, token.quota.total_upload_bytes)
        self.removed: str | None = None  # why it is no account any more
        self._number = number
        self._ledger = ledger

    @property
    def name(self) -> str:
        """The token's name."""
        return self.token.name

    @property
    def quota(self) -> Quota:
        """What the token may use."""
        return self.token.quota

    def share(self) -> Share | None:
        """For a new session, its part of what the token's sessions may hold. Raises ResourceExhaustedError."""
        return None if self._ledger is None else self._ledger.open(self._number, self.name, self.quota.memory)

    @property
    def granted(self) -> int | None:
        """The bytes that its sessions have been granted; None where nobody counts."""
        return None if self._ledger is None else self._ledger.granted(self._number)

    def update(self, token: Token) -> None:
        """Give it another quota and other rights. Limits of a session hold for sessions made from here on."""
        self.token = token
        self.files.limit = token.quota.file_bytes
        self.waiting.limit = token.quota.total_upload_bytes
        if self._ledger is not None:
            self._ledger.limit(self._number, token.quota.memory)


class Access:
    """The accounts of a server.

    `on_removed` is called with an account, and the reason, when its token is no longer one.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.on_removed: Callable[[Account, str], None] = lambda account, reason: None
        self._ledger = None if settings.tokens_file is None else Ledger(2 * settings.max_sessions + 64)
        self._accounts: dict[str, Account] = {}
        self._numbers = 0
        self._key = secrets.token_bytes(32)
        self._by_mark: dict[bytes, Account] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._read = self._seen = self._signature()
        self._take(tokens_of(settings))

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())

    # --- requests ----------------------------------------------------------------------------------------------------

    def account(self, presented: bytes | None) -> Account | None:
        """The account of a presented token; None for a wrong one. Without tokens everyone has the same."""
        if self._open:
            return self._accounts[DEFAULT_NAME]
        if not presented:
            return None
        # Digests keyed with what nobody outside knows: how long the look-up takes says nothing about a token.
        digest = digest_of(presented)
        found = self._by_mark.get(self._mark(digest))
        if found is None or not hmac.compare_digest(digest, found.token.digest or b""):
            return None
        return found

    @property
    def _open(self) -> bool:
        return self.settings.token is None and self.settings.tokens_file is None

    def _mark(self, digest: bytes) -> bytes:
        return hmac.digest(self._key, digest, "sha256")

    # --- the file ----------------------------------------------------------------------------------------------------

    def _warn(self, tokens: list[Token]) -> None:
        """Say what is allowed but may not be meant."""
        together, allowed = sum(t.quota.max_sessions for t in tokens), self.settings.max_sessions
        if len(tokens) > 1 and together > allowed:
            log.warning(
                "the tokens may have %d sessions together, the server %d (--max-sessions): one token's can keep "
                "another's out", together, allowed,
            )  # fmt: skip

    def _take(self, tokens: list[Token]) -> None:
        self._warn(tokens)
        named = {t.name: t for t in tokens}
        before = dict(self._accounts)
        for name, account in before.items():
            token = named.get(name)
            if token is None or token.digest != account.token.digest:
                del self._accounts[name]
        for name, token in named.items():
            if name in self._accounts:
                self._accounts[name].update(token)
            else:
                self._numbers += 1
                self._accounts[name] = Account(token, self.settings, self._numbers, self._ledger)
        self._by_mark = {self._mark(a.token.digest): a for a in self if a.token.digest is not None}
        self._tell(before)

    def _tell(self, before: Mapping[str, Account]) -> None:
        for name, account in before.items():
            if self._accounts.get(name) is not account:
                account.removed = "its token was changed" if name in self._accounts else "its token was removed"
                self.on_removed(account, account.removed)

    def reload(self) -> None:
        """Read the file again. A bad one changes nothing, and is told in the log."""
        self._read = self._seen = self._signature()
        try:
            tokens = tokens_of(self.settings)
        except (OSError, ValueError) as error:
            log.error("%s is not taken, the tokens stay as they were: %s", self.settings.tokens_file, error)
            return
        self._take(tokens)
        log.info("%s is read again: %d tokens", self.settings.tokens_file, len(tokens))

    def _signature(self) -> tuple[int, ...] | None:
        """What changes when the file does."""
        if self.settings.tokens_file is None:
            return None
        try:
            found = os.stat(self.settings.tokens_file)
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def look(self) -> None:
        """Read the file again if it has changed since it was read, and not since the last look."""
        seen, self._seen = self._seen, self._signature()
        if self._seen == seen != self._read:
            self.reload()

    def start(self) -> None:
        """Follow the file, if there is one; needs a running loop."""
        if self.settings.tokens_file is None:
            return
        self._watcher = asyncio.create_task(self._watch())
        with contextlib.suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):  # not on this system
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            self.look()

    def stop(self) -> None:
        """Follow the file no longer."""
        if self._watcher is not None:
            self._watcher.cancel()


def account_of(scope: Mapping[str, Any]) -> Account:
    """The account of a request that has passed the guard."""
    found: Account | None = scope.get(ACCOUNT)
    if found is None:
        raise NotFoundError("this request has no account")  # a path that is open to everyone
    return found
