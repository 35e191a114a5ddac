"""How summaries end: closed writers, ends of programs, values that fail, sessions lost, full disks, no tensorboard."""

import gc
import os
import re
import sys
import threading

import numpy as np
import pytest

import client as tf
from tests.client.event_files import default_writer, read, scalars
from tests.client.waiting import remote, waits
from tests.support import run_program

Invalid = tf.errors.InvalidArgumentError


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def writer(logs):
    yield from default_writer(logs)


# --- the end of a writer ---------------------------------------------------------------------------------------------


def test_a_closed_writer(tmp_path):
    writer = tf.summary.create_file_writer(tmp_path)
    with writer.as_default():
        tf.summary.scalar("x", remote(1.0), step=1)
        writer.close()
        assert scalars(tmp_path) == {"x": [(1, 1.0)]}
        with pytest.raises(tf.errors.NotFoundError, match="is closed"):
            tf.summary.scalar("x", 1.0, step=1)
    writer.close()
    writer.flush()
    for use in (writer.as_default, writer.set_as_default, writer.init):
        with pytest.raises(RuntimeError, match=r"SummaryWriter .* is already closed"):
            use()


def test_a_writer_that_is_garbage_ends(tmp_path):
    before = set(threading.enumerate())
    writer = tf.summary.create_file_writer(tmp_path)
    (thread,) = (t for t in set(threading.enumerate()) - before if t.name == "telegrad-summaries")
    with writer.as_default():
        tf.summary.scalar("x", remote(2.0), step=1)
    del writer
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()
    assert scalars(tmp_path) == {"x": [(1, 2.0)]}


PREAMBLE = """
import sys
import client as tf
writer = tf.summary.create_file_writer(sys.argv[1] if len(sys.argv) > 1 else LOGS)
writer.set_as_default()
x = tf.identity(tf.ones([300, 300]))
for step in range(20):
    x = x @ x / 300.0
    tf.summary.scalar("x", x[0, 0], step=step)
"""


def run(body, logs, **environment):
    found = run_program(PREAMBLE.replace("LOGS", repr(str(logs))) + body, **environment)
    assert found.returncode == 0, found.stderr
    return found


@pytest.mark.parametrize("end", ["", "tf.disconnect()", "tf.connect()", "sys.exit()"])
def test_the_end_of_the_program_writes_what_is_pending(tmp_path, end):
    large = 'tf.summary.write("large", tf.range(300000.0), step=0)\n'
    assert run(large + end, tmp_path).stderr == ""
    found = read(tmp_path)
    assert [(s, float(v)) for s, v in found["x"]] == [(s, 1.0) for s in range(20)]
    np.testing.assert_array_equal(found["large"][0][1], np.arange(300_000, dtype=np.float32))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_leaves_the_file_alone(tmp_path):
    run(
        """
import os
child = os.fork()
if child == 0:
    sys.exit(3)  # with all that runs at exit
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
tf.summary.scalar("x", 1.0, step=20)
""",
        tmp_path,
    )
    assert [s for s, _ in read(tmp_path)["x"]] == list(range(21))


# --- what fails ------------------------------------------------------------------------------------------------------


def test_a_value_that_failed_is_left_out_and_raised_where_it_would_be(writer, logs, capfd):
    with waits(0):
        tf.summary.scalar("x", remote(1.0), step=1)
        bad = tf.linalg.inv(tf.zeros([8, 8]))
        tf.summary.scalar("x", tf.reduce_sum(bad), step=2)
        tf.summary.histogram("h", bad, step=2)
        tf.summary.scalar("x", remote(3.0), step=3)
    writer.flush()
    with pytest.raises(Invalid, match="not invertible"):
        tf.sync()
    tf.sync()
    tf.summary.scalar("x", remote(4.0), step=4)
    writer.flush()
    assert scalars(logs) == {"x": [(1, 1.0), (3, 3.0), (4, 4.0)]}
    assert capfd.readouterr().err.count("telegrad") == 1


def test_a_picture_that_cannot_be_encoded_is_told(writer, logs, capfd):
    where = tf.where(remote([True, False]))  # of unknown length
    tf.summary.image("bad", tf.gather(remote(np.zeros([2, 1, 0, 1])), where[:, 0]), step=1)
    tf.summary.image("bad", tf.reshape(remote(np.zeros(10)), remote([1, 1, 2, 5])), step=1)
    tf.summary.scalar("good", 1.0, step=1)
    writer.flush()
    assert scalars(logs) == {"good": [(1, 1.0)]}
    told = capfd.readouterr().err
    assert "'bad' is left out: image must have 1, 2, 3, or 4 channels, but has 5" in told and told.count("'bad'") == 2


def test_a_lost_session_does_not_hang(tmp_path):
    found = run(
        """
import os, signal
from client import context
tf.sync()
writer.flush()
os.kill(context._server.pid, signal.SIGSTOP)
for step in range(20, 25):
    tf.summary.scalar("x", x[0, 0], step=step)
os.kill(context._server.pid, signal.SIGKILL)
writer.flush()
try:
    tf.summary.scalar("x", x[0, 0], step=30)
except tf.errors.SessionLostError:
    print("lost")
tf.summary.scalar("here", 1.0, step=31)
writer.close()
""",
        tmp_path,
    )
    assert found.stdout.strip() == "lost"
    lost = re.findall(r"summaries that were on their way and are lost: (\d+) \(.*killed by signal 9", found.stderr)
    assert sum(map(int, lost)) == 5, found.stderr
    assert [s for s, _ in read(tmp_path)["x"]] == list(range(20)) and read(tmp_path)["here"][0][1] == 1.0


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits")
def test_a_full_disk(tmp_path):
    found = run(
        """
import resource
tf.sync()
writer.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
tf.summary.text("t", "y" * 10000, step=1)
for call in (writer.flush, lambda: tf.summary.scalar("z", 1.0, step=1)):
    try:
        call()
    except tf.errors.UnknownError as error:
        print("File too large" in str(error))
""",
        tmp_path,
    )
    assert found.stdout.split() == ["True", "True"], found


# --- what it costs those who don't use it ----------------------------------------------------------------------------


def test_tensorboard_is_imported_with_the_first_writer():
    found = run_program("""
import sys, tempfile
import client as tf
assert "client.summary" not in sys.modules
tf.summary.scalar("x", 1.0, step=1)
tf.summary.experimental.set_step(1)
assert not any(name.partition(".")[0] == "tensorboard" for name in sys.modules)
tf.summary.create_file_writer(tempfile.mkdtemp())
assert "tensorboard" in sys.modules and "tensorflow" not in sys.modules
""")
    assert found.returncode == 0, found.stderr


def test_without_tensorboard_one_line_says_what_to_install():
    found = run_program("""
import sys
sys.modules["tensorboard"] = None
import client as tf
tf.summary.scalar("x", 1.0, step=1)
tf.summary.create_file_writer("/nowhere/at/all")
""")
    last = found.stderr.strip().splitlines()[-1]
    assert last == (
        'ModuleNotFoundError: summaries are written by the tensorboard package: pip install "telegrad[tensorboard]"'
    )


def test_graphs_are_refused():
    for call in (lambda: tf.summary.graph(None), tf.summary.trace_on):
        with pytest.raises(NotImplementedError, match="run eagerly"):
            call()
    tf.summary.trace_off()
    with pytest.raises(ValueError, match="Must enable trace"):
        tf.summary.trace_export("x", step=0)
