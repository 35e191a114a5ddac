"""Kernels of the special functions, from SciPy and its CuPy counterpart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocol.errors import UnimplementedError
from server.kernels.library import special
from server.kernels.precision import widened
from server.kernels.registry import kernel

# SciPy's name of each op that is one of its functions.
FUNCTIONS = {
    "erf": "erf",
    "erfc": "erfc",
    "erfinv": "erfinv",
    "erfcinv": "erfcinv",
    "ndtri": "ndtri",
    "lgamma": "gammaln",
    "digamma": "digamma",
    "polygamma": "polygamma",
    "zeta": "zeta",
    "igamma": "gammainc",
    "igammac": "gammaincc",
    "betainc": "betainc",
    "bessel_i0": "i0",
    "bessel_i1": "i1",
    "bessel_i0e": "i0e",
    "bessel_i1e": "i1e",
    "bessel_j0": "j0",
    "bessel_j1": "j1",
    "bessel_y0": "y0",
    "bessel_y1": "y1",
    "bessel_k0": "k0",
    "bessel_k1": "k1",
    "bessel_k0e": "k0e",
    "bessel_k1e": "k1e",
    "dawsn": "dawsn",
    "expint": "expi",
    "spence": "spence",
}


def special_function(xp: Any, name: str) -> Callable[..., Any]:
    """SciPy's function `name`. Raises UnimplementedError where CuPy lacks it."""
    found: Callable[..., Any] | None = getattr(special(xp), name, None)
    if found is None:
        raise UnimplementedError(f"CuPy has no {name}; run it under tf.device('CPU:0')")
    return found


def _direct(name: str, function: str) -> None:
    def run(xp: Any, *arrays: Any) -> Any:
        # Some functions answer float32 in float64.
        return special_function(xp, function)(*arrays).astype(arrays[0].dtype, copy=False)

    kernel(name, widened(run))


def igamma_slope(xp: Any, a: Any, x: Any) -> Any:
    """The derivative of `gammainc` by its first argument, by differences: in double precision twelve digits."""
    step = 1e-3 * xp.minimum(a, xp.sqrt(a))
    low, high = special(xp).gammainc, special(xp).gammaincc

    def difference(function: Any) -> Any:
        near = function(a + step, x) - function(a - step, x)
        far = function(a + 2 * step, x) - function(a - 2 * step, x)
        return (8 * near - far) / (12 * step)

    # Of P and Q = 1 - P the smaller keeps its digits.
    return xp.where(x < a, difference(low), -difference(high))


def _igamma_grad_a(xp: Any, a: Any, x: Any) -> Any:
    return igamma_slope(xp, a.astype(xp.float64), x.astype(xp.float64)).astype(x.dtype)


for _name, _function in FUNCTIONS.items():
    _direct(_name, _function)
kernel("igamma_grad_a", _igamma_grad_a)
kernel("fresnel_sin", widened(lambda xp, x: special_function(xp, "fresnel")(x)[0]))
kernel("fresnel_cos", widened(lambda xp, x: special_function(xp, "fresnel")(x)[1]))
