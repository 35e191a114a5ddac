"""Special functions: error functions, gamma and beta functions, Bessel functions and integrals."""

from __future__ import annotations

from protocol.ops.registry import FLOATS, op
from protocol.spec import Spec, broadcast_shapes


def elementwise(*inputs: Spec) -> Spec:
    """One result for each element of the shape that all inputs broadcast to."""
    return Spec(inputs[0].dtype, broadcast_shapes(*(i.shape for i in inputs)))


def function(name: str, inputs: str, public: str, doc: str) -> None:
    """A function of one or more tensors that broadcast."""
    op(name, inputs, infer=elementwise, types=FLOATS, public=public, doc=doc)


function("erf", "x", "math.erf", "The error function, 2/sqrt(pi) int_0^x exp(-t^2) dt.")
function("erfc", "x", "math.erfc", "1 - erf(x), exact also where erf(x) is near 1.")
function("erfinv", "x", "math.erfinv", "The inverse of erf; NaN outside [-1, 1].")
function("erfcinv", "x", "math.erfcinv", "The inverse of erfc; NaN outside [0, 2].")
function("ndtri", "x", "math.ndtri", "The quantile function of the standard normal distribution.")

function("lgamma", "x", "math.lgamma", "log |Gamma(x)|; infinite at 0, -1, -2, ...")
function("digamma", "x", "math.digamma", "The derivative of lgamma.")
function(
    "polygamma",
    "a x",
    "math.polygamma",
    "The a-th derivative of digamma at x; NaN unless a is a whole number of at least 0.",
)
function("zeta", "x q", "math.zeta", "The Hurwitz zeta function, sum_n (q + n)^-x.")
function(
    "igamma",
    "a x",
    "math.igamma",
    "The regularized lower incomplete gamma function, 1/Gamma(a) int_0^x t^(a-1) exp(-t) dt.",
)
function("igammac", "a x", "math.igammac", "The regularized upper incomplete gamma function, 1 - igamma(a, x).")
function("igamma_grad_a", "a x", "", "The derivative of igamma by a.")
function(
    "betainc",
    "a b x",
    "math.betainc",
    "The regularized incomplete beta function, 1/B(a, b) int_0^x t^(a-1) (1-t)^(b-1) dt.",
)

function(
    "bessel_i0",
    "x",
    "math.special.bessel_i0 math.bessel_i0",
    "Modified Bessel function of the first kind of order 0.",
)
function(
    "bessel_i1",
    "x",
    "math.special.bessel_i1 math.bessel_i1",
    "Modified Bessel function of the first kind of order 1.",
)
function(
    "bessel_i0e",
    "x",
    "math.special.bessel_i0e math.bessel_i0e",
    "Modified Bessel function of the first kind of order 0, times exp(-|x|).",
)
function(
    "bessel_i1e",
    "x",
    "math.special.bessel_i1e math.bessel_i1e",
    "Modified Bessel function of the first kind of order 1, times exp(-|x|).",
)
function("bessel_j0", "x", "math.special.bessel_j0", "Bessel function of the first kind of order 0.")
function("bessel_j1", "x", "math.special.bessel_j1", "Bessel function of the first kind of order 1.")
function("bessel_y0", "x", "math.special.bessel_y0", "Bessel function of the second kind of order 0.")
function("bessel_y1", "x", "math.special.bessel_y1", "Bessel function of the second kind of order 1.")
function("bessel_k0", "x", "math.special.bessel_k0", "Modified Bessel function of the second kind of order 0.")
function("bessel_k1", "x", "math.special.bessel_k1", "Modified Bessel function of the second kind of order 1.")
function(
    "bessel_k0e",
    "x",
    "math.special.bessel_k0e",
    "Modified Bessel function of the second kind of order 0, times exp(x).",
)
function(
    "bessel_k1e",
    "x",
    "math.special.bessel_k1e",
    "Modified Bessel function of the second kind of order 1, times exp(x).",
)

function("dawsn", "x", "math.special.dawsn", "Dawson's integral, exp(-x^2) int_0^x exp(t^2) dt.")
function("expint", "x", "math.special.expint", "The exponential integral, int_-inf^x exp(t)/t dt.")
function("spence", "x", "math.special.spence", "Spence's integral, the dilogarithm of 1 - x: int_1^x log(t)/(1-t) dt.")
function("fresnel_cos", "x", "math.special.fresnel_cos", "Fresnel's cosine integral, int_0^x cos(pi t^2 / 2) dt.")
function("fresnel_sin", "x", "math.special.fresnel_sin", "Fresnel's sine integral, int_0^x sin(pi t^2 / 2) dt.")
