"""Changes of variables are no part of a gradient."""

from __future__ import annotations

from protocol.gradients.registry import not_differentiable

not_differentiable("assign assign_add assign_sub assign_slice")
