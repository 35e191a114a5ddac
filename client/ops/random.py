"""Random values: with the global seed (`tf.random.normal`), or with a seed in hand (`tf.random.stateless_normal`).

The values depend on seeds, shapes and dtypes alone, so a program gives the same ones on every device: integers and
uniforms bit for bit, normals but for the last places. They are not TensorFlow's values; the distributions are.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np

from client.api import public
from client.convert import convert_to_tensor
from client.dispatch import call
from client.seeding import next_stream
from client.tensor import Operand, Tensor
from protocol.dtypes import DType, as_dtype, float32, int64
from protocol.errors import InvalidArgumentError

Stream = tuple[Any, int]
"""A seed (two numbers, or a tensor of two integers) and a counter: which values an op gives."""


@public("random.Algorithm", "random.experimental.Algorithm")
class Algorithm(Enum):
    """The generators that TensorFlow names. There is one here, Philox; `AUTO_SELECT` means it."""

    PHILOX = 1
    THREEFRY = 2
    AUTO_SELECT = 3


def check_algorithm(alg: Any) -> None:
    """Raise ValueError unless `alg` names Philox or leaves the choice: by name, number or `tf.random.Algorithm`."""
    name = alg.name if isinstance(alg, Algorithm) else alg
    if isinstance(name, str):
        name = name.lower()
    if name not in ("philox", "auto_select", 1, 3, None):
        raise ValueError(
            f"the random number generator {alg!r} is not supported: there is 'philox' (or 'auto_select') alone"
        )


def check_seed(seed: Any) -> Any:
    """A `stateless_` function's seed: checked here only where the attribute's own check would be unclear."""
    if isinstance(seed, int | np.integer):
        raise InvalidArgumentError("seed must have shape [2], not []")
    return seed


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) or type(value).__name__ == "bfloat16"


def _affine(unit: Tensor, scale: Any, offset: Any) -> Tensor:
    """unit * scale + offset, recorded, for what is no plain number."""
    return call("add", call("multiply", unit, scale), offset)  # type: ignore[no-any-return]


def draw_normal(op: str, shape: Any, mean: Any, stddev: Any, dtype: Any, stream: Stream) -> Tensor:
    """Normal values by `op`; means and deviations that are tensors broadcast with `shape` and have gradients."""
    attrs = {"shape": shape, "seed": stream[0], "counter": stream[1], "dtype": as_dtype(dtype)}
    if _is_number(mean) and _is_number(stddev):
        return call(op, **attrs, mean=float(mean), stddev=float(stddev))  # type: ignore[no-any-return]
    return _affine(call(op, **attrs), stddev, mean)


def draw_uniform(shape: Any, minval: Any, maxval: Any, dtype: DType, stream: Stream) -> Tensor:
    """Uniform floats or integers; bounds of floats that are tensors broadcast with `shape` and have gradients."""
    attrs = {"shape": shape, "seed": stream[0], "counter": stream[1], "dtype": dtype}
    if dtype.is_integer:
        for value in (minval, maxval):
            if isinstance(value, float | np.floating):
                raise TypeError(f"Cannot convert {value} to EagerTensor of dtype {dtype.name}")
        return call("random_uniform_int", **attrs, minval=minval, maxval=maxval)  # type: ignore[no-any-return]
    if minval is None:
        raise ValueError("`minval` must not be None for floats")
    maxval = 1.0 if maxval is None else maxval
    if _is_number(minval) and _is_number(maxval):
        return call("random_uniform", **attrs, minval=float(minval), maxval=float(maxval))  # type: ignore[no-any-return]
    low, high = (v if isinstance(v, Operand) else convert_to_tensor(v, dtype) for v in (minval, maxval))
    return _affine(call("random_uniform", **attrs), call("subtract", high, low), low)


@public("random.normal")
def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Values from the normal distribution: mean + stddev * z.

    Args:
        shape: the shape of z; a list of integers or a tensor of them.
        mean: a number, or a tensor of `dtype` whose shape broadcasts with `shape`.
        stddev: likewise.
        dtype: float16, bfloat16, float32 or float64.
        seed: an integer; with it (and `tf.random.set_seed`) the sequence of this op's values is the same in every run.
        name: ignored.

    Raises:
        ValueError: `dtype` is not a float.
        tf.errors.InvalidArgumentError: shapes that don't broadcast, or a negative size.

    >>> import client as tf
    >>> tf.random.normal([2, 3], mean=5.0).shape
    TensorShape([2, 3])
    """
    stream = next_stream("normal", as_dtype(dtype).name, seed)
    return draw_normal("random_normal", shape, mean, stddev, dtype, stream)


