"""`keras.layers.InputSpec`: what a layer takes.

Owns: the class and the check of inputs against it. Does not know layers.
"""

from __future__ import annotations

from typing import Any

from client import nest
from client.api import public


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
    specs, values = nest.flatten(spec), nest.flatten(inputs)
    if len(specs) != len(values):
        raise ValueError(
            f'Layer "{layer}" expects {len(specs)} input(s), but it received {len(values)} input tensors. '
            f"Inputs received: {inputs}"
        )
    for i, (each, value) in enumerate(zip(specs, values, strict=True)):
        if each is not None and value is not None:
            shape = getattr(getattr(value, "_spec", value), "shape", None)
            if shape is not None:
                _check(each, tuple(shape), i, layer)


def _check(spec: InputSpec, shape: tuple[int | None, ...], index: int, layer: str) -> None:
    rank = len(shape)
    start = f'Input {index} of layer "{layer}" is incompatible with the layer: '
    found = f"found ndim={rank}. Full shape received: {shape}"
    if spec.ndim is not None and rank != spec.ndim and not spec.allow_last_axis_squeeze:
        raise ValueError(f"{start}expected ndim={spec.ndim}, {found}")
    if spec.max_ndim is not None and rank > spec.max_ndim:
        raise ValueError(f"{start}expected max_ndim={spec.max_ndim}, {found}")
    if spec.min_ndim is not None and rank < spec.min_ndim:
        raise ValueError(f"{start}expected min_ndim={spec.min_ndim}, {found}")
    for axis, dim in spec.axes.items():
        if dim is not None and -rank <= axis < rank and shape[axis] not in (dim, None):
            raise ValueError(
                f"{start}expected axis {axis} of input shape to have value {dim}, but received input with shape {shape}"
            )
    if spec.shape is not None and len(spec.shape) == rank:
        for wanted, dim in zip(spec.shape, shape, strict=True):
            if wanted is not None and dim is not None and wanted != dim:
                raise ValueError(f"{start}expected shape={spec.shape}, found shape={shape}")
