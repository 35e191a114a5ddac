"""Every layer: its output, and the gradients for its input and its weights, from fixed weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


def made(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).uniform(-1.0, 1.0, shape).astype(np.float32)


def layer(
    make: Callable[[Any], Any], *inputs: np.ndarray, training: bool | None = None, as_list: bool = False
) -> Callable[[Any], list[Any]]:
    """The program for one layer: built by a first call, given weights, called under a tape."""

    def program(tf: Any) -> list[Any]:
        tensors = [tf.constant(i) for i in inputs]
        each = make(tf.keras.layers)
        args = (list(tensors),) if as_list else tuple(tensors)
        options = {}
        if training is not None and "training" in inspect.signature(each.call).parameters:
            options["training"] = training
        each(*args)
        each.set_weights([made(*np.shape(w), seed=7 + i) * 0.5 + 0.6 * ("variance" in each.weights[i].name)
                          for i, w in enumerate(each.get_weights())])  # fmt: skip
        floats = [t for t in tensors if t.dtype.is_floating]
        with tf.GradientTape() as tape:
            tape.watch(floats)
            found = tf.nest.flatten(each(*args, **options))
            total = tf.add_n([tf.reduce_sum(tf.square(f) + f) for f in found])
        weights = list(each.trainable_variables)
        raw = [getattr(w, "value", w) if tf.__name__.startswith("tensorflow") else w for w in weights]
        gradients = tape.gradient(total, [*floats, *raw], unconnected_gradients="zero")
        after = each.get_weights() if training else []
        again = type(each).from_config(each.get_config())
        again(*args)
        again.set_weights(each.get_weights())
        same = tf.nest.flatten(again(*args, **options))
        return [*found, *(tf.convert_to_tensor(g) for g in gradients), *after, *(same if not training else [])]

    return program


def cases() -> Iterator[tuple[str, Any]]:
    """Every program."""
    line, image, cube, flat = made(2, 7, 4), made(2, 8, 7, 4), made(1, 5, 4, 3, 2), made(3, 6)
    index = np.array([[1, 2, 0], [3, 3, 1]], np.int32)
    programs: dict[str, tuple[Any, ...]] = {
        "Dense": (lambda k: k.Dense(3, activation="tanh"), flat),
        "Dense 3d": (lambda k: k.Dense(3, use_bias=False), line),
        "Flatten": (lambda k: k.Flatten(), image),
        "Flatten first": (lambda k: k.Flatten(data_format="channels_first"), image),
        "Activation": (lambda k: k.Activation("gelu"), flat),
        "Conv1D": (lambda k: k.Conv1D(5, 3, padding="causal", dilation_rate=2), line),
        "Conv1D strided": (lambda k: k.Conv1D(5, 3, strides=2, activation="relu"), line),
        "Conv2D": (lambda k: k.Conv2D(5, 3), image),
        "Conv2D same": (lambda k: k.Conv2D(5, (3, 2), strides=2, padding="same", activation="elu"), image),
        "Conv2D groups": (lambda k: k.Conv2D(6, 3, groups=2), image),
        "Conv2D no bias": (lambda k: k.Conv2D(6, 1, use_bias=False), image),
        "Conv3D": (lambda k: k.Conv3D(3, 2), cube),
        "Conv1DTranspose": (lambda k: k.Conv1DTranspose(5, 3, strides=2), line),
        "Conv2DTranspose": (lambda k: k.Conv2DTranspose(5, 3, strides=2, padding="same"), image),
        "Conv2DTranspose valid": (lambda k: k.Conv2DTranspose(5, 3, strides=2), image),
        "Conv2DTranspose output": (
            lambda k: k.Conv2DTranspose(5, 3, strides=2, padding="same", output_padding=1), image,
        ),
        "DepthwiseConv1D": (lambda k: k.DepthwiseConv1D(3, depth_multiplier=2), line),
        "DepthwiseConv2D": (lambda k: k.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), image),
        "SeparableConv1D": (lambda k: k.SeparableConv1D(5, 3), line),
        "SeparableConv2D": (lambda k: k.SeparableConv2D(5, 3, depth_multiplier=2, activation="relu"), image),
        "MaxPooling1D": (lambda k: k.MaxPooling1D(2), line),
        "MaxPooling2D": (lambda k: k.MaxPooling2D(), image),
        "MaxPooling2D same": (lambda k: k.MaxPooling2D(3, strides=2, padding="same"), image),
        "MaxPooling3D": (lambda k: k.MaxPooling3D(2), cube),
        "AveragePooling1D": (lambda k: k.AveragePooling1D(3, strides=1, padding="same"), line),
        "AveragePooling2D": (lambda k: k.AveragePooling2D((2, 3)), image),
        "GlobalAveragePooling1D": (lambda k: k.GlobalAveragePooling1D(), line),
        "GlobalAveragePooling2D": (lambda k: k.GlobalAveragePooling2D(keepdims=True), image),
        "GlobalMaxPooling1D": (lambda k: k.GlobalMaxPooling1D(), line),
        "GlobalMaxPooling2D": (lambda k: k.GlobalMaxPooling2D(data_format="channels_first"), image),
        "UpSampling1D": (lambda k: k.UpSampling1D(3), line),
        "UpSampling2D": (lambda k: k.UpSampling2D((2, 3)), image),
        "UpSampling2D bilinear": (lambda k: k.UpSampling2D(2, interpolation="bilinear"), image),
        "ZeroPadding1D": (lambda k: k.ZeroPadding1D((1, 2)), line),
        "ZeroPadding2D": (lambda k: k.ZeroPadding2D(((1, 2), (0, 3))), image),
        "Cropping1D": (lambda k: k.Cropping1D((1, 2)), line),
        "Cropping2D": (lambda k: k.Cropping2D(((1, 2), (0, 3))), image),
        "Reshape": (lambda k: k.Reshape((2, -1)), image),
        "Permute": (lambda k: k.Permute((3, 1, 2)), image),
        "RepeatVector": (lambda k: k.RepeatVector(3), flat),
        "ReLU": (lambda k: k.ReLU(max_value=0.5, negative_slope=0.1, threshold=0.2), image),
        "LeakyReLU": (lambda k: k.LeakyReLU(), image),
        "PReLU": (lambda k: k.PReLU(), line),
        "PReLU shared": (lambda k: k.PReLU(shared_axes=[1, 2]), image),
        "ELU": (lambda k: k.ELU(0.7), image),
        "Softmax": (lambda k: k.Softmax(axis=1), line),
        "Embedding": (lambda k: k.Embedding(5, 3), index),
        "Rescaling": (lambda k: k.Rescaling(0.5, offset=1.0), image),
        "Normalization": (lambda k: k.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 2.0, 3.0, 4.0]), image),
        "Normalization inverted": (lambda k: k.Normalization(axis=None, mean=0.5, variance=2.0, invert=True), image),
        "Masking": (lambda k: k.Masking(0.0), line),
        "BatchNormalization": (lambda k: k.BatchNormalization(), image),
        "LayerNormalization": (lambda k: k.LayerNormalization(), image),
        "LayerNormalization axes": (lambda k: k.LayerNormalization(axis=[1, 2]), image),
        "GroupNormalization": (lambda k: k.GroupNormalization(2), image),
        "UnitNormalization": (lambda k: k.UnitNormalization(), line),
        "TimeDistributed": (lambda k: k.TimeDistributed(k.Dense(3)), line),
        "SimpleRNN": (lambda k: k.SimpleRNN(3, return_sequences=True), line),
        "LSTM": (lambda k: k.LSTM(3), line),
        "GRU": (lambda k: k.GRU(3), line),
        "Bidirectional": (lambda k: k.Bidirectional(k.LSTM(3, return_sequences=True)), line),
        "Dropout off": (lambda k: k.Dropout(0.5), line),
        "GaussianNoise off": (lambda k: k.GaussianNoise(0.5), line),
        "SpatialDropout2D off": (lambda k: k.SpatialDropout2D(0.5), image),
    }  # fmt: skip
    for name, (make, *inputs) in programs.items():
        yield name, layer(make, *inputs)
    yield "BatchNormalization training", layer(lambda k: k.BatchNormalization(), image, training=True)
    yield "BatchNormalization axis 1", layer(lambda k: k.BatchNormalization(axis=1, scale=False), image, training=True)
    a, b, c = made(2, 3, 4), made(2, 3, 4, seed=1), made(2, 1, 4, seed=2)
    for name in ("Add", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
        given = (a, b) if name == "Concatenate" else (a, b, c)
        yield name, layer(lambda k, name=name: getattr(k, name)(), *given, as_list=True)
    yield "Subtract", layer(lambda k: k.Subtract(), a, c, as_list=True)
    yield "Concatenate 1", layer(lambda k: k.Concatenate(axis=1), a, c, as_list=True)
    yield "Dot", layer(lambda k: k.Dot(axes=2), a, b, as_list=True)
    yield "Dot normalized", layer(lambda k: k.Dot(axes=(1, 1), normalize=True), flat, made(3, 6, seed=3), as_list=True)
    yield "Attention", layer(lambda k: k.Attention(use_scale=True), a, b, as_list=True)
    yield "MultiHeadAttention", layer(lambda k: k.MultiHeadAttention(2, 3), a, b)
    yield "convnet", convnet


def convnet(tf: Any) -> list[Any]:
    """Ten steps of Adam on the digits' network: losses, and the weights at the end."""
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Input((None, None, 1)),
            layers.Conv2D(16, [3, 3], activation="relu"),
            layers.Conv2D(16, [3, 3], activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )
    model.set_weights([made(*np.shape(w), seed=i) * 0.3 for i, w in enumerate(model.get_weights())])
    optimizer = tf.keras.optimizers.Adam(1e-2)
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    images, labels = made(32, 8, 8, 1), np.random.default_rng(0).integers(0, 10, 32)
    found = []
    for _ in range(10):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(images, training=True))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        found.append(np.asarray(loss))
    return [*found, *model.get_weights()]
