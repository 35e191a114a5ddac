"""Cases of `protocol/ops/random.py`.

The references are the mapping that `server/kernels/random.py` documents, written again one value at a time, over
Philox4x64-10 in Python's integers. That the values have the right distribution is `tests/ops/test_random.py`.
"""

import math

import ml_dtypes
import numpy as np
from scipy import special

from protocol import dtypes
from tests.ops.case import array, case, layouts

M64 = 2**64 - 1
SEEDS = {"small": (1, 2), "negative": (-1, -(2**63)), "large": (2**63 - 1, 0x0123456789ABCDEF)}
SHAPES = {"scalar": (), "vector": (11,), "empty": (0, 3), "deep": (1, 2, 1, 3, 1, 2)}


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x64-10 as its authors write it: ten rounds, the key bumped between them."""
    x0, x1, x2, x3 = (c & M64 for c in counter)
    k0, k1 = (k & M64 for k in key)
    for _ in range(10):
        a, b = 0xD2E7470EE14C6C93 * x0, 0xCA5A826395121157 * x2
        x0, x1, x2, x3 = (b >> 64) ^ x1 ^ k0, b & M64, (a >> 64) ^ x3 ^ k1, a & M64
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & M64, (k1 + 0xBB67AE8584CAA73B) & M64
    return [x0, x1, x2, x3]


def words(seed, counter, count, domain=0):
    found = []
    block = 1
    while len(found) < count:
        found += philox([block, 0, counter, domain], list(seed))
        block += 1
    return found[:count]


def lanes(seed, counter, count):
    found = []
    for word in words(seed, counter, (count + 1) // 2):
        found += [word & 0xFFFFFFFF, word >> 32]
    return found[:count]


def filled(shape, values, dtype):
    return np.array(values[: math.prod(shape)], np.float64 if np.dtype(dtype).kind in "fV" else dtype).reshape(shape)


def units(seed, counter, count, dtype):
    """Numbers in [0, 1), the top bits of lanes or words."""
    if dtype == np.float64:
        return [(w >> 11) * 2.0**-53 for w in words(seed, counter, count)]
    bits = {np.dtype(np.float16): 11, np.dtype(ml_dtypes.bfloat16): 8, np.dtype(np.float32): 24}[np.dtype(dtype)]
    return [(lane >> (32 - bits)) * 2.0**-bits for lane in lanes(seed, counter, count)]


def uniform(*, shape, seed, counter=0, minval=0.0, maxval=1.0, dtype=np.float32):
    found = units(seed, counter, math.prod(shape), dtype)
    return filled(shape, [minval + u * (maxval - minval) for u in found], dtype)


def uniform_int(*, shape, seed, counter=0, minval=None, maxval=None, dtype=np.int64):
    count = math.prod(shape)
    info = np.iinfo(dtype)
    if minval is None:
        whole = int(info.max) - int(info.min) + 1
        found = [w % whole for w in words(seed, counter, count)]
        found = [w - whole if w > info.max else w for w in found]
    else:
        found = [minval + (w * (maxval - minval) >> 64) for w in words(seed, counter, count)]
    return np.array(found, dtype).reshape(shape)


def standard_normal(seed, counter, count, dtype):
    """By Box and Muller. The float32 form rounds the radius's number and the angle to float32."""
    found = []
    if dtype == np.float64:
        source = words(seed, counter, count + count % 2)
        pairs = [
            (((a >> 11) + 0.5) * 2.0**-53, 2 * math.pi * (b >> 11) * 2.0**-53)
            for a, b in zip(source[::2], source[1::2], strict=True)
        ]
    else:
        source = lanes(seed, counter, count + count % 2)
        pairs = [
            (
                float((np.float32(a) + np.float32(0.5)) * np.float32(2.0**-32)),
                float(np.float32((b >> 8) * 2.0**-24) * np.float32(2 * math.pi)),
            )
            for a, b in zip(source[::2], source[1::2], strict=True)
        ]
    for u, angle in pairs:
        radius = math.sqrt(-2 * math.log(u))
        found += [radius * math.cos(angle), radius * math.sin(angle)]
    return found[:count]


