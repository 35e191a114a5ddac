"""What holds for the summaries of a thread: the default writer, the default step, whether to record, the scope of tags.

Owns: `state`, `record_if`, `recorded`, `set_step`, `summary_scope`. Does not know what is written or how.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from client.api import public
from client.control_flow import get_current_name_scope, name_scope
from client.convert import convert_to_tensor, static_value
from client.tensor import Operand, Tensor
from protocol.dtypes import bool_, int64
from protocol.errors import InvalidArgumentError

if TYPE_CHECKING:
    from client.summary.writers import SummaryWriter

_NO_NAME: Final = re.compile(r"[^-_/.A-Za-z0-9]")
_INT64: Final = range(-(2**63), 2**63)


class _State(threading.local):
    """A thread's defaults."""

    def __init__(self) -> None:
        self.writer: SummaryWriter | None = None
        self.step: Any = None
        self.condition: Any = None


state: Final = _State()


# --- whether to record -----------------------------------------------------------------------------------------------


@public("summary.record_if")
@contextmanager
def record_if(condition: Any) -> Iterator[None]:
    """A context in which summaries are recorded only where a condition holds.

    A condition that only the server knows is not waited for: the summary is issued, and written if the condition turns
    out to hold.

    Args:
        condition: a bool, a bool tensor, or a function of no arguments that gives one, called at each summary; None:
            always.

    >>> import client as tf
    >>> for step in range(100):
    ...     with tf.summary.record_if(step % 10 == 0):
    ...         recorded = tf.summary.scalar("loss", 1 / (1 + step), step=step)
    """
    before = state.condition
    state.condition = condition
    try:
        yield
    finally:
        state.condition = before


@public("summary.should_record_summaries")
def should_record_summaries() -> Tensor:
    """Whether a summary would be recorded now: a bool tensor, False where there is no default writer.

    Does not wait, where it depends on a remote condition of `record_if` either.

    >>> import client as tf
    >>> bool(tf.summary.should_record_summaries())
    False
    """
    return convert_to_tensor(recorded())


def recorded() -> bool | Operand:
    """The same; an operand where only the server knows."""
    if state.writer is None:
        return False
    condition = state.condition
    if callable(condition):
        condition = condition()
    if condition is None or type(condition) is bool:
        return condition is not False
    if isinstance(condition, Operand) and condition._spec.dtype is not bool_:
        raise InvalidArgumentError(f"the condition of a summary must be a bool tensor, not {condition._spec}")
    tensor = condition if isinstance(condition, Operand) else convert_to_tensor(condition, bool_)
    known = static_value(tensor)
    return tensor if known is None else bool(known)


# --- steps -----------------------------------------------------------------------------------------------------------


@public("summary.experimental.set_step")
def set_step(step: Any) -> None:
    """Set the step of this thread's summaries that are given none.

    Args:
        step: an integer, an int64 scalar tensor, or a variable, whose value at each summary counts; None: no default.

    >>> import client as tf
    >>> tf.summary.experimental.set_step(3)
    >>> tf.summary.experimental.get_step()
    3
    >>> tf.summary.experimental.set_step(None)
    """
    state.step = step


@public("summary.experimental.get_step")
def get_step() -> Any:
    """The default step of this thread as it was set, None without one."""
    return state.step


def checked_step(step: Any) -> int | Operand:
    """A step as a number where it is known; else the tensor or variable to read it from.

    Raises:
        TypeError, ValueError: it is no int64 scalar.
    """
    if type(step) is int and step in _INT64:
        return step
    if isinstance(step, Operand) and step._spec.dtype is int64:
        tensor = step
    else:
        tensor = convert_to_tensor(step, int64)
    shape = tensor._spec.shape
    if shape is not None and any(d not in (1, None) for d in shape):
        raise ValueError(f"Argument `step` must be a scalar. Received step with shape {tensor.shape}.")
    known = static_value(tensor)
    return tensor if known is None else int(known.reshape(()))


# --- tags ------------------------------------------------------------------------------------------------------------


@public("summary.experimental.summary_scope")
@contextmanager
def summary_scope(name: str | None, default_name: str = "summary", values: Any = None) -> Iterator[tuple[str, str]]:
    """A context for new kinds of summaries; entering gives the tag and the name scope.

    Args:
        name: the name of the summary. The tag is this name after the names of the layers that are being called and of
            the `tf.name_scope`s; any characters are allowed in it, of which the scope has those that it may.
        default_name: the name where there is none.
        values: ignored.

    >>> import client as tf
    >>> with tf.name_scope("train"), tf.summary.experimental.summary_scope("my loss") as (tag, scope):
    ...     print(tag, scope)
    train/my loss train/myloss/
    """
    name = name or default_name
    outer = "/".join([*_layers(), *filter(None, [get_current_name_scope()])])
    with name_scope(_NO_NAME.sub("", name) or default_name) as scope:
        yield f"{outer}/{name}" if outer else name, scope


def tag_of(name: str | None, default_name: str) -> str:
    """The tag of a summary."""
    with summary_scope(name, default_name) as (tag, _):
        return tag


def _layers() -> list[str]:
    """The path of the layer that is being called; Keras is not imported for that."""
    layers = sys.modules.get("client.keras.layers.context")
    return [] if layers is None else layers.context.path
