"""Cases of `protocol/ops/elementwise.py`: one row an op."""

import numpy as np

from tests.ops.case import elementwise

CASES = [
    *elementwise("add", np.add),
    *elementwise("tanh", np.tanh),
]
