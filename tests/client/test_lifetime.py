"""Proxies that die free what they stand for, and producers are held back.

Threads, forks, interrupts and exits leave nothing broken.
"""

import gc
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import client as tf
from tests.support import ROOT, resident_bytes, run_program, serving, wait_until


def test_the_tensors_of_100_000_ops_are_released():
    x = tf.ones([4, 4]) * 3.0
    gc.collect()
    before = tf.stats()["server_tensors"]
    y = x
    for _ in range(100_000):
        y = y + 1.0
    assert y.numpy()[0, 0] == 100_003.0
    del y
    gc.collect()
    after = wait_until(lambda: (s := tf.stats())["server_tensors"] <= before and s)
    assert after["server_tensors"] == before


def test_releases_are_sent_when_nothing_else_is():
    before = tf.stats()["server_tensors"]
    kept = [tf.constant(np.ones(1000, np.float32)) + 1.0 for _ in range(10)]
    assert tf.stats()["server_tensors"] >= before + 10
    from client import context

    session = context.session()
    del kept
    wait_until(lambda: not session.releases, 10)
    assert tf.stats()["server_tensors"] == before


def test_variables_are_released_with_their_last_reference():
    before = tf.stats()["server_tensors"]
    v = tf.Variable(tf.ones([100]))
    w = v
    del v
    assert tf.stats()["server_tensors"] == before + 1
    del w
    assert tf.stats()["server_tensors"] == before


