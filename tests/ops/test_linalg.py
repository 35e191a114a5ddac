"""What the linear algebra families refuse: by their specs, and, where only values show it, in the kernel."""

import numpy as np
import pytest

from protocol import dtypes
from protocol.attrs import Unknown
from protocol.errors import FailedPreconditionError, InvalidArgumentError
from protocol.ops import lookup
from protocol.spec import Spec
from server.kernels import KERNELS

NAN = np.array([[np.nan, 1.0], [1.0, 2.0]])
SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
INVALID = InvalidArgumentError


def specs(*shapes, dtype="float32"):
    return tuple(Spec(dtypes.as_dtype(dtype), shape) for shape in shapes)


@pytest.mark.parametrize(
    "op, shapes, attrs, kind, text",
    [
        ("matmul", [(2, 3), (2, 3)], {}, INVALID, r"Matrix size-incompatible: In\[0\]: \[2,3\], In\[1\]: \[2,3\]"),
        ("matmul", [(2, 2, 3), (3, 3, 4)], {}, INVALID, r"compatible batch dimensions: \[2,2,3\] vs. \[3,3,4\]"),
        ("matmul", [(3,), (3, 4)], {}, INVALID, r"has different ndims: \[3\] vs. \[3,4\]"),
        ("matmul", [(3,), (3,)], {}, INVALID, "ndims must be == 2: 1"),
        ("matmul", [(2, 3, 4), (3,)], {}, INVALID, r"In\[1\] ndims must be >= 2: 1"),
        ("matmul", [(3,), None], {}, INVALID, r"In\[0\] ndims must be >= 2: 1"),
        ("matmul", [(2, 2)] * 2, {"transpose_a": True, "adjoint_a": True}, ValueError, "Only one of `transpose_a`"),
        ("matmul", [(2, 2)] * 2, {"transpose_b": True, "adjoint_b": True}, ValueError, "Only one of `transpose_b`"),
        ("tensordot", [(2, 3), (4, 5)], {"a_axes": (1,), "b_axes": (0,)}, INVALID, "Matrix size-incompatible"),
        ("tensordot", [(2, 3), (3, 2)], {"a_axes": (0, 1), "b_axes": (1,)}, ValueError, "2 != 1"),
        ("tensordot", [(2, 3), (3, 2)], {"a_axes": (5,), "b_axes": (0,)}, INVALID, r"5 is not in \[-2, 2\)"),
        ("tensordot", [(3, 3), (3, 3)], {"a_axes": (0, -2), "b_axes": (0, 1)}, INVALID, "must not repeat an axis"),
        ("einsum", [(2, 3), (4, 5)], {"equation": "ij,jk->ik"}, INVALID, "Expected dimension 3 at axis 0 .* 4"),
        ("einsum", [(2, 1), (3, 5)], {"equation": "ij,jk->ik"}, INVALID, "Expected dimension 1 at axis 0"),
        ("einsum", [(3, 2)], {"equation": "ii"}, INVALID, r"at axis 1 of the input shaped \[3,2\]"),
        ("einsum", [(2, 3)], {"equation": "ijk->k"}, INVALID, "Expected input 0 to have rank 3 but got: 2"),
        ("einsum", [(2, 3)], {"equation": "i"}, INVALID, "Expected input 0 to have rank 1 but got: 2"),
        ("einsum", [(2,)], {"equation": "...ij->..."}, INVALID, "rank at least 2 but got: 1"),
        ("einsum", [(2, 3), (4, 3)], {"equation": "...,..."}, INVALID, "Invalid broadcasting dimensions: 2 vs. 4"),
        ("einsum", [(2, 3)], {"equation": "...i->i"}, INVALID, "Output contains 1 broadcasting dimension"),
        ("einsum", [(2, 3)], {"equation": "ij->iq"}, ValueError, "label q not present"),
        ("einsum", [(2,)], {"equation": "i->ii"}, ValueError, "more than once: i->ii"),
        ("einsum", [(2,)], {"equation": "i,i->i"}, ValueError, "Got 1 inputs for equation"),
        *(
            ("einsum", [(2,)], {"equation": e}, ValueError, "incorrect format")
            for e in ("a1->a", "i->i->i", "ij;jk", "..i->i", "....i->i", "...i...->i", "i->.i.")
        ),
        ("cross", [(3,), (2, 3)], {}, INVALID, r"same shape: \[3\] vs. \[2,3\]"),
        ("cross", [(), ()], {}, INVALID, "at least 1D"),
        ("cross", [(2,), (2,)], {}, FailedPreconditionError, "3-element vectors"),
        *((op, [(2, 3)], {}, INVALID, "must be square") for op in ("inv", "det", "cholesky", "eigh", "eig", "expm")),
        *((op, [(3,)], {}, INVALID, "must have rank >= 2, got 1") for op in ("inv", "slogdet", "qr", "svd", "eigvals")),
        ("solve", [(2, 2), (2,)], {}, INVALID, "must have rank >= 2, got 1"),
        ("solve", [(3, 2, 2), (2, 1)], {}, INVALID, "must have the same rank"),
        ("solve", [(3, 2, 2), (1, 2, 1)], {}, INVALID, "same outer dimensions"),
        ("solve", [(2, 2), (3, 1)], {}, INVALID, "Input matrix and rhs are incompatible"),
        ("solve", [(2, 3), (2, 1)], {}, INVALID, r"First input \(lhs\) must be a square matrix"),
        ("triangular_solve", [(2, 3), (2, 1)], {}, INVALID, r"must be square \(3 =/= 2\)"),
        ("triangular_solve", [(2, 2), (3, 1)], {}, INVALID, "mismatch .* 2 vs. 3"),
        ("triangular_solve", [(2, 2), (2,)], {}, INVALID, r"In\[1\] ndims must be >= 2: 1"),
        ("triangular_solve", [(3, 2, 2), (4, 2, 1)], {}, INVALID, "compatible batch dimensions"),
        ("matrix_diag", [()], {}, INVALID, "diagonal must be at least 1-dim"),
        ("matrix_diag", [(3,), (2,)], {}, INVALID, "padding_value must be a scalar"),
        ("matrix_diag", [(3,), (), ()], {}, INVALID, "padding_value must be a scalar"),
        ("matrix_diag", [(3,)], {"k": (0, 1)}, INVALID, "number of diagonals provided"),
        ("matrix_diag", [(2, 3)], {"k": (0, 2)}, INVALID, "number of diagonals provided"),
        ("matrix_diag", [(2, 3)], {"k": (1, 0)}, INVALID, "1 > 0"),
        ("matrix_diag", [(3,)], {"k": (0, 1, 2)}, INVALID, "only one or two elements, received 3"),
        ("matrix_diag", [(3,)], {"k": ()}, INVALID, "only one or two elements, received 0"),
        ("matrix_diag", [(3,)], {"num_rows": 2}, INVALID, "The number of rows is too small"),
        ("matrix_diag", [(3,)], {"num_cols": -5}, INVALID, "The number of columns is too small"),
        ("matrix_diag", [(3,)], {"num_cols": 5, "num_rows": 5}, INVALID, "not consistent"),
        ("matrix_diag", [(3,)], {"k": 2**40}, INVALID, "elements"),
        ("matrix_diag", [(3,)], {"align": "LEFT"}, TypeError, "one of 'RIGHT_LEFT'"),
        ("matrix_diag_part", [(3,)], {}, INVALID, "input must be at least 2-dim"),
        ("matrix_diag_part", [(3, 4)], {"k": 4}, INVALID, "lower_diag_index is out of bound: 4.* between -3 and 4"),
        ("matrix_diag_part", [(3, 4)], {"k": (0, 9)}, INVALID, "upper_diag_index is out of bound: 9"),
        ("matrix_set_diag", [(3, 4), (2,)], {}, INVALID, r"Expected diagonal shape: \[3\]"),
        ("matrix_set_diag", [(2, 3, 4), (3,)], {}, INVALID, r"Expected diagonal shape: \[2,3\]"),
        ("matrix_set_diag", [(3, 4), (3,)], {"k": -3}, INVALID, "out of bound"),
        ("tensor_diag", [()], {}, INVALID, "must be at least 1-dim"),
        ("tensor_diag_part", [(3, 4)], {}, INVALID, "dimensions 0 and 1 do not match"),
        ("tensor_diag_part", [(2, 3, 2)], {}, INVALID, "even and positive"),
        ("band_part", [(3, 4)], {"num_lower": 4, "num_upper": 0}, INVALID, r"number of rows \(3\) got: 4"),
        ("band_part", [(3, 4)], {"num_lower": 0, "num_upper": 5}, INVALID, r"number of columns \(4\) got: 5"),
        ("matrix_transpose", [(3,)], {}, ValueError, "rank >= 2"),
    ],
)
def test_refused(op, shapes, attrs, kind, text):
    with pytest.raises(kind, match=text):
        lookup(op).infer(specs(*shapes), attrs)