def normal(*, shape, seed, counter=0, mean=0.0, stddev=1.0, dtype=np.float32):
    found = standard_normal(seed, counter, math.prod(shape), dtype)
    return filled(shape, [mean + stddev * z for z in found], dtype)


def truncated_normal(*, shape, seed, counter=0, mean=0.0, stddev=1.0, dtype=np.float32):
    """By the inverse of the normal's distribution function, between those of -2 and 2."""
    count = math.prod(shape)
    if dtype == np.float64:
        cells = [((w >> 11) + 0.5) * 2.0**-53 for w in words(seed, counter, count)]
    else:
        cells = [((lane >> 8) + 0.5) * 2.0**-24 for lane in lanes(seed, counter, count)]
    low, high = special.ndtr(-2.0), special.ndtr(2.0)
    return filled(shape, [mean + stddev * special.ndtri(low + u * (high - low)) for u in cells], dtype)


def shuffle(value, *, seed, counter=0):
    if value.ndim == 0:
        return value
    keys = words(seed, counter, len(value))
    return np.array([value[i] for i in sorted(range(len(value)), key=keys.__getitem__)], value.dtype).reshape(
        value.shape
    )


def categorical(logits, *, num_samples, seed, counter=0, dtype=np.int64):
    numbers = iter(units(seed, counter, len(logits) * num_samples, np.float64))
    found = np.empty((len(logits), num_samples), dtype)
    for row, samples in zip(logits, found, strict=True):
        known = [v for v in row if np.isfinite(v)]
        weights = [math.exp(v - max(known)) if np.isfinite(v) else 0.0 for v in row]
        for i in range(num_samples):
            target, running = next(numbers) * sum(weights), 0.0
            for k, weight in enumerate(weights):
                running += weight
                if running > target or k == len(weights) - 1:
                    samples[i] = k
                    break
    return found


def split(seed, *, num=2):
    found = np.array(words(seed.tolist(), 0, 2 * num, domain=1), np.uint64)
    return found.astype(seed.dtype).reshape(num, 2)


def fold_in(seed, data):
    return np.array(words(seed.tolist(), int(data), 2, domain=2), np.uint64).astype(data.dtype)


def filling(op, ref, types, suffix="", **attrs):
    """Cases of an op that fills a shape: dtypes, sizes and seeds."""
    main = next(t for t in (dtypes.float32, dtypes.int64) if t in types)
    rows = [
        case(op, ref=ref, label=t.name + suffix, shape=(3, 5), seed=(7, 8), dtype=t, loose=8, **attrs) for t in types
    ]
    rows += [
        case(op, ref=ref, label=k + suffix, shape=v, seed=(7, 8), counter=3, dtype=main, loose=8, **attrs)
        for k, v in SHAPES.items()
    ]
    rows += [
        case(op, ref=ref, label=f"{k}_seed", shape=(5,), seed=v, counter=-4, dtype=main, loose=8, **attrs)
        for k, v in SEEDS.items()
    ]
    return rows


def one(op, ref, label, **attrs):
    return case(op, ref=ref, label=label, seed=(5, 6), loose=8, **({"shape": (6,)} | attrs))


def shuffles():
    values = {t.name: array(7, dtype=t, low=0, high=50) for t in dtypes.ALL}
    values |= {
        "scalar": np.float32(3),
        "empty": np.zeros((0, 2), np.float32),
        "no_columns": np.zeros((4, 0), np.float32),
        "one": array(1, 3),
        "deep": array(3, 1, 2, 1, 2),
        "strided": layouts(array(5, 3)),
        "special": np.array([np.nan, np.inf, -np.inf, -0.0], np.float32),
    }
    return [case("random_shuffle", v, ref=shuffle, label=k, seed=(3, 4), counter=1) for k, v in values.items()]