@public("random.truncated_normal")
def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Values from the normal distribution cut at two standard deviations: mean + stddev * z given that |z| <= 2.

    Args:
        shape: the shape of z; a list of integers or a tensor of them.
        mean: a number, or a tensor of `dtype` whose shape broadcasts with `shape`.
        stddev: likewise; the standard deviation before the cut.
        dtype: float16, bfloat16, float32 or float64.
        seed: an integer; with it (and `tf.random.set_seed`) the sequence of this op's values is the same in every run.
        name: ignored.

    Raises:
        ValueError: `dtype` is not a float.
        tf.errors.InvalidArgumentError: shapes that don't broadcast, or a negative size.

    >>> import client as tf
    >>> float(tf.reduce_max(tf.abs(tf.random.truncated_normal([1000])))) <= 2
    True
    """
    stream = next_stream("truncated_normal", as_dtype(dtype).name, seed)
    return draw_normal("random_truncated_normal", shape, mean, stddev, dtype, stream)


@public("random.uniform")
def uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Values between `minval`, included, and `maxval`, excluded, each as likely as the others.

    Args:
        shape: a list of integers or a tensor of them.
        minval: a number, or a tensor: of `dtype`, broadcasting with `shape`, for floats; a scalar for integers.
        maxval: likewise. None: 1 for floats; integers need it.
        dtype: a float or integer dtype.
        seed: an integer; with it (and `tf.random.set_seed`) the sequence of this op's values is the same in every run.
        name: ignored.

    Raises:
        ValueError: `dtype` is neither float nor integer, or an integer without `maxval`.
        TypeError: a bound that is no integer, for integers.
        tf.errors.InvalidArgumentError: integers from an empty range, shapes that don't broadcast, or a negative size.

    >>> import client as tf
    >>> rolled = tf.random.uniform([100], 1, 7, dtype=tf.int32)
    >>> bool(tf.reduce_all((rolled >= 1) & (rolled <= 6)))
    True
    """
    dtype = as_dtype(dtype)
    if dtype.is_integer and maxval is None:
        raise ValueError(f"Must specify maxval for integer dtype {dtype!r}")
    return draw_uniform(shape, minval, maxval, dtype, next_stream("uniform", dtype.name, seed))


@public("random.shuffle")
def shuffle(value: Any, seed: Any = None, name: str | None = None) -> Tensor:
    """The entries of `value` along its first axis in a random order.

    Args:
        value: a tensor; a scalar is given back as it is.
        seed: an integer; with it (and `tf.random.set_seed`) the sequence of orders is the same in every run.
        name: ignored.

    >>> import client as tf
    >>> sorted(tf.random.shuffle([3, 1, 2]).numpy().tolist())
    [1, 2, 3]
    """
    pair, counter = next_stream("shuffle", "", seed)
    return call("random_shuffle", value, seed=pair, counter=counter)  # type: ignore[no-any-return]


