"""The table that `Model.summary` prints.

Owns: `summary`, its layout, which is Keras'; `contents`, what is in it. Asks the server nothing.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from client import nest
from client.html import table
from client.keras.layers.layer import Layer
from protocol.spec import element_count

_RULES = (("┏", "┳", "┓", "━"), ("┡", "╇", "┩", "━"), ("├", "┼", "┤", "─"), ("└", "┴", "┘", "─"))


def summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Print the layers of a model, as `Model.summary` says. Raises ValueError."""
    header, rows, totals = contents(model, nested, show_trainable, layer_range)
    default, ends = (108, [0.3, 0.56, 0.74, 1.0]) if "Connected to" in header else (88, [0.45, 0.8, 1.0])
    ends = list(positions) if positions else ends
    if show_trainable:
        default += 12
        ends = [*(0.9 * end for end in ends), 1.0]
    length = line_length or min(default, shutil.get_terminal_size().columns - 4)
    lines = [f'Model: "{model.name}"', *_table(header, rows, _widths(ends, length)), *totals]
    if print_fn is None:
        print("\n".join(lines))
    else:
        print_fn("\n".join([*lines, ""]))


def summary_html(model: Any) -> str:
    """The same for Jupyter."""
    return table(f'Model: "{model.name}"', *contents(model))


# --- what is in it ---------------------------------------------------------------------------------------------------


def contents(
    model: Any, nested: bool = False, show_trainable: bool = False, layer_range: Sequence[str] | None = None
) -> tuple[list[str], list[list[str]], list[str]]:
    """The header, the rows and the lines below them, as texts. Raises ValueError for a range of unknown layers."""
    calls = _calls(model)
    header = ["Layer (type)", "Output Shape", "Param #"]
    header += ["Connected to"] * (calls is not None) + ["Trainable"] * show_trainable
    layers = _within(list(model.layers), layer_range)
    rows = [_row(depth, layer, calls, show_trainable) for layer in layers for depth, layer in _nested(layer, nested)]
    return header, rows, _totals(model)


def _calls(model: Any) -> list[Any] | None:
    """The calls in a functional model's graph; None for a chain, where they say nothing."""
    order = getattr(model, "_self_order", None)
    if order is None:
        return None
    chain = len(model._self_inputs) == 1 and len({id(node.layer) for node in order}) == len(order)
    before = model._self_inputs[0]._origin
    for node in order:
        chain = chain and len(node.parents) == 1 and node.parents[0]._origin is before
        before = node
    return None if chain else list(order)


def _within(layers: list[Layer], names: Sequence[str] | None) -> list[Layer]:
    if names is None:
        return layers
    if len(names) != 2 or not all(isinstance(name, str) for name in names):
        raise ValueError(f"layer_range must be a list or tuple of two strings. Received: layer_range={names}")
    first, last = ([i for i, layer in enumerate(layers) if re.match(name, layer.name)] for name in names)
    if not first or not last:
        raise ValueError(f"Passed layer_names do not match the layer names in the model. Received: {names}")
    if min(first) > max(last):
        first, last = last, first
    return layers[min(first) : max(last) + 1]


def _nested(layer: Any, wanted: bool, depth: int = 0) -> Iterator[tuple[int, Any]]:
    yield depth, layer
    if wanted:
        for each in getattr(layer, "layers", None) or ():
            yield from _nested(each, True, depth + 1)


def _row(depth: int, layer: Any, calls: list[Any] | None, show_trainable: bool) -> list[str]:
    prefix = "   " * depth + "└ " if depth else ""
    parameters = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
    row = [f"{prefix}{layer.name} ({type(layer).__name__})", _shape(layer), parameters]
    if calls is not None:
        sources = [_source(t) for node in calls if node.layer is layer for t in node.parents]
        row.append(", ".join(sources) or "-")
    if show_trainable:
        row.append("-" if not layer.weights else "Y" if layer.trainable else "N")
    return row


