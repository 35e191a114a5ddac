"""What a program pays before its first op, in processes of their own.

Owns: `import_library`, `embedded_server`. One sample a turn.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

_IMPORT = """
import time, numpy
start = time.perf_counter()
import {library}
print(time.perf_counter() - start)
"""

_START = """
import time, {library}
start = time.perf_counter()
{library}.connect()
print(time.perf_counter() - start)
"""


def import_library(tf: Any, seconds: float) -> list[float]:
    """Seconds of `import` where NumPy is imported already."""
    return [_printed(_IMPORT.format(library=tf.__name__))]


def embedded_server(tf: Any, seconds: float) -> list[float]:
    """Seconds of a `connect()` that starts a server."""
    return [_printed(_START.format(library=tf.__name__))]


def _printed(source: str) -> float:
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return float(done.stdout)
