"""`tf.function`, which runs its Python function as it is, and the questions programs ask about eager execution.

Owns: `function` and the check of its `input_signature`, `executing_eagerly`, `is_tensor`, `get_static_value` and
    their like. Does not know graphs:
there are none, as in TensorFlow after `tf.config.run_functions_eagerly(True)`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from client import nest
from client.api import public
from client.convert import convert_to_tensor, static_value
from client.tensor import Composite, Operand, Tensor
from client.tensor_spec import TensorSpec


class Function:
    """What `tf.function` makes of a Python function. Calling it calls that, with the arguments converted if there is
    an `input_signature`.
    """

    def __init__(self, python_function: Callable[..., Any], name: str, signature: _Signature | None) -> None:
        functools.update_wrapper(self, python_function)
        self._python_function = python_function
        self._name = name
        self._signature = signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._signature is not None:
            args, kwargs = self._signature.converted(args, kwargs)
        return self._python_function(*args, **kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        bound = self._python_function.__get__(instance, owner)
        return Function(bound, self._name, self._signature and self._signature.bound())

    @property
    def python_function(self) -> Callable[..., Any]:
        """The Python function itself."""
        return self._python_function

    @property
    def name(self) -> str:
        """The Python function's name."""
        return self._name

    @property
    def input_signature(self) -> tuple[Any, ...] | None:
        """The specs of the arguments, as given; None without them."""
        return None if self._signature is None else self._signature.specs

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> Function:
        """This function: nothing is traced for certain arguments, so it serves for them and for all others.

        Raises:
            TypeError: the Python function does not take these arguments.
        """
        if args or kwargs or self._signature is None:
            try:
                inspect.signature(self._python_function).bind(*args, **kwargs)
            except TypeError as error:
                raise _binding_error(error, args, kwargs, self._python_function) from None
        return self

    def experimental_get_tracing_count(self) -> int:
        """How often it was traced: never."""
        return 0

    def __repr__(self) -> str:
        return f"<tf.function {self._name}>"


