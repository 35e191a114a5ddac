"""`tf.print`: values with TensorFlow's text for them.

Owns: `print_v2`, how a value is written (TensorFlow's StringFormat op), where it is written. Does not know how values
are fetched.
"""

from __future__ import annotations

import functools
import logging
import math
import pprint
import re
import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from client import nest
from client.api import public
from client.tensor import Composite, Operand
from protocol.errors import NotFoundError

_LEVELS: Final = {logging.INFO, logging.WARNING, logging.ERROR}
_SLOT: Final = re.compile("\ue000([\ue001-\uf000]{3})")
"""What stands for a tensor in a structure's text: its number, as wide as TensorFlow's `'{}'`, so that lines break where
its lines do. Private characters, which the `repr` of a string escapes.
"""
_FIRST_DIGIT: Final = 0xE001
_DIGIT_BITS: Final = 12


@public("print")
def print_v2(
    *inputs: Any,
    output_stream: Any = None,
    summarize: int | None = 3,
    sep: str = " ",
    end: str | None = None,
    name: str | None = None,
) -> None:
    r"""Print tensors, and whatever holds them, with their values. One wait for all; none when all are known here.

    Of each axis that is longer than twice `summarize`, only the first and last `summarize` entries are printed, and of
    a tensor that only the server knows no others are fetched. Symbolic tensors print nothing: a layer that prints does
    so when it is called on values.

    Args:
        *inputs: tensors, variables, Python values, or nested structures of these. Strings are printed as they are.
        output_stream: `sys.stderr` (None means it too), `sys.stdout`, `logging.INFO`, `logging.WARNING`,
            `logging.ERROR` (of the logger "telegrad"), or `"file://path"` for a file to append to.
        summarize: how many entries at both ends of an axis; a negative number: all. None means 3.
        sep: what stands between the inputs.
        end: what stands at the end; None: a line break.
        name: accepted.

    Raises:
        ValueError: another output stream.
        TypeError: `sep` is no string.
        tf.errors.NotFoundError: the file cannot be opened.
        tf.errors.OpError: computing a value failed.

    >>> import client as tf, sys
    >>> tf.print("step", 3, {"loss": tf.constant(0.25)}, tf.range(10), output_stream=sys.stdout)
    step 3 {'loss': 0.25} [0 1 2 ... 7 8 9]
    >>> tf.print(tf.ones([2, 2]), tf.constant([True, False]), sep="\n", output_stream=sys.stdout)
    [[1 1]
     [1 1]]
    [1 0]
    """
    from client.reading import read_edges
    from client.session import Session

    write = _writer(output_stream)
    if not isinstance(sep, str):
        raise TypeError(f"sep must be a string, not {sep!r}")
    tensors: list[Operand] = []
    templates = [None if isinstance(i, str) else _template(i, tensors) for i in inputs]
    if not all(t._session is None or isinstance(t._session, Session) for t in tensors):
        return
    items = 3 if summarize is None else int(summarize)
    values = read_edges(tensors, max(items, 1) if items >= 0 else 0)
    texts = [format_value(value, shape, items) for value, shape in values]
    shown = [
        text if template is None else _SLOT.sub(lambda found: texts[_number(found[1])], template)
        for text, template in zip(inputs, templates, strict=True)
    ]
    write(sep.join(shown) + ("\n" if end is None else end))


# --- structures ------------------------------------------------------------------------------------------------------


