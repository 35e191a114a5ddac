"""Gradients of ops that make tensors: most have none, since their result doesn't depend on a value."""

from __future__ import annotations

from protocol.gradients.registry import not_differentiable

not_differentiable("zeros ones zeros_like ones_like eye range")
