"""Callbacks that watch one value from epoch to epoch: `EarlyStopping`, `ReduceLROnPlateau`.

Owns: what counts as an improvement. Does not know how a model trains. The weights of the best epoch are kept on the
server, so keeping and restoring them does not wait.
"""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np

from client.api import public
from client.keras.callback_base import Callback, learning_rate_of, set_learning_rate
from client.tensor import Tensor

_MORE_IS_BETTER: Final = ("acc", "auc", "precision", "recall", "f1", "fbeta", "fmeasure", "iou", "similarity", "r2")
_LESS_IS_BETTER: Final = ("loss", "error", "entropy", "mse", "mae", "mape", "msle", "divergence", "poisson", "hinge")


class MonitorCallback(Callback):
    """A base for callbacks that compare a value with its best so far.

    Args:
        monitor: the value's name in the logs.
        mode: "min", "max", or "auto": by the metric of that name.
        baseline: the first best value; None: the first one seen.
        min_delta: how much a value must be better.
    """

    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", baseline: Any = None, min_delta: float = 0
    ) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode.", stacklevel=3)
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best = baseline
        self.min_delta = abs(min_delta)
        self._sign = {"min": -1, "max": 1}.get(mode, 0)  # 0: not known yet

    def _direction(self) -> int:
        """1 where more is better, -1 where less is. Raises ValueError when nothing tells."""
        if not self._sign:
            name = self.monitor.removeprefix("val_")
            metrics = [m for each in self.model.metrics for m in (each, *getattr(each, "metrics", ()))]
            known = [getattr(m, "_direction", None) for m in metrics if m.name == name]
            found = next((k for k in known if k), None)
            if name == "loss" or found == "down":
                self._sign = -1
            elif found == "up":
                self._sign = 1
            elif any(word in name for word in _LESS_IS_BETTER):
                self._sign = -1
            elif any(word in name for word in _MORE_IS_BETTER):
                self._sign = 1
            else:
                raise ValueError(
                    f"{type(self).__name__} callback received monitor={self.monitor}, but Keras isn't able to "
                    "automatically determine whether that metric should be maximized or minimized. Pass `mode='max'` "
                    "in order to monitor based on the highest metric value, or pass `mode='min'` in order to use the "
                    "lowest value."
                )
        return self._sign

    def _is_improvement(self, value: Any, reference: Any) -> bool:
        if reference is None:
            return True
        return bool((value - reference) * self._direction() > self.min_delta)

    def _value(self, logs: Any, what: str) -> Any:
        """The watched value; None, with a warning, where there is none."""
        self._direction()
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"{what} conditioned on metric `{self.monitor}` which is not available. Available metrics are: "
                f"{','.join(logs or {})}",
                stacklevel=3,
            )
        return value


@public("keras.callbacks.EarlyStopping")
class EarlyStopping(MonitorCallback):
    """Stop training when a value has stopped improving.

    Args:
        monitor: the value's name in the logs.
        min_delta: how much a value must be better to count as an improvement.
        patience: after how many epochs without improvement to stop.
        verbose: 1 tells when it stops.
        mode: "min": the value should fall; "max": it should rise; "auto": by the metric's name.
        baseline: a value that must be improved on, too, for the patience to begin anew.
        restore_best_weights: whether the model gets the weights of its best epoch at the end.
        start_from_epoch: the first epoch that counts.

    >>> import client as tf
    >>> callback = tf.keras.callbacks.EarlyStopping(monitor="loss", patience=3)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.on_train_begin()

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_weights: list[Tensor] | None = None
        self.best_epoch = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        current = self._value(logs, "Early stopping")
        if current is None or epoch < self.start_from_epoch:
            return
        better = self._is_improvement(current, self.best)
        if self.restore_best_weights and (better or self.best_weights is None):
            self.best_weights = [w.value() for w in self.model.weights]
        self.wait += 1
        if better:
            self.best = current
            self.best_epoch = epoch
            if self.baseline is None or self._is_improvement(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            for variable, value in zip(self.model.weights, self.best_weights, strict=True):
                variable.assign(value)


@public("keras.callbacks.ReduceLROnPlateau")
class ReduceLROnPlateau(MonitorCallback):
    """Lower the learning rate when a value has stopped improving: rate = max(rate * factor, min_lr).

    Args:
        monitor: the value's name in the logs.
        factor: below 1.
        patience: after how many epochs without improvement.
        verbose: 1 tells each change.
        mode: "min", "max" or "auto", as in `EarlyStopping`.
        min_delta: how much a value must be better to count as an improvement.
        cooldown: how many epochs to wait after a change before counting again.
        min_lr: the lowest rate.

    Raises:
        ValueError: a factor of 1 or more.

    >>> import client as tf
    >>> callback = tf.keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=2)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau does not support a factor >= 1.0. Received factor={factor}")
        self.factor = factor
        self.min_lr = min_lr
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.on_train_begin()

    def _needs_rate(self) -> bool:
        return True

    def on_train_begin(self, logs: Any = None) -> None:
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether epochs without improvement do not count now."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = {} if logs is None else logs
        logs["learning_rate"] = rate = learning_rate_of(self.model)
        current = self._value(logs, "Learning rate reduction is")
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and rate > np.float32(self.min_lr):
                lower = max(rate * self.factor, self.min_lr)
                set_learning_rate(self.model, lower)
                if self.verbose > 0:
                    print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {lower}.")
                self.cooldown_counter = self.cooldown
                self.wait = 0
