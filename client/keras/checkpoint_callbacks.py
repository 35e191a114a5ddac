"""Callbacks that save while a model trains: `ModelCheckpoint`, `BackupAndRestore`.

Owns: when to save, under which name, and where an interrupted training goes on. Does not know files (`client.train`,
`client.keras.models.saving`). Training does not stop for them: what is saved is the state at that step, and the files
are written behind its back.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import warnings
from concurrent.futures import Future
from typing import Any, Final

from client import seeding
from client.api import public
from client.keras.callback_base import Callback
from client.keras.monitors import MonitorCallback
from client.tracking import Stateful
from client.train.checkpoint import Checkpoint
from client.train.manager import CheckpointManager
from client.train.places import SERVER

_BEHIND: Final = 2
"""Saves that may be under way before training waits for the oldest: each keeps its values on the server."""


class _Saves:
    """Saves under way, not too many at once."""

    def __init__(self) -> None:
        self._pending: list[Future[str]] = []

    def make_room(self) -> None:
        """Wait until another may begin."""
        self._pending = [f for f in self._pending if not f.done()]
        while len(self._pending) >= _BEHIND:
            _wait(self._pending.pop(0))

    def add(self, future: Future[str]) -> None:
        """One more has begun."""
        self._pending.append(future)

    def finish(self) -> None:
        """Wait until all files are there."""
        while self._pending:
            _wait(self._pending.pop(0))


def _wait(future: Future[str]) -> None:
    """Raise what was wrong with the files, as if the callback had waited."""
    future.result()


class _Frequency:
    """Every epoch, or every so many batches."""

    def __init__(self, save_freq: Any) -> None:
        if save_freq != "epoch" and not isinstance(save_freq, int):
            raise ValueError(f"Unrecognized save_freq: {save_freq}. Expected save_freq are 'epoch' or integer values")
        self.by_epoch = save_freq == "epoch"
        self._every = 0 if self.by_epoch else save_freq
        self._seen = 0
        self._last: int | None = None

    def due(self, batch: int, look: bool = False) -> bool:
        """Whether to save at the end of a batch, counted from 0 in each epoch. With `look` it does not count."""
        if self.by_epoch:
            return False
        new = batch + 1 if self._last is None or batch <= self._last else batch - self._last
        if look:
            return self._seen + new >= self._every
        self._seen += new
        self._last = batch
        if self._seen < self._every:
            return False
        self._seen = 0
        return True


@public("keras.callbacks.ModelCheckpoint")
class ModelCheckpoint(MonitorCallback):
    """Save the model, or its weights, as it trains. Training goes on while the files are written.

    Args:
        filepath: where; `{epoch:02d}`, `{batch}` and the names of values stand for what they are then. A model's ends
            in `.keras`.
        monitor: the value to compare by, for `save_best_only`.
        verbose: 1 tells of each save.
        save_best_only: whether to save only when the value is better than before.
        save_weights_only: weights alone (`Model.save_weights`) instead of the model (`Model.save`).
        mode: "min": the value should fall; "max": it should rise; "auto": by the metric's name.
        save_freq: "epoch", or a number of batches; comparing by batches makes training wait for each value.
        initial_value_threshold: the value to be better than at first.

    Raises:
        ValueError: another ending, or frequency.

    >>> import client as tf
    >>> callback = tf.keras.callbacks.ModelCheckpoint("runs/{epoch:02d}.keras", monitor="loss", save_best_only=True)
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: Any = None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self._frequency = _Frequency(save_freq)
        self._saves = _Saves()
        self._epoch = 0
        if not save_weights_only and not self.filepath.endswith(".keras"):
            raise ValueError(
                f"The filepath provided must end in `.keras` (Keras model format). Received: filepath={self.filepath}"
            )

    def _wants_logs(self, batch: int) -> bool:
        looks = self.save_best_only or "{" in self.filepath
        return looks and self._frequency.due(batch, look=True)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._frequency.due(batch):
            self._save(batch, logs or {})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._frequency.by_epoch:
            self._save(None, logs or {})

    def on_train_end(self, logs: Any = None) -> None:
        self._saves.finish()

    def _save(self, batch: int | None, logs: Any) -> None:
        path = self._path(batch, logs)
        if not self._is_due(logs, path):
            return
        self._saves.make_room()
        save = self.model.save_weights if self.save_weights_only else self.model.save
        self._saves.add(save(path, overwrite=True, wait=False))

    def _path(self, batch: int | None, logs: Any) -> str:
        numbers = {"epoch": self._epoch + 1} if batch is None else {"epoch": self._epoch + 1, "batch": batch + 1}
        try:
            return self.filepath.format(**{**numbers, **({k: logs[k] for k in logs} if "{" in self.filepath else {})})
        except KeyError as error:
            raise KeyError(f'Failed to format this callback filepath: "{self.filepath}". Reason: {error}') from None

    def _is_due(self, logs: Any, path: str) -> bool:
        """Whether to save, said aloud where that is wanted."""
        number = self._epoch + 1
        if not self.save_best_only:
            self._say(f"\nEpoch {number}: saving model to {path}")
            return True
        current = logs.get(self.monitor)
        if current is None:
            warnings.warn(f"Can save best model only with {self.monitor} available.", stacklevel=4)
            return True
        before = "None" if self.best is None else f"{self.best:.5f}"
        if not self._is_improvement(current, self.best):
            self._say(f"\nEpoch {number}: {self.monitor} did not improve from {before}")
            return False
        self._say(f"\nEpoch {number}: {self.monitor} improved from {before} to {current:.5f}, saving model to {path}")
        self.best = current
        return True

    def _say(self, text: str) -> None:
        if self.verbose > 0:
            print(text)


