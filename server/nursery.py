"""Processes for sessions: a small process that has everything imported and forks whenever one is needed.

Owns: `Nursery`, the server's handle on it, `Child`, and the process itself (`python -m server.nursery`). Does not know
what a child does (`server.child`).

A new interpreter with NumPy and SciPy takes most of a second; a fork of one that has them takes milliseconds. The
nursery has one thread and never touches a GPU, so that forking it is safe; a child opens the devices itself, which
takes a moment on a GPU, so one is always made in advance. The nursery is its children's parent: it sees how they end.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":  # before NumPy, whose memory and threads inherit it
    from server.allocator import keep_freed_memory
    from server.denormals import flush_denormals

    keep_freed_memory()
    flush_denormals()

import argparse
import asyncio
import contextlib
import gc
import importlib.util
import itertools
import os
import selectors
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Any, Final

from protocol.errors import UnavailableError
from server import channel
from server.channel import Channel, LoopChannel, Message
from server.process_kinds import Kind

SPAWN, KILL, ENDED = 1, 2, 3
_START_TIMEOUT: Final = 120.0
_OOM_SCORE: Final = "500"
"""Added to what the system reckons when memory runs out: a session goes before the server."""


# --- the server's side -----------------------------------------------------------------------------------------------


class Child:
    """A process for one session. `socket` is this side's end of its channel."""

    def __init__(self, number: int, connection: socket.socket, kill: Callable[[int], None]) -> None:
        self.number = number
        self.socket = connection
        self.on_ended: Callable[[int], None] | None = None
        self.status: int | None = None
        self._kill = kill
        self._gone = threading.Event()

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self.status is None:
            self._kill(self.number)

    def ended(self, status: int) -> None:
        """It has ended, with a status as `os.waitpid` gives it."""
        self.status = status
        self._gone.set()
        if self.on_ended is not None:
            self.on_ended(status)

    def wait(self, timeout: float) -> bool:
        """Whether it ends within some seconds. Not for the event loop's thread."""
        return self._gone.wait(timeout)


class Nursery:
    """Makes processes for sessions that serve `device`; `spare` of them are ready before they are asked for.

    Attributes:
        devices: name and memory of each device, as a child has seen them.

    Raises:
        UnavailableError: the first process does not start.
    """

    def __init__(self, device: str, spare: int = 1) -> None:
        self._numbers = itertools.count(1)
        self._children: dict[int, Child] = {}
        self._spare: list[Child] = []
        self._wanted = spare
        ours, theirs = channel.pair()
        with theirs:
            command = [sys.executable, "-P", "-m", "server.nursery", "--fd", str(theirs.fileno()), "--device", device]
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the server, which ends it
            )
        self._socket = ours
        self._loop_channel: LoopChannel | None = None
        self._blocking = Channel(ours)
        self.devices: list[dict[str, Any]] = self._first()

    def _first(self) -> list[dict[str, Any]]:
        """Make the first child, and wait until it has opened the devices."""
        child = self._spawn()
        child.socket.settimeout(_START_TIMEOUT)
        ready = Channel(child.socket).receive()
        if ready is None or ready.kind != Kind.READY:
            self.stop()
            raise UnavailableError("the process for sessions did not start: see its message above")
        self._spare.append(child)
        return list(ready.head[0])

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Go on from an event loop."""
        self._loop_channel = LoopChannel(self._socket, loop, self._message, _nothing)
        while len(self._spare) < self._wanted:
            self._spare.append(self._spawn())

    def take(self, on_ended: Callable[[int], None]) -> Child:
        """A process for a session; `on_ended` is called with its status when it ends."""
        child = self._spare.pop(0) if self._spare else self._spawn()
        if child.status is not None:  # it died in the meantime
            child = self._spawn()
        child.on_ended = on_ended
        while len(self._spare) < self._wanted:
            self._spare.append(self._spawn())
        return child

    def _spawn(self) -> Child:
        number = next(self._numbers)
        ours, theirs = channel.pair()
        child = self._children[number] = Child(number, ours, self._kill)
        self._send(SPAWN, (number,), (theirs.detach(),))
        return child

    def _kill(self, number: int) -> None:
        self._send(KILL, (number,), ())

    def _send(self, kind: int, head: tuple[Any, ...], files: tuple[int, ...]) -> None:
        if self._loop_channel is not None:
            self._loop_channel.send(kind, head, b"", files)
            return
        self._blocking.send(kind, head, b"", files)
        for each in files:
            os.close(each)

    def _message(self, message: Message) -> None:
        if message.kind == ENDED:
            number, status = message.head
            child = self._children.pop(number, None)
            if child is not None:
                child.ended(status)

    def stop(self) -> None:
        """End the nursery and all its children."""
        if self._loop_channel is not None:
            self._loop_channel.close()
        else:
            self._socket.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _environment() -> dict[str, str]:
    """This process's environment, with the path that imports our packages from."""
    spec = importlib.util.find_spec("server")
    assert spec is not None and spec.submodule_search_locations
    root = os.path.dirname(next(iter(spec.submodule_search_locations)))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}


def _nothing() -> None:
    pass


# --- the process -----------------------------------------------------------------------------------------------------


def main() -> int:
    """Fork a child for each SPAWN until the server closes the channel."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int)
    parser.add_argument("--device")
    given = parser.parse_args()
    from server import child

    with contextlib.suppress(ImportError):
        import cupy  # noqa: F401  # only imported: nothing of it touches a GPU before the fork
    control = Channel(socket.socket(fileno=given.fd))
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, _noted)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    gc.collect()
    gc.freeze()
    pids: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(given.fd, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == woken:
                    with contextlib.suppress(BlockingIOError):
                        os.read(woken, 4096)
                    _reap(control, pids)
                    continue
                for message in control.take():
                    if message is None:
                        _end_all(pids)
                        return 0
                    if message.kind == KILL:
                        _kill(pids, message.head[0])
                    elif message.kind == SPAWN:
                        pid = os.fork()
                        if not pid:
                            signal.set_wakeup_fd(-1)
                            selector.close()
                            control.close()
                            _run_child(child.serve, message.files[0], given.device)
                        os.close(message.files[0])
                        pids[message.head[0]] = pid


def _noted(*_: Any) -> None:
    """A child has ended: the wake-up descriptor says so."""


def _run_child(serve: Callable[[socket.socket, str], None], descriptor: int, device: str) -> None:
    """In a new child: serve, and end without what the parent would do at its end."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
            score.write(_OOM_SCORE)
        serve(socket.socket(fileno=descriptor), device)
        status = 0
    except BrokenPipeError:
        status = 0  # the server has let go of it
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def _reap(control: Channel, pids: dict[int, int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        number = next((n for n, p in pids.items() if p == pid), None)
        if number is not None:
            del pids[number]
            with contextlib.suppress(OSError):
                control.send(ENDED, (number, status))


def _kill(pids: dict[int, int], number: int) -> None:
    if number in pids:  # not reaped yet, so that the pid is still its own
        os.kill(pids[number], signal.SIGKILL)


def _end_all(pids: dict[int, int]) -> None:
    for pid in pids.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
