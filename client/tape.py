"""`tf.GradientTape`: records ops and gives gradients.

Owns: the tape's public face, and the choice of where a backward pass runs: on the server, over its tape, in one item;
or here, over the outline, in ordinary items, when those have to be recorded themselves (higher orders) or the path
crosses a function of the user's (`tf.custom_gradient`). Neither waits. Does not know what is recorded
(`client.recording`) or gradient rules (`protocol.gradients`).
"""

from __future__ import annotations

import contextlib
import enum
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final

import numpy as np

from client import nest, recording
from client.api import public
from client.convert import constant, constant_value_tensor, convert_to_tensor, materialize, operand_of, static_value
from client.dispatch import call, execute
from client.indexed_slices import IndexedSlices, dense, rows_of
from client.recording import Outline, Reading
from client.tensor import Operand, Tensor
from client.variable import Variable
from protocol.dtypes import DType
from protocol.gradients import Plan, Slices, Term, backward, plan
from protocol.ops import OPS
from protocol.spec import Spec
from protocol.wire import Item

_log: Final = logging.getLogger("telegrad")


@public("UnconnectedGradients")
class UnconnectedGradients(enum.Enum):
    """What `GradientTape.gradient` gives for a source that the target does not depend on: `NONE`, or zeros.

    >>> import client as tf
    >>> tf.UnconnectedGradients("zero")
    <UnconnectedGradients.ZERO: 'zero'>
    """

    NONE = "none"
    ZERO = "zero"


