"""The `telegrad` command against a real server."""

import json
import re

import pytest

from client.command import main
from tests.support import serving


@pytest.fixture
def server(monkeypatch):
    with serving() as process:
        monkeypatch.setenv("TELEGRAD_TOKEN", process.token)
        yield process


def test_status_is_the_servers_account(server, capsys):
    assert main(["status", server.url]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["protocol"] == 1
    assert [d["name"] for d in found["devices"]] == ["CPU:0"]


def test_ping_prints_round_trips(server, capsys):
    assert main(["ping", server.url, "--count", "3"]) == 0
    assert re.match(r"3 round trips: median \d+\.\d\d ms", capsys.readouterr().out)


def test_a_wrong_token_is_one_clear_line(server, tmp_path, capsys):
    (tmp_path / "token").write_text("wrong\n")
    assert main(["status", server.url, "--token-file", str(tmp_path / "token")]) == 1
    assert capsys.readouterr().err == "telegrad: the server does not accept the token\n"
