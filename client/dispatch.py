"""From a function call to an item in the stream: operands, attributes, inference, the proxy of the result.

Owns: `call`, `call_op`, `execute`: the hot path. Does not know which thread sends, or anything of one op in particular.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from client import context, devices, recording
from client.convert import constant_value_tensor, convert_operands, materialize, operand_of, static_value
from client.folding import fold
from client.shape import TensorShape
from client.tensor import Operand, Tensor
from protocol.attrs import Attr, Unknown
from protocol.dtypes import DType, as_dtype
from protocol.ops import OPS, Op
from protocol.spec import Spec
from protocol.wire import RUN, ref_ext

_NO_ATTRS: Final[Mapping[str, Any]] = {}


def call(name: str, *values: Any, **attrs: Any) -> Any:
    """Run the op `name` on `values`: tensors, variables, or what converts to tensors by the op's dtype rules.

    Returns:
        A tensor, or a tuple of them for an op with several results. Nothing waits.

    Raises:
        tf.errors.InvalidArgumentError, ValueError, TypeError: what inference can see to be wrong, on the caller's line.
    """
    return call_op(OPS[name], values, attrs)


def call_op(op: Op, values: Sequence[Any], attrs: Mapping[str, Any] = _NO_ATTRS) -> Any:
    """`call` with the op at hand."""
    for value in values:
        if not isinstance(value, Operand):
            values = convert_operands(op, values)
            break
    if attrs:
        attrs = {k: v if type(v) in _PLAIN else coerce(op.attrs.get(k), v, op.name) for k, v in attrs.items()}
    return execute(op, values, attrs)


_PLAIN: Final = frozenset((int, bool, type(None)))  # what needs no look at the annotation


def execute(op: Op, inputs: Sequence[Operand], attrs: Mapping[str, Any] = _NO_ATTRS) -> Any:
    """Infer, issue, and give the proxies. `inputs` are tensors or variables, `attrs` of exactly the annotated types."""
    specs = tuple([t._spec for t in inputs])
    known = attrs
    if attrs:
        for value in attrs.values():
            if isinstance(value, Tensor):
                known = {k: Unknown(v._spec) if isinstance(v, Tensor) else v for k, v in attrs.items()}
                break
        inferred = op.infer(specs, known)
    else:
        inferred = op.memo.get(specs) or op.infer(specs, attrs)
    session = None
    operands = []
    values = False
    for t in inputs:
        operands.append(t._operand)
        if t._session is not session:
            if t._session is None:
                values = True
            elif session is None or t._session.symbolic:
                session = t._session
            elif not session.symbolic:
                raise ValueError(_of_two_sessions(op, inputs))
    if known is not attrs:  # a tensor among the attributes, such as the limit of a range, can be symbolic too
        for value in attrs.values():
            if isinstance(value, Tensor) and value._session is not None and value._session.symbolic:
                session = value._session
    if session is None:  # no operand is on the server: perhaps the result need not be either
        folded = fold(op.name, inputs, known, inferred)
        if folded is not None:
            return constant_value_tensor(folded)
        session = context.session()
        values = True
    if session.lost is not None:
        if session.symbolic:
            return session.apply(op, inputs, attrs, inferred)  # type: ignore[attr-defined]
        session.check()
    number = session.bound.get(op.name)
    if number is None:
        number = session.bind(op)
    if values:
        operands = [operand_of(t) for t in inputs]
    given = attrs
    if attrs and known is not attrs:
        attrs = {k: _reference(v) if isinstance(v, Tensor) else v for k, v in attrs.items()}
    place = devices.placement(session, inputs) if session.several_devices else None
    concern = recording.concerned(op, inputs, specs) if recording.counter.open else None
    single = type(inferred) is Spec
    out: Any = next(session.ids) if single else [next(session.ids) for _ in inferred]
    scope = devices.innermost() if devices.scopes_used else None
    item: tuple[Any, ...]
    if concern is not None:
        tapes = [outline.tape_in(session) for outline in concern[0]]
        item = (RUN, number, out, operands, attrs or None, scope, tapes)
    elif scope is not None:
        item = (RUN, number, out, operands, attrs or None, scope)
    elif attrs:
        item = (RUN, number, out, operands, attrs)
    else:
        item = (RUN, number, out, operands)
    # The proxies come first: were this thread interrupted between the two, the server would keep a result that nobody
    # releases.
    if single:
        result: Any = Tensor(session, inferred, out, None, place)  # type: ignore[arg-type]
    else:
        result = tuple([Tensor(session, spec, i, None, place) for spec, i in zip(inferred, out, strict=True)])  # type: ignore[arg-type]
    session.issue(item)
    if concern is not None:
        recording.record(concern, op, given, inputs, specs, (result,) if single else result)
    return result


def _of_two_sessions(op: Op, inputs: Sequence[Operand]) -> str:
    now = context.current()
    old = [n for n, t in zip(op.input_names(len(inputs)), inputs, strict=True) if t._session not in (None, now)]
    return (
        f"the operands belong to different sessions {op.called_on([t._spec for t in inputs])}: "
        f"{' and '.join(old)} is from before connect(), which starts anew. Make it again, or carry its value over with "
        "numpy() before connect()"
    )


def _reference(tensor: Tensor) -> Any:
    """A tensor as an attribute's value on the wire."""
    return ref_ext(materialize(tensor))


def coerce(attr: Attr | None, value: Any, op: str = "") -> Any:
    """An attribute's value as given by the user, in the type its annotation asks for; inference checks the result.

    A tensor stays one only where the attribute may be a tensor and its value is not known here.
    """
    takes_tensor = attr is not None and attr.takes_tensor
    plain = _plain(value, takes_tensor)
    if attr is not None and _has_float(plain) and not isinstance(plain, Operand):
        attr.check(plain, op)  # at once: 2.0 equals 2, so it would find what inference remembers of 2
    if attr is not None and type(plain) is not DType and _wants_dtype(attr) and plain is not None:
        return as_dtype(plain)
    return plain


def _wants_dtype(attr: Attr) -> bool:
    return attr.annotation is DType or DType in getattr(attr.annotation, "__args__", ())


def _plain(value: Any, takes_tensor: bool) -> Any:
    kind = type(value)
    if kind in _PLAIN or kind is float or kind is str or kind is DType:
        return value
    if isinstance(value, Operand):
        known = static_value(value)
        if known is None:
            if takes_tensor:
                return value
            known = value.numpy()
        return _plain(np.asarray(known), False)
    if isinstance(value, np.ndarray | np.generic):
        return _nested(value.tolist())
    if isinstance(value, TensorShape):
        return tuple(value)
    if isinstance(value, list | tuple):
        if takes_tensor and any(isinstance(v, Operand) and static_value(v) is None for v in value):
            return call("stack", *value, axis=0)
        return tuple([_plain(v, False) for v in value])
    if isinstance(value, range):
        return tuple(value)
    if not isinstance(value, type) and hasattr(value, "__index__"):
        return operator.index(value)
    return value


def _has_float(value: Any) -> bool:
    return any(map(_has_float, value)) if type(value) is tuple else type(value) is float


def _nested(value: Any) -> Any:
    return tuple(map(_nested, value)) if isinstance(value, list) else value
