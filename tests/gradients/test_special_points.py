"""Gradients at kinks, poles, ties and infinities are TensorFlow's: `EXPECTED` is what TensorFlow 2.21 gives on a CPU.

Each point is a function and its inputs; the gradients are those of the sum of its results. None means no gradient.
"""

import math

import numpy as np
import pytest
from scipy import special

import client as tf

inf, nan = math.inf, math.nan


def f32(*values):
    return np.array(values, np.float32)


def c64(*values):
    return np.array(values, np.complex64)


def grid(*values):
    """All pairs of values, as two arrays."""
    return tuple(a.ravel() for a in np.meshgrid(f32(*values), f32(*values), indexing="ij"))


TAILS = f32(-inf, -1e4, -100, -20, -0.0, 0, 20, 100, 1e4, inf, nan)
ENDS = f32(-2, -1, -0.0, 0, 1, 2, inf, -inf, nan)
TIES = f32(1, 3, 3, -2, 3, 0)
PAIRS = grid(-inf, -1, 0, 1, inf, nan)
LOGITS = np.stack([f32(0, 0, 0), f32(1e4, 0, -1e4), f32(-inf, 0, 1), f32(inf, 0, 1), f32(nan, 0, 1)])
CLASSES = np.array([1, 2, 1, 1, 1])
POOLED = f32(1, 1, 2, 2, 0, 0, -1, -1).reshape(1, 8, 1)

