"""Neural network ops: activations, softmax and cross-entropies, bias."""

from __future__ import annotations

from protocol.errors import InvalidArgumentError
from protocol.ops.registry import FLOATS, NUMERIC, REAL, op
from protocol.ops.rules import same
from protocol.spec import Dim, Shape, Spec, format_shape, merge_shapes


def _leaky(features: Spec, *, alpha: float = 0.2) -> Spec:
    return features


def _relu_grad(gradients: Spec, features: Spec, *, alpha: float = 0.0, limit: float | None = None) -> Spec:
    if alpha and features.dtype.is_integer:
        raise InvalidArgumentError(f"integers have no slope of {alpha}")
    return Spec(features.dtype, merge_shapes(gradients.shape, features.shape))


def _gelu(features: Spec, *, approximate: bool = False) -> Spec:
    return features


def _silu(features: Spec, *, beta: float = 1.0) -> Spec:
    return features


def softmax_axis(axis: int | None, rank: int) -> int:
    """`axis` counted from the front; None is the last."""
    axis = -1 if axis is None else axis
    if rank == 0:
        raise InvalidArgumentError("logits must have >= 1 dimension, got []")
    if not -rank <= axis < rank:
        raise InvalidArgumentError(
            f"`dim` must be in the range [{-rank}, {rank}) where {rank} is the number of dimensions in the input. "
            f"Received: dim={axis}"
        )
    return axis % rank


def _softmax(logits: Spec, *, axis: int | None = None) -> Spec:
    if logits.rank is not None:
        softmax_axis(axis, logits.rank)
    return logits


def _cross_entropy(labels: Spec, logits: Spec, *, axis: int = -1) -> tuple[Spec, Spec]:
    shape = _both(labels, logits)
    if shape is None:
        return Spec(logits.dtype, None), Spec(logits.dtype, None)
    axis = softmax_axis(axis, len(shape))
    return Spec(logits.dtype, shape[:axis] + shape[axis + 1 :]), Spec(logits.dtype, shape)


def _both(labels: Spec, logits: Spec) -> Shape:
    try:
        return merge_shapes(labels.shape, logits.shape)
    except InvalidArgumentError:
        raise InvalidArgumentError(
            "logits and labels must have the same shape: "
            f"logits_size={format_shape(logits.shape)} labels_size={format_shape(labels.shape)}"
        ) from None


def _sparse_cross_entropy(labels: Spec, logits: Spec) -> tuple[Spec, Spec]:
    if logits.shape is None:
        classes: Dim = None
        shape = labels.shape
    else:
        if not logits.shape:
            raise ValueError("`logits` cannot be a scalar.")
        classes = logits.shape[-1]
        shape = _label_shape(labels.shape, logits.shape)
    return Spec(logits.dtype, shape), Spec(logits.dtype, None if shape is None else (*shape, classes))


def _label_shape(labels: Shape, logits: tuple[Dim, ...]) -> Shape:
    received = f"Received: labels.shape={format_shape(labels)} and logits.shape={format_shape(logits)}"
    if labels is not None and len(labels) != len(logits) - 1:
        raise ValueError(f"`labels.shape.rank` must equal `logits.shape.rank - 1`. {received}")
    try:
        return merge_shapes(labels, logits[:-1])
    except InvalidArgumentError:
        raise ValueError(
            f"`labels.shape` must equal `logits.shape` except for the last dimension. {received}"
        ) from None


def _sigmoid_cross_entropy(labels: Spec, logits: Spec) -> Spec:
    try:
        return Spec(logits.dtype, merge_shapes(labels.shape, logits.shape))
    except InvalidArgumentError:
        raise ValueError(
            "`logits` and `labels` must have the same shape, "
            f"received ({format_shape(logits.shape)} vs {format_shape(labels.shape)})."
        ) from None


def channel_axis(data_format: str | None) -> int:
    """Where the channels of `N...C` or `NC...` are."""
    if data_format is not None and data_format.startswith("NC"):
        return 1
    if data_format is None or (data_format.startswith("N") and data_format.endswith("C")):
        return -1
    raise ValueError(f"`data_format` must be of the form `N...C` or `NC...`. Received: data_format={data_format}")


