"""Room for what a kernel makes and inference cannot tell: results whose size is a value, scratch memory far beyond
operands and results.

Owns: `ask`, and `asked_of`, which says who answers in this thread. Does not know sessions or what they hold: the answer
is a function that raises. The results that inference tells are charged before a kernel runs; whatever else grows faster
than these and the operands is asked for before it is made:

    ends = xp.cumsum(counts)
    room.ask((int(ends[-1]), width), input.dtype)
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from protocol.spec import checked_shape


class _Answer(threading.local):
    """Who is asked: the session whose items the thread runs. Outside of one there is room for anything."""

    charge: Callable[[int], None] | None = None


_answer = _Answer()


def asked_of(charge: Callable[[int], None] | None) -> None:
    """From here on, `ask` in this thread is `charge(bytes)`; with None, there is room for anything again."""
    _answer.charge = charge


def ask(shape: Sequence[int], dtype: Any, times: int = 1) -> None:
    """See that there is room for `times` arrays of `shape` and `dtype`. Takes nothing.

    Raises:
        ResourceExhaustedError: there is not.
        InvalidArgumentError: no array can have that shape.
    """
    count = math.prod([d or 1 for d in checked_shape(shape)])  # without elements, the others may be summed over
    if _answer.charge is not None:
        _answer.charge(count * np.dtype(dtype).itemsize * times)
