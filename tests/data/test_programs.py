"""Elements, specs, sizes and errors are those that TensorFlow gave for the same programs."""

import json
from pathlib import Path

import pytest

import client as tf
from tests.data.programs import PROGRAMS, VALUES, outcome

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())["programs"]

DIFFERENT = {
    "D.from_tensors(())": "the text is an op's registration",
    "D.range(3).flat_map(lambda x: x)": "TensorFlow fails in making its error",
    "D.range(3).interleave(lambda x: x, cycle_length=2)": "TensorFlow fails in making its error",
    "D.range(5).reduce(0, lambda s, x: (s, s))": "a TypeError, as for other changes of the state",
    "D.from_generator(pairs, (tf.int32, tf.float32, tf.int32))": "specs in the text, as for a single component",
    "D.from_generator(pairs, output_signature=tf.int32)": "the text names a class",
    "list(D.range(4).window(2).as_numpy_iterator())": "the text names a class",
    "list(D.from_generator(failing, tf.int32))": "the generator's own error, not one that quotes it",
    "tf.data.Dataset()": "the text names methods of a class",
}
"""Programs whose errors differ."""


@pytest.mark.parametrize("text", [*PROGRAMS, *VALUES])
def test_as_in_tensorflow(text):
    got = json.loads(json.dumps(outcome(text, tf)))
    expected = RECORDED[text]
    if "error" not in expected:
        assert got == expected
    elif text in DIFFERENT:
        assert "error" in got
    else:
        assert got["error"] == expected["error"]
        assert got["text"] in expected["text"]  # TensorFlow names ops and nodes around it


def test_every_difference_is_one():
    for text in DIFFERENT:
        got = outcome(text, tf)
        assert got["error"] != RECORDED[text]["error"] or got["text"] not in RECORDED[text]["text"]


def test_strings_are_refused():
    with pytest.raises(TypeError, match="string tensors are not supported"):
        tf.data.Dataset.from_tensor_slices(["a", "b"])
    with pytest.raises(NotImplementedError, match="file"):
        tf.data.Dataset.range(3).cache("/tmp/x")


def test_sources_are_copied():
    import numpy as np

    array = np.arange(4)
    slices, whole = tf.data.Dataset.from_tensor_slices(array), tf.data.Dataset.from_tensors(array)
    array[:] = -1
    assert [int(x) for x in slices] == [0, 1, 2, 3]
    assert next(iter(whole)).numpy().tolist() == [0, 1, 2, 3]
    assert array.flags.writeable

    class Holder:
        def __array__(self, dtype=None, copy=None):
            return array

    dataset = tf.data.Dataset.from_tensor_slices(Holder())
    array[:] = 7
    assert [int(x) for x in dataset] == [-1] * 4


def test_yielded_arrays_are_copied():
    import numpy as np

    def reused():
        buffer = np.zeros(2, np.int32)
        for i in range(3):
            buffer[:] = i
            yield buffer

    dataset = tf.data.Dataset.from_generator(reused, output_signature=tf.TensorSpec([2], tf.int32))
    assert next(iter(dataset.batch(3))).numpy().tolist() == [[0, 0], [1, 1], [2, 2]]


def test_an_element_in_a_function_has_its_shape_and_names():
    seen = []
    dataset = tf.data.Dataset.from_tensor_slices({"x": [[1.0, 2.0]], "y": [3]}).batch(1)
    for _ in dataset.map(lambda d: seen.append((d["x"].shape, d["y"].dtype)) or d["y"]):
        pass
    assert seen == [((1, 2), tf.int32)]


def test_specs_of_functions_that_use_other_tensors_or_read():
    weights = tf.Variable(tf.ones([2, 3]))
    dataset = tf.data.Dataset.from_tensor_slices([[1.0, 2.0]] * 5).batch(4)
    spec = dataset.map(lambda x: tf.matmul(x, weights)).element_spec
    assert spec == tf.TensorSpec([None, 3], tf.float32)
    assert dataset.map(lambda x: x if float(x[0, 0]) > 0 else -x).element_spec == tf.TensorSpec([None, 2])
    nothing = tf.data.Dataset.range(0).map(lambda x: tf.range(int(x)))
    with pytest.raises(ValueError, match="empty dataset"):
        _ = nothing.element_spec
    assert repr(nothing) == "<_MapDataset element_spec=...>"


def test_a_spec_sends_nothing_to_the_server():
    dataset = tf.data.Dataset.from_tensor_slices([[1.0, 2.0]] * 5).batch(4).map(lambda x: tf.nn.relu(x) / tf.norm(x))
    tf.sync()
    before = tf.stats()["ops"]
    assert dataset.element_spec == tf.TensorSpec([None, 2])
    assert tf.stats()["ops"] == before


def test_options_are_kept():
    options = tf.data.Options()
    options.threading.private_threadpool_size = 2
    options.autotune.enabled = True
    dataset = tf.data.Dataset.range(4).with_options(options).batch(2)
    assert dataset.options().threading.private_threadpool_size == 2
    assert dataset.options() == options
