"""`tf.summary`: TensorBoard reads what TensorFlow would have written, in order; issuing a summary never waits."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

import client as tf
from client import context
from tests.client.event_files import default_writer, in_order, read, scalars
from tests.client.summarized import PROGRAMS, events_in, outcome
from tests.client.waiting import remote, waits
from tests.support import wait_until

RECORDED = json.loads((Path(__file__).parent / "summarized.json").read_text())["recorded"]

CLASSES = {
    "s.image('i', c(np.ones([1, 2, 2, 1], bool)), step=3)": ("AttributeError", "TypeError"),
    "s.image('i', c(np.ones([1, 2, 2, 1], np.complex64)), step=3)": ("AttributeError", "TypeError"),
}
"""Errors whose class differs: TensorFlow's and ours."""


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def writer(logs):
    yield from default_writer(logs)


# --- against TensorFlow ----------------------------------------------------------------------------------------------


def expected(text):
    found = RECORDED[text]
    if text in CLASSES:
        theirs, ours = CLASSES[text]
        assert found == {"error": theirs}
        return {"error": ours}
    return found


@pytest.mark.parametrize("text", PROGRAMS)
def test_as_in_tensorflow(text):
    assert json.loads(json.dumps(outcome(text, tf, tf.constant))) == expected(text)


@pytest.mark.parametrize("text", PROGRAMS)
def test_as_in_tensorflow_for_remote_values(text):
    def on_server(value, dtype=None):
        return remote(value, dtype)

    assert json.loads(json.dumps(outcome(text, tf, on_server))) == expected(text)


# --- the file --------------------------------------------------------------------------------------------------------


def test_the_documents_program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logdir = "./tb/"
    writer = tf.summary.create_file_writer(logdir)
    steps = 1000
    with writer.as_default():
        for i in range(steps):
            step = i + 1
            loss = 1 - 0.001 * step
            if step % 100 == 0:
                tf.summary.scalar("loss", loss, step=step)
    writer.flush()
    (path,) = Path("tb").iterdir()
    assert re.fullmatch(r"events\.out\.tfevents\.\d{10}\..+\.\d+\.\d+\.v2", path.name)
    assert scalars("tb") == {"loss": [(s, float(np.float32(1 - 0.001 * s))) for s in range(100, 1001, 100)]}
    writer.close()


def test_a_file_starts_with_its_version_when_the_writer_is_made(tmp_path):
    writer = tf.summary.create_file_writer(tmp_path / "a" / "b", filename_suffix=".x", max_queue=1, flush_millis=10)
    (path,) = (tmp_path / "a" / "b").iterdir()
    (first,) = events_in(path)
    assert first.file_version == "brain.Event:2" and path.name.endswith(".x")
    other = tf.summary.create_file_writer(str(tmp_path / "a" / "b"))
    assert len(list((tmp_path / "a" / "b").iterdir())) == 2
    writer.close()
    other.close()


def test_directories_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(tf.errors.FailedPreconditionError):
        tf.summary.create_file_writer(tmp_path / "file")
    with pytest.raises(tf.errors.FailedPreconditionError):
        tf.summary.create_file_writer(tmp_path / "file" / "below")
    with pytest.raises(ValueError, match="`logdir` cannot be None"):
        tf.summary.create_file_writer(None)
    for wrong in ({"logdir": 3}, {"max_queue": "x"}, {"flush_millis": 1.5}, {"filename_suffix": 3}):
        with pytest.raises(TypeError):
            tf.summary.create_file_writer(**{"logdir": tmp_path, **wrong})


def test_tensorboard_itself_shows_the_scalars(writer, logs):
    for step in range(5):
        tf.summary.scalar("loss/train", remote(0.5 * step), step=step)
    writer.flush()
    options = ["--logdir", str(logs), "--host", "127.0.0.1", "--port", "0", "--load_fast", "false"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = iter(process.stderr.readline, "")
        url = next(found[0] for found in (re.findall(r"http://127\.0\.0\.1:\d+/", line) for line in lines) if found)

        def asked():
            answer = httpx.get(url + "data/plugin/scalars/scalars", params={"tag": "loss/train", "run": "."})
            return answer.json() if answer.status_code == 200 else None  # 404 until it has read the file

        assert [(step, value) for _, step, value in wait_until(asked)] == [(s, 0.5 * s) for s in range(5)]
    finally:
        process.terminate()
        process.communicate(timeout=20)


# --- nothing waits ---------------------------------------------------------------------------------------------------


def test_a_summary_of_each_step_adds_no_wait(writer, logs):
    v = tf.Variable(1.0)
    with waits(0):
        for step in range(500):
            v.assign_add(2.0)
            assert tf.summary.scalar("v", v, step=step)
            tf.summary.scalar("half", v * 0.5, step=step)
    tf.sync()
    with waits(0):  # all has arrived
        writer.flush()
    assert scalars(logs) == {
        "v": [(s, 3.0 + 2 * s) for s in range(500)],
        "half": [(s, 1.5 + s) for s in range(500)],
    }


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="the server cannot be held up")
def test_a_flush_is_a_wait_for_what_has_not_arrived(writer):
    x = remote(1.0)
    tf.sync()
    session, server = context.session(), context._server
    assert server is not None
    before = session.waits

    def resume():
        wait_until(lambda: session.waits == before + 1)
        os.kill(server.pid, signal.SIGCONT)

    thread = threading.Thread(target=resume)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        tf.summary.scalar("x", x, step=0)
        thread.start()
        tf.summary.flush()
        thread.join()
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert session.waits == before + 1


