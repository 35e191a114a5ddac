"""A small TCP proxy that delays what passes, and cuts connections where it is told to.

Owns: `Proxy`. The kernel here has no netem, so this is where delays come from; it takes processor time from the same
cores as what it measures, so a comparison goes through it at 0 ms too. Tests use it to cut connections at any byte.
`python -m benchmarks.proxy TARGET RTT` is one in a process of its own, until standard input ends: TARGET is
`host:port` or a Unix socket's path, RTT is in seconds, and it prints its address as a JSON string.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

_CHUNK = 2**18


class Proxy:
    """Listens on a loopback port and forwards to `target` (a (host, port) pair, or the path of a Unix socket).

    rtt: seconds added to a round trip, half of it each way. allowance: called for each new connection; the number of
    bytes, both ways together, after which it is cut, or None for never. A cut resets both ends; the bytes up to it
    have been passed on, in the middle of a frame or wherever it falls.
    """

    def __init__(
        self,
        target: Any,
        rtt: float = 0.0,
        allowance: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._target = target
        self.rtt = rtt
        self.allowance = allowance
        self.cuts = 0
        self.connections = 0
        self.refusing = False
        self._open: set[Pair] = set()
        self._loop = new_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()

    @property
    def url(self) -> str:
        """Where clients connect to."""
        return f"http://127.0.0.1:{self.port}"

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_CHUNK))
        self.port: int = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        for pair in list(self._open):
            pair.cut()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        for _ in range(3):  # aborted connections are closed in the loop's next turns
            self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            if isinstance(self._target, str):
                there = await asyncio.open_unix_connection(self._target, limit=_CHUNK)
            else:
                there = await asyncio.open_connection(*self._target, limit=_CHUNK)
        except (OSError, asyncio.CancelledError):  # the target is down, or the proxy is closing
            writer.transport.abort()
            return
        self.connections += 1
        pair = self.pair(writer, there[1])
        self._open.add(pair)
        try:
            await asyncio.gather(pair.pump(reader, there[1]), pair.pump(there[0], writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(pair)
            pair.close()

    def pair(self, here: asyncio.StreamWriter, there: asyncio.StreamWriter) -> Pair:
        """What carries a new connection: `here` writes to who connected, `there` to the target."""
        return Pair(self, here, there, self.allowance())

    def cut_all(self) -> None:
        """Cut every open connection now."""

        def cut() -> None:
            for pair in list(self._open):
                pair.cut()

        asyncio.run_coroutine_threadsafe(_call(cut), self._loop).result(5)

    def close(self) -> None:
        """Stop listening and cut what is open."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Pair:
    """One proxied connection, with the ends `here` and `there`."""

    def __init__(self, proxy: Proxy, here: Any, there: Any, allowance: int | None = None) -> None:
        self._proxy = proxy
        self.here = here
        self.there = there
        self._left = allowance
        self._cut = False

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Move bytes one way until the end or the cut."""
        delay = self._proxy.rtt / 2
        if delay:
            await self._pump_late(reader, writer, delay)
            return
        while data := await reader.read(_CHUNK):
            if not self._write(writer, data):
                return
            await writer.drain()
        self.end(writer)

    async def _pump_late(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
        """The same, each chunk `delay` seconds after it came; reading goes on meanwhile, as on a long line."""
        line: deque[tuple[float, bytes]] = deque()
        came = asyncio.Event()

        async def deliver() -> None:
            while True:
                while not line:
                    came.clear()
                    await came.wait()
                due, data = line.popleft()
                wait = due - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                if not data:
                    self.end(writer)
                    return
                if not self._write(writer, data):
                    return
                await writer.drain()

        task = asyncio.ensure_future(deliver())
        try:
            while data := await reader.read(_CHUNK):
                line.append((time.monotonic() + delay, data))
                came.set()
            line.append((time.monotonic() + delay, b""))
            came.set()
            await task
        finally:
            task.cancel()

    def _write(self, writer: asyncio.StreamWriter, data: bytes) -> bool:
        """Pass on what the allowance leaves. False when it was used up: the connection is cut then."""
        if self._cut:
            return False
        if self._left is not None:
            data, rest = data[: self._left], data[self._left :]
            self._left -= len(data)
            writer.write(data)
            if rest or not self._left:
                self.cut()
                return False
            return True
        writer.write(data)
        return True

    def end(self, writer: asyncio.StreamWriter) -> None:
        """Pass an end on: the other way stays open."""
        if writer.can_write_eof() and not writer.transport.is_closing():
            writer.write_eof()

    def cut(self) -> None:
        """Reset both ends."""
        if not self._cut:
            self._cut = True
            self._proxy.cuts += 1
            for writer in (self.here, self.there):
                writer.transport.abort()

    def close(self) -> None:
        """Close both ends."""
        for writer in (self.here, self.there):
            writer.close()


async def _call(function: Callable[[], None]) -> None:
    function()


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def main() -> None:
    """Forward until standard input ends."""
    target, rtt = sys.argv[1], float(sys.argv[2])
    host, _, port = target.rpartition(":")
    with Proxy(target if "/" in target else (host, int(port)), rtt) as proxy:
        print(json.dumps(f"127.0.0.1:{proxy.port}"), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
