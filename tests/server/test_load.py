"""A short load: many sessions that all do everything at once, no error, and nothing left afterwards."""

import json
import os
import subprocess
import sys

import httpx
import pytest

from tests.support import ROOT, serving, wait_until

SESSIONS = 24
ACTIONS = 8


def load(*options, **environment):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TELEGRAD_")}
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.load", *options],
        capture_output=True,
        text=True,
        timeout=110,
        cwd=ROOT,
        env=kept | environment,
        check=False,
    )


@pytest.fixture
def server():
    with serving("--max-sessions", str(SESSIONS)) as process:
        yield process


def test_many_sessions_at_once(server, tmp_path):
    file = tmp_path / "figures.json"
    shape = ("--sessions", str(SESSIONS), "--actions", str(ACTIONS), "--seconds", "100", "--processes", "2")
    done = load("--url", server.url, *shape, "--json", str(file), TELEGRAD_TOKEN=server.token)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(file.read_text())
    assert found["errors"] == [] and found["after"] == {"sessions": 0, "tensors": 0, "bytes": 0}
    counts = {name: figures["count"] for name, figures in found["actions"].items()}
    assert sum(counts.values()) == SESSIONS * ACTIONS
    assert set(counts) == {"small", "burst", "train", "upload", "download"} and min(counts.values()) >= SESSIONS
    text = httpx.get(f"{server.url}/metrics", headers=server.headers).text
    assert f'telegrad_session_ends_total{{reason="left"}} {SESSIONS:.1f}' in text
    assert f"telegrad_session_starts_total {SESSIONS:.1f}" in text
    additions = counts["small"] + 50 * counts["burst"] + counts["download"]

    def counted():
        text = httpx.get(f"{server.url}/metrics", headers=server.headers).text
        return f'telegrad_ops_total{{op="add"}} {additions:.1f}' in text

    wait_until(counted)


def test_one_session_too_many_is_an_error_of_the_run(server):
    shape = ("--sessions", str(SESSIONS + 1), "--actions", "1", "--processes", "1")
    done = load("--url", server.url, *shape, TELEGRAD_TOKEN=server.token)
    assert done.returncode == 1
    assert "507" in done.stdout and "errors: 1" in done.stdout
