"""Summaries whose events TensorFlow's are recorded of, and how one is written and read back.

`c` makes a tensor, `s` is `tf.summary`. Not a test: `tests/peers/record_summaries.py` runs it under TensorFlow.
"""

import io
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

_NUMBERS = ("c(1)", "c(True)", "c(1.5)", "1.5", "True", "-3", "c(1+2j)", "c(1e300, tf.float64)", "c(-0.0)",
            "c(float('nan'))", "c(float('-inf'))", "c(2**53 + 1, tf.int64)", "c(1.1, tf.float64)",
            "c(2.5, tf.bfloat16)", "c(2**64 - 1, tf.uint64)", "np.float64(0.1)", "np.array(7)", "tf.Variable(7)",
            "tf.Variable(0.5)")  # fmt: skip
_DATA = ("rng.randn(1000).astype('f')", "rng.randn(10, 10)", "np.arange(100)", "np.array([-128, 127], np.int8)",
         "np.array([True, False, True])", "np.full([5], 2.5, 'f')", "np.float32(3)", "np.zeros([0], 'f')",
         "np.zeros([3, 0], 'f')", "[1.0, 2.0]", "np.array([1, np.nan, 3], 'f')", "np.array([1, np.inf, 3], 'f')",
         "np.array([-np.inf, 1, np.inf])", "np.array([np.inf, np.inf])", "np.array([1e308, -1e308, 0])",
         "np.array([1+2j, 3-1j])", "np.array([2**64-1, 0, 5], np.uint64)", "np.arange(10).astype(np.float16)",
         "(np.arange(60) // 2 / 10).astype('f')", "[0.1, 0.2, 0.3, 0.7, 0.9, 1.0]")  # fmt: skip
_PICTURES = ("rng.randint(0, 256, (2, 3, 4, 3)).astype(np.uint8)", "rng.rand(5, 3, 4, 1).astype('f')",
             "rng.rand(1, 3, 4, 4) * 3 - 1", "rng.rand(1, 3, 4, 2).astype(np.float16)",
             "np.arange(-128, 128, 5).astype(np.int8).reshape(1, 4, 13, 1)",
             "np.linspace(-32768, 32767, 35).astype(np.int16).reshape(1, 5, 7, 1)",
             "np.array([[[[0], [2**31 - 1], [-2**31]], [[2**24], [2**24 - 1], [-1]]]], np.int32)",
             "np.linspace(0, 65535, 35).astype(np.uint16).reshape(1, 5, 7, 1)",
             "np.array([[[[2**63 - 1], [-2**63]], [[0], [2**56]]]], np.int64)", "np.zeros([0, 3, 4, 3], np.uint8)",
             "np.array([[[[0, 1, 0.5], [254.4/255, 254.6/255, 1.5], [-1, 1/255.5, 0.9999/255.5]]]], 'f')",
             "np.array([[[[np.nan], [np.inf], [-np.inf], [1]]]], 'f')", "[[[[1.0], [0.5]]], [[[0.0], [2.0]]]]",
             "np.zeros([1, 4, 4, 5], np.uint8)", "np.zeros([1, 4, 4, 0], np.uint8)", "np.zeros([4, 4, 3])",
             "np.ones([1, 2, 2, 1], bool)", "np.ones([1, 2, 2, 1], np.complex64)")  # fmt: skip
_SOUNDS = ("(rng.rand(2, 5, 1) * 2 - 1).astype('f')", "(rng.rand(4, 5, 2) * 3 - 1.5).astype('f')",
           "np.zeros([0, 5, 1], 'f')", "np.zeros([1, 0, 1], 'f')", "np.zeros([1, 5, 0], 'f')", "np.zeros([1, 5, 1])",
           "np.zeros([1, 5, 1], np.int16)", "np.zeros([5, 1], 'f')",
           "(np.arange(-9, 10) / 65536).astype('f').reshape(1, 19, 1)",
           "np.array([[[np.nan], [np.inf], [-np.inf], [1], [-1]]], 'f')")  # fmt: skip
_STEPS = ("3", "-1", "True", "2**40", "2**70", "1.5", "'x'", "np.int32(3)", "np.float32(3)", "np.array([3])", "[3]",
          "[3, 4]", "tf.constant(3)", "c(3, tf.int64)", "tf.constant([3], tf.int64)", "tf.Variable(3)",
          "tf.Variable(3, dtype=tf.int64)", "tf.constant(3.0)")  # fmt: skip
_TEXTS = ("'h\\u00e9'", "b'a\\xff\\x00'", "['a', 'b']", "[['a', 'b'], ['c', 'd']]", "''", "np.array(['x', 'yz'])",
          "np.array([b'x', b'yz'])", "np.array(['x', b'y'], object)", "np.array('q')", "1", "[1.5]", "[]",
          "[['a'], ['b', 'c']]", "tf.constant(1.0)")  # fmt: skip

