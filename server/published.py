"""Values that clients have published under names, for other sessions and for plain HTTP.

Owns: `Published`, the registry of the whole server, and `Shelf`, what one namespace sees of it. Does not know sessions,
items or HTTP. Values are host arrays that nobody changes: who has got one keeps it, whatever becomes of its name.

Any thread may call. An executor in another process than the registry has `server.far_shelf`'s stand-in for its shelf.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from protocol.dtypes import BY_NUMPY, DType
from protocol.errors import NotFoundError, ResourceExhaustedError
from protocol.names import checked_name

MAX_PUBLISHED: Final = 1024
"""Names in a namespace."""


class Owner(Protocol):
    """Whose names they are: an account, by its token's name and rights."""

    name: Any
    token: Any


class Entry(NamedTuple):
    """A published value. `version` counts up over the whole server, so that no two values ever share one."""

    array: np.ndarray[Any, Any]
    version: int
    modified: float

    @property
    def dtype(self) -> DType:
        return BY_NUMPY[self.array.dtype]

    def describe(self, name: str) -> dict[str, Any]:
        """What lists say of it."""
        return {
            "name": name, "dtype": self.dtype.name, "shape": list(self.array.shape), "bytes": self.array.nbytes,
            "version": self.version, "modified": self.modified,
        }  # fmt: skip


class Published:
    """All published values; `limit` bounds the bytes of each namespace."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._version = 0
        self._spaces: defaultdict[str, dict[str, Entry]] = defaultdict(dict)

    def shelf(self, owner: Owner | None) -> Shelf:
        """The names of one owner's; without one, of an executor on its own."""
        return Shelf(self, owner)

    def state(self) -> tuple[dict[str, Any], list[np.ndarray[Any, Any]]]:
        """All of it, for `restore` in the next server."""
        with self._lock:
            held = [(space, name, e) for space, entries in self._spaces.items() for name, e in entries.items()]
        names = [(space, name, e.version, e.modified) for space, name, e in held]
        return {"version": self._version, "names": names}, [e.array for _, _, e in held]

    def restore(
        self, state: Mapping[str, Any], arrays: Sequence[np.ndarray[Any, Any]], owners: Collection[str]
    ) -> None:
        """Take up what `state` gave, but for those whose namespace belongs to nobody any more."""
        with self._lock:
            self._version = state["version"]
            for (space, name, version, modified), array in zip(state["names"], arrays, strict=True):
                if space in owners:
                    array.flags.writeable = False
                    self._spaces[space][name] = Entry(array, version, modified)

    def forget(self, owner: Owner) -> None:
        """Let go of all that was published in an owner's name."""
        with self._lock:
            self._spaces.pop(owner.name, None)

    def publish(self, namespace: str, name: str, array: np.ndarray[Any, Any], copy: bool = True) -> None:
        """Keep a copy of `array` under `name`, in place of what was there; without `copy` the array, nobody else's.

        Raises:
            InvalidArgumentError: `name` is no name.
            ResourceExhaustedError: too many names, or bytes.
        """
        checked_name(name)
        with self._lock:
            self._check(namespace, name, array.nbytes)
        kept = np.array(array, order="C") if copy else array  # without the lock: it may take a while
        kept.flags.writeable = False
        with self._lock:
            self._check(namespace, name, array.nbytes)
            self._version += 1
            self._spaces[namespace][name] = Entry(kept, self._version, time.time())

    def _check(self, namespace: str, name: str, size: int) -> None:
        entries = self._spaces[namespace]
        used = sum([e.array.nbytes for n, e in entries.items() if n != name])
        if used + size > self.limit:
            raise ResourceExhaustedError(
                f"out of memory for published values: {size} bytes asked, {used} used, {self.limit} allowed "
                "(--published-limit)"
            )
        if name not in entries and len(entries) >= MAX_PUBLISHED:
            raise ResourceExhaustedError(f"{len(entries)} names are published, and no more than {MAX_PUBLISHED} can be")

    def fetch(self, namespace: str, name: str) -> Entry:
        """What is published under `name`. Raises NotFoundError, InvalidArgumentError."""
        checked_name(name)
        with self._lock:
            found = self._spaces[namespace].get(name)
        if found is None:
            raise NotFoundError(f"nothing is published under {name!r}")
        return found

    def unpublish(self, namespace: str, name: str) -> None:
        """Forget a name. Raises NotFoundError, InvalidArgumentError."""
        checked_name(name)
        with self._lock:
            found = self._spaces[namespace].pop(name, None)
        if found is None:
            raise NotFoundError(f"nothing is published under {name!r}")

    def listed(self, namespace: str, prefix: str = "") -> list[dict[str, Any]]:
        """What is published under names that start with `prefix`, by name."""
        with self._lock:
            entries = sorted(self._spaces[namespace].items())
        return [entry.describe(name) for name, entry in entries if name.startswith(prefix)]


class Shelf:
    """What one owner sees: the methods of `Published` for its names, as far as its token has the right.

    Each raises PermissionDeniedError where it has not.
    """

    def __init__(self, published: Published, owner: Owner | None) -> None:
        self._published = published
        self._owner = owner

    def _names(self, right: str) -> str:
        """The namespace: names are a token's."""
        if self._owner is None:
            return ""
        self._owner.token.require(right)
        found: str = self._owner.name
        return found

    def publish(self, name: str, array: np.ndarray[Any, Any], copy: bool = True) -> None:
        """As `Published.publish`."""
        self._published.publish(self._names("publish"), name, array, copy)

    def entry(self, name: str) -> Entry:
        """As `Published.fetch`."""
        return self._published.fetch(self._names("read"), name)

    def fetch(self, name: str) -> np.ndarray[Any, Any]:
        """The array, which is not to be written to."""
        return self.entry(name).array

    def unpublish(self, name: str) -> None:
        """As `Published.unpublish`."""
        self._published.unpublish(self._names("publish"), name)

    def listed(self, prefix: str = "") -> list[dict[str, Any]]:
        """As `Published.listed`."""
        return self._published.listed(self._names("read"), prefix)
