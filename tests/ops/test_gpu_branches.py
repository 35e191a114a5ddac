"""Where a kernel has one way for NumPy and another for CuPy, the other is right too: run on NumPy by another name."""

import numpy as np
import pytest

from server.kernels import KERNELS
from tests.ops.case import check
from tests.ops.cases import reductions, segments, sorting


class Stranger:
    """An array module that is not NumPy, and does what NumPy does."""

    def __getattr__(self, name):
        return getattr(np, name)


@pytest.mark.parametrize("case", reductions.CASES + segments.CASES + sorting.CASES, ids=lambda c: c.name)
def test_without_numpys_own_ways(case):
    with np.errstate(all="ignore"):
        found = KERNELS[case.op](Stranger(), *case.inputs, **case.attrs)
    check(case, found if type(found) is tuple else (found,))


def test_ids_out_of_range_are_dropped_where_looking_would_wait():
    data, ids = np.arange(4.0), np.array([0, 5, -1, 1])
    found = KERNELS["unsorted_segment_sum"](Stranger(), data, ids, num_segments=2)
    assert found.tolist() == [0.0, 3.0]
