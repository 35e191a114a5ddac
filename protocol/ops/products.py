"""Products of matrices and tensors: matmul, tensordot, einsum, cross."""

from __future__ import annotations

from protocol.attrs import Ints
from protocol.einsum import ELLIPSIS, Label, axis_labels, parse
from protocol.errors import FailedPreconditionError, InvalidArgumentError
from protocol.ops.registry import NUMERIC, REAL, op
from protocol.spec import Dim, Shape, Spec, broadcast_dim, broadcast_shapes, format_shape, merge_shapes, normalize_axis


def batch_dims(a: tuple[Dim, ...], b: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """The broadcast of the leading dims of two stacks of matrices."""
    try:
        return broadcast_shapes(a[:-2], b[:-2]) or ()
    except InvalidArgumentError:
        shapes = f"{format_shape(a)} vs. {format_shape(b)}"
        raise InvalidArgumentError(f"In[0] and In[1] must have compatible batch dimensions: {shapes}") from None


def check_matrices(a: Shape, b: Shape) -> None:
    """Raise unless what is known of both shapes allows stacks of matrices."""
    ranks = [None if s is None else len(s) for s in (a, b)]
    for i, rank in enumerate(ranks):
        if rank is None or rank >= 2:
            continue
        if ranks[0] == ranks[1]:
            raise InvalidArgumentError(f"In[0] and In[1] ndims must be == 2: {rank}")
        if 2 in ranks:
            shapes = f"{format_shape(a)} vs. {format_shape(b)}"
            raise InvalidArgumentError(f"In[0] and In[1] has different ndims: {shapes}")
        raise InvalidArgumentError(f"In[{i}] ndims must be >= 2: {rank}")


def _matmul(
    a: Spec,
    b: Spec,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
) -> Spec:
    for side, transpose, adjoint in (("a", transpose_a, adjoint_a), ("b", transpose_b, adjoint_b)):
        if transpose and adjoint:
            raise ValueError(f"Only one of `transpose_{side}` and `adjoint_{side}` can be True.")
    check_matrices(a.shape, b.shape)
    if a.shape is None or b.shape is None:
        return Spec(a.dtype, None)
    rows, inner_a = a.shape[-2:][:: -1 if transpose_a or adjoint_a else 1]
    inner_b, columns = b.shape[-2:][:: -1 if transpose_b or adjoint_b else 1]
    if inner_a is not None and inner_b is not None and inner_a != inner_b:
        shapes = f"In[0]: {format_shape(a.shape)}, In[1]: {format_shape(b.shape)}"
        raise InvalidArgumentError(f"Matrix size-incompatible: {shapes}")
    return Spec(a.dtype, (*batch_dims(a.shape, b.shape), rows, columns))


op(
    "matmul",
    "a b",
    infer=_matmul,
    types=NUMERIC,
    doc="The product of (stacks of) matrices; leading dims broadcast.",
)


def free_dims(shape: Shape, axes: Ints) -> tuple[tuple[Dim, ...], tuple[Dim, ...]] | None:
    """The dims of `shape` outside `axes`, and those at `axes`, in the order of `axes`; `None` for an unknown rank."""
    if shape is None:
        return None
    found = [normalize_axis(axis, len(shape), "axes") for axis in axes]
    if len(set(found)) != len(found):
        raise InvalidArgumentError(f"axes must not repeat an axis: {axes}")
    return tuple(d for i, d in enumerate(shape) if i not in found), tuple(shape[i] for i in found)


def _tensordot(a: Spec, b: Spec, *, a_axes: Ints, b_axes: Ints) -> Spec:
    if len(a_axes) != len(b_axes):
        raise ValueError(f"Different number of contraction axes `a` and `b`, {len(a_axes)} != {len(b_axes)}.")
    left, right = free_dims(a.shape, a_axes), free_dims(b.shape, b_axes)
    if left is None or right is None:
        return Spec(a.dtype, None)
    try:
        merge_shapes(left[1], right[1])
    except InvalidArgumentError:
        shapes = f"In[0]: {format_shape(a.shape)}, In[1]: {format_shape(b.shape)}"
        raise InvalidArgumentError(f"Matrix size-incompatible: {shapes} over the axes {a_axes} and {b_axes}") from None
    return Spec(a.dtype, left[0] + right[0])


op(
    "tensordot",
    "a b",
    infer=_tensordot,
    types=NUMERIC,
    doc="Products of `a` and `b` summed over pairs of axes; the result has the other axes of `a`, then those of `b`.",
)


def _einsum(*inputs: Spec, equation: str) -> Spec:
    terms, result = parse(equation)
    if len(terms) != len(inputs):
        raise ValueError(f'Got {len(inputs)} inputs for equation "{equation}", expecting {len(terms)}')
    dims: dict[Label, Dim] = {}
    for i, (term, spec) in enumerate(zip(terms, inputs, strict=True)):
        if spec.shape is not None:
            _gather_dims(dims, axis_labels(term, len(spec.shape), i), spec.shape)
    hidden = sum(type(label) is int for label in dims)
    known = all(s.shape is not None or ELLIPSIS not in t for s, t in zip(inputs, terms, strict=True))
    if hidden and ELLIPSIS not in result:
        text = f"Output contains {hidden} broadcasting dimension(s) but no ellipsis (...) was found in the output"
        raise InvalidArgumentError(f"{text} subscripts.")
    if ELLIPSIS in result and not known:
        return Spec(inputs[0].dtype, None)
    rank = len(result) - 1 + hidden if ELLIPSIS in result else len(result)
    return Spec(inputs[0].dtype, tuple(dims.get(label) for label in axis_labels(result, rank)))


def _gather_dims(dims: dict[Label, Dim], labels: tuple[Label, ...], shape: tuple[Dim, ...]) -> None:
    """Note in `dims` the dim of each label. Letters must agree, ellipsis axes broadcast."""
    for axis, (label, dim) in enumerate(zip(labels, shape, strict=True)):
        before = dims.setdefault(label, dim)
        if type(label) is int:
            try:
                dims[label] = broadcast_dim(before, dim)
            except ValueError:
                raise InvalidArgumentError(
                    f"Invalid broadcasting dimensions: {before} vs. {dim} at axis {axis} of the input shaped "
                    f"{format_shape(shape)}"
                ) from None
        elif before is None:
            dims[label] = dim
        elif dim is not None and dim != before:
            raise InvalidArgumentError(
                f"Expected dimension {before} at axis {axis} of the input shaped {format_shape(shape)} "
                f"but got dimension {dim}"
            )


op(
    "einsum",
    "*inputs",
    infer=_einsum,
    types=NUMERIC,
    doc="Sums of products of the operands' elements, with axes paired by the labels of `equation`.",
)


def _cross(a: Spec, b: Spec) -> Spec:
    try:
        shape = merge_shapes(a.shape, b.shape)
    except InvalidArgumentError:
        shapes = f"{format_shape(a.shape)} vs. {format_shape(b.shape)}"
        raise InvalidArgumentError(f"Both inputs must be of same shape: {shapes}") from None
    if shape is None:
        return Spec(a.dtype, None)
    if not shape:
        raise InvalidArgumentError("Input must be at least 1D, not a scalar")
    if shape[-1] not in (3, None):
        raise FailedPreconditionError("Cross-products are only defined for 3-element vectors.", "cross")
    return Spec(a.dtype, (*shape[:-1], 3))


op(
    "cross",
    "a b",
    infer=_cross,
    types=REAL,
    public="linalg.cross",
    doc="The cross product of the vectors of 3 elements in the last axis: orthogonal to both.",
)
