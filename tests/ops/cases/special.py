"""Cases of `protocol/ops/special.py`.

Against SciPy in double precision (another function of it where one says the same) and known values.
"""

import numpy as np
import scipy.special as sp

from tests.ops.case import Case, case, elementwise

HALVES = np.array([0.5, 1, 1.5, 2])
SQRT_PI = np.sqrt(np.pi)
EULER = 0.57721566490153286


def igamma_slope(a, x):
    """By Gauss's quadrature of d/da of the integrand, with t = x s^4, which smooths the logarithm at 0."""
    s, weight = np.polynomial.legendre.leggauss(200)
    s, weight = (s + 1) / 2, weight / 2
    a, x = a[..., None], x[..., None]
    t = x * s**4
    density = np.exp((a - 1) * np.log(t) - t - sp.gammaln(a))
    return ((np.log(t) - sp.psi(a)) * density * 4 * x * s**3 * weight).sum(-1)


CASES: list[Case] = [
    *elementwise("erf", sp.erf),
    *elementwise("erfc", sp.erfc, loose=2),
    case("erfc", np.array([27.0, 10.0]), ref=lambda x: sp.erfcx(x) * np.exp(-x * x), label="tail", loose=10),
    *elementwise("erfinv", sp.erfinv, low=-0.9, high=0.9, loose=2),
    *elementwise("erfcinv", sp.erfcinv, low=0.1, high=1.9, loose=2),
    *elementwise("ndtri", sp.ndtri, low=0.1, high=0.9, loose=4),
    *elementwise("lgamma", sp.gammaln, low=0.5, high=4, loose=4),
    case("lgamma", HALVES, ref=lambda x: np.log([SQRT_PI, 1, SQRT_PI / 2, 1]), label="known"),
    *elementwise("digamma", sp.psi, low=0.5, high=4, loose=4),
    case("digamma", HALVES, ref=lambda x: -EULER + np.array([-2 * np.log(2), 0, 2 - 2 * np.log(2), 1]), label="known"),
    *elementwise("polygamma", sp.polygamma, low=(1, 0.5), high=(1, 4), loose=4, special=False),
    case("polygamma", np.array([0.0, 1, 2, 0.5]), np.array([1.0]), label="known", gradient=False,
         ref=lambda a, x: np.array([-EULER, np.pi**2 / 6, -2 * sp.zeta(3), np.nan])),
    *elementwise("zeta", sp.zeta, low=(1.5, 0.5), high=4, loose=4, special=False),
    case("zeta", np.array([2.0, 4, 1]), np.array([1.0]), label="known", gradient=False,
         ref=lambda x, q: [np.pi**2 / 6, np.pi**4 / 90, np.inf]),
    *elementwise("igamma", sp.gammainc, low=0.5, high=4, loose=4, special=False),
    case("igamma", np.array([1.0]), np.array([0.0, 0.5, 2, np.inf]), ref=lambda a, x: 1 - np.exp(-x), label="known",
         gradient=False),
    *elementwise("igammac", sp.gammaincc, low=0.5, high=4, loose=4, special=False),
    case("igammac", np.array([1.0]), np.array([0.0, 0.5, 2, np.inf]), ref=lambda a, x: np.exp(-x), label="known",
         gradient=False),
    *elementwise("igamma_grad_a", igamma_slope, low=0.5, high=4, loose=4, special=False),
    case("igamma_grad_a", np.array([1.0]), np.array([0.0, np.inf]), ref=lambda a, x: np.zeros(2), label="ends",
         gradient=False),
    *elementwise("betainc", sp.betainc, low=(0.5, 0.5, 0.1), high=(4, 4, 0.9), loose=8, special=False),
    case("betainc", np.array([[1.0], [3.0]]), np.array([1.0]), np.array([0.25, 0.5, 1]), ref=lambda a, b, x: x**a,
         label="known", gradient=False),
    *elementwise("bessel_i0", sp.i0, loose=2),
    *elementwise("bessel_i1", sp.i1, loose=2),
    *elementwise("bessel_i0e", lambda x: sp.ive(0, x), loose=2, special=False),
    *elementwise("bessel_i1e", lambda x: sp.ive(1, x), loose=2, special=False),
    *elementwise("bessel_j0", lambda x: sp.jv(0, x), loose=2),
    *elementwise("bessel_j1", lambda x: sp.jv(1, x), loose=2),
    *elementwise("bessel_y0", lambda x: sp.yv(0, x), low=0.5, loose=4, special=False),
    *elementwise("bessel_y1", lambda x: sp.yv(1, x), low=0.5, loose=4, special=False),
    *elementwise("bessel_k0", lambda x: sp.kv(0, x), low=0.5, loose=4, special=False),
    *elementwise("bessel_k1", lambda x: sp.kv(1, x), low=0.5, loose=4, special=False),
    *elementwise("bessel_k0e", lambda x: sp.kve(0, x), low=0.5, loose=4, special=False),
    *elementwise("bessel_k1e", lambda x: sp.kve(1, x), low=0.5, loose=4, special=False),
    *elementwise("dawsn", lambda x: SQRT_PI / 2 * np.exp(-x * x) * sp.erfi(x), special=False, loose=4),
    *elementwise("expint", lambda x: -sp.exp1(-x.astype(complex)).real, low=0.5, loose=4, special=False),
    *elementwise("spence", sp.spence, low=0.25, loose=4),
    *elementwise("fresnel_cos", lambda x: sp.fresnel(x)[1]),
    *elementwise("fresnel_sin", lambda x: sp.fresnel(x)[0]),
]  # fmt: skip
