"""What layers promise beyond their values: signatures, configurations, shapes of symbolic outputs, errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.peers.layer_programs import Program, normal
from tests.peers.sweep_layer_options import CUBE, FLAT, IMAGE, LINE, error

NAMES = [
    *(f"{kind}{n}D" for kind in ("Conv", "MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling",
                                 "ZeroPadding", "Cropping", "UpSampling", "SpatialDropout") for n in (1, 2, 3)),
    *(f"Conv{n}DTranspose" for n in (1, 2, 3)),
    *(f"{kind}Conv{n}D" for kind in ("Depthwise", "Separable") for n in (1, 2)),
    *("Dense", "Flatten", "Activation", "Dropout", "Reshape", "Permute", "RepeatVector"),
    *("ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "GaussianNoise", "GaussianDropout", "AlphaDropout"),
    *("ActivityRegularization", "Embedding", "Rescaling", "Normalization", "Masking", "Identity"),
    *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"),
]  # fmt: skip
OTHER_DEFAULTS = {("Average", "pool_size"), ("MaxPool", "pool_size")}  # 2, as in TensorFlow 2.4
ONE_SIDE_ALONE = {"lora_rank", "lora_alpha", "quantization_config", "kwargs", "weights"}
REQUIRED: dict[str, dict[str, Any]] = {
    "Dense": {"units": 3}, "Activation": {"activation": "relu"}, "Dropout": {"rate": 0.5},
    "Reshape": {"target_shape": (2, 3)}, "Permute": {"dims": (2, 1)}, "RepeatVector": {"n": 2},
    "GaussianNoise": {"stddev": 0.5}, "GaussianDropout": {"rate": 0.5}, "AlphaDropout": {"rate": 0.5},
    "Embedding": {"input_dim": 3, "output_dim": 2}, "Rescaling": {"scale": 2.0}, "Dot": {"axes": 1},
    **{f"SpatialDropout{n}D": {"rate": 0.5} for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": {"pool_size": 2} for n in (1, 2, 3)},
}  # fmt: skip


def arguments(name: str) -> dict[str, Any]:
    """What a layer can't be made without."""
    if name in REQUIRED:
        return REQUIRED[name]
    found = {"kernel_size": 2} if "Conv" in name else {}
    return found if "Conv" not in name or "Depthwise" in name else {"filters": 3, **found}


def signature(name: str) -> Program:
    """The parameters and their defaults, in order."""

    def program(tf: Any) -> list[Any]:
        parameters = list(inspect.signature(getattr(tf.keras.layers, name).__init__).parameters.values())[1:]
        return [
            ", ".join(
                f"{p.name}={'...' if p.default is p.empty else repr(p.default)}"
                for p in parameters
                if p.name not in ONE_SIDE_ALONE and (name[:7], p.name) not in OTHER_DEFAULTS
            )
        ]

    return program


def configuration(name: str) -> Program:
    """What the configuration holds beyond name, dtype and nested objects."""

    def program(tf: Any) -> list[Any]:
        config = getattr(tf.keras.layers, name)(**arguments(name)).get_config()
        dropped = {"name", "trainable", "dtype", "quantization_config", "activity_regularizer"}
        plain = {k: "object" if isinstance(v, dict) else v for k, v in config.items() if k not in dropped}
        return [" ".join(f"{k}={tuple(v) if isinstance(v, list) else v}" for k, v in sorted(plain.items()))]

    return program


def symbolic(make: Callable[[Any], Any], *shapes: tuple[int | None, ...], dtype: str = "float32") -> Program:
    """The shape that a layer gives for symbolic inputs, and `compute_output_shape`."""

    def program(tf: Any) -> list[Any]:
        layer = make(tf.keras.layers)
        inputs = [tf.keras.Input(s, dtype=dtype) for s in shapes]
        found = layer(inputs[0] if len(inputs) == 1 else inputs)
        batched = [(None, *s) for s in shapes]
        computed = layer.compute_output_shape(batched[0] if len(batched) == 1 else batched)
        return [str(tuple(found.shape)), str(tuple(computed))]

    return program


