"""The `telegrad` command against a real server."""

import json
import re
import socket
from pathlib import Path

import numpy as np
import pytest

import client as tf
from client.command import main
from client.server_status import status_text
from tests.client.faults import answering, http_answer
from tests.support import serving


@pytest.fixture
def server(monkeypatch):
    with serving("--memory-limit", "64m", "--session-ttl", "90") as process:
        monkeypatch.setenv("TELEGRAD_TOKEN", process.token)
        yield process
        tf.disconnect()


def test_status_is_the_servers_account(server, capsys):
    assert main(["status", server.url, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["protocol"] == 1
    assert [d["name"] for d in found["devices"]] == ["CPU:0"]


def test_status_is_readable(server, capsys):
    assert main(["status", server.url]) == 0
    said = capsys.readouterr().out
    assert re.match(rf"Telegrad \S+ at {server.url}, protocol version 1, up \d+ s\n", said)
    assert re.search(r"^device +memory in use +in total\nCPU:0 +", said, re.MULTILINE)
    assert "no sessions, of 64 allowed; each may hold 64.0 MiB, and is kept for 1 min 30 s" in said


def test_status_shows_what_sessions_hold(server, capsys):
    tf.connect(server.url, server.token)
    from client import context

    x = tf.constant(np.zeros(3 * 2**20, np.uint8))
    tf.sync()
    del x
    y = tf.constant(np.zeros(2**20, np.uint8))
    tf.sync()
    assert main(["status", server.url]) == 0
    said = capsys.readouterr().out
    assert "1 session, of 64 allowed" in said and "together 1.0 MiB in use" in said
    row = re.split(r"  +", said.splitlines()[-2])
    assert row[1:5] == ["yes", "1", "1.0 MiB", "3.0 MiB"] or row[1:5] == ["yes", "1", "1.0 MiB", "4.0 MiB"]
    assert server.token not in said and context.session().id[:8] not in said
    del y


def test_a_status_with_less_in_it_is_shown_as_far_as_it_goes():
    assert status_text("u", {"protocol": 1, "devices": [{"name": "GPU:0"}], "sessions": [{"attached": False}]}) == (
        "Telegrad ? at u, protocol version 1\n\n"
        "device  memory in use  in total\nGPU:0   -              -\n\n"
        "1 session\nage  attached  tensors  in use  at most  ops\n-    no        0        -       -        0\n"
        "together 0 B in use"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (7200, "2 h 0 min"), (90061, "1 d 1 h")]
)
def test_durations(seconds, text):
    assert status_text("u", {"uptime": seconds}).splitlines()[0].endswith(f", up {text}")


def test_ping_prints_round_trips_and_bandwidth(server, capsys):
    assert main(["ping", server.url, "--count", "3", "--size", "2m"]) == 0
    trips, speed = capsys.readouterr().out.splitlines()
    found = re.fullmatch(
        r"3 round trips: median (\d+\.\d\d) ms, min (\d+\.\d\d), p99 (\d+\.\d\d), max (\d+\.\d\d)", trips
    )
    median, lowest, p99, highest = map(float, found.groups())
    assert lowest <= median <= p99 == highest
    rate = r"\d+(\.\d)? [KMG]?i?B/s \(\d+\.\d ms\)"
    assert re.fullmatch(rf"2\.0 MiB: up {rate}, down {rate}", speed)


def test_ping_moves_the_bytes_it_says(server, capsys):
    def moved():
        return tf.stats()["bytes_sent"], tf.stats()["bytes_received"]

    from client import speed

    tf.connect(server.url, server.token)
    for size in (100, 2**20, 3 * 2**20):
        before = moved()
        speed.transfer(size)
        assert all(size <= now - then < size + 4096 for now, then in zip(moved(), before, strict=True))


def test_ping_without_bytes(server, capsys):
    assert main(["ping", server.url, "--count", "1", "--size", "0"]) == 0
    assert re.fullmatch(r"1 round trips: .*\n", capsys.readouterr().out)


def test_more_bytes_than_the_server_has_room_for(server, capsys):
    assert main(["ping", server.url, "--count", "1", "--size", "100m"]) == 1
    assert "telegrad: out of memory: 104857600 bytes asked, 0 used, 67108864 allowed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--count", "0"], "'0' is no positive number"),
        (["--count", "-1"], "--count"),
        (["--size", "much"], "'much' is no size; write 512m or 8g"),
    ],
)
def test_options_that_make_no_sense(options, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["ping", "http://127.0.0.1:1", *options])
    assert stopped.value.code == 2 and said in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "x"])
def test_a_timeout_is_a_positive_number(seconds, capsys):
    with pytest.raises(SystemExit):
        main(["doctor", "http://127.0.0.1:1", f"--timeout={seconds}"])
    assert f"'{seconds}' is no positive number of seconds" in capsys.readouterr().err


def test_a_wrong_token_is_one_clear_line(server, tmp_path, capsys):
    (tmp_path / "token").write_text("wrong\n")
    assert main(["status", server.url, "--token-file", str(tmp_path / "token")]) == 1
    assert capsys.readouterr().err == "telegrad: the server does not accept the token\n"


def test_a_missing_token_file_is_one_clear_line(tmp_path, capsys):
    assert main(["status", "http://127.0.0.1:1", "--token-file", str(tmp_path / "no")]) == 1
    assert re.fullmatch(r"telegrad: .*No such file.*\n", capsys.readouterr().err)


@pytest.mark.parametrize("command", ["status", "ping"])
def test_no_server_is_one_clear_line(command, capsys):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    assert main([command, url]) == 1
    said = (
        rf"telegrad: {url} cannot be reached: .*Connection refused \(`telegrad doctor {url}` looks for the reason\)\n"
    )
    assert re.fullmatch(said, capsys.readouterr().err)


@pytest.mark.parametrize("body", ["<h1>It works!</h1>", "[]", "{}"])
def test_the_status_of_something_else(body, capsys):
    with answering(http_answer(200, body)) as address:
        assert main(["status", f"http://{address}"]) == 1
    assert re.fullmatch(r"telegrad: what answers at .* is no Telegrad server .*\n", capsys.readouterr().err)


def test_every_option_is_documented(capsys):
    text = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
    for command in ("status", "ping", "doctor"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        heading = next(line for line in text.splitlines() if line.startswith(f"## telegrad {command} "))
        options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help", "--token-file"}
        assert options == set(re.findall(r"--[a-z-]+", heading))
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "{status,ping,doctor}" in capsys.readouterr().out
