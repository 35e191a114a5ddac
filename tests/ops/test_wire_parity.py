"""Every case through a client, a real socket and a real server: the values, dtypes and shapes that the references say.

All cases of an op are issued before the first is read: they share batches and a round trip, as a program's ops do.
"""

import importlib
import pkgutil
import typing
from collections import defaultdict
from functools import partial

import numpy as np
import pytest

import client as tf
from client.convert import convert_to_tensor, materialize
from client.dispatch import execute
from protocol.attrs import Pairs
from protocol.ops import OPS
from protocol.spec import merge_shapes
from tests.ops import case as case_module
from tests.ops import cases
from tests.support import serving

FAMILIES = {
    m.name: importlib.import_module(f"{cases.__name__}.{m.name}").CASES for m in pkgutil.iter_modules(cases.__path__)
}
BY_OP = defaultdict(list)
for _case in cases.ALL:
    BY_OP[_case.op].append(_case)
TENSOR_ATTRS = {op: {a.name for a in OPS[op].attrs.values() if a.takes_tensor} for op in BY_OP}


@pytest.fixture(scope="module")
def server():
    with serving() as process:
        yield process


@pytest.fixture(scope="module")
def websocket(server):
    tf.connect(server.url, server.token, transport="websocket")
    yield
    tf.disconnect()


@pytest.fixture(scope="module")
def http(server):
    tf.connect(server.url, server.token, transport="http")
    yield
    tf.disconnect()


# --- how a case is issued --------------------------------------------------------------------------------------------


def operands_of(case, literal):
    """The inputs: variables where the op changes them, else tensors on the server; `literal`: in the item, if small."""
    for value, group in zip(case.inputs, OPS[case.op].input_groups(len(case.inputs)), strict=True):
        if group in ("variable", "overwritten"):
            yield tf.Variable(value)
            continue
        tensor = convert_to_tensor(np.array(value))
        if not literal:
            materialize(tensor)
        yield tensor


def attribute_tensor(case, name):
    """An attribute's value as a tensor on the server, int32 if that holds it."""
    value = np.array(case.attrs[name], np.int64)
    if not value.size and Pairs in typing.get_args(OPS[case.op].attrs[name].annotation):
        value = value.reshape(0, 2)
    narrow = value.astype(np.int32)
    tensor = convert_to_tensor(narrow if np.array_equal(narrow, value) else value)
    materialize(tensor)
    return tensor


class Issued:
    """A case under way: the tensors to read, and what was known of them at once."""

    def __init__(self, case, literal=False, tensor_attrs=False):
        operands = list(operands_of(case, literal))
        attrs = dict(case.attrs)
        if tensor_attrs:
            attrs |= {k: attribute_tensor(case, k) for k in tensor_attributes(case)}
        found = execute(OPS[case.op], operands, attrs)
        results = found if type(found) is tuple else (found,)
        self.case = case
        self.inferred = [t._spec for t in results]
        self.static = None if tensor_attrs else case.static
        self.tensors = [*results, *(v for v in operands if isinstance(v, tf.Variable))]

    def check(self, values):
        results, variables = values[: len(self.inferred)], values[len(self.inferred) :]
        assert self.static in (None, all(spec.is_static for spec in self.inferred)), f"inferred {self.inferred}"
        for result, spec in zip(results, self.inferred, strict=True):
            assert result.dtype == spec.dtype.numpy, f"dtype {result.dtype}, inferred {spec}"
            assert merge_shapes(spec.shape, result.shape) == result.shape
        case_module.check(self.case, results)
        for variable, result in zip(variables, results, strict=False):
            np.testing.assert_array_equal(variable, result)


def run(chosen, issue=Issued):
    """Issue all cases, read all in one wait, check each; the test fails with every case's name that is wrong."""
    issued, problems = [], []

    def attempt(case, function, *arguments):
        try:
            return function(*arguments)
        except Exception as error:
            problems.append(f"{case.name}: {type(error).__name__}: {error}")

    before = tf.stats()["waits"]
    for case in chosen:
        found = attempt(case, issue, case)
        if found is not None:
            issued.append(found)
    tensors = [t for one in issued for t in one.tensors]
    try:
        values = iter(tf.fetch(*tensors) if len(tensors) != 1 else [tf.fetch(*tensors)])
    except tf.errors.OpError as error:
        pytest.fail("\n".join([str(error), *getattr(error, "__notes__", ())]))
    assert tf.stats()["waits"] - before <= 1
    for one in issued:
        attempt(one.case, one.check, [np.asarray(next(values)) for _ in one.tensors])
    assert not problems, f"{len(problems)} of {len(chosen)} cases:\n" + "\n\n".join(problems)


def tensor_attributes(case):
    """The attributes of a case that are integers and may be a tensor."""
    if case.op == "split" and type(case.attrs["num_or_size_splits"]) is int:
        return []  # how many results there are must be known
    return [k for k in TENSOR_ATTRS[case.op] if k in case.attrs and is_integers(case.attrs[k])]


def is_integers(value):
    return all(map(is_integers, value)) if type(value) is tuple else type(value) is int


def first_of_each_op(chosen, count):
    seen = defaultdict(int)
    for case in chosen:
        seen[case.op] += 1
        if seen[case.op] <= count:
            yield case


# --- the tests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", sorted(BY_OP))
def test_every_case(websocket, op):
    run(BY_OP[op])


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_operands_inside_items(websocket, family):
    run(FAMILIES[family], partial(Issued, literal=True))


@pytest.mark.parametrize("op", sorted(op for op, names in TENSOR_ATTRS.items() if names))
def test_tensors_as_attributes(websocket, op):
    run([c for c in BY_OP[op] if tensor_attributes(c)], partial(Issued, tensor_attrs=True))


def test_nothing_is_left_behind(websocket):
    tf.sync()
    assert tf.stats()["server_tensors"] < 50


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_families_over_http(http, family):
    run(list(first_of_each_op(FAMILIES[family], 4)))