@public("GradientTape", "autodiff.GradientTape")
class GradientTape:
    """Records ops within its block, so that gradients of their results can be asked for.

    Ops on trainable variables are recorded by themselves, those on other tensors after `watch`.

    Args:
        persistent: whether gradients can be asked for more than once; such a tape keeps its values until it is deleted.
        watch_accessed_variables: whether to record ops on trainable variables that were not watched.

    >>> import client as tf
    >>> w = tf.Variable([[1.0]])
    >>> with tf.GradientTape() as tape:
    ...     loss = w * w
    >>> print(tape.gradient(loss, w))
    tf.Tensor([[2.]], shape=(1, 1), dtype=float32)
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent = persistent
        self._watch_accessed_variables = watch_accessed_variables
        self._outline: Outline | None = None
        self._recording = False
        self._watched: tuple[Variable, ...] = ()

    # --- recording ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> GradientTape:
        self._push()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._recording:
            self._pop()

    def __del__(self) -> None:
        if self._recording and self._outline is not None:  # an abandoned `__enter__`
            with contextlib.suppress(ValueError):
                recording.pop(self._outline)

    def _push(self) -> None:
        if self._recording:
            raise ValueError("Tape is still recording, This can happen if you try to re-enter an already-active tape.")
        if self._outline is None:
            self._outline = Outline(self._watch_accessed_variables)
        self._recording = True  # first: were this interrupted, `__del__` takes the outline away again
        recording.push(self._outline)

    def _pop(self) -> None:
        if not self._recording:
            raise ValueError("Tape is not recording.")
        assert self._outline is not None
        recording.pop(self._outline)
        self._recording = False

    def watch(self, tensor: Any) -> None:
        """Record the ops on a tensor or variable, or on each of a nested structure.

        Raises:
            ValueError: something else.
        """
        for t in nest.flatten(tensor):
            if isinstance(t, IndexedSlices):
                t = t.values
            if not isinstance(t, Operand):
                raise ValueError(
                    f"Passed in object {t} of type {type(t).__name__!r}, not tf.Tensor or tf.Variable or ExtensionType."
                )
            if not t._spec.dtype.differentiable:
                _log.warning(
                    "The dtype of the watched tensor must be floating (e.g. tf.float32), got tf.%s", t._spec.dtype.name
                )
                continue
            if self._outline is None:
                self._outline = Outline(self._watch_accessed_variables)
            if isinstance(t, Variable):
                self._outline.watch_variable(t)
            else:
                self._outline.tracked.add(materialize(t))  # type: ignore[arg-type]

    @contextlib.contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Record nothing on this tape within the block.

        Raises:
            RuntimeError: the tape is not recording.
        """
        if not self._recording:
            raise RuntimeError("Trying to stop recording a tape which is not recording.")
        self._pop()
        try:
            yield
        finally:
            self._push()

    def reset(self) -> None:
        """Forget all that was recorded, and go on recording.

        Raises:
            ValueError: the tape is not recording.
        """
        self._pop()
        self._outline = None
        self._push()

    def watched_variables(self) -> tuple[Variable, ...]:
        """The variables it watches, in the order of their first use."""
        if self._outline is not None:
            self._watched = tuple(self._outline.variables.values())
        return self._watched

    # --- gradients ---------------------------------------------------------------------------------------------------

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
    ) -> Any:
        """The gradient of a target (of the sum of all elements of all targets) for each source. Does not wait.

        Args:
            target: a tensor or variable, or a nested structure of them.
            sources: a tensor or variable, or a nested structure of them.
            output_gradients: for each target the gradient to start from, of its shape; None: ones.
            unconnected_gradients: `tf.UnconnectedGradients`: what stands where a target does not depend on a source.

        Returns:
            A structure like `sources`: tensors, `tf.IndexedSlices` where rows were gathered from the source, or None.

        Raises:
            RuntimeError: the tape was used before and is not persistent.
            LookupError: an op between source and target has no gradient.
            TypeError, ValueError: no target; an unknown value of `unconnected_gradients`.
        """
        outline = self._recorded()
        if target is None:
            raise TypeError(
                "Argument `target` should be a list or nested structure of Tensors, Variables or CompositeTensors to "
                "be differentiated, but received None."
            )
        unconnected = _unconnected(unconnected_gradients)
        targets = [_checked(rows_of(t), "target") for t in nest.flatten(target)]
        flat = [_checked(s, "source") for s in nest.flatten(sources)]
        seeds: list[Any] = [None] * len(targets)
        if output_gradients is not None:
            seeds = [None if g is None else dense(g) for g in nest.flatten(output_gradients)]
            if len(seeds) != len(targets):
                raise ValueError(f"{len(targets)} targets and {len(seeds)} output gradients were given")
        if self._recording and not self._persistent:
            self._pop()
        found = _gradients(outline, targets, flat, seeds, self._persistent)
        if not self._persistent:
            self._close()
        if unconnected is UnconnectedGradients.ZERO:
            found = [call("zeros_like", s) if g is None else g for s, g in zip(flat, found, strict=True)]
        return nest.pack_sequence_as(sources, found)

    def _recorded(self) -> Outline:
        if self._outline is None:
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients (or jacobians)"
            )
        return self._outline

    def _close(self) -> None:
        self.watched_variables()
        self._outline = None

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The derivative of each element of a target by each element of the sources: a backward pass for each of them.

        Args:
            target: a tensor.
            sources: a tensor or variable, or a nested structure of them.
            unconnected_gradients: as in `gradient`.
            parallel_iterations: ignored.
            experimental_use_pfor: ignored.

        Returns:
            For each source a tensor of the shape of `target` followed by that of the source.

        Raises:
            RuntimeError: the tape was used before and is not persistent.

        >>> import client as tf
        >>> x = tf.constant([1.0, 2.0])
        >>> with tf.GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = x * x
        >>> print(tape.jacobian(y, x).numpy())
        [[2. 0.]
         [0. 4.]]
        """
        outline = self._recorded()
        unconnected = _unconnected(unconnected_gradients)
        flat = [_checked(s, "source") for s in nest.flatten(sources)]
        target = _checked(target, "target")
        shape = tuple(target.shape)
        count = math.prod(shape)
        seeds = [call("reshape", row, shape=shape) for row in _unit_vectors(count, target.dtype)]
        rows = self._rows(outline, target, flat, seeds)
        found: list[Any] = []
        for source, gradients in zip(flat, rows, strict=True):
            if not gradients or gradients[0] is None:
                zeros = unconnected is UnconnectedGradients.ZERO or not count
                found.append(call("zeros", shape=(*shape, *source.shape), dtype=source.dtype) if zeros else None)
            else:
                found.append(call("reshape", call("stack", *gradients, axis=0), shape=(*shape, *source.shape)))
        return nest.pack_sequence_as(sources, found)

    def batch_jacobian(
        self,
        target: Any,
        source: Any,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The Jacobian of each entry of a batch, where entry i of the target depends on entry i of the source alone.

        Args:
            target: a tensor of shape (batch, ...).
            source: a tensor of shape (batch, ...).
            unconnected_gradients: as in `gradient`.
            parallel_iterations: ignored.
            experimental_use_pfor: ignored.

        Returns:
            A tensor of shape (batch, target's other dims, source's other dims).

        Raises:
            ValueError: a rank below 2, or batches of different sizes.
            RuntimeError: the tape was used before and is not persistent.

        >>> import client as tf
        >>> x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
        >>> with tf.GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = x * x
        >>> tape.batch_jacobian(y, x).shape
        TensorShape([2, 2, 2])
        """
        outline = self._recorded()
        unconnected = _unconnected(unconnected_gradients)
        target, source = _checked(target, "target"), _checked(source, "source")
        for each in (target, source):
            if len(each.shape) < 2:
                raise ValueError(f"Shape {each.shape} must have rank at least 2")
        if target.shape[0] != source.shape[0]:
            raise ValueError(
                f"Need first dimension of target shape ({target.shape}) and source shape ({source.shape}) to match."
            )
        _, *rest = target.shape
        count = math.prod(rest)
        wanted = (*target.shape, *source.shape[1:])
        seeds = [
            call("broadcast_to", call("reshape", row, shape=(1, *rest)), shape=tuple(target.shape))
            for row in _unit_vectors(count, target.dtype)
        ]
        gradients = self._rows(outline, target, [source], seeds)[0]
        if not gradients or gradients[0] is None:
            zeros = unconnected is UnconnectedGradients.ZERO or not count
            return call("zeros", shape=wanted, dtype=target.dtype) if zeros else None
        return call("reshape", call("stack", *gradients, axis=1), shape=wanted)

    def _rows(self, outline: Outline, target: Any, sources: list[Any], seeds: list[Any]) -> list[list[Any]]:
        """For each source its gradients, one for each of the seeds."""
        if self._recording and not self._persistent:
            self._pop()
        found = [_gradients(outline, [target], sources, [seed], True) for seed in seeds]
        if not self._persistent:
            self._close()
        return [[dense(row[i]) for row in found] for i in range(len(sources))]


