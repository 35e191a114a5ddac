"""Random values: the bits are Philox's on every device, and the distributions are what they are called."""

import ctypes
import math
import shutil
import subprocess

import numpy as np
import pytest
from scipy import stats

from protocol import dtypes, philox
from protocol.attrs import Unknown
from protocol.errors import InvalidArgumentError
from protocol.ops import lookup
from protocol.spec import Spec
from server.kernels import KERNELS
from server.kernels.philox import SOURCE
from tests.ops.cases import random as reference

SEEDS = [(0, 0), (1, 2), (-1, -1), (-(2**63), 2**63 - 1)]
COUNTERS = [0, 1, -1, 2**63 - 1]


def draw(op, shape=(20_000,), seed=(12, 34), **attrs):
    return KERNELS[op](np, shape=shape, seed=seed, **attrs)


def accepts(values, distribution, *parameters):
    return stats.kstest(np.ravel(values).astype(np.float64), distribution, parameters).pvalue > 1e-3


# --- bits ---


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("counter", COUNTERS)
@pytest.mark.parametrize("domain", [0, 3])
def test_words_are_philox(seed, counter, domain):
    stream = philox.Words(seed, counter, domain)
    taken = [*stream.take(3).tolist(), *stream.take(8).tolist()]
    assert taken == reference.words(seed, counter, 11, domain)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_cuda_source_is_philox(tmp_path):
    """The kernel's source, compiled for the CPU with CUDA's names given a meaning, makes NumPy's words."""
    (tmp_path / "philox.c").write_text(
        "#define __global__\n"
        "static struct { unsigned x; } gridDim = {2}, blockDim = {3}, blockIdx, threadIdx;\n"
        "static unsigned long long __umul64hi(unsigned long long a, unsigned long long b)\n"
        "{ return (unsigned long long)(((unsigned __int128)a * b) >> 64); }\n"
        + SOURCE.replace('extern "C"', "")
        + "void launch(unsigned long long a, unsigned long long b, unsigned long long c, unsigned long long d,\n"
        "            unsigned long long first, unsigned long long blocks, unsigned long long* out)\n"
        "{ for (blockIdx.x = 0; blockIdx.x < 2; ++blockIdx.x) for (threadIdx.x = 0; threadIdx.x < 3; ++threadIdx.x)\n"
        "    philox4x64_10(a, b, c, d, first, blocks, out); }\n"
    )
    library = tmp_path / "philox.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(tmp_path / "philox.c")]
    subprocess.run(command, check=True, capture_output=True)
    launch = ctypes.CDLL(str(library)).launch
    out = np.zeros(4 * 17, np.uint64)
    for seed in SEEDS:
        for counter in COUNTERS:
            words = [ctypes.c_uint64(w) for w in (*seed, counter, 1, 3, 17)]
            launch(*words, out.ctypes.data_as(ctypes.c_void_p))
            np.testing.assert_array_equal(out, philox.Words(seed, counter, 1).take(4 * 19)[8:])


@pytest.mark.gpu
def test_gpu_makes_the_same_values():
    cupy = pytest.importorskip("cupy")
    exact = [("random_uniform", t, {}) for t in dtypes.FLOATS]
    exact += [("random_uniform_int", t, {}) for t in dtypes.INTS]
    exact += [("random_uniform_int", dtypes.int64, {"minval": -5, "maxval": 2**40})]
    near = [(op, t, {}) for op in ("random_normal", "random_truncated_normal") for t in dtypes.FLOATS]
    for op, dtype, attrs in exact + near:
        given = {"shape": (1001,), "seed": (3, -4), "counter": 5, "dtype": dtype, **attrs}
        here, there = KERNELS[op](np, **given), cupy.asnumpy(KERNELS[op](cupy, **given))
        if (op, dtype, attrs) in exact:
            np.testing.assert_array_equal(here, there)
        else:
            step = float(np.finfo(np.float64 if dtype.size == 8 else np.float32).eps)
            step = max(step, {"float16": 2.0**-10, "bfloat16": 2.0**-7}.get(dtype.name, 0.0))
            np.testing.assert_allclose(here.astype(float), there.astype(float), rtol=16 * step, atol=4 * step)
    values = np.arange(501)
    shuffled = cupy.asnumpy(KERNELS["random_shuffle"](cupy, cupy.asarray(values), seed=(1, 2)))
    np.testing.assert_array_equal(shuffled, KERNELS["random_shuffle"](np, values, seed=(1, 2)))


def test_values_do_not_depend_on_how_they_are_cut():
    """A long draw, made in chunks, begins with the values of a short one."""
    for op, dtype in [
        ("random_uniform", dtypes.float32),
        ("random_normal", dtypes.float64),
        ("random_normal", dtypes.float16),
    ]:
        long = draw(op, (200_001,), dtype=dtype)
        for size in (1, 2, 7, 65_537):
            np.testing.assert_array_equal(draw(op, (size,), dtype=dtype), long[:size])
        np.testing.assert_array_equal(draw(op, (10, 3), dtype=dtype).ravel(), long[:30])


