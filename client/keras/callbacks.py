"""The names of `tf.keras.callbacks`: what a program does between the steps of a training.

Owns: `CallbackList` and the callbacks that come with Keras, except those that watch a value
(`client.keras.monitors`) or save (`client.keras.checkpoint_callbacks`). Does not know how a model trains.

A callback at the end of a batch gets values that are on the server until it looks at them; at the end of an epoch it
gets numbers, which were read in one wait for all callbacks. The callbacks here never make training wait in between.
"""

from __future__ import annotations

import csv
import math
import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any, Final

import numpy as np

from client import nest
from client.api import public
from client.keras.callback_base import Callback, learning_rate_of, set_learning_rate
from client.keras.checkpoint_callbacks import BackupAndRestore, ModelCheckpoint
from client.keras.logs import LogNumber, Logs, read
from client.keras.monitors import EarlyStopping, MonitorCallback, ReduceLROnPlateau
from client.keras.progbar_logger import ProgbarLogger
from client.keras.tensorboard_callback import TensorBoard

_RATE: Final = "\0learning_rate"
_ALIASES: Final = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


def _implements(callback: Any, hook: str) -> bool:
    for name in (hook, _ALIASES.get(hook, hook)):
        if name in vars(callback) or getattr(type(callback), name, None) is not getattr(Callback, name):
            return True
    return False


def _users(callback: Any) -> bool:
    """Whether it runs code of the user's, which may do anything, such as setting the learning rate."""
    return isinstance(callback, LambdaCallback) or not type(callback).__module__.startswith("client.keras.")


@public("keras.callbacks.CallbackList")
class CallbackList(Callback):
    """Callbacks that are called together.

    Args:
        callbacks: a callback or a list of them.
        add_history: whether to add a `History` unless there is one.
        add_progbar: whether to add a `ProgbarLogger` unless there is one.
        model: the model that is trained.
        params: what the callbacks get as `params`.

    >>> import client as tf
    >>> seen = []
    >>> tell = tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["loss"])))
    >>> tf.keras.callbacks.CallbackList([tell]).on_epoch_end(0, {"loss": tf.constant(2.0)})
    >>> seen
    [(0, 2.0)]
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.callbacks: list[Any] = nest.flatten(callbacks) if callbacks else []
        self._hooks: dict[str, list[Any]] = {}
        self._history = next((c for c in self.callbacks if isinstance(c, History)), None)
        if self._history is None and add_history:
            self._history = History()
            self.callbacks.append(self._history)
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        if model:
            self.set_model(model)
        self.set_params(params)

    def append(self, callback: Callback) -> None:
        """Add a callback."""
        self.callbacks.append(callback)
        self._hooks.clear()

    def set_params(self, params: dict[str, Any]) -> None:
        """Tell all callbacks the parameters."""
        self.params = params
        for callback in self.callbacks if params else ():
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Tell all callbacks the model, and the model its history."""
        super().set_model(model)
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    # --- calling -----------------------------------------------------------------------------------------------------

    def _those_with(self, hook: str) -> list[Any]:
        found = self._hooks.get(hook)
        if found is None:
            found = self._hooks[hook] = [c for c in self.callbacks if _implements(c, hook)]
        return found

    def wants_logs(self, hook: str, batch: int) -> bool:
        """Whether a callback looks at the logs of a batch."""
        return any(c._wants_logs(batch) for c in self._those_with(hook))

    def _call(self, hook: str, *args: Any) -> None:
        for callback in self._those_with(hook):
            getattr(callback, hook)(*args)
            if self._model is not None and _users(callback):
                self._model._self_rate = None  # it may have set the learning rate

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Call all callbacks' method of that name; so do the others."""
        self._call("on_batch_begin", batch, Logs(logs))

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call("on_batch_end", batch, Logs(logs))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_begin", epoch, Logs(logs))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_end", epoch, self.read(logs or {}))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._those_with("on_train_batch_begin"):
            self._call("on_train_batch_begin", batch, Logs(logs))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._those_with("on_train_batch_end"):
            self._call("on_train_batch_end", batch, Logs(logs))

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._those_with("on_test_batch_begin"):
            self._call("on_test_batch_begin", batch, Logs(logs))

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._those_with("on_test_batch_end"):
            self._call("on_test_batch_end", batch, Logs(logs))

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._those_with("on_predict_batch_begin"):
            self._call("on_predict_batch_begin", batch, Logs(logs))

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._those_with("on_predict_batch_end"):
            self._call("on_predict_batch_end", batch, dict(logs or {}))

    def on_train_begin(self, logs: Any = None) -> None:
        self._call("on_train_begin", Logs(logs))

    def on_train_end(self, logs: Any = None) -> None:
        self._call("on_train_end", Logs(logs))

    def on_test_begin(self, logs: Any = None) -> None:
        self._call("on_test_begin", Logs(logs))

    def on_test_end(self, logs: Any = None) -> None:
        self._call("on_test_end", Logs(logs))

    def on_predict_begin(self, logs: Any = None) -> None:
        self._call("on_predict_begin", Logs(logs))

    def on_predict_end(self, logs: Any = None) -> None:
        self._call("on_predict_end", Logs(logs))

    # --- the one wait of an epoch ------------------------------------------------------------------------------------

    def read(self, logs: Mapping[str, Any]) -> dict[str, Any]:
        """The values of an epoch as numbers, in one wait, together with the learning rate if a callback needs it."""
        for callback in self.callbacks:
            if isinstance(callback, Callback):
                callback._before_read()
        model = self._model
        if not self._rate_needed() or model._self_rate is not None:
            return read(logs)
        found = read({**logs, _RATE: model.optimizer.learning_rate})
        model._self_rate = found.pop(_RATE)
        return found

    def _rate_needed(self) -> bool:
        """Whether a callback looks at the learning rate before one of the user's may have set it."""
        for callback in self._those_with("on_epoch_end"):
            if _users(callback):
                return False
            if callback._needs_rate():
                return True
        return False


