"""Executes a session's items in order: a plain object, items in, reply items out.

Owns: what each item does, effects and their skipping, poison, cancellation, result checks. Does not know frames,
numbers on the wire, sockets or which thread or process hosts it (`server.host`).

After a failure, effects (items that change state) are skipped until the client says, with CLEAR, that its user has seen
the error; ops on values that depend on it hand the failure on, and all others run. That is PostgreSQL's pipeline mode,
and it makes "catch the error and try again with less" correct: every variable is as it was at the failing op.
"""

from __future__ import annotations

import reprlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from protocol import errors, wire
from protocol.dtypes import BY_NUMPY
from protocol.errors import (
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    OpError,
    ProtocolError,
    brief,
    code_of,
)  # fmt: skip
from protocol.ops import Op, lookup
from protocol.placement import short_name
from protocol.spec import Spec, element_count
from protocol.wire import Item, Ref
from server import making, publishing, reading, storage, switches
from server.backward import gradients, record
from server.devices import Device
from server.far_shelf import FarShelf
from server.files import Files
from server.kernels import KERNELS, room
from server.ledger import Share
from server.payloads import Payloads, Upload
from server.pins import ANSWERED, Pins, checked_read, numbered
from server.plans import Bound, Missing, Plan
from server.published import Published, Shelf
from server.tally import Tally
from server.values import Poison, Store, Tape, Value, Variable

_MAX_OPS: Final = 4096
MAX_OP_NAME: Final = 256
_MAX_ATTR_ELEMENTS: Final = 4096
_KEEP_VIEW_UP_TO: Final = 1024
_READS: Final = frozenset((Item.READ, Item.READ_MANY, Item.STORE))
_CANCELLABLE: Final = frozenset((Item.RUN, Item.GRADIENT, *_READS))