def symbolics() -> Iterator[tuple[str, Program]]:
    """Shapes with dims that are not known."""
    shapes: dict[str, tuple[Callable[[Any], Any], tuple[Any, ...]]] = {
        "Conv1D": (lambda k: k.Conv1D(3, 2, padding="causal"), ((None, 4),)),
        "Conv2D": (lambda k: k.Conv2D(3, 2, strides=2), ((None, 7, 4),)),
        "Conv2D same": (lambda k: k.Conv2D(3, 2, strides=2, padding="same"), ((9, None, 4),)),
        "Conv3D": (lambda k: k.Conv3D(3, 2), ((None, 7, None, 4),)),
        "Conv1DTranspose": (lambda k: k.Conv1DTranspose(3, 2, 2), ((None, 4),)),
        "Conv2DTranspose": (lambda k: k.Conv2DTranspose(3, 2, 2), ((None, 7, 4),)),
        "DepthwiseConv2D": (lambda k: k.DepthwiseConv2D(3), ((None, 7, 4),)),
        "SeparableConv1D": (lambda k: k.SeparableConv1D(3, 2), ((None, 4),)),
        "MaxPooling2D": (lambda k: k.MaxPooling2D(), ((None, 7, 4),)),
        "AveragePooling1D": (lambda k: k.AveragePooling1D(3, 2, "same"), ((None, 4),)),
        "MaxPooling1D first": (lambda k: k.MaxPooling1D(data_format="channels_first"), ((4, 9),)),
        "GlobalMaxPooling2D": (lambda k: k.GlobalMaxPooling2D(), ((None, None, 4),)),
        "GlobalAveragePooling3D": (lambda k: k.GlobalAveragePooling3D(keepdims=True), ((None, 2, 3, 4),)),
        "Reshape": (lambda k: k.Reshape((2, -1)), ((6, 4),)),
        "Reshape unknown": (lambda k: k.Reshape((-1, 2)), ((None, 4),)),
        "Permute": (lambda k: k.Permute((2, 1)), ((None, 4),)),
        "RepeatVector": (lambda k: k.RepeatVector(3), ((4,),)),
        "Flatten": (lambda k: k.Flatten(), ((3, 4),)),
        "Flatten unknown": (lambda k: k.Flatten(), ((None, 4),)),
        "UpSampling1D": (lambda k: k.UpSampling1D(3), ((None, 4),)),
        "UpSampling2D": (lambda k: k.UpSampling2D((2, 3)), ((None, 5, 4),)),
        "UpSampling2D bilinear": (lambda k: k.UpSampling2D((2, 3), interpolation="bilinear"), ((None, 5, 4),)),
        "UpSampling3D": (lambda k: k.UpSampling3D(2), ((None, 5, 2, 4),)),
        "ZeroPadding2D": (lambda k: k.ZeroPadding2D(1), ((None, 5, 4),)),
        "Cropping1D": (lambda k: k.Cropping1D(1), ((None, 4),)),
        "Cropping2D": (lambda k: k.Cropping2D(1), ((None, 5, 4),)),
        "Add": (lambda k: k.Add(), ((None, 4), (None, 1))),
        "Add ranks": (lambda k: k.Add(), ((3, 4), (4,))),
        "Multiply": (lambda k: k.Multiply(), ((3, 4), (3, 4))),
        "Concatenate": (lambda k: k.Concatenate(), ((None, 4), (None, 1))),
        "Concatenate 1": (lambda k: k.Concatenate(1), ((None, 4), (3, 4))),
        "Concatenate known": (lambda k: k.Concatenate(1), ((2, 4), (3, 4))),
        "Dot": (lambda k: k.Dot(2), ((3, 4), (5, 4))),
        "Dot unknown": (lambda k: k.Dot(2), ((None, 4), (5, 4))),
        "Dot vectors": (lambda k: k.Dot(1), ((4,), (4,))),
        "PReLU": (lambda k: k.PReLU(shared_axes=[1]), ((None, 4),)),
        "Softmax": (lambda k: k.Softmax(), ((None, 4),)),
        "Dropout": (lambda k: k.Dropout(0.5), ((None, 4),)),
        "Rescaling": (lambda k: k.Rescaling(2.0), ((None, 4),)),
        "Normalization": (lambda k: k.Normalization(), ((None, 4),)),
        "Masking": (lambda k: k.Masking(), ((None, 4),)),
    }  # fmt: skip
    for name, (make, inputs) in shapes.items():
        yield f"symbolic {name}", symbolic(make, *inputs)
    yield "symbolic Embedding", symbolic(lambda k: k.Embedding(5, 3), (None,), dtype="int32")

    def network(tf: Any) -> list[Any]:
        k = tf.keras.layers
        inputs = tf.keras.Input((None, None, 2))
        x = k.Conv2D(4, 3, padding="same", activation="relu")(inputs)
        x = k.Conv2DTranspose(4, 3, 2, padding="same")(k.MaxPooling2D()(x))
        x = k.Concatenate()([x, k.ZeroPadding2D(0)(inputs)])
        x = k.UpSampling2D(2, interpolation="bilinear")(k.Cropping2D(1)(x))
        model = tf.keras.Model(inputs, k.Reshape((-1, 6))(x))
        model.set_weights([normal(i, *np.shape(w)) * 0.3 for i, w in enumerate(model.get_weights())])
        return [model(tf.constant(normal(i, 2, 6, 4 + i, 2))) for i in (0, 2)]

    yield "network of unknown size", network


