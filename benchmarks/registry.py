"""What is measured, of whom, and what must hold: one entry a measurement.

Owns: `MEASUREMENTS` and the words they are made of. Does not know how anything is run or printed. A measurement is a
program in `benchmarks/work`, written once for every library that can run it, and the budgets that its medians must
keep. Everything is kept as seconds, so that less is always better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from benchmarks import units


class System(StrEnum):
    """Who runs a program. The values are the names in the tables."""

    OURS = "ours"
    RAW = "raw"
    RAW_FILE = "raw, to a file"
    NUMPY = "NumPy"
    NUMPY_DENORMALS = "NumPy, denormals kept"
    TF_LOCAL = "TF local"
    TF_REMOTE = "TF remote"


PEERS: Final = frozenset((System.NUMPY_DENORMALS, System.TF_LOCAL, System.TF_REMOTE))
"""Measured only where asked for."""


class Path(StrEnum):
    """What lies between a program and its server."""

    DIRECT = "direct"
    PROXY = "proxy"
    DELAY = "delay"


@dataclass(frozen=True)
class Contender:
    """A system behind a path."""

    system: System
    path: Path = Path.DIRECT


OURS: Final = Contender(System.OURS)


@dataclass(frozen=True)
class Budget:
    """`ours` may take at most `factor` times what `against` takes, and `plus` seconds, and what `adding` takes; without
    `against`, `plus` alone.
    """

    text: str
    against: Contender | None = None
    factor: float = 1.0
    plus: float = 0.0
    ours: Contender = OURS
    adding: Contender | None = None


@dataclass(frozen=True)
class Measurement:
    """One line of the table.

    programs: which systems take part, and what each runs: `module:function` in `benchmarks/work`.
    show: the text for a number of seconds. networked: whether it is worth measuring through a proxy too.
    rounds: how often each contender has its turn. warm: whether a first, uncounted turn comes before.
    needs_embedded: left out when the server is somebody else's.
    """

    name: str
    title: str
    programs: Mapping[System, str]
    show: Callable[[float], str] = units.duration
    budgets: tuple[Budget, ...] = ()
    networked: bool = True
    rounds: int = 5
    warm: bool = True
    needs_embedded: bool = False


def everyone(program: str, **others: str) -> dict[System, str]:
    """`program` for ours and TensorFlow, and `others` by the system's constant."""
    shared = dict.fromkeys((System.OURS, System.TF_LOCAL, System.TF_REMOTE), program)
    return {**shared, **{System[name]: other for name, other in others.items()}}


_RAW: Final = Contender(System.RAW)
_TF_LOCAL: Final = Contender(System.TF_LOCAL)
_TF_REMOTE: Final = Contender(System.TF_REMOTE)
_BEHIND_PROXY: Final = Contender(System.OURS, Path.PROXY)
_DELAYED: Final = Contender(System.OURS, Path.DELAY)
_DELAYED_RAW: Final = Contender(System.RAW, Path.DELAY)

