"""Interpolation along an axis, as `UpSampling2D` and images need it.

Owns: `KERNELS`, the weights of the elements near a place; `enlarged`. Does not know layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

import client as tf
from client.tensor import Tensor

Array = np.ndarray[Any, Any]


def _linear(distance: Array) -> Array:
    return np.maximum(1.0 - distance, 0.0)


def _cubic(distance: Array) -> Array:
    """Keys' cubic convolution with a = -1/2, from a table of 1024 places between two elements, as TensorFlow has it."""
    x = np.round(distance * 1024) / 1024
    near, far = (1.5 * x - 2.5) * x * x + 1.0, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x <= 1.0, near, np.where(x < 2.0, far, 0.0))


def _lanczos(radius: int) -> Callable[[Array], Array]:
    return lambda distance: np.where(distance < radius, np.sinc(distance) * np.sinc(distance / radius), 0.0)


# By method: the weight by distance, how far it reaches, and whether edges are repeated; if not, the weights
# of the elements that there are add up to 1.
KERNELS: Final[dict[str, tuple[Callable[[Array], Array], int, bool]]] = {
    "bilinear": (_linear, 1, True),
    "bicubic": (_cubic, 2, False),
    "lanczos3": (_lanczos(3), 3, False),
    "lanczos5": (_lanczos(5), 5, False),
}


def enlarged(x: Tensor, axis: int, factor: int, method: str) -> Tensor:
    """`factor` times as many elements along an axis, with the centers of elements at halves.

    Each is a weighted sum of the elements near its place: a gather and a product for each of them.
    """
    weigh, radius, repeat = KERNELS[method]
    length = x.shape[axis]
    assert length is not None
    if factor == 1 or not length:
        return x
    places = (np.arange(length * factor) + 0.5) / factor - 0.5
    first = np.floor(places).astype(np.int64) + 1 - radius
    near = first + np.arange(2 * radius)[:, None]
    weights = weigh(np.abs(near - places))
    if not repeat:
        weights = np.where((near >= 0) & (near < length), weights, 0.0)
        weights = weights / weights.sum(0)
    shape = [1] * len(x.shape)
    shape[axis] = len(places)
    total: Any = None
    for at, share in zip(np.clip(near, 0, length - 1), weights, strict=True):
        term = tf.gather(x, at.astype(np.int32), axis=axis) * tf.constant(share.reshape(shape), x.dtype)
        total = term if total is None else total + term
    return total  # type: ignore[no-any-return]
