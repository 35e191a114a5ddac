"""Cases of the ops for summaries. Ordinary values go by `numpy.histogram`, whose buckets are the same where no element
lies on an edge; the others' buckets are what TensorFlow 2.21's `tf.summary.histogram` wrote.
"""

from typing import Any

import numpy as np

from protocol.ops import lookup
from tests.ops.case import Case, array, case, layouts

INF, NAN = np.inf, np.nan


def _counted(data: np.ndarray, buckets: int = 30) -> np.ndarray:
    counts, edges = np.histogram(data.real.astype(np.float64), buckets)
    return np.stack([edges[:-1], edges[1:], counts], 1)


def ordinary(label: str, data: Any, **attrs: Any) -> Case:
    return case("histogram_buckets", data, ref=_counted, label=label, gradient=False, **attrs)


def recorded(label: str, data: Any, rows: Any, **attrs: Any) -> Case:
    def ref(*_: Any, **__: Any) -> np.ndarray:
        return np.array(rows, np.float64).reshape(-1, 3)

    return case("histogram_buckets", np.asarray(data), ref=ref, label=label, gradient=False, **attrs)


CASES = [
    *(
        ordinary(t.name, array(3, 50, dtype=t, low=-20, high=20, seed="histogram"), buckets=7)
        for t in lookup("histogram_buckets").types
        if not t.is_bool
    ),
    ordinary("default", array(1000, seed="histogram")),
    ordinary("strided", layouts(array(30, 40, seed="histogram"))),
    ordinary("one-bucket", array(100), buckets=1),
    ordinary("parts", array(2**20 + 5, dtype="int8", low=-20, high=20, seed="parts"), buckets=7),
    recorded("bool", [True, False, True], [[0.0, 0.5, 1], [0.5, 1.0, 2]], buckets=2),
    recorded("on-edges", [0.0, 1, 2, 3, 4], [[0, 1, 1], [1, 2, 1], [2, 3, 1], [3, 4, 2]], buckets=4),
    recorded("none", [1.0, 2.0], [], buckets=0),
    recorded("below-none", [1.0, 2.0], [], buckets=-3),
    recorded("empty", np.zeros([3, 0], np.float32), [[0, 0, 0], [0, 0, 0]], buckets=2),
    recorded("scalar", np.float32(2.5), [[2.5, 2.5, 0], [2.5, 2.5, 1]], buckets=2),
    recorded("one-value", np.full([5], 2.5, np.float32), [[2.5, 2.5, 0]] * 2 + [[2.5, 2.5, 5]], buckets=3),
    recorded("nan", [1.0, NAN, 3.0], [[NAN, NAN, 0], [NAN, NAN, 0]], buckets=2),
    recorded("infinite", [1.0, INF, 3.0], [[1, INF, 2], [INF, INF, 0], [INF, INF, 0]], buckets=3),
    recorded("both-infinite", [1.0, -INF, 3.0, INF], [[-INF, NAN, 0], [NAN, NAN, 0], [NAN, INF, 0]], buckets=3),
    recorded("all-infinite", [INF, INF], [[INF, NAN, 0], [NAN, NAN, 0], [NAN, INF, 0]], buckets=3),
    recorded("overflow", [1e308, -1e308, 0.0], [[-1e308, INF, 2], [INF, INF, 0], [INF, 1e308, 0]], buckets=3),
]  # fmt: skip
