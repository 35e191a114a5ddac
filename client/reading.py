"""Reads: the one thing that waits.

Owns: `read`, `fetch`, `Pending`, `read_edges`, `read_summary`, `resolve_shape`; which values are remembered. Does not
know the stream beyond starting and finishing reads.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from client.format import edge_items, summary_threshold
from client.tensor import Operand, Tensor, size_known
from protocol.dtypes import BY_NUMPY
from protocol.errors import InternalError
from protocol.spec import Spec, merge_shapes
from protocol.wire import MAX_INLINE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from client.answers import Read

_REMEMBER: Final = 64 * 1024
"""Bytes of a value that a tensor keeps once it was read."""
_MOST_ITEMS: Final = 2**20
"""Entries at an edge that the server picks at most."""
_RANK: Final = 6
"""The rank that is reckoned with where it is not known."""


class _Wanted:
    """A tensor's value on its way."""

    __slots__ = ("_found", "download", "read", "session", "tensor", "whole")

    def __init__(self, tensor: Operand, *summary: int) -> None:
        session = tensor._session
        assert session is not None
        self.tensor = tensor
        self.session = session
        self.whole = not summary
        self.read: Read = session.start_read(tensor._operand, *summary)
        self.download: Any = None
        self._found: np.ndarray[Any, Any] | None = None

    def start(self, beside: bool) -> None:
        """Open the connection of a large value together with its read item, in another thread when others are to be
        read too.
        """
        size = size_known(self.tensor._spec)
        if self.whole and size is not None and size > MAX_INLINE:
            transfers = self.session.transfers
            if beside:
                self.download = transfers.background(transfers.download, self.read, self.tensor._spec).result
            else:
                found = transfers.download(self.read, self.tensor._spec)
                self.download = lambda: found

    def value(self) -> np.ndarray[Any, Any]:
        """The value, once the read is answered without an error."""
        if self._found is None:
            self._found = self._receive()
        return self._found

    def edges(self) -> tuple[np.ndarray[Any, Any], tuple[int, ...]]:
        """The value or its edges, as they were sent, and the whole value's shape."""
        shape = self.read.shape
        if shape is None:
            return self.value(), self.value().shape
        if type(self.tensor) is Tensor and not self.tensor._spec.is_static:
            self.tensor._spec = Spec(self.tensor._spec.dtype, shape)
        return self.read.value, shape

    def _receive(self) -> np.ndarray[Any, Any]:
        found = self.read.value
        if type(found) is tuple:
            spec = Spec(found[0], found[1])
            self._check(spec)
            value = self.download() if self.download else self.session.transfers.download(self.read, spec)
            if value is None:
                raise InternalError(f"the value of a read of {spec} went missing")
        else:
            value = found
            self._check(Spec(BY_NUMPY[value.dtype], value.shape))
        if value.nbytes <= _REMEMBER and type(self.tensor) is Tensor:
            value.flags.writeable = False
            self.tensor._value = value
        return value

    def _check(self, spec: Spec) -> None:
        expected = self.tensor._spec
        if spec == expected:
            return
        if spec.dtype is not expected.dtype or merge_shapes(spec.shape, expected.shape) != spec.shape:
            raise InternalError(f"the server holds {spec} where {expected} was inferred")
        if type(self.tensor) is Tensor:
            self.tensor._spec = spec


def _start(tensors: list[Operand], beside: bool = False) -> list[_Wanted]:
    return _started([_Wanted(t) for t in tensors], beside or len(tensors) > 1)


def _started(wanted: list[_Wanted], beside: bool) -> list[_Wanted]:
    for session in {id(w.session): w.session for w in wanted}.values():
        session.flush()
    for w in wanted:
        w.start(beside)
    return wanted


def _finish(wanted: list[_Wanted]) -> list[np.ndarray[Any, Any]]:
    session = wanted[0].session
    session.finish_reads([w.read for w in wanted])
    return [w.value() for w in wanted]


def read(tensor: Operand) -> np.ndarray[Any, Any]:
    """The value of a tensor, in one wait."""
    assert tensor._session is not None
    with tensor._session.waiting():
        return _finish(_start([tensor]))[0]


def fetch(*tensors: Any, wait: bool = True) -> Any:
    """Read several tensors in one round trip.

    Args:
        tensors: tensors, variables, or anything `tf.convert_to_tensor` takes.
        wait: False gives a `concurrent.futures.Future` at once, so that the read starts and the program goes on.

    Returns:
        The value of one tensor, or a list of the values of several, as `Tensor.numpy()` gives them.

    Raises:
        tf.errors.OpError: one of them could not be computed; with `wait=False` it is the future's exception.

    >>> import client as tf
    >>> x = tf.constant([1.0, 2.0])
    >>> [float(v) for v in tf.fetch(tf.reduce_sum(x), tf.reduce_max(x))]
    [3.0, 2.0]
    >>> later = tf.fetch(tf.reduce_sum(x), wait=False)
    >>> float(later.result())
    3.0
    """
    from client.convert import convert_to_tensor

    operands = [t if isinstance(t, Operand) else convert_to_tensor(t) for t in tensors]
    unknown = [t for t in operands if getattr(t, "_value", None) is None]
    if not wait:
        return _future(operands, _start(unknown, beside=True))
    if not unknown:
        return _results(operands, [])
    session = unknown[0]._session
    assert session is not None
    with session.waiting():
        wanted = _start(unknown)
        _finish(wanted)
        return _results(operands, wanted)


