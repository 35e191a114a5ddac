"""The processes behind the contenders: workers, servers, proxies, each started when it is first needed.

Owns: `Lab`. Does not know what is measured.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.children import Child, ChildError
from benchmarks.registry import OURS, Contender, Path, System

PEER_PYTHON: Final = os.environ.get("TELEGRAD_PEER_PYTHON", sys.executable)
"""The interpreter that has TensorFlow."""


class Lab:
    """url, token: the server to measure, an embedded one when None. rtt: seconds that the delayed path adds. Use as a
    context manager.
    """

    def __init__(self, url: str | None, token: str | None, rtt: float) -> None:
        self._options = {"url": url, "token": token}
        self._rtt = rtt
        self._children: dict[Any, Child | ChildError] = {}

    def worker(self, contender: Contender) -> Child:
        """The process that runs programs for a contender. Raises ChildError, every time, when there is none."""
        return self._child(contender, lambda: self._start(contender))

    def version(self, system: System) -> Any:
        """What a system said when it was opened, None when it was not needed."""
        child = self._children.get(Contender(system))
        return child.hello if isinstance(child, Child) else None

    def _child(self, key: Any, start: Any) -> Child:
        found = self._children.get(key)
        if found is None:
            try:
                found = start()
            except ChildError as error:
                found = error
            self._children[key] = found
        if isinstance(found, ChildError):
            raise found
        return found

    def _start(self, contender: Contender) -> Child:
        match contender.system:
            case System.OURS:
                return self._ours(contender.path)
            case System.RAW | System.RAW_FILE:
                addresses = self._helper("benchmarks.raw_server", "unix" if self._by_unix_socket() else "tcp").hello
                return _worker("raw", {name: self._behind(contender.path, a) for name, a in addresses.items()})
            case System.NUMPY:
                return _worker("bare_numpy", {"flush": True})
            case System.NUMPY_DENORMALS:
                return _worker("bare_numpy", {"flush": False})
            case System.TF_LOCAL:
                return _worker("tensorflow", {}, PEER_PYTHON)
            case System.TF_REMOTE:
                address = self._helper("benchmarks.tensorflow_server", python=PEER_PYTHON).hello["address"]
                return _worker("tensorflow", {"address": self._behind(contender.path, address)}, PEER_PYTHON)

    def _ours(self, path: Path) -> Child:
        if path is Path.DIRECT:
            return _worker("client", self._options)
        endpoint = self.worker(OURS).hello  # the same server, so that the path is all that differs
        url = urlsplit(endpoint["url"])
        if url.scheme == "https":
            raise ChildError("no proxy into TLS: a certificate does not name it")
        address = self._behind(path, endpoint["uds"] or f"{url.hostname}:{url.port or 8470}")
        return _worker("client", {"url": f"http://{address}{url.path}", "token": endpoint["token"]})

    def _by_unix_socket(self) -> bool:
        """Whether our client uses one, so that raw sockets are of the same kind."""
        try:
            return bool(self.worker(OURS).hello["uds"])
        except ChildError:
            return hasattr(socket, "AF_UNIX")

    def _behind(self, path: Path, address: str) -> str:
        """The address at which `address` is reached by that path."""
        if path is Path.DIRECT:
            return address
        rtt = self._rtt if path is Path.DELAY else 0.0
        return str(self._helper("benchmarks.proxy", address, str(rtt)).hello)

    def _helper(self, module: str, *arguments: str, python: str = sys.executable) -> Child:
        return self._child((module, *arguments), lambda: Child(module, *arguments, python=python))

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(list(self._children.values())):
            if isinstance(child, Child):
                child.close()


def _worker(opener: str, options: Any, python: str = sys.executable) -> Child:
    return Child("benchmarks.worker", opener, json.dumps(options), python=python)