class _Progress(Stateful):
    """How far a training has come: the epoch, the batches of it that are done, the position in the data, and the
    counters of random ops.
    """

    _state_kind = "training"

    def __init__(self) -> None:
        self.epoch = 0
        self.batch = 0
        self.run: Any = None
        self.restored = False

    def _checkpoint_state(self) -> dict[str, Any]:
        position = self.run.position()
        return {"epoch": self.epoch, "batch": self.batch, "position": position, "seeds": seeding.state()}

    def _restore_state(self, state: Any) -> None:
        self.epoch, self.batch = int(state["epoch"]), int(state["batch"])
        self.run.restore(state["position"])
        seeding.restore(state["seeds"])
        self.restored = True


@public("keras.callbacks.BackupAndRestore")
class BackupAndRestore(Callback):
    """Go on with an interrupted training where it was last saved: model, optimizer, epoch and batch, position in the
    data, random numbers. A program that is run again does what it would have done uninterrupted.

    Data from a Python generator can't be gone back to: there, `fit` goes on with what the generator gives next.

    Args:
        backup_dir: the directory for the backup, of this training alone; `server://...` for one of the server's.
        save_freq: "epoch", or a number of batches.
        double_checkpoint: whether the backup before the last is kept too.
        delete_checkpoint: whether the backup is removed when training has ended.

    Raises:
        ValueError: no directory, or another frequency.

    >>> import client as tf
    >>> callback = tf.keras.callbacks.BackupAndRestore("backup")
    """

    def __init__(
        self, backup_dir: Any, save_freq: Any = "epoch", double_checkpoint: bool = False, delete_checkpoint: bool = True
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError("Empty `backup_dir` argument passed")
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._frequency = _Frequency(save_freq)
        self._saves = _Saves()
        self._progress = _Progress()
        self._manager: CheckpointManager | None = None

    def _wants_logs(self, batch: int) -> bool:
        return False

    def on_train_begin(self, logs: Any = None) -> None:
        model = self.model
        self._frequency = _Frequency(self.save_freq)
        progress = self._progress = _Progress()
        progress.run = model._self_run
        checkpoint = Checkpoint(model=model, training=progress)
        kept = 2 if self.double_checkpoint else 1
        self._manager = CheckpointManager(checkpoint, self.backup_dir, kept, checkpoint_name="backup")
        latest = self._manager.latest_checkpoint
        if latest is None:
            return
        if model.optimizer is not None and not model.optimizer.built and model.trainable_variables:
            model.optimizer.build(model.trainable_variables)
        checkpoint.restore(latest).expect_partial()
        if progress.restored:
            model._self_resume = (progress.epoch, progress.batch)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._progress.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._frequency.due(batch):
            self._progress.batch = batch + 1
            self._save()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._progress.epoch, self._progress.batch = epoch + 1, 0
        if self._frequency.by_epoch:
            self._save()

    def _save(self) -> None:
        assert self._manager is not None
        self._saves.make_room()
        self._saves.add(self._manager.save(wait=False))

    def on_train_end(self, logs: Any = None) -> None:
        self._saves.finish()
        if not self.delete_checkpoint:
            return
        if self.backup_dir.startswith(SERVER):
            from client.train.places import ServerPlace

            ServerPlace().clear(self.backup_dir.removeprefix(SERVER))
        else:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self.backup_dir)
