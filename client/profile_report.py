"""A profile as text and as HTML: its lines, its ops, its totals.

Owns: `text`, `html`, `Report`. Does not know where the figures come from.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from client.profiling import OpRecord, Profile, WaitRecord

_ROWS: Final = 20
_LONGEST: Final = 72
"""Characters of a line of source that are shown."""


class Report(str):
    """A text that an interactive prompt shows as it prints."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class _Table:
    """The first column is text, the others are numbers. `left` rows are not shown."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    left: int


def text(profile: Profile, rows: int) -> str:
    """The whole report, with at most `rows` rows a table."""
    parts = [" ".join(_summary(profile))]
    for table in _tables(profile, rows):
        parts.append("\n".join(_aligned(table)))
    return "\n\n".join([*parts, "\n".join(_totals(profile))])


def html(profile: Profile) -> str:
    """The same for Jupyter."""
    from html import escape

    parts = [f"<p>{escape(' '.join(_summary(profile)))}</p>"]
    for table in _tables(profile, _ROWS):
        head = "".join(f"<th>{escape(cell)}</th>" for cell in (table.title, *table.head))
        body = "".join(
            f'<tr><td style="text-align:left"><code>{escape(row[0])}</code></td>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
            + "</tr>"
            for row in table.rows
        )
        more = f"<p>and {table.left} more</p>" if table.left else ""
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}")
    parts.append(f"<p>{'<br>'.join(map(escape, _totals(profile)))}</p>")
    return f"<div>{''.join(parts)}</div>"


def _summary(profile: Profile) -> Iterable[str]:
    wall = profile.wall_ms
    yield f"{_ms(wall)} ms: waiting {_ms(profile.waiting_ms)} ms ({_part(profile.waiting_ms, wall)}),"
    yield f"client {_ms(profile.client_ms)} ms ({_part(profile.client_ms, wall)});"
    yield f"the server worked {_ms(profile.server_busy_ms)} ms ({_part(profile.server_busy_ms, wall)})."


def _tables(profile: Profile, rows: int) -> Iterable[_Table]:
    waits = profile.waits
    yield _Table(
        "lines that waited",
        ("times", "total ms", "mean ms", "longest ms"),
        [_wait_row(w) for w in waits[:rows]],
        len(waits[rows:]),
    )
    device = any(r.device_ms for r in profile.ops)
    for title, records in (("ops on the server", profile.ops), ("other work of the server", profile.items)):
        head = ("times", "in gradients", "total ms", "mean µs", "longest µs", *(("device ms",) if device else ()))
        yield _Table(title, head, [_op_row(r, device) for r in records[:rows]], len(records[rows:]))


def _wait_row(w: WaitRecord) -> tuple[str, ...]:
    where = f"{_short(w.file)}:{w.line}" if w.line else w.file
    source = w.source if len(w.source) <= _LONGEST else f"{w.source[: _LONGEST - 3]}..."
    kind = "" if w.kind == "wait" else " (held back by flow control)"
    return f"{where}  {source}{kind}", str(w.count), _ms(w.total_ms), _ms(w.mean_ms), _ms(w.longest_ms)


def _op_row(r: OpRecord, device: bool) -> tuple[str, ...]:
    figures = str(r.count), str(r.backward or ""), _ms(r.server_ms), _us(r.mean_ms), _us(r.longest_ms)
    return (r.name, *figures, *((_ms(r.device_ms),) if device else ()))


def _totals(profile: Profile) -> Iterable[str]:
    yield (
        f"{profile.ops_issued} ops issued, {_bytes(profile.bytes_sent)} sent in {profile.frames_sent} frames, "
        f"{_bytes(profile.bytes_received)} received"
    )
    yield f"held back by flow control {profile.stalls} times, {_ms(profile.stalled_ms)} ms"
    yield f"memory of the session's values at most {_bytes(profile.memory_peak_bytes)}"
    if profile.reconnects:
        yield f"connected again {profile.reconnects} times"
    yield from (f"a server's part is missing: {reason}" for reason in profile.missing)


def _aligned(table: _Table) -> Iterable[str]:
    if not table.rows:
        yield f"{table.title}: none"
        return
    cells: Sequence[tuple[str, ...]] = [(table.title, *table.head), *table.rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    for i, row in enumerate(cells):
        numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join([row[0].ljust(widths[0]), *numbers]).rstrip()
        if not i:
            yield "  ".join("-" * width for width in widths)
    if table.left:
        yield f"and {table.left} more"


def _short(file: str) -> str:
    """A path as seen from here, where that is shorter."""
    try:
        relative = os.path.relpath(file) if os.path.isabs(file) else file
    except ValueError:  # another drive
        return file
    return relative if not relative.startswith("..") else file


def _ms(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _us(ms: float) -> str:
    return f"{1e3 * ms:.0f}" if ms >= 0.1 else f"{1e3 * ms:.1f}"


def _part(value: float, whole: float) -> str:
    return f"{100 * value / whole:.0f} %" if whole else "-"


def _bytes(count: int) -> str:
    """`512 bytes`, `1.5 MB`."""
    value, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{count} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