def _bias_add(value: Spec, bias: Spec, *, data_format: str | None = None) -> Spec:
    axis = channel_axis(data_format)
    if value.rank is not None and value.rank < 2:
        raise InvalidArgumentError(f"Input tensor must be at least 2D: {format_shape(value.shape)}")
    if bias.rank is not None and bias.rank != 1:
        raise InvalidArgumentError(f"Biases must be 1D: {format_shape(bias.shape)}")
    if value.shape is None or bias.shape is None:
        return value
    dims = list(value.shape)
    if None not in (dims[axis], bias.shape[0]) and dims[axis] != bias.shape[0]:
        which = "last" if axis == -1 else "channel"
        listed = f"{format_shape(bias.shape)} vs. {format_shape(value.shape)}"
        raise InvalidArgumentError(
            f"Must provide as many biases as the {which} dimension of the input tensor: {listed}"
        )
    dims[axis] = bias.shape[0] if dims[axis] is None else dims[axis]
    return Spec(value.dtype, tuple(dims))


def _scalar(t: Spec) -> Spec:
    return Spec(t.dtype, ())


op("relu", "features", infer=same, types=REAL, public="nn.relu", doc="Rectified linear unit: `max(features, 0)`.")
op(
    "relu6",
    "features",
    infer=same,
    types=REAL,
    public="nn.relu6",
    doc="Rectified linear unit that stops at 6: `min(max(features, 0), 6)`.",
)
op("leaky_relu", "features", infer=_leaky, types=FLOATS)
# Of relu, leaky_relu (alpha) and relu6 (limit): gradients * (1 where 0 < features < limit, else alpha).
op("relu_grad", "gradients features", infer=_relu_grad, types=REAL)
op(
    "elu",
    "features",
    infer=same,
    types=FLOATS,
    public="nn.elu",
    doc="Exponential linear unit: `features` where positive, `exp(features) - 1` elsewhere.",
)
op(
    "selu",
    "features",
    infer=same,
    types=FLOATS,
    public="nn.selu",
    doc="Scaled exponential linear unit: `scale * features` where positive, `scale * alpha * (exp(features) - 1)`\n"
    "elsewhere, with scale = 1.0507009873554805 and alpha = 1.6732632423543772.",
)
op(
    "gelu",
    "features",
    infer=_gelu,
    types=FLOATS,
    public="nn.gelu",
    doc="Gaussian error linear unit: `features * P(X <= features)` for X ~ N(0, 1), that is\n"
    "`x / 2 * (1 + erf(x / sqrt(2)))`; with `approximate`, `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x**3)))`.",
)
op("silu", "features", infer=_silu, types=FLOATS)
op(
    "softplus",
    "features",
    infer=same,
    types=FLOATS,
    public="math.softplus nn.softplus",
    doc="`log(exp(features) + 1)`, without overflow.",
)
op(
    "softsign",
    "features",
    infer=same,
    types=FLOATS,
    public="nn.softsign",
    doc="`features / (abs(features) + 1)`.",
)
op(
    "softmax",
    "logits",
    infer=_softmax,
    types=FLOATS,
    public="nn.softmax",
    doc="`exp(logits) / sum(exp(logits))` over `axis` (the last by default).",
)
op(
    "log_softmax",
    "logits",
    infer=_softmax,
    types=FLOATS,
    public="nn.log_softmax math.log_softmax",
    doc="`logits - log(sum(exp(logits)))` over `axis` (the last by default).",
)
# Both give the loss and its gradient by the logits, which shares the work: a backward pass is one product.
op("softmax_cross_entropy", "labels logits", infer=_cross_entropy, types=FLOATS)
op("sparse_softmax_cross_entropy", "labels:index logits", infer=_sparse_cross_entropy, types=FLOATS)
op(
    "sigmoid_cross_entropy",
    "labels logits",
    infer=_sigmoid_cross_entropy,
    types=FLOATS,
    public="nn.sigmoid_cross_entropy_with_logits",
    doc="The cross-entropy of independent yes-no classes: `max(x, 0) - x * z + log(1 + exp(-abs(x)))` for logits x\n"
    "and labels z of the same shape.",
)
op(
    "bias_add",
    "value bias",
    infer=_bias_add,
    types=NUMERIC,
    public="nn.bias_add",
    doc="`value + bias`, where the 1-D `bias` has one element a channel: of the last axis (`N...C`, the default)\n"
    "or of axis 1 (`NC...`).",
)
op(
    "l2_loss",
    "t",
    infer=_scalar,
    types=FLOATS,
    public="nn.l2_loss",
    doc="Half the sum of squares, as a scalar: `sum(t ** 2) / 2`.",
)
