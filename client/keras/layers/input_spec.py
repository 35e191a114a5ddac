"""`keras.layers.InputSpec`: what a layer takes.

Owns: the class and the check of inputs against it. Does not know layers.
"""

from __future__ import annotations

from typing import Any

from client import nest
from client.api import public
from client.tensor import Operand
from protocol.spec import Spec


@public("keras.layers.InputSpec", "keras.InputSpec")
class InputSpec:
    """Rank, shape and dtype of a layer's input, each as far as it matters.

    Args:
        dtype: its dtype.
        shape: its shape, None for dims that may differ.
        ndim: its rank.
        max_ndim: the largest rank.
        min_ndim: the smallest rank.
        axes: from an axis to the dim it must have.
        allow_last_axis_squeeze: whether a last axis of 1 may be there or not.
        name: its name.
        optional: whether the input may be None.

    Raises:
        ValueError: an axis beyond the rank.

    >>> import client as tf
    >>> tf.keras.layers.InputSpec(ndim=2, axes={-1: 4})
    InputSpec(ndim=2, axes={-1: 4})
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = dtype
        self.shape = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(k): v for k, v in (axes or {}).items()}
        largest = self.ndim if self.ndim is not None else max_ndim
        if self.axes and largest is not None and max(self.axes) > largest - 1:
            raise ValueError(f"Axis {max(self.axes)} is greater than the maximum allowed value: {largest - 1}")
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional

    def __repr__(self) -> str:
        words = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        return f"InputSpec({', '.join(f'{w}={getattr(self, w)}' for w in words if getattr(self, w))})"

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        words = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        return {w: getattr(self, w) for w in words}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        """One made of what `get_config` gave."""
        return cls(**config)


def check_inputs(spec: Any, inputs: Any, layer: str) -> None:
    """Raise ValueError, with Keras' words, unless `inputs` are what `spec` asks for."""
    if type(spec) is InputSpec and isinstance(inputs, Operand):
        _check(spec, inputs._spec, 0, layer)
        return
    specs = nest.flatten(spec)
    names = [each.name if each is not None else None for each in specs]
    if isinstance(inputs, dict) and all(names):
        missing = [name for name in names if name not in inputs]
        if missing:
            raise ValueError(
                f'Missing data for input "{missing[0]}". You passed a data dictionary with keys {list(inputs)}. '
                f"Expected the following keys: {names}"
            )
        inputs = [inputs[name] for name in names]
    values = nest.flatten(inputs)
    if len(specs) != len(values):
        raise ValueError(
            f'Layer "{layer}" expects {len(specs)} input(s), but it received {len(values)} input tensors. '
            f"Inputs received: {inputs}"
        )
    for i, (each, value) in enumerate(zip(specs, values, strict=True)):
        if each is None or (value is None and each.optional):
            continue
        if not isinstance(value, Operand):
            if hasattr(value, "shape"):
                continue
            raise ValueError(
                f"Inputs to a layer should be tensors. Got '{value}' (of type {type(value)}) as input for layer "
                f"'{layer}'."
            )
        _check(each, value._spec, i, layer)


def _check(spec: InputSpec, given: Spec, index: int, layer: str) -> None:
    """Raise ValueError unless a tensor is as `spec` says, as far as its shape is known here."""

    def wrong(what: str) -> ValueError:
        return ValueError(
            f"Input {index} with name '{spec.name}' of layer '{layer}' is incompatible with the layer: {what}"
        )

    if spec.dtype is not None and given.dtype != spec.dtype:
        raise wrong(f"expected dtype={spec.dtype}, found dtype={given.dtype.name}")
    shape = given.shape
    if shape is None:
        return
    rank = len(shape)
    if spec.ndim is not None and rank != spec.ndim and not spec.allow_last_axis_squeeze:
        raise wrong(f"expected ndim={spec.ndim}, found ndim={rank}. Full shape received: {shape}")
    if spec.max_ndim is not None and rank > spec.max_ndim:
        raise wrong(f"expected max_ndim={spec.max_ndim}, found ndim={rank}")
    if spec.min_ndim is not None and rank < spec.min_ndim:
        raise wrong(f"expected min_ndim={spec.min_ndim}, found ndim={rank}. Full shape received: {shape}")
    for axis, dim in spec.axes.items():
        if dim is not None and (not -rank <= axis < rank or shape[axis] not in (dim, None)):
            raise wrong(
                f"expected axis {axis} of input shape to have value {dim}, but received input with shape {shape}"
            )
    if spec.shape is not None:
        wanted = spec.shape
        if spec.allow_last_axis_squeeze:
            shape, wanted = (s[:-1] if s and s[-1] == 1 else s for s in (shape, wanted))
        if any(None not in (w, d) and w != d for w, d in zip(wanted, shape, strict=False)):
            raise wrong(f"expected shape={spec.shape}, found shape={shape}")
