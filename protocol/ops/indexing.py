"""Picking elements: slices, gathers, masks, and the helpers of their gradients. Their opposites are in `scatter`."""

from __future__ import annotations

from protocol.attrs import Ints, Unknown
from protocol.dtypes import int64
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import NUMERIC, op
from protocol.ops.rules import shape_from, vector_length
from protocol.slicing import Masks, Slicing, parts_of
from protocol.spec import Dim, Spec, broadcast_shapes, format_shape, merge_shapes


def gather_axes(rank: int | None, indices_rank: int | None, axis: int, batch_dims: int) -> tuple[int, int] | None:
    """`axis` and `batch_dims` counted from the front; None while a rank that is needed is unknown.

    Raises:
        InvalidArgumentError: out of range, or more batch axes than stand before `axis`.
    """
    if rank == 0:
        raise InvalidArgumentError("params must be at least 1 dimensional")
    if indices_rank is not None and not -indices_rank <= batch_dims <= indices_rank:
        raise InvalidArgumentError(
            f"Expected batch_dims in the range [{-indices_rank}, {indices_rank}], but got {batch_dims}"
        )
    if rank is not None and not -rank <= axis < rank:
        at_least = axis + 1 if axis >= 0 else -axis
        raise InvalidArgumentError(f"Shape must be at least rank {at_least} but is rank {rank}")
    if rank is None or (batch_dims < 0 and indices_rank is None):
        return None
    batch = batch_dims + (indices_rank or 0) if batch_dims < 0 else batch_dims
    at = axis % rank
    if batch > at:
        raise InvalidArgumentError(f"Expected batch_dims ({batch}) to be less than or equal to axis ({at})")
    return at, batch


def _check_batch(params: tuple[Dim, ...], indices: tuple[Dim, ...], batch: int) -> None:
    for i in range(batch):
        if None not in (params[i], indices[i]) and params[i] != indices[i]:
            raise InvalidArgumentError(
                f"params.shape[{i}]: {params[i]} should be equal to indices.shape[{i}]: {indices[i]}"
            )


def _gather(params: Spec, indices: Spec, *, axis: int | Unknown = 0, batch_dims: int = 0) -> Spec:
    ranks = params.rank, indices.rank
    if isinstance(axis, Unknown):
        if None in ranks:
            return Spec(params.dtype, None)
        batch = batch_dims % (ranks[1] or 1) if batch_dims < 0 else batch_dims
        return Spec(params.dtype, (None,) * (params.rank + indices.rank - 1 - batch))  # type: ignore[operator]
    found = gather_axes(*ranks, axis, batch_dims)
    if found is None or params.shape is None or indices.shape is None:
        return Spec(params.dtype, None)
    at, batch = found
    _check_batch(params.shape, indices.shape, batch)
    return Spec(params.dtype, params.shape[:at] + indices.shape[batch:] + params.shape[at + 1 :])


def _gather_grad(
    grad: Spec, indices: Spec, *, shape: Ints | Unknown, axis: int | Unknown = 0, batch_dims: int = 0
) -> Spec:
    """Of `params`: `shape` is theirs, `grad` has the shape of what was gathered."""
    params = Spec(grad.dtype, shape_from(shape))
    gathered = _gather(params, indices, axis=axis, batch_dims=batch_dims)
    merge_shapes(gathered.shape, grad.shape)
    return params


def _gather_nd(params: Spec, indices: Spec, *, batch_dims: int = 0) -> Spec:
    if indices.rank == 0:
        raise InvalidArgumentError("indices must be at least a vector")
    if indices.rank is not None and not 0 <= batch_dims < indices.rank:
        raise InvalidArgumentError(f"batch_dims = {batch_dims} must be in [0, {indices.rank})")
    if params.rank is not None and not 0 <= batch_dims <= params.rank:
        raise InvalidArgumentError(f"batch_dims = {batch_dims} must be less than rank(params) = {params.rank}")
    if indices.shape is None or params.shape is None:
        return Spec(params.dtype, None)
    depth = indices.shape[-1]
    if depth is None:
        return Spec(params.dtype, None)
    if depth + batch_dims > len(params.shape):
        raise InvalidArgumentError(
            "index innermost dimension length must be <= params rank; "
            f"saw: {depth} vs. {len(params.shape) - batch_dims}"
        )
    _check_batch(params.shape, indices.shape, batch_dims)
    return Spec(params.dtype, indices.shape[:-1] + params.shape[batch_dims + depth :])


def _boolean_mask(tensor: Spec, mask: Spec, *, axis: int | None = None) -> Spec:
    if mask.rank == 0:
        raise ValueError("mask cannot be scalar.")
    if tensor.shape is None or mask.shape is None:
        return Spec(tensor.dtype, None)
    rank, at = len(tensor.shape), axis or 0
    if not -rank <= at < max(rank, 1):
        raise InvalidArgumentError(f"Invalid axis: {at} is not in [{-rank}, {rank})")
    at = at % rank if rank else 0
    masked = tensor.shape[at : at + len(mask.shape)]
    if len(masked) != len(mask.shape) or any(
        a is not None and b is not None and a != b for a, b in zip(masked, mask.shape, strict=True)
    ):
        raise ValueError(f"Shapes {format_shape(masked)} and {format_shape(mask.shape)} are incompatible")
    return Spec(tensor.dtype, (*tensor.shape[:at], None, *tensor.shape[at + len(mask.shape) :]))


def _where(condition: Spec) -> Spec:
    if condition.rank == 0:
        raise InvalidArgumentError("WhereOp : Unhandled input dimensions: 0")
    return Spec(int64, (None, condition.rank))


