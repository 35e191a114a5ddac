"""Every op's gradient against differences, to second order, and the same bits from server and client."""

import numpy as np
import pytest

import client as tf
from protocol import dtypes
from protocol.gradients import GRADIENTS
from protocol.ops import OPS
from protocol.spec import Spec
from tests.gradients.numeric import Problem, gradient_cases, slope
from tests.ops.cases import ALL

CASES = [c for c in gradient_cases(ALL) if GRADIENTS[c.op].rules]
# The value that a gamma's parameter moves is not the one that rejection takes for it: see test_special_points.
INDIRECT = {"random_gamma"}
# Their gradients use ops whose own gradient is, as in TensorFlow, a LookupError.
LAST = {"igamma", "igammac"}
by_name = pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)


def test_every_op_declares_its_gradient():
    assert set(GRADIENTS) == set(OPS)


def test_every_op_with_rules_has_a_case():
    assert {name for name, g in GRADIENTS.items() if g.rules} == {c.op for c in CASES} | INDIRECT


def close(analytic, numeric, scale):
    np.testing.assert_allclose(analytic, numeric, rtol=2e-6, atol=2e-6 * max(1.0, float(scale)))


@by_name
def test_first_order(case):
    problem = Problem(case)
    gradients = problem.gradients(problem.tensors())
    specs = tuple(Spec(dtypes.as_dtype(v.dtype), v.shape) for v in problem.inputs)
    positions = GRADIENTS[case.op].positions(specs)
    for i, g in zip(problem.where, gradients, strict=True):
        assert g is None or (g.shape == problem.inputs[i].shape and g.dtype == problem.inputs[i].dtype)
        assert (g is None) == (i not in positions)
    if problem.empty:
        return
    direction = problem.direction(gradients)
    numeric = slope(lambda step: problem.value(problem.tensors(direction, step)))
    value = problem.value(problem.tensors())
    close(*tf.fetch(problem.along(gradients, direction), numeric, tf.abs(value)))


@by_name
def test_second_order(case):
    if case.op in LAST:
        pytest.skip("its gradient has none")
    problem = Problem(case)
    tensors = problem.tensors()
    sources = [tensors[i] for i in problem.where]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        gradients = problem.gradients(tensors)
        first = problem.direction(gradients)
        along = problem.along(gradients, first)
    second = tape.gradient(along, sources, unconnected_gradients="zero")
    if problem.empty:
        return
    direction = problem.direction(gradients)
    numeric = slope(lambda step: problem.along(problem.gradients(problem.tensors(direction, step)), first))
    close(*tf.fetch(problem.along([tf.convert_to_tensor(s) for s in second], direction), numeric, tf.abs(along)))


@by_name
def test_server_and_client_give_the_same_bits(case):
    problem = Problem(case)
    tensors = problem.tensors()
    there = problem.gradients(tensors)
    with tf.GradientTape():  # while a tape is open, gradients are ordinary ops
        here = problem.gradients(tensors)
    pairs = [(a, b) for a, b in zip(there, here, strict=True) if a is not None or b is not None]
    for a, b in pairs:
        one, other = tf.fetch(a, b)
        assert one.dtype == other.dtype and one.tobytes() == other.tobytes()