@pytest.mark.parametrize("op", ["inv", "cholesky", "qr", "svd", "eigh", "eig", "expm"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32", "bool"])
def test_decompositions_take_single_and_double_precision(op, dtype):
    with pytest.raises(InvalidArgumentError, match="must be one of float32, float64, complex64, complex128"):
        lookup(op).infer(specs((2, 2), dtype=dtype), {})


@pytest.mark.parametrize(
    "op, values, text",
    [
        *(("inv", v, "Input is not invertible.") for v in (SINGULAR, NAN, np.zeros((2, 2)))),
        *(("solve", v, "Input matrix is not invertible.") for v in (SINGULAR, NAN)),
        *(("cholesky", v, "Cholesky decomposition was not successful") for v in (SINGULAR, NAN, -np.eye(2))),
        *((op, NAN, "Self-adjoint eigen decomposition was not successful") for op in ("eigh", "eigvalsh")),
        *((op, NAN, "^Eigen decomposition was not successful") for op in ("eig", "eigvals")),
    ],
)
@pytest.mark.parametrize("stacked", [False, True])
def test_refused_values(op, values, text, stacked):
    matrices = np.stack([np.eye(2), values]) if stacked else values
    operands = (matrices, np.ones((*matrices.shape[:-1], 1))) if op == "solve" else (matrices,)
    with pytest.raises(InvalidArgumentError, match=text):
        KERNELS[op](np, *operands)


@pytest.mark.parametrize(
    "op, shapes, attrs, result",
    [
        ("matrix_diag", [(5, 3)], {"k": Unknown(*specs(()))}, (5, None, None)),
        ("matrix_diag", [(5, 3)], {"k": Unknown(*specs((2,)))}, None),
        ("matrix_diag", [(5, 3)], {"num_rows": Unknown(*specs(())), "num_cols": 4}, (5, None, 4)),
        ("matrix_diag_part", [(5, 3, 4)], {"k": Unknown(*specs((1,)))}, (5, None)),
        ("matrix_diag_part", [(5, 3, 4)], {"k": Unknown(*specs((None,)))}, None),
        ("matrix_set_diag", [(5, 3, 4), (5, 9)], {"k": Unknown(*specs(()))}, (5, 3, 4)),
        ("band_part", [(3, 4)], {"num_lower": Unknown(*specs(())), "num_upper": 0}, (3, 4)),
        ("matmul", [(None, 2, 3), (5, 3, None)], {}, (5, 2, None)),
        ("solve", [None, (5, 2, 3)], {}, (5, 2, 3)),
        ("solve", [(5, 2, None), None], {}, (5, 2, None)),
        ("tensor_diag_part", [(None, 3, 2, None)], {}, (2, 3)),
        ("einsum", [None, (3, 4)], {"equation": "ij,jk->ik"}, (None, 4)),
        ("einsum", [None, (3, 4)], {"equation": "...j,jk->...k"}, None),
        ("einsum", [None, (3, 4)], {"equation": "...j,jk->k"}, (4,)),
    ],
)
def test_partly_known(op, shapes, attrs, result):
    assert lookup(op).infer(specs(*shapes), attrs).shape == result


def test_many_operands_are_contracted_in_pairs():
    letters = "abcdefghijklmnopqrstuvwxyz"
    equation = ",".join(letters[i : i + 2] for i in range(25)) + "->az"
    matrices = [np.eye(3)] * 25
    np.testing.assert_array_equal(KERNELS["einsum"](np, *matrices, equation=equation), np.eye(3))
