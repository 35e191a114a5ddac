"""Hostile items: always a coded answer or a coded end; another session works through it, and memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from protocol import wire
from protocol.wire import Item
from tests.fuzz import hostile
from tests.fuzz import items as executed
from tests.stream.raw import Raw
from tests.support import ServerProcess, serving

MEMORY = 600 * 2**20
"""What a server may take in the end: about 100 MB for itself, and a fuzzed session's 16 MiB of values several times."""


class Neighbour:
    """Another session on the same server: it works, whatever the others do."""

    def __init__(self, server: ServerProcess) -> None:
        self.raw = Raw(server)
        self.raw.send([Item.BIND, 0, "matmul"], [Item.CONST, 1, np.arange(6.0).reshape(2, 3)])
        self.turns = 1

    def works(self) -> None:
        """A small computation."""
        self.turns += 1
        new = self.turns
        value = np.full((3, 1), float(new))
        found = self.raw.ask([Item.RUN, 0, new, [1, value]], [Item.READ, new, new], [Item.RELEASE, [new]])
        assert found.tolist() == [[3.0 * new], [12.0 * new]]


@pytest.fixture(scope="module", params=["thread", "process"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    options = ["--memory-limit", str(executed.MEMORY), "--data-dir", str(tmp_path_factory.mktemp("data"))]
    with serving(*options, "--isolation", request.param, "--heartbeat", "60") as process:
        yield process
        assert process.resident_bytes() < MEMORY


def test_an_executor_takes_items_or_refuses_them(explore: Any) -> None:
    bodies = st.lists(st.lists(executed.items(), min_size=1, max_size=8).map(executed.packed), min_size=1, max_size=4)
    explore(executed.check_bodies, bodies, examples=150)


@pytest.mark.parametrize("carrier", [hostile.SocketClient, hostile.HttpClient])
def test_a_server_answers_or_refuses(explore: Any, server: ServerProcess, carrier: Any) -> None:
    neighbour = Neighbour(server)
    with neighbour.raw:

        def check(conversation: list[Any]) -> None:
            hostile.converse(server, carrier, conversation)
            neighbour.works()

        explore(check, hostile.conversations, examples=25)
        assert server.resident_bytes() < MEMORY


def test_a_text_message_ends_the_connection_alone(server: ServerProcess) -> None:
    with Raw(server) as raw:
        raw.send([Item.CONST, 1, np.ones(3)])
        raw.socket.send("text")
        assert raw.end()["code"] == 65
    with Raw(server, raw.session, seq=1) as raw:
        assert raw.ask([Item.READ, 1, 1]).tolist() == [1, 1, 1]
    assert wire.VERSION == 1
