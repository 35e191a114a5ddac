"""Makes wrong tokens slow: the more of them come from an address, the later each is answered.

Owns: `Throttle`, a count of wrong tokens by address and what follows from it. Does not know requests, and does not wait
itself. Right tokens are never asked about here, so whoever has one is never held up, whoever else shares the address.
What keeps a token from being guessed is its length; this keeps guessing, and a program that was told a wrong token,
from being a load.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

FREE: Final = 16
"""Wrong tokens of an address that are answered at once: somebody is setting something up."""
_FIRST: Final = 0.125
LONGEST: Final = 4.0
"""Seconds, like all times here."""
_FORGET: Final = 900.0
MAX_ADDRESSES: Final = 8192
MAX_WAITING: Final = 256
"""Answers held back at once. Past it they go out at once: held requests cost more than answered ones."""


class Throttle:
    """Counts wrong tokens. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()  # by the time of the last
        self._waiting = 0

    def __len__(self) -> int:
        return len(self._counts)

    def wrong(self, address: str) -> tuple[int, float]:
        """Note a wrong token: how many came from there lately, and for how many seconds to keep the answer back."""
        now = self._clock()
        key = network(address)
        count, last = self._counts.pop(key, (0, now))
        count = 1 if now - last > _FORGET else count + 1
        self._counts[key] = (count, now)
        if len(self._counts) > MAX_ADDRESSES:
            self._counts.popitem(last=False)
        beyond = count - FREE
        if beyond <= 0 or self._waiting >= MAX_WAITING:
            return count, 0.0
        return count, min(_FIRST * 2 ** min(beyond - 1, 16), LONGEST)

    def __enter__(self) -> None:
        """An answer is held back from here to the end of the block."""
        self._waiting += 1

    def __exit__(self, *_: object) -> None:
        self._waiting -= 1


def network(address: str) -> str:
    """What is counted as one address: in IPv6 the /64, all of which one machine has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # a Unix socket has none
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
