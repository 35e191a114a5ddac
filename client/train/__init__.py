"""The names of `tf.train`: checkpoints."""

from client.api import names_in, namespace
from client.train import checkpoint, manager, python_state, reader, state
from client.train.status import CheckpointLoadStatus, InitializationOnlyStatus

assert checkpoint and manager and python_state and reader and state

experimental = namespace("train.experimental")

globals().update(names_in("train"))
__all__ = [*sorted(names_in("train")), "experimental", "CheckpointLoadStatus", "InitializationOnlyStatus"]
