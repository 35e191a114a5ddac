"""A proxy that does to connections what networks do, one fault after the other, and counts what really happened.

Owns: `FaultyProxy` and the table `FAULTS`. A fault begins after so many bytes of a connection, both ways together,
wherever in a handshake, a frame, a request or a large value that falls; what comes from there on goes through the
fault's function. Faults are dealt like cards that a seed has shuffled; one that did not come to happen is dealt again.
Does not know what runs through it, but for where an HTTP request ends.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from benchmarks.proxy import Pair, Proxy

_CHUNK = 2**16
_LEAST, _MOST = 200, 2_000_000
"""Bytes after which a fault begins: as often between 200 and 2,000 as between 200,000 and 2,000,000."""


class FaultyProxy(Proxy):
    """Forwards to `target`, with `faults`, names of the table, each `rounds` times, in an order that comes of the seed.

    calm: no fault begins. happened: how often each did. `happened["refused"]` counts connections refused.
    """

    def __init__(self, target: Any, seed: int, faults: Sequence[str], rounds: int = 1) -> None:
        self.random = random.Random(seed)
        self.happened: Counter[str] = Counter()
        self.calm = True
        self._deck = list(faults) * rounds
        self.random.shuffle(self._deck)
        self._later: set[asyncio.Task[None]] = set()
        super().__init__(target)

    def deal(self, requests: bool) -> tuple[str, int] | None:
        """The next fault, one of requests only where there are `requests`, and the bytes before it."""
        suited = [] if self.calm else [name for name in self._deck if requests or not FAULTS[name].of_requests]
        if not suited:
            return None
        self._deck.remove(suited[0])
        return suited[0], int(math.exp(self.random.uniform(math.log(_LEAST), math.log(_MOST))))

    def take_back(self, name: str) -> None:
        """A fault has not happened: its connection ended before."""
        self._deck.append(name)

    def pair(self, here: asyncio.StreamWriter, there: asyncio.StreamWriter) -> Pair:
        return _FaultyPair(self, here, there)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.happened["refused"] += self.refusing
        await super()._accept(reader, writer)

    def refuse(self, seconds: float) -> None:
        """Cut everything, and refuse connections for so long."""
        self.refusing = True
        self.cut_all()
        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, self._admit)

    def _admit(self) -> None:
        self.refusing = False

    def later(self, work: Awaitable[None]) -> None:
        """Have the loop do this beside all else."""
        task = asyncio.ensure_future(work)
        self._later.add(task)  # the loop alone would not keep it
        task.add_done_callback(self._later.discard)

    def settle(self) -> None:
        """Wait until what is to be sent again has been."""

        async def settled() -> None:
            await asyncio.gather(*self._later)

        asyncio.run_coroutine_threadsafe(settled(), self._loop).result(10)

    async def send_again(self, name: str, request: bytes) -> None:
        """Some time later send a request, as one that was held up somewhere, to nobody's benefit."""
        await asyncio.sleep(self.random.uniform(0.0, 1.0))
        try:
            reader, writer = await asyncio.open_connection(*self._target)
        except OSError:  # the server is being restarted
            return
        try:
            writer.write(request)
            self.happened[name] += 1
            async with asyncio.timeout(self.random.uniform(0.0, 1.0)):
                await reader.read(_CHUNK)
        except OSError:  # TimeoutError is one
            pass
        finally:
            writer.transport.abort()


