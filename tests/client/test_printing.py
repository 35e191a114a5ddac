"""`tf.print` writes what TensorFlow wrote for the same calls, after one wait at most."""

import io
import json
import logging
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

import client as tf
from tests.client.printed import PROGRAMS, outcome
from tests.client.waiting import remote, waits
from tests.support import run_program

RECORDED = json.loads((Path(__file__).parent / "printed.json").read_text())["printed"]

CLASSES = {
    "p(c(1), foo=1)": ("ValueError", "TypeError"),  # as Python has it for an unknown keyword
    "p(c(1), sep=None)": ("AttributeError", "TypeError"),
}
"""Errors whose class differs: TensorFlow's and ours."""


def expected(text):
    found = RECORDED[text]
    if text in CLASSES:
        theirs, ours = CLASSES[text]
        assert found == {"error": theirs}
        return {"error": ours}
    return found


def on_server(value, dtype=None):
    """A tensor whose value only the server knows."""
    return remote(value, dtype)


@pytest.mark.parametrize("text", PROGRAMS)
def test_as_in_tensorflow(text, tmp_path):
    assert outcome(text, tf, tf.constant, tmp_path) == expected(text)


@pytest.mark.parametrize("text", PROGRAMS)
def test_as_in_tensorflow_for_values_that_have_to_be_fetched(text, tmp_path):
    assert outcome(text, tf, on_server, tmp_path) == expected(text)


def printed(capsys, *inputs, **options):
    assert tf.print(*inputs, output_stream=sys.stdout, **options) is None
    return capsys.readouterr().out


def test_one_wait_for_all_and_none_for_what_is_known(capsys):
    a, v = remote([1.0, 2.0]), tf.Variable([[3]])
    with waits(1):
        assert printed(capsys, "a", {"x": a, "y": [v, tf.constant(1)]}, a + 1.0) == (
            "a {'x': [1 2], 'y': [[[3]], 1]} [2 3]\n"
        )
    with waits(0):
        assert printed(capsys, tf.constant([1, 2]), tf.shape(tf.zeros([3, 4])), "x") == "[1 2] [3 4] x\n"
    with waits(0):
        assert printed(capsys, "nothing to fetch", 3) == "nothing to fetch 3\n"


def test_only_the_edges_travel(capsys):
    x = tf.reshape(tf.range(4_000_000), [2000, 2000])
    tf.sync()
    before = tf.stats()["bytes_received"]
    with waits(1):
        assert printed(capsys, x, summarize=1) == "[[0 ... 1999]\n ...\n [3998000 ... 3999999]]\n"
    assert tf.stats()["bytes_received"] - before < 1000


def test_a_large_value_is_printed_whole_where_that_is_asked_for(capsys):
    count = 400_000  # over what travels inline
    with waits(1):
        found = printed(capsys, tf.range(count), summarize=-1)
    assert found == "[" + " ".join(map(str, range(count))) + "]\n"
    with waits(1):
        found = printed(capsys, tf.range(count), summarize=180_000)
    ends = [*map(str, range(180_000)), "...", *map(str, range(count - 180_000, count))]
    assert found == "[" + " ".join(ends) + "]\n"


def test_edges_of_many_axes(capsys):
    zeros = tf.zeros([7] * 7, tf.float64)  # 6**7 of them, 2 MB, are more than travel inline
    with waits(2):
        assert printed(capsys, zeros).count("0") == 6**7
        assert str(zeros).split(", shape")[0].count("0") == 6**7


def test_a_shape_that_only_the_server_knows(capsys):
    x = tf.boolean_mask(tf.range(100), remote([True, False] * 50))
    with waits(1):
        assert printed(capsys, x) == "[0 2 4 ... 94 96 98]\n"
    with waits(0):
        assert x.shape == (50,)
    v = tf.Variable([1, 2], shape=[None])
    v.assign([1, 2, 3])
    assert printed(capsys, v) == "[1 2 3]\n"


