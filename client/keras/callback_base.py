"""`keras.callbacks.Callback`: the base, and the learning rate as callbacks see it.

Owns: the hooks, and what is known of the learning rate without reading it. Does not know any callback, nor who calls
them (`client.keras.callbacks`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from client.api import public


@public("keras.callbacks.Callback")
class Callback:
    """A base for callbacks: override the methods called at the points of interest.

    `self.model` is the model, `self.params` a dict with `verbose`, `epochs` and `steps`. Methods get `logs`, a dict:
    at the end of a batch its numbers are read when they are used, which waits; at the end of an epoch they are floats.

    >>> import client as tf
    >>> class Stop(tf.keras.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         self.model.stop_training = logs["loss"] < 0.1
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] | None = None
        self._model: Any = None
        self.validation_data = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Tell it the parameters of the training."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Tell it the model."""
        self._model = model

    @property
    def model(self) -> Any:
        """The model that is trained."""
        return self._model

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Another name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Another name of `on_train_batch_end`."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """An epoch of training begins."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """An epoch has ended; `logs` has the values of metrics, those of the validation with `val_` before the name."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """A step of training begins."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """A step of training was issued; looking at `logs` waits for it."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """A step of evaluation begins, also of the validation in `fit`."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """A step of evaluation was issued."""

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        """A step of `predict` begins."""

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """A step of `predict` was issued; `logs["outputs"]` are its outputs."""

    def on_train_begin(self, logs: Any = None) -> None:
        """Training begins."""

    def on_train_end(self, logs: Any = None) -> None:
        """Training has ended; `logs` are those of the last epoch."""

    def on_test_begin(self, logs: Any = None) -> None:
        """Evaluation begins."""

    def on_test_end(self, logs: Any = None) -> None:
        """Evaluation has ended."""

    def on_predict_begin(self, logs: Any = None) -> None:
        """`predict` begins."""

    def on_predict_end(self, logs: Any = None) -> None:
        """`predict` has ended."""

    # --- between the callbacks here and the list ---

    def _wants_logs(self, batch: int) -> bool:
        """Whether it looks at the logs of this batch, so that they have to be computed."""
        return True

    def _before_read(self) -> None:
        """All steps of the epoch are issued and the program is about to wait."""

    def _needs_rate(self) -> bool:
        """Whether it looks at the learning rate at the end of an epoch."""
        return False


def learning_rate_of(model: Any) -> float:
    """The learning rate of a model's optimizer; a wait unless it is known."""
    rate = getattr(model, "_self_rate", None)
    return float(model.optimizer.learning_rate) if rate is None else rate


def set_learning_rate(model: Any, rate: float) -> None:
    """Give the optimizer a learning rate; nothing waits."""
    model.optimizer.learning_rate = rate
    model._self_rate = float(np.float32(rate))
