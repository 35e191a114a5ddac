"""Programs of TensorFlow's checkpoint semantics, by what they are about."""

from tests.peers.checkpoints import containers, deferred, files, manager, matching, state, status, training
from tests.peers.checkpoints.programs import PROGRAMS, outcome, run

__all__ = [
    "PROGRAMS",
    "containers",
    "deferred",
    "files",
    "manager",
    "matching",
    "outcome",
    "run",
    "state",
    "status",
    "training",
]
