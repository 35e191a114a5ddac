"""Normalization layers with every option that changes numbers, in training and out of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.peers.layer_programs import NAME, Program, layer_program, normal

X2, X3, X4 = normal(0, 6, 4) * 2 + 1, normal(1, 3, 5, 4) - 2, normal(2, 2, 3, 5, 4) * 3
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool)
OPTIONS: dict[str, dict[str, Any]] = {
    "": {},
    " uncentered": {"center": False},
    " unscaled": {"scale": False},
    " bare": {"center": False, "scale": False},
    " epsilon": {"epsilon": 0.5},
}


def positive(path: str, i: int, shape: tuple[int, ...]) -> np.ndarray:
    """Weights that can be variances."""
    return np.abs(normal(i, *shape)) + 0.5


def make(kind: str, *arguments: Any, **options: Any) -> Any:
    return lambda layers: getattr(layers, kind)(*arguments, name=NAME, **options)


def plain(tf: Any, layer: Any, x: Any) -> Any:
    return layer(x)


def training(tf: Any, layer: Any, x: Any) -> Any:
    return layer(x, training=True)


def program(layer: Any, call: Any, x: np.ndarray) -> Program:
    return layer_program(layer, call, [x], weights=positive)


def batch() -> Iterator[tuple[str, Any]]:
    kind = "BatchNormalization"

    def masked(tf: Any, layer: Any, x: Any) -> Any:
        return layer(x, training=True, mask=tf.constant(MASK))

    def frozen(tf: Any, layer: Any, x: Any) -> Any:
        layer.trainable = False
        return layer(x, training=True)

    for how, call in (("", plain), (" training", training)):
        for name, options in OPTIONS.items():
            yield f"{kind}{name}{how}", program(make(kind, **options), call, X4)
        for x in (X2, X3):
            yield f"{kind} of rank {x.ndim}{how}", program(make(kind), call, x)
        for axis in (1, 2, -2, 3):
            yield f"{kind} axis {axis}{how}", program(make(kind, axis=axis), call, X4)
        yield f"{kind} momentum{how}", program(make(kind, momentum=0.3), call, X3)
        yield f"{kind} of integers{how}", program(make(kind), call, np.arange(12, dtype=np.int32).reshape(3, 4))
        yield f"{kind} float64{how}", program(make(kind, dtype="float64"), call, X3.astype(np.float64))
        for clipping in (None, {"rmax": 1.2, "rmin": 0.8, "dmax": 0.3}, {"dmax": 0.1}):
            for name in ("", " bare", " uncentered", " unscaled"):
                options = {**OPTIONS[name], "renorm": True, "renorm_clipping": clipping, "renorm_momentum": 0.7}
                if clipping is not None:
                    yield f"{kind} renorm{name} {clipping}{how}", program(make(kind, **options), call, X3)
    yield f"{kind} masked", program(make(kind), masked, X3)
    yield f"{kind} axis 1, rank 2", program(make(kind, axis=1), training, X2)
    yield f"{kind} frozen", program(make(kind), frozen, X3)
    yield f"{kind} no batch", program(make(kind), plain, X3[:0])
    yield f"{kind} no batch, training", program(make(kind), training, X3[:0])
    yield f"{kind} one example", program(make(kind), training, X2[:1])
    yield (
        f"{kind} initial weights",
        program(
            make(kind, gamma_initializer="zeros", moving_mean_initializer="ones", beta_regularizer="l2"), training, X2
        ),
    )


def others() -> Iterator[tuple[str, Any]]:
    for name, options in OPTIONS.items():
        yield f"LayerNormalization{name}", program(make("LayerNormalization", **options), plain, X3)
        yield f"LayerNormalization first{name}", program(make("LayerNormalization", axis=1, **options), plain, X3)
        yield f"GroupNormalization{name}", program(make("GroupNormalization", 2, **options), plain, X4)
    for axis in (1, -2, [1, 2], (-1, -2), [2, 1], [1, 2, 3], (3,)):
        yield f"LayerNormalization axis {axis}", program(make("LayerNormalization", axis=axis), plain, X4)
        yield f"UnitNormalization axis {axis}", program(make("UnitNormalization", axis=axis), plain, X4)
    yield "LayerNormalization rms", program(make("LayerNormalization", rms_scaling=True), plain, X4)
    for groups in (1, 2, 4, -1):
        for x in (X2, X3, X4):
            yield f"GroupNormalization {groups}, rank {x.ndim}", program(make("GroupNormalization", groups), plain, x)
    for axis, groups in ((1, 3), (2, 5), (2, 1), (-1, 2)):
        yield (
            f"GroupNormalization {groups}, axis {axis}",
            program(make("GroupNormalization", groups, axis=axis), plain, X4),
        )
    yield "UnitNormalization", program(make("UnitNormalization"), plain, X3)
    yield "UnitNormalization of small numbers", program(make("UnitNormalization"), plain, X3 * 1e-9)
    yield "UnitNormalization of zeros", program(make("UnitNormalization"), plain, np.zeros((2, 3), np.float32))
    for kind, arguments in (("LayerNormalization", ()), ("GroupNormalization", (2,)), ("UnitNormalization", ())):
        yield f"{kind} no batch", program(make(kind, *arguments), plain, X3[:0])
        yield f"{kind} float64", program(make(kind, *arguments, dtype="float64"), plain, X3.astype(np.float64))
        yield f"{kind} float16", half(make(kind, *arguments, dtype="float16"))
    yield "BatchNormalization float16", half(make("BatchNormalization", dtype="float16"))


def half(layer: Any) -> Program:
    def program(tf: Any) -> list[Any]:
        made = layer(tf.keras.layers)
        found = made(tf.constant(X3 * 300, tf.float16))
        return [found.dtype.name, found.numpy().astype(np.float32)]

    return program


def arguments() -> Iterator[tuple[str, Any]]:
    for kind in ("BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization"):

        def program(tf: Any, kind: str = kind) -> list[Any]:
            import inspect

            layer = getattr(tf.keras.layers, kind)
            parameters = inspect.signature(layer).parameters.values()
            return [
                ", ".join(f"{p.name}={p.default}" for p in parameters if p.name not in ("args", "kwargs")),
                " ".join(sorted(layer().get_config())),
            ]

        yield f"{kind}'s arguments", program


def cases() -> Iterator[tuple[str, Any]]:
    yield from batch()
    yield from others()
    yield from arguments()
