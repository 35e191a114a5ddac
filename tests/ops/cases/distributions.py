"""Cases of `protocol/ops/distributions.py`.

The references are the documented algorithms again, one value at a time, over Philox in Python's integers.
"""

import math

import numpy as np
from scipy import special

from protocol import dtypes
from tests.ops.case import array, case, layouts
from tests.ops.cases.random import words

RETRY = 3


def opened(word):
    return ((word >> 11) + 0.5) * 2.0**-53


def rounds(count, seed, counter, each, propose):
    """`propose(i, u, ...)` for each i until it gives a number. Those left in a round share a new domain's words."""
    found, left, attempt = {}, list(count), 0
    while left:
        source = iter(words(seed, counter, each * len(left), RETRY + attempt))
        answers = {i: propose(i, *[opened(next(source)) for _ in range(each)]) for i in left}
        found |= {i: a for i, a in answers.items() if a is not None}
        left = [i for i in left if answers[i] is None]
        attempt += 1
    return found


def search(u, first, ratio):
    total = probability = first
    for k in range(1, 80):
        if u <= total:
            return k - 1
        probability *= ratio(k)
        total += probability
    return 79


def gamma(alpha, *, shape, seed, counter=0, outer=False):
    shape = shape + alpha.shape if outer else shape
    parameters = np.broadcast_to(alpha, shape).ravel().tolist()
    valid = [i for i, a in enumerate(parameters) if 0 < a < math.inf]
    boosted = {i: parameters[i] + (parameters[i] < 1) for i in valid}

    def propose(i, u, angle, v):
        d = boosted[i] - 1 / 3
        z = math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * angle)
        cube = (1 + z / math.sqrt(9 * d)) ** 3
        if cube > 0 and math.log(v) < z * z / 2 + d - d * cube + d * math.log(cube):
            return d * cube
        return None

    # Values that are not valid take part in the rounds as alpha = 1, so that the others' words don't depend on them.
    boosted = {i: boosted.get(i, 1.0) for i in range(len(parameters))}
    found = rounds(range(len(parameters)), seed, counter, 3, propose)
    powers = words(seed, counter, len(parameters))
    out = []
    for i, a in enumerate(parameters):
        value = found[i] * opened(powers[i]) ** (1 / a) if 0 < a < 1 else found[i]
        out.append(value if i in valid else {0.0: 0.0, math.inf: math.inf}.get(a, math.nan))
    return np.array(out).reshape(shape)


def gamma_grad(alpha, sample):
    """The derivative of the inverse of the distribution function, by differences."""
    u, h = special.gammainc(alpha, sample), 1e-4 * alpha
    return (special.gammaincinv(alpha + h, u) - special.gammaincinv(alpha - h, u)) / (2 * h)


def counted(values, shape, dtype):
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        return np.array([0 if v != v else int(min(v, info.max)) for v in values], dtype).reshape(shape)
    return np.array(values, np.float64).reshape(shape)


def hat(u, v, a, b, center):
    near = 0.5 - abs(u - 0.5)
    k = math.floor((2 * a / near + b) * (u - 0.5) + center)
    return k, near, k < 0 or (near < 0.013 and v > near)


def poisson(rate, *, shape, seed, counter=0, outer=False, dtype=np.float32):
    shape = shape + rate.shape if outer else shape
    rates = np.broadcast_to(rate, shape).ravel().astype(float).tolist()
    starts = words(seed, counter, len(rates))

    def propose(i, u, v):
        mean = rates[i]
        b = 0.931 + 2.53 * math.sqrt(mean)
        a = -0.059 + 0.02483 * b
        k, near, out = hat(u, v, a, b, mean + 0.43)
        if near >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2):
            return k
        height = math.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / near**2 + b))
        return k if not out and height <= k * math.log(mean) - mean - math.lgamma(k + 1) else None

    found = rounds([i for i, r in enumerate(rates) if 10 <= r < math.inf], seed, counter, 2, propose)
    for i, r in enumerate(rates):
        if i not in found:
            small = r if 0 < r < 10 else 0.0
            found[i] = search(opened(starts[i]), math.exp(-small), lambda k, r=small: r / k)
            found[i] = r if r == math.inf or r != r else found[i]
    return counted([found[i] for i in range(len(rates))], shape, dtype)


