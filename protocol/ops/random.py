"""Random values. Every op here is pure: its `seed` (two 64-bit words) and `counter` say which values it gives.

So the server keeps no random state: the client counts. The words behind the values are `protocol.philox`'s;
how they become numbers is written in `server/kernels/random.py`.
"""

from __future__ import annotations

from protocol.attrs import Ints, Unknown
from protocol.dtypes import DType, float32, int64
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import FLOATS, INTS, op
from protocol.ops.rules import shape_from
from protocol.spec import Dim, Shape, Spec, format_shape


def check_seed(seed: Ints | Unknown) -> None:
    """Raise InvalidArgumentError unless `seed` can be two numbers."""
    shape: Shape = (len(seed),) if isinstance(seed, tuple) and not isinstance(seed, Unknown) else None
    if isinstance(seed, Unknown):
        shape = seed.spec.shape
    if shape is not None and (len(shape) != 1 or shape[0] not in (2, None)):
        raise InvalidArgumentError(f"seed must have shape [2], not {format_shape(shape)}")


def accept(dtype: DType, accepted: tuple[DType, ...]) -> None:
    """Raise ValueError unless `dtype` is among the accepted."""
    if dtype not in accepted:
        listed = ", ".join(map(repr, accepted))
        raise ValueError(f"Argument `dtype` got invalid value {dtype!r}. Accepted dtypes are ({listed}).")


def _uniform(
    *,
    shape: Ints | Unknown,
    seed: Ints | Unknown,
    counter: int = 0,
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: DType = float32,
) -> Spec:
    accept(dtype, FLOATS)
    check_seed(seed)
    return Spec(dtype, shape_from(shape))


def _uniform_int(
    *,
    shape: Ints | Unknown,
    seed: Ints | Unknown,
    counter: int = 0,
    minval: int | Unknown | None = None,
    maxval: int | Unknown | None = None,
    dtype: DType = int64,
) -> Spec:
    """From [minval, maxval), or of all the dtype's numbers where both are None."""
    accept(dtype, INTS)
    check_seed(seed)
    dims = shape_from(shape)
    if (minval is None) is not (maxval is None):
        raise ValueError(
            f"For integer dtype {dtype!r}, minval and maxval must be both `None` or both non-`None`; "
            f"got minval={minval} and maxval={maxval}"
        )
    for name, value in (("minval", minval), ("maxval", maxval)):
        if isinstance(value, Unknown) and value.spec.rank not in (0, None):
            raise InvalidArgumentError(f"{name} must be 0-D, got shape {format_shape(value.spec.shape)}")
    if isinstance(minval, int) and isinstance(maxval, int) and dims is not None and 0 not in dims:
        if minval >= maxval and None not in dims:
            raise InvalidArgumentError(f"Need minval < maxval, got {minval} >= {maxval}")
        if minval < dtype.min or maxval - 1 > dtype.max:
            raise InvalidArgumentError(f"the range [{minval}, {maxval}) does not fit {dtype.name}")
    return Spec(dtype, dims)


def _normal(
    *,
    shape: Ints | Unknown,
    seed: Ints | Unknown,
    counter: int = 0,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DType = float32,
) -> Spec:
    accept(dtype, FLOATS)
    check_seed(seed)
    return Spec(dtype, shape_from(shape))


def _shuffle(value: Spec, *, seed: Ints | Unknown, counter: int = 0) -> Spec:
    check_seed(seed)
    return value


def _categorical(
    logits: Spec, *, num_samples: int | Unknown, seed: Ints | Unknown, counter: int = 0, dtype: DType = int64
) -> Spec:
    accept(dtype, INTS)
    check_seed(seed)
    samples: Dim
    if isinstance(num_samples, Unknown):
        if num_samples.spec.rank not in (0, None):
            raise InvalidArgumentError(
                f"num_samples should be a scalar, got shape {format_shape(num_samples.spec.shape)}"
            )
        samples = None
    else:
        if num_samples < 0:
            raise InvalidArgumentError(f"num_samples should be non-negative, got {num_samples}")
        samples = num_samples
    if logits.shape is None:
        return Spec(dtype, (None, samples))
    if len(logits.shape) != 2:
        raise InvalidArgumentError(f"logits should be a matrix, got shape {format_shape(logits.shape)}")
    if logits.shape[1] == 0:
        raise InvalidArgumentError("num_classes should be positive, got 0")
    return Spec(dtype, (logits.shape[0], samples))


def _split(seed: Spec, *, num: int | Unknown = 2) -> Spec:
    _check_seed_spec(seed)
    if isinstance(num, Unknown):
        return Spec(seed.dtype, (None, 2))
    if num < 0:
        raise InvalidArgumentError(f"Dimension {num} must be >= 0")
    return Spec(seed.dtype, (num, 2))


def _fold_in(seed: Spec, data: Spec) -> Spec:
    _check_seed_spec(seed)
    if data.rank not in (0, None):
        raise InvalidArgumentError(f"data must be a scalar, got shape {format_shape(data.shape)}")
    return Spec(data.dtype, (2,))


def _check_seed_spec(seed: Spec) -> None:
    check_seed(Unknown(seed))


op("random_uniform", "", infer=_uniform)
op("random_uniform_int", "", infer=_uniform_int)
op("random_normal", "", infer=_normal)
op("random_truncated_normal", "", infer=_normal)
op("random_shuffle", "value", infer=_shuffle)
op("random_categorical", "logits", infer=_categorical, types=FLOATS)
op("random_split", "seed:index", infer=_split)
op("random_fold_in", "seed:index data:int", infer=_fold_in)
