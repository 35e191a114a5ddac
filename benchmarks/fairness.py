"""What other people's sessions cost: small reads of one session beside three that never rest.

    python -m benchmarks.fairness                          # processes, as a service runs
    python -m benchmarks.fairness --isolation thread       # the embedded server's way, to compare

One session multiplies 2000x2000 matrices without end, one adds 4x4 matrices, one scatters into a large tensor, which
holds an interpreter's lock. Another reads the sum of two small ones; its p99 must stay under 10 times what it is with
the server to itself. Everything runs on this machine, the programs too: they take processor time as well.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np

from benchmarks import units
from tests.support import ROOT, ServerProcess, serving

LIMIT = 10.0

HEAVY = {
    "products": """
x = tf.random.normal([2000, 2000])
while True:
    x = tf.matmul(x, x) * 1e-3
    float(x[0, 0])
""",
    "adds": """
y = x = tf.random.normal([4, 4])
while True:
    for _ in range(1000):
        y = y + x
    y.numpy()
""",
    "scatters": """
index = tf.random.uniform([200_000, 1], maxval=1_000_000, dtype=tf.int32)
value = tf.ones([200_000])
x = tf.zeros([1_000_000])
while True:
    x = tf.tensor_scatter_nd_add(x, index, value)
    float(x[0])
""",
}

READER = """
import json, sys, time
import client as tf
x = tf.random.normal([4, 4])
seconds, samples = float(sys.argv[1]), []
(x + x).numpy()
end = time.perf_counter() + seconds
while time.perf_counter() < end:
    start = time.perf_counter()
    (x + x).numpy()
    samples.append(time.perf_counter() - start)
    time.sleep(0.002)
print(json.dumps(samples))
"""


def measure(server: ServerProcess, seconds: float) -> np.ndarray:
    """How long each small read of a session took."""
    import json

    command = [sys.executable, "-c", READER, str(seconds)]
    done = subprocess.run(command, env=_environment(server), capture_output=True, text=True, check=True)
    return np.array(json.loads(done.stdout))


def _environment(server: ServerProcess) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TELEGRAD_URL": server.url, "TELEGRAD_TOKEN": server.token}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say with the status whether the limit was kept."""
    parser = argparse.ArgumentParser("python -m benchmarks.fairness", description=__doc__.splitlines()[0])
    parser.add_argument("--isolation", choices=("process", "thread"), default="process")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to measure, each time")
    given = parser.parse_args(arguments)
    with serving("--isolation", given.isolation) as server:
        idle = measure(server, given.seconds)
        programs = [
            subprocess.Popen([sys.executable, "-c", "import client as tf\n" + source], env=_environment(server))
            for source in HEAVY.values()
        ]
        try:
            time.sleep(3.0)  # they are at it
            busy = measure(server, given.seconds)
            gone = [name for name, p in zip(HEAVY, programs, strict=True) if p.poll() is not None]
        finally:
            for program in programs:
                program.kill()
                program.wait()
    if gone:
        print(f"ended early: {', '.join(gone)}")
        return 1
    for name, samples in (("alone", idle), ("beside three", busy)):
        middle, late = np.percentile(samples, [50, 99])
        print(f"{name:13} p50 {units.duration(middle):>10}  p99 {units.duration(late):>10}  {len(samples)} reads")
    ratio = float(np.percentile(busy, 99) / np.percentile(idle, 99))
    print(f"p99 {ratio:.1f} times what it is alone; limit {LIMIT:g}: {'PASS' if ratio < LIMIT else 'FAIL'}")
    return 0 if ratio < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
