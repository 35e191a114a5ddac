"""`tf.Tensor`: a proxy of a value on the server.

Owns: `Tensor`: what is known of it here (dtype, shape, a small value), reading it, printing it, Python's protocols.
Does not know how ops are sent (`client.dispatch`) or which ops operators mean (`client.operators`, which adds them).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from client import format as formatting
from client.shape import TensorShape
from protocol.dtypes import DType
from protocol.placement import PREFIX
from protocol.spec import Spec, element_count

if TYPE_CHECKING:
    from client.session import Session


class Operand:
    """What an op takes: a tensor or a variable. `_operand` is its id on the server, or the value itself where that is
    small and known.
    """

    __slots__ = ("_operand", "_place", "_session", "_spec")

    # Makes `array + tensor` ask the tensor first.
    __array_priority__ = 100

    _operand: Any
    _place: str | None
    _session: Session | None
    _spec: Spec

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._spec.dtype

    def _described(self, text: str) -> str:
        """The `repr`, given the text of the value."""
        raise NotImplementedError

    def _repr_html_(self) -> str | None:
        """For Jupyter: the value as a table. One wait."""
        from client.html import operand_html

        return operand_html(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """For Jupyter, which asks for text and HTML at once: both from one read."""
        from client.html import operand_bundle

        return operand_bundle(self)

    if TYPE_CHECKING:  # `client.operators` installs the operators

        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, key: Any) -> Any: ...


class Tensor(Operand):
    """An immutable multi-dimensional array on the server.

    Made by ops and by `tf.constant`. Attributes that describe it are known here and cost nothing; `numpy()`, `print`,
    `float(x)`, `bool(x)`, iteration over values and `np.asarray(x)` read it: they wait for the server, at most once for
    a tensor.

    >>> import client as tf
    >>> x = tf.constant([[1, 2], [3, 4]])
    >>> x.shape, x.dtype
    (TensorShape([2, 2]), tf.int32)
    >>> print(x + 1)
    tf.Tensor(
    [[2 3]
     [4 5]], shape=(2, 2), dtype=int32)
    """

    __slots__ = ("__weakref__", "_origin", "_value")

    _value: np.ndarray[Any, Any] | None
    _origin: Any  # set on slices of variables (the variable and the key) and on symbolic tensors (their node) alone

    def __init__(
        self,
        session: Session | None,
        spec: Spec,
        operand: Any,
        value: np.ndarray[Any, Any] | None = None,
        place: str | None = None,
    ) -> None:
        self._session = session
        self._spec = spec
        self._operand = operand
        self._value = value
        self._place = place

    def __del__(self) -> None:
        # No I/O, no lock, nothing that can fail: this runs anywhere, also while the interpreter ends.
        try:
            if type(self._operand) is int and self._session is not None:
                self._session.releases.append(self._operand)
        except AttributeError:  # its construction was interrupted
            pass

    if not TYPE_CHECKING:  # to a type checker, operators and `assign` are there

        def __getattr__(self, name: str) -> Any:
            if name == "assign":  # only slices of variables have it: `v[1:].assign(...)`
                try:
                    variable, key = object.__getattribute__(self, "_origin")
                except (AttributeError, TypeError, ValueError):
                    pass
                else:
                    return functools.partial(variable._assign_slice, key)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # --- what is known here ------------------------------------------------------------------------------------------

    @property
    def shape(self) -> TensorShape:
        """The shape. Where only the server knows it (`tf.unique`, `tf.boolean_mask`), asking waits."""
        if not self._spec.is_static and not self._is_symbolic:
            from client.reading import resolve_shape

            resolve_shape(self)
        return TensorShape(self._spec.shape)

    def get_shape(self) -> TensorShape:
        """The shape."""
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Check that the tensor can have `shape`. Raises ValueError."""
        if not self.shape.is_compatible_with(shape):
            raise ValueError(f"Tensor's shape {self.shape} is not compatible with supplied shape {TensorShape(shape)}")

    @property
    def ndim(self) -> int:
        """The number of dims."""
        shape = self._spec.shape
        return len(self.shape) if shape is None else len(shape)

    @property
    def device(self) -> str:
        """The name of the device it is on, as TensorFlow writes it."""
        place = self._place
        if place is None:
            place = self._session.devices[-1 if len(self._session.devices) == 1 else 1] if self._session else "CPU:0"
        return PREFIX + place

    @property
    def backing_device(self) -> str:
        """The device that holds its memory."""
        return self.device

    @property
    def name(self) -> str:
        """Eager tensors have no name. Raises AttributeError, as TensorFlow's do."""
        raise AttributeError("Tensor.name is undefined when eager execution is enabled.")

    def ref(self) -> Reference:
        """A hashable stand-in: tensors compare elementwise and so cannot be dictionary keys themselves."""
        return Reference(self)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self) -> np.ndarray[Any, Any]:
        """The value; not to be written to."""
        value = self._value
        if value is None:
            from client.reading import read

            value = read(self)
        return value

    def numpy(self) -> Any:
        """The value as a NumPy array, a NumPy scalar for a scalar. Waits, unless it is known here already.

        Raises:
            tf.errors.OpError: computing it, or anything it depends on, failed; or another op failed and nobody has been
            told yet.
        """
        value = self._read()
        if not value.ndim:
            return value[()]
        return value if value.flags.writeable else value.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        value = self._read()
        if dtype is not None and value.dtype != dtype:
            return value.astype(dtype)
        return value.copy() if copy is not False and not value.flags.writeable else value

    def __bool__(self) -> bool:
        value = self._read()
        if value.size != 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
                if value.size
                else "The truth value of an empty array is ambiguous. Use `array.size > 0` to check for emptiness."
            )
        return bool(value)

    def __int__(self) -> int:
        return int(self._scalar())

    def __float__(self) -> float:
        return float(self._scalar())

    def __complex__(self) -> complex:
        return complex(self._scalar())

    def __index__(self) -> int:
        if not self._spec.dtype.is_integer:
            raise TypeError(f"only integer scalar tensors can be converted to an index, not {self._spec}")
        return int(self._scalar())

    def _scalar(self) -> Any:
        value = self._read()
        if value.size != 1:
            raise TypeError(f"only size-1 tensors can be converted to Python scalars, not {self._spec}")
        return value.reshape(())[()]

    def __round__(self, digits: int | None = None) -> Any:
        return round(self._scalar(), digits) if digits is not None else round(self._scalar())

    def __len__(self) -> int:
        shape = self._spec.shape
        if shape is None or (shape and shape[0] is None):
            shape = tuple(self.shape)
        if not shape:
            raise TypeError("Scalar tensor has no `len()`")
        length = shape[0]
        assert length is not None
        return length

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError("Cannot iterate over a scalar tensor.")
        return (self[i] for i in range(len(self)))

    def __contains__(self, item: Any) -> bool:
        return bool(np.any(self._read() == np.asarray(item)))

    # --- printing ----------------------------------------------------------------------------------------------------

    @property
    def _is_symbolic(self) -> bool:
        """Whether it stands for a value of a later call, in a functional model, and has none itself."""
        return self._session is not None and self._session.symbolic

    def _text(self, is_repr: bool) -> str:
        from client.reading import read_summary

        return formatting.text(*read_summary(self), is_repr)

    def __str__(self) -> str:
        if self._is_symbolic:
            return repr(self)
        text = self._text(False)
        return f"tf.Tensor({text}, shape={self.shape}, dtype={self._spec.dtype.name})"

    def __repr__(self) -> str:
        if self._is_symbolic:
            return f"<KerasTensor shape={self._spec.shape}, dtype={self._spec.dtype.name}>"
        return self._described(self._text(True))

    def _described(self, text: str) -> str:
        return f"<tf.Tensor: shape={self.shape}, dtype={self._spec.dtype.name}, numpy={text}>"

    def __format__(self, spec: str) -> str:
        value = self._read()
        if not value.ndim:
            return format(value[()], spec)
        return format(str(value), spec)

    # --- copying -----------------------------------------------------------------------------------------------------

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: Any) -> Tensor:
        return self  # immutable: a copy could not be told from it

    def __reduce__(self) -> tuple[Any, ...]:
        # The value travels, not the proxy: another process has another session, or none.
        from client.convert import constant

        return constant, (self._read(),)

    # --- elsewhere ---------------------------------------------------------------------------------------------------

    def cpu(self) -> Tensor:
        """A copy of this tensor on the server's CPU."""
        from client.devices import copy_to

        return copy_to(self, "CPU:0")

    def gpu(self, gpu_index: int = 0) -> Tensor:
        """A copy of this tensor on a GPU of the server. Raises tf.errors.InvalidArgumentError when there is none."""
        from client.devices import copy_to

        return copy_to(self, f"GPU:{gpu_index}")

    def eval(self, *_: Any, **__: Any) -> Any:
        """Of TensorFlow 1. Raises NotImplementedError."""
        raise NotImplementedError(
            "eval is not supported when eager execution is enabled, is .numpy() what you're looking for?"
        )


class Composite:
    """What is no tensor but stands for one, made when an op needs it: `tf.IndexedSlices`."""

    __slots__ = ()

    @property
    def dtype(self) -> DType:
        """The element type."""
        raise NotImplementedError

    def _dense(self) -> Tensor:
        raise NotImplementedError

    def _rows(self) -> Tensor:
        """The part that holds its values."""
        raise NotImplementedError

    def _with_rows(self, rows: Tensor) -> Any:
        """The same with other values."""
        raise NotImplementedError


class Reference:
    """What `Tensor.ref()` gives: equal and hashable by identity."""

    __slots__ = ("_target",)

    def __init__(self, target: Any) -> None:
        self._target = target

    def deref(self) -> Any:
        """The tensor or variable itself."""
        return self._target

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self._target is other._target

    def __hash__(self) -> int:
        return id(self._target)

    def __repr__(self) -> str:
        return f"<Reference wrapping {self._target!r}>"


def size_known(spec: Spec) -> int | None:
    """The bytes of a tensor of `spec`, None where its shape is not known."""
    return element_count(spec.shape) * spec.dtype.size if spec.is_static else None
