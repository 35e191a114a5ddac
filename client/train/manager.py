"""`tf.train.CheckpointManager`: which of a program's checkpoints are kept.

Owns: the class. Does not know what a checkpoint holds. What is kept stands in the file `checkpoint` of the directory,
so that a later program goes on with it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any, Final

from client.api import public
from client.tensor import Operand
from client.train.checkpoint import Checkpoint, CheckpointOptions
from client.train.places import place_of
from client.train.state import CheckpointState, get_checkpoint_state, join, known_times, write_state
from client.train.writing import WRITER

log: Final = logging.getLogger("telegrad.checkpoint")


@public("train.CheckpointManager")
class CheckpointManager:
    """Checkpoints of a directory: saves new ones, deletes old ones.

    Args:
        checkpoint: what to save.
        directory: where; `server://...` for a directory of the server's.
        max_to_keep: how many to keep, the oldest are deleted; None: all.
        keep_checkpoint_every_n_hours: a checkpoint that would be deleted is kept for good if it is that much younger
            than the last one that was kept so.
        checkpoint_name: what the files' names begin with.
        step_counter: the variable that counts steps, for `checkpoint_interval`.
        checkpoint_interval: the number of steps between two checkpoints, at least.
        init_fn: called by `restore_or_initialize` where there is no checkpoint.
        last_checkpoint_step: the step of the last checkpoint.

    Raises:
        ValueError: `max_to_keep` is not positive, or an interval without a counter.

    >>> import tempfile
    >>> import client as tf
    >>> step = tf.Variable(0)
    >>> manager = tf.train.CheckpointManager(tf.train.Checkpoint(step=step), tempfile.mkdtemp(), max_to_keep=2)
    >>> for _ in range(3):
    ...     _ = manager.save()
    >>> [path[-6:] for path in manager.checkpoints]
    ['ckpt-2', 'ckpt-3']
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        directory: Any,
        max_to_keep: int | None,
        keep_checkpoint_every_n_hours: float | None = None,
        checkpoint_name: str = "ckpt",
        step_counter: Any = None,
        checkpoint_interval: int | None = None,
        init_fn: Callable[[], Any] | None = None,
        last_checkpoint_step: int | None = None,
    ) -> None:
        if max_to_keep is not None and max_to_keep <= 0:
            raise ValueError(f"Expected a positive integer or `None` for `max_to_keep`, got {max_to_keep}.")
        if checkpoint_interval is not None and step_counter is None:
            raise ValueError("`step_counter` should be passed if `checkpoint_interval` is not None.")
        self._checkpoint = checkpoint
        self._directory: str = os.fspath(directory)
        self._max_to_keep = max_to_keep
        self._hours = keep_checkpoint_every_n_hours
        self._name = checkpoint_name
        self._step_counter = step_counter
        self._interval = checkpoint_interval
        self._init_fn = init_fn
        self._last_step = last_checkpoint_step
        self._kept: dict[str, float] = {}  # path -> when it was written
        self._latest: str | None = None
        self._adopt()

    def _adopt(self) -> None:
        """Take over what an earlier manager has kept in the directory, or is about to."""
        WRITER.wait()
        now = time.time()
        state = get_checkpoint_state(self._directory)
        if state is None:
            self._preserved = now - 1.0  # a little back: a manager made again at once must not lose this one's
            return
        self._latest = state.model_checkpoint_path
        self._preserved = state.last_preserved_timestamp
        if now < self._preserved:
            log.warning("the clock is %.0f s behind the last preserved checkpoint", self._preserved - now)
            self._preserved = now
        for path, written in zip(state.all_model_checkpoint_paths, known_times(state), strict=True):
            written = min(written, now)
            if written > self._preserved:
                self._kept[path] = written

    @property
    def directory(self) -> str:
        """The directory."""
        return self._directory

    @property
    def checkpoint(self) -> Checkpoint:
        """What it saves."""
        return self._checkpoint

    @property
    def checkpoint_interval(self) -> int | None:
        """The number of steps between two checkpoints."""
        return self._interval

    @property
    def latest_checkpoint(self) -> str | None:
        """The path of the latest checkpoint, None when there is none."""
        return self._latest

    @property
    def checkpoints(self) -> list[str]:
        """The paths of those it may yet delete, oldest first."""
        return list(self._kept)

    def save(
        self,
        checkpoint_number: Any = None,
        check_interval: bool = True,
        options: CheckpointOptions | None = None,
        *,
        wait: bool = True,
    ) -> Any:
        """Save a checkpoint, and delete those that are too many once its files are there.

        Args:
            checkpoint_number: its number, an integer, tensor or variable; None: the checkpoint's `save_counter`.
            check_interval: False saves even if the interval is not over, unless this step was saved already.
            options: see `CheckpointOptions`.
            wait: False goes on at once, while the files are written behind the program's back.

        Returns:
            The path; None when the interval is not over. With `wait=False`, a `concurrent.futures.Future` of the path.
        """
        if self._interval is not None:
            step = int(self._step_counter)
            last = self._last_step
            if last is not None and (step == last or (check_interval and step < last + self._interval)):
                return None
            self._last_step = step
        count = self._checkpoint._count()
        number = count if checkpoint_number is None else int(checkpoint_number)
        path = join(self._directory, f"{self._name}-{number}")
        return self._checkpoint._write(path, options, wait, self._written)

    def _written(self, path: str) -> None:
        """The files of a checkpoint are there. It is recorded before anything is deleted, and once more after that."""
        self._kept.pop(path, None)
        self._kept[path] = time.time()
        self._latest = path
        self._record()
        if self._max_to_keep and len(self._kept) > self._max_to_keep:
            place, name = place_of(path)
            place.make_durable(name)
            while len(self._kept) > self._max_to_keep:
                self._let_go(next(iter(self._kept)))
            self._record()

    def _let_go(self, path: str) -> None:
        written = self._kept.pop(path)
        if self._hours and written - self._hours * 3600.0 >= self._preserved:
            self._preserved = written
            return
        place, name = place_of(path)
        place.delete(name)

    def _record(self) -> None:
        assert self._latest is not None
        state = CheckpointState(self._latest, list(self._kept), list(self._kept.values()), self._preserved)
        write_state(self._directory, state)

    def restore_or_initialize(self) -> str | None:
        """Restore the latest checkpoint; without one, call `init_fn`.

        Returns:
            The path of the checkpoint, None when there was none.
        """
        self.sync()
        if self._latest is not None:
            self._checkpoint.restore(self._latest)
            if self._interval is not None:
                counter = self._step_counter
                self._last_step = int(counter) if isinstance(counter, Operand) else counter
            return self._latest
        if self._init_fn is not None:
            self._init_fn()
        return None

    def sync(self) -> None:
        """Wait until the files of all saves are there."""
        self._checkpoint.sync()