# --- distributions ---


@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64])
def test_uniform(dtype):
    assert accepts(draw("random_uniform", dtype=dtype), "uniform")
    assert accepts(draw("random_uniform", dtype=dtype, minval=-3.0, maxval=1.0), "uniform", -3, 4)


@pytest.mark.parametrize("dtype", dtypes.FLOATS, ids=str)
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.0, 1.001), (-0.1, 0.3), (1e6, 1e6 + 1), (5.0, -5.0)])
def test_uniform_stays_in_its_bounds(dtype, low, high):
    if dtype.name == "float16" and low > 6e4:
        pytest.skip("over float16's range")
    values = draw("random_uniform", dtype=dtype, minval=low, maxval=high).astype(np.float64)
    first = float(dtype.as_numpy_dtype(low))  # the lower bound as far as the dtype has it
    if low < high:
        assert min(low, first) <= values.min() <= values.max() < high
    else:
        assert high < values.min() <= values.max() <= max(low, first)


@pytest.mark.parametrize("dtype", dtypes.FLOATS, ids=str)
def test_normal(dtype):
    values = draw("random_normal", (400_000,), dtype=dtype).astype(np.float64)
    assert abs(values.mean()) < 6e-3
    assert abs(values.std() - 1) < 6e-3
    assert abs(stats.skew(values)) < 2e-2
    assert abs(stats.kurtosis(values)) < 3e-2
    assert abs(np.corrcoef(values[::2], values[1::2])[0, 1]) < 1e-2
    assert abs(np.corrcoef(values[::2] ** 2, values[1::2] ** 2)[0, 1]) < 1e-2
    assert np.abs(values).max() > 4
    if dtype.size >= 4:
        assert accepts(values[:20_000], "norm")
        assert accepts(draw("random_normal", dtype=dtype, mean=3.0, stddev=0.5), "norm", 3, 0.5)


@pytest.mark.parametrize("dtype", dtypes.FLOATS, ids=str)
def test_truncated_normal(dtype):
    values = draw("random_truncated_normal", (200_000,), dtype=dtype).astype(np.float64)
    assert np.abs(values).max() <= 2
    assert abs(values.mean()) < 1e-2
    assert abs(values.std() - stats.truncnorm.std(-2, 2)) < 1e-2
    if dtype.size >= 4:
        assert accepts(values[:20_000], "truncnorm", -2, 2)
    scaled = draw("random_truncated_normal", dtype=dtypes.float64, mean=10.0, stddev=3.0)
    assert accepts(scaled, "truncnorm", -2, 2, 10, 3)


@pytest.mark.parametrize("dtype", dtypes.INTS, ids=str)
def test_integers(dtype):
    values = draw("random_uniform_int", (60_000,), dtype=dtype, minval=10, maxval=20)
    assert stats.chisquare(np.bincount(values.astype(int), minlength=20)[10:]).pvalue > 1e-3
    whole = draw("random_uniform_int", (60_000,), dtype=dtype).astype(np.float64)
    bins = np.histogram(whole, 16, (float(dtype.min), float(dtype.max) + 1))[0]
    assert stats.chisquare(bins).pvalue > 1e-3


@pytest.mark.parametrize("width", [1, 3, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63 + 12345, 2**64 - 1])
def test_integers_of_any_width(width):
    from server.kernels.random import multiply_high

    bits = np.array([0, 1, 2**32 - 1, 2**32, 2**63, 2**64 - 1, *reference.words((1, 2), 0, 20)], np.uint64)
    assert multiply_high(bits, width).tolist() == [b * width >> 64 for b in bits.tolist()]


def test_shuffles_are_fair():
    shuffled = [tuple(KERNELS["random_shuffle"](np, np.arange(3), seed=(1, 2), counter=i)) for i in range(6000)]
    assert stats.chisquare([shuffled.count(order) for order in set(shuffled)]).pvalue > 1e-3
    assert len(set(shuffled)) == 6


def test_categorical():
    logits = np.log(np.array([[1, 2, 3, 4], [10, 0, 1, 1]], np.float32) + 1e-30)
    found = KERNELS["random_categorical"](np, logits, num_samples=40_000, seed=(1, 2))
    first, second = (np.bincount(row, minlength=4) for row in found)
    assert stats.chisquare(first, np.array([1, 2, 3, 4]) * 4000).pvalue > 1e-3
    assert second[1] == 0
    assert abs(second[0] / 40_000 - 10 / 12) < 0.02


def test_streams_are_independent():
    """Neighbouring seeds and counters give unrelated values."""
    draws = [draw("random_normal", seed=(s, 0), counter=c) for s in range(3) for c in range(3)]
    correlations = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlations).max() < 0.04
    assert len({d[:4].tobytes() for d in draws}) == 9


def test_split_and_fold_in_give_new_seeds():
    seeds = {tuple(philox.split(np.array([1, 2]), 100)[i]) for i in range(100)}
    seeds |= {tuple(philox.fold_in(np.array([1, 2]), np.int64(i))) for i in range(100)}
    seeds |= {tuple(int(w) for w in philox.Words((1, 2), 0).take(2).astype(np.int64))}
    assert len(seeds) == 201


