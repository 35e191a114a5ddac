"""What a client can switch on and off in its session: the settings of SET, and the answers to RECORDS.

Owns: `NAMES` of the settings, and the two items' handlers. Does not know what the settings do (`server.profile`,
`server.numeric_checks`). All of them are off at first, and cost nothing then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from protocol.errors import NotFoundError, ProtocolError, code_of
from protocol.wire import Item
from server import numeric_checks
from server.profile import Profiler
from server.values import Poison

if TYPE_CHECKING:
    from server.executor import Executor

NAMES: Final = ("check_numerics", "profile")
"""The settings, as the WELCOME says them."""


def handlers(executor: Executor) -> dict[int, Callable[[tuple[Any, ...], int], None]]:
    """What `executor` does for the items of this module."""
    switches = _Switches(executor)
    return {Item.SET: switches.set, Item.RECORDS: switches.records}


class _Switches:
    """The settings of one session."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._profiler: Profiler | None = None

    def set(self, item: tuple[Any, ...], number: int) -> None:
        """Give a setting a value; one there is not fails alone."""
        _, name, value = item
        if name == "profile":
            if self._profiler is None:
                self._profiler = Profiler(self._executor)
            self._profiler.switch(value)
        elif name == "check_numerics":
            if type(value) is not bool:
                raise ProtocolError("check_numerics is true or false")
            numeric_checks.switch(self._executor, value)
        else:
            error = NotFoundError(f"this server has no setting {name!r:.100}: it may be older than the client")
            self._executor.fail("set", (), error, number)

    def records(self, item: tuple[Any, ...], number: int) -> None:
        """Answer with a profile's records; of the profile 0, with the clock alone."""
        read, profile = item[1], item[2]
        if profile == 0:
            self._executor.emit((Item.REPORT, read, {"clock": time.perf_counter_ns()}))
            return
        try:
            if self._profiler is None:
                raise NotFoundError("no profile was ever on")
            report = self._profiler.records(profile, item[3] if len(item) > 3 else 0)
        except NotFoundError as error:
            self._executor.refuse_read(read, Poison(code_of(error), str(error), None, number))
            return
        self._executor.emit((Item.REPORT, read, report))
