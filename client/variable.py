"""`tf.Variable`: a value on the server that ops can change.

Owns: `Variable`: creation, assignment, reading, its lifetime. Does not know tapes or optimizers. An op that takes a
variable takes the value it has at that point of the stream, so reading one costs no item of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from client import context, devices, recording
from client.api import public
from client.convert import convert_to_tensor, materialize
from client.reading import read
from client.shape import TensorShape
from client.tensor import Composite, Operand, Reference, Tensor
from protocol.attrs import Unknown
from protocol.dtypes import as_dtype
from protocol.errors import InvalidArgumentError
from protocol.ops import OPS, Op
from protocol.placement import PREFIX
from protocol.spec import Spec, merge_shapes
from protocol.wire import RUN, Item, ref_ext

_NO_ATTRS: Final[Mapping[str, Any]] = {}


@public("Variable")
class Variable(Operand):
    """A tensor that can be assigned to. It lives on the server as long as its last Python reference.

    Args:
        initial_value: the first value, or a function of no arguments that gives it.
        trainable: whether tapes watch it and `trainable_variables` lists it; None means True.
        name: its name; `Variable` when there is none.
        dtype: the dtype to convert `initial_value` to.
        shape: the shape that later values must have, dims unknown allowed; None: that of `initial_value`.

    Raises:
        ValueError: no initial value, or one that does not fit `shape`.

    >>> import client as tf
    >>> v = tf.Variable([1.0, 2.0])
    >>> v.assign_add([1.0, 1.0])
    <tf.Variable 'Variable:0' shape=(2,) dtype=float32, numpy=array([2., 3.], dtype=float32)>
    """

    __slots__ = ("__weakref__", "_handle_name", "_reading", "_restored_by", "_trainable")

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        import_scope: Any = None,
        constraint: Callable[[Tensor], Tensor] | None = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
    ) -> None:
        self._operand = None
        self._reading: Any = None
        self._restored_by = 0  # the number of the restore that gave it its value
        if initial_value is None:
            raise ValueError("The `initial_value` arg to `tf.Variable` must not be None.")
        value = initial_value() if callable(initial_value) else initial_value
        tensor = convert_to_tensor(value, None if dtype is None else as_dtype(dtype))
        wanted = tensor._spec.shape if shape is None else TensorShape(shape).dims
        declared = tensor._spec.shape if wanted is None else tuple(wanted)
        try:
            merge_shapes(declared, tensor._spec.shape)
        except ValueError:
            raise ValueError(
                f"In this `tf.Variable` creation, the initial value's shape ({tensor.shape}) is not compatible with "
                f"the explicitly supplied `shape` argument ({TensorShape(shape)})."
            ) from None
        from client.control_flow import get_current_name_scope

        scope_name = get_current_name_scope()
        self._handle_name = f"{scope_name}/{name or 'Variable'}" if scope_name else name or "Variable"
        self._trainable = trainable is None or bool(trainable)
        self._spec = Spec(tensor._spec.dtype, declared)
        session = tensor._session or context.session()
        session.check()
        scope = devices.innermost()
        self._session = session
        self._place = scope or tensor._place
        identifier = next(session.ids)
        session.issue((Item.VARIABLE, identifier, tensor._operand, *(() if scope is None else (scope,))))
        self._operand = identifier

    def __del__(self) -> None:
        if self._operand is not None and self._session is not None:
            self._session.releases.append(self._operand)

    # --- what is known here ------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name, with TensorFlow's `:0`."""
        return f"{self._handle_name}:0"

    @property
    def trainable(self) -> bool:
        """Whether tapes watch it when it is read."""
        return self._trainable

    @property
    def shape(self) -> TensorShape:
        """The shape that its values have."""
        return TensorShape(self._spec.shape)

    def get_shape(self) -> TensorShape:
        """The shape."""
        return self.shape

    @property
    def ndim(self) -> int:
        """The number of dims."""
        return len(self.shape)

    @property
    def device(self) -> str:
        """The name of the device it is on."""
        assert self._session is not None
        return PREFIX + (self._place or devices.default(self._session))

    def ref(self) -> Reference:
        """A hashable stand-in."""
        return Reference(self)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _snapshot(self) -> Tensor:
        from client.dispatch import execute

        return execute(OPS["identity"], (self,))  # type: ignore[no-any-return]

    def read_value(self) -> Tensor:
        """The value it has now, as a tensor that later assignments don't change."""
        return self._snapshot()

    def value(self) -> Tensor:
        """The value it has now."""
        return self._snapshot()

    def _read(self) -> np.ndarray[Any, Any]:
        return read(self)

    def numpy(self) -> Any:
        """The value it has now, as a NumPy array. Waits."""
        value = self._read()
        return value if value.ndim else value[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.asarray(self._read(), dtype)

    def __bool__(self) -> bool:
        return bool(self._snapshot())

    def __int__(self) -> int:
        return int(self._snapshot())

    def __float__(self) -> float:
        return float(self._snapshot())

    def __index__(self) -> int:
        return self._snapshot().__index__()

    def __len__(self) -> int:
        return len(self._snapshot())

    def __iter__(self) -> Any:
        return iter(self._snapshot())

    def __format__(self, spec: str) -> str:
        return format(self._snapshot(), spec) if spec else repr(self)

    def __repr__(self) -> str:
        return self._described(self._snapshot()._text(True))

    def _described(self, text: str) -> str:
        return f"<tf.Variable '{self.name}' shape={self.shape} dtype={self._spec.dtype.name}, numpy={text}>"

    def __copy__(self) -> Any:
        raise NotImplementedError("copying a variable is not supported: make a new one from its value")

    def __deepcopy__(self, memo: Any) -> Variable:
        copied = Variable(self._snapshot(), self._trainable, name=self._handle_name, shape=self._spec.shape)
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> Any:
        raise NotImplementedError("a variable lives on a server and cannot be pickled: pickle its numpy() value")

    # --- changing ----------------------------------------------------------------------------------------------------

    def assign(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Give it another value. Does not wait; returns the variable.

        Raises:
            ValueError: the value has another shape.
            TypeError, ValueError: it does not convert to the variable's dtype.
        """
        return self._change("assign", value)

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Add `delta` to the value. Does not wait; returns the variable."""
        return self._change("assign_add", delta)

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Subtract `delta` from the value. Does not wait; returns the variable."""
        return self._change("assign_sub", delta)

    def _assign_slice(self, key: Any, value: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """What `v[key].assign(value)` does."""
        from client.indexing import slice_attributes

        return self._change("assign_slice", value, slice_attributes(key))

    def scatter_nd_update(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """Set the elements or slices at positions `indices` (the last axis is a position) to `updates`."""
        return self._scatter_nd("update", indices, updates)

    def scatter_nd_add(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """Add `updates` at positions `indices`; what is named more than once adds up."""
        return self._scatter_nd("add", indices, updates)

    def scatter_nd_sub(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """Subtract `updates` at positions `indices`."""
        return self._scatter_nd("sub", indices, updates)

    def scatter_nd_max(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """Keep the larger of the values at positions `indices` and `updates`."""
        return self._scatter_nd("max", indices, updates)

    def scatter_nd_min(self, indices: Any, updates: Any, name: str | None = None) -> Variable:
        """Keep the smaller of the values at positions `indices` and `updates`."""
        return self._scatter_nd("min", indices, updates)

    def scatter_update(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Set rows to those of `tf.IndexedSlices`. Raises TypeError for anything else."""
        return self._scatter_rows("update", sparse_delta)

    def scatter_add(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Add the rows of `tf.IndexedSlices`."""
        return self._scatter_rows("add", sparse_delta)

    def scatter_sub(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Subtract the rows of `tf.IndexedSlices`."""
        return self._scatter_rows("sub", sparse_delta)

    def scatter_max(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Keep the larger of the rows there and those of `tf.IndexedSlices`."""
        return self._scatter_rows("max", sparse_delta)

    def scatter_min(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        """Keep the smaller of the rows there and those of `tf.IndexedSlices`."""
        return self._scatter_rows("min", sparse_delta)

    def gather_nd(self, indices: Any, name: str | None = None) -> Tensor:
        """The elements or slices at positions `indices`: `tf.gather_nd`."""
        from client.dispatch import call

        return call("gather_nd", self, indices)  # type: ignore[no-any-return]

    def sparse_read(self, indices: Any, name: str | None = None) -> Tensor:
        """The rows at `indices`: `tf.gather`."""
        from client.dispatch import call

        return call("gather", self, indices, axis=0)  # type: ignore[no-any-return]

    def _scatter_rows(self, how: str, rows: Any) -> Variable:
        from client.dispatch import call

        if not isinstance(rows, Composite):
            raise TypeError(f"Argument `sparse_delta` must be a `tf.IndexedSlices`. Received arg: {rows}")
        indices = call("expand_dims", rows.indices, axis=-1)  # type: ignore[attr-defined]
        return self._scatter_nd(how, indices, rows._rows())

    def _scatter_nd(self, how: str, indices: Any, updates: Any) -> Variable:
        from client.dispatch import call

        if not isinstance(updates, Operand):
            updates = convert_to_tensor(updates, self._spec.dtype)
        with recording.paused():
            return self._change("assign", call(f"tensor_scatter_nd_{how}", self, indices, updates))

    def _changing(self) -> None:
        """To be called before an item that changes it is issued: tapes keep the value that they still need."""
        if self._reading is not None:
            recording.freeze(self)

    def _change(self, op: str, value: Any, attrs: Mapping[str, Any] = _NO_ATTRS) -> Variable:
        tensor = value if isinstance(value, Operand) else convert_to_tensor(value, self._spec.dtype)
        if tensor._spec.dtype is not self._spec.dtype:
            tensor = convert_to_tensor(tensor, self._spec.dtype)  # raises, with TensorFlow's text
        session = self._session
        assert session is not None
        if tensor._session is not None and tensor._session.symbolic:
            return self  # a layer is shown what shapes it gives: nothing is computed
        session.check()
        if tensor._session is not session and tensor._session is not None:
            tensor._session.check()  # it may be from before connect()
        self._changing()
        definition = OPS[op]
        if not attrs:
            self._check(definition, tensor, attrs)
            session.issue((RUN, session.bind(definition), 0, [self._operand, tensor._operand]))
            return self
        known = {k: Unknown(v._spec) if isinstance(v, Tensor) else v for k, v in attrs.items()}
        self._check(definition, tensor, known)
        sent = {k: ref_ext(materialize(v)) if isinstance(v, Tensor) else v for k, v in attrs.items()}
        session.issue((RUN, session.bind(definition), 0, [self._operand, tensor._operand], sent))
        return self

    def _check(self, definition: Op, tensor: Operand, attrs: Mapping[str, Any]) -> None:
        """Raise, with the variable's name, where an op that changes it does not take such a value."""
        try:
            definition.infer((self._spec, tensor._spec), attrs)
        except (InvalidArgumentError, ValueError) as error:
            raise type(error)(f"{error} of the variable {self.name!r}") from None
