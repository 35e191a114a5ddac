"""Random numbers have no gradient; a shuffle's goes back to where the rows were."""

from __future__ import annotations

from protocol.gradients.registry import no_gradient, not_differentiable

not_differentiable("random_uniform random_uniform_int random_normal random_truncated_normal random_categorical")
not_differentiable("random_split random_fold_in")
no_gradient("random_shuffle")
