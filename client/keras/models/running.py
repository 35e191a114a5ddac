"""What the loops over batches keep: the model's parts within an epoch, and the outputs of `predict`.

Owns: `Parts`, `Outputs`. Does not know steps or callbacks.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import numpy as np

import client as tf
from client import nest
from client.reading import Pending, fetch

_GROUP_BYTES: Final = 2**20
"""Bytes of predictions that are read together."""
_GROUPS: Final = 64
"""How many such groups may be on their way."""


class Parts:
    """A model's layers and trainable weights, looked up once: after an epoch's first step they stay as they are."""

    def __init__(self, model: Any) -> None:
        self.layers = list(dict.fromkeys(model._flatten_layers()))
        self.trainable = list(model.trainable_weights)
        self._regularized = [w for w in self.trainable if getattr(w, "regularizer", None) is not None]

    def losses(self) -> list[Any]:
        """What the model's `losses` gives."""
        added = [loss for layer in self.layers for loss in layer._self_losses]
        return added + [w.regularizer(w) for w in self._regularized]

    def clear_losses(self) -> None:
        """Forget what layers added."""
        for layer in self.layers:
            if layer._self_losses:
                layer._self_losses.clear()


class Outputs:
    """Outputs of many batches, read in groups: one read, or reads that come while later batches are computed."""

    def __init__(self) -> None:
        self._form: Any = None
        self._group: list[list[Any]] = []
        self._bytes = 0
        self._pending: deque[Pending] = deque()
        self._done: list[list[np.ndarray[Any, Any]]] = []

    def add(self, outputs: Any) -> None:
        """Take the outputs of a batch."""
        if self._form is None:
            self._form = outputs
        leaves = [tf.convert_to_tensor(v) for v in nest.flatten(outputs)]
        self._group.append(leaves)
        self._bytes += sum([4 * int(np.prod([d or 1 for d in v._spec.shape or ()])) for v in leaves])
        if self._bytes >= _GROUP_BYTES:
            self._send()
            if len(self._pending) > _GROUPS:
                self._done.append(self._pending.popleft().values())

    def _send(self) -> None:
        self._pending.append(Pending(self._joined()))
        self._group, self._bytes = [], 0

    def _joined(self) -> list[Any]:
        return [c[0] if len(c) == 1 else tf.concat(c, 0) for c in zip(*self._group, strict=True)]

    def read(self) -> Any:
        """All of them, as arrays in the structure of the outputs."""
        if self._form is None:
            raise ValueError("there was no batch to predict for")
        last = fetch(*self._joined()) if self._group else None  # what came before has arrived then
        while self._pending:
            self._done.append(self._pending.popleft().values())
        if last is not None:
            self._done.append(last if len(self._group[0]) > 1 else [last])
        columns = [np.concatenate(c) if len(c) > 1 else np.asarray(c[0]) for c in zip(*self._done, strict=True)]
        return nest.pack_sequence_as(self._form, columns)
