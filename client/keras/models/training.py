"""Training of models: `compile`, `fit`, `evaluate`, `predict`."""

from __future__ import annotations


class Trainer:
    """What a model needs to be trained."""