def test_summaries_of_all_kinds_wait_for_nothing(writer, logs):
    pictures = remote(np.random.rand(4, 700, 700, 3))
    with waits(0):
        tf.summary.histogram("h", remote(np.zeros(3)), step=remote(1, tf.int64), buckets=remote(4))
        tf.summary.image("i", pictures, step=1, max_outputs=remote(2))
        tf.summary.audio("a", remote(np.zeros([1, 9, 1], np.float32)), remote(8000), step=1)
        tf.summary.text("t", "x", step=1)
        tf.summary.write("w", remote(np.arange(300_000.0)), step=1)  # over the limit of what travels in the stream
        tf.summary.scalar("unknown", tf.boolean_mask(remote([1.0, 2.0]), remote([False, True]))[0], step=1)
        tf.summary.histogram("unknown/h", tf.boolean_mask(remote([1.0]), remote([False])), step=1, buckets=2)
    writer.flush()
    found = read(logs)
    assert found["h"][0][1].tolist() == [[0, 0, 0]] * 3 + [[0, 0, 3]]
    assert len(found["i"][0][1]) == 2 + 2 and found["i"][0][1][0] == b"700"
    np.testing.assert_array_equal(found["w"][0][1], np.arange(300_000.0))
    assert found["unknown"][0][1] == 2.0 and found["unknown/h"][0][1].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert set(found) == {"h", "i", "a", "t", "w", "unknown", "unknown/h"}


def test_only_what_is_shown_travels(writer):
    large, pictures = tf.random.normal([1000, 2000]), tf.random.uniform([50, 100, 100, 3], dtype=tf.float64)
    tf.sync()
    before = tf.stats()["bytes_received"]
    tf.summary.histogram("h", large, step=0)
    tf.summary.image("i", pictures, step=0, max_outputs=2)
    writer.flush()
    assert tf.stats()["bytes_received"] - before < 2 * 30_000 + 10_000  # of 8 MB and 12 MB


def test_what_is_here_is_not_sent(writer):
    tf.sync()
    before = tf.stats()["bytes_sent"]
    tf.summary.image("i", np.zeros([1, 100, 100, 3]), step=0)
    tf.summary.histogram("h", np.zeros([100, 100]), step=0)
    writer.flush()
    assert tf.stats()["bytes_sent"] - before < 1000


def test_arrays_are_taken_as_they_are_at_the_call(writer, logs):
    slow = remote(np.ones([300, 300], np.float32))
    for _ in range(20):
        slow = slow @ slow / 300.0
    tf.summary.scalar("slow", slow[0, 0], step=0)
    number, vector, picture = np.array(1.0, np.float32), np.ones(3), np.full([1, 1, 1, 1], 255, np.uint8)
    tf.summary.scalar("number", number, step=0)
    tf.summary.write("vector", vector, step=0)
    tf.summary.image("picture", picture, step=0)
    number[...], vector[:], picture[:] = 9, 9, 9
    writer.flush()
    found = read(logs)
    assert found["number"][0][1] == 1 and found["vector"][0][1].tolist() == [1, 1, 1]
    assert np.asarray(Image.open(io.BytesIO(found["picture"][0][1][2]))).tolist() == [[255]]


def test_tapes_do_not_see_summaries(writer):
    v = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = v * v
        tf.summary.scalar("y", y, step=0)
        tf.summary.histogram("v", v, step=0)
        tf.summary.image("i", tf.reshape(y, [1, 1, 1, 1]), step=0)
    assert float(tape.gradient(y, v)) == 6.0


# --- order -----------------------------------------------------------------------------------------------------------


def test_the_order_of_the_file_is_that_of_the_calls(writer, logs):
    slow = remote(np.ones([300, 300], np.float32))
    wanted = []
    for step in range(30):
        slow = slow @ slow / 300.0
        tf.summary.scalar("slow", slow[0, 0], step=step)
        tf.summary.scalar("known", 1.0, step=step)
        tf.summary.histogram("counted", slow, step=step)
        wanted += [("slow", step), ("known", step), ("counted", step)]
    writer.flush()
    assert in_order(logs) == wanted


def test_threads_have_their_own_defaults_and_share_writers(writer, logs):
    tf.summary.experimental.set_step(7)
    seen = {}

    def work(name):
        seen[name] = bool(tf.summary.should_record_summaries()), tf.summary.experimental.get_step()
        with writer.as_default():
            for step in range(100):
                tf.summary.scalar(name, remote(float(step)), step=step)

    threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen.values()) == {(False, None)}
    assert tf.summary.experimental.get_step() == 7
    tf.summary.experimental.set_step(None)
    writer.flush()
    assert scalars(logs) == {f"t{i}": [(s, float(s)) for s in range(100)] for i in range(4)}


def test_a_full_queue_holds_back_and_loses_nothing(writer, logs, monkeypatch):
    monkeypatch.setattr("client.summary.log._MOST", 3)
    for step in range(50):
        tf.summary.scalar("x", remote(float(step)), step=step)
    monkeypatch.setattr("client.summary.log._MOST_BYTES", 10)
    for step in range(50, 60):
        tf.summary.write("x", np.full([100], step, np.float32)[0], step=step)
    writer.flush()
    assert scalars(logs)["x"] == [(s, float(s)) for s in range(60)]
