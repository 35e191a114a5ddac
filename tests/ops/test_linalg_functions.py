"""The public functions of linear algebra that are more than an op, against NumPy."""

import numpy as np
import pytest

import client as tf
from tests.ops.case import array

A = array(4, 3, 3) + 4 * np.eye(3, dtype="float32")
M = array(3, 4)
TALL = array(5, 3, seed="tall")
WIDE = array(3, 5, seed="wide")
COMPLEX = array(3, 2, dtype="complex64")
RHS = {3: array(3, 2, seed="rhs"), 5: array(5, 2, seed="rhs")}


def close(tensor, reference, tolerance=1e-4):
    found = tensor.numpy()
    assert np.shape(found) == np.shape(reference)
    np.testing.assert_allclose(found, reference, rtol=tolerance, atol=tolerance)


def unsized(values):
    """A tensor of these values whose first dim the client does not know."""
    return tf.boolean_mask(tf.constant(values), np.ones(len(values), bool))


def test_matmul():
    close(tf.matmul(M, M, transpose_b=True), M @ M.T)
    close(tf.linalg.matmul(COMPLEX, COMPLEX, adjoint_a=True), COMPLEX.conj().T @ COMPLEX)
    ints = tf.constant([[100, 100]], tf.int8)
    assert tf.matmul(ints, ints, transpose_b=True, output_type=tf.int32).numpy().tolist() == [[20000]]
    with pytest.raises(ValueError, match="Only one of `transpose_a` and `adjoint_a`"):
        tf.matmul(M, M, transpose_a=True, adjoint_a=True)


def test_matvec():
    close(tf.linalg.matvec(M, array(4)), M @ array(4))
    close(tf.linalg.matvec(A, [1.0, 2.0, 3.0]), A @ np.float32([1, 2, 3]))
    close(tf.linalg.matvec(M, array(5, 3), transpose_a=True), array(5, 3) @ M)
    close(tf.linalg.matvec(COMPLEX, COMPLEX[:, 0], adjoint_a=True), COMPLEX.conj().T @ COMPLEX[:, 0])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"In\[1\]: \[3,1\]"):
        tf.linalg.matvec(M, array(3))


@pytest.mark.parametrize(
    "axes", [0, 2, [[1], [1]], [(0, 1), (0, 1)], (1, 1), [-1, -1], np.array([[0], [0]]), [[], []]], ids=str
)
def test_tensordot(axes):
    close(tf.tensordot(M, M, axes), np.tensordot(M, M, axes))


def test_tensordot_axes():
    close(tf.tensordot(M, M, tf.constant([[1], [1]])), M @ M.T)
    close(tf.tensordot(unsized(M), unsized(M), 2), np.sum(M * M))
    for axes, text in (
        (3, "must not be larger"),
        (-1, "must be at least 0"),
        ([0, 1, 2], "have length 2"),
        ([[0, 1], [0]], "2 != 1"),
        (tf.reduce_max(tf.constant(M[0] * 0)), "must be known"),
    ):
        with pytest.raises(ValueError, match=text):
            tf.tensordot(M, M, axes)


def test_einsum():
    close(tf.einsum("ij,kj->ik", M, M, optimize="greedy", name="product"), M @ M.T)
    close(tf.linalg.einsum("...i,...i", unsized(M), M), np.sum(M * M, -1))
    with pytest.raises(TypeError, match="Invalid keyword arguments for einsum: foo"):
        tf.einsum("ij", M, foo=1)


def test_named_results():
    found = tf.linalg.slogdet(A)
    sign, logarithm = np.linalg.slogdet(A)
    close(found.sign, sign)
    close(found.log_abs_determinant, logarithm)
    found = tf.linalg.qr(TALL, full_matrices=True)
    assert found.q.shape == (5, 5)
    close(found.q @ found.r, TALL)


def test_svd():
    s, u, v = tf.linalg.svd(TALL)
    close(tf.matmul(u * s, v, adjoint_b=True), TALL)
    assert [x.shape for x in tf.linalg.svd(TALL, full_matrices=True)] == [(3,), (5, 5), (3, 3)]
    close(tf.linalg.svd(TALL, compute_uv=False), np.linalg.svd(TALL, compute_uv=False))


def test_positive_definite():
    matrix = A @ A.swapaxes(-1, -2)
    close(tf.linalg.logdet(matrix), np.linalg.slogdet(matrix)[1])
    close(tf.linalg.logdet(tf.constant(3 * np.eye(2, dtype="complex64"))), 2 * np.log(3.0))
    close(tf.linalg.cholesky_solve(tf.linalg.cholesky(matrix), RHS[3]), np.linalg.solve(matrix, RHS[3]), 1e-3)


@pytest.mark.parametrize("matrix", [TALL, WIDE, A], ids=["tall", "wide", "stack"])
@pytest.mark.parametrize("fast", [True, False])
def test_lstsq(matrix, fast):
    rhs = RHS[matrix.shape[-2]]
    close(tf.linalg.lstsq(matrix, rhs, fast=fast), np.linalg.pinv(matrix) @ rhs, 1e-3)
    close(tf.linalg.lstsq(unsized(matrix), rhs, fast=fast), np.linalg.pinv(matrix) @ rhs, 1e-3)


@pytest.mark.parametrize("matrix", [TALL, WIDE], ids=["tall", "wide"])
@pytest.mark.parametrize("make", [tf.constant, unsized])
def test_lstsq_regularized(matrix, make):
    rhs = RHS[len(matrix)]
    reference = np.linalg.solve(matrix.T @ matrix + 0.5 * np.eye(matrix.shape[1]), matrix.T @ rhs)
    close(tf.linalg.lstsq(make(matrix), rhs, l2_regularizer=0.5), reference, 1e-3)
    close(tf.linalg.lstsq(make(matrix), rhs, l2_regularizer=tf.constant(0.5, tf.float64)), reference, 1e-3)