MEASUREMENTS: Final = (
    Measurement(
        "chained_add",
        "chained add 4x4, one read at the end",
        everyone("small_ops:chained_add"),
        show=units.per_op,
        budgets=(
            Budget("below TF local", _TF_LOCAL),
            Budget("delayed: 0.9 of the rate at 0 ms", _BEHIND_PROXY, 1 / 0.9, ours=_DELAYED),
        ),
    ),
    Measurement(
        "profiled_add",
        "chained add 4x4 within tf.profile()",
        {System.OURS: "small_ops:profiled_add"},
        show=units.per_op,
        networked=False,
    ),
    Measurement(
        "checked_add",
        "chained add 4x4, numerics checked",
        {System.OURS: "small_ops:checked_add", System.TF_LOCAL: "small_ops:checked_add"},
        show=units.per_op,
        networked=False,
    ),
    Measurement(
        "add_read",
        "add + read (raw: WebSocket echo)",
        everyone("small_ops:add_read", RAW="raw:echo"),
        budgets=(
            Budget("0.25 x TF remote", _TF_REMOTE, 0.25),
            Budget("delayed: raw echo + 2 ms", _DELAYED_RAW, plus=2e-3, ours=_DELAYED),
        ),
    ),
    Measurement(
        "tape_step",
        "tape, w*w, sum, gradient, assign_sub",
        everyone("training:tape_step"),
        budgets=(
            Budget("below TF local", _TF_LOCAL),
            Budget("delayed: 0.9 of the rate at 0 ms", _BEHIND_PROXY, 1 / 0.9, ours=_DELAYED),
        ),
    ),
    Measurement(
        "linear_step",
        "linear regression step",
        everyone("training:linear_step"),
        budgets=(
            Budget("below TF local", _TF_LOCAL),
            Budget("delayed: 0.9 of the rate at 0 ms", _BEHIND_PROXY, 1 / 0.9, ours=_DELAYED),
        ),
    ),
    Measurement(
        "convnet_step",
        "convnet step, loss read (raw: WebSocket echo)",
        everyone("training:convnet_step", RAW="raw:echo"),
        budgets=(
            Budget("below TF local", _TF_LOCAL),
            Budget("delayed: one raw echo more", _BEHIND_PROXY, ours=_DELAYED, adding=_DELAYED_RAW),
        ),
    ),
    Measurement(
        "convnet_unread",
        "convnet step, loss not read",
        everyone("training:convnet_step_unread"),
        budgets=(
            Budget("below TF local", _TF_LOCAL),
            Budget("delayed: nothing more", _BEHIND_PROXY, 1 / 0.95, ours=_DELAYED),
        ),
    ),
    Measurement(
        "fit",
        "fit, fed from the host, a step",
        {System.OURS: "training:fit_fed", System.TF_LOCAL: "training:fit_fed"},
        budgets=(Budget("delayed: 0.9 of the rate at 0 ms", _BEHIND_PROXY, 1 / 0.9, ours=_DELAYED),),
    ),
    Measurement(
        "upload",
        "upload 64 MB",
        everyone("transfer:upload", RAW="raw:upload"),
        show=units.throughput(2**26),
        budgets=(Budget("0.5 x raw", _RAW, 1 / 0.5),),
    ),
    Measurement(
        "download",
        "download 64 MB",
        everyone("transfer:download", RAW="raw:download"),
        show=units.throughput(2**26),
        budgets=(Budget("0.7 x raw", _RAW, 1 / 0.7),),
    ),
    Measurement(
        "save",
        "checkpoint of 1 GB, saved",
        everyone("checkpoints:save", RAW="checkpoints:raw_download", RAW_FILE="checkpoints:raw_save"),
        show=units.throughput(2**30),
        # A new file's pages can cost more than all else does: what a bare socket into such a file takes is the measure.
        budgets=(Budget("0.7 x raw, to a file", Contender(System.RAW_FILE), 1 / 0.7),),
        networked=False,
    ),
    Measurement(
        "restore",
        "checkpoint of 1 GB, restored",
        everyone("checkpoints:restore", RAW="checkpoints:raw_upload"),
        show=units.throughput(2**30),
        budgets=(Budget("0.5 x raw", _RAW, 1 / 0.5),),
        networked=False,
    ),
    Measurement(
        "matmul",
        "200 products of a shrinking 1000x1000 matrix",
        {
            System.OURS: "products:shrinking",
            System.NUMPY: "products:shrinking_numpy",
            System.NUMPY_DENORMALS: "products:shrinking_numpy",
            System.TF_LOCAL: "products:shrinking",
        },
        networked=False,
        rounds=3,
        warm=False,
    ),
    Measurement(
        "import",
        "import, beyond import numpy",
        {System.OURS: "startup:import_library", System.TF_LOCAL: "startup:import_library"},
        budgets=(Budget("0.3 s", plus=0.3),),
        networked=False,
        rounds=7,
    ),
    Measurement(
        "embedded_start",
        "start of an embedded server",
        {System.OURS: "startup:embedded_server"},
        networked=False,
        needs_embedded=True,
    ),
)
