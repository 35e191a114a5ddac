"""Every case through a client, a real socket and a real server: the same values, dtypes and shapes as the references'.

All cases of an op are issued before the first is read, so that they share batches and round trips as a program's ops do.
"""

from collections import defaultdict

import numpy as np
import pytest

import client as tf
from client.convert import convert_to_tensor, materialize
from client.dispatch import execute
from protocol.ops import OPS
from protocol.spec import merge_shapes
from tests.ops import case as case_module
from tests.ops.cases import ALL
from tests.support import serving

CASES = defaultdict(list)
for _case in ALL:
    CASES[_case.op].append(_case)

MODULES = defaultdict(list)
for _name in CASES:
    MODULES[OPS[_name].infer_module if hasattr(OPS[_name], "infer_module") else _name].append(_name)


@pytest.fixture(scope="module")
def server():
    with serving() as process:
        yield process


@pytest.fixture(scope="module", params=["websocket"])
def connected(server, request):
    tf.connect(server.url, server.token, transport=request.param)
    yield
    tf.disconnect()


def operands_of(case, literal):
    """The inputs as tensors on the server (or, where `literal`, inside the item if they are small) and variables."""
    groups = OPS[case.op].input_groups(len(case.inputs))
    for value, group in zip(case.inputs, groups, strict=True):
        if group in ("variable", "overwritten"):
            yield tf.Variable(value)
            continue
        tensor = convert_to_tensor(np.array(value))
        if not literal:
            materialize(tensor)
        yield tensor


def issue(case, literal):
    """The results' tensors, and the specs known before any is there."""
    operands = list(operands_of(case, literal))
    found = execute(OPS[case.op], operands, case.attrs)
    results = found if type(found) is tuple else (found,)
    changed = [v for v in operands if isinstance(v, tf.Variable)]
    return [*results, *changed], [t._spec for t in results], len(results)


def problem(case, values, inferred, count):
    """What is wrong with a case's values, or None."""
    results, changed = values[:count], values[count:]
    try:
        for result, spec in zip(results, inferred, strict=True):
            assert result.dtype == spec.dtype.numpy, f"dtype {result.dtype}, inferred {spec}"
            assert merge_shapes(spec.shape, result.shape) == result.shape
            assert spec.is_static is case.static, f"inferred {spec}"
        case_module.check(case, results)
        for variable, result in zip(changed, results, strict=False):
            np.testing.assert_array_equal(variable, result)
    except (AssertionError, ValueError) as error:
        return f"{case.name}: {error}"
    return None


def run(cases, literal=False):
    """Issue all, read all in one round trip, check each."""
    issued, problems = [], []
    for case in cases:
        try:
            issued.append((case, *issue(case, literal)))
        except Exception as error:
            problems.append(f"{case.name}: {type(error).__name__}: {error}")
    waits = tf.stats()["waits"]
    try:
        values = iter(np.atleast_1d(np.array(0)) for _ in ())
        tensors = [t for _, found, _, _ in issued for t in found]
        read = tf.fetch(*tensors)
        values = iter(read if len(tensors) > 1 else [read])
    except tf.errors.OpError as error:
        pytest.fail(f"{error}\n" + "\n".join(getattr(error, "__notes__", ())))
    assert tf.stats()["waits"] - waits <= 1
    for case, found, inferred, count in issued:
        trouble = problem(case, [np.asarray(next(values)) for _ in found], inferred, count)
        if trouble:
            problems.append(trouble)
    assert not problems, f"{len(problems)} of {len(cases)} cases:\n" + "\n\n".join(problems)


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_case(connected, name):
    run(CASES[name])
