"""What holds for a thread's summaries: default writers and steps, conditions, tags."""

import threading

import pytest

import client as tf
from tests.client.event_files import default_writer, read, scalars
from tests.client.waiting import waits

Invalid = tf.errors.InvalidArgumentError


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def writer(logs):
    yield from default_writer(logs)


# --- defaults --------------------------------------------------------------------------------------------------------


def test_without_a_writer_nothing_is_recorded():
    assert not tf.summary.scalar("x", 1.0, step=1) and not tf.summary.scalar("x", 1.0)
    assert not tf.summary.histogram("x", "not looked at", step=1)
    with pytest.raises(TypeError, match=r"Cannot convert 1\.5"):
        tf.summary.scalar("x", 1.0, step=1.5)
    tf.summary.flush()
    with pytest.raises(ValueError, match="Invalid argument to flush"):
        tf.summary.flush(3)


def test_nested_writers_and_steps(tmp_path):
    a, b = (tf.summary.create_file_writer(tmp_path / name) for name in "ab")
    with a.as_default(step=10) as given:
        assert given is a
        tf.summary.scalar("x", 1.0)
        with b.as_default():
            tf.summary.scalar("x", 2.0)
        with pytest.raises(KeyError), b.as_default(step=20):
            tf.summary.scalar("x", 3.0)
            raise KeyError
        tf.summary.scalar("x", 4.0)
        tf.summary.scalar("x", 5.0, step=11)
        with tf.summary.create_noop_writer().as_default(step=30):
            tf.summary.scalar("x", 6.0)
    assert tf.summary.experimental.get_step() is None and not tf.summary.scalar("x", 7.0, step=1)
    a.close()
    b.close()
    assert scalars(tmp_path / "a") == {"x": [(10, 1), (10, 4), (11, 5), (10, 6)]}
    assert scalars(tmp_path / "b") == {"x": [(10, 2), (20, 3)]}


def test_set_as_default(tmp_path):
    writer = tf.summary.create_file_writer(tmp_path)

    def work():
        writer.set_as_default(step=4)
        tf.summary.scalar("x", 1.0)
        tf.summary.experimental.set_step(5)
        tf.summary.scalar("x", 2.0)
        tf.summary.flush()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert scalars(tmp_path) == {"x": [(4, 1), (5, 2)]}
    writer.close()


def test_a_variable_counts_at_the_moment_of_the_summary(writer, logs):
    step = tf.Variable(0, dtype=tf.int64)
    tf.summary.experimental.set_step(step)
    with waits(0):
        for i in range(20):
            tf.summary.scalar("x", float(i))
            step.assign_add(3)
    tf.summary.experimental.set_step(None)
    writer.flush()
    assert scalars(logs) == {"x": [(3 * i, float(i)) for i in range(20)]}


def test_a_missing_step(writer):
    with pytest.raises(ValueError, match=r"No step set\. Please specify one either"):
        tf.summary.scalar("x", 1.0)
    with pytest.raises(ValueError, match="No step set"):
        tf.summary.write("x", lambda: 1 / 0)
    with tf.summary.record_if(False):
        assert not tf.summary.scalar("x", 1.0)


def test_record_if(writer, logs):
    with waits(0):
        for step in range(10):
            with tf.summary.record_if(step % 2 == 0):
                assert bool(tf.summary.scalar("python", 1.0, step=step)) is (step % 2 == 0)
            with tf.summary.record_if(tf.constant(step % 3 == 0)):
                tf.summary.scalar("tensor", 1.0, step=step)
                with tf.summary.record_if(None):
                    tf.summary.scalar("always", 1.0, step=step)
            with tf.summary.record_if(lambda step=step: step > 7):
                tf.summary.scalar("function", 1.0, step=step)
                assert bool(tf.summary.should_record_summaries()) is (step > 7)
                tf.summary.write("lazy", lambda step=step: 1.0 / (step > 7), step=step)
    writer.flush()
    assert {tag: [s for s, _ in found] for tag, found in read(logs).items()} == {
        "python": [0, 2, 4, 6, 8],
        "tensor": [0, 3, 6, 9],
        "always": list(range(10)),
        "function": [8, 9],
        "lazy": [8, 9],
    }


def test_a_condition_that_only_the_server_knows(writer, logs):
    step = tf.Variable(0, dtype=tf.int64)
    answers = []
    with waits(0), tf.summary.record_if(lambda: tf.equal(step % 4, 0)):
        for _ in range(12):
            answers.append(tf.summary.scalar("x", 1.0, step=step))
            step.assign_add(1)
    assert [bool(a) for a in answers] == [i % 4 == 0 for i in range(12)]
    writer.flush()
    assert [s for s, _ in read(logs)["x"]] == [0, 4, 8]


@pytest.mark.parametrize(("condition", "error"), [(1, TypeError), ("x", TypeError)])
def test_conditions_that_are_none(writer, condition, error):
    with tf.summary.record_if(condition), pytest.raises(error):
        tf.summary.scalar("x", 1.0, step=1)
    with tf.summary.record_if(tf.constant(1)), pytest.raises(Invalid):
        tf.summary.should_record_summaries()


# --- tags ------------------------------------------------------------------------------------------------------------


def test_tags_follow_name_scopes(writer, logs):
    with tf.name_scope("a"), tf.name_scope("b"):
        tf.summary.scalar("x y", 1.0, step=1)
        with tf.summary.experimental.summary_scope("x y", "d") as found:
            assert found == ("a/b/x y", "a/b/xy/")
            tf.summary.scalar("deep", 1.0, step=1)
        with tf.summary.experimental.summary_scope("é", "d") as found:
            assert found == ("a/b/é", "a/b/d/")
        with tf.summary.experimental.summary_scope(None) as found:
            assert found == ("a/b/summary", "a/b/summary/")
        with tf.summary.experimental.summary_scope("", "d") as found:
            assert found == ("a/b/d", "a/b/d/")
    assert tf.get_current_name_scope() == ""
    writer.flush()
    assert set(read(logs)) == {"a/b/x y", "a/b/xy/deep"}


def test_tags_within_layers(writer, logs):
    class Inner(tf.keras.layers.Layer):
        def call(self, x):
            with tf.name_scope("own"):
                tf.summary.scalar("sum", tf.reduce_sum(x), step=1)
            return x

    inner = Inner(name="inner")
    model = tf.keras.Sequential([tf.keras.layers.Rescaling(2.0), inner], name="outer")
    with waits(0):
        model(tf.constant([[1.0, 2.0]]))
    writer.flush()
    assert scalars(logs) == {"outer/inner/own/sum": [(1, 6.0)]}  # and none where shapes were tried out