def _nothing() -> None:
    return None


@public("keras.callbacks.History")
class History(Callback):
    """The values of all epochs: `history`, a dict of lists, and `epoch`, the numbers of the epochs. `fit` returns one.

    >>> import client as tf
    >>> tf.keras.callbacks.History().history
    {}
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        self._reference: Callable[[], Any] = _nothing

    def set_model(self, model: Any) -> None:
        """Tell it the model, which it does not keep: a model keeps its history."""
        self._reference = weakref.ref(model)

    @property
    def model(self) -> Any:
        """The model that was trained, None when it is gone."""
        return self._reference()

    def on_train_begin(self, logs: Any = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self

    def _repr_html_(self) -> str | None:
        from client.html import history_html

        return history_html(self)


@public("keras.callbacks.LambdaCallback")
class LambdaCallback(Callback):
    """A callback made of functions, which take what `Callback`'s methods of the same names take.

    >>> import client as tf
    >>> tf.keras.callbacks.LambdaCallback(on_train_begin=lambda logs: print("begin")).on_train_begin({})
    begin
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        self.__dict__.update(kwargs)
        self.__dict__.update({name: function for name, function in given.items() if function is not None})


@public("keras.callbacks.TerminateOnNaN")
class TerminateOnNaN(Callback):
    """Stop training when the loss is NaN or infinite.

    It never makes training wait: it looks at losses as they arrive, so training stops a few batches after the first
    bad one, at the latest at the end of the epoch.

    >>> import client as tf
    >>> callback = tf.keras.callbacks.TerminateOnNaN()
    """

    def __init__(self) -> None:
        super().__init__()
        self._sent: tuple[int, Logs] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._sent = None

    def _wants_logs(self, batch: int) -> bool:
        return self._sent is None or self._sent[1].arrived

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._sent is not None and self._sent[1].arrived:
            self._check(*self._sent)
            self._sent = None
        if self._sent is None and logs:
            self._sent = (batch, logs.start())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._sent is not None:
            self._check(*self._sent)
            self._sent = None
        if not self.model.stop_training:
            self._check((self.params or {}).get("steps") or 0, logs or {})

    def _check(self, batch: int, logs: Mapping[str, Any]) -> None:
        if "loss" in logs and not math.isfinite(float(logs["loss"])) and not self.model.stop_training:
            print(f"Batch {batch}: Invalid loss, terminating training")
            self.model.stop_training = True


@public("keras.callbacks.LearningRateScheduler")
class LearningRateScheduler(Callback):
    """Set the learning rate at the beginning of each epoch.

    Args:
        schedule: a function of the epoch's index, from 0, and the present learning rate, which gives the new one. The
            present rate is read only if it is used and not known.
        verbose: 1 tells each rate.

    >>> import client as tf
    >>> callback = tf.keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def _needs_rate(self) -> bool:
        return True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        if not hasattr(optimizer, "learning_rate"):
            raise ValueError('Optimizer must have a "learning_rate" attribute.')
        known = getattr(self.model, "_self_rate", None)
        present = Logs({"rate": optimizer.learning_rate})["rate"] if known is None else known
        try:
            rate = self.schedule(epoch, present)
        except TypeError:  # a function of the epoch alone
            rate = self.schedule(epoch)
        if rate is not present:
            if not isinstance(rate, float | np.float32 | np.float64 | LogNumber):
                raise ValueError(f"The output of the `schedule` function should be a float. Got: {rate}")
            set_learning_rate(self.model, float(rate))
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["learning_rate"] = learning_rate_of(self.model)


@public("keras.callbacks.CSVLogger")
class CSVLogger(Callback):
    """Write the values of each epoch to a CSV file, one row each.

    Args:
        filename: where.
        separator: what stands between the values.
        append: whether to keep what is in the file; False: it is overwritten.

    >>> import client as tf
    >>> callback = tf.keras.callbacks.CSVLogger("training.csv", append=True)
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self.keys: list[str] | None = None
        self.csv_file: IO[str] | None = None
        self._writer: Any = None
        self._header = True

    def on_train_begin(self, logs: Any = None) -> None:
        self.on_train_end()
        if self.append and os.path.exists(self.filename):
            self._header = os.path.getsize(self.filename) == 0
        self.csv_file = open(self.filename, "a" if self.append else "w", newline="")  # noqa: SIM115
        self.keys = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            if self.keys and not any(k.startswith("val_") for k in self.keys):  # validation may come later
                self.keys += [f"val_{k}" for k in self.keys]
        if self._writer is None:
            assert self.csv_file is not None
            names = ["epoch", *self.keys]
            self._writer = csv.DictWriter(self.csv_file, names, delimiter=self.sep, lineterminator="\n")
            if self._header:
                self._writer.writeheader()
        self._writer.writerow({"epoch": epoch, **{k: _cell(logs.get(k, "NA")) for k in self.keys}})
        assert self.csv_file is not None
        self.csv_file.flush()

    def on_train_end(self, logs: Any = None) -> None:
        if self.csv_file is not None:
            self.csv_file.close()
        self.csv_file = self._writer = None


def _cell(value: Any) -> Any:
    if isinstance(value, Iterable) and not isinstance(value, str) and np.ndim(value):  # type: ignore[arg-type]
        return f'"[{", ".join(map(str, value))}]"'
    return value


__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
]
