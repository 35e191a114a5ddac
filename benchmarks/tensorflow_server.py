"""`python -m benchmarks.tensorflow_server`: a TensorFlow worker for remote eager execution, until standard input ends.

Prints one JSON object: its address.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no answer
    import tensorflow as tf

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    server = tf.distribute.Server(
        tf.train.ClusterSpec({"worker": [address]}), job_name="worker", task_index=0, protocol="grpc"
    )
    print(json.dumps({"address": address}), file=answers, flush=True)
    sys.stdin.read()
    del server
    os._exit(0)  # TensorFlow's servers do not stop


if __name__ == "__main__":
    main()
