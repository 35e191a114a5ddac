"""Random values whose distributions have tensors for parameters: gamma, Poisson, binomial."""

from __future__ import annotations

from typing import Any, Final

from client.api import public
from client.convert import convert_to_tensor
from client.dispatch import call
from client.ops.random import Stream, check_seed
from client.seeding import next_stream
from client.tensor import Operand, Tensor
from protocol.dtypes import FLOATS, DType, as_dtype, float32, int32
from protocol.ops.random import accept

_SMALLEST: Final = {"float16": -14, "bfloat16": -126, "float32": -126, "float64": -1022}
"""The exponents of the smallest positive numbers that have all their digits."""


def _parameter(value: Any, dtype: DType | None = None) -> Operand:
    """A tensor or variable as it is, anything else as a tensor, of `dtype` if there is one."""
    return value if isinstance(value, Operand) else convert_to_tensor(value, dtype)


def _gamma(shape: Any, alpha: Any, beta: Any, dtype: Any, stream: Stream, outer: bool) -> Tensor:
    """Gamma values of rate `beta`; the smallest positive number stands for what underflows, so that logarithms are
    finite.
    """
    kind = as_dtype(dtype)
    accept(kind, FLOATS)
    alpha = convert_to_tensor(alpha, kind)
    if beta is not None:
        beta = _parameter(beta, kind)
        alpha = call("add", alpha, call("zeros_like", beta))
    found = call("random_gamma", alpha, shape=shape, seed=stream[0], counter=stream[1], outer=outer)
    if beta is not None:
        found = call("divide", found, beta)
    tiny = 2.0 ** _SMALLEST[kind.name]
    return call("maximum", found, tiny)  # type: ignore[no-any-return]