class _Slot:
    """The place of a tensor in a structure that is printed."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __repr__(self) -> str:
        digits = [self._number >> shift & (1 << _DIGIT_BITS) - 1 for shift in (24, 12, 0)]
        return "\ue000" + "".join(chr(_FIRST_DIGIT + digit) for digit in digits)


def _number(digits: str) -> int:
    return functools.reduce(lambda number, digit: number << _DIGIT_BITS | ord(digit) - _FIRST_DIGIT, digits, 0)


def _template(value: Any, tensors: list[Operand]) -> str:
    """The text of an input with slots for its tensors, which are added to `tensors`."""

    def leaf(found: Any) -> Any:
        if not isinstance(found, Operand | Composite):
            return found
        tensors.append(found._dense() if isinstance(found, Composite) else found)
        return _Slot(len(tensors) - 1)

    return pprint.pformat(nest.map_structure(leaf, value))


# --- values ----------------------------------------------------------------------------------------------------------


def format_value(value: np.ndarray[Any, Any], shape: tuple[int, ...], items: int) -> str:
    r"""The text of a value of `shape` of which at least `items` entries at both ends of each axis are given.

    >>> format_value(np.arange(8, dtype=np.int32).reshape(2, 4), (2, 4), 1)
    '[[0 ... 3]\n [4 ... 7]]'
    """
    size = math.prod(shape)
    items = size if items < 0 else min(items, size)
    write = _WRITERS[value.dtype.kind if value.dtype.kind in _WRITERS else value.dtype.name]
    if not shape:
        return write(value[()]) if items else "..."
    return _axis(value, shape, items, 0, write)


def _axis(
    value: np.ndarray[Any, Any], shape: tuple[int, ...], items: int, axis: int, write: Callable[[Any], str]
) -> str:
    last = axis == len(shape) - 1
    between = " " if last else "\n" * (len(shape) - axis - 1) + " " * (axis + 1)

    def texts(part: Any) -> list[str]:
        return [write(v) for v in part] if last else [_axis(v, shape, items, axis + 1, write) for v in part]

    if shape[axis] <= 2 * items:
        return f"[{between.join(texts(value))}]"
    ends = ["...", *texts(value[len(value) - items :])]
    return "[" + between.join(texts(value[:items])) + "".join(between + text for text in ends) + "]"


def _float(value: Any) -> str:
    """The shortest of the digits that always hold and those that always suffice that gives the number back."""
    if math.isnan(value):
        return "-nan" if math.copysign(1.0, value) < 0 else "nan"
    single = type(value) is not np.float64
    given = float(value)
    text = format(given, ".6g" if single else ".15g")
    again = np.float32(text) if single else float(text)
    return text if again == given else format(given, ".9g" if single else ".17g")


def _complex(value: Any) -> str:
    real, imaginary = _float(value.real), _float(value.imag)
    return f"{real}{'' if imaginary.startswith('-') else '+'}{imaginary}j"


_WRITERS: Final[dict[str, Callable[[Any], str]]] = {
    "b": lambda value: "1" if value else "0",
    "i": str,
    "u": str,
    "f": _float,
    "bfloat16": _float,
    "c": _complex,
}


# --- where to --------------------------------------------------------------------------------------------------------


def _writer(stream: Any) -> Callable[[str], None]:
    """What takes the text for an `output_stream`. Raises ValueError."""
    if stream is None or stream is sys.stderr:
        return lambda text: _write(sys.stderr, text)
    if stream is sys.stdout:
        return lambda text: _write(sys.stdout, text)
    if isinstance(stream, str) and stream.startswith("file://"):
        return lambda text: _append(stream.removeprefix("file://"), text)
    if type(stream) is int and stream in _LEVELS:
        return lambda text: _log(stream, text)
    raise ValueError(
        f"Unsupported output stream, logging level, or file: {stream!r}. Supported are sys.stdout, sys.stderr, "
        "logging.INFO, logging.WARNING, logging.ERROR and 'file://<filepath>'."
    )


def _write(stream: Any, text: str) -> None:
    stream.write(text)
    stream.flush()


def _append(path: str, text: str) -> None:
    try:
        with open(path, "a", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise NotFoundError(f"{path}; {error.strerror}", "print") from error


def _log(level: int, text: str) -> None:
    """To the program's log; to stderr where it has set none up, since Python would drop what is no warning then."""
    logger = logging.getLogger("telegrad")
    if logger.hasHandlers():
        logger.log(level, text.removesuffix("\n"))
    else:
        _write(sys.stderr, f"{logging.getLevelName(level)}: {text}")
