"""Kernels of gamma, Poisson and binomial values, in float64: by rejection, or by searching the distribution function.

Every value that is still to be made takes part in a round, which draws its words from a domain of its own (`RETRY`,
`RETRY + 1`, ...): the j-th of them, in order, has the words k j to k j + k - 1. What a round rejects goes on to the
next. The two devices agree, but where the last place of a logarithm decides. On a GPU each round waits for the
number that are left.

    gamma      Marsaglia and Tsang (2000), a normal (two words) and a uniform; alpha below 1 by alpha + 1 and a power
    Poisson    rates from 10: Hoermann's transformed rejection PTRS (1993), two uniforms; below, sequential search
    binomial   counts * probs from 10: Hoermann's BTRS (1993), two uniforms; below, sequential search
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from protocol.dtypes import DType, float32, int32
from protocol.philox import RETRY, VALUES
from server.kernels import room
from server.kernels.library import special
from server.kernels.philox import words
from server.kernels.registry import kernel
from server.kernels.special import igamma_slope

_ROUNDS = 64  # each accepts 7 of 10 values at the very least
_SEARCH = 80  # a count with a mean below 10 is larger with a probability under 2^-53
_SWITCH = 10.0
_SCRATCH = 16  # arrays of float64 at a time for each of the results


def _open(raw: Any) -> Any:
    """Uniforms in (0, 1), the middles of 2^53 cells."""
    found = (raw >> np.uint64(11)).astype(np.float64)
    found += 0.5
    found *= 2.0**-53
    return found


def _rejection(
    xp: Any, pending: Any, out: Any, seed: Any, counter: int, uniforms: int, propose: Callable[..., Any]
) -> None:
    """Fill `out[pending]`. `propose(indices, u, ...)` turns uniforms into values and whether each is accepted."""
    for attempt in range(_ROUNDS):
        count = pending.shape[0]
        if count == 0:
            return
        raw = words(xp, seed, counter, RETRY + attempt).take(uniforms * count)
        found, accepted = propose(pending, *_open(raw).reshape(count, uniforms).T)
        out[pending] = found
        pending = pending[~accepted]


def _search(xp: Any, u: Any, first: Any, ratio: Callable[[int], Any]) -> Any:
    """The smallest k with u <= P(0) + ... + P(k), where P(0) is `first` and P(k) = P(k - 1) * ratio(k)."""
    found = xp.zeros(u.shape)
    probability, total = first, first
    for k in range(1, _SEARCH):
        beyond = u > total
        if xp is np and not beyond.any():
            break
        found += beyond
        probability = probability * ratio(k)
        total = total + probability
    return found


def _flat(xp: Any, parameter: Any, shape: tuple[int, ...]) -> Any:
    room.ask(shape, np.float64, times=_SCRATCH)
    return xp.broadcast_to(parameter, shape).reshape(-1).astype(np.float64)


def _result(xp: Any, values: Any, shape: tuple[int, ...], dtype: DType) -> Any:
    """`values` in `dtype`; integers hold the nearest they can, and 0 for NaN."""
    if dtype.is_integer:
        values = xp.where(xp.isnan(values), 0.0, values)
        top = xp.asarray(dtype.max, dtype.numpy)
        fits = values < float(dtype.max)
        return xp.where(fits, xp.where(fits, values, 0.0).astype(dtype.numpy), top).reshape(shape)
    return values.astype(dtype.numpy).reshape(shape)


def _gamma(xp: Any, alpha: Any, *, shape: Any, seed: Any, counter: int = 0, outer: bool = False) -> Any:
    dtype = alpha.dtype
    shape = shape + alpha.shape if outer else shape
    alpha = _flat(xp, alpha, shape)
    valid = xp.isfinite(alpha) & (alpha > 0)
    boosted = xp.where(valid, xp.where(alpha < 1, alpha + 1, alpha), 1.0)
    third = boosted - 1 / 3
    slope = 1 / xp.sqrt(9 * third)

    def propose(at: Any, u: Any, angle: Any, v: Any) -> Any:
        d = third[at]
        z = xp.sqrt(-2 * xp.log(u)) * xp.cos(2 * math.pi * angle)
        cube = (1 + slope[at] * z) ** 3
        positive = cube > 0
        logarithm = xp.log(xp.where(positive, cube, 1.0))
        return d * cube, positive & (xp.log(v) < z * z / 2 + d * (1 - cube + logarithm))

    out = xp.ones(alpha.shape)
    _rejection(xp, xp.arange(alpha.size), out, seed, counter, 3, propose)
    u = _open(words(xp, seed, counter, VALUES).take(alpha.size))
    out = xp.where(alpha < 1, out * u ** (1 / xp.where(valid, alpha, 1.0)), out)
    out = xp.where(valid, out, xp.where(alpha == 0, 0.0, xp.where(alpha > 0, np.inf, np.nan)))
    return out.astype(dtype).reshape(shape)


def _gamma_grad(xp: Any, alpha: Any, sample: Any) -> Any:
    """d sample / d alpha at a fixed value of the distribution function: -(dP / dalpha) / (dP / dx)."""
    dtype = sample.dtype
    a, x = xp.broadcast_arrays(alpha.astype(np.float64), sample.astype(np.float64))
    slope = igamma_slope(xp, a, x)
    density = xp.exp((a - 1) * xp.log(x) - x - special(xp).gammaln(a))
    return xp.where(x > 0, -slope / density, 0.0).astype(dtype)


def _poisson(
    xp: Any, rate: Any, *, shape: Any, seed: Any, counter: int = 0, outer: bool = False, dtype: DType = float32
) -> Any:
    shape = shape + rate.shape if outer else shape
    rate = _flat(xp, rate, shape)
    small = xp.where((rate > 0) & (rate < _SWITCH), rate, 0.0)
    u = _open(words(xp, seed, counter, VALUES).take(rate.size))
    out = _search(xp, u, xp.exp(-small), lambda k: small / k)
    large = xp.isfinite(rate) & (rate >= _SWITCH)

    def propose(at: Any, u: Any, v: Any) -> Any:
        mean = rate[at]
        b = 0.931 + 2.53 * xp.sqrt(mean)
        a = -0.059 + 0.02483 * b
        k, near, squeezed, inside = _hat(xp, u, v, a, b, mean + 0.43, 0.9277 - 3.6224 / (b - 2))
        height = xp.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (near * near) + b))
        below = height <= k * xp.log(mean) - mean - special(xp).gammaln(xp.maximum(k, 0.0) + 1)
        return k, squeezed | (inside & below)

    _rejection(xp, xp.nonzero(large)[0], out, seed, counter, 2, propose)
    out = xp.where(xp.isfinite(rate), out, xp.where(rate < 0, 0.0, rate))
    return _result(xp, out, shape, dtype)


def _hat(xp: Any, u: Any, v: Any, a: Any, b: Any, center: Any, squeeze: Any) -> Any:
    """The proposal of a transformed rejection: k, its distance to the edge, what is accepted and what may be."""
    u = u - 0.5
    near = 0.5 - xp.abs(u)
    k = xp.floor((2 * a / near + b) * u + center)
    squeezed = (near >= 0.07) & (v <= squeeze)
    inside = (k >= 0) & ~((near < 0.013) & (v > near))
    return k, near, squeezed & (k >= 0), inside


def _binomial(
    xp: Any, counts: Any, probs: Any, *, shape: Any, seed: Any, counter: int = 0, dtype: DType = int32
) -> Any:
    n, p = xp.floor(_flat(xp, counts, shape)), _flat(xp, probs, shape)
    known = ~(xp.isnan(n) | xp.isnan(p)) & (n < np.inf)
    total = xp.where(known, xp.maximum(n, 0.0), 0.0)
    chance = xp.where(known, xp.clip(p, 0.0, 1.0), 0.0)
    flipped = chance > 0.5
    p = xp.where(flipped, 1 - chance, chance)
    large = total * p >= _SWITCH
    n = xp.where(large, 0.0, total)
    u = _open(words(xp, seed, counter, VALUES).take(n.size))
    odds = p / (1 - p)
    out = _search(xp, u, xp.exp(n * xp.log1p(-p)), lambda k: xp.maximum(n - k + 1, 0.0) / k * odds)

    def propose(at: Any, u: Any, v: Any) -> Any:
        n, p, odd = total[at], p_all[at], odds[at]
        deviation = xp.sqrt(n * p * (1 - p))
        b = 1.15 + 2.53 * deviation
        a = -0.0873 + 0.0248 * b + 0.01 * p
        k, near, squeezed, inside = _hat(xp, u, v, a, b, n * p + 0.5, 0.92 - 4.2 / b)
        fits = k <= n
        mode = xp.floor((n + 1) * p)
        height = xp.log(v * (2.83 + 5.1 / b) * deviation / (a / (near * near) + b))
        below = height <= _log_ways(xp, n, k) - _log_ways(xp, n, mode) + (k - mode) * xp.log(odd)
        return k, fits & (squeezed | (inside & below))

    p_all = p
    _rejection(xp, xp.nonzero(large)[0], out, seed, counter, 2, propose)
    out = xp.minimum(out, total)
    out = xp.where(known, xp.where(flipped, total - out, out), np.nan)
    return _result(xp, out, shape, dtype)


def _log_ways(xp: Any, n: Any, k: Any) -> Any:
    """log of n over k, for any k by the nearest in [0, n]."""
    k = xp.clip(k, 0.0, n)
    log_factorial = special(xp).gammaln
    return log_factorial(n + 1) - log_factorial(k + 1) - log_factorial(n - k + 1)


kernel("random_gamma", _gamma)
kernel("random_gamma_grad", _gamma_grad)
kernel("random_poisson", _poisson)
kernel("random_binomial", _binomial)