class _Signature:
    """An `input_signature` and the parameters that its specs are for."""

    def __init__(self, python_function: Callable[..., Any], specs: Any) -> None:
        if not isinstance(specs, list | tuple):
            raise TypeError(f"input_signature must be either a tuple or a list, got {type(specs)}.")
        invalid = [s for s in nest.flatten(specs) if not isinstance(s, TensorSpec)]
        if invalid:
            raise TypeError(
                "input_signature must be a possibly nested sequence of TensorSpec objects, got invalid args "
                f"{invalid} with types {[type(s) for s in invalid]}."
            )
        self.specs = tuple(specs)
        self._python_function = python_function
        self._parameters = inspect.signature(python_function)
        names = list(self._parameters.parameters)
        self._skipped = int(bool(names) and names[0] == "self")
        self._check()

    def bound(self) -> _Signature:
        """The signature of the method bound to its instance."""
        found: _Signature = object.__new__(_Signature)
        found.specs, found._python_function, found._skipped = self.specs, self._python_function, 0
        parameters = list(self._parameters.parameters.values())
        found._parameters = self._parameters.replace(parameters=parameters[1:])
        return found

    def _check(self) -> None:
        positional, variadic = 0, False
        for parameter in list(self._parameters.parameters.values())[self._skipped :]:
            if parameter.kind is parameter.VAR_POSITIONAL:
                variadic = True
            elif parameter.kind is not parameter.VAR_KEYWORD:
                positional += 1
                if positional > len(self.specs) and parameter.default is parameter.empty:
                    raise TypeError(f"input_signature missing type constraint for {parameter.name}")
        if len(self.specs) > positional and not variadic:
            raise TypeError(f"input_signature contains {len(self.specs) - positional} extra type constraints.")

    def converted(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments, those that have a spec as tensors. Raises TypeError, as TensorFlow does."""
        try:
            bound = self._parameters.bind(*args, **kwargs)
            bound.apply_defaults()
            specs = iter(self.specs)
            for parameter in list(self._parameters.parameters.values())[self._skipped :]:
                value = bound.arguments[parameter.name]
                if parameter.kind is parameter.VAR_POSITIONAL:
                    rest = list(specs)
                    if len(value) != len(rest):
                        raise TypeError(f"{len(rest)} values are wanted for *{parameter.name}, {len(value)} were given")
                    bound.arguments[parameter.name] = tuple(map(_cast, value, rest))
                elif parameter.kind is not parameter.VAR_KEYWORD:
                    spec = next(specs, None)
                    if spec is not None:
                        bound.arguments[parameter.name] = _cast(value, spec)
        except (TypeError, ValueError) as error:
            raise _binding_error(error, args, kwargs, self._python_function) from None
        return bound.args, bound.kwargs


def _cast(value: Any, spec: Any) -> Any:
    """`value` as a tensor that `spec` describes, or a structure of them."""
    if isinstance(spec, TensorSpec):
        tensor = convert_to_tensor(value) if isinstance(value, Operand) else convert_to_tensor(value, spec.dtype)
        if not spec.is_compatible_with(tensor):
            raise TypeError(f"Can not cast {TensorSpec.from_tensor(tensor)} to {spec}")
        return tensor
    if isinstance(spec, Mapping):
        if not isinstance(value, Mapping) or set(value) != set(spec):
            raise TypeError(f"{_shown(value)} has different keys than {spec}")
        return {k: _cast(value[k], spec[k]) for k in spec}
    if not isinstance(value, list if isinstance(spec, list) else tuple):
        raise TypeError(f"Can not cast {_shown(value)} to {type(spec).__name__} type.")
    if len(value) != len(spec):
        raise TypeError(f"Can not cast {_shown(value)} to a {type(spec).__name__} of {len(spec)}")
    items = [_cast(v, s) for v, s in zip(value, spec, strict=True)]
    return nest.pack_sequence_as(nest.map_structure(lambda _: 0, value), nest.flatten(items))


def _shown(value: Any) -> Any:
    """`value` with tensors as specs, because printing their values would wait."""
    return nest.map_structure(lambda v: TensorSpec.from_tensor(v) if isinstance(v, Operand) else v, value)


def _binding_error(error: Exception, args: Any, kwargs: Any, python_function: Callable[..., Any]) -> TypeError:
    return TypeError(
        f"Binding inputs to tf.function failed due to `{error}`. Received args: {_shown(args)} and kwargs: "
        f"{_shown(kwargs)} for signature: {inspect.signature(python_function)}."
    )


@public("function")
def function(
    func: Callable[..., Any] | None = None,
    input_signature: Any = None,
    autograph: bool = True,
    jit_compile: bool | None = None,
    reduce_retracing: bool = False,
    experimental_implements: str | None = None,
    experimental_autograph_options: Any = None,
    experimental_attributes: Any = None,
    experimental_relax_shapes: bool | None = None,
    experimental_compile: bool | None = None,
    experimental_follow_type_hints: bool | None = None,
) -> Any:
    """The Python function, run as it is each time; as a decorator, with or without arguments, also of methods.

    In TensorFlow this makes a graph, to save what each op costs in Python. Here ops are sent without waiting, and
    Python runs on: there
    is nothing to trace, and so no stale traces: side effects happen every time.

    Args:
        func: the function. None: a decorator is returned.
        input_signature: a list or tuple of `tf.TensorSpec`s, or structures of them, one a parameter: arguments are
            checked and converted to tensors.
        autograph: ignored: Python's `if` and `while` work on tensors, waiting for their values.
        jit_compile: ignored.
        reduce_retracing: ignored.
        experimental_implements: ignored.
        experimental_autograph_options: ignored.
        experimental_attributes: ignored.
        experimental_relax_shapes: ignored.
        experimental_compile: ignored.
        experimental_follow_type_hints: ignored.

    Returns:
        A callable with `python_function`, `input_signature` and `get_concrete_function`.

    Raises:
        TypeError: `func` is not callable, or the signature does not fit it; when called, arguments that don't fit the
            signature.

    >>> import client as tf
    >>> @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    ... def double(x):
    ...     return x * 2
    >>> double([1.0, 2.0])
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([2., 4.], dtype=float32)>
    """

    def decorated(inner: Callable[..., Any]) -> Function:
        if not callable(inner):
            raise TypeError(f"{inner!r} is not a callable object")
        signature = None if input_signature is None else _Signature(inner, input_signature)
        original: Any = inner
        while isinstance(original, functools.partial):
            original = original.func
        return Function(inner, getattr(original, "__name__", "f"), signature)

    return decorated if func is None else decorated(func)


# --- questions about execution ---------------------------------------------------------------------------------------


@public("executing_eagerly")
def executing_eagerly() -> bool:
    """True: ops run when they are called."""
    return True


@public("inside_function")
def inside_function() -> bool:
    """False: nothing is being traced, inside a `tf.function` either."""
    return False


@public("is_tensor")
def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor or a variable.

    >>> import client as tf
    >>> tf.is_tensor(tf.constant(1)), tf.is_tensor(1)
    (True, False)
    """
    return isinstance(x, Operand | Composite)


@public("get_static_value")
def get_static_value(tensor: Any, partial: bool = False) -> Any:
    """The value of a tensor where it is known without waiting for the server, None otherwise; what is no tensor as it
    is.

    Known are small constants, values read before, `tf.shape` of a known shape, and arithmetic of small integers that
    are known.

    Args:
        tensor: a tensor.
        partial: ignored: a value is known as a whole or not at all.

    >>> import client as tf
    >>> x = tf.ones([4, 5])
    >>> int(tf.get_static_value(tf.shape(x)[0] * 2))
    8
    >>> tf.get_static_value(tf.reduce_sum(x)) is None
    True
    """
    if isinstance(tensor, Tensor):
        value = static_value(tensor)
        return None if value is None else value[()] if not value.ndim else np.array(value)
    return None if isinstance(tensor, Operand) else tensor
