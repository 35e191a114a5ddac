"""Gradients of the special functions: each derivative is made of the others.

As in TensorFlow, there is none for the order of `polygamma` and `zeta` nor for the parameters of `betainc`.
"""

from __future__ import annotations

import math
from typing import Any

from protocol.gradients.elementwise import by_result, function
from protocol.gradients.registry import no_gradient, vjp
from protocol.gradients.terms import Shape, Term, ops, to_shape, where

_TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)

function("erf", lambda x: ops.exp(-ops.square(x)) * _TWO_OVER_ROOT_PI)
function("erfc", lambda x: ops.exp(-ops.square(x)) * -_TWO_OVER_ROOT_PI)
by_result("erfinv", lambda y: ops.exp(ops.square(y)) * (1.0 / _TWO_OVER_ROOT_PI))
by_result("erfcinv", lambda y: ops.exp(ops.square(y)) * (-1.0 / _TWO_OVER_ROOT_PI))
by_result("ndtri", lambda y: ops.exp(ops.square(y) * 0.5) * math.sqrt(2.0 * math.pi))

function("lgamma", lambda x: ops.digamma(x))
function("digamma", lambda x: ops.polygamma(1.0, x))
vjp("polygamma", x=lambda g, a, x, x_shape: to_shape(g * ops.polygamma(a + 1.0, x), x_shape))
vjp("zeta", q=lambda g, x, q, q_shape: to_shape(g * (-x * ops.zeta(x + 1.0, q)), q_shape))


def _gamma_density(a: Term, x: Term) -> Any:
    """x^(a-1) exp(-x) / Gamma(a), by logarithms, since its parts may overflow."""
    return ops.exp((a - 1.0) * ops.log(x) - x - ops.lgamma(a))


vjp(
    "igamma",
    a=lambda g, a, x, a_shape: to_shape(g * ops.igamma_grad_a(a, x), a_shape),
    x=lambda g, a, x, x_shape: to_shape(g * _gamma_density(a, x), x_shape),
)
vjp(
    "igammac",
    a=lambda g, a, x, a_shape: to_shape(-(g * ops.igamma_grad_a(a, x)), a_shape),
    x=lambda g, a, x, x_shape: to_shape(-(g * _gamma_density(a, x)), x_shape),
)
no_gradient("igamma_grad_a")


def _betainc(g: Term, a: Term, b: Term, x: Term, x_shape: Shape) -> Term:
    """x^(a-1) (1-x)^(b-1) / B(a, b), where a power 0 of 0 is 1."""
    log_beta = ops.lgamma(a) + ops.lgamma(b) - ops.lgamma(a + b)
    density = ops.exp(ops.xlog1py(b - 1.0, -x) + ops.xlogy(a - 1.0, x) - log_beta)
    return to_shape(g * density, x_shape)


vjp("betainc", x=_betainc)


def _divided(y: Term, x: Term, at_0: float) -> Term:
    """y / x, and its limit at 0."""
    zero = ops.equal(x, 0.0)
    return where(zero, at_0, y / where(zero, 1.0, x))


function("bessel_i0", lambda x: ops.bessel_i1(x))
vjp("bessel_i1", x=lambda g, x, out: g * (ops.bessel_i0(x) - _divided(out, x, 0.5)))
vjp("bessel_i0e", x=lambda g, x, out: g * (ops.bessel_i1e(x) - ops.sign(x) * out))
vjp("bessel_i1e", x=lambda g, x, out: g * (ops.bessel_i0e(x) - ops.sign(x) * out - _divided(out, x, 0.5)))
function("bessel_j0", lambda x: -ops.bessel_j1(x))
vjp("bessel_j1", x=lambda g, x, out: g * (ops.bessel_j0(x) - _divided(out, x, 0.5)))
function("bessel_y0", lambda x: -ops.bessel_y1(x))
vjp("bessel_y1", x=lambda g, x, out: g * (ops.bessel_y0(x) - out / x))
function("bessel_k0", lambda x: -ops.bessel_k1(x))
vjp("bessel_k1", x=lambda g, x, out: -(g * (ops.bessel_k0(x) + out / x)))
vjp("bessel_k0e", x=lambda g, x, out: g * (out - ops.bessel_k1e(x)))
vjp("bessel_k1e", x=lambda g, x, out: g * (out * (1.0 - ops.reciprocal(x)) - ops.bessel_k0e(x)))

vjp("dawsn", x=lambda g, x, out: g * (1.0 - x * out * 2.0))
function("expint", lambda x: ops.exp(x) / x)
function("fresnel_cos", lambda x: ops.cos(ops.square(x) * (math.pi / 2.0)))
function("fresnel_sin", lambda x: ops.sin(ops.square(x) * (math.pi / 2.0)))


def _of_spence(x: Term) -> Term:
    """log(x) / (1 - x), and its limit -1 at 1."""
    one = ops.equal(x, 1.0)
    return where(one, -1.0, ops.log(x) / where(one, 1.0, 1.0 - x))


function("spence", _of_spence)
