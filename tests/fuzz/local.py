"""A session's executor without a server: a call is run on it, and how it ended is held against what was promised.

Owns: `run`, `run_gradient`, `Ending` and `fault`. Memory is what `tracemalloc` counts, which NumPy tells of every array
that it makes, touched or not.
"""

from __future__ import annotations

import signal
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from protocol import errors
from protocol.attrs import check_attrs
from protocol.dtypes import BY_NUMPY
from protocol.errors import ProtocolError, code_of
from protocol.ops import OPS
from protocol.spec import Spec
from protocol.wire import Item, Ref
from server.devices import Device
from server.executor import Executor
from tests.fuzz.calls import Call

LIMIT = 4 * 2**20
MOST = 8 * LIMIT
"""Bytes that one op may have taken at a time: results up to the limit, and some times as much to compute them."""
SECONDS = 30
"""Past this an op counts as endless. `--item-seconds` bounds what is merely long."""
REFUSALS = frozenset(
    c.error_code
    for c in (
        errors.InvalidArgumentError, errors.ResourceExhaustedError, errors.FailedPreconditionError,
        errors.OutOfRangeError, errors.UnimplementedError,
    )
)  # fmt: skip
OF_INFERENCE = REFUSALS | {code_of(e()) for e in (TypeError, ValueError, NotImplementedError)}
OF_GRADIENTS = OF_INFERENCE | {code_of(LookupError())}  # what TensorFlow says of an op without one


class NoPayloads:
    """There are no uploads and no large reads here."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


@dataclass
class Ending:
    """How an item ended: the code and text of its failure (0 if it did not fail), its results, and the most bytes it
    held beyond what was there before.
    """

    code: int
    text: str
    results: tuple[Any, ...]
    peak: int


def inferred(call: Call) -> tuple[Spec, ...] | Exception:
    """What the shape rule says to the attributes as they are."""
    op = OPS[call.op]
    try:
        check_attrs(op.attrs, call.attrs, op.name)  # what inference remembers may be for equal ones, as False is to 0
        found = op.infer(tuple(Spec(BY_NUMPY[i.dtype], i.shape) for i in call.inputs), call.attrs)
    except Exception as error:
        return error
    return (found,) if isinstance(found, Spec) else found


class Local:
    """A session with the inputs of a call in it: `ids` of the operands, `items` that made them."""

    def __init__(self, call: Call, limit: int = LIMIT) -> None:
        self.replies: list[Any] = []
        self.executor = Executor([Device("CPU:0")], limit, NoPayloads(), self.replies.append)  # type: ignore[arg-type]
        self.ids, self.items, self.attrs, self.next = prepared(call)
        self.tape = self.new()
        self.execute((Item.TAPE, self.tape), *self.items)

    def new(self) -> int:
        self.next += 1
        return self.next - 1

    def execute(self, *items: Any) -> list[Any]:
        self.replies.clear()
        with np.errstate(all="ignore"):
            self.executor.execute(items)
        return self.replies

    def end(self, item: Any, outs: Any) -> Ending:
        """Execute an item that makes `outs`."""
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        failed = [r for r in self.execute(item) if r[0] == Item.FAILED]
        peak = tracemalloc.get_traced_memory()[1] - before
        entries = self.executor.store.entries
        return Ending(*(failed[0][2:4] if failed else (0, "")), tuple(entries.get(o) for o in outs), peak)


def prepared(call: Call) -> tuple[tuple[int, ...], list[Any], dict[str, Any], int]:
    """The items that bind the call's op as 0 and make its inputs; the ids of these, the attributes, the next id."""
    ids: list[int] = []
    items: list[Any] = [(Item.BIND, 0, call.op)]
    groups = OPS[call.op].input_groups(len(call.inputs))
    count = 1
    for i, array in enumerate(call.inputs):
        items.append((Item.CONST, count, array))
        if i < len(groups) and groups[i] in ("variable", "overwritten"):
            count += 1
            items.append((Item.VARIABLE, count, count - 1))
        ids.append(count)
        count += 1
    attrs = dict(call.attrs)
    for name in call.by_tensor:
        items.append((Item.CONST, count, np.array(attrs[name])))
        attrs[name] = Ref(count)
        count += 1
    return tuple(ids), items, attrs, count