PROGRAMS = [
    *(f"s.scalar('n', {v}, step=1)" for v in _NUMBERS),
    *(f"s.scalar('n', {v}, step=1)" for v in ("[1.0]", "c([1.0])", "np.ones([1, 1])", "None", "2**70")),
    "s.scalar('n', 1.0, step=1, description='a *b*')",
    "s.scalar('n', 1.0, step=1, description=3)",
    "s.scalar('n', 1.0)",
    *(f"s.scalar('n', 1.0, step={v})" for v in _STEPS),
    *(f"s.scalar({n}, 1.0, step=1)" for n in ("''", "None", "'a b'", "'/a/b'", "'\\u00e9'", "'a:0'", "3", "b'x'")),
    *(f"s.histogram('h', c({v}), step=2)" for v in _DATA),
    *(f"s.histogram('h', c({v}), step=2, buckets={b})" for v in _DATA[:1] + _DATA[5:11] for b in (1, 3, 0, -3)),
    *(f"s.histogram('h', {v}, step=2, buckets=4)" for v in (_DATA[0], _DATA[9], "tf.Variable([1.0, 2.0])")),
    *(f"s.histogram('h', c([1.0, 2.0]), step=2, buckets={b})" for b in ("1.5", "True", "[3]", "'x'", "c(3)")),
    "s.histogram('h', None, step=2)",
    "s.histogram('h', [1.0], step=2, buckets=2, description='d')",
    *(f"s.image('i', c({v}), step=3)" for v in _PICTURES),
    *(f"s.image('i', {v}, step=3)" for v in _PICTURES[:4] + _PICTURES[10:12]),
    *(f"s.image('i', c({_PICTURES[1]}), step=3, max_outputs={m})" for m in ("0", "1", "10", "c(2)", "-1", "2.5")),
    "s.image('i', c(np.zeros([1, 1, 1, 1])), step=3, description='d')",
    *(f"s.audio('a', c({v}), 8000, step=4)" for v in _SOUNDS),
    *(f"s.audio('a', {_SOUNDS[0]}, {r}, step=4)" for r in ("44100", "c(3)", "0", "-1", "2**31", "2.5", "None")),
    "s.audio('a', c(np.zeros([2, 2, 1], 'f')), 8000, step=4, max_outputs=1, encoding='wav', description='d')",
    "s.audio('a', c(np.zeros([2, 2, 1], 'f')), 8000, step=4, max_outputs=-1)",
    "s.audio('a', c(np.zeros([2, 2, 1], 'f')), 8000, step=4, encoding='mp3')",
    *(f"s.text('t', {v}, step=5)" for v in _TEXTS),
    *(f"s.write('w', {v}, step=6)" for v in ("c([1, 2], tf.int16)", "'text'", "lambda: c(3.0)", "np.ones([2, 2])",
                                            "c(1.0, tf.bfloat16)", "c([1.0, 2.0], tf.float16)", "[True, False]",
                                            "c([1+2j], tf.complex64)", "c(np.zeros([0, 3]))", "None")),
    "s.write('w', 1.0, step=6, metadata=b'')",
    "s.write('w', 1.0, step=6, metadata=3)",
    "s.write(3, 1.0, step=6)",
    "s.experimental.write_raw_pb(b'\\n\\x08\\n\\x01r\\x15\\x00\\x00\\xc0?', step=7)",
    "s.experimental.write_raw_pb([b'\\n\\x08\\n\\x01r\\x15\\x00\\x00\\xc0?'] * 2, step=7)",
    "s.experimental.write_raw_pb(b'garbage', step=7)",
    "s.experimental.write_raw_pb(b'')",
]  # fmt: skip


def outcome(text: str, tf: Any, make: Callable[..., Any]) -> Any:
    """What a call returns, and the events that it wrote; or the name of its error's class."""
    scope = {"tf": tf, "s": tf.summary, "np": np, "c": make, "rng": np.random.RandomState(0)}
    with tempfile.TemporaryDirectory() as folder:
        writer = tf.summary.create_file_writer(folder)
        try:
            with writer.as_default():
                returned = bool(eval(text, scope))
        except Exception as error:
            return {"error": type(error).__name__}
        finally:
            writer.close()
        (path,) = Path(folder).iterdir()
        return {"returned": returned, "events": [_written(e) for e in events_in(path) if e.HasField("summary")]}


def events_in(path: Path) -> Iterator[Any]:
    """The Event messages in a file, without any of TensorBoard's migrations."""
    from tensorboard.compat.proto.event_pb2 import Event

    data, at = path.read_bytes(), 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        yield Event.FromString(data[at + 12 : at + 12 + size])
        at += 16 + size


def _written(event: Any) -> Any:
    values = []
    for v in event.summary.value:
        shape = [d.size for d in v.tensor.tensor_shape.dim]
        content = [_readable(s) for s in v.tensor.string_val] or v.tensor.tensor_content.hex()
        values.append([v.tag, v.metadata.SerializeToString().hex(), v.tensor.dtype, shape, content, v.simple_value])
    return [event.step, values]


def _readable(content: bytes) -> Any:
    """A picture's pixels, which its bytes stand for in more than one way; anything else in hexadecimal."""
    from PIL import Image

    if not content.startswith(b"\x89PNG"):
        return content.hex()
    picture = Image.open(io.BytesIO(content))
    return [picture.mode, np.asarray(picture).tolist()]