@public("random.categorical")
def categorical(logits: Any, num_samples: Any, dtype: Any = None, seed: Any = None, name: str | None = None) -> Tensor:
    """Class numbers drawn with the probabilities softmax(logits), by inverting each row's cumulative sums.

    Args:
        logits: `[batch, classes]`, a float dtype. A logit that is not finite has probability 0.
        num_samples: how many to draw from each row; an integer or a scalar tensor.
        dtype: int32 or int64 (None).
        seed: an integer; with it (and `tf.random.set_seed`) the sequence of this op's values is the same in every run.
        name: ignored.

    Returns:
        `[batch, num_samples]`, in `[0, classes)`.

    Raises:
        ValueError: `dtype` is no integer dtype.
        tf.errors.InvalidArgumentError: `logits` is no matrix or has no classes, or `num_samples` is negative.

    >>> import client as tf
    >>> tf.random.categorical([[0.0, -1e9], [-1e9, 0.0]], 3).numpy().tolist()
    [[0, 0, 0], [1, 1, 1]]
    """
    dtype = int64 if dtype is None else as_dtype(dtype)
    pair, counter = next_stream("categorical", dtype.name, seed)
    found = call("random_categorical", logits, num_samples=num_samples, seed=pair, counter=counter, dtype=dtype)
    return found  # type: ignore[no-any-return]


@public("random.stateless_normal")
def stateless_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = float32,
    name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """Values from the normal distribution, the same for the same seed, shape and dtype: mean + stddev * z.

    Args:
        shape: the shape of z; a list of integers or a tensor of them.
        seed: two integers, or a tensor of them.
        mean: a number, or a tensor of `dtype` whose shape broadcasts with `shape`.
        stddev: likewise.
        dtype: float16, bfloat16, float32 or float64.
        name: ignored.
        alg: "philox" or "auto_select".

    Raises:
        ValueError: `dtype` is not a float, or another `alg`.
        tf.errors.InvalidArgumentError: `seed` is not of two numbers, or shapes that don't broadcast.

    >>> import client as tf
    >>> one, two = (tf.random.stateless_normal([3], seed=(1, 2)) for _ in range(2))
    >>> bool(tf.reduce_all(one == two))
    True
    """
    check_algorithm(alg)
    return draw_normal("random_normal", shape, mean, stddev, dtype, (check_seed(seed), 0))


@public("random.stateless_truncated_normal")
def stateless_truncated_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = float32,
    name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """Values from the normal distribution cut at two standard deviations, the same for the same seed, shape and dtype.

    Args:
        shape: a list of integers or a tensor of them.
        seed: two integers, or a tensor of them.
        mean: a number, or a tensor of `dtype` whose shape broadcasts with `shape`.
        stddev: likewise; the standard deviation before the cut.
        dtype: float16, bfloat16, float32 or float64.
        name: ignored.
        alg: "philox" or "auto_select".

    Raises:
        ValueError: `dtype` is not a float, or another `alg`.
        tf.errors.InvalidArgumentError: `seed` is not of two numbers, or shapes that don't broadcast.

    >>> import client as tf
    >>> float(tf.reduce_max(tf.abs(tf.random.stateless_truncated_normal([1000], seed=(1, 2))))) <= 2
    True
    """
    check_algorithm(alg)
    return draw_normal("random_truncated_normal", shape, mean, stddev, dtype, (check_seed(seed), 0))


