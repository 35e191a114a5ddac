"""Shape manipulation: the same elements in another shape or order, and the ops that tell a shape."""

from __future__ import annotations

from typing import Literal

from protocol.attrs import Axes, Ints, Unknown
from protocol.dtypes import DType, int32, int64
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import op
from protocol.ops.rules import same, shape_from, vector_length
from protocol.spec import Dim, Shape, Spec, element_count, format_shape, merge_shapes


def reshaped(given: Shape, wanted: int | Ints) -> tuple[Dim, ...]:
    """`wanted` with its -1 worked out from `given`, as far as `given` is known.

    Raises:
        InvalidArgumentError: the numbers of elements differ, or two dims are -1.
    """
    shape = (wanted,) if isinstance(wanted, int) else wanted
    free = [i for i, d in enumerate(shape) if d == -1]
    if len(free) > 1:
        raise InvalidArgumentError(f"Only one input size may be -1, not both {free[0]} and {free[1]}")
    for i, dim in enumerate(shape):
        if dim < -1:
            raise InvalidArgumentError(f"Size {i} must be non-negative, not {dim}")
    known = None if given is None or None in given else element_count(given)
    if not free:
        if known is not None and element_count(shape) != known:
            raise InvalidArgumentError(
                f"Input to reshape is a tensor with {known} values, but the requested shape has {element_count(shape)}"
            )
        return shape
    if given is None or known is None:
        return tuple(None if d == -1 else d for d in shape)
    # Zeros on both sides cancel, so that [0, 3] reshaped to [-1, 0] is [3, 0].
    both_empty = 0 in shape and 0 in given
    values = element_count(tuple(d for d in given if d or not both_empty))
    unit = element_count(tuple(d for d in shape if d > 0))
    if not both_empty and (values % unit or (0 in shape and values)):
        raise InvalidArgumentError(
            f"Input to reshape is a tensor with {values} values, but the requested shape requires a multiple of {unit}"
        )
    return tuple(values // unit if d == -1 else d for d in shape)


def _reshape(tensor: Spec, *, shape: int | Ints | Unknown) -> Spec:
    if isinstance(shape, Unknown):
        return Spec(tensor.dtype, shape_from(shape))
    return Spec(tensor.dtype, reshaped(tensor.shape, shape))


def _transpose(a: Spec, *, perm: Ints | Unknown | None = None, conjugate: bool = False) -> Spec:
    rank = a.rank
    if perm is None:
        return Spec(a.dtype, None if a.shape is None else a.shape[::-1])
    length = vector_length(perm, "perm")
    if rank is not None and length is not None and rank != length:
        raise InvalidArgumentError(
            f"transpose expects a vector of size {rank}. But input(1) is a vector of size {length}"
        )
    rank = length if rank is None else rank
    if rank is None or isinstance(perm, Unknown):
        return Spec(a.dtype, None if rank is None else (None,) * rank)
    for axis in perm:
        if not -rank <= axis < rank:
            raise InvalidArgumentError(f"{axis} is out of range [0 .. {rank})")
    order = [axis % rank for axis in perm]
    for axis in range(rank):
        if axis not in order:
            raise InvalidArgumentError(f"{axis} is missing from {{{','.join(map(str, perm))}}}.")
    dims = (None,) * rank if a.shape is None else a.shape
    return Spec(a.dtype, tuple(dims[axis] for axis in order))


def _expand_dims(input: Spec, *, axis: int | Ints | Unknown) -> Spec:
    """A vector with a single axis will do as well."""
    if input.shape is None:
        return input
    rank = len(input.shape)
    if isinstance(axis, Unknown):
        return Spec(input.dtype, (None,) * (rank + 1))
    wanted = (axis,) if isinstance(axis, int) else axis
    if len(wanted) != 1:
        raise InvalidArgumentError(f"'dim' input must be a tensor with a single value, not {wanted}")
    if not -rank - 1 <= wanted[0] <= rank:
        raise InvalidArgumentError(f"Tried to expand dim index {wanted[0]} for tensor with {rank} dimensions.")
    at = wanted[0] % (rank + 1)
    return Spec(input.dtype, (*input.shape[:at], 1, *input.shape[at:]))


def _squeeze(input: Spec, *, axis: Axes = None) -> Spec:
    if input.shape is None:
        return input
    rank = len(input.shape)
    axes = (axis,) if isinstance(axis, int) else axis
    if not axes:
        return Spec(input.dtype, None if None in input.shape else tuple(d for d in input.shape if d != 1))
    dropped = set()
    for at in axes:
        if not -rank <= at < rank:
            raise InvalidArgumentError(f"Tried to squeeze dim index {at} for tensor with {rank} dimensions.")
        dim = input.shape[at]
        if dim not in (1, None):
            raise InvalidArgumentError(f"Can not squeeze dim[{at % rank}], expected a dimension of 1, got {dim}")
        dropped.add(at % rank)
    return Spec(input.dtype, tuple(d for i, d in enumerate(input.shape) if i not in dropped))


def _reverse(tensor: Spec, *, axis: int | Ints | Unknown) -> Spec:
    if tensor.shape is None or isinstance(axis, Unknown):
        return tensor
    rank, seen = len(tensor.shape), set()
    for i, at in enumerate((axis,) if isinstance(axis, int) else axis):
        if not -rank <= at < rank:
            raise InvalidArgumentError(f"'axis'[{i}] = {at} is out of valid range [{-rank}, {rank})")
        if at % rank in seen:
            raise InvalidArgumentError(f"axis {at % rank} specified more than once.")
        seen.add(at % rank)
    return tensor


def _roll(input: Spec, *, shift: int | Ints | Unknown, axis: int | Ints | Unknown) -> Spec:
    if input.rank == 0:
        raise InvalidArgumentError("input must be 1-D or higher")
    if isinstance(axis, Unknown) or isinstance(shift, Unknown):
        return input
    shifts = (shift,) if isinstance(shift, int) else shift
    axes = (axis,) if isinstance(axis, int) else axis
    if len(shifts) != len(axes):
        raise InvalidArgumentError("shift and axis must have the same size")
    if input.rank is not None:
        for at in axes:
            if not -input.rank <= at < input.rank:
                raise InvalidArgumentError(f"axis {at} is out of range")
    return input


def _broadcast_to(input: Spec, *, shape: int | Ints | Unknown) -> Spec:
    target = shape_from(shape)
    if target is None or input.shape is None:
        return Spec(input.dtype, target)
    if len(input.shape) > len(target):
        raise InvalidArgumentError(
            f"Rank of input ({len(input.shape)}) must be no greater than rank of output shape ({len(target)})."
        )
    for given, wanted in zip(input.shape[::-1], target[::-1], strict=False):
        if None not in (given, wanted) and given not in (1, wanted):
            raise InvalidArgumentError(f"Incompatible shapes: {format_shape(input.shape)} vs. {format_shape(target)}")
    return Spec(input.dtype, target)


def _ensure_shape(x: Spec, *, shape: Ints | None) -> Spec:
    """-1 is any dim, None any shape."""
    if shape is None:
        return x
    wanted = tuple(None if d == -1 else d for d in shape)
    try:
        return Spec(x.dtype, merge_shapes(x.shape, wanted))
    except InvalidArgumentError:
        raise InvalidArgumentError(
            f"Shape of tensor input {format_shape(x.shape)} is not compatible with expected shape "
            f"{format_shape(wanted)}."
        ) from None


def _index_type(out_type: DType) -> DType:
    if out_type not in (int32, int64):
        raise InvalidArgumentError(f"out_type must be one of int32, int64, not {out_type.name}")
    return out_type


def _shape(input: Spec, *, out_type: DType = int32) -> Spec:
    return Spec(_index_type(out_type), (input.rank,))


def _size(input: Spec, *, out_type: DType = int32) -> Spec:
    return Spec(_index_type(out_type), ())


def _rank(input: Spec) -> Spec:
    return Spec(int32, ())


def _broadcast_args(shape_x: Spec, shape_y: Spec) -> Spec:
    """The values are dims, so all that is known is how many there are: broadcasting the lengths would be wrong."""
    lengths: list[Dim] = []
    for spec in (shape_x, shape_y):
        if spec.rank not in (1, None):
            raise InvalidArgumentError(f"shapes must be vectors, but got shape {format_shape(spec.shape)}")
        lengths.append(None if spec.shape is None else spec.shape[0])
    known = [n for n in lengths if n is not None]
    return Spec(shape_x.dtype, (max(known) if len(known) == 2 else None,))


Images = Literal["NHWC", "NCHW"]


def _image_axes(shape: Shape, block_size: int, data_format: Images) -> tuple[Dim, Dim, Dim, Dim]:
    """Batch, height, width and channels."""
    if block_size < 2:
        raise InvalidArgumentError(f"block_size must be at least 2, not {block_size}")
    if shape is None:
        return (None, None, None, None)
    if len(shape) != 4:
        raise InvalidArgumentError(f"Input rank should be: 4 instead of: {len(shape)}")
    batch, a, b, c = shape
    return (batch, a, b, c) if data_format == "NHWC" else (batch, b, c, a)


def _image(dtype: DType, dims: tuple[Dim, Dim, Dim, Dim], data_format: Images) -> Spec:
    batch, height, width, depth = dims
    return Spec(dtype, (batch, height, width, depth) if data_format == "NHWC" else (batch, depth, height, width))


def _space_to_depth(input: Spec, *, block_size: int, data_format: Images = "NHWC") -> Spec:
    batch, height, width, depth = _image_axes(input.shape, block_size, data_format)
    if (height or 0) % block_size or (width or 0) % block_size:
        raise InvalidArgumentError(
            f"Image width {width} and height {height} should be divisible by block_size: {block_size}"
        )
    rows = None if height is None else height // block_size
    columns = None if width is None else width // block_size
    return _image(input.dtype, (batch, rows, columns, None if depth is None else depth * block_size**2), data_format)


def _depth_to_space(input: Spec, *, block_size: int, data_format: Images = "NHWC") -> Spec:
    batch, height, width, depth = _image_axes(input.shape, block_size, data_format)
    if (depth or 0) % block_size**2:
        raise InvalidArgumentError(f"Input depth dimension {depth} should be divisible by: {block_size**2}")
    rows = None if height is None else height * block_size
    columns = None if width is None else width * block_size
    return _image(input.dtype, (batch, rows, columns, None if depth is None else depth // block_size**2), data_format)


def _reverse_sequence(input: Spec, seq_lengths: Spec, *, seq_axis: int, batch_axis: int = 0) -> Spec:
    if seq_lengths.rank not in (1, None):
        raise InvalidArgumentError(f"seq_lengths must be 1-dim, not {seq_lengths.rank}")
    if input.shape is None:
        return input
    rank = len(input.shape)
    for name, axis in (("seq_dim", seq_axis), ("batch_dim", batch_axis)):
        if not -rank <= axis < rank:
            raise InvalidArgumentError(f"{name} must be < input rank, ( {axis} vs. {rank})")
    if seq_axis % rank == batch_axis % rank:
        raise InvalidArgumentError(f"batch_dim == seq_dim == {seq_axis}")
    batch = input.shape[batch_axis]
    length = seq_lengths.shape[0] if seq_lengths.shape is not None else None
    if batch is not None and length is not None and batch != length:
        raise InvalidArgumentError(f"Length of seq_lengths != input.dims({batch_axis}), ({length} vs. {batch})")
    return input


op(
    "reshape",
    "tensor",
    infer=_reshape,
    public="reshape",
    doc="The same elements, in order, in `shape`; one dim may be -1.",
)
op("transpose", "a", infer=_transpose, public="transpose", doc="Axes in the order `perm`, reversed by default.")
op("expand_dims", "input", infer=_expand_dims, public="expand_dims", doc="A dim of 1 inserted at `axis`.")
op(
    "squeeze",
    "input",
    infer=_squeeze,
    public="squeeze",
    doc="Without the dims of 1 at `axis`; without all of them by default.",
)
op(
    "reverse",
    "tensor",
    infer=_reverse,
    public="reverse",
    doc="Elements in reverse order along each of the axes `axis`.",
)
op(
    "roll",
    "input",
    infer=_roll,
    public="roll",
    doc="Elements shifted by `shift` along `axis`; those that leave at one end enter at the other.",
)
op(
    "broadcast_to",
    "input",
    infer=_broadcast_to,
    public="broadcast_to",
    doc="Repeated to `shape` by the broadcasting rule.",
)
op("identity", "input", infer=same, public="identity", doc="A tensor of the same value.")
op(
    "stop_gradient",
    "input",
    infer=same,
    public="stop_gradient",
    doc="A tensor of the same value that no gradient flows through.",
)
op("ensure_shape", "x", infer=_ensure_shape)
op("shape", "input", infer=_shape)
op("size", "input", infer=_size)
op("rank", "input", infer=_rank)
op("broadcast_args", "shape_x shape_y", infer=_broadcast_args, types=(int32, int64))
op(
    "space_to_depth",
    "input",
    infer=_space_to_depth,
    public="space_to_depth nn.space_to_depth",
    doc="Moves each `block_size` x `block_size` block of pixels into the channels.",
)
op(
    "depth_to_space",
    "input",
    infer=_depth_to_space,
    public="depth_to_space nn.depth_to_space",
    doc="Moves channels into `block_size` x `block_size` blocks of pixels: the inverse of `space_to_depth`.",
)
op("reverse_sequence", "input seq_lengths:index", infer=_reverse_sequence)