class _FaultyPair(Pair):
    """One connection: faults one after the other, as far as it survives them."""

    _proxy: FaultyProxy

    def __init__(self, proxy: FaultyProxy, here: Any, there: Any) -> None:
        super().__init__(proxy, here, there)
        self._card: tuple[str, int] | None = None
        self._fault: Fault | None = None
        self._counted = False
        self.requests = _Requests()
        self.random = proxy.random
        self.later = proxy.later
        self.until = 0.0

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up = writer is self.there
        while data := await reader.read(_CHUNK):
            if up:
                self.requests.feed(data)
            if self._fault is None:
                count = self._before_fault(len(data), up)
                await self.forward(writer, data[:count])
                data = data[count:]
            if data and self._fault is not None and not await self._fault.act(self, up, data):
                return
        self.end(writer)

    def _before_fault(self, count: int, up: bool) -> int:
        """How many of `count` bytes pass; with the next one the fault begins."""
        self._card = self._card or self._proxy.deal(self.requests.expected)
        if self._card is None:
            return count
        name, left = self._card
        fault = FAULTS[name]
        if count <= left or (fault.upward and not up):
            self._card = name, max(0, left - count)
            return count
        self._fault = fault
        self.until = asyncio.get_running_loop().time() + self.random.uniform(0.1, 0.8)
        if not fault.of_requests:
            self.happened()
        return left

    def happened(self) -> None:
        assert self._card is not None
        self._proxy.happened[self._card[0]] += 1
        self._counted = True

    def over(self) -> None:
        """The connection is as any other again, until the next fault."""
        self._fault = self._card = None
        self._counted = False

    def send_again(self) -> None:
        """Send the request that has just been forwarded again, later."""
        assert self._card is not None
        self.later(self._proxy.send_again(self._card[0], self.requests.last))
        self._counted = True

    def close(self) -> None:
        if self._card is not None and not self._counted:
            self._proxy.take_back(self._card[0])
            self._card = None
        super().close()

    async def forward(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()


class _Requests:
    """Where HTTP requests end: `last` is the one that ended with the last bytes fed, else empty."""

    def __init__(self) -> None:
        self.last = b""
        self._bytes = bytearray()
        self._ends: float | None = None

    @property
    def expected(self) -> bool:
        """Whether there are requests: not so after a WebSocket's handshake."""
        return self._ends != math.inf

    def feed(self, data: bytes) -> None:
        self._bytes += data
        self.last = b""
        if self._ends is None and (head := self._bytes.find(b"\r\n\r\n")) >= 0:
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", self._bytes[:head])
            upgrade = re.search(rb"(?i)\r\nupgrade:", self._bytes[:head])
            self._ends = math.inf if upgrade else head + 4 + int(length[1] if length else 0)
        if self._ends is not None and len(self._bytes) >= self._ends:
            self.last = bytes(self._bytes)
            self._bytes.clear()
            self._ends = None
        elif not self.expected:
            self._bytes.clear()  # no further request


# What a fault does with bytes on their way `up`, to the server, or down. False: the connection is at its end.


async def _cut(pair: _FaultyPair, up: bool, data: bytes) -> bool:
    pair.cut()
    return False


async def _close(pair: _FaultyPair, up: bool, data: bytes) -> bool:
    pair.close()
    return False


async def _swallow(pair: _FaultyPair, up: bool, data: bytes) -> bool:
    return True


async def _swallow_answers(pair: _FaultyPair, up: bool, data: bytes) -> bool:
    if up:
        await pair.forward(pair.there, data)
    return True


async def _stall(pair: _FaultyPair, up: bool, data: bytes) -> bool:
    await asyncio.Event().wait()
    return False


async def _late(pair: _FaultyPair, up: bool, data: bytes) -> bool:
    if up:
        pair.here.transport.abort()
        await asyncio.sleep(pair.random.uniform(0.1, 1.0))
        await pair.forward(pair.there, data)
    return True


async def _trickle(pair: _FaultyPair, up: bool, data: bytes) -> bool:
    await _in_pieces(pair, up, data, max(1, len(data) // 10), 0.01)
    return True


async def _jitter(pair: _FaultyPair, up: bool, data: bytes) -> bool:
    await _in_pieces(pair, up, data, len(data), 0.1)
    return True


async def _in_pieces(pair: _FaultyPair, up: bool, data: bytes, size: int, delay: float) -> None:
    for start in range(0, len(data), size):
        await asyncio.sleep(pair.random.uniform(0.0, 2 * delay))
        await pair.forward(pair.there if up else pair.here, data[start : start + size])
    if asyncio.get_running_loop().time() > pair.until:
        pair.over()


async def _send_again(pair: _FaultyPair, up: bool, data: bytes) -> bool:
    await pair.forward(pair.there if up else pair.here, data)
    if up and pair.requests.last:
        pair.send_again()
        pair.over()
    return True


async def _lose_answer(pair: _FaultyPair, up: bool, data: bytes) -> bool:
    if up:
        await pair.forward(pair.there, data)
        if pair.requests.last:
            pair.send_again()
            pair.here.transport.abort()
    return True


class Fault(NamedTuple):
    """kind: what the faults of a kind have in common. act: what happens to the bytes from where it begins. upward: it
    begins with bytes on their way to the server. of_requests: it happens when the request is whole, and to no
    WebSocket.
    """

    kind: str
    act: Callable[[_FaultyPair, bool, bytes], Awaitable[bool]]
    upward: bool = False
    of_requests: bool = False


FAULTS = {
    "cut": Fault("cut", _cut),  # both ends are reset
    "close": Fault("cut", _close),  # both ends are closed in good order, in the middle of whatever it is
    "late": Fault("cut", _late, upward=True),  # the client's end is reset; what it sent comes later
    "swallow": Fault("silence", _swallow),  # half open: both ends live, and what they send goes nowhere
    "swallow answers": Fault("silence", _swallow_answers),  # half open in one direction
    "stall": Fault("silence", _stall),  # nothing is read any more, until the ends' buffers are full
    "trickle": Fault("delay", _trickle),  # a slow link, for a while
    "jitter": Fault("delay", _jitter),  # delays of up to 0.2 s, for a while
    "send again": Fault("repeat", _send_again, upward=True, of_requests=True),  # a request comes twice, once late
    "lose answer": Fault("repeat", _lose_answer, upward=True, of_requests=True),  # the client repeats it meanwhile
}
OF_CONNECTIONS = tuple(name for name, fault in FAULTS.items() if not fault.of_requests)
