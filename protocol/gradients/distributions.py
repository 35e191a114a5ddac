"""Gradients of random values: a gamma value moves with its parameter; counts have no gradient."""

from __future__ import annotations

from protocol.gradients.registry import no_gradient, not_differentiable, vjp
from protocol.gradients.terms import ops, to_shape

# At a fixed value of the distribution function (Figurnov, Mohamed and Mnih, 2018).
vjp(
    "random_gamma",
    alpha=lambda g, alpha, out, alpha_shape: to_shape(g * ops.random_gamma_grad(alpha, out), alpha_shape),
)
no_gradient("random_gamma_grad")
not_differentiable("random_poisson random_binomial")