def _unit_vectors(count: int, dtype: DType) -> Sequence[Tensor]:
    """The rows of the identity matrix."""
    return call("unstack", call("eye", num_rows=count, dtype=dtype), num=count) if count else ()


def _unconnected(value: Any) -> UnconnectedGradients:
    try:
        return UnconnectedGradients(value)
    except ValueError:
        raise ValueError(f"Unknown value for unconnected_gradients: {value!r}") from None


def _checked(value: Any, role: str) -> Any:
    """A target or source: a tensor or variable. Others are refused; one of integers has no gradient."""
    if not isinstance(value, Operand):
        raise TypeError(f"a {role} of a gradient is a tensor or variable, not {value!r:.100} of {type(value).__name__}")
    if not value._spec.dtype.differentiable:
        _log.warning(
            "The dtype of the %s tensor must be floating (e.g. tf.float32) when calling GradientTape.gradient, got %r",
            role,
            value._spec.dtype,
        )
    return value


def _id(operand: Operand) -> int:
    return operand._operand if type(operand._operand) is int else 0


def _gradients(
    outline: Outline, targets: Sequence[Operand], sources: Sequence[Operand], seeds: Sequence[Any], keep: bool
) -> list[Any]:
    """The gradient for each source: a tensor, slices, or None."""
    for target in targets:
        if not _id(target) and any(target is s for s in sources):
            materialize(target)  # type: ignore[arg-type]
    started = [(t, _seed(t, s)) for t, s in zip(targets, seeds, strict=True) if _id(t) and t._spec.dtype.differentiable]
    wanted = {_id(s): s for s in sources if _id(s) and s._spec.dtype.differentiable}
    planned = plan(outline.nodes, [_id(t) for t, _ in started], wanted)
    started = [(t, s) for t, s in started if _id(t) in planned.connected]
    connected = {i: s for i, s in wanted.items() if i in planned.connected}
    if not connected:
        return [None] * len(sources)
    if planned.custom or not outline.tape or recording.recording():
        found = _run_here(planned, started, connected)
    else:
        found = _run_there(outline, planned, started, connected, keep)
    return [found.get(_id(s)) for s in sources]