def test_what_tensorflow_cannot_write_is_written(capsys):
    assert printed(capsys, tf.constant([1 + 2j, -0.5j]), tf.constant(3 - 1j)) == "[1+2j -0-0.5j] 3-1j\n"
    # TensorFlow writes 0 for numbers below the smallest normal one.
    assert printed(capsys, tf.constant([1e-45]), tf.constant(5e-324, tf.float64)) == (
        "[1.4013e-45] 4.94065645841247e-324\n"
    )
    assert float("1.4013e-45") == pytest.approx(float(np.float32(1e-45))) and float("4.94065645841247e-324") == 5e-324


def test_each_value_stands_at_its_key(capsys):
    # TensorFlow gives an OrderedDict's values in the order of the keys, to keys in the order of insertion.
    assert printed(capsys, OrderedDict(b=tf.constant(1), a=tf.constant(2))) == "OrderedDict([('b', 1), ('a', 2)])\n"


def test_text_that_looks_like_a_place_for_a_tensor_is_text(capsys):
    text = "\ue000\ue001\ue001\ue001"
    assert printed(capsys, text, [text, tf.constant(5)]) == f"{text} ['\\ue000\\ue001\\ue001\\ue001', 5]\n"


def test_many_tensors(capsys):
    count = 5000  # more than one private character counts
    values = tf.unstack(tf.range(count))
    with waits(1):
        assert printed(capsys, values) == "[" + ",\n ".join(map(str, range(count))) + "]\n"


def test_stderr_is_the_default_and_the_one_of_now(capsys, monkeypatch):
    tf.print("first")
    assert capsys.readouterr() == ("", "first\n")
    other = io.StringIO()
    monkeypatch.setattr(sys, "stderr", other)
    tf.print("second", end="")
    tf.print("third", output_stream=sys.stderr)
    assert other.getvalue() == "secondthird\n"


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING, logging.ERROR])
def test_to_the_log(level, caplog):
    with caplog.at_level(logging.INFO, logger="telegrad"):
        tf.print("x", tf.constant([1, 2]), output_stream=level)
    assert caplog.record_tuples == [("telegrad", level, "x [1 2]")]


def test_a_program_without_a_log_sees_it_on_stderr():
    done = run_program("import logging, client as tf\ntf.print('x', output_stream=logging.INFO)")
    assert (done.stdout, done.stderr) == ("", "INFO: x\n")


def test_a_file_grows(tmp_path):
    stream = f"file://{tmp_path / 'log.txt'}"
    tf.print("a", output_stream=stream)
    tf.print(tf.constant(1), output_stream=stream, end=";")
    assert (tmp_path / "log.txt").read_text() == "a\n1;"
    with pytest.raises(tf.errors.NotFoundError, match=r"no/such; No such file or directory"):
        tf.print("a", output_stream=f"file://{tmp_path}/no/such")


def test_what_is_printed_is_there_before_the_program_goes_on():
    source = "import sys, os, client as tf\ntf.print('x', output_stream=sys.stdout)\nos._exit(0)"
    done = run_program(source)
    assert done.stdout == "x\n"


def test_an_error_is_raised_as_by_any_read(capsys):
    bad = tf.linalg.inv(tf.zeros([8, 8]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible"):
        printed(capsys, "x", bad)
    assert capsys.readouterr().out == ""


def test_printing_in_a_layer_prints_when_it_is_called_on_values(capsys):
    class Loud(tf.keras.layers.Layer):
        def call(self, inputs):
            tf.print("in", inputs, output_stream=sys.stdout)
            return inputs

    inputs = tf.keras.Input([2])
    model = tf.keras.Model(inputs, Loud()(inputs))
    assert capsys.readouterr().out == ""
    model(tf.constant([[1.0, 2.0]]))
    assert capsys.readouterr().out == "in [[1 2]]\n"


def test_printing_in_a_map_prints_each_element_once(capsys):
    def loud(x):
        tf.print("x", x, output_stream=sys.stdout)
        return x + 1

    assert [int(x) for x in tf.data.Dataset.range(3).map(loud)] == [1, 2, 3]
    assert capsys.readouterr().out == "x 0\nx 1\nx 2\n"


def test_printing_is_not_recorded(capsys):
    x = remote([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        printed(capsys, y)
    assert tape.gradient(y, x).numpy().tolist() == [2.0, 4.0]