POINTS = {
    # Powers, roots, logarithms.
    "abs": (lambda x: tf.abs(x), ENDS),
    "sign": (lambda x: tf.sign(x), ENDS),
    "square": (lambda x: tf.square(x), ENDS),
    "reciprocal": (lambda x: tf.math.reciprocal(x), ENDS),
    "sqrt": (lambda x: tf.sqrt(x), ENDS),
    "rsqrt": (lambda x: tf.math.rsqrt(x), ENDS),
    "exp": (lambda x: tf.exp(x), TAILS),
    "expm1": (lambda x: tf.math.expm1(x), TAILS),
    "log": (lambda x: tf.math.log(x), ENDS),
    "log1p": (lambda x: tf.math.log1p(x), np.append(ENDS, f32(1e-30, 1e30))),
    "pow-numbers": (lambda x: tf.pow(x, 0.0) + x**1 + x**2 + x**0.5, f32(0, 1, 4)),
    "pow": (lambda x, y: tf.pow(x, y), *grid(-2, -1, 0, 0.5, 1, 2)),
    "pow-infinite": (lambda x, y: tf.pow(x, y), *grid(0, 1, inf, nan)),
    # Trigonometry.
    "asin": (lambda x: tf.asin(x), ENDS),
    "acos": (lambda x: tf.acos(x), ENDS),
    "acosh": (lambda x: tf.acosh(x), ENDS),
    "asinh": (lambda x: tf.asinh(x), f32(-1e10, 0, 1e10)),
    "atanh": (lambda x: tf.atanh(x), ENDS),
    "tan": (lambda x: tf.tan(x), f32(0, 1, inf, nan)),
    "atan2": (lambda y, x: tf.atan2(y, x), *grid(-1, 0, 1, inf, nan)),
    # Two tensors.
    "maximum": (lambda x, y: tf.maximum(x, y), *PAIRS),
    "minimum": (lambda x, y: tf.minimum(x, y), *PAIRS),
    "maximum-itself": (lambda x: tf.maximum(x, x), f32(1, 2)),
    "minimum-itself": (lambda x: tf.minimum(x, x), f32(1, 2)),
    "divide": (lambda x, y: x / y, *PAIRS),
    "divide_no_nan": (lambda x, y: tf.math.divide_no_nan(x, y), *PAIRS),
    "multiply_no_nan": (lambda x, y: tf.math.multiply_no_nan(x, y), *PAIRS),
    "xlogy": (lambda x, y: tf.math.xlogy(x, y), *PAIRS),
    "xlog1py": (lambda x, y: tf.math.xlog1py(x, y), *PAIRS),
    "xdivy": (lambda x, y: tf.math.xdivy(x, y), *PAIRS),
    "floormod": (lambda x, y: tf.math.floormod(x, y), f32(7, -7, 6, 0), f32(3, 3, 3, 2)),
    "squared_difference": (lambda x, y: tf.math.squared_difference(x, y), *grid(0, 1, inf)),
    "clip_by_value": (
        lambda x, low, high: tf.clip_by_value(x, low, high),
        f32(-2, -1, 0, 1, 2, nan, inf, -inf),
        f32(-1),
        f32(1),
    ),
    "clip_by_value-numbers": (lambda x: tf.clip_by_value(x, -1.0, 1.0), f32(-2, -1, 0, 1, 2, nan)),
    "where-sqrt": (lambda x: tf.where(x > 0, tf.sqrt(x), 0.0), f32(-1, 0, 4)),
    "where-rsqrt": (lambda x: tf.where(x > 0, tf.math.rsqrt(x), 0.0), f32(-1, 0, 4)),
    "where-reciprocal": (lambda x: tf.where(x > 0, tf.math.reciprocal(x), 0.0), f32(-1, 0, 4)),
    "where-divide": (lambda x: tf.where(x > 0, 1.0 / x, 0.0), f32(-1, 0, 4)),
    "where-log": (lambda x: tf.where(x > 0, tf.math.log(x), 0.0), f32(-1, 0, 4)),
    "where-pow": (lambda x: tf.where(x > 0, x**-1.5, 0.0), f32(-1, 0, 4)),
    "where-exp": (lambda x: tf.where(x < 0, tf.exp(x), 0.0), f32(-1, 1000)),
    # Reductions.
    "reduce_max-ties": (lambda x: tf.reduce_max(x), TIES),
    "reduce_min-ties": (lambda x: tf.reduce_min(x), f32(1, 1, 2)),
    "reduce_max-rows": (lambda x: tf.reduce_max(x, axis=1), LOGITS),
    "reduce_min-rows": (lambda x: tf.reduce_min(x, axis=0, keepdims=True), LOGITS),
    "reduce_prod-zero": (lambda x: tf.reduce_prod(x), f32(2, 0, 3)),
    "reduce_prod-zeros": (lambda x: tf.reduce_prod(x), f32(2, 0, 0)),
    "reduce_prod-rows": (lambda x: tf.reduce_prod(x, axis=1), np.stack([f32(2, 0, 3), f32(0, 0, 5), f32(inf, 1, 0)])),
    "reduce_logsumexp": (lambda x: tf.reduce_logsumexp(x, axis=1), LOGITS),
    "reduce_logsumexp-lowest": (lambda x: tf.reduce_logsumexp(x), f32(-inf, -inf)),
    "reduce_logsumexp-large": (lambda x: tf.reduce_logsumexp(x, keepdims=True), f32(1e4, 1e4, -1e4)),
    "reduce_euclidean_norm": (lambda x: tf.math.reduce_euclidean_norm(x), f32(0, 0)),
    "norm": (lambda x: tf.norm(x, axis=1), np.stack([f32(0, 0), f32(3, 4), f32(inf, 1)])),
    "norm-1": (lambda x: tf.norm(x, ord=1), f32(0, -2, 3)),
    "norm-max": (lambda x: tf.norm(x, ord=inf), f32(-3, 3, 0)),
    "global_norm": (lambda x: tf.linalg.global_norm([x]), f32(0, 0)),
    "clip_by_norm": (lambda x: tf.clip_by_norm(x, 1.0), f32(0, 0)),
    "clip_by_norm-edge": (lambda x: tf.clip_by_norm(x, 5.0), f32(3, 4)),
    "l2_normalize": (lambda x: tf.math.l2_normalize(x), f32(0, 0)),
    "reduce_std": (lambda x: tf.math.reduce_std(x), f32(2, 2)),
    "reduce_variance": (lambda x: tf.math.reduce_variance(x), f32(2, 2)),
    "reduce_mean-nothing": (lambda x: tf.reduce_mean(x, axis=1), np.zeros((2, 0), np.float32)),
    "cumprod-zero": (lambda x: tf.math.cumprod(x), f32(2, 0, 3)),
    "cumprod-zeros": (lambda x: tf.math.cumprod(x, reverse=True, exclusive=True), f32(0, 2, 0)),
    "cumulative_logsumexp": (lambda x: tf.math.cumulative_logsumexp(x), f32(0, 100, -100, 100)),
    "cumulative_logsumexp-lowest": (lambda x: tf.math.cumulative_logsumexp(x), f32(-inf, -inf, 0, 1)),
    "cumulative_logsumexp-exclusive": (
        lambda x: tf.math.cumulative_logsumexp(x, exclusive=True)[1:] * tf.constant(f32(1, -2)),
        f32(0.5, -1, 2),
    ),
    # Activations and cross-entropies.
    "sigmoid": (lambda x: tf.sigmoid(x), TAILS),
    "log_sigmoid": (lambda x: tf.math.log_sigmoid(x), TAILS),
    "tanh": (lambda x: tf.tanh(x), TAILS),
    "softplus": (lambda x: tf.math.softplus(x), TAILS),
    "softsign": (lambda x: tf.nn.softsign(x), TAILS),
    "relu": (lambda x: tf.nn.relu(x), ENDS),
    "relu6": (lambda x: tf.nn.relu6(x), f32(-1, -0.0, 0, 1e-30, 5.999, 6, 7, inf, -inf, nan)),
    "leaky_relu": (lambda x: tf.nn.leaky_relu(x, 0.25), ENDS),
    "elu": (lambda x: tf.nn.elu(x), ENDS[:-1]),
    "selu": (lambda x: tf.nn.selu(x), f32(-1, 0, 1, inf, -inf, nan)),
    "gelu": (lambda x: tf.nn.gelu(x), f32(-20, -1, 0, 1, 20, nan)),
    "gelu-approximate": (lambda x: tf.nn.gelu(x, approximate=True), f32(-20, -1, 0, 1, 20, nan)),
    "silu": (lambda x: tf.nn.silu(x), f32(-100, -1, 0, 1, 100, nan)),
    "softmax": (lambda x: tf.nn.softmax(x) * tf.constant(f32(1, 2, 4)), LOGITS),
    "log_softmax": (lambda x: tf.nn.log_softmax(x) * tf.constant(f32(1, 2, 4)), LOGITS[:4]),
    "softmax_cross_entropy": (
        lambda z, x: tf.nn.softmax_cross_entropy_with_logits(z, x),
        np.tile(f32(0, 1, 0), (5, 1)),
        LOGITS,
    ),
    "softmax_cross_entropy-not-1": (
        lambda z, x: tf.nn.softmax_cross_entropy_with_logits(z, x),
        f32(0.5, 1, 0.25),
        f32(0, 1, -1),
    ),
    "sparse_softmax_cross_entropy": (
        lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(CLASSES, x),
        LOGITS,
    ),
    "sigmoid_cross_entropy": (
        lambda z, x: tf.nn.sigmoid_cross_entropy_with_logits(z, x),
        np.linspace(0, 1, 11, dtype=np.float32),
        TAILS,
    ),
    # Pooling.
    "max_pool-ties": (lambda x: tf.nn.max_pool1d(x, 2, 2, "VALID"), POOLED),
    "max_pool-overlap": (lambda x: tf.nn.max_pool1d(x, 3, 1, "SAME"), POOLED),
    # Special functions.
    "bessel_i0e": (lambda x: tf.math.bessel_i0e(x), f32(0, -1)),
    "bessel_i1e": (lambda x: tf.math.bessel_i1e(x), f32(0, -1)),
    "bessel_j1": (lambda x: tf.math.special.bessel_j1(x), f32(0, 1)),
    "bessel_k1": (lambda x: tf.math.special.bessel_k1(x), f32(1)),
    "spence": (lambda x: tf.math.special.spence(x), f32(1, 0.5, 2)),
    "expint": (lambda x: tf.math.special.expint(x), f32(0, 1)),
    "erf": (lambda x: tf.math.erf(x), TAILS),
    "erfinv": (lambda x: tf.math.erfinv(x), f32(-1, 0, 1)),
    "lgamma": (lambda x: tf.math.lgamma(x), f32(1, 2, 0.5)),
    "zeta": (lambda x, q: tf.math.zeta(x, q), f32(2, 3), f32(1, 1)),
    "polygamma": (lambda a, x: tf.math.polygamma(a, x), f32(0, 1), f32(1, 1)),
    "igamma": (lambda a, x: tf.math.igamma(a, x), f32(1, 2, 0.5, 3), f32(0, 1, 1, 20)),
    "igammac": (lambda a, x: tf.math.igammac(a, x), f32(2, 0.5, 3), f32(1, 1, 20)),
    "betainc": (lambda a, b, x: tf.math.betainc(a, b, x), f32(1, 1, 2), f32(1, 2, 2), f32(0, 0.5, 1)),
    # Complex numbers.
    "complex-abs": (lambda x: tf.abs(x), c64(0, 3 + 4j)),
    "complex-sign": (lambda x: tf.math.real(tf.sign(x)), c64(0, 3 + 4j)),
    "complex-angle": (lambda x: tf.math.angle(x), c64(1, 1j, -1 - 1j)),
    "complex-sqrt": (lambda x: tf.math.real(tf.sqrt(x)), c64(0, 4, -4, 1j)),
    "complex-pow": (lambda x, y: tf.math.real(tf.pow(x, y)), c64(0, 1j, -4), c64(2, 2, 0.5)),
    "complex-divide": (lambda x, y: tf.math.imag(x / y), c64(1 + 1j, 1), c64(1 - 1j, 2j)),
    "complex-squared_difference": (
        lambda x, y: tf.math.real(tf.math.squared_difference(x, y)),
        c64(1 + 1j, 1),
        c64(1 - 1j, 2j),
    ),
    "complex-real": (lambda x: tf.math.real(x) + tf.math.imag(x), c64(1, 2j)),
}
EXPECTED = {
    "abs": ([-1, -1, 0, 0, 1, 1, 1, -1, nan],),
    "sign": ([0, 0, 0, 0, 0, 0, 0, 0, 0],),
    "square": ([-4, -2, -0, 0, 2, 4, inf, -inf, nan],),
    "reciprocal": ([-0.25, -0.9999999, -inf, -inf, -0.9999999, -0.25, -0, -0, nan],),
    "sqrt": ([nan, nan, -inf, inf, 0.5, 0.3535534, 0, nan, nan],),
    "rsqrt": ([nan, nan, inf, -inf, -0.5, -0.1767767, 0, nan, nan],),
    "exp": ([0, 0, 0, 2.061154e-09, 1, 1, 485165200, inf, inf, inf, nan],),
    "expm1": ([0, 0, 0, 2.061154e-09, 1, 1, 485165200, inf, inf, inf, nan],),
    "log": ([-0.5, -0.9999999, -inf, inf, 0.9999999, 0.5, 0, -0, nan],),
    "log1p": ([-0.9999999, inf, 0.9999999, 0.9999999, 0.5, 0.3333333, 0, -0, nan, 1, 1e-30],),
    "pow-numbers": ([nan, 3.5, 9.25],),
    "pow": ([0.25, -0.25, -0, nan, 1, -4, 2, -1, -0, nan, 1, -2, -inf, -inf, nan, inf, 1, 0, -16, -4, 0, 0.7071068, 1,
        1, -2, -1, 0, 0.5, 1, 2, -0.25, -0.25, 0, 0.3535534, 1, 4], [0, -0, 0, nan, -0, 0, 0, -0, 0, nan, -0, 0, nan,
        nan, 0, 0, 0, 0, -2.772589, -1.386294, -0.6931472, -0.4901291, -0.3465736, -0.1732868, 0, 0, 0, 0, 0, 0,
        0.1732868, 0.3465736, 0.6931472, 0.9802581, 1.386294, 2.772589],),
    "pow-infinite": ([nan, 1, nan, nan, 0, 1, inf, nan, 0, 1, inf, nan, nan, 1, nan, nan], [0, 0, 0, nan, 0, 0, 0, 0,
        inf, inf, inf, nan, 0, nan, nan, nan],),
    "asin": ([nan, inf, 0.9999999, 0.9999999, inf, nan, nan, nan, nan],),
    "acos": ([nan, -inf, -0.9999999, -0.9999999, -inf, nan, nan, nan, nan],),
    "acosh": ([nan, nan, nan, nan, inf, 0.5773503, 0, nan, nan],),
    "asinh": ([1e-10, 1, 1e-10],),
    "atanh": ([-0.3333333, inf, 0.9999999, 0.9999999, inf, -0.3333333, -0, -0, nan],),
    "tan": ([1, 3.425519, nan, nan],),
    "atan2": ([-0.5, 0, 0.5, nan, nan, -1, nan, 1, nan, nan, -0.5, 0, 0.5, nan, nan, -0, 0, 0, nan, nan, nan, nan,
        nan, nan, nan], [0.5, 1, 0.5, 0, nan, -0, nan, -0, -0, nan, -0.5, -1, -0.5, -0, nan, nan, nan, nan, nan, nan,
        nan, nan, nan, nan, nan],),
    "maximum": ([1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
        0, 0], [0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1,
        1, 1],),
    "minimum": ([1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0,
        0, 0], [0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1,
        1, 1],),
    "maximum-itself": ([1, 1],),
    "minimum-itself": ([1, 1],),
    "divide": ([-0, -1, inf, 1, 0, nan, -0, -1, inf, 1, 0, nan, -0, -1, inf, 1, 0, nan, -0, -1, inf, 1, 0, nan, -0,
        -1, inf, 1, 0, nan, -0, -1, inf, 1, 0, nan], [nan, inf, inf, inf, nan, nan, 0, 1, inf, 1, 0, nan, -0, -0, nan,
        -0, -0, nan, -0, -1, -inf, -1, -0, nan, nan, -inf, -inf, -inf, nan, nan, nan, nan, nan, nan, nan, nan],),
    "divide_no_nan": ([-0, -1, 0, 1, 0, nan, -0, -1, 0, 1, 0, nan, -0, -1, 0, 1, 0, nan, -0, -1, 0, 1, 0, nan, -0, -1,
        0, 1, 0, nan, -0, -1, 0, 1, 0, nan], [nan, inf, 0, inf, nan, nan, 0, 1, 0, 1, 0, nan, -0, -0, 0, -0, -0, nan,
        -0, -1, 0, -1, -0, nan, nan, -inf, 0, -inf, nan, nan, nan, nan, 0, nan, nan, nan],),
    "multiply_no_nan": ([-inf, -1, 0, 1, inf, nan, -inf, -1, 0, 1, inf, nan, -inf, -1, 0, 1, inf, nan, -inf, -1, 0, 1,
        inf, nan, -inf, -1, 0, 1, inf, nan, -inf, -1, 0, 1, inf, nan], [-inf, -inf, -inf, -inf, -inf, -inf, -1, -1,
        -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, inf, inf, inf, inf, inf, inf, nan, nan, nan, nan, nan,
        nan],),
    "xlogy": ([nan, nan, -inf, 0, inf, nan, nan, nan, -inf, 0, inf, nan, 0, 0, 0, 0, 0, 0, nan, nan, -inf, 0, inf,
        nan, nan, nan, -inf, 0, inf, nan, nan, nan, -inf, 0, inf, nan], [nan, inf, -inf, -inf, nan, nan, 0, 1, -inf,
        -1, -0, nan, 0, 0, 0, 0, 0, 0, -0, -1, inf, 1, 0, nan, nan, -inf, inf, inf, nan, nan, nan, nan, nan, nan, nan,
        nan],),
    "xlog1py": ([nan, -inf, 0, 0.6931472, inf, nan, nan, -inf, 0, 0.6931472, inf, nan, 0, 0, 0, 0, 0, 0, nan, -inf, 0,
        0.6931472, inf, nan, nan, -inf, 0, 0.6931472, inf, nan, nan, -inf, 0, 0.6931472, inf, nan], [nan, -inf, -inf,
        -inf, nan, nan, 0, -inf, -1, -0.5, -0, nan, 0, 0, 0, 0, 0, 0, -0, inf, 1, 0.5, 0, nan, nan, inf, inf, inf,
        nan, nan, nan, nan, nan, nan, nan, nan],),
    "xdivy": ([-0, -1, inf, 1, 0, nan, -0, -1, inf, 1, 0, nan, 0, 0, 0, 0, 0, 0, -0, -1, inf, 1, 0, nan, -0, -1, inf,
        1, 0, nan, -0, -1, inf, 1, 0, nan], [nan, inf, inf, inf, nan, nan, 0, 1, inf, 1, 0, nan, -0, -0, -0, -0, -0,
        -0, -0, -1, -inf, -1, -0, nan, nan, -inf, -inf, -inf, nan, nan, nan, nan, nan, nan, nan, nan],),
    "floormod": ([1, 1, 1, 1], [-2, 3, -2, -0],),
    "squared_difference": ([0, -2, -inf, 2, 0, -inf, inf, inf, nan], [-0, 2, inf, -2, -0, inf, -inf, -inf, nan],),
    "clip_by_value": ([0, 1, 1, 1, 0, 0, 0, 0], [3], [2],),
    "clip_by_value-numbers": ([0, 1, 1, 1, 0, 0],),
    "where-sqrt": ([0, 0, 0.25],),
    "where-rsqrt": ([0, 0, -0.0625],),
    "where-reciprocal": ([0, 0, -0.0625],),
    "where-divide": ([-0, nan, -0.0625],),
    "where-log": ([-0, nan, 0.25],),
    "where-pow": ([nan, nan, -0.046875],),
    "where-exp": ([0.3678795, nan],),
    "reduce_max-ties": ([0, 0.3333333, 0.3333333, 0, 0.3333333, 0],),
    "reduce_min-ties": ([0.5, 0.5, 0],),
    "reduce_max-rows": ([0.3333333, 0.3333333, 0.3333333, 1, 0, 0, 0, 0, 1, 1, 0, 0, nan, nan, nan],),
    "reduce_min-rows": ([nan, 0.2, 0, nan, 0.2, 1, nan, 0.2, 0, nan, 0.2, 0, nan, 0.2, 0],),
    "reduce_prod-zero": ([0, 6, 0],),
    "reduce_prod-zeros": ([0, 0, 0],),
    "reduce_prod-rows": ([0, 6, 0, 0, 0, 0, 0, nan, inf],),
    "reduce_logsumexp": ([0.3333333, 0.3333333, 0.3333333, 1, 0, 0, 0, 0.2689414, 0.7310586, nan, 0, 0, nan, nan,
        nan],),
    "reduce_logsumexp-lowest": ([nan, nan],),
    "reduce_logsumexp-large": ([0.5, 0.5, 0],),
    "reduce_euclidean_norm": ([nan, nan],),
    "norm": ([nan, nan, 0.6, 0.8, nan, 0],),
    "norm-1": ([0, -1, 1],),
    "norm-max": ([-0.5, 0.5, 0],),
    "global_norm": ([nan, nan],),
    "clip_by_norm": ([1, 1],),
    "clip_by_norm-edge": ([0.1599999, -0.1200001],),
    "l2_normalize": ([1000000, 1000000],),
    "reduce_std": ([nan, nan],),
    "reduce_variance": ([0, 0],),
    "reduce_mean-nothing": ([],),
    "cumprod-zero": ([1, 0, 0],),
    "cumprod-zeros": ([0, 0, 0],),
    "cumulative_logsumexp": ([1, 2.499999, 0, 0.5000007],),
    "cumulative_logsumexp-lowest": ([nan, nan, 1.268941, 0.7310585],),
    "cumulative_logsumexp-exclusive": ([-0.635149, -0.3648511, 0],),
    "sigmoid": ([0, 0, 0, 2.061154e-09, 0.25, 0.25, 0, 0, 0, 0, nan],),
    "log_sigmoid": ([1, 1, 1, 1, 0.5, 0.5, 2.061154e-09, 0, 0, 0, nan],),
    "tanh": ([0, 0, 0, 0, 1, 1, 0, 0, 0, 0, nan],),
    "softplus": ([0, 0, 0, 2.061154e-09, 0.5, 0.5, 1, 1, 1, 1, nan],),
    "softsign": ([0, 9.998001e-09, 9.80296e-05, 0.002267574, 1, 1, 0.002267574, 9.80296e-05, 9.998001e-09, 0, nan],),
    "relu": ([0, 0, 0, 0, 1, 1, 1, 0, 0],),
    "relu6": ([0, 0, 0, 1, 1, 0, 0, 0, 0, 0],),
    "leaky_relu": ([0.25, 0.25, 0.25, 0.25, 1, 1, 1, 0.25, 0.25],),
    "elu": ([0.1353353, 0.3678795, 1, 1, 1, 1, 1, 0],),
    "selu": ([0.6467686, 1.050701, 1.050701, 1.050701, 0, 1.050701],),
    "gelu": ([0, -0.08331549, 0.5, 1.083315, 1, nan],),
    "gelu-approximate": ([0, -0.08296409, 0.5, 1.082964, 1, nan],),
    "silu": ([-0, 0.07232948, 0.5, 0.9276705, 1, nan],),
    "softmax": ([-0.4444445, -0.1111112, 0.5555555, 0, 0, 0, -0, -0.3932239, 0.3932239, nan, nan, nan, nan, nan,
        nan],),
    "log_softmax": ([-1.333333, -0.3333333, 1.666667, -6, 2, 4, 1, 0.1174099, -1.11741, nan, nan, nan],),
    "softmax_cross_entropy": ([1.098612, 1.098612, 1.098612, -0, 10000, 20000, inf, 1.313262, 0.3132617, nan, nan,
        nan, nan, nan, nan], [0.3333333, -0.6666666, 0.3333333, 1, -1, 0, 0, -0.7310586, 0.7310586, nan, nan, nan,
        nan, nan, nan],),
    "softmax_cross_entropy-not-1": ([1.407606, 0.4076059, 2.407606], [-0.2552715, -0.3347591, -0.1599694],),
    "sparse_softmax_cross_entropy": ([0.3333333, -0.6666666, 0.3333333, 1, 0, -1, 0, -0.7310586, 0.7310586, nan, nan,
        nan, nan, nan, nan],),
    "sigmoid_cross_entropy": ([inf, 10000, 100, 20, 0, -0, -20, -100, -10000, -inf, nan], [0, -0.1, -0.2, -0.3,
        0.1000001, 2.980232e-08, 0.4, 0.3, 0.2, 0.1, nan],),
    "max_pool-ties": ([1, 0, 1, 0, 1, 0, 1, 0],),
    "max_pool-overlap": ([1, 0, 3, 1, 1, 1, 1, 0],),
    "bessel_i0e": ([0, 0.2578492],),
    "bessel_i1e": ([0.5, 0.0499388],),
    "bessel_j1": ([0.5, 0.3251471],),
    "bessel_k1": ([-1.022932],),
    "spence": ([-1, -1.386294, -0.6931472],),
    "expint": ([inf, 2.718282],),
    "erf": ([0, 0, 0, 0, 1.128379, 1.128379, 0, 0, 0, 0, nan],),
    "erfinv": ([inf, 0.886227, inf],),
    "lgamma": ([-0.5772159, 0.4227842, -1.963511],),
    "zeta": (None, [-2.404114, -3.24697],),
    "polygamma": (None, [1.644934, -2.404114],),
    "igamma": ([0, -0.276196, -0.3898373, -9.68061e-07], [nan, 0.3678795, 0.2075538, 4.122305e-07],),
    "igammac": ([0.276196, 0.3898373, 9.68061e-07], [-0.3678795, -0.2075538, -4.122305e-07],),
    "betainc": (None, None, [1, 1, 0],),
    "complex-abs": ([0j, (0.6+0.8j)],),
    "complex-sign": ([0j, (0.128-0.096j)],),
    "complex-angle": ([(-0+1j), (-1-0j), (0.5-0.5j)],),
    "complex-sqrt": ([complex(nan, nan), (0.25+0j), 0.25j, (0.3535534+0.3535534j)],),
    "complex-pow": ([0j, (-8.742278e-08-2j), (-1.092785e-08+0.25j)], [0j, (1.373234e-07+1.570796j),
        (-6.283185-2.772588j)],),
    "complex-divide": ([(0.5+0.5j), (-0.5+0j)], [(-0.5+0.5j), 0.25j],),
    "complex-squared_difference": ([4j, (2-4j)], [(-0-4j), (-2+4j)],),
    "complex-real": ([(1+1j), (1+1j)],),
}  # fmt: skip