def _select(condition: Spec, x: Spec, y: Spec) -> Spec:
    try:
        return Spec(x.dtype, broadcast_shapes(condition.shape, x.shape, y.shape))
    except InvalidArgumentError:
        raise InvalidArgumentError(
            f"condition {format_shape(condition.shape)}, then {format_shape(x.shape)}, and else "
            f"{format_shape(y.shape)} must be broadcastable"
        ) from None


def _slice(input_: Spec, *, begin: Ints | Unknown, size: Ints | Unknown) -> Spec:
    lengths = vector_length(begin, "begin"), vector_length(size, "size")
    known = {n for n in (*lengths, input_.rank) if n is not None}
    if len(known) > 1:
        raise InvalidArgumentError(
            f"Expected begin and size arguments to be 1-D tensors of size {input_.rank}, "
            f"but got shapes [{lengths[0]}] and [{lengths[1]}] instead."
        )
    if not known:
        return Spec(input_.dtype, None)
    rank = known.pop()
    begins = (None,) * rank if isinstance(begin, Unknown) else begin
    sizes = (None,) * rank if isinstance(size, Unknown) else size
    dims = (None,) * rank if input_.shape is None else input_.shape
    return Spec(input_.dtype, tuple(_slice_length(i, *x) for i, x in enumerate(zip(dims, begins, sizes, strict=True))))


def _slice_length(axis: int, dim: Dim, begin: Dim, size: Dim) -> Dim:
    if begin is not None and (begin < 0 or (dim is not None and begin > dim)):
        raise InvalidArgumentError(f"Expected begin[{axis}] in [0, {'?' if dim is None else dim}], but got {begin}")
    if size is None:
        return None
    if size == -1:
        return None if dim is None or begin is None else dim - begin
    limit = None if dim is None else dim - (begin or 0)
    if size < -1 or (limit is not None and size > limit):
        raise InvalidArgumentError(f"Expected size[{axis}] in [0, {'?' if limit is None else limit}], but got {size}")
    return size


def slicing_of(
    rank: int,
    begin: Ints | Unknown,
    end: Ints | Unknown,
    strides: Ints | Unknown | None,
    masks: Masks,
) -> Slicing | None:
    """The slicing that the attributes of `strided_slice` describe; None while even the number of items is unknown."""
    lengths = [vector_length(v, n) for v, n in ((begin, "begin"), (end, "end"), (strides, "strides")) if v is not None]
    known = [n for n in lengths if n is not None]
    if not known:
        return None
    items = known[0]
    if any(n != items for n in known):
        listed = ", ".join(f"[{'?' if n is None else n}]" for n in lengths)
        raise InvalidArgumentError(
            f"Expected begin, end, and strides to be 1D equal size tensors, but got shapes {listed} instead."
        )
    return Slicing(
        parts_of(rank, items, masks),
        None if isinstance(begin, Unknown) else begin,
        None if isinstance(end, Unknown) else end,
        (1,) * items if strides is None else None if isinstance(strides, Unknown) else strides,
        masks,
    )


def _strided_slice(
    input_: Spec,
    *,
    begin: Ints | Unknown,
    end: Ints | Unknown,
    strides: Ints | Unknown | None = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Spec:
    if input_.shape is None:
        return input_
    masks = Masks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    slicing = slicing_of(len(input_.shape), begin, end, strides, masks)
    return Spec(input_.dtype, None if slicing is None else slicing.result(input_.shape))


def _strided_slice_grad(
    dy: Spec,
    *,
    shape: Ints | Unknown,
    begin: Ints | Unknown,
    end: Ints | Unknown,
    strides: Ints | Unknown | None = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Spec:
    """Of the slice's input: `shape` is its shape, `dy` has that of the slice."""
    input_ = Spec(dy.dtype, shape_from(shape))
    masks = {
        "begin_mask": begin_mask,
        "end_mask": end_mask,
        "ellipsis_mask": ellipsis_mask,
        "new_axis_mask": new_axis_mask,
        "shrink_axis_mask": shrink_axis_mask,
    }
    sliced = _strided_slice(input_, begin=begin, end=end, strides=strides, **masks)
    merge_shapes(sliced.shape, dy.shape)
    return input_


op("gather", "params:any indices:int", infer=_gather)
op("gather_grad", "grad indices:int", infer=_gather_grad, types=NUMERIC)
op(
    "gather_nd",
    "params:any indices:int",
    infer=_gather_nd,
    public="gather_nd",
    doc="Slices of `params` at the positions in the rows of `indices`:\n"
    "result[i] = params[indices[i, 0], ..., indices[i, k]].\n"
    "The first `batch_dims` axes of both are gone through side by side.",
)
op("boolean_mask", "tensor:any mask:bool", infer=_boolean_mask)
op("where", "condition:any", infer=_where)
op("select", "condition:bool x y", infer=_select)
op(
    "slice",
    "input_",
    infer=_slice,
    public="slice",
    doc="The part of `input_` that starts at `begin` and is `size` long on each axis; -1 is the rest.",
)
op(
    "strided_slice",
    "input_",
    infer=_strided_slice,
    public="strided_slice",
    doc="What `input_[begin[0]:end[0]:strides[0], ...]` is. Bit i of a mask speaks of item i:\n"
    "its bound is open, it is an ellipsis, a new axis, or a single index whose axis goes away.",
)
op("strided_slice_grad", "dy", infer=_strided_slice_grad, types=NUMERIC)
