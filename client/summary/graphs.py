"""The names of `tf.summary` that have no meaning where nothing is traced. They say so."""

from __future__ import annotations

from typing import Any, NoReturn

from client.api import public


@public("summary.graph")
def graph(graph_data: Any) -> NoReturn:
    """Raise NotImplementedError: programs run eagerly and have no graph."""
    raise NotImplementedError("tf.summary.graph: there is no graph to write, programs run eagerly")


@public("summary.trace_on")
def trace_on(graph: bool = True, profiler: bool = False, profiler_outdir: str | None = None) -> NoReturn:
    """Raise NotImplementedError: there are no graphs, and TensorFlow's profiler is not here. See `tf.profile`."""
    raise NotImplementedError(
        "tf.summary.trace_on: programs run eagerly, there is no graph to trace; tf.profile() shows where time goes"
    )


@public("summary.trace_export")
def trace_export(name: str, step: Any = None, profiler_outdir: str | None = None) -> NoReturn:
    """Raise ValueError, as in TensorFlow where no trace is on."""
    raise ValueError("Must enable trace before export through tf.summary.trace_on.")


@public("summary.trace_off")
def trace_off() -> None:
    """Nothing: no trace is on."""
