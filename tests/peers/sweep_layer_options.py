"""The options of layers: the names of weights, outputs, gradients, masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.peers.layer_programs import NAME, Program, layer_program, normal

LINE, IMAGE, CUBE, FLAT = normal(1, 2, 7, 4), normal(2, 2, 7, 6, 4), normal(3, 1, 5, 4, 5, 2), normal(4, 3, 6)
FIRST_CUBE = np.ascontiguousarray(np.moveaxis(CUBE, -1, 1))
MASK = np.array([[True, True, False, True, False, False, True], [False] * 6 + [True]])
LAST = {1: LINE, 2: IMAGE, 3: CUBE}


def error(make: Callable[[Any, Any], Any]) -> Program:
    """The class of the exception that `make(tf, layers)` raises."""

    def program(tf: Any) -> list[Any]:
        try:
            make(tf, tf.keras.layers)
        except Exception as raised:
            return [type(raised).__name__]
        return ["no error"]

    return program


def masked(make: Callable[[Any], Any], *given: Any) -> Program:
    """The output for inputs with masks (None: without), and the mask of the output."""

    def program(tf: Any) -> list[Any]:
        layers = tf.keras.layers

        class Marked(layers.Layer):
            def __init__(self, mask: Any) -> None:
                super().__init__()
                self.supports_masking = True
                self.mask = mask

            def call(self, inputs: Any) -> Any:
                return tf.identity(inputs)

            def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
                return None if self.mask is None else tf.constant(self.mask)

        class Seen(layers.Layer):
            def call(self, inputs: Any, mask: Any = None) -> Any:
                self.mask = mask
                return inputs

        inputs = [Marked(mask)(tf.constant(LINE * (i + 1))) for i, mask in enumerate(given)]
        seen = Seen()
        found = make(layers)(inputs[0] if len(given) == 1 else inputs)
        seen(found)
        return [np.asarray(found), "no mask" if seen.mask is None else np.asarray(seen.mask)]

    return program


def one(make: Callable[[Any], Any], *inputs: np.ndarray, **options: Any) -> Program:
    """A layer of one input (or of a list, if there are several)."""
    if len(inputs) == 1:
        return layer_program(make, lambda tf, layer, x: layer(x, **options), inputs)
    return layer_program(make, lambda tf, layer, *x: layer(list(x), **options), inputs)


def convolutions() -> Iterator[tuple[str, Program]]:
    """Every convolution with every option."""
    options: list[tuple[str, dict[str, Any]]] = [
        ("valid", {}), ("same", {"padding": "same"}), ("strided", {"strides": 2}),
        ("strided same", {"strides": 2, "padding": "SAME"}), ("dilated", {"dilation_rate": 2}),
        ("dilated same", {"dilation_rate": 2, "padding": "same", "use_bias": False}),
        ("active", {"activation": "relu"}), ("softmax", {"activation": "softmax", "padding": "same"}),
    ]  # fmt: skip
    kinds = {"Conv{}D": (3, (1, 2, 3)), "Conv{}DTranspose": (3, (1, 2, 3)), "DepthwiseConv{}D": (None, (1, 2)),
             "SeparableConv{}D": (3, (1, 2))}  # fmt: skip
    for kind, (filters, ranks) in kinds.items():
        for rank in ranks:
            given = [] if filters is None else [filters]
            for label, extra in options:

                def make(k: Any, name: str = kind.format(rank), given: Any = given, extra: Any = extra) -> Any:
                    return getattr(k, name)(*given, 2, name=NAME, **extra)

                if "Transpose" not in kind or "dilated" not in label:  # which TensorFlow cannot on a CPU
                    yield f"{kind.format(rank)} {label}", one(make, LAST[rank])
    yield "Conv1D causal", one(lambda k: k.Conv1D(3, 3, padding="causal", name=NAME), LINE)
    yield "Conv1D causal strided", one(lambda k: k.Conv1D(3, 3, strides=2, padding="causal", name=NAME), LINE)
    yield "Conv1D groups", one(lambda k: k.Conv1D(6, 3, groups=2, name=NAME), LINE)
    yield "Conv2D groups", one(lambda k: k.Conv2D(8, (3, 2), groups=4, name=NAME), IMAGE)
    yield "Conv2D rectangles", one(lambda k: k.Conv2D(3, (3, 1), (2, 1), "same", name=NAME), IMAGE)
    yield (
        "Conv2D regularized",
        one(lambda k: k.Conv2D(3, 2, kernel_regularizer="l2", bias_regularizer="l1", name=NAME), IMAGE),
    )
    for multiplier in (1, 3):
        for rank in (1, 2):

            def depthwise(k: Any, n: int = rank, m: int = multiplier) -> Any:
                return getattr(k, f"DepthwiseConv{n}D")(3, depth_multiplier=m, name=NAME, padding="same", strides=2)

            def separable(k: Any, n: int = rank, m: int = multiplier) -> Any:
                return getattr(k, f"SeparableConv{n}D")(5, 3, depth_multiplier=m, name=NAME, activation="tanh")

            yield f"DepthwiseConv{rank}D by {multiplier}", one(depthwise, LAST[rank])
            yield f"SeparableConv{rank}D by {multiplier}", one(separable, LAST[rank])
    yield "DepthwiseConv2D uneven", one(lambda k: k.DepthwiseConv2D((2, 3), (1, 1), name=NAME), IMAGE)
    for padding in ("valid", "same"):
        for stride in (1, 2, 3):
            for window in (1, 2, 3, 5):

                def up(k: Any, p: str = padding, s: int = stride, w: int = window) -> Any:
                    return k.Conv2DTranspose(3, w, s, p, name=NAME)

                yield f"Conv2DTranspose {padding} {stride} {window}", one(up, IMAGE)
                for extra in (0, 1):
                    if extra < stride:

                        def more(k: Any, p: str = padding, s: int = stride, w: int = window, e: int = extra) -> Any:
                            return k.Conv2DTranspose(3, w, s, p, output_padding=e, name=NAME)

                        yield f"Conv2DTranspose {padding} {stride} {window} output {extra}", one(more, IMAGE)


def poolings() -> Iterator[tuple[str, Program]]:
    """Every pooling with every option."""
    for rank in (1, 2, 3):
        for kind in ("Max", "Average"):
            options: list[dict[str, Any]] = [
                {"pool_size": 2},
                {"pool_size": 2, "padding": "same"},
                {"pool_size": 3, "strides": 1},
                {"pool_size": 3, "strides": 2, "padding": "same"},
                {"pool_size": 2, "strides": 3},
                {"pool_size": (2,) * rank},
            ]
            for i, extra in enumerate(options):

                def make(k: Any, name: str = f"{kind}Pooling{rank}D", extra: Any = extra) -> Any:
                    return getattr(k, name)(name=NAME, **extra)

                yield f"{kind}Pooling{rank}D {i}", one(make, LAST[rank])
            for i, extra in enumerate(({}, {"keepdims": True}, {"data_format": "channels_first"})):

                def globally(k: Any, name: str = f"Global{kind}Pooling{rank}D", extra: Any = extra) -> Any:
                    return getattr(k, name)(name=NAME, **extra)

                yield f"Global{kind}Pooling{rank}D {i}", one(globally, LAST[rank])
    yield "GlobalAveragePooling1D masked", masked(lambda k: k.GlobalAveragePooling1D(), MASK)
    yield "GlobalAveragePooling1D masked, kept", masked(lambda k: k.GlobalAveragePooling1D(keepdims=True), MASK)
    yield "GlobalAveragePooling1D none", masked(lambda k: k.GlobalAveragePooling1D(), np.zeros_like(MASK))
    yield "GlobalMaxPooling1D masked", masked(lambda k: k.GlobalMaxPooling1D(), MASK)
    yield "MaxPooling1D masked", masked(lambda k: k.MaxPooling1D(), MASK)


def reshapings() -> Iterator[tuple[str, Program]]:
    """Changes of shape."""
    programs: dict[str, tuple[Callable[[Any], Any], np.ndarray]] = {
        "Reshape": (lambda k: k.Reshape((6, 7, 4), name=NAME), IMAGE),
        "Reshape -1": (lambda k: k.Reshape((-1, 2), name=NAME), IMAGE),
        "Reshape flat": (lambda k: k.Reshape((-1,), name=NAME), IMAGE),
        "Permute": (lambda k: k.Permute((2, 3, 1), name=NAME), IMAGE),
        "RepeatVector": (lambda k: k.RepeatVector(4, name=NAME), FLAT),
        "Flatten 1d": (lambda k: k.Flatten(name=NAME), np.arange(3, dtype=np.float32)),
        "UpSampling1D": (lambda k: k.UpSampling1D(3, name=NAME), LINE),
        "UpSampling3D": (lambda k: k.UpSampling3D((2, 1, 3), name=NAME), CUBE),
        "UpSampling3D first": (lambda k: k.UpSampling3D(2, data_format="channels_first", name=NAME), CUBE),
        "UpSampling2D first": (lambda k: k.UpSampling2D((3, 2), data_format="channels_first", name=NAME), IMAGE),
        "ZeroPadding1D": (lambda k: k.ZeroPadding1D(2, name=NAME), LINE),
        "ZeroPadding1D first": (lambda k: k.ZeroPadding1D((0, 2), data_format="channels_first", name=NAME), LINE),
        "ZeroPadding2D": (lambda k: k.ZeroPadding2D((2, 1), name=NAME), IMAGE),
        "ZeroPadding2D first": (lambda k: k.ZeroPadding2D(2, data_format="channels_first", name=NAME), IMAGE),
        "ZeroPadding3D": (lambda k: k.ZeroPadding3D(((1, 0), (2, 1), (0, 3)), name=NAME), CUBE),
        "ZeroPadding3D first": (lambda k: k.ZeroPadding3D((1, 2, 0), "channels_first", name=NAME), CUBE),
        "Cropping1D": (lambda k: k.Cropping1D(2, name=NAME), LINE),
        "Cropping2D": (lambda k: k.Cropping2D((1, 2), name=NAME), IMAGE),
        "Cropping2D first": (lambda k: k.Cropping2D(((2, 0), (1, 1)), "channels_first", name=NAME), IMAGE),
        "Cropping3D": (lambda k: k.Cropping3D(((1, 0), (2, 1), (0, 3)), name=NAME), CUBE),
        "Cropping3D first": (lambda k: k.Cropping3D(((1, 1), (0, 2), (1, 0)), "channels_first", name=NAME),
                             FIRST_CUBE),
    }  # fmt: skip
    for mode in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
        programs[f"UpSampling2D {mode}"] = (
            lambda k, mode=mode: k.UpSampling2D((2, 3), interpolation=mode, name=NAME), IMAGE,
        )  # fmt: skip
    for label, (make, x) in programs.items():
        yield label, one(make, x)


def activations() -> Iterator[tuple[str, Program]]:
    """Activations with their options, and masks."""
    x = np.concatenate([np.linspace(-8, 8, 33), [0.0, 6.0]]).astype(np.float32).reshape(5, 7)
    made: dict[str, Callable[[Any], Any]] = {
        "ReLU": lambda k: k.ReLU(name=NAME),
        "ReLU 6": lambda k: k.ReLU(6.0, name=NAME),
        "ReLU slope": lambda k: k.ReLU(negative_slope=0.2, name=NAME),
        "ReLU threshold": lambda k: k.ReLU(threshold=1.0, name=NAME),
        "ReLU all": lambda k: k.ReLU(5.0, 0.1, 1.0, name=NAME),
        "LeakyReLU": lambda k: k.LeakyReLU(name=NAME),
        "LeakyReLU slope": lambda k: k.LeakyReLU(0.1, name=NAME),
        "ELU": lambda k: k.ELU(name=NAME),
        "ELU alpha": lambda k: k.ELU(0.3, name=NAME),
        "PReLU": lambda k: k.PReLU(alpha_regularizer="l2", name=NAME),
        "Softmax": lambda k: k.Softmax(name=NAME),
        "Softmax 0": lambda k: k.Softmax(axis=0, name=NAME),
        "Softmax both": lambda k: k.Softmax(axis=(0, 1), name=NAME),
        "ActivityRegularization": lambda k: k.ActivityRegularization(0.1, 0.2, name=NAME),
    }
    for label, make in made.items():
        yield label, one(make, x)
    yield "PReLU shared", one(lambda k: k.PReLU(shared_axes=[1, 2], name=NAME), IMAGE)
    yield "PReLU shared one", one(lambda k: k.PReLU(shared_axes=2, name=NAME), IMAGE)
    keep = np.arange(35).reshape(5, 7) % 3 != 0
    keep[2] = False
    for axis in (-1, 0, (0, 1), [1]):
        yield (
            f"Softmax mask {axis}",
            layer_program(
                lambda k, axis=axis: k.Softmax(axis=axis, name=NAME),
                lambda tf, layer, x: layer(x, mask=tf.constant(keep)),
                [x],
            ),
        )

    def losses(tf: Any) -> list[Any]:
        layer = tf.keras.layers.ActivityRegularization(0.1, 0.2)
        layer(tf.constant(x))
        first = np.asarray(sum(layer.losses))
        layer(tf.constant(2 * x))
        return [first, np.asarray(sum(layer.losses))]

    yield "ActivityRegularization losses", losses


def merges() -> Iterator[tuple[str, Program]]:
    """Merging layers and functions."""
    a, b, c, row = normal(11, 2, 3, 4), normal(12, 2, 3, 4), normal(13, 2, 1, 4), normal(14, 2, 4)
    names = ("Add", "Multiply", "Average", "Maximum", "Minimum")
    for name in (*names, "Subtract"):

        def make(k: Any, name: str = name) -> Any:
            return getattr(k, name)(name=NAME)

        yield name, one(make, a, b)
        yield f"{name} broadcast", one(make, a, c)
        yield f"{name} ranks", one(make, a, row)
        yield f"{name} ranks, other way", one(make, row, a)
        yield f"{name} equal", one(make, a, a)
        if name != "Subtract":
            yield f"{name} of four", one(make, a, b, c, row)
        yield f"{name} function", lambda tf, name=name: [getattr(tf.keras.layers, name.lower())([a, b])]
        yield f"{name} masked", masked(make, MASK, MASK[:, ::-1])
        yield f"{name} masked in part", masked(make, MASK, None)
        yield f"{name} masked in the other part", masked(make, None, MASK)
        yield (
            f"{name} integers",
            lambda tf, name=name: [
                getattr(tf.keras.layers, name.lower())([tf.constant([[1, 5]]), tf.constant([[3, 2]])])
            ],
        )
    for axis in (-1, 0, 1, 2):
        yield f"Concatenate {axis}", one(lambda k, axis=axis: k.Concatenate(axis, name=NAME), a, b)
    for axis in (-1, 1):
        yield f"Concatenate {axis} masked", masked(lambda k, axis=axis: k.Concatenate(axis), MASK, MASK[:, ::-1])
        yield f"Concatenate {axis} masked in part", masked(lambda k, axis=axis: k.Concatenate(axis), MASK, None)
    yield "Concatenate uneven", one(lambda k: k.Concatenate(1, name=NAME), a, c)
    yield "Concatenate function", lambda tf: [tf.keras.layers.concatenate([a, c], axis=1)]
    yield "Concatenate one", error(lambda tf, k: k.Concatenate()([tf.constant(a)]))
    u, v = normal(15, 2, 5), normal(16, 2, 5)
    yield "Dot vectors", one(lambda k: k.Dot(1, name=NAME), u, v)
    yield "Dot vectors normalized", one(lambda k: k.Dot(-1, normalize=True, name=NAME), u, v)
    yield "Dot 2", one(lambda k: k.Dot(2, name=NAME), a, b)
    yield "Dot 1", one(lambda k: k.Dot(1, name=NAME), a, b)
    yield "Dot two axes", one(lambda k: k.Dot((1, 2), name=NAME), normal(1, 2, 4, 3), a)
    yield "Dot normalized", one(lambda k: k.Dot((2, 2), normalize=True, name=NAME), a, b)
    yield "Dot ranks", one(lambda k: k.Dot((2, 1), name=NAME), a, row)
    yield "Dot ranks, other way", one(lambda k: k.Dot((1, 2), name=NAME), row, a)
    yield "Dot of images", one(lambda k: k.Dot((3, 2), name=NAME), IMAGE, a)
    yield "Dot function", lambda tf: [tf.keras.layers.dot([u, v], axes=1, normalize=True)]


def starts() -> Iterator[tuple[str, Program]]:
    """Embedding, Normalization, Rescaling, Masking."""
    index = np.array([[1, 2, 0], [4, 2, 1]], np.int32)
    yield "Embedding", one(lambda k: k.Embedding(5, 3, name=NAME), index)
    yield "Embedding int64", one(lambda k: k.Embedding(5, 3, name=NAME), index.astype(np.int64))
    yield "Embedding floats", lambda tf: [tuple(tf.keras.layers.Embedding(5, 3)(tf.constant(index, tf.float32)).shape)]
    yield "Embedding weights", lambda tf: [tf.keras.layers.Embedding(5, 3, weights=[normal(3, 5, 3)])(index)]

    def embedded_mask(tf: Any) -> list[Any]:
        layers = tf.keras.layers
        layer = layers.Embedding(5, 3, mask_zero=True)
        layer.build(())
        layer.set_weights([normal(3, 5, 3)])
        lstm = layers.GlobalAveragePooling1D()
        return [layer.compute_mask(tf.constant(index)), lstm(layer(tf.constant(index)))]

    yield "Embedding mask", embedded_mask

    def rows(tf: Any) -> list[Any]:
        layer = tf.keras.layers.Embedding(5, 3)
        layer.build(None)
        layer.set_weights([normal(3, 5, 3)])
        table = getattr(layer.trainable_variables[0], "value", layer.trainable_variables[0])
        table = layer.trainable_variables[0] if callable(table) else table
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(layer(tf.constant(index))))
        found = tape.gradient(loss, table)
        return [type(found).__name__, tf.convert_to_tensor(found)]

    yield "Embedding gradient", rows
    data = normal(21, 20, 5) * 3 + 1
    for axis in (-1, None, 0, 1, (0, 1)):

        def adapted(tf: Any, axis: Any = axis) -> list[Any]:
            layer = tf.keras.layers.Normalization(axis=axis)
            layer.adapt(data)
            back = tf.keras.layers.Normalization(axis=axis, invert=True)
            back.adapt(data)
            return [layer(tf.constant(data)), back(tf.constant(data)), *layer.get_weights()]

        yield f"Normalization adapted {axis}", adapted

    def in_batches(tf: Any) -> list[Any]:
        layer = tf.keras.layers.Normalization()
        layer.adapt(tf.data.Dataset.from_tensor_slices(data).batch(8))
        return [layer(tf.constant(data)), *layer.get_weights()]

    yield "Normalization by batches", in_batches

    def again(tf: Any) -> list[Any]:
        layer = tf.keras.layers.Normalization()
        layer.adapt(data)
        layer.adapt(tf.constant(data * 2))
        copy = tf.keras.layers.Normalization.from_config(layer.get_config())
        copy.build(data.shape)
        return [layer(tf.constant(data)), copy(tf.constant(data)), layer.mean, layer.variance]

    yield "Normalization again", again
    for label, batches in {
        "list": lambda: [data[:7], data[7:]], "pairs": lambda: [(data[:7], 1), (data[7:], 2)],
        "generator": lambda: (data[i : i + 6] for i in range(0, 20, 6)),
    }.items():  # fmt: skip

        def of_iterable(tf: Any, batches: Any = batches) -> list[Any]:
            layer = tf.keras.layers.Normalization()
            layer.adapt(batches())
            return layer.get_weights()

        yield f"Normalization of a {label}", of_iterable

    def of_rows(tf: Any) -> list[Any]:
        layer = tf.keras.layers.Normalization()
        layer.adapt(tf.data.Dataset.from_tensor_slices(data))
        return layer.get_weights()

    yield "Normalization of rows", of_rows
    for axis, shape in ((-1, ()), ((1, 2), (6,)), ((1, 2), (7, 6)), ((2,), (6,)), ((1, 3), (4,))):

        def given(tf: Any, axis: Any = axis, shape: Any = shape) -> list[Any]:
            mean, variance = normal(5, *shape), np.abs(normal(6, *shape))
            layer = tf.keras.layers.Normalization(axis, mean, variance)
            again = type(layer).from_config(layer.get_config())
            return [layer(tf.constant(IMAGE)), again(tf.constant(IMAGE)), layer.mean, layer.variance]

        yield f"Normalization given {axis} {shape}", given
    yield (
        "Masking infinity",
        lambda tf: [tf.keras.layers.Masking(np.inf)(tf.constant([[[np.inf, np.inf], [1.0, np.inf], [2.0, 3.0]]]))],
    )
    yield (
        "Normalization constant",
        lambda tf: [tf.keras.layers.Normalization(mean=2.0, variance=0.0, axis=None)(tf.constant(data))],
    )
    yield (
        "Normalization integers",
        lambda tf: [tf.keras.layers.Normalization(mean=2.0, variance=4.0, axis=None)(tf.constant([[1, 2]]))],
    )
    yield (
        "Normalization image",
        one(lambda k: k.Normalization(mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 0.5, 3.0, 2.0], name=NAME), IMAGE),
    )
    yield (
        "Normalization first",
        one(lambda k: k.Normalization(axis=1, mean=[1.0] * 7, variance=[2.0] * 7, name=NAME), IMAGE),
    )
    yield "Rescaling", one(lambda k: k.Rescaling(1 / 255, -0.5, name=NAME), IMAGE)
    yield "Rescaling channels", one(lambda k: k.Rescaling([1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 0.5, 2.0], name=NAME), IMAGE)
    yield (
        "Rescaling bytes",
        lambda tf: [tf.keras.layers.Rescaling(1 / 255)(tf.constant(np.arange(6).reshape(2, 3).astype(np.uint8)))],
    )
    steps = LINE.copy()
    steps[0, 2] = steps[1, 4:] = 0.0
    steps[0, 3, :2] = 0.0
    yield "Masking", one(lambda k: k.Masking(name=NAME), steps)
    yield "Masking mean", lambda tf: [tf.keras.layers.GlobalAveragePooling1D()(tf.keras.layers.Masking()(steps))]


def disturbances() -> Iterator[tuple[str, Program]]:
    """What disturbs in training: what does not depend on chance."""
    kinds: dict[str, Callable[[Any, float], Any]] = {
        "Dropout": lambda k, r: k.Dropout(r), "GaussianNoise": lambda k, r: k.GaussianNoise(r),
        "GaussianDropout": lambda k, r: k.GaussianDropout(r), "AlphaDropout": lambda k, r: k.AlphaDropout(r),
    }  # fmt: skip
    kinds["SpatialDropout1D"] = lambda k, r: k.SpatialDropout1D(r)
    for name, make in kinds.items():
        yield f"{name} 0", lambda tf, make=make: [make(tf.keras.layers, 0)(tf.constant(LINE), training=True)]
        yield f"{name} off", lambda tf, make=make: [make(tf.keras.layers, 0.5)(tf.constant(LINE))]
        if "Gaussian" not in name and "Alpha" not in name:
            yield f"{name} 1", lambda tf, make=make: [make(tf.keras.layers, 1)(tf.constant(LINE), training=True)]
        for rate in (-0.1, 1.1) if "Alpha" not in name else ():
            yield f"{name} {rate}", error(lambda tf, k, make=make, rate=rate: make(k, rate))
        yield f"{name} masked", masked(lambda k, make=make: make(k, 0.5), MASK)
        yield f"{name} rank", error(lambda tf, k, make=make: make(k, 0.5)(tf.constant(FLAT)))

    def whole_channels(tf: Any) -> list[Any]:
        layers, found = tf.keras.layers, []
        for n, dims in ((1, (8, 5, 16)), (2, (8, 5, 4, 16)), (3, (8, 2, 3, 4, 16))):
            x = tf.ones(dims)
            y = np.asarray(getattr(layers, f"SpatialDropout{n}D")(0.5, seed=3)(x, training=True))
            found += [sorted({float(v) for v in y.ravel()}), bool((np.ptp(y.reshape(8, -1, 16), axis=1) == 0).all())]
        y = np.asarray(layers.SpatialDropout2D(0.5, "channels_first", seed=3)(tf.ones((8, 16, 3, 4)), training=True))
        return [*found, bool((np.ptp(y.reshape(8, 16, -1), axis=2) == 0).all())]

    yield "SpatialDropout", whole_channels


def cases() -> Iterator[tuple[str, Program]]:
    """Every program."""
    for group in (convolutions, poolings, reshapings, activations, merges, starts, disturbances):
        yield from group()
