"""A GPU's times in a profile, with a stand-in for CUDA whose stream runs behind the host, one millisecond an op."""

import contextlib
import types

import numpy as np
import pytest

from protocol.wire import Item
from server.device_times import DeviceTimes
from server.devices import Device
from server.executor import Executor


class Cuda:
    """Events in a stream: each `record` is reached a millisecond of the device after the one before."""

    def __init__(self):
        self.recorded = 0  # by the host
        self.reached = 0  # by the device
        self.made = 0
        cuda = self

        class Event:
            def __init__(self):
                cuda.made += 1

            def record(self):
                cuda.recorded += 1
                self.time = cuda.recorded

            @property
            def done(self):
                return self.time <= cuda.reached

            def synchronize(self):
                cuda.reached = max(cuda.reached, self.time)

        self.Event = Event

    @staticmethod
    def get_elapsed_time(first, second):
        return float(second.time - first.time)


class Module(types.ModuleType):
    """NumPy in CuPy's place."""

    def __init__(self, cuda):
        super().__init__("cupy")
        self.cuda = cuda

    def __getattr__(self, name):
        return getattr(np, name)


class Gpu(Device):
    def __init__(self, cuda):
        super().__init__("GPU:0")
        self.xp = Module(cuda)
        self.scope = contextlib.nullcontext()


@pytest.fixture
def cuda():
    return Cuda()


def test_ops_get_the_time_of_the_device_when_the_profile_is_asked_for(cuda):
    replies = []
    executor = Executor([Device("CPU:0"), Gpu(cuda)], 2**20, None, replies.append)
    one = np.float32(1.0)[None]
    executor.execute(((Item.BIND, 0, "add"), (Item.SET, "profile", (1,))))
    executor.execute(tuple((Item.RUN, 0, i, (one, one)) for i in range(1, 6)))
    assert cuda.reached == 1  # it waited for the device once, to set the clocks
    executor.execute(((Item.SET, "profile", ()), (Item.RECORDS, 9, 1, 100)))
    (report,) = [reply[2] for reply in replies]
    ((kind, name, count, _, _, device),) = report["totals"]
    assert (kind, name, count, device) == ("op", "add", 5, 5_000_000)
    lanes = report["spans"][report["spans"][:, 1] == 1]
    assert lanes[:, 3].tolist() == [1_000_000] * 5 and np.diff(lanes[:, 2]).tolist() == [2_000_000] * 4
    assert lanes[:, 4].tolist() == [3, 4, 5, 6, 7]


def test_a_device_far_behind_costs_no_more_memory_and_no_wait(cuda):
    times = DeviceTimes(Gpu(cuda))
    noted = []
    for _ in range(10_000):
        begun = times.begin()
        if begun is not None:
            times.end(begun, lambda *span: noted.append(span))
    assert not noted and cuda.made == 1 + 2 * 4096
    times.settle(wait=True)
    assert len(noted) == 4096
    assert times.begin() is not None and cuda.made == 1 + 2 * 4096  # events are used again


def test_numeric_checks_look_at_a_devices_values(cuda):
    replies = []
    executor = Executor([Device("CPU:0"), Gpu(cuda)], 2**20, None, replies.append)
    executor.execute(((Item.BIND, 0, "log"), (Item.SET, "check_numerics", True)))
    with np.errstate(all="ignore"):  # as the host's thread has it
        executor.execute(((Item.CONST, 1, np.array([0.0, 1.0], np.float32)), (Item.RUN, 0, 2, (1,))))
    ((kind, _, code, message, op),) = replies
    assert (kind, code, op) == (Item.FAILED, 3, "log") and "# of -Inf elements: 1" in message
    assert "Input tensor: tf.Tensor([0. 1.], shape=(2,), dtype=float32)" in message