def categoricals():
    logits = array(3, 4, low=-3, high=3)
    inputs = {t.name: logits.astype(t.numpy) for t in dtypes.FLOATS}
    inputs |= {
        "one_class": np.zeros((2, 1), np.float32),
        "many_classes": array(2, 129, low=-1, high=1),
        "no_batch": np.zeros((0, 4), np.float32),
        "strided": layouts(logits),
        "huge": np.array([[1e30, 1e30, -1e30], [-1e38, -1e38, -1e38]], np.float32),
        "special": np.array([[np.nan, 1.0, np.inf, 1.0], [-np.inf, 2.0, -np.inf, 2.0]], np.float32),
    }
    rows = [
        case("random_categorical", v, ref=categorical, label=k, num_samples=9, seed=(1, 9)) for k, v in inputs.items()
    ]
    none = {"ref": categorical, "seed": (1, 9), "counter": 2}
    return [
        *rows,
        case("random_categorical", logits, label="no_samples", num_samples=0, **none),
        case("random_categorical", logits, label="int32_result", num_samples=5, dtype=dtypes.int32, **none),
    ]


def seed_of(values, dtype):
    return np.array(values, dtype)


CASES = [
    *filling("random_uniform", uniform, dtypes.FLOATS),
    one("random_uniform", uniform, "range", minval=-3.0, maxval=5.5),
    one("random_uniform", uniform, "downward", minval=5.0, maxval=1.0),
    one("random_uniform", uniform, "point", minval=2.0, maxval=2.0),
    one("random_uniform", uniform, "range_float64", minval=-3.0, maxval=5.5, dtype=dtypes.float64),
    *filling("random_uniform_int", uniform_int, dtypes.INTS),
    *filling("random_uniform_int", uniform_int, dtypes.INTS, suffix="_range", minval=3, maxval=101)[:8],
    one("random_uniform_int", uniform_int, "one_value", minval=4, maxval=5),
    one("random_uniform_int", uniform_int, "negative", minval=-100, maxval=-50, dtype=dtypes.int8),
    one("random_uniform_int", uniform_int, "all_of_int32", minval=-(2**31), maxval=2**31, dtype=dtypes.int32),
    one("random_uniform_int", uniform_int, "wide", minval=-(2**63), maxval=2**63 - 1),
    one("random_uniform_int", uniform_int, "over_32_bits", minval=-5, maxval=2**40 + 12345),
    one("random_uniform_int", uniform_int, "just_32_bits", minval=0, maxval=2**32),
    one("random_uniform_int", uniform_int, "empty_range", minval=1, maxval=1, shape=(2, 0)),
    *filling("random_normal", normal, dtypes.FLOATS),
    one("random_normal", normal, "scaled", mean=-3.0, stddev=0.25),
    one("random_normal", normal, "odd_float64", shape=(7,), dtype=dtypes.float64),
    *filling("random_truncated_normal", truncated_normal, dtypes.FLOATS),
    one("random_truncated_normal", truncated_normal, "scaled", mean=10.0, stddev=2.0),
    *shuffles(),
    *categoricals(),
    *[case("random_split", seed_of(s, np.int64), ref=split, label=k) for k, s in SEEDS.items()],
    case("random_split", seed_of((1, 2), np.int32), ref=split, label="int32", num=5),
    case("random_split", seed_of((1, 2), np.int64), ref=split, label="none", num=0),
    *[
        case("random_fold_in", seed_of((1, 2), np.int32), np.int64(d), ref=fold_in, label=f"data{d}")
        for d in (0, -1, 2**40)
    ],
    case("random_fold_in", seed_of((1, 2), np.int64), np.int32(7), ref=fold_in, label="int32"),
]  # fmt: skip
