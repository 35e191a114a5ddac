"""`keras.utils.Progbar`: how far a loop has come, on a terminal or as one line.

Owns: averaging, timing, drawing. Redraws at most once an interval, and reads tensors only when it draws. Does not know
training.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Any

import numpy as np

from client.api import public
from client.reading import fetch
from client.tensor import Operand

_BOLD, _GREEN, _WHITE, _END = "\x1b[1m", "\33[32m", "\33[37m", "\x1b[0m"


def redraws() -> bool:
    """Whether what was written to stdout can be written over: on a terminal and in a notebook."""
    return bool(getattr(sys.stdout, "isatty", lambda: False)()) or "ipykernel" in sys.modules


@public("keras.utils.Progbar")
class Progbar:
    """Show the progress of a loop, with the values of metrics.

    On a terminal, the bar is drawn over and over; where stdout is something else, only its final state is written.

    Args:
        target: the number of steps; None: not known.
        width: the length of the bar.
        verbose: 0 shows nothing, 1 a bar, 2 one line at the end.
        interval: seconds between two redraws, at least.
        stateful_metrics: the names of values to show as they are; the others are averaged over the steps.
        stateless_metrics: the other way round: the names of values to average.
        unit_name: what a step is called.

    Raises:
        ValueError: both lists of names are given.

    >>> import client as tf
    >>> bar = tf.keras.utils.Progbar(2, verbose=2)
    >>> bar.update(1, [("loss", 3.0)])
    >>> bar.update(2, [("loss", 2.0)])
    2/2 - 0s - ... - loss: 2.0000
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Only one of `stateful_metrics` or `stateless_metrics` can be provided: the one says which values are "
                "shown as they are, the other which are averaged."
            )
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self._kept = None if stateful_metrics is None and stateless_metrics is not None else set(stateful_metrics or ())
        self._averaged = set(stateless_metrics or ())
        self._redraws = redraws()
        self._seen = 0
        self._values: dict[str, tuple[Any, int]] = {}  # the sum, and of how many steps
        self._start = monotonic()
        self._drawn_at = -math.inf
        self._after_first: float | None = None
        self._drawn_width = 0

    def due(self) -> bool:
        """Whether an update would redraw now."""
        return self.verbose == 1 and self._redraws and monotonic() - self._drawn_at >= self.interval

    def add(self, n: int, values: Sequence[tuple[str, Any]] | None = None) -> None:
        """Count `n` steps more; see `update`."""
        self.update(self._seen + n, values)

    def update(
        self, current: int, values: Sequence[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """Tell how far it is.

        Args:
            current: the number of steps done.
            values: names with the values of the last step: numbers or scalar tensors, which are read when drawn.
            finalize: whether this is the last; None: whether the target is reached.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            self._take(name, value, current, finalize)
        self._seen = current
        per_step = self._step_seconds(current, monotonic())
        if self.verbose == 1 and (finalize or self.due()):
            self._draw(current, per_step, finalize)
            self._drawn_at = monotonic()
        elif self.verbose == 2 and finalize and self.target:
            self._write(f"{self._count(current)} - {self._elapsed()} -{self._pace(per_step)}{self._metrics()}\n")

    # --- values ------------------------------------------------------------------------------------------------------

    def _take(self, name: str, value: Any, current: int, last: bool) -> None:
        averaged = name in self._averaged if self._kept is None else name not in self._kept
        if not averaged or last:
            self._values[name] = (value, 1)
            return
        steps = max(current - self._seen, 1)
        total, count = self._values.get(name, (0.0, 0))
        self._values[name] = (total + value * steps, count + steps)

    def _average(self, name: str) -> float:
        total, count = self._values[name]
        return float(np.mean(total)) / max(1, count)

    def _metrics(self) -> str:
        remote = {name: v[0] for name, v in self._values.items() if isinstance(v[0], Operand)}
        if remote:
            found = fetch(*remote.values())
            for name, value in zip(remote, found if len(remote) > 1 else [found], strict=True):
                self._values[name] = (value, self._values[name][1])
        shown = {name: self._average(name) for name in self._values}
        return "".join([f" - {name}: {v:{'.4f' if abs(v) > 1e-3 else '.4e'}}" for name, v in shown.items()])

    # --- time --------------------------------------------------------------------------------------------------------

    def _step_seconds(self, current: int, now: float) -> float:
        """Seconds a step takes; the first, which makes variables, does not count where there are more."""
        if not current:
            return 0.0
        if self._after_first is not None and current > 1:
            return (now - self._after_first) / (current - 1)
        if current == 1:
            self._after_first = now
        return (now - self._start) / current

    def _pace(self, per_step: float) -> str:
        for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
            if per_step * scale >= 1 or per_step == 0 or unit == "us":
                return f" {per_step * scale:.0f}{unit}/{self.unit_name}"
        raise AssertionError

    def _elapsed(self) -> str:
        return f"{monotonic() - self._start:.0f}s"

    # --- drawing -----------------------------------------------------------------------------------------------------

    def _count(self, current: int) -> str:
        assert self.target
        return f"{current:>{len(str(self.target))}}/{self.target}"

    def _draw(self, current: int, per_step: float, last: bool) -> None:
        left = "" if last or not self.target else _duration(per_step * (self.target - current))
        if self.target:
            done = min(self.width, int(self.width * current / self.target))
            parts = [
                (_BOLD, self._count(current)),
                ("", " "),
                (_GREEN, "━" * done),
                (_WHITE, "━" * (self.width - done)),
            ]
        else:
            parts = [("", f"{current:>7}/Unknown")]
        parts += [("", " "), (_BOLD, left or self._elapsed()), ("", self._pace(per_step) + self._metrics())]
        width = sum([len(text) for _, text in parts])
        if not self._redraws:
            self._write("".join([text for _, text in parts]) + "\n" if last else "")
            return
        text = "".join([f"{style}{text}{_END}" if style and text else text for style, text in parts])
        blank = " " * max(0, self._drawn_width - width)
        self._write("\r" + text + blank + ("\n" if last else ""))
        self._drawn_width = 0 if last else width

    def _write(self, text: str) -> None:
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()


def _duration(seconds: float) -> str:
    if seconds > 3600:
        return f"{seconds // 3600:.0f}:{seconds % 3600 // 60:02.0f}:{seconds % 60:02.0f}"
    return f"{seconds // 60:.0f}:{seconds % 60:02.0f}" if seconds > 60 else f"{seconds:.0f}s"
