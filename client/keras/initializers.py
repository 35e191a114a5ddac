"""Initializers: what gives a weight its first value.

Owns: the classes, and finding one by name. Values are made on the server; nothing is uploaded, nothing waits.
"""

from __future__ import annotations

import math
from typing import Any, Final

import client as tf
from client.api import public
from client.keras.serialization import Registry
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
        return tf.zeros(shape, _dtype(dtype))  # type: ignore[no-any-return]


@public("keras.initializers.Ones", "keras.initializers.ones")
@INITIALIZERS.add("ones", "one")
class Ones(Initializer):
    """Ones.

    >>> import client as tf
    >>> print(tf.keras.initializers.Ones()((2,)).numpy())
    [1. 1.]
    """

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        return tf.ones(shape, _dtype(dtype))  # type: ignore[no-any-return]


@public("keras.initializers.Constant", "keras.initializers.constant")
@INITIALIZERS.add("constant")
class Constant(Initializer):
    """One value everywhere, or an array that is broadcast.

    Args:
        value: a number or an array.

    >>> import client as tf
    >>> print(tf.keras.initializers.Constant(3.0)((2,)).numpy())
    [3. 3.]
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        value = tf.cast(tf.convert_to_tensor(self.value), _dtype(dtype))
        return tf.broadcast_to(value, shape)  # type: ignore[no-any-return]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"value": self.value}


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
        return self.gain * tf.eye(*shape, dtype=_dtype(dtype))  # type: ignore[no-any-return]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"gain": self.gain}


class RandomInitializer(Initializer):
    """A base for those that draw: with a seed, the same instance gives the same values each time it is called."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def _normal(self, shape: Any, mean: float, stddev: float, dtype: Any) -> Tensor:
        return self._draw("normal", shape, mean, stddev, dtype)

    def _uniform(self, shape: Any, low: float, high: float, dtype: Any) -> Tensor:
        return self._draw("uniform", shape, low, high, dtype)

    def _truncated(self, shape: Any, mean: float, stddev: float, dtype: Any) -> Tensor:
        return self._draw("truncated_normal", shape, mean, stddev, dtype)

    def _draw(self, name: str, shape: Any, first: float, second: float, dtype: Any) -> Tensor:
        kind = _dtype(dtype)
        if self.seed is None:
            return getattr(tf.random, name)(shape, first, second, kind)  # type: ignore[no-any-return]
        draw = getattr(tf.random, f"stateless_{name}")
        return draw(shape, (int(self.seed), 0), first, second, kind)  # type: ignore[no-any-return]


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
        return self._normal(shape, self.mean, self.stddev, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


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
        return self._truncated(shape, self.mean, self.stddev, dtype)


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
        return self._uniform(shape, self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


def fans(shape: Any) -> tuple[float, float]:
    """How many inputs and outputs a kernel of a shape connects: (rows, columns), times a convolution's window."""
    shape = tuple(shape)
    if len(shape) < 1:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    window = math.prod(shape[:-2])
    return float(window * shape[-2]), float(window * shape[-1])


@public("keras.initializers.VarianceScaling", "keras.initializers.variance_scaling")
@INITIALIZERS.add("variance_scaling")
class VarianceScaling(RandomInitializer):
    """Numbers whose variance is scale / n, where n comes from the kernel's shape.

    Args:
        scale: a positive factor.
        mode: what n is: `fan_in`, `fan_out` or their mean `fan_avg`.
        distribution: `truncated_normal`, `untruncated_normal` or `uniform`.
        seed: a number that makes them reproducible.

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
    ) -> None:
        super().__init__(seed)
        if scale <= 0.0:
            raise ValueError(f"Argument `scale` must be positive float. Received: scale={scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"Invalid `mode` argument: {mode}. Please use one of the ('fan_in', 'fan_out', 'fan_avg')")
        distribution = "truncated_normal" if distribution.lower() == "normal" else distribution.lower()
        if distribution not in ("uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError(
                f"Invalid `distribution` argument: {distribution}. Please use one of ('uniform', 'truncated_normal', "
                f"'untruncated_normal')"
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return self._uniform(shape, -limit, limit, dtype)
        if self.distribution == "untruncated_normal":
            return self._normal(shape, 0.0, math.sqrt(variance), dtype)
        # The deviation of a normal variable cut at two deviations is 0.8796... of the whole one's.
        return self._truncated(shape, 0.0, math.sqrt(variance) / 0.87962566103423978, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"scale": self.scale, "mode": self.mode, "distribution": self.distribution, "seed": self.seed}


def _scaled(name: str, scale: float, mode: str, distribution: str, formula: str) -> type[VarianceScaling]:
    """A VarianceScaling with its parameters fixed."""

    class Fixed(VarianceScaling):
        def __init__(self, seed: int | None = None) -> None:
            super().__init__(scale, mode, distribution, seed)

        def get_config(self) -> dict[str, Any]:
            """The arguments that make it again."""
            return {"seed": self.seed}

    Fixed.__name__ = Fixed.__qualname__ = name
    Fixed.__module__ = __name__
    Fixed.__doc__ = f"""{formula}

    Args:
        seed: a number that makes them reproducible.

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
    globals()[_name] = _scaled(_name, *_parameters)  # type: ignore[arg-type]


@public("keras.initializers.Orthogonal", "keras.initializers.OrthogonalInitializer", "keras.initializers.orthogonal")
@INITIALIZERS.add("orthogonal", "OrthogonalInitializer", "orthogonal_initializer")
class Orthogonal(RandomInitializer):
    """gain times a random matrix with orthonormal rows or columns, whichever are fewer.

    Args:
        gain: the factor.
        seed: a number that makes it reproducible.

    >>> import client as tf
    >>> q = tf.keras.initializers.Orthogonal(seed=1)((3, 2))
    >>> print(tf.matmul(q, q, transpose_a=True).numpy().round(3).tolist())
    [[1.0, 0.0], [0.0, 1.0]]
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
        drawn = self._normal((max(rows, columns), min(rows, columns)), 0.0, 1.0, dtype)
        q, r = tf.linalg.qr(drawn)
        q = q * tf.sign(tf.linalg.diag_part(r))  # makes the choice of q uniform
        if rows < columns:
            q = tf.transpose(q)
        return self.gain * tf.reshape(q, shape)  # type: ignore[no-any-return]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"gain": self.gain, "seed": self.seed}


@public("keras.initializers.get")
def get(identifier: Any) -> Any:
    """The initializer that a name, configuration, class or callable stands for; None of None; a Constant of an array.

    Raises:
        ValueError: an unknown name, or something else.

    >>> import client as tf
    >>> type(tf.keras.initializers.get("he_normal")).__name__
    'HeNormal'
    """
    if isinstance(identifier, tf.Tensor) or hasattr(identifier, "__array__"):
        return Constant(identifier)
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