def gradients(name):
    function, *inputs = POINTS[name]
    tensors = [tf.constant(v) for v in inputs]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    return tape.gradient(value, tensors)


@pytest.mark.parametrize("name", POINTS)
def test_as_tensorflow(name):
    for found, expected in zip(gradients(name), EXPECTED[name], strict=True):
        if expected is None:
            assert found is None
            continue
        wanted = np.array(expected).astype(found.dtype.as_numpy_dtype)
        np.testing.assert_allclose(found.numpy().ravel(), wanted, rtol=2e-5, atol=1e-6)


def test_a_gamma_value_moves_with_its_parameter():
    alpha = np.array([0.5, 2.0, 30.0])
    parameter = tf.constant(alpha)
    with tf.GradientTape() as tape:
        tape.watch(parameter)
        values = tf.random.stateless_gamma([40, 3], [1, 2], parameter, dtype=tf.float64)
    gradient = tape.gradient(values, parameter)
    u, h = special.gammainc(alpha, values.numpy()), 1e-4 * alpha
    moved = (special.gammaincinv(alpha + h, u) - special.gammaincinv(alpha - h, u)) / (2 * h)
    np.testing.assert_allclose(gradient.numpy(), moved.sum(0), rtol=1e-5)


@pytest.mark.parametrize("name", ["igamma", "igammac"])
def test_no_second_order_for_the_order_of_incomplete_gammas(name):
    a, x = tf.constant(2.0), tf.constant(1.5)
    with tf.GradientTape() as outer:
        outer.watch(a)
        with tf.GradientTape() as tape:
            tape.watch(a)
            y = getattr(tf.math, name)(a, x)
        gradient = tape.gradient(y, a)
    with pytest.raises(LookupError):
        outer.gradient(gradient, a)
