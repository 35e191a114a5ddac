"""`keras.layers.Layer`: a function with variables.

Owns: building at the first call, `training` and `mask` handed on to inner layers, losses, configuration. Does not know
weights (`ownership`), any layer in particular, nor graphs of symbolic tensors (`keras.models.functional`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np

import client as tf
from client import nest
from client.api import public
from client.keras import regularizers
from client.keras.layers import masks
from client.keras.layers.context import calls, context, unique_name
from client.keras.layers.input_spec import InputSpec, check_inputs
from client.keras.layers.ownership import Owner, is_metric
from client.keras.layers.values import floating_dtype, holds_tensors, is_plain, shape_of, symbols_of
from client.keras.serialization import Registry
from client.keras.weights import Weight
from client.symbolic import symbols_in
from client.tensor import Composite, Operand, Tensor
from client.tracking import snake_case
from protocol.dtypes import DType

LAYERS: Final = Registry("layer")


class _Signature(NamedTuple):
    """What `call` and `build` take."""

    arguments: tuple[str, ...]
    training: bool  # whether `call` takes it
    training_position: int  # among its arguments
    default_training: bool | None
    masks: tuple[str, ...]
    build_arguments: tuple[str, ...]
    makes_masks: bool  # whether `compute_mask` may give one where the input has none


def _signature_of(cls: type) -> _Signature:
    call = list(inspect.signature(cls.call).parameters.values())[1:]  # type: ignore[attr-defined]
    names = tuple(p.name for p in call if p.kind is not p.VAR_KEYWORD and p.kind is not p.VAR_POSITIONAL)
    build = list(inspect.signature(cls.build).parameters.values())[1:]  # type: ignore[attr-defined]
    return _Signature(
        names,
        "training" in names,
        names.index("training") if "training" in names else len(names),
        next((p.default for p in call if p.name == "training" and p.default is not p.empty), None),
        tuple(n for n in names if n == "mask" or n.endswith("_mask")),
        tuple(p.name for p in build if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)),
        cls.compute_mask is not Layer.compute_mask,  # type: ignore[attr-defined]
    )


@public("keras.layers.Layer", "keras.Layer")
@LAYERS.add()
class Layer(Owner):
    """A base for layers: override `__init__`, `build` and `call`.

    Variables, layers and metrics that are assigned to attributes (also in lists and dicts) belong to the layer.

    Args:
        activity_regularizer: a function of the output whose value is added to the losses.
        trainable: whether its weights are.
        dtype: the dtype of its weights and computations.
        autocast: whether floating-point inputs are cast to that dtype.
        name: its name; None: made of the class's name and a number.
        kwargs: `input_shape=` (without the batch), `batch_input_shape=` or `input_dim=`, in the first layer of a model.

    Raises:
        ValueError: other keyword arguments.

    >>> import client as tf
    >>> class Scale(tf.keras.layers.Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> layer = Scale(name="scale")
    >>> layer(tf.ones([2, 3])).shape, layer.weights[0].path
    (TensorShape([2, 3]), 'scale/factor')
    """

    _signature: ClassVar[_Signature]
    _self_by_ops: ClassVar[bool] = False  # its ops say more of its outputs than `compute_output_shape`
    _self_config: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._signature = _signature_of(cls)
        if "build" in cls.__dict__:
            cls.build = _building(cls.__dict__["build"])  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **kwargs: Any) -> Layer:
        made = super().__new__(cls)
        signature = inspect.signature(cls.__init__)
        try:
            bound = signature.bind(made, *args, **kwargs)
        except TypeError:
            return made  # __init__ says what is wrong
        bound.apply_defaults()
        given = dict(list(bound.arguments.items())[1:])
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                given.update(given.pop(parameter.name, {}))
        made.__dict__["_self_config"] = given
        return made

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        shape = kwargs.pop("input_shape", None)
        batch_shape = kwargs.pop("batch_input_shape", None) or kwargs.pop("batch_shape", None)
        dim = kwargs.pop("input_dim", None)
        batch_size = kwargs.pop("batch_size", None)
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}")
        if dim is not None:
            shape = (dim,)
        if shape is not None and batch_shape is None:
            batch_shape = (batch_size, *((shape,) if isinstance(shape, int) else shape))
        self._self_batch_input_shape: tuple[int | None, ...] | None = batch_shape
        self._self_name = name or unique_name(snake_case(type(self).__name__))
        self._self_trainable = trainable
        self._self_dtype = floating_dtype(dtype)
        self._self_autocast = autocast
        self._self_losses: list[Any] = []
        self._self_losses_call = 0  # the outermost call that they belong to
        self._self_called = 0  # the outermost call that it was last called in
        self._self_build_shape: Any = None
        self._self_path = ""
        self.built = False
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.supports_masking = False
        self.input_spec: Any = None
        self._self_nodes: list[Any] = []

    # --- what it is --------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Its name."""
        return self._self_name

    @property
    def path(self) -> str:
        """Its name after those of the layers around it at its first call."""
        return self._self_path or self._self_name

    @property
    def dtype(self) -> DType:
        """The dtype of its weights."""
        return self._self_dtype

    @property
    def compute_dtype(self) -> DType:
        """The dtype of its computations."""
        return self._self_dtype

    variable_dtype = dtype

    @property
    def input_dtype(self) -> DType:
        """The dtype that floating-point inputs are cast to."""
        return self._self_dtype

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    # --- to be overridden --------------------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the weights, given the shapes of the inputs (dims unknown are None). Called once, at the first call."""
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What it computes. May take `training` and `mask`."""
        raise NotImplementedError(f"Layer {type(self).__name__} does not have a `call()` method implemented.")

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the output: that of the input, where the layer supports masking."""
        return previous_mask

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape of the output for inputs of a shape; by default found by running the layer's ops on no data."""
        from client.keras.models.functional import traced

        found = traced(self, [symbols_of(s, self.compute_dtype) for s in args], kwargs)
        return nest.map_structure(lambda t: tuple(t._spec.shape), found)

    # --- calling -----------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Build at the first call, then `call`, with inputs converted to tensors and `training` and masks handed on.

        `training` is the argument, else that of the layer around it, else the default of `call`.

        Raises:
            RuntimeError: its `__init__` did not call `super().__init__()`.
        """
        first = args[0] if args else None
        if type(first) is not Tensor or kwargs or len(args) != 1 or first._spec.dtype is not self._self_dtype:
            args, kwargs = self._converted(args, kwargs)
            if not context.tracing and symbols_in((args, kwargs)):
                from client.keras.models.functional import call_symbolically

                return call_symbolically(self, args, kwargs)
            first = args[0] if args else next(iter(kwargs.values()), None)
        if self.input_spec is not None:
            check_inputs(self.input_spec, first, self._self_name)
        if not self.built:
            self._build(args, kwargs)
        signature = self._signature
        mask = None
        if masks.any_masks() or kwargs:
            if signature.masks:
                self._add_masks(signature, args, kwargs)
            mask = kwargs.get("mask")
            if mask is None:
                mask = masks.of(first)
        outer, call = context.training, context.call
        context.training = self._training(signature, args, kwargs, outer)
        if not call:
            context.call = next(calls)
        if not context.tracing:
            self.__dict__["_self_called"] = context.call
        context.path.append(self._self_name)
        try:
            outputs = self.call(*args, **kwargs)
            if self.activity_regularizer is not None:
                self._regularize(outputs)
        finally:
            context.training, context.call = outer, call
            context.path.pop()
        if mask is not None or (signature.makes_masks and self.supports_masking):
            self._set_masks(first, mask, outputs)
        return outputs

    @staticmethod
    def _training(signature: _Signature, args: tuple[Any, ...], kwargs: dict[str, Any], outer: bool | None) -> Any:
        """What `training` is in this call; in `kwargs` only if `call` takes it."""
        if signature.training and signature.training_position < len(args):
            given = args[signature.training_position]
            return outer if given is None else given
        if kwargs:
            given = kwargs.get("training") if signature.training else kwargs.pop("training", None)
            if given is not None:
                return given
        if outer is None:
            return signature.default_training
        if signature.training:
            kwargs["training"] = outer
        return outer

    def _regularize(self, outputs: Any) -> None:
        """Add to the losses what the regularizer of the outputs gives, by the size of the batch."""
        for each in nest.flatten(outputs):
            loss = self.activity_regularizer(each)
            if each.shape.rank != 0:
                loss = tf.math.divide_no_nan(loss, tf.cast(tf.shape(each)[0], loss.dtype))
            self.add_loss(loss)

    def _converted(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arrays, numbers and lists as tensors, and floating-point tensors in the layer's dtype."""
        if "_self_name" not in self.__dict__:
            raise RuntimeError(
                f"In layer {type(self).__name__!r}, you forgot to call `super().__init__()` as the first statement in "
                f"the `__init__()` method. Go add it!"
            )
        return tuple([self._input(a) for a in args]), {
            k: v if k == "training" or k.endswith("mask") else self._input(v) for k, v in kwargs.items()
        }

    def _input(self, value: Any) -> Any:
        kind = type(value)
        if kind is bool or kind is str or value is None:
            return value
        if isinstance(value, Operand):
            if self._self_autocast and value._spec.dtype.is_floating and value._spec.dtype is not self._self_dtype:
                found = tf.cast(value, self._self_dtype)
                if masks.of(value) is not None:
                    masks.put(found, masks.of(value))
                return found
            return value
        if isinstance(value, np.ndarray | np.generic | Composite) or kind is float or kind is int:
            return self._input(tf.convert_to_tensor(value)) if kind is not int else value
        if kind in (list, tuple) and not holds_tensors(value):
            try:
                return self._input(tf.convert_to_tensor(value)) if value else value
            except (TypeError, ValueError):
                return value
        if nest.is_nested(value):
            return nest.map_structure(self._input, value)
        return value

    def _build(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        names = self._signature.arguments
        values = {**dict(zip(names, args, strict=False)), **{k: v for k, v in kwargs.items() if k in names}}
        shapes = {k: shape_of(v) for k, v in values.items() if k not in ("training",) and not k.endswith("mask")}
        shapes = {k: s for k, s in shapes.items() if s is not None}
        wanted = self._signature.build_arguments
        self._self_build_shape = next(iter(shapes.values()), None) if len(shapes) == 1 else None
        if len(wanted) == 1:
            self.build(next(iter(shapes.values()), None))
        else:
            by_name = {f"{k}_shape": s for k, s in shapes.items()}
            self.build(*[by_name.get(w) for w in wanted])
        self.built = True

    def _add_masks(self, signature: _Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        values = dict(zip(signature.arguments, args, strict=False)) | kwargs
        for name in signature.masks:
            if values.get(name) is None:
                source = signature.arguments[0] if name == "mask" else name.removesuffix("_mask")
                found = masks.of(values.get(source))
                if found is not None:
                    kwargs[name] = found

    def _set_masks(self, inputs: Any, mask: Any, outputs: Any) -> None:
        if not self.supports_masking or (mask is None and all(masks.of(y) is not None for y in nest.flatten(outputs))):
            return
        found = self.compute_mask(inputs, mask)
        if found is not None:
            flat = nest.flatten(outputs)
            given = nest.flatten(found)
            for each, its in zip(flat, given if len(given) == len(flat) else given * len(flat), strict=False):
                if its is not None:
                    masks.put(each, its)

    # --- losses and metrics ------------------------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Add a scalar tensor (or several) to the losses of this call; the next outermost call forgets them."""
        if not context.tracing:
            if context.call and self._self_losses_call != context.call:
                self._self_losses.clear()
            self._self_losses_call = context.call or next(calls)
            self._self_losses.extend(tf.convert_to_tensor(each) for each in nest.flatten(loss))

    @property
    def losses(self) -> list[Any]:
        """What `add_loss` and the regularizers of its weights and outputs give, also in the layers within."""
        found: list[Any] = []
        for layer in dict.fromkeys(self._flatten_layers()):
            if layer._self_losses_call >= self._self_called:
                found.extend(layer._self_losses)
        for weight in self.trainable_weights:
            if isinstance(weight, Weight) and weight.regularizer is not None:
                found.append(weight.regularizer(weight))  # type: ignore[arg-type]
        return found

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._self_losses.clear()

    @property
    def metrics(self) -> list[Any]:
        """The metrics in its attributes, and in the layers within."""
        found = [m for m in self._own() if is_metric(m)]
        for layer in self._layers:
            found.extend(m for m in layer.metrics if m not in found)
        return found

    # --- configuration -----------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that make such a layer again, as plain values.

        Raises:
            NotImplementedError: the class takes arguments that are no plain values, and has no `get_config` itself.
        """
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype.name}
        if type(self).get_config is Layer.get_config:
            for name, value in self._self_config.items():
                if name not in ("name", "trainable", "dtype"):
                    if not is_plain(value):
                        raise NotImplementedError(
                            f"Object {type(self).__name__} was created by passing non-serializable argument values in "
                            f"`__init__()`, and therefore the object must override `get_config()` in order to be "
                            f"serializable: {name}={value!r:.100}"
                        )
                    config[name] = value
        if self._self_batch_input_shape is not None:
            config["batch_input_shape"] = self._self_batch_input_shape
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer made of what `get_config` gave."""
        return cls(**config)

    # --- in a functional model ---------------------------------------------------------------------------------------

    @property
    def input(self) -> Any:
        """The symbolic inputs of its first call.

        Raises:
            AttributeError: it was never called on symbolic tensors.
        """
        return self._node("input").inputs

    @property
    def output(self) -> Any:
        """The symbolic outputs of its first call. Raises AttributeError."""
        return self._node("output").outputs

    def _node(self, what: str) -> Any:
        if not self._self_nodes:
            raise AttributeError(f"The layer {self.name} has never been called and thus has no defined {what}.")
        return self._self_nodes[0]


def _building(build: Callable[..., Any]) -> Callable[..., Any]:
    """`build` within the layer's path, after which the layer is built."""

    def wrapped(self: Layer, *args: Any, **kwargs: Any) -> Any:
        if not self._self_path:
            self._self_path = "/".join(self._paths())
        pushed = not (context.path and context.path[-1] == self._self_name)
        if pushed:
            context.path.append(self._self_name)
        try:
            found = build(self, *args, **kwargs)
        finally:
            if pushed:
                context.path.pop()
        self.built = True
        return found

    wrapped.__wrapped__ = build  # type: ignore[attr-defined]
    wrapped.__doc__ = build.__doc__
    return wrapped


Layer._signature = _signature_of(Layer)


@public("keras.layers.serialize")
def serialize(layer: Layer) -> dict[str, Any]:
    """A layer's class and configuration, as plain values.

    >>> import client as tf
    >>> tf.keras.layers.serialize(tf.keras.layers.Flatten(name="flat"))["class_name"]
    'Flatten'
    """
    return LAYERS.serialize(layer)  # type: ignore[no-any-return]


@public("keras.layers.deserialize")
def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The layer that `serialize` described.

    Args:
        config: what `serialize` gave.
        custom_objects: classes of the user's by name.

    Raises:
        ValueError: no such layer.

    >>> import client as tf
    >>> tf.keras.layers.deserialize({"class_name": "Dense", "config": {"units": 3, "name": "d"}})
    <Dense name=d, built=False>
    """
    return LAYERS.deserialize(config, custom_objects)


__all__ = ["LAYERS", "InputSpec", "Layer", "context", "unique_name"]
