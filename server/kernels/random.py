"""Kernels of the random ops: how the words of a stream (`protocol.philox`) become values.

The same expressions run on NumPy and CuPy. Integers, uniforms, permutations and seeds are equal bit for bit on both;
normals differ by the last places of log, sin and cos. A word has two 32-bit lanes, the low one first.
In row-major order, value i of an op is made of

    float32 uniform   lane i: its top 24 bits * 2^-24 (float16: 11 bits * 2^-11, bfloat16: 8 bits * 2^-8)
    float64 uniform   word i: its top 53 bits * 2^-53
    integer           word i: minval + floor(word * (maxval - minval) / 2^64), biased by less than
                      (maxval - minval) / 2^64; for a dtype's whole range, the low bits of word i
    float32 normal    values 2k and 2k+1 from word k by Box and Muller: r cos(t) and r sin(t) in float32, with
                      r = sqrt(-2 log((low lane + 0.5) * 2^-32)) and t = 2 pi (top 24 bits of the high lane) * 2^-24
    float64 normal    the same in float64, with r by the top 53 bits of word 2k and t by those of word 2k+1
    truncated normal  sqrt(2) erfinv(v erf(sqrt(2))), where v is the middle of a cell of (-1, 1): the one numbered by
                      the top 24 bits of lane i (53 bits of word i)
    shuffle           the entry of the i-th smallest word
    categorical       the first class whose cumulative weight exceeds uniform * total, in float64; a logit that is not
                      finite weighs nothing

Halves are computed in float32. `minval`, `maxval`, `mean` and `stddev` are applied before rounding to the dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from protocol import philox
from protocol.dtypes import DType, float32, float64, int64
from server.kernels.library import special
from server.kernels.philox import words
from server.kernels.registry import kernel

_TWO_SIGMA = math.erf(math.sqrt(2.0))
_UNIFORM_BITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
# Words at a time: few enough to stay in a CPU's cache and to bound the scratch memory on a GPU. Whole blocks of four.
_CHUNK_CPU = 1 << 15
_CHUNK_GPU = 1 << 24


def _generate(
    xp: Any, shape: tuple[int, ...], dtype: DType, seed: Any, counter: int, per_word: int, convert: Callable[..., Any]
) -> Any:
    """`shape` filled with `convert(words)`, which gives `per_word` values for each word."""
    count = math.prod(shape)
    out = xp.empty(count, dtype.numpy)
    stream = words(xp, seed, counter)
    step = per_word * (_CHUNK_CPU if xp is np else _CHUNK_GPU)
    for start in range(0, count, step):
        size = min(step, count - start)
        needed = -(-size // per_word)
        out[start : start + size] = convert(stream.take(needed + needed % 2))[:size]  # float64 normals come in pairs
    return out.reshape(shape)


def _lanes(bits: Any, dtype: DType) -> Any:
    """The unsigned integers that one value each is made of: words for float64, else their 32-bit lanes."""
    return bits if dtype.size == 8 else bits.view(np.uint32)


def _work(dtype: DType) -> Any:
    """The NumPy dtype in which values of `dtype` are computed."""
    return np.float64 if dtype.size == 8 else np.float32


def _per_word(dtype: DType) -> int:
    return 1 if dtype.size == 8 else 2


def _top(lanes: Any, bits: int, work: Any) -> Any:
    """The top `bits` of each lane as a fraction in [0, 1)."""
    found = (lanes >> lanes.dtype.type(8 * lanes.dtype.itemsize - bits)).astype(work)
    found *= work(2.0**-bits)
    return found


def _below(limit: float, other: float, dtype: DType) -> Any:
    """The number of `dtype` next to `limit` towards `other`."""
    kind = dtype.as_numpy_dtype
    found = kind(limit)
    if (limit - other) * (float(found) - limit) < 0:
        return found  # rounding to dtype already went towards `other`
    return np.nextafter(found, kind(other))


def _uniform(
    xp: Any,
    *,
    shape: Any,
    seed: Any,
    counter: int = 0,
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: DType = float32,
) -> Any:
    work, bits = _work(dtype), _UNIFORM_BITS[dtype.name]
    unit = minval == 0 and maxval == 1

    def convert(raw: Any) -> Any:
        found = _top(_lanes(raw, dtype), bits, work)
        if not unit:
            found *= work(maxval - minval)
            found += work(minval)
            if minval != maxval:  # rounding can reach the bound that is excluded
                edge = work(_below(maxval, minval, dtype))
                found = xp.minimum(found, edge) if minval < maxval else xp.maximum(found, edge)
        return found

    return _generate(xp, shape, dtype, seed, counter, _per_word(dtype), convert)


def multiply_high(bits: Any, factor: int) -> Any:
    """The upper 64 of the 128 bits of `bits * factor`, for uint64 and 0 <= factor < 2^64."""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    low, high = bits & mask, bits >> half
    factor_low, factor_high = np.uint64(factor & 0xFFFFFFFF), np.uint64(factor >> 32)
    low_carry = (low * factor_low) >> half
    middle = high * factor_low + low_carry
    if not factor >> 32:
        return middle >> half
    other = low * factor_high + (middle & mask)
    return high * factor_high + (middle >> half) + (other >> half)


def _uniform_int(
    xp: Any,
    *,
    shape: Any,
    seed: Any,
    counter: int = 0,
    minval: int | None = None,
    maxval: int | None = None,
    dtype: DType = int64,
) -> Any:
    whole = minval is None or maxval is None
    low, width = (0, 0) if whole else (minval, maxval - minval)  # type: ignore[operator]

    def convert(raw: Any) -> Any:
        if whole or width == 2**64:
            return raw + np.uint64(low % 2**64)
        return multiply_high(raw, width) + np.uint64(low % 2**64)

    def narrow(raw: Any) -> Any:
        return convert(raw).astype(dtype.numpy)  # two's complement: the low bits are the number

    return _generate(xp, shape, dtype, seed, counter, 1, narrow)


def _box_muller(xp: Any, raw: Any, dtype: DType) -> Any:
    """As many standard normals as `raw` has lanes (float64: words)."""
    work = _work(dtype)
    lanes = _lanes(raw, dtype).reshape(-1, 2)
    radius, angle = lanes[:, 0], _top(lanes[:, 1], _UNIFORM_BITS["float64" if dtype.size == 8 else "float32"], work)
    bits = 32
    if dtype.size == 8:
        radius, bits = radius >> np.uint64(11), 53
    radius = radius.astype(work)
    radius += work(0.5)
    radius *= work(2.0**-bits)
    xp.log(radius, out=radius)
    radius *= work(-2.0)
    xp.sqrt(radius, out=radius)
    angle *= work(2.0 * math.pi)
    found = xp.empty(lanes.shape, work)
    xp.multiply(radius, xp.cos(angle), out=found[:, 0])
    xp.multiply(radius, xp.sin(angle, out=angle), out=found[:, 1])
    return found.reshape(-1)


def _scaled(found: Any, mean: float, stddev: float) -> Any:
    if stddev != 1:
        found *= found.dtype.type(stddev)
    if mean != 0:
        found += found.dtype.type(mean)
    return found


def _normal(
    xp: Any, *, shape: Any, seed: Any, counter: int = 0, mean: float = 0.0, stddev: float = 1.0, dtype: DType = float32
) -> Any:
    def convert(raw: Any) -> Any:
        return _scaled(_box_muller(xp, raw, dtype), mean, stddev)

    return _generate(xp, shape, dtype, seed, counter, _per_word(dtype), convert)


def _truncated_normal(
    xp: Any, *, shape: Any, seed: Any, counter: int = 0, mean: float = 0.0, stddev: float = 1.0, dtype: DType = float32
) -> Any:
    work = _work(dtype)
    bits, signed = (53, np.int64) if dtype.size == 8 else (24, np.int32)

    def convert(raw: Any) -> Any:
        lanes = _lanes(raw, dtype)
        cell = (lanes >> lanes.dtype.type(8 * lanes.dtype.itemsize - bits)).astype(signed)
        cell = cell * 2 + (1 - 2**bits)
        found = special(xp).erfinv(cell.astype(work) * work(2.0**-bits * _TWO_SIGMA))
        found *= work(math.sqrt(2.0))
        return _scaled(xp.clip(found, work(-2.0), work(2.0)), mean, stddev)

    return _generate(xp, shape, dtype, seed, counter, _per_word(dtype), convert)


def _shuffle(xp: Any, value: Any, *, seed: Any, counter: int = 0) -> Any:
    if value.ndim == 0:
        return value
    order = xp.argsort(words(xp, seed, counter).take(value.shape[0]))
    return xp.take(value, order, axis=0)


def _categorical(xp: Any, logits: Any, *, num_samples: int, seed: Any, counter: int = 0, dtype: DType = int64) -> Any:
    batch = logits.shape[0]
    if batch == 0 or num_samples == 0:
        return xp.empty((batch, num_samples), dtype.numpy)
    values = logits.astype(np.float64)
    finite = xp.isfinite(values)
    largest = xp.where(finite, values, -np.inf).max(axis=1, keepdims=True)
    weights = xp.where(finite, xp.exp(xp.where(finite, values - largest, 0.0)), 0.0)
    cumulative = xp.cumsum(weights, axis=1)
    total = cumulative[:, -1:]
    target = _uniform(xp, shape=(batch, num_samples), seed=seed, counter=counter, dtype=float64)
    target = xp.minimum(target * total, xp.nextafter(total, 0.0))
    return _first_above(xp, cumulative, target).astype(dtype.numpy)


def _first_above(xp: Any, rows: Any, targets: Any) -> Any:
    """For each target the first index where its ascending row exceeds it, or the last: one binary search for all."""
    flat, length = rows.reshape(-1), rows.shape[1]
    base = xp.arange(rows.shape[0])[:, None] * length
    low = xp.zeros(targets.shape, np.int64)
    high = xp.full(targets.shape, length - 1, np.int64)
    for _ in range((length - 1).bit_length()):
        middle = (low + high) >> 1
        after = flat.take(base + middle) <= targets
        low = xp.where(after, middle + 1, low)
        high = xp.where(after, high, middle)
    return xp.minimum(low, length - 1)


def _host(xp: Any, array: Any) -> Any:
    return array if xp is np else array.get()


def _split(xp: Any, seed: Any, *, num: int = 2) -> Any:
    return xp.asarray(philox.split(_host(xp, seed), num))


def _fold_in(xp: Any, seed: Any, data: Any) -> Any:
    return xp.asarray(philox.fold_in(_host(xp, seed), _host(xp, data)))


kernel("random_uniform", _uniform)
kernel("random_uniform_int", _uniform_int)
kernel("random_normal", _normal)
kernel("random_truncated_normal", _truncated_normal)
kernel("random_shuffle", _shuffle)
kernel("random_categorical", _categorical)
kernel("random_split", _split)
kernel("random_fold_in", _fold_in)