def _results(operands: list[Operand], wanted: list[_Wanted]) -> Any:
    fetched = {id(w.tensor): w for w in wanted}
    found = []
    for operand in operands:
        w = fetched.get(id(operand))
        value: Any = w.value() if w is not None else operand._value
        found.append(value[()] if not value.ndim else value if value.flags.writeable else value.copy())
    return found[0] if len(found) == 1 else found


def _future(operands: list[Operand], wanted: list[_Wanted]) -> Future[Any]:
    from concurrent.futures import Future

    future: Future[Any] = Future()

    def resolve() -> None:
        try:
            for w in wanted:
                w.read.wait()
                if w.read.error is not None:
                    raise w.read.error
            future.set_result(_results(operands, wanted))
        except BaseException as error:
            future.set_exception(error)

    if wanted:
        wanted[0].session.transfers.background(resolve)
    else:
        resolve()
    return future


class Pending:
    """Values on their way that nobody waits for yet, and no thread either: `arrived` says whether they are here.

    For what looks at values now and then and must not hold anybody up: progress bars, checks of a loss.
    """

    __slots__ = ("_operands", "_wanted")

    def __init__(self, tensors: Sequence[Operand]) -> None:
        self._operands = list(tensors)
        self._wanted = _start([t for t in self._operands if getattr(t, "_value", None) is None])

    @property
    def arrived(self) -> bool:
        """Whether the values, or the errors, are here."""
        return all(w.read.finished for w in self._wanted)

    def wait(self, timeout: float) -> bool:
        """Whether they arrived within some seconds. Not counted as a wait: for what has nothing else to do."""
        try:
            return all(w.read.wait(timeout) for w in self._wanted)
        except KeyboardInterrupt:
            self._wanted[0].session.cancel()
            raise

    def values(self) -> list[Any]:
        """The values, as `fetch` gives them. Waits for those that have not arrived; raises what has failed."""
        if not self._wanted:
            found = _results(self._operands, [])
        elif self.arrived:
            _finish(self._wanted)
            found = _results(self._operands, self._wanted)
        else:
            with self._wanted[0].session.waiting():
                _finish(self._wanted)
                found = _results(self._operands, self._wanted)
        return found if len(self._operands) > 1 else [found]


def read_edges(
    tensors: Sequence[Operand], items: int, threshold: int = 0
) -> list[tuple[np.ndarray[Any, Any], tuple[int, ...]]]:
    """What a print needs of several tensors, in one wait, or none when all are known: values and their shapes.

    Of a value with more than `threshold` elements that is not known here, only `items` entries at both ends of each
    axis; all of it where `items` is not positive.
    """
    unknown = {id(t): t for t in tensors if getattr(t, "_value", None) is None}
    found: dict[int, tuple[Any, tuple[int, ...]]] = {}
    if unknown:
        session = next(iter(unknown.values()))._session
        assert session is not None
        with session.waiting():
            wanted = [_Wanted(t, *_summary(t._spec, items, threshold)) for t in unknown.values()]
            _started(wanted, beside=len(wanted) > 1)
            session.finish_reads([w.read for w in wanted])
            found = {id(w.tensor): w.edges() for w in wanted}
    for t in tensors:
        if id(t) not in found:
            value = t._value
            found[id(t)] = value, value.shape
    return [found[id(t)] for t in tensors]


def _summary(spec: Spec, items: int, threshold: int) -> tuple[int, ...]:
    """The fields of a read of edges; none where these could be more than is sent inline."""
    sizes = [2 * items] * _RANK if spec.shape is None else [2 * items if d is None else d for d in spec.shape]
    fits = 0 < items < _MOST_ITEMS and math.prod(min(d, 2 * items) for d in sizes) * spec.dtype.size <= MAX_INLINE
    return (items, threshold) if fits else ()


def read_summary(tensor: Tensor) -> tuple[np.ndarray[Any, Any], tuple[int, ...]]:
    """What a `repr` needs, in one wait: the value and its shape, of a long value only the edges."""
    return read_edges([tensor], edge_items(), summary_threshold())[0]


def resolve_shape(tensor: Tensor) -> None:
    """Ask the server for a shape that only it knows."""
    from client.dispatch import call

    shape: Tensor = call("shape", tensor, out_type="int64")
    dims = tuple(int(d) for d in shape._read())
    tensor._spec = Spec(tensor._spec.dtype, dims)
