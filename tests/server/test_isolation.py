"""Sessions in processes of their own: one that crashes, is killed or never ends takes no other with it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from protocol import wire
from protocol.wire import Item
from tests.stream.raw import Raw, http
from tests.support import ROOT, processes_of, run_program, serving, wait_until

BIND, CONST, READ, RELEASE, RUN = wire.BIND, wire.CONST, wire.READ, wire.RELEASE, wire.RUN
LOST = 64
ONES = np.ones(3, np.float32)
LARGE = np.arange(2**19, dtype=np.float32)


@pytest.fixture(scope="module")
def server():
    with serving("--isolation", "process") as process:
        yield process


def process_of(server, raw: Raw) -> int:
    """The process of a session: the one that grows by an array that only that session has."""
    before = {pid: shared_and_private(pid) for pid in processes_of(server)}
    raw.ask([BIND, 90, "fill"], [RUN, 90, 9_000, [np.array(1, np.float32)], {"dims": [2**23]}], [Item.SYNC, 1])
    grown = {pid: shared_and_private(pid) - size for pid, size in before.items()}
    found = max(grown, key=grown.__getitem__)
    assert grown[found] > 2**24
    raw.send([RELEASE, [9_000]])
    return found


def shared_and_private(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def works(raw: Raw, tensor: int) -> bool:
    return np.array_equal(raw.ask([CONST, tensor, ONES], [READ, tensor, tensor]), ONES)


@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGKILL, "memory runs out"), (signal.SIGSEGV, "crashed (SIGSEGV)"), (signal.SIGABRT, "crashed (SIGABRT)")],
)
def test_a_process_that_dies_ends_its_session_alone_and_says_why(server, number, said):
    with Raw(server) as victim, Raw(server) as neighbour:
        assert works(victim, 1) and works(neighbour, 1)
        os.kill(process_of(server, victim), number)
        refused = victim.end()
        assert refused["code"] == LOST
        assert said in refused["message"] and "other sessions go on" in refused["message"]
        assert works(neighbour, 2)
        with Raw(server, victim.session) as again:
            assert again.end()["code"] == LOST
    with Raw(server) as newer:
        assert works(newer, 1)


def test_the_client_raises_session_lost_with_the_reason():
    source = """
import os, signal, sys
import client as tf
x = tf.constant([1.0, 2.0]) + 1.0
x.numpy()
print("ready", flush=True)
sys.stdin.readline()
try:
    (x + 1.0).numpy()
except tf.errors.SessionLostError as error:
    print("lost:", error)
tf.connect()
print(float(tf.constant(2.0) * 2.0))
"""
    with serving("--isolation", "process") as own:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TELEGRAD_URL": own.url, "TELEGRAD_TOKEN": own.token}
        (spare,) = processes_of(own)  # it becomes the session's
        program = subprocess.Popen(
            [sys.executable, "-c", source], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        os.kill(spare, signal.SIGKILL)
        output, _ = program.communicate("\n", timeout=60)
    said, result = output.splitlines()
    assert said.startswith("lost: ") and "the session's process was killed" in said
    assert result == "4.0"


def test_an_item_that_runs_too_long_ends_its_session():
    options = ("--isolation", "process", "--item-seconds", "1", "--heartbeat", "2")
    with serving(*options) as hasty, Raw(hasty) as runaway, Raw(hasty) as neighbour:
        runaway.send([BIND, 0, "matmul"], [BIND, 1, "fill"], [RUN, 1, 1, [np.array(1.0)], {"dims": [3000, 3000]}])
        runaway.send(*[[RUN, 0, 2 + i, [1, 1]] for i in range(60)])
        refused = runaway.end(30)
        assert refused["code"] == LOST and "more than 1 s" in refused["message"]
        assert works(neighbour, 1)


def test_processes_end_with_their_sessions_and_with_the_server():
    with serving("--isolation", "process") as own:
        with http(own) as client:
            for _ in range(3):
                with Raw(own) as raw:
                    assert works(raw, 1)
                    client.delete(f"/v1/sessions/{raw.session}")
        wait_until(lambda: len(processes_of(own)) == 1)  # the spare one
        with Raw(own) as raw:
            assert works(raw, 1)
            there = processes_of(own)
            assert own.terminate() == 0
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in there))


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_ctrl_c_ends_a_server_in_peace(tmp_path, isolation):
    with open(tmp_path / "log", "w+b") as log, serving("--isolation", isolation, log=log) as own, Raw(own) as raw:
        assert works(raw, 1)
        os.kill(own.pid, signal.SIGINT)
        assert own.wait() == 0
        log.seek(0)
        assert b"Traceback" not in log.read()


def test_processes_end_when_the_server_is_killed():
    with serving("--isolation", "process") as own:
        with Raw(own) as raw:
            assert works(raw, 1)
            there = processes_of(own)
            own.kill()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in there))


def test_shared_memory_of_payloads_is_given_back(server):
    """Uploads and reads of half a gigabyte in all leave nothing behind."""
    source = """
import gc
import numpy as np
import client as tf
array = np.arange(2**21, dtype=np.float32)
for i in range(64):
    x = tf.constant(array) + float(i)
    assert x.numpy()[-1] == array[-1] + i
del x
gc.collect()
stats = tf.stats()
assert stats["server_bytes"] == 0, stats
print(stats["server_peak_bytes"] < 5 * array.nbytes)
"""
    done = run_program(source, TELEGRAD_URL=server.url, TELEGRAD_TOKEN=server.token)
    assert done.stdout.strip() == "True", done.stderr
    wait_until(lambda: server.resident_bytes() < 500e6)
    open_files = len(os.listdir(f"/proc/{server.pid}/fd"))
    run_program(source, TELEGRAD_URL=server.url, TELEGRAD_TOKEN=server.token)
    wait_until(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) <= open_files + 1)
