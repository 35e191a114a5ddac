"""What Jupyter shows of values and histories: small HTML tables.

Owns: `table`, which escapes all that is in it; `operand_html`, `operand_bundle`, `history_html`. What plain text shows
as well or better (scalars, values of more than two axes) has no HTML. Does not know models.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from client import format as formatting

if TYPE_CHECKING:
    from client.tensor import Operand

_ENDS: Final = 5
"""Entries at both ends of an axis that is longer than twice as many."""
_DOTS: Final = "…"
_STYLE: Final = ' style="caption-side: top; text-align: left"'


def operand_html(operand: Operand) -> str | None:
    """A tensor or a variable as a table, after one wait; None where plain text does."""
    return operand_bundle(operand).get("text/html")


def operand_bundle(operand: Operand) -> dict[str, str]:
    """All that Jupyter may show of a tensor or a variable, by MIME type, from one read. Raises tf.errors.OpError."""
    from client.reading import read_edges

    if operand._session is not None and operand._session.symbolic:
        return {"text/plain": repr(operand)}
    items = max(_ENDS, formatting.edge_items())
    value, shape = read_edges([operand], items, formatting.summary_threshold())[0]
    bundle = {"text/plain": operand._described(formatting.text(value, shape, True))}
    if value.size and len(shape) in (1, 2):
        bundle["text/html"] = _value(_caption(operand, shape), value, shape)
    return bundle


def _caption(operand: Operand, shape: tuple[int, ...]) -> str:
    name = getattr(operand, "_handle_name", None)
    what = "tf.Tensor" if name is None else f"tf.Variable {name!r}"
    device = str(operand.device).rpartition("device:")[2]
    return f"{what}: shape {shape}, {operand.dtype.name}, on {device}"


def _value(caption: str, value: np.ndarray[Any, Any], shape: tuple[int, ...]) -> str:
    if len(shape) == 1:
        return table(caption, _labels(shape[0]), [_ends([_number(v) for v in _picked(value)], shape[0])])
    rows = [_ends([_number(v) for v in _picked(row)], shape[1]) for row in _picked(value)]
    lines = _ends(rows, shape[0], [_DOTS] * len(_labels(shape[1])))
    labelled = [[label, *line] for label, line in zip(_labels(shape[0]), lines, strict=True)]
    return table(caption, ["", *_labels(shape[1])], labelled, labelled=True)


def _picked(values: Any) -> Any:
    """The entries of an axis that are shown, of the value or of its edges."""
    return values if len(values) <= 2 * _ENDS else [*values[:_ENDS], *values[len(values) - _ENDS :]]


def _ends(shown: Sequence[Any], size: int, dots: Any = _DOTS) -> list[Any]:
    """The entries shown of an axis of `size`, with dots where some are left out."""
    return list(shown) if size <= 2 * _ENDS else [*shown[:_ENDS], dots, *shown[_ENDS:]]


def _labels(size: int) -> list[str]:
    return _ends([str(i) for i in _picked(range(size))], size)


def _number(value: Any) -> str:
    if isinstance(value, np.bool_ | np.integer):
        return str(value)
    return f"{complex(value) if isinstance(value, np.complexfloating) else float(value):.6g}"


def table(
    caption: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    notes: Sequence[str] = (),
    *,
    labelled: bool = False,
) -> str:
    """An HTML table of texts, which are escaped; with `labelled`, each row's first cell is its header."""
    parts = [f"<table><caption{_STYLE}>{html.escape(caption)}</caption>", _row("th", header)]
    for row in rows:
        first = [_cell("th", row[0])] if labelled else []
        parts.append("<tr>" + "".join([*first, *(_cell("td", text) for text in row[len(first) :])]) + "</tr>")
    parts.append("</table>")
    return "".join([*parts, *(f"<div>{html.escape(note)}</div>" for note in notes)])


def _row(tag: str, texts: Iterable[str]) -> str:
    return "<tr>" + "".join(_cell(tag, text) for text in texts) + "</tr>"


def _cell(tag: str, text: str) -> str:
    return f"<{tag}>{html.escape(text)}</{tag}>"


def history_html(history: Any) -> str | None:
    """The values of each epoch, of many only the first and the last; None where there are none.

    What has no value for each epoch, as with `validation_freq`, is left to a line below: which epochs it has them for
    is not known.
    """
    epochs = history.epoch
    columns = {name: values for name, values in history.history.items() if len(values) == len(epochs)}
    if not epochs or not history.history:
        return None
    rows = [[str(e), *map(_figure, found)] for e, *found in zip(epochs, *columns.values(), strict=True)]
    lines = _ends(_picked(rows), len(rows), [_DOTS] * (1 + len(columns)))
    others = {name: values for name, values in history.history.items() if name not in columns}
    notes = [f"{name}: {', '.join(_ends([_figure(v) for v in _picked(vs)], len(vs)))}" for name, vs in others.items()]
    return table(f"{len(epochs)} epochs", ["epoch", *columns], lines, notes, labelled=True)


def _figure(value: Any) -> str:
    try:
        return f"{float(value):.4g}"
    except (TypeError, ValueError):
        return str(value)
