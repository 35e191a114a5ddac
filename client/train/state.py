"""The file `checkpoint` of a directory: which checkpoints are in it, and which is the latest.

Owns: `CheckpointState`, reading and writing it, `latest_checkpoint`. Does not know what a checkpoint holds. The file is
JSON; paths in it are relative to the directory, so that the directory can be moved.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any, Final

from client.api import public
from client.train.bundle import INDEX
from client.train.places import SERVER, place_of
from protocol.errors import NotFoundError

log: Final = logging.getLogger("telegrad.checkpoint")
_NAME: Final = "checkpoint"


@dataclass
class CheckpointState:
    """What `get_checkpoint_state` gives.

    Attributes:
        model_checkpoint_path: the latest checkpoint.
        all_model_checkpoint_paths: those that are kept, oldest first.
        all_model_checkpoint_timestamps: when each was written, in seconds since 1970.
        last_preserved_timestamp: when the last one that is kept for good was written.
    """

    model_checkpoint_path: str
    all_model_checkpoint_paths: list[str] = field(default_factory=list)
    all_model_checkpoint_timestamps: list[float] = field(default_factory=list)
    last_preserved_timestamp: float = 0.0


def split(path: str) -> tuple[str, str]:
    """The directory of a path and its last part; for `server://name`, `server://` and the name."""
    if path.startswith(SERVER):
        folder, _, name = path.removeprefix(SERVER).rpartition("/")
        return SERVER + folder, name
    return os.path.split(path)


def join(folder: str, name: str) -> str:
    """A path in a directory."""
    if folder.startswith(SERVER):
        return folder + ("" if folder.endswith("/") else "/") + name
    return os.path.join(folder, name)


def write_state(folder: str, state: CheckpointState) -> None:
    """Record what is in a directory."""

    def relative(path: str) -> str:
        return path.removeprefix(join(folder, "")) if folder else path

    place, name = place_of(join(folder, _NAME))
    content = {
        "model_checkpoint_path": relative(state.model_checkpoint_path),
        "all_model_checkpoint_paths": [relative(p) for p in state.all_model_checkpoint_paths],
        "all_model_checkpoint_timestamps": state.all_model_checkpoint_timestamps,
        "last_preserved_timestamp": state.last_preserved_timestamp,
    }
    place.write(name, json.dumps(content, indent=1).encode())


@public("train.get_checkpoint_state")
def get_checkpoint_state(checkpoint_dir: Any, latest_filename: str | None = None) -> CheckpointState | None:
    """What the file `checkpoint` in a directory says, None when there is none or it makes no sense.

    Args:
        checkpoint_dir: the directory, `server://...` for one of the server's.
        latest_filename: another name of that file.

    >>> import client as tf
    >>> tf.train.get_checkpoint_state("no/such/directory")
    """
    folder = os.fspath(checkpoint_dir)
    place, name = place_of(join(folder, latest_filename or _NAME))
    try:
        said = json.loads(place.read(name))
        paths = [join(folder, str(p)) for p in said["all_model_checkpoint_paths"]]
        times = [float(t) for t in said["all_model_checkpoint_timestamps"]]
        latest = join(folder, str(said["model_checkpoint_path"]))
        return CheckpointState(latest, paths, times, float(said["last_preserved_timestamp"]))
    except NotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        log.warning("%s makes no sense and is ignored: %s", name, error)
        return None


@public("train.latest_checkpoint")
def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The path of the latest checkpoint in a directory, for `Checkpoint.restore`; None when there is none.

    Args:
        checkpoint_dir: the directory, `server://...` for one of the server's.
        latest_filename: another name of the file that says which it is.

    >>> import tempfile
    >>> import client as tf
    >>> folder = tempfile.mkdtemp()
    >>> path = tf.train.Checkpoint(x=tf.Variable(1.0)).save(folder + "/ckpt")
    >>> tf.train.latest_checkpoint(folder) == path == folder + "/ckpt-1"
    True
    """
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None:
        return None
    if checkpoint_exists(state.model_checkpoint_path):
        return state.model_checkpoint_path
    log.error("Couldn't match files for checkpoint %s", state.model_checkpoint_path)
    return None


def checkpoint_exists(path: str) -> bool:
    """Whether there is a checkpoint at a path."""
    place, name = place_of(path)
    return place.exists(name + INDEX)


@public("train.checkpoints_iterator")
def checkpoints_iterator(
    checkpoint_dir: Any, min_interval_secs: float = 0, timeout: float | None = None, timeout_fn: Any = None
) -> Iterator[str]:
    """Each new latest checkpoint of a directory, as it comes: for a program that evaluates what another one trains.

    Args:
        checkpoint_dir: the directory.
        min_interval_secs: seconds between two of them, at least.
        timeout: seconds to wait for a new one; None: forever.
        timeout_fn: called when none came in time; the iteration ends if it gives True. None: it ends.
    """
    known: str | None = None
    while True:
        begun = monotonic()
        found = latest_checkpoint(checkpoint_dir)
        while found is None or found == known:
            if timeout is not None and monotonic() - begun > timeout:
                if not timeout_fn or timeout_fn():
                    return
                begun = monotonic()
            sleep(1.0 if timeout is None else min(1.0, max(timeout / 10, 0.01)))
            found = latest_checkpoint(checkpoint_dir)
        known, start = found, monotonic()
        yield found
        sleep(max(0.0, min_interval_secs - (monotonic() - start)))


def record_latest(path: str) -> None:
    """Say that a checkpoint is the latest of its directory, and the only one known there."""
    write_state(split(path)[0], CheckpointState(path, [path], [], 0.0))


def known_times(state: CheckpointState) -> Sequence[float]:
    """When each checkpoint was written; the last preserved one's time where that is not known."""
    paths, times = state.all_model_checkpoint_paths, state.all_model_checkpoint_timestamps
    return times if len(times) == len(paths) else [state.last_preserved_timestamp] * len(paths)