@public("random.gamma")
def gamma(
    shape: Any, alpha: Any, beta: Any = None, dtype: Any = float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Values from the gamma distribution, whose density is proportional to x^(alpha - 1) exp(-beta x).

    Args:
        shape: how many for each pair of parameters; a list of integers or a tensor of them.
        alpha: the shape parameter, positive; a number or a tensor of `dtype`.
        beta: the rate; likewise, of a shape that broadcasts with alpha's. None: 1.
        dtype: float16, bfloat16, float32 or float64.
        seed: an integer; with it (and `tf.random.set_seed`) the sequence of this op's values is the same in every run.
        name: ignored.

    Returns:
        A tensor of the shape `shape` followed by the parameters' broadcast shape; NaN where alpha is negative.

    Raises:
        ValueError: `dtype` is not a float, or a parameter is a tensor of another.

    >>> import client as tf
    >>> tf.random.gamma([10], [0.5, 1.5]).shape
    TensorShape([10, 2])
    """
    kind = as_dtype(dtype)
    return _gamma(shape, alpha, beta, kind, next_stream("gamma", kind.name, seed), outer=True)


@public("random.stateless_gamma")
def stateless_gamma(
    shape: Any, seed: Any, alpha: Any, beta: Any = None, dtype: Any = float32, name: str | None = None
) -> Tensor:
    """Values from the gamma distribution, the same for the same seed, shape, parameters and dtype.

    Args:
        shape: the result's shape, to which the parameters broadcast; a list of integers or a tensor of them.
        seed: two integers, or a tensor of them.
        alpha: the shape parameter, positive; a number or a tensor of `dtype`.
        beta: the rate; likewise. None: 1.
        dtype: float16, bfloat16, float32 or float64.
        name: ignored.

    Raises:
        ValueError: `dtype` is not a float, or a parameter is a tensor of another.
        tf.errors.InvalidArgumentError: the parameters don't broadcast to `shape`, or `seed` is not of two numbers.

    >>> import client as tf
    >>> tf.random.stateless_gamma([10, 2], seed=(1, 2), alpha=[0.5, 1.5]).shape
    TensorShape([10, 2])
    """
    return _gamma(shape, alpha, beta, dtype, (check_seed(seed), 0), outer=False)


@public("random.poisson")
def poisson(shape: Any, lam: Any, dtype: Any = float32, seed: Any = None, name: str | None = None) -> Tensor:
    """Counts from the Poisson distribution: k with the probability lam^k exp(-lam) / k!.

    Args:
        shape: how many for each rate; a list of integers or a tensor of them.
        lam: the rates, a number or a real tensor. Below 0 counts as 0.
        dtype: the result's, a float or integer dtype.
        seed: an integer; with it (and `tf.random.set_seed`) the sequence of this op's values is the same in every run.
        name: ignored.

    Returns:
        A tensor of the shape `shape` followed by lam's shape.

    Raises:
        ValueError: `dtype` is neither float nor integer.

    >>> import client as tf
    >>> tf.random.poisson([10], [0.5, 1.5]).shape
    TensorShape([10, 2])
    """
    kind = as_dtype(dtype)
    pair, counter = next_stream("poisson", kind.name, seed)
    attrs = {"shape": shape, "seed": pair, "counter": counter, "outer": True, "dtype": kind}
    return call("random_poisson", lam, **attrs)  # type: ignore[no-any-return]


@public("random.stateless_poisson")
def stateless_poisson(shape: Any, seed: Any, lam: Any, dtype: Any = int32, name: str | None = None) -> Tensor:
    """Counts from the Poisson distribution, the same for the same seed, shape, rates and dtype.

    Args:
        shape: the result's shape, to which the rates broadcast; a list of integers or a tensor of them.
        seed: two integers, or a tensor of them.
        lam: the rates, a number or a real tensor. Below 0 counts as 0.
        dtype: the result's, a float or integer dtype.
        name: ignored.

    Raises:
        ValueError: `dtype` is neither float nor integer.
        tf.errors.InvalidArgumentError: the rates don't broadcast to `shape`, or `seed` is not of two numbers.

    >>> import client as tf
    >>> tf.random.stateless_poisson([10, 2], seed=(1, 2), lam=[0.5, 1.5]).shape
    TensorShape([10, 2])
    """
    attrs = {"shape": shape, "seed": check_seed(seed), "dtype": as_dtype(dtype)}
    return call("random_poisson", lam, **attrs)  # type: ignore[no-any-return]


def draw_binomial(shape: Any, counts: Any, probs: Any, dtype: Any, stream: Stream) -> Tensor:
    """Binomial values. Each parameter has a dtype of its own: counts may be integers beside probabilities."""
    attrs = {"shape": shape, "seed": stream[0], "counter": stream[1], "dtype": as_dtype(dtype)}
    return call("random_binomial", _parameter(counts), _parameter(probs), **attrs)  # type: ignore[no-any-return]


@public("random.stateless_binomial")
def stateless_binomial(
    shape: Any, seed: Any, counts: Any, probs: Any, output_dtype: Any = int32, name: str | None = None
) -> Tensor:
    """How many of `counts` trials succeed with the probability `probs` each, the same for the same seed and arguments.

    Args:
        shape: the result's shape, to which the parameters broadcast; a list of integers or a tensor of them.
        seed: two integers, or a tensor of them.
        counts: the numbers of trials, a number or a real tensor. Below 0 counts as 0.
        probs: the probabilities, a number or a real tensor, taken into [0, 1].
        output_dtype: the result's, a float or integer dtype.
        name: ignored.

    Raises:
        ValueError: `output_dtype` is neither float nor integer.
        tf.errors.InvalidArgumentError: the parameters don't broadcast to `shape`, or `seed` is not of two numbers.

    >>> import client as tf
    >>> tf.random.stateless_binomial([3], seed=(1, 2), counts=10, probs=[0.0, 1.0, 1.0]).numpy().tolist()
    [0, 10, 10]
    """
    return draw_binomial(shape, counts, probs, output_dtype, (check_seed(seed), 0))
