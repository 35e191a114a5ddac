"""The table that `Model.summary` prints.

Owns: `summary`. Asks the server nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from client import nest
from client.keras.layers.layer import Layer


def summary(
    model: Any, line_length: int | None, print_fn: Callable[[str], Any] | None, nested: bool, show_trainable: bool
) -> None:
    """Print the layers of a model. Raises ValueError when it is not built and has no layers."""
    say = print_fn or print
    rows = [["Layer (type)", "Output Shape", "Param #", *(["Trainable"] if show_trainable else [])]]
    rows.extend(_rows(model, nested, show_trainable, ""))
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(rows[0]))]
    spare = (line_length or 0) - sum(widths) - len(widths) - 1
    widths[0] += max(spare, 0)
    say(f'Model: "{model.name}"')
    for line in _table(rows, widths):
        say(line)
    trainable = _count(model.trainable_weights)
    fixed = _count(model.non_trainable_weights)
    for label, number in (("Total", trainable + fixed), ("Trainable", trainable), ("Non-trainable", fixed)):
        say(f" {label} params: {number:,} ({_size(number * 4)})")


def _rows(model: Any, nested: bool, show_trainable: bool, indent: str) -> list[list[str]]:
    found = []
    for layer in model.layers:
        parameters = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
        row = [f"{indent}{layer.name} ({type(layer).__name__})", _shape(layer), parameters]
        found.append([*row, *(["Y" if layer.trainable else "N"] if show_trainable else [])])
        if nested and getattr(layer, "layers", None):
            found.extend(_rows(layer, nested, show_trainable, indent + "  "))
    return found


def _shape(layer: Layer) -> str:
    try:
        output = layer.output
    except AttributeError:
        return "?"
    shapes = [str(tuple(t._spec.shape)) for t in nest.flatten(output)]
    return ", ".join(shapes)


def _table(rows: list[list[str]], widths: list[int]) -> list[str]:
    def rule(left: str, middle: str, right: str, line: str) -> str:
        return left + middle.join(line * w for w in widths) + right

    def text(row: list[str], bar: str) -> str:
        cells = [
            f" {c:<{w - 1}}" if i != 2 else f"{c:>{w - 1}} " for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        return bar + bar.join(cells) + bar

    lines = [rule("┏", "┳", "┓", "━"), text(rows[0], "┃"), rule("┡", "╇", "┩", "━")]
    for i, row in enumerate(rows[1:]):
        if i:
            lines.append(rule("├", "┼", "┤", "─"))
        lines.append(text(row, "│"))
    return [*lines, rule("└", "┴", "┘", "─")]


def _count(weights: list[Any]) -> int:
    return sum(math.prod(tuple(w.shape)) for w in weights)


def _size(number: int) -> str:
    value = float(number)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            return f"{value:.2f} {unit}"
        value /= 1024
    return ""