@public("random.stateless_uniform")
def stateless_uniform(
    shape: Any,
    seed: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = float32,
    name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """Values between `minval`, included, and `maxval`, excluded, the same for the same seed, shape and dtype.

    Args:
        shape: a list of integers or a tensor of them.
        seed: two integers, or a tensor of them.
        minval: a number, or a tensor: of `dtype`, broadcasting with `shape`, for floats; a scalar for integers.
            None, with `maxval=None`: all of an integer dtype's numbers.
        maxval: likewise. None: 1 for floats.
        dtype: a float or integer dtype.
        name: ignored.
        alg: "philox" or "auto_select".

    Raises:
        ValueError: `dtype` is neither float nor integer; an integer dtype with only one of the bounds; another `alg`.
        tf.errors.InvalidArgumentError: `seed` is not of two numbers, an empty range, or shapes that don't broadcast.

    >>> import client as tf
    >>> x = tf.random.stateless_uniform([5], seed=(1, 2), minval=-10, maxval=10, dtype=tf.int32)
    >>> bool(tf.reduce_all((x >= -10) & (x < 10)))
    True
    """
    check_algorithm(alg)
    return draw_uniform(shape, minval, maxval, check_bounds(dtype, minval, maxval), (check_seed(seed), 0))


def check_bounds(dtype: Any, minval: Any, maxval: Any) -> DType:
    """`dtype` as a DType. Raises ValueError if it is an integer's and only one bound is given."""
    found = as_dtype(dtype)
    if found.is_integer and (minval is None) is not (maxval is None):
        raise ValueError(
            f"For integer `dtype` argument {found!r}, argument `minval` and `maxval` must be both None or not None. "
            f"Got `minval`={minval} and `maxval`={maxval}."
        )
    return found


@public("random.stateless_categorical")
def stateless_categorical(
    logits: Any, num_samples: Any, seed: Any, dtype: Any = int64, name: str | None = None
) -> Tensor:
    """Class numbers drawn with the probabilities softmax(logits), the same for the same seed and logits.

    Args:
        logits: `[batch, classes]`, a float dtype. A logit that is not finite has probability 0.
        num_samples: how many to draw from each row; an integer or a scalar tensor.
        seed: two integers, or a tensor of them.
        dtype: int32 or int64.
        name: ignored.

    Returns:
        `[batch, num_samples]`, in `[0, classes)`.

    Raises:
        ValueError: `dtype` is no integer dtype.
        tf.errors.InvalidArgumentError: `logits` is no matrix or has no classes, or `seed` is not of two numbers.

    >>> import client as tf
    >>> tf.random.stateless_categorical([[0.0, -1e9]], 3, seed=(1, 2)).numpy().tolist()
    [[0, 0, 0]]
    """
    attrs = {"num_samples": num_samples, "seed": check_seed(seed), "dtype": as_dtype(dtype)}
    return call("random_categorical", logits, **attrs)  # type: ignore[no-any-return]


@public("random.experimental.stateless_shuffle")
def stateless_shuffle(value: Any, seed: Any, alg: Any = "auto_select", name: str | None = None) -> Tensor:
    """The entries of `value` along its first axis in an order that the seed decides.

    Args:
        value: a tensor; a scalar is given back as it is.
        seed: two integers, or a tensor of them.
        alg: "philox" or "auto_select".
        name: ignored.

    Raises:
        tf.errors.InvalidArgumentError: `seed` is not of two numbers.

    >>> import client as tf
    >>> sorted(tf.random.experimental.stateless_shuffle([3, 1, 2], seed=(1, 2)).numpy().tolist())
    [1, 2, 3]
    """
    check_algorithm(alg)
    return call("random_shuffle", value, seed=check_seed(seed))  # type: ignore[no-any-return]


@public("random.split", "random.experimental.stateless_split")
def split(seed: Any, num: Any = 2, alg: Any = "auto_select") -> Tensor:
    """`num` new seeds from one, whose values have nothing to do with each other's or with the first one's.

    Args:
        seed: two integers, or a tensor of them.
        num: how many; an integer or a scalar tensor.
        alg: "philox" or "auto_select".

    Returns:
        `[num, 2]`, of the seed's dtype. It is computed here, without the server, if the seed's value is known.

    >>> import client as tf
    >>> tf.random.split((1, 2), num=3).shape
    TensorShape([3, 2])
    """
    check_algorithm(alg)
    return call("random_split", seed, num=num)  # type: ignore[no-any-return]


@public("random.fold_in", "random.experimental.stateless_fold_in")
def fold_in(seed: Any, data: Any, alg: Any = "auto_select") -> Tensor:
    """A new seed from a seed and a number, such as a step or a replica: other numbers give unrelated seeds.

    Args:
        seed: two integers, or a tensor of them.
        data: an integer, or a scalar tensor of one.
        alg: "philox" or "auto_select".

    Returns:
        A seed: two integers of data's dtype. It is computed here, without the server, if both values are known.

    >>> import client as tf
    >>> tf.random.fold_in((1, 2), 5).shape
    TensorShape([2])
    """
    check_algorithm(alg)
    return call("random_fold_in", seed, data)  # type: ignore[no-any-return]
