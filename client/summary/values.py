"""`tf.summary.write` and the summaries of numbers and text: `scalar`, `histogram`, `text`.

Owns: `issue`, the way of every summary from its arguments into a writer's queue; `located`, which says whether a value
is here or on the server. Does not know pictures and sounds (`client.summary.media`), nor files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from client import nest, recording
from client.api import public
from client.convert import convert_to_tensor, static_value
from client.dispatch import call
from client.summary import events
from client.summary.state import checked_step, recorded, state, tag_of
from client.tensor import Composite, Operand, Tensor, size_known
from protocol import histograms
from protocol.conversion import to_array
from protocol.dtypes import as_dtype

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


# --- where values are ------------------------------------------------------------------------------------------------


def located(value: Any) -> Operand | Array:
    """A value that only the server knows as an operand; any other as an array, which may be the user's own.

    Raises:
        TypeError, ValueError: it does not convert to a tensor.
    """
    if isinstance(value, Operand):
        known = static_value(value)
        return value if known is None else known
    if isinstance(value, Composite):
        return value._dense()
    if hasattr(value, "_remote"):  # a number of a training's logs
        return located(value._remote())
    if type(value) in (list, tuple) and any(isinstance(v, Operand | Composite) for v in nest.flatten(value)):
        return located(convert_to_tensor(value))
    return to_array(value)


def shape_of(part: Operand | Array) -> tuple[int | None, ...] | None:
    """What is known of its shape."""
    return part._spec.shape if isinstance(part, Operand) else part.shape


def is_symbolic(part: Any) -> bool:
    """Whether it stands for a value of a later call: a layer is being shown what shapes it gives."""
    return isinstance(part, Operand) and part._session is not None and part._session.symbolic


def _size(part: Any) -> int:
    if isinstance(part, Operand):
        return size_known(part._spec) or 0
    return sum(map(len, part.values)) if isinstance(part, Text) else getattr(part, "nbytes", 0)


# --- issuing ---------------------------------------------------------------------------------------------------------


class Prepared(NamedTuple):
    """A summary that may be recorded: its tag for messages, the operands and arrays it is made of, and what makes the
    Summary message of their values, in the writer's thread.
    """

    tag: str
    parts: Sequence[Any]
    summary_of: Callable[..., Any]


def issue(prepare: Callable[[], Prepared], step: Any) -> Tensor:
    """Put a summary in the queue of the default writer, if there is one and the condition may hold.

    Args:
        prepare: called only in that case.
        step: as the user gave it.

    Returns:
        Whether it is recorded, as a tensor.

    Raises:
        ValueError: it may be recorded and there is no step.
    """
    at = None if step is None else checked_step(step)
    condition = recorded()
    if condition is False:
        return convert_to_tensor(False)
    if at is None:
        if state.step is None:
            raise ValueError(
                "No step set. Please specify one either through the `step` argument or through "
                "tf.summary.experimental.set_step()"
            )
        at = checked_step(state.step)
    tag, parts, summary_of = prepare()
    found = [*parts, at, condition]
    if any(map(is_symbolic, found)):
        return convert_to_tensor(False)
    now = time.time()

    def make(values: list[Any]) -> bytes | None:
        *data, reached, holds = values
        return events.event(now, int(np.asarray(reached).reshape(())), summary_of(*data)) if np.all(holds) else None

    from client.summary.log import Issued  # once there is a writer it has been imported

    assert state.writer is not None
    state.writer._issue(Issued(f"the summary {tag!r}", found, sum(map(_size, found)), make))
    return convert_to_tensor(condition)


def issue_tensor(
    plugin: str,
    name: str | None,
    parts: Callable[[], Sequence[Any]],
    tensor_of: Callable[..., Any],
    step: Any,
    description: str | None,
) -> Tensor:
    """The same for what one of TensorBoard's plugins shows: `tensor_of(*values)` makes the TensorProto."""

    def prepare() -> Prepared:
        tag, about = tag_of(name, f"{plugin}_summary"), events.metadata(plugin, description)
        return Prepared(tag, parts(), lambda *values: events.summary(tag, tensor_of(*values), about))

    return issue(prepare, step)


