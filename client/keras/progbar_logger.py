"""`keras.callbacks.ProgbarLogger`: the progress bar of `fit`, `evaluate` and `predict`.

Owns: which steps' values it asks for, and when it draws those that have arrived. Does not know how a bar looks
(`client.keras.progress`).
"""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import Any, Final

from client.api import public
from client.keras.callback_base import Callback
from client.keras.logs import Logs
from client.keras.progress import Progbar, redraws

_MARKS: Final = 20
"""How many points of an epoch the progress bar asks values of, besides those it asks for at each interval."""
_INTERVAL: Final = 0.1
"""Seconds between two redraws of the progress bar."""


@public("keras.callbacks.ProgbarLogger")
class ProgbarLogger(Callback):
    """Show the progress of `fit`, `evaluate` and `predict`; they make one unless `verbose` is 0.

    It shows the newest step whose values have arrived, and redraws at most ten times a second. It never makes training
    wait: steps are issued ahead of those that it shows.

    >>> import client as tf
    >>> callback = tf.keras.callbacks.ProgbarLogger()
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose: Any = 1
        self.epochs = 1
        self._in_fit = False
        self._marks: deque[tuple[int, Logs]] = deque()
        self._stride = 1
        self._next_mark = 0
        self._next_time = 0.0

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self.verbose = (1 if redraws() else 2) if verbose == "auto" else int(verbose)
        self.epochs = params.get("epochs") or 1
        self.target = params.get("steps")

    # --- hooks ---

    def on_train_begin(self, logs: Any = None) -> None:
        self._in_fit = True  # the validation within is silent

    def on_train_end(self, logs: Any = None) -> None:
        self._in_fit = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._begin()
        if self.verbose and self.epochs > 1:
            print(f"Epoch {epoch + 1}/{self.epochs}", flush=True)

    def on_test_begin(self, logs: Any = None) -> None:
        if not self._in_fit:
            self._begin()

    def on_predict_begin(self, logs: Any = None) -> None:
        self._begin()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._step(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        if not self._in_fit:
            self._step(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self._step(batch, None)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._finish(logs)

    def on_test_end(self, logs: Any = None) -> None:
        if not self._in_fit:
            self._finish(logs)

    def on_predict_end(self, logs: Any = None) -> None:
        self._finish(None)

    # --- drawing ---

    def _begin(self) -> None:
        self.seen = 0
        self.progbar = Progbar(self.target, verbose=self.verbose, interval=_INTERVAL, stateless_metrics=())
        self._marks.clear()
        self._stride = max(1, (self.target or 0) // _MARKS)
        self._next_mark = 1
        self._next_time = 0.0

    @property
    def _draws(self) -> bool:
        return self.progbar is not None and self.verbose == 1 and self.progbar._redraws

    def _wants_logs(self, batch: int) -> bool:
        if not self._draws:
            return False
        by_time = monotonic() >= self._next_time
        return by_time or (self.target is not None and batch + 1 >= self._next_mark)

    def _step(self, batch: int, logs: Any) -> None:
        self.seen = batch + 1
        if not self._draws:
            return
        if logs and isinstance(logs, Logs) and self._wants_logs(batch):
            self._marks.append((self.seen, logs.start()))
            self._next_mark = self.seen + self._stride
            self._next_time = monotonic() + _INTERVAL
        elif logs is None:  # nothing to show but how far it is
            self._draw(self.seen, ())
            return
        self._draw_arrived()

    def _draw_arrived(self) -> None:
        newest = None
        while self._marks and self._marks[0][1].arrived:
            newest = self._marks.popleft()
        if newest is not None:
            self._draw(newest[0], list(newest[1].items()))

    def _draw(self, step: int, values: Any) -> None:
        assert self.progbar is not None
        if self.progbar.due():
            self.progbar.update(step, values, finalize=False)

    def _before_read(self) -> None:
        while self._marks and self._draws:
            self._marks[0][1].group.wait(_INTERVAL)
            self._draw_arrived()

    def _finish(self, logs: Any) -> None:
        if self.progbar is None:
            return
        if self.target is None:
            self.target = self.progbar.target = self.seen
        self.progbar.update(self.target, list((logs or {}).items()), finalize=True)
