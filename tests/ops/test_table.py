"""Ops, kernels and cases are the same set, and every case's forward result and inference are right."""

import numpy as np
import pytest

from protocol import dtypes
from protocol.ops import OPS, lookup
from protocol.spec import Spec
from server.kernels import KERNELS
from tests.ops import case as case_module
from tests.ops.case import Case
from tests.ops.cases import ALL

by_name = pytest.mark.parametrize("case", ALL, ids=lambda c: c.name)


def spec_of(value: np.ndarray) -> Spec:
    return Spec(dtypes.as_dtype(value.dtype), value.shape)


def as_tuple(value):
    return value if type(value) is tuple else (value,)


def test_every_op_has_a_kernel_and_a_case():
    cased = {c.op for c in ALL}
    assert set(OPS) == set(KERNELS), set(OPS) ^ set(KERNELS)
    assert set(OPS) == cased, set(OPS) ^ cased


def test_case_names_are_unique():
    names = [c.name for c in ALL]
    assert len(set(names)) == len(names), sorted(n for n in names if names.count(n) > 1)


@by_name
def test_forward(case: Case):
    with np.errstate(all="ignore"):
        results = as_tuple(KERNELS[case.op](np, *case.inputs, **case.attrs))
    case_module.check(case, results)


@by_name
def test_inference(case: Case):
    op = lookup(case.op)
    inferred = as_tuple(op.infer(tuple(map(spec_of, case.inputs)), case.attrs))
    with np.errstate(all="ignore"):
        results = as_tuple(KERNELS[case.op](np, *case.inputs, **case.attrs))
    assert len(inferred) == len(results)
    assert all(spec.is_static for spec in inferred) is case.static
    for spec, result in zip(inferred, results, strict=True):
        assert spec.dtype.numpy == result.dtype
        assert spec.rank is None or spec.rank == result.ndim
        assert all(d is None or d == r for d, r in zip(spec.shape or (), result.shape, strict=False))


@by_name
def test_inference_with_unknown_shapes(case: Case):
    """Knowing less never makes the rule say something else than it says knowing all."""
    op = lookup(case.op)
    full = as_tuple(op.infer(tuple(map(spec_of, case.inputs)), case.attrs))
    for hide in ("dims", "rank"):
        specs = tuple(
            Spec(s.dtype, None if hide == "rank" else (None,) * len(s.shape or ())) for s in map(spec_of, case.inputs)
        )
        partial = as_tuple(op.infer(specs, case.attrs))
        assert [s.dtype for s in partial] == [s.dtype for s in full]
        for less, more in zip(partial, full, strict=True):
            if less.shape is not None and more.shape is not None:
                assert len(less.shape) == len(more.shape)
                assert all(a is None or b is None or a == b for a, b in zip(less.shape, more.shape, strict=True))