def _source(tensor: Any) -> str:
    """The layer that a symbolic tensor comes from, which call of it and which output."""
    node = tensor._origin
    if node is None or node.layer is None:
        return str(tensor.name)
    position = [t._operand for t in nest.flatten(node.outputs)].index(tensor._operand)
    return f"{node.layer.name}[{node.layer._self_nodes.index(node)}][{position}]"


def _shape(layer: Any) -> str:
    """The shape that it last gave in a graph, or that it gives for what it was built for."""
    if layer._self_nodes:
        found = nest.map_structure(lambda t: _Dims(t._spec.shape), layer._self_nodes[-1].outputs)
    elif layer._self_build_shape is not None:
        try:
            shapes = layer.compute_output_shape(layer._self_build_shape)
        except (NotImplementedError, AttributeError, TypeError, ValueError):
            return "?"
        found = _Dims(shapes) if all(d is None or isinstance(d, int) for d in shapes) else shapes
    else:
        return "?"
    flat = nest.flatten(found)
    return repr(flat[0] if len(flat) == 1 else found)


class _Dims:
    """A shape, which is a leaf of a structure."""

    def __init__(self, dims: Any) -> None:
        self._dims = tuple(dims or ())

    def __repr__(self) -> str:
        return f"({', '.join(map(str, self._dims))})"


def _totals(model: Any) -> list[str]:
    parts = {"Trainable": model.trainable_weights, "Non-trainable": model.non_trainable_weights}
    if getattr(model, "compiled", False) and getattr(model.optimizer, "built", False):
        parts["Optimizer"] = model.optimizer.variables
    parts = {"Total": [w for weights in parts.values() for w in weights], **parts}
    return [f" {what} params: {_count(weights):,} ({_bytes(weights)})" for what, weights in parts.items()]


def _count(weights: Sequence[Any]) -> int:
    return sum(element_count(w._spec.shape) for w in weights)


def _bytes(weights: Sequence[Any]) -> str:
    size = float(sum(element_count(w._spec.shape) * w._spec.dtype.size for w in weights))
    units = ["B", "KB", "MB", "GB", "TB", "PB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        del units[0]
    return f"{size:.2f} {units[0]}"


# --- what it looks like ----------------------------------------------------------------------------------------------


def _widths(ends: Sequence[float], length: int) -> list[int]:
    """The widths of the columns with their padding: from where they end, then narrowed alike to fit between the rules.

    Raises:
        ValueError: the table is too narrow.
    """
    edges = [0, *(int(end * length) for end in ends)]
    widths = [b - a for a, b in itertools.pairwise(edges)]
    if min(widths) < 4:
        raise ValueError("Insufficient console width to print summary.")
    widths = [width + 2 for width in widths]
    spare = sum(widths) + len(widths) + 1 - length
    for i in range(len(widths)):
        taken = round(spare / (len(widths) - i))
        widths[i] -= taken
        spare -= taken
    return widths


def _table(header: list[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    top, below, between, bottom = (
        left + middle.join(line * width for width in widths) + right for left, middle, right, line in _RULES
    )
    yield top
    yield from _cells(header, header, widths, "┃")
    for i, row in enumerate(rows):
        yield between if i else below
        yield from _cells(row, header, widths, "│")
    yield bottom


def _cells(row: Sequence[str], header: Sequence[str], widths: Sequence[int], bar: str) -> Iterator[str]:
    """The lines of a row: what is too wide goes on in the next line, and a word that is too wide is cut."""
    wrapped = [_wrapped(text, width - 2) for text, width in zip(row, widths, strict=True)]
    for i in range(max(map(len, wrapped))):
        cells = []
        for lines, name, width in zip(wrapped, header, widths, strict=True):
            side = {"Param #": ">", "Trainable": "^"}.get(name, "<")
            cells.append(f" {lines[i] if i < len(lines) else '':{side}{width - 2}} ")
        yield bar + bar.join(cells) + bar


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in re.findall(r"\s*\S+", text):
        if lines[-1] and len(lines[-1] + word) > width:
            lines.append(word.lstrip())
        else:
            lines[-1] += word
    return [line if len(line) <= width else line[: width - 1] + "…" for line in lines]
