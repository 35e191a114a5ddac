"""What an executor counts: every run by op, times that are estimated fairly, failures by code, and no foreign names."""

import numpy as np
import pytest

from protocol.dtypes import float32
from protocol.ops import lookup
from protocol.spec import Spec
from protocol.wire import Item
from server.devices import Device
from server.executor import Executor
from server.kernels import KERNELS
from server.plans import Bound

NOT_FOUND, INVALID = 5, 3
FLOAT32 = np.float32


def operand(*shape):
    return np.ones(shape, FLOAT32)


@pytest.fixture
def executor():
    found = Executor([Device("CPU:0")], 2**30, None, lambda item: None)  # type: ignore[arg-type]
    found.execute(((Item.BIND, 0, "add"), (Item.BIND, 1, "matmul"), (Item.BIND, 2, "no_such_op")))
    return found


def run(op, out, *operands):
    return (Item.RUN, op, out, operands)


def test_every_run_is_counted_by_name(executor):
    executor.execute(tuple(run(0, i, operand(2), operand(2)) for i in range(1, 101)))
    executor.execute((run(1, 101, operand(2, 2), operand(2, 2)), (Item.BIND, 7, "add"), run(7, 102, 101, 101)))
    found = executor.tally.totals()
    assert {name: count for name, (count, _) in found.items()} == {"add": 101, "matmul": 1}
    assert executor.tally.ops == 102
    assert all(nanoseconds > 0 for _, nanoseconds in found.values())


def test_ops_of_a_backward_pass_are_counted(executor):
    executor.execute(
        (
            (Item.CONST, 1, operand(2, 2)),
            (Item.TAPE, 2),
            (Item.RUN, 1, 3, (1, 1), None, None, (2,)),
            (Item.GRADIENT, 2, (3,), (1,), (4,)),
        )
    )
    counts = {name: count for name, (count, _) in executor.tally.totals().items()}
    assert counts["matmul"] == 3 and counts["ones_like"] == 1  # one forward, and two products with the gradient


def test_failures_are_counted_by_op_and_code(executor):
    executor.execute((run(1, 1, operand(2, 3), operand(2, 3)), run(0, 2, operand(2), operand(3)), run(0, 3, 2, 1)))
    assert executor.tally.failures == {("matmul", INVALID): 1, ("add", INVALID): 1}


def test_a_name_that_only_the_client_knows_is_not_told(executor):
    executor.execute((run(2, 1, operand(2)), run(2, 2, operand(2)), (Item.SET, "colour", True)))
    assert executor.tally.totals() == {}
    assert executor.tally.failures == {("unknown", NOT_FOUND): 2, ("set", NOT_FOUND): 1}


def test_changes_are_what_is_new(executor):
    executor.execute((run(0, 1, operand(2), operand(2)), run(1, 2, operand(2, 3), operand(2, 3))))
    merged, failures = executor.tally.changes()
    assert set(merged) == {"add", "matmul"} and failures == {("matmul", INVALID): 1}
    assert executor.tally.changes() == ({}, {})
    executor.execute((run(1, 3, operand(2, 2), operand(2, 2)),))
    new, failures = executor.tally.changes()
    assert set(new) == {"matmul"} and new["matmul"][0] == 2 and failures == {}
    assert merged | new == executor.tally.totals()


def bound(name="add"):
    return Bound(lookup(name), KERNELS[name])


@pytest.mark.parametrize("large_every", [0, 3])
def test_small_runs_that_are_not_timed_are_stood_for(large_every):
    add = bound()
    timed = 0
    expected = 0
    for i in range(1, 20_001):
        small = not (large_every and i % large_every == 0)
        add.count += 1
        expected += 1000 if small else 50_000
        if not small or add.count >= add.due:
            add.timed(1000 if small else 50_000, small)
            timed += small
    # Each timed run stands for those since the last timed one: only the last few are missing.
    assert expected - 31 * 1000 <= add.nanoseconds <= expected
    assert timed < 20_000 / 10


def test_the_first_run_is_timed():
    add = bound()
    add.count += 1
    assert add.count >= add.due


def test_what_is_small():
    few, many = Spec(float32, (32, 32)), Spec(float32, (33, 32))
    assert bound().plan_for((few, few), {})[2]
    assert not bound().plan_for((many, many), {})[2]
    assert not bound("reduce_sum").plan_for((many,), {})[2]  # a small result of a large operand
    assert not bound("unique").plan_for((Spec(float32, (4,)),), {})[2]  # of a size that its values say