def test_a_producer_that_outruns_the_server_is_held_back_at_bounded_memory():
    """Items that take long, issued fast: the producer waits for credit, and neither side's memory grows."""
    with serving() as server:
        tf.connect(server.url, server.token)
        try:
            x = tf.constant(np.ones((300, 300), np.float32))
            y = tf.linalg.matmul(x, x)
            y.numpy()
            memory, mine = server.resident_bytes(), resident_bytes(os.getpid())
            for _ in range(3 * 32768 // 8):
                for _ in range(8):
                    tf.reduce_sum(x)
            from client import context

            in_flight = context.session()._stream
            assert in_flight.items_sent - in_flight.items_done <= in_flight.sent_credit.items
            assert tf.stats()["stalls"] > 0
            assert server.resident_bytes() - memory < 200 * 2**20
            assert resident_bytes(os.getpid()) - mine < 200 * 2**20
        finally:
            tf.disconnect()


def test_large_constants_outrunning_the_server_are_bounded_in_bytes():
    with serving() as server:
        tf.connect(server.url, server.token)
        try:
            block = np.ones(200_000, np.float32)  # 0.8 MB: within an item
            total = tf.Variable(0.0)
            memory, mine = server.resident_bytes(), resident_bytes(os.getpid())
            for _ in range(400):
                total.assign_add(tf.reduce_sum(tf.constant(block)))
            assert float(total) == 400 * 200_000.0
            assert server.resident_bytes() - memory < 250 * 2**20
            assert resident_bytes(os.getpid()) - mine < 250 * 2**20
        finally:
            tf.disconnect()


def test_threads_may_all_issue():
    x = tf.constant(np.ones((4, 4), np.float32) * 2)
    results: dict[int, float] = {}

    def work(start: int) -> None:
        y = x * float(start)
        for _ in range(3000):
            y = y + 1.0
        results[start] = float(y[0, 0])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == {i: 2.0 * i + 3000 for i in range(6)}
    tf.sync()


def test_threads_that_together_issue_more_than_a_frame_holds():
    block = np.ones(2**18 - 100, np.float32)  # just within an item each
    sums: list[float] = []
    barrier = threading.Barrier(16)

    def work() -> None:
        barrier.wait()
        sums.append(float(tf.reduce_sum(tf.constant(block))))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sums == [2**18 - 100.0] * 16


def test_a_crowd_of_tensors_that_die_at_once_is_released():
    before = tf.stats()["server_tensors"]
    kept = [tf.zeros([]) for _ in range(150_000)]
    assert tf.stats()["server_tensors"] == before + 150_000
    del kept
    assert tf.stats()["server_tensors"] == before


def test_a_forked_child_cannot_use_the_parents_tensors_and_harms_nothing():
    done = run_program(
        """
import os, sys
import numpy as np
import client as tf
x = tf.constant(np.ones(100, np.float32)) + 1.0
x.numpy()
y = x + 1.0
child = os.fork()
if child == 0:
    try:
        (y + 1.0).numpy()
    except tf.errors.SessionLostError as error:
        assert "forked" in str(error), error
        z = tf.constant(np.ones(3, np.float32) * 2) * np.ones(3, np.float32)  # a session of its own
        assert z.numpy().sum() == 6.0
        del x, y
        sys.exit(0)
    sys.exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert y.numpy().sum() == 300.0
print("fine")
"""
    )
    assert done.stdout == "fine\n", done.stderr


def test_ctrl_c_while_waiting_cancels_and_leaves_the_session_usable():
    program = """
import numpy as np
import client as tf
x = tf.random.normal([1500, 1500], seed=1)
v = tf.Variable(0.0)
tf.sync()
print("ready", flush=True)
try:
    y = x
    for _ in range(500):
        y = tf.linalg.inv(y @ x + tf.eye(1500))
        v.assign_add(1.0)
    y.numpy()
except KeyboardInterrupt:
    pass
else:
    raise SystemExit("not interrupted")
assert float(tf.reduce_sum(tf.ones([4]) + 1.0)) == 8.0
assert float(v) < 500
try:
    y.numpy()
except tf.errors.CancelledError:
    print("cancelled")
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(1.0)  # not a synchronisation: any moment within the long wait will do
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group, the embedded server must not mind
    out, _ = process.communicate(timeout=60)
    assert out == "cancelled\n"
    assert process.returncode == 0


def children_of(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(p) for p in file.read().split()]


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_embedded_server_ends_with_a_killed_program(how):
    program = (
        "import client as tf\nprint(float(tf.reduce_sum(tf.ones([9]))), flush=True)\nimport time\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"9.0\n"
    servers = children_of(process.pid)
    assert servers
    process.send_signal(how)
    process.communicate(timeout=20)
    wait_until(lambda: not any(map(alive, servers)))


def test_a_killed_embedded_server_is_a_lost_session():
    done = run_program(
        """
import os, signal
import client as tf
from client import context
x = tf.ones([100]) + 1.0
x.numpy()
os.kill(context._server.pid, signal.SIGKILL)
try:
    (x + 1.0).numpy()
except tf.errors.SessionLostError as error:
    assert "killed by signal 9" in str(error) and "restore a checkpoint" in str(error), error
    tf.connect()
    print(float(tf.reduce_sum(tf.ones([4]))))
"""
    )
    assert done.stdout == "4.0\n", done.stderr


def test_a_users_own_server_folder_does_not_shadow_ours(tmp_path):
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "__init__.py").write_text("raise ImportError('mine')")
    (tmp_path / "main.py").write_text("import client as tf\nprint(float(tf.reduce_sum(tf.ones([5]))))\n")
    done = subprocess.run(
        [sys.executable, "-P", "main.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert done.stdout == "5.0\n", done.stderr


def test_exit_with_work_in_flight_is_clean():
    done = run_program(
        "import client as tf\nx = tf.ones([50, 50])\nfor _ in range(1000): x = x @ x / 50.0\nt = tf.constant(1.0) + x\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_tensors_of_an_earlier_connection_are_refused():
    with serving() as server:
        tf.connect(server.url, server.token)
        old = tf.ones([100]) + 1.0
        tf.connect(server.url, server.token)
        new = tf.ones([100])
        with pytest.raises(ValueError, match="different sessions"):
            old + new
        with pytest.raises(tf.errors.SessionLostError, match="disconnected"):
            old + 1.0
        tf.disconnect()


def test_a_wrong_token_and_no_server_are_clear_errors():
    with serving() as server:
        with pytest.raises(tf.errors.UnauthenticatedError):
            tf.connect(server.url, "wrong")
        url = server.url
    with pytest.raises(tf.errors.UnavailableError, match="cannot be reached"):
        tf.connect(url, "any")
    with pytest.raises(ValueError, match="server URL"):
        tf.connect("ftp://host", "any")


def test_sigterm_stops_the_server_cleanly():
    with serving() as server:
        tf.connect(server.url, server.token, reconnect_timeout=0.2)
        x = tf.ones([10]) + 1.0
        x.numpy()
        assert server.terminate() == 0
        with pytest.raises(tf.errors.UnavailableError):
            (x + 1.0).numpy()
        tf.disconnect()