def errors() -> Iterator[tuple[str, Program]]:
    """What must fail, and with which class."""
    wrong: dict[str, Callable[[Any, Any], Any]] = {
        "Conv2D filters": lambda tf, k: k.Conv2D(0, 2),
        "Conv2D groups": lambda tf, k: k.Conv2D(3, 2, groups=2),
        "Conv2D no groups": lambda tf, k: k.Conv2D(3, 2, groups=0),
        "Conv2D groups of input": lambda tf, k: k.Conv2D(3, 2, groups=3)(tf.constant(IMAGE)),
        "Conv2D kernel": lambda tf, k: k.Conv2D(3, (2, 2, 2)),
        "Conv2D kernel 0": lambda tf, k: k.Conv2D(3, (2, 0)),
        "Conv2D strides": lambda tf, k: k.Conv2D(3, 2, strides=(1, 0)),
        "Conv2D strides word": lambda tf, k: k.Conv2D(3, 2, strides="a"),
        "Conv2D strides none": lambda tf, k: k.Conv2D(3, 2, strides=None),
        "Conv2D both": lambda tf, k: k.Conv2D(3, 2, strides=2, dilation_rate=2),
        "Conv2D padding": lambda tf, k: k.Conv2D(3, 2, padding="causal"),
        "Conv2D padding word": lambda tf, k: k.Conv2D(3, 2, padding="full"),
        "Conv2D format": lambda tf, k: k.Conv2D(3, 2, data_format="last"),
        "Conv2D activation": lambda tf, k: k.Conv2D(3, 2, activation="nothing"),
        "Conv2D rank": lambda tf, k: k.Conv2D(3, 2)(tf.constant(LINE)),
        "Conv2D rank 5": lambda tf, k: k.Conv2D(3, 2)(tf.constant(CUBE)),
        "Conv2D small": lambda tf, k: k.Conv2D(3, 9)(tf.constant(IMAGE)),
        "Conv2D channels": lambda tf, k: [c := k.Conv2D(3, 2), c(tf.constant(IMAGE)), c(tf.constant(IMAGE[..., :2]))],
        "Conv2D words": lambda tf, k: k.Conv2D(3, 2, filter=4),
        "DepthwiseConv2D multiplier": lambda tf, k: k.DepthwiseConv2D(2, depth_multiplier=0),
        "DepthwiseConv2D both": lambda tf, k: k.DepthwiseConv2D(2, strides=2, dilation_rate=2),
        "SeparableConv2D filters": lambda tf, k: k.SeparableConv2D(-1, 2),
        "Conv2DTranspose output": lambda tf, k: k.Conv2DTranspose(3, 2, strides=2, output_padding=2),
        "Conv2DTranspose both": lambda tf, k: k.Conv2DTranspose(3, 2, strides=2, dilation_rate=2),
        "Conv1DTranspose causal": lambda tf, k: k.Conv1DTranspose(3, 2, padding="causal"),
        "MaxPooling2D size": lambda tf, k: k.MaxPooling2D((2, 2, 2)),
        "MaxPooling2D zero": lambda tf, k: k.MaxPooling2D(0),
        "MaxPooling2D small": lambda tf, k: k.MaxPooling2D(9)(tf.constant(IMAGE)),
        "MaxPooling2D rank": lambda tf, k: k.MaxPooling2D()(tf.constant(LINE)),
        "MaxPooling2D format": lambda tf, k: k.MaxPooling2D(data_format="first"),
        "GlobalMaxPooling1D rank": lambda tf, k: k.GlobalMaxPooling1D()(tf.constant(IMAGE)),
        "Reshape size": lambda tf, k: k.Reshape((5, 5))(tf.constant(LINE)),
        "Reshape two unknown": lambda tf, k: k.Reshape((-1, -1))(tf.constant(LINE)),
        "Reshape uneven": lambda tf, k: k.Reshape((-1, 5))(tf.constant(LINE)),
        "Permute dims": lambda tf, k: k.Permute((0, 1)),
        "Permute rank": lambda tf, k: k.Permute((2, 1))(tf.constant(IMAGE)),
        "RepeatVector n": lambda tf, k: k.RepeatVector(1.5),
        "RepeatVector rank": lambda tf, k: k.RepeatVector(2)(tf.constant(LINE)),
        "ZeroPadding2D three": lambda tf, k: k.ZeroPadding2D((1, 2, 3)),
        "ZeroPadding2D word": lambda tf, k: k.ZeroPadding2D("a"),
        "ZeroPadding2D none": lambda tf, k: k.ZeroPadding2D(None),
        "ZeroPadding2D negative": lambda tf, k: k.ZeroPadding2D(((1, -2), (1, 1))),
        "ZeroPadding1D three": lambda tf, k: k.ZeroPadding1D((1, 2, 3)),
        "Cropping2D all": lambda tf, k: k.Cropping2D(4)(tf.constant(IMAGE)),
        "Cropping1D all": lambda tf, k: k.Cropping1D(4)(tf.constant(LINE)),
        "Cropping3D all": lambda tf, k: k.Cropping3D(4)(tf.constant(CUBE)),
        "Cropping2D three": lambda tf, k: k.Cropping2D((1, 2, 3)),
        "UpSampling2D word": lambda tf, k: k.UpSampling2D(2, interpolation="linear")(tf.constant(IMAGE)),
        "UpSampling2D size": lambda tf, k: k.UpSampling2D((2, 2, 2)),
        "ReLU max": lambda tf, k: k.ReLU(-1.0),
        "ReLU slope": lambda tf, k: k.ReLU(negative_slope=None),
        "ReLU slope negative": lambda tf, k: k.ReLU(negative_slope=-1.0),
        "ReLU threshold": lambda tf, k: k.ReLU(threshold=-1.0),
        "LeakyReLU none": lambda tf, k: k.LeakyReLU(None),
        "LeakyReLU negative": lambda tf, k: k.LeakyReLU(-0.5),
        "PReLU unknown": lambda tf, k: k.PReLU()(tf.keras.Input((None, 4))),
        "Add no list": lambda tf, k: k.Add()(tf.constant(LINE)),
        "Add one": lambda tf, k: k.Add()([tf.constant(LINE)]),
        "Add shapes": lambda tf, k: k.Add()([tf.constant(LINE), tf.constant(LINE[:, :3])]),
        "Add batches": lambda tf, k: k.Add()([tf.ones((2, 3)), tf.ones((3, 3))]),
        "Subtract three": lambda tf, k: k.Subtract()([tf.ones((2, 3))] * 3),
        "Concatenate shapes": lambda tf, k: k.Concatenate()([tf.constant(LINE), tf.constant(LINE[:, :3])]),
        "Concatenate ranks": lambda tf, k: k.Concatenate()([tf.constant(LINE), tf.constant(FLAT)]),
        "Concatenate no list": lambda tf, k: k.Concatenate()(tf.constant(LINE)),
        "Dot axes": lambda tf, k: k.Dot("a"),
        "Dot three axes": lambda tf, k: k.Dot((1, 2, 3)),
        "Dot words": lambda tf, k: k.Dot((1, "a")),
        "Dot dims": lambda tf, k: k.Dot(1)([tf.ones((2, 3)), tf.ones((2, 4))]),
        "Dot three": lambda tf, k: k.Dot(1)([tf.ones((2, 3))] * 3),
        "Dot vectors": lambda tf, k: k.Dot(0)([tf.ones((2,)), tf.ones((2,))]),
        "Dot batches": lambda tf, k: k.Dot(1)([tf.ones((2, 3)), tf.ones((4, 3))]),
        "Dot batch": lambda tf, k: k.Dot(0)([tf.ones((2, 3)), tf.ones((2, 3))]),
        "Normalization one": lambda tf, k: k.Normalization(mean=1.0),
        "Normalization axis": lambda tf, k: k.Normalization(axis=5)(tf.constant(LINE)),
        "Normalization unknown": lambda tf, k: k.Normalization(axis=1)(tf.keras.Input((None, 4))),
        "Normalization adapted": lambda tf, k: k.Normalization(mean=1.0, variance=1.0, axis=None).adapt(FLAT),
        "Normalization shapes": lambda tf, k: k.Normalization(mean=[1.0, 2.0], variance=[1.0, 2.0])(tf.constant(FLAT)),
        "Normalization two shapes": lambda tf, k: k.Normalization(mean=[1.0], variance=1.0),
        "Normalization rank": lambda tf, k: k.Normalization(mean=[[1.0]], variance=[[1.0]]),
        "Normalization other dims": lambda tf, k: [c := k.Normalization(), c.adapt(FLAT), c.adapt(FLAT[:, :2])],
        "Normalization numbers": lambda tf, k: k.Normalization().adapt([1.0, 2.0]),
        "Normalization nothing": lambda tf, k: k.Normalization().adapt([]),
        "Normalization of a number": lambda tf, k: k.Normalization().adapt(3),
        "Embedding sizes": lambda tf, k: k.Embedding(0, 3),
        "Embedding size": lambda tf, k: k.Embedding(2.0, 3),
        "Embedding beyond": lambda tf, k: np.asarray(k.Embedding(3, 2)(tf.constant([[5]]))),
        "Embedding weights": lambda tf, k: k.Embedding(3, 2, weights=[FLAT])(tf.constant([[1]])),
        "Layer words": lambda tf, k: k.Rescaling(1.0, nothing=1),
        "Softmax words": lambda tf, k: k.Softmax(nothing=1),
    }  # fmt: skip
    for name, make in wrong.items():
        yield f"error {name}", error(make)


def cases() -> Iterator[tuple[str, Program]]:
    """Every program."""
    for name in NAMES:
        yield f"signature {name}", signature(name)
        if name != "AlphaDropout":  # `tf.keras` has an older one, without the shape of the noise
            yield f"configuration {name}", configuration(name)
    yield from symbolics()
    yield from errors()