# --- anything --------------------------------------------------------------------------------------------------------


class Text(NamedTuple):
    """Strings, in C order, and their shape."""

    values: list[bytes]
    shape: tuple[int, ...]


def _is_text(value: Any) -> bool:
    while isinstance(value, list | tuple) and value:
        value = value[0]
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "SUO"
    return isinstance(value, str | bytes)


def _text(data: Any) -> Text:
    """Strings in (nested) lists or an array. Raises TypeError, ValueError."""
    if not _is_text(data):
        part = located(data)
        raise TypeError(f"tensor must be of type tf.string; got {convert_to_tensor(part).dtype!r}")
    array = np.array(data, object)
    flat = array.reshape(-1).tolist()
    if any(isinstance(v, list | tuple) for v in flat):
        raise ValueError("Can't convert non-rectangular Python sequence to Tensor.")
    for value in flat:
        if not isinstance(value, str | bytes):
            raise TypeError(f"tensor must be of type tf.string; it has {value!r:.60}")
    return Text([v.encode() if isinstance(v, str) else v for v in flat], array.shape)


def _proto(value: Any) -> Any:
    return events.strings(*value) if isinstance(value, Text) else events.numbers(np.asarray(value))


@public("summary.write")
def write(tag: str, tensor: Any, step: Any = None, metadata: Any = None, name: str | None = None) -> Tensor:
    """Write a tensor as a summary: for new kinds of summaries, the others are made with it.

    Args:
        tag: the tag, usually from `tf.summary.experimental.summary_scope`.
        tensor: a tensor, a value that converts to one, strings; or a function that gives one, called only if the
            summary may be recorded.
        step: the step; None: that of `tf.summary.experimental.set_step`.
        metadata: a `SummaryMetadata` message of the tensorboard package, or its bytes.
        name: ignored.

    Returns:
        Whether it is recorded, as a bool tensor: False where there is no default writer.

    Raises:
        ValueError: there is a writer and no step.
        TypeError: a tag that is no string, or what is no tensor.
        tf.errors.DataLossError: bytes that are no metadata.

    >>> import client as tf
    >>> bool(tf.summary.write("vector", tf.constant([1.0, 2.0]), step=0))
    False
    """
    if not isinstance(tag, str | bytes):
        raise TypeError(f"a tag must be a string, not {tag!r}")

    def prepare() -> Prepared:
        value = tensor() if callable(tensor) else tensor
        part: Any = _text(value) if _is_text(value) else located(value)
        about = events.serialized_metadata(metadata)
        named = tag.decode() if isinstance(tag, bytes) else tag
        return Prepared(
            named,
            [part.copy() if isinstance(part, np.ndarray) else part],
            lambda value: events.summary(named, _proto(value), about),
        )

    return issue(prepare, step)


@public("summary.experimental.write_raw_pb")
def write_raw_pb(tensor: Any, step: Any = None, name: str | None = None) -> Tensor:
    """Write serialized `Summary` messages.

    Args:
        tensor: the bytes of one, or a list of them.
        step: the step; None: that of `tf.summary.experimental.set_step`.
        name: ignored.

    Returns:
        Whether they are recorded, as a bool tensor.

    Raises:
        ValueError: there is a writer and no step.
        tf.errors.DataLossError: the bytes are no `Summary`.

    >>> import client as tf
    >>> bool(tf.summary.experimental.write_raw_pb(b"", step=0))
    False
    """

    def prepare() -> Prepared:
        return Prepared("raw", [events.parsed_summary(_text(tensor).values)], lambda summary: summary)

    return issue(prepare, step)


# --- numbers ---------------------------------------------------------------------------------------------------------