def _seed(target: Operand, seed: Any) -> Tensor | None:
    if seed is None:
        return None
    tensor = convert_to_tensor(seed, target._spec.dtype)
    if tensor._spec != target._spec and tensor._spec.is_static and target._spec.is_static:
        return call("reshape", tensor, shape=target._spec.shape)  # type: ignore[no-any-return]
    return tensor


def _run_there(
    outline: Outline,
    planned: Plan,
    started: Sequence[tuple[Operand, Tensor | None]],
    sources: Mapping[int, Operand],
    keep: bool,
) -> dict[int, Any]:
    """One item: the server walks its tape."""
    session = outline.session
    assert session is not None
    session.check()
    outs: list[Any] = []
    found: dict[int, Any] = {}
    for identifier, source in sources.items():
        rows = planned.connected[identifier]
        spec = source._spec
        if rows is None:
            out = next(session.ids)
            outs.append(out)
            found[identifier] = Tensor(session, spec, out, None, source._place)
        else:
            out, indices = next(session.ids), next(session.ids)
            outs.append((out, indices))
            rest = spec.shape[1:] if spec.shape is not None else ()
            found[identifier] = _slices(
                Tensor(session, Spec(spec.dtype, (rows.number, *rest)), out, None, source._place),
                Tensor(session, Spec(rows.dtype, (rows.number,)), indices, None, source._place),
                source,
            )
    seeds = [None if s is None else operand_of(s) for _, s in started]
    given = seeds if any(s is not None for s in seeds) else None
    item: tuple[Any, ...] = (Item.GRADIENT, outline.tape, [_id(t) for t, _ in started], list(sources), outs)
    session.issue((*item, given, True) if keep else (*item, given) if given else item)
    return found


def _slices(values: Tensor, indices: Tensor, source: Operand) -> IndexedSlices:
    shape = source._spec.shape
    known = constant(np.asarray(shape, np.int32)) if source._spec.is_static else call("shape", source)
    return IndexedSlices(values, indices, known)


class _Emitter:
    """Runs the ops of a backward pass from here, as a program's own."""

    def run(self, name: str, operands: tuple[Any, ...], attrs: Mapping[str, Any]) -> Any:
        inputs = [o.value if type(o) is Term else constant_value_tensor(o) for o in operands]
        given = {k: v.value if type(v) is Term else v for k, v in attrs.items()}
        found = execute(OPS[name], inputs, given)
        return tuple([self._term(t) for t in found]) if type(found) is tuple else self._term(found)

    def _term(self, operand: Operand) -> Term:
        return Term(operand, operand._spec, self)

    def term(self, value: Any, spec: Spec) -> Term:
        if value is None:
            return Term(None, spec, self)
        return self._term(value.operand() if type(value) is Reading else value)

    def dims(self, term: Term) -> tuple[int, ...]:
        return tuple(term.value.shape)

    def attribute(self, value: Any, plain: bool) -> Any:
        if not isinstance(value, Tensor):
            return value
        if not plain:
            return self._term(value)
        known = static_value(value)
        found = (value._read() if known is None else known).tolist()
        return tuple(found) if isinstance(found, list) else found


def _run_here(
    planned: Plan, started: Sequence[tuple[Operand, Tensor | None]], sources: Mapping[int, Operand]
) -> dict[int, Any]:
    """Ordinary ops, which open tapes record."""
    emitter = _Emitter()
    seeds = []
    for target, seed in started:
        first = call("ones_like", target) if seed is None else seed
        seeds.append((_id(target), Term(first, first._spec, emitter)))
    found: dict[int, Any] = {}
    for identifier, gradient in backward(planned, seeds, sources, emitter).items():
        if type(gradient) is Slices:
            found[identifier] = _slices(gradient.values.value, gradient.indices.value, sources[identifier])
        else:
            found[identifier] = gradient.value  # type: ignore[union-attr]
    return found


@public("gradients")
def gradients(ys: Any, xs: Any, *args: Any, **kwargs: Any) -> None:
    """TensorFlow 1's symbolic gradients, which eager execution does not have. Raises RuntimeError."""
    raise RuntimeError("tf.gradients is not supported when eager execution is enabled. Use tf.GradientTape instead.")
