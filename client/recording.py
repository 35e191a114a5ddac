"""What tapes record: the thread's open tapes, and the outline each keeps of the ops that concern it.

Owns: `Outline`, the stack of those that record in each thread, and what a node keeps. Does not know how a gradient is
computed (`client.tape`). The server records the same nodes; the outline says, without asking it, which gradients there
are, and lets the client run a backward pass itself where that has to be recorded or calls the user's functions.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from client.tensor import Operand, Tensor
from protocol.gradients import GRADIENTS, Node
from protocol.ops import Op
from protocol.spec import Spec
from protocol.wire import Item

if TYPE_CHECKING:
    from client.session import Session
    from client.variable import Variable


class _Thread(threading.local):
    """The outlines that record in a thread, innermost last."""

    def __init__(self) -> None:
        self.outlines: list[Outline] = []
        self.watchers: list[dict[int, Variable]] = []  # of variables read, for `custom_gradient`


_thread: Final = _Thread()


class Outline:
    """What one tape has recorded. `tracked` are the ids of tensors and variables whose gradients it can give."""

    def __init__(self, watch_variables: bool) -> None:
        self.watch_variables = watch_variables
        self.nodes: list[Node] = []
        self.tracked: set[int] = set()
        self.variables: dict[int, Variable] = {}
        self._session: Session | None = None
        self._tape = 0

    def __del__(self) -> None:
        if self._session is not None:
            self._session.releases.append(self._tape)

    def watch_variable(self, variable: Variable) -> None:
        """Track a variable from now on."""
        identifier = variable._operand
        if identifier not in self.variables:
            self.variables[identifier] = variable
            self.tracked.add(identifier)

    def tape_in(self, session: Session) -> int:
        """The id of the server's tape, made at the first op that it records."""
        if self._session is not session:
            if self._session is not None:
                raise ValueError("a tape cannot record in two sessions: it was opened before connect()")
            tape = next(session.ids)
            self._tape, self._session = tape, session
            session.issue((Item.TAPE, tape))
        return self._tape

    @property
    def tape(self) -> int:
        """The id of the server's tape; 0 where it recorded nothing."""
        return self._tape

    @property
    def session(self) -> Session | None:
        """The session whose ops it recorded."""
        return self._session


class Reading:
    """A variable's value at the time when a tape recorded its use.

    That is the variable itself until it is about to change; then its value is kept under an id of its own.
    """

    __slots__ = ("__weakref__", "_snapshot", "_variable")

    def __init__(self, variable: Variable) -> None:
        self._variable: Variable | None = variable
        self._snapshot: Tensor | None = None

    def operand(self) -> Operand:
        """A tensor or variable with the value."""
        if self._snapshot is not None:
            return self._snapshot
        assert self._variable is not None
        return self._variable

    def freeze(self) -> None:
        """Keep the value it has now."""
        if self._variable is not None:
            with paused():
                self._snapshot = self._variable.read_value()
            self._variable = None


def _reading(variable: Variable) -> Reading:
    """The stand-in for a variable's present value, one for all nodes that use that value."""
    found = variable._reading() if variable._reading is not None else None
    if found is None:
        found = Reading(variable)
        variable._reading = weakref.ref(found)
    return found


def freeze(variable: Variable) -> None:
    """Called before a variable changes: tapes that still need its value keep it."""
    reading = variable._reading
    if reading is not None:
        variable._reading = None
        found = reading()
        if found is not None:
            found.freeze()


def recording() -> list[Outline]:
    """The outlines that record in this thread, innermost last."""
    return _thread.outlines


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Record nothing in this thread."""
    outlines, watchers = _thread.outlines, _thread.watchers
    try:  # before the change: Ctrl-C may come at any moment
        _thread.outlines, _thread.watchers = [], []
        yield
    finally:
        _thread.outlines, _thread.watchers = outlines, watchers


@contextlib.contextmanager
def unrecorded() -> Iterator[None]:
    """Record nothing in this thread, but note the variables that are read."""
    outlines = _thread.outlines
    try:
        _thread.outlines = []
        yield
    finally:
        _thread.outlines = outlines


@contextlib.contextmanager
def watching_variables() -> Iterator[dict[int, Variable]]:
    """Collect the trainable variables that ops of this thread read, by id."""
    found: dict[int, Variable] = {}
    before = _thread.watchers
    try:
        counter.add(1)
        _thread.watchers = [*before, found]
        yield found
    finally:
        _thread.watchers = before
        counter.add(-1)


class _Counter:
    """How many outlines and watchers are open, over all threads: what the hot path looks at first."""

    def __init__(self) -> None:
        self.open = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.open += count


counter: Final = _Counter()


def push(outline: Outline) -> None:
    """Let an outline record in this thread."""
    counter.add(1)
    _thread.outlines.append(outline)


def pop(outline: Outline) -> None:
    """Stop that. Raises ValueError when it does not record in this thread."""
    _thread.outlines.remove(outline)
    counter.add(-1)


def concerned(
    op: Op, inputs: Sequence[Operand], specs: tuple[Spec, ...]
) -> tuple[list[Outline], tuple[int, ...]] | None:
    """Which outlines an op concerns, and by which of its inputs; None where there are none."""
    outlines = _thread.outlines
    for t in inputs:
        if type(t) is not Tensor and t._trainable:
            for watcher in _thread.watchers:
                watcher[t._operand] = t  # type: ignore[assignment]
            for outline in outlines:
                if outline.watch_variables:
                    outline.watch_variable(t)  # type: ignore[arg-type]
    if not outlines:
        return None
    positions = GRADIENTS[op.name].positions(specs)
    if not positions:
        return None
    found = []
    tracked: set[int] = set()
    for outline in outlines:
        hits = [i for i in positions if inputs[i]._operand in outline.tracked] if outline.tracked else None
        if hits:
            found.append(outline)
            tracked.update(hits)
    return (found, tuple(sorted(tracked))) if found else None


def record(
    concern: tuple[list[Outline], tuple[int, ...]],
    op: Op,
    attrs: Mapping[str, Any],
    inputs: Sequence[Operand],
    specs: tuple[Spec, ...],
    results: tuple[Tensor, ...],
) -> None:
    """Add an op to the outlines that it concerns."""
    outlines, positions = concern
    kept, keeps_results = GRADIENTS[op.name].keeps(positions, len(inputs))
    out_specs = tuple([r._spec for r in results])
    unknown = not all(s.is_static for s in (*specs, *out_specs))
    node = Node(
        op.name,
        attrs,
        positions,
        [t._operand if type(t._operand) is int else 0 for t in inputs],
        specs,
        [kept_of(t) if i in kept or unknown else None for i, t in enumerate(inputs)],
        [r._operand for r in results],
        out_specs,
        results if keeps_results or unknown else (None,) * len(results),
    )
    add(node, outlines)


def add(node: Node, outlines: list[Outline]) -> None:
    """Put a node in outlines, which track its results from now on."""
    differentiable = [i for i, spec in zip(node.out_ids, node.out_specs, strict=True) if spec.dtype.differentiable]
    for outline in outlines:
        outline.nodes.append(node)
        outline.tracked.update(differentiable)


def kept_of(operand: Operand) -> Tensor | Reading:
    """What a node keeps of an operand."""
    return operand if type(operand) is Tensor else _reading(operand)  # type: ignore[arg-type]