def binomial(counts, probs, *, shape, seed, counter=0, dtype=np.int32):
    pairs = list(zip(*(np.broadcast_to(v, shape).ravel().astype(float).tolist() for v in (counts, probs)), strict=True))
    starts = words(seed, counter, len(pairs))
    known = [n == n and p == p and n < math.inf for n, p in pairs]
    settled = [
        (math.floor(max(n, 0)), min(max(p, 0.0), 1.0)) if ok else (0, 0.0)
        for (n, p), ok in zip(pairs, known, strict=True)
    ]
    half = [(n, p if p <= 0.5 else 1 - p) for n, p in settled]

    def propose(i, u, v):
        n, p = half[i]
        deviation = math.sqrt(n * p * (1 - p))
        b = 1.15 + 2.53 * deviation
        a = -0.0873 + 0.0248 * b + 0.01 * p
        k, near, out = hat(u, v, a, b, n * p + 0.5)
        if k < 0 or k > n:
            return None
        if near >= 0.07 and v <= 0.92 - 4.2 / b:
            return k
        mode = math.floor((n + 1) * p)
        height = math.log(v * (2.83 + 5.1 / b) * deviation / (a / near**2 + b))
        chance = math.lgamma(mode + 1) + math.lgamma(n - mode + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        return k if not out and height <= chance + (k - mode) * math.log(p / (1 - p)) else None

    found = rounds([i for i, (n, p) in enumerate(half) if n * p >= 10], seed, counter, 2, propose)
    for i, (n, p) in enumerate(half):
        if i not in found:
            first = math.exp(n * math.log1p(-p))
            found[i] = search(opened(starts[i]), first, lambda k, n=n, p=p: max(n - k + 1, 0) / k * (p / (1 - p)))
        found[i] = min(found[i], n)
        found[i] = (n - found[i] if settled[i][1] > 0.5 else found[i]) if known[i] else math.nan
    return counted([found[i] for i in range(len(pairs))], shape, dtype)


DRAW = {"seed": (11, -12), "counter": 2, "gradient": False, "loose": 4}
REALS = {"int32": dtypes.int32, "int8": dtypes.int8, "uint16": dtypes.uint16, "float16": dtypes.float16}
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -1.0, 2.0], np.float32)
RATES = np.array([0.5, 3.0, 9.5, 10.0, 25.0, 70.0], np.float32)
COUNTS = np.array([3.0, 10.0, 40.0, 100.0, 1000.0, 1000.0], np.float32)
PROBS = np.array([0.5, 0.95, 0.5, 0.9, 0.3, 0.001], np.float32)


def gammas():
    def one(label, alpha, **attrs):
        return case("random_gamma", alpha, ref=gamma, label=label, **(DRAW | {"shape": (2, 3)} | attrs))

    alpha = array(2, 3, low=0.1, high=8)
    return [
        *[one(t.name, alpha.astype(t.numpy)) for t in dtypes.FLOATS],
        one("scalar", np.float32(2), shape=()),
        one("scalar_outer", np.float32(2), shape=(4,), outer=True),
        one("outer", alpha, shape=(4, 1), outer=True),
        one("broadcast", np.array([[0.5], [3.0]], np.float32), shape=(2, 20)),
        one("empty", np.ones((0, 3), np.float32), shape=(2,), outer=True),
        one("deep", array(1, 2, 1, 2, low=0.2, high=4), shape=(2, 1, 2), outer=True),
        one("strided", layouts(alpha)),
        one("special", SPECIAL, shape=(2, 6)),
        one("large", np.array([1e3, 1e6, 1e12])[:, None], shape=(3, 5)),
    ]


def gamma_grads():
    alpha, sample = array(2, 5, dtype="float64", low=0.3, high=20), array(2, 5, dtype="float64", low=0.2, high=20)
    rows = {t.name: (alpha.astype(t.numpy), sample.astype(t.numpy), 50) for t in (dtypes.float16, dtypes.float32)}
    rows["bfloat16"] = (alpha.astype(dtypes.bfloat16.numpy), sample.astype(dtypes.bfloat16.numpy), 50)
    rows["float64"] = (alpha, sample, 1e6)  # the reference's differences have eight digits
    rows["broadcast"] = (np.array([0.5, 2.0, 8.0], np.float32), np.array([[1.0], [3.0]], np.float32), 50)
    rows["empty"] = (np.ones((0, 2), np.float32), np.ones((0, 2), np.float32), 1)
    return [
        case("random_gamma_grad", a, x, ref=gamma_grad, label=k, gradient=False, loose=loose)
        for k, (a, x, loose) in rows.items()
    ]


def poissons():
    def one(label, rate, **attrs):
        return case("random_poisson", rate, ref=poisson, label=label, **(DRAW | {"shape": (3, 6)} | attrs))

    return [
        *[one(f"to_{t.name}", RATES, dtype=t) for t in dtypes.FLOATS + dtypes.INTS],
        *[one(f"of_{k}", RATES.astype(t.numpy)) for k, t in REALS.items()],
        one("scalar", np.float32(30), shape=()),
        one("outer", RATES, shape=(2, 2), outer=True),
        one("empty", RATES, shape=(0, 6)),
        one("deep", array(1, 2, 1, 2, low=0, high=30), shape=(2, 1, 2), outer=True),
        one("strided", layouts(RATES)),
        one("special", SPECIAL),
        one("special_int", SPECIAL, dtype=dtypes.int64),
        one("large", np.array([1e4, 1e8])[:, None], shape=(2, 5), dtype=dtypes.float64),
    ]


def binomials():
    def one(label, counts, probs, **attrs):
        return case("random_binomial", counts, probs, ref=binomial, label=label, **(DRAW | {"shape": (4, 6)} | attrs))

    return [
        *[one(f"to_{t.name}", COUNTS, PROBS, dtype=t) for t in dtypes.FLOATS + dtypes.INTS],
        *[one(f"of_{k}", COUNTS.astype(t.numpy), np.float32(0.25)) for k, t in REALS.items() if k != "int8"],
        one("mixed", COUNTS.astype(np.int64), PROBS.astype(np.float64)),
        one("scalar", np.float32(30), np.float32(0.5), shape=()),
        one("empty", COUNTS, PROBS, shape=(0, 6)),
        one("broadcast", COUNTS, np.array([[0.5], [0.1]], np.float32), shape=(1, 2, 2, 1, 2, 6)),
        one("strided", layouts(COUNTS), layouts(PROBS)),
        one("special_counts", SPECIAL, np.float32(0.5)),
        one("special_probs", np.float32(20), SPECIAL, dtype=dtypes.float32),
    ]


CASES = [*gammas(), *gamma_grads(), *poissons(), *binomials()]