def outs_of(call: Call, first: int) -> tuple[Any, tuple[int, ...]]:
    """Ids from `first` on for the results: as the item names them, and all of them."""
    specs = inferred(call)
    count = 1 if isinstance(specs, Exception) else len(specs)
    ids = tuple(range(first, first + count))
    return (ids if _gives_several(call) else first), ids


def _gives_several(call: Call) -> bool:
    op = OPS[call.op]
    try:
        check_attrs(op.attrs, call.attrs, op.name)  # what inference remembers may be for equal ones, as False is to 0
        found = op.infer(tuple(Spec(BY_NUMPY[i.dtype], i.shape) for i in call.inputs), call.attrs)
    except Exception:
        return False
    return not isinstance(found, Spec)


@contextmanager
def _watched() -> Iterator[None]:
    """Memory is counted within, and what never ends is ended."""

    def stuck(*_: Any) -> None:
        raise TimeoutError(f"did not end within {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stuck)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    tracemalloc.start(1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        tracemalloc.stop()


def run(call: Call) -> Ending:
    """Run a call."""
    with _watched():
        local = Local(call)
        outs, ids = outs_of(call, local.next)
        return local.end((Item.RUN, 0, outs, local.ids, local.attrs or None), ids)


def run_gradient(call: Call, seed: Callable[[Any], Any]) -> Ending | None:
    """Run a call on a tape, and then the gradient of its first result from `seed(result)`, for whatever inputs can have
    one. None where the call fails, or the result can have none of that dtype.
    """
    with _watched():
        local = Local(call)
        outs, ids = outs_of(call, local.next)
        local.next += len(ids)
        first = local.end((Item.RUN, 0, outs, local.ids, local.attrs or None, None, (local.tape,)), ids)
        if first.code or not ids or not first.results[0].spec.dtype.differentiable:
            return None
        start = seed(first.results[0].array)
        nothing = (0,) * len(local.ids)
        try:
            return local.end((Item.GRADIENT, local.tape, ids[:1], local.ids, nothing, (start,)), ())
        except ProtocolError:
            assert start.dtype != first.results[0].array.dtype, "only a dtype breaks the protocol's rules"
            return None


def fault(
    call: Call,
    ending: Ending,
    specs: tuple[Spec, ...] | Exception | None = None,
    refusals: frozenset[int] = OF_INFERENCE,
) -> str | None:
    """What is wrong with how a call ended, given what inference says, if that is known, and which failures are
    refusals; None if nothing is.
    """
    if ending.peak > MOST:
        return f"took {ending.peak / 2**20:.0f} MiB of {LIMIT / 2**20:.0f}"
    if "out of memory on" in ending.text:
        return f"the system had to refuse memory: {ending.text}"
    if ending.code:
        allowed = REFUSALS if isinstance(specs, tuple) else refusals
        return None if ending.code in allowed else f"failed with {ending.code}: {ending.text}"
    if isinstance(specs, Exception):
        # What is overwritten is not read, and its shape does not count.
        return None if "overwritten" in OPS[call.op].groups else f"ran, though inference says {specs!r}"
    for value, spec in zip(ending.results, specs or (), strict=False):
        shape, wanted = value.spec.shape, spec.shape
        fits = wanted is None or (
            len(shape) == len(wanted) and all(w in (None, d) for d, w in zip(shape, wanted, strict=True))
        )
        if value.spec.dtype is not spec.dtype or not fits or value.array.shape != shape:
            return f"gave {value.spec}, inferred was {spec}"
    return None
