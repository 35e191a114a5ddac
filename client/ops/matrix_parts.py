"""Parts of matrices with TensorFlow's signatures: `name` before the attributes, paddings that may be tensors."""

from __future__ import annotations

from typing import Any

from client.api import public
from client.dispatch import call
from client.tensor import Tensor


def _padding(value: Any) -> tuple[Any, ...]:
    """The op's optional operand: none for zeros, which need no constant on the wire."""
    return () if type(value) in (int, float) and value == 0 else (value,)


@public("linalg.diag")
def diag(
    diagonal: Any,
    name: str = "diag",
    k: Any = 0,
    num_rows: Any = -1,
    num_cols: Any = -1,
    padding_value: Any = 0,
    align: str = "RIGHT_LEFT",
) -> Tensor:
    """Matrices with the given diagonals: for k = 0, result[..., i, i] = diagonal[..., i].

    Args:
        diagonal: a tensor of shape [..., m]; for several diagonals [..., number of diagonals, m], from the highest
            down.
        name: ignored.
        k: which diagonal: 0 is the main one, above it is positive; or (lowest, highest) for a band.
        num_rows: the number of rows; -1: the fewest that hold the diagonals, or, without `num_cols`, a square matrix.
        num_cols: the number of columns, likewise.
        padding_value: what stands outside the diagonals, a scalar.
        align: where the elements of the shorter diagonals of a band stand in their rows of `diagonal`: above the main
            one, then below: "RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT" or "RIGHT_RIGHT".

    Returns:
        A tensor of shape [..., num_rows, num_cols].

    Raises:
        tf.errors.InvalidArgumentError: a matrix that is too small or too large for the diagonals, or a bad `k`.

    >>> import client as tf
    >>> tf.linalg.diag([1, 2], k=1)
    <tf.Tensor: shape=(3, 3), dtype=int32, numpy=
    array([[0, 1, 0],
           [0, 0, 2],
           [0, 0, 0]], dtype=int32)>
    """
    attrs = {"k": k, "num_rows": num_rows, "num_cols": num_cols, "align": align}
    return call("matrix_diag", diagonal, *_padding(padding_value), **attrs)  # type: ignore[no-any-return]


@public("linalg.diag_part")
def diag_part(
    input: Any, name: str = "diag_part", k: Any = 0, padding_value: Any = 0, align: str = "RIGHT_LEFT"
) -> Tensor:
    """Diagonals of matrices: for k = 0, result[..., i] = input[..., i, i].

    Args:
        input: a tensor of shape [..., rows, columns].
        name: ignored.
        k: which diagonal: 0 is the main one, above it is positive; or (lowest, highest) for a band.
        padding_value: what fills up the shorter diagonals of a band, a scalar.
        align: to which side shorter diagonals go: above the main one, then below: "RIGHT_LEFT", "LEFT_RIGHT",
            "LEFT_LEFT" or "RIGHT_RIGHT".

    Returns:
        A tensor of shape [..., m], m the length of the longest diagonal; for a band [..., number of diagonals, m],
        from the highest down.

    Raises:
        tf.errors.InvalidArgumentError: a rank below 2, or a diagonal outside the matrix.

    >>> import client as tf
    >>> tf.linalg.diag_part([[1, 2], [3, 4]], k=(-1, 0))
    <tf.Tensor: shape=(2, 2), dtype=int32, numpy=
    array([[1, 4],
           [3, 0]], dtype=int32)>
    """
    return call("matrix_diag_part", input, *_padding(padding_value), k=k, align=align)  # type: ignore[no-any-return]


@public("linalg.set_diag")
def set_diag(input: Any, diagonal: Any, name: str = "set_diag", k: Any = 0, align: str = "RIGHT_LEFT") -> Tensor:
    """Matrices with some diagonals replaced: for k = 0, result[..., i, i] = diagonal[..., i].

    Args:
        input: a tensor of shape [..., rows, columns].
        diagonal: the new diagonals, of the same dtype and of the shape of `tf.linalg.diag_part(input, k=k)`.
        name: ignored.
        k: which diagonal: 0 is the main one, above it is positive; or (lowest, highest) for a band.
        align: where the elements of the shorter diagonals of a band stand in their rows of `diagonal`: above the main
            one, then below: "RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT" or "RIGHT_RIGHT".

    Returns:
        A tensor of the shape of `input`.

    Raises:
        tf.errors.InvalidArgumentError: another shape of `diagonal`, or a diagonal outside the matrix.

    >>> import client as tf
    >>> tf.linalg.set_diag([[1, 2], [3, 4]], [8, 9])
    <tf.Tensor: shape=(2, 2), dtype=int32, numpy=
    array([[8, 2],
           [3, 9]], dtype=int32)>
    """
    return call("matrix_set_diag", input, diagonal, k=k, align=align)  # type: ignore[no-any-return]


@public("linalg.matrix_transpose")
def matrix_transpose(a: Any, name: str = "matrix_transpose", conjugate: bool = False) -> Tensor:
    """The last two axes swapped: result[..., i, j] = a[..., j, i].

    Args:
        a: a tensor of rank 2 or more.
        name: ignored.
        conjugate: take the conjugate too, as `tf.linalg.adjoint` does.

    Raises:
        ValueError: a rank below 2.

    >>> import client as tf
    >>> tf.linalg.matrix_transpose([[1, 2, 3]])
    <tf.Tensor: shape=(3, 1), dtype=int32, numpy=
    array([[1],
           [2],
           [3]], dtype=int32)>
    """
    return call("matrix_transpose", a, conjugate=bool(conjugate))  # type: ignore[no-any-return]


@public("linalg.adjoint")
def adjoint(matrix: Any, name: str | None = None) -> Tensor:
    """The conjugate transpose of each matrix: result[..., i, j] = conj(matrix[..., j, i]).

    Args:
        matrix: a tensor of rank 2 or more.
        name: ignored.

    Raises:
        ValueError: a rank below 2.

    >>> import client as tf
    >>> tf.linalg.adjoint([[1 + 2j, 3j]]).numpy()
    array([[1.-2.j],
           [0.-3.j]])
    """
    return matrix_transpose(matrix, conjugate=True)


@public("linalg.trace")
def trace(x: Any, name: str | None = None) -> Tensor:
    """The sum of the main diagonal of each matrix: result[...] = sum over i of x[..., i, i].

    Args:
        x: a tensor of numbers of rank 2 or more.
        name: ignored.

    Raises:
        tf.errors.InvalidArgumentError: a rank below 2.

    >>> import client as tf
    >>> tf.linalg.trace([[1, 2], [3, 4]])
    <tf.Tensor: shape=(), dtype=int32, numpy=5>
    """
    return call("reduce_sum", diag_part(x), axis=-1)  # type: ignore[no-any-return]
