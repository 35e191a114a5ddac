"""Convolutional layers. One op for the convolution, one for the bias, one for the activation."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import Any

import client as tf
from client.api import public
from client.dispatch import call
from client.keras.layers.core import WeightOptions
from client.keras.layers.input_spec import InputSpec
from client.keras.layers.layer import LAYERS, Layer
from client.tensor import Tensor


def each_axis(value: Any, rank: int, name: str, allow_zero: bool = False) -> tuple[int, ...]:
    """An option for each spatial axis, given as one number or as `rank` of them. Raises ValueError."""
    try:
        given = (value,) * rank if isinstance(value, int) else tuple(map(int, value))
    except (TypeError, ValueError):
        given = ()
    if len(given) != rank or min(given) < (0 if allow_zero else 1):
        raise ValueError(
            f"The `{name}` argument must be a tuple of {rank} integers, each at least {0 if allow_zero else 1}. "
            f"Received {name}={value}"
        )
    return given


def data_format_of(value: str | None) -> str:
    """`channels_last` or `channels_first`. Raises ValueError."""
    found = value or "channels_last"
    if found not in ("channels_last", "channels_first"):
        raise ValueError(
            'The `data_format` argument must be one of "channels_first", "channels_last". Received: '
            f"data_format={value}"
        )
    return found


class _Convolution(WeightOptions, Layer):
    """What the convolutions share: options for each axis, kernel, bias and activation."""

    rank = 2

    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str
    data_format: str
    dilation_rate: tuple[int, ...]
    groups: int

    def _start(self, arguments: dict[str, Any]) -> None:
        """Take the arguments of `__init__`."""
        kwargs = arguments.pop("kwargs")
        super().__init__(activity_regularizer=arguments.pop("activity_regularizer"), **kwargs)
        for name in ("kernel_size", "strides", "dilation_rate"):
            if name in arguments:
                arguments[name] = each_axis(arguments[name], self.rank, name)
        if arguments.get("output_padding") is not None:
            arguments["output_padding"] = each_axis(arguments["output_padding"], self.rank, "output_padding", True)
        padding = str(arguments.get("padding")).lower()
        if padding not in ("valid", "same", "causal") or (padding == "causal" and type(self).__name__ != "Conv1D"):
            raise ValueError(
                "Invalid value for argument `padding`: expected one of 'valid', 'same' (or 'causal' for Conv1D). "
                f"Received: padding={arguments.get('padding')}"
            )
        arguments["padding"] = padding
        arguments["data_format"] = data_format_of(arguments.get("data_format"))
        for name in ("filters", "depth_multiplier"):
            if arguments.get(name, 1) <= 0:
                raise ValueError(
                    f"Invalid value for argument `{name}`. Expected a strictly positive value. Received "
                    f"{name}={arguments[name]}."
                )
        self._check_options(**arguments)
        self._remember(**arguments)
        self.input_spec = InputSpec(min_ndim=self.rank + 2)
        if padding == "causal":
            window: Any = (((self.kernel_size[0] - 1) * self.dilation_rate[0], 0),)
        else:
            window = padding.upper()
        self._self_attrs = {"strides": self.strides, "padding": window, "dilations": self.dilation_rate}
        if self.data_format == "channels_first":
            self._self_attrs["channels_first"] = True

    def _check_options(self, strides: tuple[int, ...], dilation_rate: tuple[int, ...], **_: Any) -> None:
        """Raise ValueError for options that do not go together."""
        if max(strides) > 1 and max(dilation_rate) > 1:
            raise ValueError(
                "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
                f"strides={strides} and dilation_rate={dilation_rate}"
            )

    @property
    def _channel_axis(self) -> int:
        return 1 if self.data_format == "channels_first" else -1

    def _channels(self, input_shape: Any) -> int:
        channels = input_shape[self._channel_axis]
        if channels is None:
            raise ValueError(
                "The channel dimension of the inputs should be defined. The input_shape received is "
                f"{tuple(input_shape)}, where axis {self._channel_axis} (0-based) is the channel dimension, which is "
                "`None`."
            )
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={self._channel_axis: channels})
        return int(channels)

    def _weight(self, name: str, shape: tuple[int, ...], which: str) -> Any:
        """Make a weight with the options `<which>_initializer` and so on."""
        options = {k: getattr(self, f"{which}_{k}") for k in ("initializer", "regularizer", "constraint")}
        return self.add_weight(shape, options.pop("initializer"), name=name, **options)

    def _with_bias(self, outputs: int) -> None:
        self.bias = self._weight("bias", (outputs,), "bias") if self.use_bias else None

    def _check_size(self, input_shape: Any) -> None:
        """Raise ValueError for an input of another rank, or smaller than the window."""
        if len(input_shape) != self.rank + 2:
            raise ValueError(
                f"Kernel shape must have the same length as input, but received a kernel of {self.rank} spatial axes "
                f"and input of shape {tuple(input_shape)}."
            )
        dims = input_shape[2:] if self.data_format == "channels_first" else input_shape[1:-1]
        spans = [(k - 1) * d + 1 for k, d in zip(self.kernel_size, self.dilation_rate, strict=True)]
        if self.padding == "valid" and any(d is not None and d < s for d, s in zip(dims, spans, strict=True)):
            raise ValueError(
                f"Computed output size would be negative. Received `inputs shape={tuple(input_shape)}`, "
                f"`kernel_size={self.kernel_size}`, `dilation_rate={self.dilation_rate}`."
            )

    def _finished(self, x: Tensor) -> Tensor:
        """With the bias and the activation."""
        if self.bias is not None:
            if self.data_format == "channels_first":
                x = call("bias_add", x, self.bias, data_format="NC")
            else:
                x = call("bias_add", x, self.bias)
        return x if self.activation is None else self.activation(x)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), **self._options()}


class _Conv(_Convolution):
    """An ordinary convolution."""

    def _check_options(self, strides: Any, dilation_rate: Any, **options: Any) -> None:
        super()._check_options(strides, dilation_rate)
        groups, filters = options["groups"], options["filters"]
        if groups <= 0:
            raise ValueError(f"The number of groups must be a positive integer. Received: groups={groups}.")
        if filters % groups:
            raise ValueError(
                "The number of filters must be evenly divisible by the number of groups. Received: "
                f"groups={groups}, filters={filters}."
            )

    def build(self, input_shape: Any) -> None:
        """Make the kernel, (*kernel_size, channels / groups, filters), and the bias."""
        self._check_size(input_shape)
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(
                "The number of input channels must be evenly divisible by the number of groups. Received "
                f"groups={self.groups}, but the input has {channels} channels (full input shape is {input_shape})."
            )
        self.kernel = self._weight("kernel", (*self.kernel_size, channels // self.groups, self.filters), "kernel")
        self._with_bias(self.filters)

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        return self._finished(call("conv", inputs, self.kernel, **self._self_attrs))


class _Depthwise(_Convolution):
    """A convolution of each channel by itself."""

    depth_multiplier: int
    depthwise_initializer: Any
    depthwise_regularizer: Any
    depthwise_constraint: Any

    def _check_options(self, strides: Any, dilation_rate: Any, **_: Any) -> None:
        """All go together."""

    def build(self, input_shape: Any) -> None:
        """Make the kernel, (*kernel_size, channels, depth_multiplier), and the bias."""
        self._check_size(input_shape)
        channels = self._channels(input_shape)
        self.kernel = self._weight("kernel", (*self.kernel_size, channels, self.depth_multiplier), "depthwise")
        self._with_bias(channels * self.depth_multiplier)

    def _by_channel(self, x: Tensor, kernel: Any) -> Tensor:
        *window, channels, multiplier = kernel.shape
        return call("conv", x, tf.reshape(kernel, (*window, 1, channels * multiplier)), **self._self_attrs)

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        return self._finished(self._by_channel(inputs, self.kernel))


class _Separable(_Depthwise):
    """A convolution of each channel by itself, then one that mixes the channels."""

    pointwise_initializer: Any
    pointwise_regularizer: Any
    pointwise_constraint: Any

    def build(self, input_shape: Any) -> None:
        """Make both kernels and the bias."""
        self._check_size(input_shape)
        channels = self._channels(input_shape)
        self.depthwise_kernel = self._weight(
            "depthwise_kernel", (*self.kernel_size, channels, self.depth_multiplier), "depthwise"
        )
        mixed = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.pointwise_kernel = self._weight("pointwise_kernel", mixed, "pointwise")
        self._with_bias(self.filters)

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        x = self._by_channel(inputs, self.depthwise_kernel)
        ones = (1,) * self.rank
        attrs = {**self._self_attrs, "strides": ones, "dilations": ones, "padding": "VALID"}
        return self._finished(call("conv", x, self.pointwise_kernel, **attrs))


class _Transpose(_Convolution):
    """The gradient of a convolution, taken as a layer: it makes images larger."""

    output_padding: tuple[int, ...] | None

    def _check_options(self, strides: Any, dilation_rate: Any, **options: Any) -> None:
        super()._check_options(strides, dilation_rate)
        extra = options["output_padding"]
        if extra is not None and any(e >= s for e, s in zip(extra, strides, strict=True)):
            raise ValueError(
                "`output_padding` must be strictly less than `strides` for all dimensions. Received: "
                f"output_padding={extra}, strides={strides}"
            )

    def build(self, input_shape: Any) -> None:
        """Make the kernel, (*kernel_size, filters, channels), and the bias."""
        self.kernel = self._weight("kernel", (*self.kernel_size, self.filters, self._channels(input_shape)), "kernel")
        self._with_bias(self.filters)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output."""
        first = self.data_format == "channels_first"
        dims = input_shape[2:] if first else input_shape[1:-1]
        extra = self.output_padding or (None,) * self.rank
        out = tuple(
            None if d is None else self._length(d, k, s, r, e)
            for d, k, s, r, e in zip(dims, self.kernel_size, self.strides, self.dilation_rate, extra, strict=True)
        )
        return (input_shape[0], self.filters, *out) if first else (input_shape[0], *out, self.filters)

    def _length(self, dim: int, kernel: int, stride: int, dilation: int, extra: int | None) -> int:
        span = (kernel - 1) * dilation + 1
        if extra is None:
            return dim * stride + (max(span - stride, 0) if self.padding == "valid" else 0)
        return (dim - 1) * stride + span - (2 * (span // 2) if self.padding == "same" else 0) + extra

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        sizes = self.compute_output_shape(tuple(inputs.shape))
        if sizes[0] is None:
            sizes = tf.stack([tf.shape(inputs)[0], *sizes[1:]])
        return self._finished(call("conv_backprop_input", self.kernel, inputs, input_sizes=sizes, **self._self_attrs))


_COMMON = """
        use_bias: whether there is a bias.
        activation: a function of the output, or its name.
        kwargs: initializers, regularizers and constraints as in Keras, `name`, `dtype`, `input_shape`, ...
"""


def _options(of: str) -> dict[str, Any]:
    return {f"{of}_initializer": "glorot_uniform", f"{of}_regularizer": None, f"{of}_constraint": None}


def _signature(kind: str, rank: int) -> dict[str, Any]:
    """The parameters of a class, in Keras' order, with their defaults; `...` for those without."""
    ones = 1 if rank == 1 else (1,) * rank
    window = {"strides": ones, "padding": "valid", "data_format": None}
    kernel, depth, point = _options("kernel"), _options("depthwise"), _options("pointwise")
    bias = {"bias_initializer": "zeros", "bias_regularizer": None, "bias_constraint": None}

    def ordered(*groups: dict[str, Any]) -> dict[str, Any]:
        """Initializers, then regularizers, the activity's, then constraints."""
        merged = {k: v for g in groups for k, v in g.items()}
        by = [[k for k in merged if k.endswith(end)] for end in ("initializer", "regularizer", "constraint")]
        found = {k: merged[k] for k in (*by[0], *by[1])}
        return {**found, "activity_regularizer": None, **{k: merged[k] for k in by[2]}}

    act = {"activation": None, "use_bias": True}
    if kind == "conv":
        return {
            "filters": ..., "kernel_size": ..., **window, "dilation_rate": ones, "groups": 1, **act,
            **ordered(kernel, bias),
        }  # fmt: skip
    if kind == "transpose":
        both = ("output_padding", "data_format") if rank < 3 else ("data_format", "output_padding")
        return {
            "filters": ..., "kernel_size": ..., "strides": ones, "padding": "valid", **dict.fromkeys(both),
            "dilation_rate": ones, **act, **ordered(kernel, bias),
        }  # fmt: skip
    if kind == "depthwise":
        return {
            "kernel_size": ..., "strides": ones, "padding": "valid", "depth_multiplier": 1, "data_format": None,
            "dilation_rate": ones, **act, **ordered(depth, bias),
        }  # fmt: skip
    return {
        "filters": ..., "kernel_size": ..., **window, "dilation_rate": ones, "depth_multiplier": 1, **act,
        **ordered(depth, point, bias),
    }  # fmt: skip


_TITLES = {
    "conv": "A convolution with `filters` outputs over {axes}.",
    "transpose": "A transposed convolution (a deconvolution) over {axes}.",
    "depthwise": "A convolution of each channel by itself over {axes}.",
    "separable": "A convolution of each channel by itself, then of all channels at each place, over {axes}.",
}
_BASES: dict[str, type[_Convolution]] = {
    "conv": _Conv, "transpose": _Transpose, "depthwise": _Depthwise, "separable": _Separable,
}  # fmt: skip


def _initializer(class_name: str, parameters: dict[str, Any]) -> Any:
    """An `__init__` that takes `parameters`, and hands them to `_start`."""
    named, empty = Parameter.POSITIONAL_OR_KEYWORD, Parameter.empty
    signature = Signature(
        [
            Parameter("self", named),
            *(Parameter(k, named, default=empty if v is ... else v) for k, v in parameters.items()),
            Parameter("kwargs", Parameter.VAR_KEYWORD),
        ]
    )

    def initialize(*args: Any, **kwargs: Any) -> None:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{class_name}.__init__(): {error}") from None
        bound.apply_defaults()
        bound.arguments.pop("self")._start(dict(bound.arguments))

    initialize.__name__, initialize.__qualname__ = "__init__", f"{class_name}.__init__"
    initialize.__signature__ = signature  # type: ignore[attr-defined]
    return initialize


def _layer(class_name: str, kind: str, rank: int, *aliases: str) -> None:
    """Make one of the public classes: they differ in rank and kind alone."""
    parameters = _signature(kind, rank)
    axes = ("one axis", "two axes", "three axes")[rank - 1]
    first = "3" if kind == "depthwise" else "4, 3"
    shape = [1, *(8,) * rank, 2]
    lines = "".join(
        f"\n        {name}: {what}"
        for name, what in (
            ("filters", "the number of output channels."),
            ("kernel_size", "the window: an integer, or one for each axis."),
            ("strides", "the steps of the window, likewise."),
            ("padding", "`valid` or `same`" + (", or `causal`." if class_name == "Conv1D" else ".")),
            ("output_padding", "how much larger the output is than the smallest that fits."),
            ("depth_multiplier", "how many outputs each channel has."),
            ("data_format", "`channels_last` or `channels_first`."),
            ("dilation_rate", "the distance of the window's elements."),
            ("groups", "the number of groups of channels that are convolved apart."),
        )
        if name in parameters
    )
    body = {"__init__": _initializer(class_name, parameters), "rank": rank, "__module__": __name__}
    body["__doc__"] = f"""{_TITLES[kind].format(axes=axes)}

    Args:{lines}{_COMMON.rstrip()}

    Raises:
        ValueError: an option of another form; an input whose channels are not known.

    >>> import client as tf
    >>> y = tf.keras.layers.{class_name}({first}, padding="same")(tf.zeros({shape}))
    >>> len(y.shape)
    {rank + 2}
    """
    made = type(class_name, (_BASES[kind],), body)
    globals()[class_name] = LAYERS.add(*aliases)(made)
    public(*[f"keras.layers.{n}" for n in (class_name, *aliases)])(made)


for _rank in (1, 2, 3):
    _layer(f"Conv{_rank}D", "conv", _rank, f"Convolution{_rank}D")
    _layer(f"Conv{_rank}DTranspose", "transpose", _rank, f"Convolution{_rank}DTranspose")
for _rank in (1, 2):
    _layer(f"DepthwiseConv{_rank}D", "depthwise", _rank)
    _layer(f"SeparableConv{_rank}D", "separable", _rank, f"SeparableConvolution{_rank}D")