# --- inference ---


def test_attributes_that_only_the_server_knows():
    seed = Unknown(Spec(dtypes.int64, (2,)))
    shape = Unknown(Spec(dtypes.int32, (3,)))
    bound = Unknown(Spec(dtypes.int32, ()))
    assert lookup("random_normal").infer((), {"shape": shape, "seed": seed}).shape == (None, None, None)
    attrs = {"shape": (4,), "seed": seed, "minval": 0, "maxval": bound}
    assert lookup("random_uniform_int").infer((), attrs).shape == (4,)
    logits = (Spec(dtypes.float32, (None, 5)),)
    attrs = {"num_samples": bound, "seed": seed}
    assert lookup("random_categorical").infer(logits, attrs).shape == (None, None)
    assert lookup("random_split").infer((Spec(dtypes.int32, None),), {"num": bound}).shape == (None, 2)


@pytest.mark.parametrize(
    ("op", "specs", "attrs", "error", "text"),
    [
        (
            "random_normal",
            [],
            {"shape": (2,), "seed": (1,)},
            InvalidArgumentError,
            r"seed must have shape \[2\], not \[1\]",
        ),
        ("random_normal", [], {"shape": (-2,), "seed": (1, 2)}, InvalidArgumentError, "must be >= 0"),
        (
            "random_normal",
            [],
            {"shape": (2,), "seed": (1, 2), "dtype": dtypes.int32},
            ValueError,
            "invalid value tf.int32",
        ),
        ("random_normal", [], {"shape": (2,), "seed": (1, 2.0)}, TypeError, "seed"),
        (
            "random_uniform_int",
            [],
            {"shape": (2,), "seed": (1, 2), "minval": 3, "maxval": 3},
            InvalidArgumentError,
            "3 >= 3",
        ),
        ("random_uniform_int", [], {"shape": (2,), "seed": (1, 2), "minval": 3}, ValueError, "both"),
        (
            "random_uniform_int",
            [],
            {"shape": (2,), "seed": (1, 2), "minval": 0, "maxval": 129, "dtype": dtypes.int8},
            InvalidArgumentError,
            "does not fit int8",
        ),
        ("random_categorical", [(3,)], {"num_samples": 2, "seed": (1, 2)}, InvalidArgumentError, "should be a matrix"),
        ("random_categorical", [(3, 0)], {"num_samples": 2, "seed": (1, 2)}, InvalidArgumentError, "got 0"),
        ("random_categorical", [(3, 2)], {"num_samples": -2, "seed": (1, 2)}, InvalidArgumentError, "non-negative"),
    ],
)
def test_what_inference_refuses(op, specs, attrs, error, text):
    with pytest.raises(error, match=text):
        lookup(op).infer(tuple(Spec(dtypes.float32, s) for s in specs), attrs)


def test_normal_reaches_far_and_never_breaks():
    """The largest and the smallest radius that the bits can ask for are finite."""
    from server.kernels.random import _box_muller

    bits = np.array([0, 2**64 - 1, 2**32 - 1, 2**63], np.uint64)
    for dtype in (dtypes.float32, dtypes.float64):
        found = _box_muller(np, bits, dtype)
        assert np.isfinite(found).all()
        assert np.abs(found).max() == pytest.approx(
            math.sqrt(2 * math.log(2.0) * (33 if dtype.size == 4 else 54)), rel=1e-6
        )


# --- distributions with parameters ---


def follows(values, distribution):
    """A chi-squared test of counts, the rare ones taken together."""
    low, high = int(values.min()), int(values.max())
    seen = np.bincount((values - low).astype(int))
    expected = distribution.pmf(np.arange(low, high + 1)) * len(values)
    common = expected > 10
    seen = np.append(seen[common], seen[~common].sum())
    expected = np.append(expected[common], len(values) - expected[common].sum())
    return stats.chisquare(seen, expected).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [0.01, 0.7, 1.0, 2.5, 40.0, 1e6])
def test_gamma(alpha):
    values = KERNELS["random_gamma"](np, np.asarray(alpha), shape=(20_000,), seed=(5, 6))
    assert accepts(values, "gamma", alpha)


@pytest.mark.parametrize("rate", [0.1, 3.0, 9.99, 10.0, 12.0, 300.0])
def test_poisson(rate):
    values = KERNELS["random_poisson"](np, np.asarray(rate), shape=(40_000,), seed=(5, 6), dtype=dtypes.float64)
    assert follows(values, stats.poisson(rate))


@pytest.mark.parametrize(
    ("count", "chance"), [(1, 0.3), (12, 0.9), (25, 0.5), (1000, 0.002), (200, 0.3), (90, 0.95), (800, 0.9)]
)
def test_binomial(count, chance):
    values = KERNELS["random_binomial"](np, np.asarray(count), np.asarray(chance), shape=(40_000,), seed=(5, 6))
    assert follows(values, stats.binom(count, chance))