class Executor:
    """One session's values and the execution of its items.

    `emit` gets each reply item as a tuple. `executed` counts the items that are done; `cancel_through`, set from any
    thread, is the number of the last item to drop if it has not run yet.
    """

    def __init__(
        self,
        devices: list[Device],
        limit: int,
        payloads: Payloads,
        emit: Callable[[tuple[Any, ...]], None],
        files: Files | None = None,
        share: Share | None = None,
        published: Shelf | FarShelf | None = None,
    ) -> None:
        self.devices = {d.name: d for d in devices}
        self.default = devices[1] if len(devices) > 1 else devices[0]
        self.store = Store(limit, share)
        self.payloads = payloads
        self.emit = emit
        self.files = files or Files(None)
        self.published = published or Published(limit).shelf(None)
        self.executed = 0
        self.cancel_through = 0
        self.failed_item = 0  # the last failure whose error the user has not seen
        self._single = len(devices) == 1
        self.uploading: set[int] = set()
        self._suspended = False
        self.bound: dict[int, Bound] = {}
        self._emitted: dict[str, Bound] = {}
        self._plans: dict[str, dict[Any, Plan]] = {}  # by op, however often that is bound
        self.tally = Tally(lambda: [*self.bound.values(), *self._emitted.values()])
        self.handlers: dict[int, Callable[[tuple[Any, ...], int], None]] = {
            Item.RUN: self._run, Item.BIND: self._bind, Item.RELEASE: self._release, Item.CLEAR: self._clear,
            Item.SYNC: self._sync, Item.TAPE: self._tape, Item.GRADIENT: self._gradient, **making.handlers(self),
            **reading.handlers(self), **storage.handlers(self), **switches.handlers(self), **publishing.handlers(self),
        }  # fmt: skip
        self.pins = Pins(limit)
        for kind in ANSWERED:
            self.handlers[kind] = numbered(self.handlers[kind])

    def execute(self, items: tuple[tuple[Any, ...], ...]) -> None:
        """Run `items` in order.

        Raises:
            ProtocolError: an item is malformed; the session cannot go on.
        """
        handlers = self.handlers
        room.asked_of(self.store.charge)
        try:
            for item in items:
                number = self.executed + 1
                try:
                    handler = handlers[item[0]]
                except KeyError:
                    raise ProtocolError(f"unknown item kind {item[0]}") from None
                try:
                    if number <= self.cancel_through and item[0] in _CANCELLABLE:
                        self._cancel(item, number)
                    else:
                        handler(item, number)
                except _MALFORMED as error:
                    if isinstance(error, OpError):
                        raise
                    raise ProtocolError(f"malformed item {shown(item)}: {error}") from error
                self.executed = number
        finally:
            room.asked_of(None)
        self.store.settle()

    def suspend(self) -> None:
        """From another thread: have `execute` raise Suspended rather than wait for the bytes of an upload. `executed`
        tells how far it came.
        """
        self._suspended = True
        for tensor in list(self.uploading):
            entry = self.store.entries.get(tensor)
            if isinstance(entry, Upload):
                entry.interrupt()

    def close(self) -> None:
        """Free everything the session holds."""
        self.store.clear()
        self.payloads.close()

    # --- ops -------------------------------------------------------------------------------------------------------

    def _bind(self, item: tuple[Any, ...], number: int) -> None:
        _, index, name = item
        well_formed = type(index) is int and type(name) is str and len(name) <= MAX_OP_NAME
        if not well_formed or index in self.bound or len(self.bound) >= _MAX_OPS:
            raise ProtocolError(f"malformed binding {shown(item)}")
        try:
            bound = self.bound[index] = Bound(lookup(name), KERNELS[name])
            bound.plans = self._plans.setdefault(name, bound.plans)
        except (NotFoundError, KeyError):
            self.bound[index] = Missing(name)

    def _run(self, item: tuple[Any, ...], number: int) -> None:
        count = len(item)
        outs, ins = item[2], item[3]
        attrs = item[4] if count > 4 and item[4] is not None else _NO_ATTRS
        bound = self.bound.get(item[1])
        if bound is None:
            raise ProtocolError(f"op number {item[1]!r} was never bound")
        op = bound.op
        entries = self.store.entries
        values = []
        poison: Poison | None = None
        try:
            for operand in ins:
                value = entries.get(operand) if type(operand) is int else None
                if type(value) is not Value:  # the rare ones: literals, variables, uploads, poison, unknown ids
                    value = self.operand(operand)
                    if type(value) is Poison and not (not values and op.groups[0] == "overwritten"):
                        poison = poison or value
                values.append(value)
            if op.effect and self.failed_item:
                poison = _SKIPPED
            if poison is not None:
                self._poisoned(op, outs, poison, number)
                return
            if op.effect and op.groups[0] == "overwritten":
                # The old value is not read: it may be poisoned, and of another shape than the new one.
                old = values[0].spec if type(values[0]) is Value else values[1].spec
                values[0] = Value(_NOTHING, Spec(old.dtype, values[1].spec.shape), None)
            tapes = [self._tape_at(t) for t in item[6]] if count > 6 else None
            if tapes:
                self.store.check_recorded(len(tapes) * (len(ins) + (1 if type(outs) is int else len(outs))))
            if attrs:
                attrs = {k: self._attr(v) if type(v) is Ref else v for k, v in attrs.items()}
            results = self.compute(bound, values, attrs, item[5] if count > 5 else None)
        except ProtocolError:
            raise
        except Exception as error:  # whatever a kernel raises is this op's failure, not the server's
            self.fail(op.name, outs, error, number, op.called_on([v.spec for v in values if type(v) is Value]))
            return
        if op.effect:
            self._apply(op, ins, results)
        if type(outs) is int:
            if outs:
                self.store.put(outs, results[0])
            if tapes:
                record(self.store, tapes, op, attrs, ins, values, outs, results)
            return
        if len(outs) != len(results):
            raise ProtocolError(f"{op.name} has {len(results)} results, {len(outs)} ids were given")
        for tensor, value in zip(outs, results, strict=True):
            if tensor:
                self.store.put(tensor, value)
        if tapes:
            record(self.store, tapes, op, attrs, ins, values, outs, results)

    def operand(self, operand: Any) -> Value | Poison:
        """What an operand of an item stands for: a value, or what became of it. Raises NotFoundError, ProtocolError."""
        if type(operand) is int:
            entry = self.store.get(operand)
            kind = type(entry)
            if kind is Value or kind is Poison:
                return entry  # type: ignore[no-any-return]
            if kind is Variable:
                return entry.value  # type: ignore[no-any-return]
            if kind is Tape:
                raise ProtocolError(f"{operand} is a tape, not a tensor")
            return self.finish_upload(operand, entry)
        if type(operand) is np.ndarray:
            return Value(operand, Spec(BY_NUMPY[operand.dtype], operand.shape), None)
        raise ProtocolError(f"{operand!r:.100} is no operand")

    def compute(self, bound: Bound, values: list[Value], attrs: Mapping[str, Any], device_name: Any) -> list[Value]:
        """The results of an op."""
        op = bound.op
        bound.count += 1
        specs, size, small, attrs = bound.plan_for(tuple([v.spec for v in values]), attrs)
        store = self.store
        if store.used + size > store.granted or len(store.entries) >= store.most:
            store.charge(size)
        device = self.default if self._single and device_name is None else self.place(values, device_name)
        arrays = [v.array if v.device is device else device.take(v.array) for v in values]
        begun = 0 if small and bound.count < bound.due else _clock()
        try:
            if device.scope is None:
                found = bound.kernel(device.xp, *arrays, **attrs)
            else:
                with device.scope:
                    found = bound.kernel(device.xp, *arrays, **attrs)
        except Exception as error:
            raise self._explain(device, error, size) from error
        if begun:
            bound.timed(_clock() - begun, small)
        if type(found) is not tuple:
            return [self._checked(op, device, found, specs[0])]
        if len(found) != len(specs):
            raise InternalError(f"the kernel of {op.name} gave {len(found)} results, {len(specs)} were inferred")
        return [self._checked(op, device, array, spec) for array, spec in zip(found, specs, strict=True)]

    def place(self, values: list[Value], name: Any) -> Device:
        """The device called `name`; for None, the one where the values are if they agree, else the default. Raises
        InvalidArgumentError.
        """
        if name is not None:
            device = self.devices.get(short_name(name))
            if device is None:
                raise InvalidArgumentError(f"{name!r} is no device of this server; it has {', '.join(self.devices)}")
            return device
        if len(self.devices) == 1:
            return self.default
        places = {v.device for v in values if v.device is not None}
        return places.pop() if len(places) == 1 else self.default

    def _checked(self, op: Op, device: Device, array: Any, spec: Spec) -> Value:
        xp = device.xp
        if type(array) is not xp.ndarray:
            array = xp.asarray(array)
        if array.dtype != spec.dtype.numpy:
            raise InternalError(f"the kernel of {op.name} gave {array.dtype}, inferred was {spec}")
        shape = array.shape
        if shape != spec.shape:
            agrees = spec.shape is None or (
                len(spec.shape) == len(shape)
                and all(a is None or a == b for a, b in zip(spec.shape, shape, strict=True))
            )
            if not agrees:
                raise InternalError(f"the kernel of {op.name} gave the shape {shape}, inferred was {spec}")
            spec = Spec(spec.dtype, shape)
            self.store.charge(array.nbytes)
        if array.base is not None and getattr(array.base, "nbytes", 0) > 2 * array.nbytes + _KEEP_VIEW_UP_TO:
            array = array.copy()  # a small view would keep the whole of what it looks into alive, uncharged
        return Value(array, spec, device)

    def _attr(self, value: Ref) -> Any:
        found = self.operand(value.id)
        if type(found) is Poison:
            raise _Poisoned(found)
        assert isinstance(found, Value)
        if element_count(found.spec.shape) > _MAX_ATTR_ELEMENTS:
            raise InvalidArgumentError(f"a tensor of {found.spec} cannot stand for an attribute")
        host = found.array if found.device is None else found.device.host(found.array)
        return _as_tuple(host.tolist())

    def _explain(self, device: Device, error: Exception, size: int) -> Exception:
        """What the user is told of a kernel's exception."""
        if isinstance(error, OpError):
            return error
        if device.out_of_memory(error):
            return self.store.exhausted(size, f" on {device.name}")
        if isinstance(error, np.linalg.LinAlgError):
            return InvalidArgumentError(str(error))
        if type(error) in (TypeError, ValueError, IndexError, NotImplementedError):
            return error
        return errors.UnknownError(f"{type(error).__name__}: {error}")

    def _apply(self, op: Op, ins: tuple[Any, ...], results: list[Value]) -> None:
        """Store an effect's results, in order, in the variables among its inputs."""
        targets = [
            self.store.get(i)
            for i, group in zip(ins, op.input_groups(len(ins)), strict=True)
            if group in ("variable", "overwritten")
        ]
        for target, value in zip(targets, results, strict=False):
            if type(target) is not Variable:
                raise ProtocolError(f"{op.name} changes a variable, and {target!r:.50} is none")
            self.store.assign(target, value)

    # --- tapes -------------------------------------------------------------------------------------------------------

    def _tape(self, item: tuple[Any, ...], number: int) -> None:
        self.store.put(item[1], Tape())

    def _tape_at(self, tape: int) -> Tape:
        found = self.store.get(tape)
        if type(found) is not Tape:
            raise ProtocolError(f"{tape!r} is no tape")
        return found

    def _gradient(self, item: tuple[Any, ...], number: int) -> None:
        _, tape, targets, sources, outs = item[:5]
        seeds = item[5] if len(item) > 5 and item[5] is not None else (None,) * len(targets)
        keep = bool(item[6]) if len(item) > 6 else False
        if not len(sources) == len(outs) or not len(seeds) == len(targets):
            raise ProtocolError("GRADIENT has other numbers of sources and results, or of targets and seeds")
        flat = [i for out in outs for i in ((out,) if type(out) is int else out)]
        values = [self.operand(t) for t in targets]
        given = [None if s is None else self.operand(s) for s in seeds]
        for value in (*values, *given):
            if type(value) is Poison:
                self._bind_all(flat, value)
                return
        starts: Any = list(zip(targets, values, strict=True))
        try:
            found = gradients(self.store, self.run_emitted, self._tape_at(tape), starts, given, sources, keep)  # type: ignore[arg-type]
        except ProtocolError:
            raise
        except Exception as error:
            self.fail("gradient", flat, error, number)
            return
        for source, out in zip(sources, outs, strict=True):
            ids = (out,) if type(out) is int else out
            parts = found.get(source)
            if any(ids) and (parts is None or len(parts) != len(ids)):
                raise ProtocolError(f"the gradient of {source} has other parts than the ids {out!r} are for")
            for i, value in zip(ids, parts or (), strict=False):
                if i:
                    self.store.put(i, value)

    def run_emitted(self, name: str, values: list[Value], attrs: Mapping[str, Any]) -> Value | tuple[Value, ...]:
        """Run an op of a backward pass."""
        bound = self._emitted.get(name)
        if bound is None:
            bound = self._emitted[name] = Bound(lookup(name), KERNELS[name])
        results = self.compute(bound, values, attrs, None)
        return tuple(results) if bound.several else results[0]

    # --- failures ----------------------------------------------------------------------------------------------------

    def fail(self, op: str, outs: Any, error: Exception, number: int, called: str = "") -> None:
        """Poison the results `outs` of item `number`, and tell the client."""
        if isinstance(error, _Poisoned):
            self._bind_all(outs, error.poison)
            return
        message = str(error) or type(error).__name__
        if f"[Op:{op}]" not in message:
            message = f"{message} {called or f'[Op:{op}]'}"
        poison = Poison(code_of(error), message, op, number)
        self.failed_item = number
        told = poison.message
        self._bind_all(outs, poison)
        self.tally.failed(op, poison.code)
        self.emit((Item.FAILED, number, poison.code, told, op))

    def _poisoned(self, op: Op, outs: Any, poison: Poison, number: int) -> None:
        if op.effect and not self.failed_item:
            # The user has seen the error and goes on with a value that was never computed.
            self.failed_item = number
            told = brief(f"{poison.message} (the value given to {op.name})")
            self.emit((Item.FAILED, number, poison.code, told, op.name))
        self._bind_all(outs, poison)

    def _bind_all(self, outs: Any, entry: Poison) -> None:
        for tensor in (outs,) if type(outs) is int else outs:
            if tensor:
                self.store.put(tensor, entry)

    def _cancel(self, item: tuple[Any, ...], number: int) -> None:
        if item[0] in _READS:
            checked_read(item[1])
            self.refuse_read(item[1], Poison(_CANCELLED.code, _CANCELLED.message, None, number))
        elif item[0] == Item.GRADIENT:
            flat = [i for out in item[4] for i in ((out,) if type(out) is int else out)]
            self._bind_all(flat, Poison(_CANCELLED.code, _CANCELLED.message, None, number))
        else:
            self._bind_all(item[2], Poison(_CANCELLED.code, _CANCELLED.message, None, number))

    def _clear(self, item: tuple[Any, ...], number: int) -> None:
        if self.failed_item <= item[1]:
            self.failed_item = 0

    # --- values ------------------------------------------------------------------------------------------------------

    def _release(self, item: tuple[Any, ...], number: int) -> None:
        for tensor in item[1]:
            entry = self.store.release(tensor)
            if isinstance(entry, Upload):
                self.uploading.discard(tensor)
                self.payloads.finish(entry)

    def device_of(self, item: tuple[Any, ...], position: int) -> Device:
        """The device that the field at `position` names, or the default."""
        name = item[position] if len(item) > position else None
        return self.default if name is None else self.place([], name)

    def finish_upload(self, tensor: int, entry: Any) -> Value | Poison:
        """Wait for an upload's bytes, and put the value in its place."""
        assert isinstance(entry, Upload)
        if self._suspended:
            entry.interrupt()
        entry.wait()
        array = entry.array()
        if array.dtype == np.bool_ and not wire.holds_bools(array):
            raise ProtocolError(f"the upload of {tensor} has other bytes than 0 and 1 for a bool")
        value = Value(entry.device.take(array), entry.spec, entry.device)
        self.store.replace(tensor, entry, value)
        self.uploading.discard(tensor)
        self.payloads.finish(entry)
        return value

    # --- replies -----------------------------------------------------------------------------------------------------

    def refuse_read(self, read: Any, poison: Poison) -> None:
        """Answer a read with what became of its value."""
        if read in self.pins.sizes:  # by this number, for another item or for one that then failed
            self.pins.remove(read)
            self.payloads.withdraw(read)
        self.payloads.refuse(read)
        self.emit((Item.READ_FAILED, read, poison.code, poison.message, poison.op, poison.item))

    def _sync(self, item: tuple[Any, ...], number: int) -> None:
        for tensor in list(self.uploading):
            self.finish_upload(tensor, self.store.get(tensor))
        for device in self.devices.values():
            device.synchronize()
        report = {
            "ops": self.tally.ops,
            "tensors": len(self.store),
            "bytes": self.store.used,
            "peak_bytes": self.store.highest,
            "limit": self.store.limit,
        }
        self.emit((Item.REPORT, item[1], report))


class _Poisoned(Exception):
    """An attribute's tensor is poisoned."""

    def __init__(self, poison: Poison) -> None:
        super().__init__(poison.message)
        self.poison = poison


shown: Final = reprlib.repr
"""A value that a client sent, for a message: not all of a large one, nor of a deep one."""
_MALFORMED: Final = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What Python raises where an item's fields are not what they should be."""
_clock: Final = time.perf_counter_ns
_NO_ATTRS: Final[Mapping[str, Any]] = {}
_NOTHING: Final = np.empty(0)
_SKIPPED: Final = Poison(errors.AbortedError.error_code, "skipped: an earlier op failed", None, 0)
_CANCELLED: Final = Poison(errors.CancelledError.error_code, "cancelled before it ran", None, 0)


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