def test_pinv_and_rank():
    low = TALL[:, :2] @ TALL[:2, :]
    for matrix in (TALL, WIDE, low, COMPLEX, A):
        close(tf.linalg.pinv(matrix), np.linalg.pinv(matrix, rcond=1e-5), 1e-3)
        assert tf.linalg.matrix_rank(matrix).numpy().tolist() == np.linalg.matrix_rank(matrix).tolist()
    close(tf.linalg.pinv(unsized(low)), np.linalg.pinv(low, rcond=1e-5), 1e-3)
    assert tf.linalg.matrix_rank(unsized(low)).numpy() == 2
    diagonal = np.stack([np.diag(np.float32([4, 1]))] * 2)
    assert tf.linalg.pinv(diagonal, rcond=[0.1, 0.5]).numpy()[:, 1, 1].tolist() == [1, 0]
    assert tf.linalg.matrix_rank(diagonal, tol=2.0).numpy().tolist() == [1, 1]
    for function in (tf.linalg.pinv, tf.linalg.matrix_rank):
        with pytest.raises(TypeError, match="must have `float`-like `dtype`"):
            function([[1, 2]])
        with pytest.raises(ValueError, match="at least 2 dimensions"):
            function([1.0])


STACK = array(2, 3, 4)


@pytest.mark.parametrize("keepdims", [None, True])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1), (-2, -1), (2, 0), [1, -1]], ids=str)
@pytest.mark.parametrize("ord", ["euclidean", "fro", 1, 2, 2.5, np.inf])
def test_norm(ord, axis, keepdims):
    matrix = isinstance(axis, tuple | list)
    if ord in ((2.5,) if matrix else ("fro",)):
        with pytest.raises(ValueError, match="'ord' must be a supported"):
            tf.norm(STACK, ord, axis, keepdims)
        return
    values = STACK if axis is not None else STACK.reshape(-1)
    reference = np.linalg.norm(
        values,
        {"euclidean": None}.get(ord, ord),
        tuple(axis) if matrix else axis,
        keepdims=bool(keepdims),
    )
    if axis is None and keepdims:
        reference = np.reshape(reference, (1, 1, 1))
    close(tf.norm(STACK, ord, axis, keepdims), reference)


def test_norm_of_other_dtypes():
    assert tf.norm(tf.constant([3 + 4j])).dtype == tf.complex128
    close(tf.norm(COMPLEX), np.linalg.norm(COMPLEX))
    close(tf.norm(COMPLEX, 1, axis=(0, 1)), np.linalg.norm(COMPLEX, 1))
    assert tf.norm([1, -2], 1).numpy() == 3
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.norm([1, -2])
    for axis in ([0], (0, 0), (0, 1.5), (0, 1, 2), tf.constant(0)):
        with pytest.raises(ValueError, match="'axis' must be None, an integer"):
            tf.norm(STACK, axis=axis)
    for ord in (0, -1, "foo"):
        with pytest.raises(ValueError, match="'ord' must be a supported vector norm"):
            tf.norm(STACK, ord)


def test_normalize():
    for options in ({}, {"ord": 1, "axis": 0}, {"ord": "fro", "axis": (0, 1)}):
        normalized, size = tf.linalg.normalize(STACK, **options)
        close(size, tf.norm(STACK, **options, keepdims=True).numpy())
        close(normalized, STACK / size.numpy())
    normalized, size = tf.linalg.normalize(COMPLEX, ord=1)
    assert normalized.dtype == size.dtype == tf.complex64


def test_parts_of_matrices():
    assert tf.linalg.diag([1, 2], k=-1, padding_value=7).numpy().tolist() == [[7, 7, 7], [1, 7, 7], [7, 2, 7]]
    assert tf.linalg.diag([True]).numpy().tolist() == [[True]]
    assert tf.linalg.diag_part(M, k=(2, 3), padding_value=-1).numpy()[0].tolist() == [-1, M[0, 3]]
    assert tf.linalg.set_diag(M, [7.0], k=[3]).numpy()[0, 3] == 7
    close(tf.linalg.trace(A), np.trace(A, axis1=-2, axis2=-1))
    close(tf.linalg.matrix_transpose(STACK), STACK.swapaxes(-1, -2))
    close(tf.linalg.adjoint(COMPLEX), COMPLEX.conj().T)
    with pytest.raises(TypeError):
        tf.linalg.diag([1, 2], padding_value=2.5)


def test_diagonals_that_only_the_server_knows():
    one = tf.reduce_max(unsized(np.int32([0, 1])))
    close(tf.linalg.diag([5.0], k=one, num_rows=one), [[0, 5]])
    close(tf.linalg.diag_part(M, k=one), np.diagonal(M, 1))
    close(tf.linalg.diag_part(M, k=[-1, one])[0], np.diagonal(M, 1))
    close(tf.linalg.band_part(M, one, 0), np.tril(np.triu(M, -1)))
    close(tf.linalg.set_diag(M, [1.0, 2.0, 3.0], k=one)[0], [M[0, 0], 1, M[0, 2], M[0, 3]])


def test_nothing_waits():
    x = unsized(TALL)
    before = tf.stats()["waits"]
    results = [tf.linalg.pinv(x), tf.linalg.matrix_rank(x), tf.norm(x, 2, axis=(0, 1)), tf.linalg.lstsq(x, RHS[5], 0.1)]
    assert tf.stats()["waits"] == before
    assert results[2].shape == ()
