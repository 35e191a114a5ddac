"""Items that change variables: an optimizer's update of a variable is one of them.

Owns: `issue_update`, and `Update`, which keeps what is the same at every step. Does not know rules or learning rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from client.convert import convert_to_tensor, operand_of
from client.dispatch import call
from client.indexed_slices import IndexedSlices
from client.tensor import Operand
from client.variable import Variable
from protocol.ops import OPS
from protocol.spec import Spec
from protocol.wire import RUN

_NO_ATTRS: Final[Mapping[str, Any]] = {}


def issue_update(
    op: str, variables: Sequence[Variable], operands: Sequence[Operand] = (), attrs: Mapping[str, Any] = _NO_ATTRS
) -> None:
    """Run the op `op`, which gives new values to its first inputs, `variables`. Does not wait.

    Raises:
        tf.errors.InvalidArgumentError: dtypes or shapes that do not fit the variables'.
    """
    Update(op, variables, attrs).issue(operands)


class Update:
    """An op that changes `variables`, to be issued many times with other operands of (mostly) the same specs."""

    __slots__ = ("_attrs", "_ids", "_known", "_number", "_op", "_place", "variables")

    def __init__(self, op: str, variables: Sequence[Variable], attrs: Mapping[str, Any] = _NO_ATTRS) -> None:
        self._op = OPS[op]
        self.variables = tuple(variables)
        defaults = self._op.attrs
        self._attrs = {k: v for k, v in attrs.items() if v != defaults[k].default}
        self._ids = [v._operand for v in self.variables]
        self._known: tuple[Spec, ...] = ()
        self._number: int | None = None
        self._place = self.variables[0]._place

    @property
    def op(self) -> str:
        """The name of the op."""
        return self._op.name

    def issue(self, operands: Sequence[Operand], out: Any = 0) -> None:
        """Run the op. `out` are the ids for its results, 0 for none."""
        variables = self.variables
        session = variables[0]._session
        assert session is not None
        if session.lost is not None or session.closed:
            session.check()
        specs = tuple([t._spec for t in operands])
        if specs != self._known:
            self._op.infer((*[v._spec for v in variables], *specs), self._attrs)
            self._known = specs
        if self._number is None:
            self._number = session.bind(self._op)
        for v in variables:
            if v._reading is not None:
                v._changing()
        ids = self._ids + [t._operand if t._session is session else _operand(t, session) for t in operands]
        if self._place is not None and session.several_devices:
            session.issue((RUN, self._number, out, ids, self._attrs or None, self._place))
        elif self._attrs:
            session.issue((RUN, self._number, out, ids, self._attrs))
        else:
            session.issue((RUN, self._number, out, ids))


def _operand(value: Operand, session: Any) -> Any:
    if value._session is not None and value._session is not session:
        raise ValueError("the operands belong to different sessions: one of them is from before connect()")
    return operand_of(value)


def gradient_operands(gradient: Any, variable: Variable) -> tuple[Operand, ...]:
    """A gradient as an update takes it, in the variable's dtype: a tensor, or the rows of `tf.IndexedSlices`.

    The second is empty or has the numbers of the rows.
    """
    dtype = variable._spec.dtype
    indices: tuple[Operand, ...] = ()
    if isinstance(gradient, IndexedSlices):
        gradient, indices = gradient.values, (gradient.indices,)
    elif not isinstance(gradient, Operand):
        gradient = convert_to_tensor(gradient)
    if gradient._spec.dtype is not dtype:
        gradient = call("cast", gradient, dtype=dtype)
    return gradient, *indices
