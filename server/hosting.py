"""Where sessions' executors run: threads of the server, or a process each.

Owns: `Hosting`, which gives a session its host and payloads. Does not know sessions.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from protocol.errors import OpError
from protocol.wire import Frame
from server import persistence
from server.access import Account
from server.devices import Device
from server.executor import Executor
from server.host import ThreadHost
from server.ledger import Share
from server.nursery import Nursery
from server.payloads import Payloads
from server.process_host import ProcessHost, SharedPayloads
from server.published import Published, Shelf
from server.settings import Settings
from server.values import MAX_TENSORS


class Host(Protocol):
    """What a session asks of the host of its executor."""

    own_process: bool
    """Whether the executor is in a process that can end without having given anything back."""

    @property
    def report(self) -> dict[str, Any]:
        """What the session holds."""

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""

    @property
    def busy_seconds(self) -> float:
        """How long nothing has been finished although there is something to do."""

    def submit(self, frame: Frame) -> None:
        """Run the items of a frame, in order."""

    def cancel(self, through: int) -> None:
        """Drop the items up to number `through` that have not run."""

    def hold(self, held: bool) -> None:
        """Pause before the next item, or go on."""

    def kill(self, reason: OpError) -> None:
        """End the session at once, where that can be done."""

    def close(self) -> None:
        """Free what the session holds."""

    def join(self, timeout: float) -> None:
        """Wait until that is done. Not on the event loop's thread."""

    def save(self, path: Path, timeout: float) -> bool:
        """Stop, and write what is not lost at a restart: whether that was done in time. Not on the event loop's
        thread.
        """

    def restored(self, submitted: int, executed: int) -> None:
        """It goes on with a state in which so many items had been submitted and executed."""


class Hosting:
    """Makes hosts: processes of the nursery, or threads where there is none."""

    def __init__(self, settings: Settings, devices: list[Device], nursery: Nursery | None = None) -> None:
        self.settings = settings
        self.devices = devices
        self._nursery = nursery
        self.published = Published(settings.published_limit or settings.memory_limit // 2)

    def start(self) -> None:
        """The event loop runs."""
        if self._nursery is not None:
            self._nursery.attach(asyncio.get_running_loop())

    def stop(self) -> None:
        """No session is left."""
        if self._nursery is not None:
            self._nursery.stop()

    def host(
        self,
        account: Account,
        shelf: Shelf,
        share: Share | None,
        on_replies: Callable[[int, bytes, int], None],
        on_progress: Callable[[int], None],
        on_broken: Callable[[OpError], None],
        saved: Path | None = None,
    ) -> tuple[Host, Payloads]:
        """A host for a session of an account, and where its payloads pass; one that goes on from a file that `save`
        wrote.
        """
        loop, quota = asyncio.get_running_loop(), account.quota
        if self._nursery is not None:
            shared = SharedPayloads(quota.upload_bytes, loop, account.waiting.part())
            limits = {
                "memory": quota.session_memory,
                "tensors": quota.max_tensors,
                "data_dir": None if self.settings.data_dir is None else str(self.settings.data_dir),
                "owner": account.name,
                "file_bytes": quota.file_bytes,
                "restore": None if saved is None else str(saved),
                "share": None if share is None else (share.slots, *share.place),
            }
            ledger = () if share is None else (os.dup(share.fd),)
            callbacks = on_replies, on_progress, on_broken
            return ProcessHost(self._nursery, shared, shelf, limits, ledger, loop, *callbacks), shared
        payloads = Payloads(quota.upload_bytes, loop, account.waiting.part())
        description: dict[str, Any] = {}

        def make(emit: Callable[[tuple[Any, ...]], None]) -> Executor:
            executor = Executor(self.devices, quota.session_memory, payloads, emit, account.files, share, shelf)
            executor.store.most = quota.max_tensors or MAX_TENSORS
            if saved is not None:
                found, arrays = persistence.read(saved)
                persistence.restore_executor(executor, found, arrays)
                description.update(found)
            return executor

        host = ThreadHost(make, loop, on_replies, on_progress, on_broken)
        if saved is not None:
            saved.unlink()
            host.resume(description["pending"])
        return host, payloads


class SeenDevice(Device):
    """A device that sessions' processes have opened and the server has not."""

    def __init__(self, name: str, memory: dict[str, int]) -> None:
        super().__init__(name)
        self._memory = memory

    def memory(self) -> dict[str, int]:
        """What a process saw when it started."""
        return dict(self._memory)


def devices_of(nursery: Nursery) -> list[Device]:
    """The devices that a nursery's processes serve."""
    found: list[Device] = [Device("CPU:0")]
    for seen in nursery.devices[1:]:
        memory = {k: v for k, v in seen.items() if k != "name"}
        found.append(SeenDevice(seen["name"], memory))
    return found
