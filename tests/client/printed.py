"""Calls of `tf.print` that TensorFlow's texts are recorded for, and how one is made.

`c` makes a tensor, `p` prints. Not a test: `tests/peers/record_printing.py` runs it under TensorFlow.
"""

import collections
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Point = collections.namedtuple("Point", "x y")

_FLOATS = (
    "[0.1, 1/3, -2.5, 1e5, 1e6, 123456.7, 1234567.8, 16777217, 1e10, 1e-4, 1e-5, 6.1e4, 0.0, -0.0, "
    "float('nan'), -float('nan'), float('inf'), -float('inf')]"
)
_LARGE = "[123456789.0, 1e15, 1e16, 1e17, 3.4e38, -1.2e-38, 2.0**-126, 0.30000000000000004, 2**53 + 1.0]"
_INTS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_SHAPES = ("[]", "[1]", "[6]", "[7]", "[10]", "[2,3]", "[7,2]", "[2,7]", "[10,10]", "[2,2,2]", "[7,1,8]", "[2,1,2,2]",
           "[8,2,7,1]", "[1,1,1,1,1]", "[0]", "[5,0]", "[0,5]", "[2,0,3]", "[7,0,9]", "[3,3,0]")  # fmt: skip

PROGRAMS = [
    *(f"p(c({_FLOATS}, tf.{d}), summarize=-1)" for d in ("float16", "bfloat16", "float32", "float64")),
    *(f"p(c({_LARGE}, tf.{d}), summarize=-1)" for d in ("float32", "float64")),
    "p(c([1.7976931348623157e308, 2.2250738585072014e-308, 1e308], tf.float64))",
    *(f"p(c([0, 1, 100], tf.{d}), c(7, tf.{d}))" for d in _INTS),
    "p(c([-128, 127], tf.int8), c([-2**63, 2**63 - 1], tf.int64), c(2**64 - 1, tf.uint64))",
    "p(c([True, False]), c(True), c([[False]]))",
    *(f"p(r({s}), summarize={n})" for s in _SHAPES for n in (-1, 0, 1, 3)),
    "p(r([100]), summarize=20)",
    "p(r([9]), summarize=-7)",
    "p(r([9]), summarize=None)",
    "p(r([9]), summarize=True)",
    "p(r([9]), summarize=1.9)",
    "p()",
    "p('a')",
    "p('')",
    "p('a', 'b', 1, 2.5, None, True, 3j, b'q')",
    "p('{}', c(1), '{}{}')",
    "p(['{}', c(1), '%s'])",
    "p('tab\\t and\\nline', ['tab\\t and\\nline'])",
    "p(c(1), c(2), sep=', ')",
    "p(c(1), c(2), sep='')",
    "p(c(1), 'a', sep='\\n')",
    "p(c(1), sep=None)",
    "p(c(1), end='|')",
    "p(c(1), end='')",
    "p(c(1), name='n')",
    "p(c(1), foo=1)",
    "p([c(1), 'x'], (c([1, 2]),), {'k': [c(3)]})",
    "p({'b': c([1, 2]), 'a': (c(True), None)})",
    "p({3: c(3), 1: c(1)})",
    "p({'b': 1, 2: 3})",
    "p(Point(c(1), [c(2.5)]))",
    "p(collections.OrderedDict(a=c(1), b=c(2)))",
    "p([], {}, (), [[]])",
    "p([c(i) for i in range(30)])",
    "p([c(100 * i) for i in range(12)], [c(100 * i) for i in range(14)])",
    "p({'key%d' % i: c(i) for i in range(12)})",
    "p({'key%d' % i: [c(j) for j in range(i)] for i in range(15)})",
    "p([r([3, 3])], [r([10])])",
    "p(range(3), {1}, frozenset({2}))",
    "p(np.arange(3), np.float32(2.5), [np.arange(30)], np.zeros([2, 2]))",
    "p(tf.Variable([1.0, 2.0]), [tf.Variable(1)], tf.Variable(r([10])))",
    "p(tf.IndexedSlices(c([[1.0]]), c([1]), c([2, 1])))",
    "p(tf.float32, tf.TensorShape([2, None]), [tf.int8])",
    "p('x' * 200)",
    "p(['y ' * 100])",
    "p([c(1), 'word ' * 20, c(2)])",
    "p(c(1), output_stream='x')",
    "p(c(1), output_stream=10)",
    "p(c(1), output_stream=open)",
    "p(c(1), output_stream='file:///no/such/folder/file')",
]


def outcome(text: str, tf: Any, make: Callable[..., Any], folder: Path) -> Any:
    """What a call prints, or the name of its error's class."""
    path = folder / "printed.txt"
    path.unlink(missing_ok=True)

    def p(*inputs: Any, **options: Any) -> None:
        options.setdefault("output_stream", f"file://{path}")
        assert tf.print(*inputs, **options) is None

    def r(shape: list[int]) -> Any:
        return make(np.arange(np.prod(shape), dtype=np.int32).reshape(shape))

    scope = {"tf": tf, "np": np, "collections": collections, "Point": Point, "c": make, "p": p, "r": r}
    try:
        eval(text, scope)
    except Exception as error:
        return {"error": type(error).__name__}
    return path.read_bytes().decode()
