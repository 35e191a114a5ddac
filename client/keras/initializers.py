"""Initializers: what gives a weight its first value.

Owns: the classes, and finding one by name. Values are made on the server; nothing is uploaded, nothing waits. Does not
know weights or layers.
"""

from __future__ import annotations

import math
import operator
from typing import Any, Final

import numpy as np

import client as tf
from client.api import public
from client.keras.serialization import Registry
from client.seeding import signed
from client.tensor import Tensor
from client.tracking import snake_case
from protocol.dtypes import as_dtype

INITIALIZERS: Final = Registry("initializer")


@public("keras.initializers.Initializer", "keras.Initializer")
class Initializer:
    """A base: override `__call__(shape, dtype=None)`, which gives a tensor, and `get_config`.

    >>> import client as tf
    >>> print(tf.keras.initializers.Ones()((2,)).numpy())
    [1. 1.]
    """

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        raise NotImplementedError("Initializer subclasses must implement the `__call__()` method.")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One made of what `get_config` gave."""
        return cls(**config)

    def clone(self) -> Any:
        """Another of the same arguments."""
        return self.from_config(self.get_config())


def _dtype(dtype: Any) -> Any:
    return as_dtype("float32" if dtype is None else dtype)


@public("keras.initializers.Zeros", "keras.initializers.zeros")
@INITIALIZERS.add("zeros", "zero")
class Zeros(Initializer):
    """Zeros.

    >>> import client as tf
    >>> print(tf.keras.initializers.Zeros()((2,)).numpy())
    [0. 0.]
    """

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        return tf.zeros(shape, _dtype(dtype))


@public("keras.initializers.Ones", "keras.initializers.ones")
@INITIALIZERS.add("ones", "one")
class Ones(Initializer):
    """Ones.

    >>> import client as tf
    >>> print(tf.keras.initializers.Ones()((2,)).numpy())
    [1. 1.]
    """

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        return tf.ones(shape, _dtype(dtype))


@public("keras.initializers.Constant", "keras.initializers.constant")
@INITIALIZERS.add("constant")
class Constant(Initializer):
    """One value everywhere, or an array or tensor that is broadcast.

    Args:
        value: a number, an array or a tensor.

    >>> import client as tf
    >>> print(tf.keras.initializers.Constant(3.0)((2,)).numpy())
    [3. 3.]
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        value = tf.cast(tf.convert_to_tensor(self.value), _dtype(dtype))
        return tf.broadcast_to(value, shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again, arrays as nested lists."""
        value = self.value
        if isinstance(value, tf.Tensor | tf.Variable):
            value = value.numpy()
        return {"value": value.tolist() if isinstance(value, np.ndarray | np.generic) else value}


class Given(Constant):
    """The value of an array or a tensor, for a weight of just that shape."""

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        if tuple(shape) != tuple(self.value.shape):
            raise ValueError(
                f"Expected `shape` to be {tuple(self.value.shape)} for direct tensor as initializer. Received "
                f"shape={tuple(shape)}"
            )
        return tf.cast(self.value, _dtype(dtype))


@public("keras.initializers.Identity", "keras.initializers.IdentityInitializer", "keras.initializers.identity")
@INITIALIZERS.add("identity", "IdentityInitializer", "identity_initializer")
class Identity(Initializer):
    """gain times the identity matrix.

    Args:
        gain: the factor.

    >>> import client as tf
    >>> print(tf.keras.initializers.Identity()((2, 2)).numpy().tolist())
    [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        if len(shape) != 2:
            raise ValueError(
                f"Identity matrix initializer can only be used for 2D matrices. Received: shape={shape} of rank "
                f"{len(shape)}."
            )
        found = tf.eye(*shape, dtype=_dtype(dtype))
        return found if self.gain == 1 else self.gain * found

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"gain": self.gain}


class RandomInitializer(Initializer):
    """A base for those that draw.

    With a seed, an instance gives the same values each time it is called, whatever `tf.random.set_seed` was told.
    Without, the values depend on the global seed, and are others at each call.
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and not hasattr(seed, "__index__"):
            raise ValueError(f"`seed` argument should be an integer. Received: seed={seed}")
        self.seed = None if seed is None else operator.index(seed)

    def _draw(self, name: str, shape: Any, first: Any, second: Any, dtype: Any) -> Tensor:
        """Values of the distribution `name` with its two parameters."""
        kind = _dtype(dtype)
        if self.seed is None:
            return getattr(tf.random, name)(shape, first, second, kind)
        return getattr(tf.random, f"stateless_{name}")(shape, (signed(self.seed), 0), first, second, kind)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"seed": self.seed}


@public("keras.initializers.RandomNormal", "keras.initializers.random_normal")
@INITIALIZERS.add("random_normal", "normal")
class RandomNormal(RandomInitializer):
    """Normal numbers.

    Args:
        mean: their mean.
        stddev: their standard deviation.
        seed: a number that makes them reproducible.

    >>> import client as tf
    >>> tf.keras.initializers.RandomNormal(seed=1)((2, 3)).shape
    TensorShape([2, 3])
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        return self._draw("normal", shape, self.mean, self.stddev, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@public("keras.initializers.TruncatedNormal", "keras.initializers.truncated_normal")
@INITIALIZERS.add("truncated_normal")
class TruncatedNormal(RandomNormal):
    """Normal numbers within two standard deviations.

    Args:
        mean: their mean.
        stddev: their standard deviation, before the others are left out.
        seed: a number that makes them reproducible.

    >>> import client as tf
    >>> tf.keras.initializers.TruncatedNormal(seed=1)((2, 3)).shape
    TensorShape([2, 3])
    """

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        return self._draw("truncated_normal", shape, self.mean, self.stddev, dtype)


@public("keras.initializers.RandomUniform", "keras.initializers.random_uniform")
@INITIALIZERS.add("random_uniform", "uniform")
class RandomUniform(RandomInitializer):
    """Numbers that are uniform between two bounds.

    Args:
        minval: the lower bound.
        maxval: the upper bound.
        seed: a number that makes them reproducible.

    >>> import client as tf
    >>> tf.keras.initializers.RandomUniform(seed=1)((2, 3)).shape
    TensorShape([2, 3])
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        return self._draw("uniform", shape, self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


def fans(shape: Any, input_axes: Any = None, output_axes: Any = None) -> tuple[int, int]:
    """How many inputs and outputs a kernel of a shape connects: (rows, columns), times a convolution's window.

    With axes given for both, the products of those axes.
    """
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return math.prod([shape[a] for a in input_axes]), math.prod([shape[a] for a in output_axes])
    if len(shape) < 2:
        only = shape[0] if shape else 1
        return only, only
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


_MODES: Final = {"fan_in": lambda i, o: i, "fan_out": lambda i, o: o, "fan_avg": lambda i, o: (i + o) / 2.0}
_DISTRIBUTIONS: Final = ("uniform", "truncated_normal", "untruncated_normal")
_TRUNCATED_DEVIATION: Final = 0.87962566103423978
"""The standard deviation of a standard normal variable that is cut at -2 and 2."""


@public("keras.initializers.VarianceScaling", "keras.initializers.variance_scaling")
@INITIALIZERS.add("variance_scaling")
class VarianceScaling(RandomInitializer):
    """Numbers whose variance is scale / n, where n comes from the kernel's shape.

    Args:
        scale: a positive factor.
        mode: what n is: `fan_in`, `fan_out` or their mean `fan_avg`.
        distribution: `truncated_normal`, `untruncated_normal` or `uniform`.
        seed: a number that makes them reproducible.
        input_axes: the axes of the kernel that make its fan-in, if both these are given.
        output_axes: those that make its fan-out.

    Raises:
        ValueError: another mode or distribution, or a scale that is not positive.

    >>> import client as tf
    >>> tf.keras.initializers.VarianceScaling(2.0, "fan_out", "uniform")((2, 3)).shape
    TensorShape([2, 3])
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Any = None,
        output_axes: Any = None,
    ) -> None:
        super().__init__(seed)
        if scale <= 0.0:
            raise ValueError(f"Argument `scale` must be positive float. Received: scale={scale}")
        if mode not in _MODES:
            raise ValueError(f"Invalid `mode` argument: {mode}. Please use one of {tuple(_MODES)}")
        distribution = "truncated_normal" if distribution.lower() == "normal" else distribution.lower()
        if distribution not in _DISTRIBUTIONS:
            raise ValueError(f"Invalid `distribution` argument: {distribution}. Please use one of {_DISTRIBUTIONS}")
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        n = _MODES[self.mode](*fans(shape, self.input_axes, self.output_axes))
        deviation = math.sqrt(self.scale / max(1.0, n))
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * deviation
            return self._draw("uniform", shape, -limit, limit, dtype)
        if self.distribution == "untruncated_normal":
            return self._draw("normal", shape, 0.0, deviation, dtype)
        return self._draw("truncated_normal", shape, 0.0, deviation / _TRUNCATED_DEVIATION, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


def _scaled(name: str, scale: float, mode: str, distribution: str, formula: str) -> type[VarianceScaling]:
    """A VarianceScaling with its parameters fixed."""

    class Fixed(VarianceScaling):
        def __init__(self, seed: int | None = None, input_axes: Any = None, output_axes: Any = None) -> None:
            super().__init__(scale, mode, distribution, seed, input_axes, output_axes)

        def get_config(self) -> dict[str, Any]:
            """The arguments that make it again."""
            return {"seed": self.seed, "input_axes": self.input_axes, "output_axes": self.output_axes}

    Fixed.__name__ = Fixed.__qualname__ = name
    Fixed.__module__ = __name__
    Fixed.__doc__ = f"""{formula}

    Args:
        seed: a number that makes them reproducible.
        input_axes: the axes of the kernel that make its fan-in, if both these are given.
        output_axes: those that make its fan-out.

    >>> import client as tf
    >>> tf.keras.initializers.{name}(seed=1)((2, 3)).shape
    TensorShape([2, 3])
    """
    public(f"keras.initializers.{name}", f"keras.initializers.{snake_case(name)}")(Fixed)
    return INITIALIZERS.add()(Fixed)


for _name, *_parameters in (
    ("GlorotUniform", 1.0, "fan_avg", "uniform", "Uniform within sqrt(6 / (fan_in + fan_out))."),
    ("GlorotNormal", 1.0, "fan_avg", "truncated_normal", "Truncated normal, variance 2 / (fan_in + fan_out)."),
    ("HeUniform", 2.0, "fan_in", "uniform", "Uniform within sqrt(6 / fan_in)."),
    ("HeNormal", 2.0, "fan_in", "truncated_normal", "Truncated normal, variance 2 / fan_in."),
    ("LecunUniform", 1.0, "fan_in", "uniform", "Uniform within sqrt(3 / fan_in)."),
    ("LecunNormal", 1.0, "fan_in", "truncated_normal", "Truncated normal, variance 1 / fan_in."),
):
    globals()[_name] = globals()[snake_case(_name)] = _scaled(_name, *_parameters)  # type: ignore[arg-type]


@public("keras.initializers.Orthogonal", "keras.initializers.OrthogonalInitializer", "keras.initializers.orthogonal")
@INITIALIZERS.add("orthogonal", "OrthogonalInitializer", "orthogonal_initializer")
class Orthogonal(RandomInitializer):
    """gain times a random matrix with orthonormal rows or columns, whichever are fewer.

    Args:
        gain: the factor.
        seed: a number that makes it reproducible.

    >>> import client as tf
    >>> q = tf.keras.initializers.Orthogonal(seed=1)((3, 2))
    >>> bool(tf.reduce_all(tf.abs(tf.matmul(q, q, transpose_a=True) - tf.eye(2)) < 1e-5))
    True
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        if len(shape) < 2:
            raise ValueError(
                f"The tensor to initialize must be at least two-dimensional. Received: shape={shape} of rank "
                f"{len(shape)}."
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        drawn = self._draw("normal", (max(rows, columns), min(rows, columns)), 0.0, 1.0, dtype)
        q, r = tf.linalg.qr(drawn)
        q = q * tf.sign(tf.linalg.diag_part(r))  # makes the choice of q uniform
        if self.gain != 1:
            q = self.gain * q
        if rows < columns:
            q = tf.transpose(q)
        return q if len(shape) == 2 else tf.reshape(q, shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "gain": self.gain}


# The names in snake case stand for the same classes.
zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_normal, truncated_normal, random_uniform = RandomNormal, TruncatedNormal, RandomUniform
variance_scaling, IdentityInitializer, OrthogonalInitializer = VarianceScaling, Identity, Orthogonal


@public("keras.initializers.get")
def get(identifier: Any) -> Any:
    """The initializer that a name, configuration, class or callable stands for; None of None.

    An array or a tensor stands for its value, for a weight of its shape.

    Raises:
        ValueError: an unknown name, or something else.

    >>> import client as tf
    >>> type(tf.keras.initializers.get("he_normal")).__name__
    'HeNormal'
    """
    if isinstance(identifier, tf.Tensor | tf.Variable | np.ndarray | np.generic):
        return Given(identifier)
    return INITIALIZERS.get(identifier)


@public("keras.initializers.serialize")
def serialize(initializer: Any) -> Any:
    """Its configuration.

    >>> import client as tf
    >>> tf.keras.initializers.serialize(tf.keras.initializers.Zeros())
    {'class_name': 'Zeros', 'config': {}}
    """
    return INITIALIZERS.serialize(initializer)


@public("keras.initializers.deserialize")
def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The initializer of a configuration.

    >>> import client as tf
    >>> tf.keras.initializers.deserialize({"class_name": "Constant", "config": {"value": 2.0}}).value
    2.0
    """
    return INITIALIZERS.deserialize(config, custom_objects)
