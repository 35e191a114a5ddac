"""The whole op table on a GPU, when there is one: every case through the kernel that the CPU runs too."""

import pytest

from protocol.ops import OPS
from server.kernels import KERNELS
from tests.ops import case as case_module
from tests.ops.cases import ALL

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def device():
    pytest.importorskip("cupy", reason="needs CuPy and a GPU")
    from server.devices import open_devices

    return open_devices("gpu")[1]


@pytest.mark.parametrize("op", sorted(OPS))
def test_every_case_on_the_gpu(device, op):
    failed = []
    for case in (c for c in ALL if c.op == op):
        try:
            with device.scope:
                found = KERNELS[op](device.xp, *[device.xp.asarray(i) for i in case.inputs], **case.attrs)
            results = found if type(found) is tuple else (found,)
            results = tuple(device.host(device.xp.asarray(r)) for r in results)
            case_module.check(case, results)
        except Exception as error:
            failed.append(f"{case.name}: {type(error).__name__}: {error}")
    assert not failed, "\n".join(failed)
