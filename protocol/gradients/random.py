"""Random numbers have no gradient, nor does a shuffle in TensorFlow."""

from __future__ import annotations

from protocol.gradients.registry import not_differentiable

not_differentiable("random_uniform random_uniform_int random_normal random_truncated_normal random_categorical")
not_differentiable("random_shuffle random_split random_fold_in")
