"""The names of `tf.summary`: values of a running program for TensorBoard, in event files on the client's disk.

Nothing here waits for the server but `flush` and `close`: a remote value is asked for in the stream and written, in the
order of issue, by a thread of the writer's (`client.summary.log`). The `tensorboard` package is imported when the first
writer is made, and known to `client.summary.events` alone.
"""

from __future__ import annotations

from client.api import names_in, namespace
from client.summary import graphs, media, state, values, writers

assert graphs and media and state and values and writers

experimental = namespace("summary.experimental")

globals().update(names_in("summary"))
