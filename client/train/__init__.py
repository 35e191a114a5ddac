"""The names of `tf.train`: checkpoints."""

from client.api import names_in
from client.train import checkpoint, manager, reader, state
from client.train.status import CheckpointLoadStatus, InitializationOnlyStatus

assert checkpoint and manager and reader and state

globals().update(names_in("train"))
__all__ = [*sorted(names_in("train")), "CheckpointLoadStatus", "InitializationOnlyStatus"]