@public("summary.scalar")
def scalar(name: str | None, data: Any, step: Any = None, description: str | None = None) -> Tensor:
    """Write a number, such as a loss, to be drawn over the steps. Does not wait for it.

    Args:
        name: what the tag ends with; before it come the name scopes.
        data: a real number or scalar tensor; it is written as a float32.
        step: the step, an integer or an int64 tensor or variable; None: that of `tf.summary.experimental.set_step`.
        description: Markdown that TensorBoard shows with it.

    Returns:
        Whether it is recorded, as a bool tensor: False where there is no default writer.

    Raises:
        ValueError: `data` is no scalar; or there is a writer and no step.

    >>> import client as tf
    >>> tf.summary.scalar("loss", 0.5, step=1)  # there is no writer
    <tf.Tensor: shape=(), dtype=bool, numpy=False>
    """
    part = located(data)
    shape = shape_of(part)
    if shape is None:
        with recording.paused():
            part = call("reshape", part, shape=())  # fails where it has another shape
    elif shape:
        raise ValueError(f"Expected scalar shape, saw shape: {shape}.")
    if isinstance(part, np.ndarray):
        part = _float32(part)
    return issue_tensor(
        "scalar", name, lambda: [part], lambda value: events.numbers(_float32(value)), step, description
    )


def _float32(value: Any) -> Array:
    array = np.asarray(value)
    with np.errstate(all="ignore"):
        return np.array((array.real if array.dtype.kind == "c" else array).astype(np.float32))


@public("summary.histogram")
def histogram(
    name: str | None, data: Any, step: Any = None, buckets: Any = None, description: str | None = None
) -> Tensor:
    """Write how the elements of a tensor are distributed. The server counts them; only the buckets travel.

    Formula: `protocol.histograms`. The buckets are [left edge, right edge, number] in float64.

    Args:
        name: what the tag ends with; before it come the name scopes.
        data: a tensor of any shape and dtype; of complex numbers, the real parts.
        step: the step; None: that of `tf.summary.experimental.set_step`.
        buckets: how many, an integer; 30 by default.
        description: Markdown that TensorBoard shows with it.

    Returns:
        Whether it is recorded, as a bool tensor: False where there is no default writer.

    Raises:
        TypeError, ValueError: `buckets` is no integer; or there is a writer and no step, or `data` is no tensor.

    >>> import client as tf
    >>> bool(tf.summary.histogram("weights", tf.random.normal([100]), step=0))
    False
    """

    def parts() -> list[Any]:
        count = _count(buckets)
        part = located(data)
        if isinstance(part, Operand) or isinstance(count, Operand):
            with recording.paused():
                return [call("histogram_buckets", part, buckets=count)]
        return [histograms.buckets(np, part, count)]

    return issue_tensor("histogram", name, parts, events.numbers, step, description)


def _count(buckets: Any) -> int | Operand:
    return histograms.DEFAULT if buckets is None else whole_number(buckets, "buckets")


def whole_number(value: Any, name: str) -> int | Operand:
    """An integer argument; an operand where only the server knows it.

    Raises:
        TypeError, ValueError: it is no integer, or no scalar.
    """
    part = located(value)
    dtype = part._spec.dtype if isinstance(part, Operand) else as_dtype(part.dtype)
    if not dtype.is_integer:
        raise TypeError(f"{name} must be an integer, not {value!r:.60}")
    shape = shape_of(part)
    if shape:
        raise ValueError(f"Expected scalar shape, saw shape: {shape}.")
    return part if isinstance(part, Operand) else int(part)


@public("summary.text")
def text(name: str | None, data: Any, step: Any = None, description: str | None = None) -> Tensor:
    """Write text, which TensorBoard shows as Markdown; lists of strings, and lists of lists, as tables.

    Args:
        name: what the tag ends with; before it come the name scopes.
        data: a string or UTF-8 bytes; a (nested) list or a NumPy array of them.
        step: the step; None: that of `tf.summary.experimental.set_step`.
        description: Markdown that TensorBoard shows with it.

    Returns:
        Whether it is recorded, as a bool tensor: False where there is no default writer.

    Raises:
        TypeError: `data` are no strings.
        ValueError: there is a writer and no step.

    >>> import client as tf
    >>> bool(tf.summary.text("note", "a **bold** start", step=0))
    False
    """
    found = _text(data)
    return issue_tensor("text", name, lambda: [found], _proto, step, description)
