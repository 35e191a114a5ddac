"""Optimizers and schedules, to be run the same with `import client as tf` and with TensorFlow: the values must agree.

`cases()` gives names and functions of the module; each returns a list of NumPy arrays.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

STEPS = 10
SHAPES = {"kernel": (4, 3), "bias": (3,), "scalar": (), "table": (6, 2)}
ROWS = ([1, 4, 1], [0, 5], [2, 2, 2], [3], [])

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "Adam": [{}, {"amsgrad": True}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.01}],
    "AdamW": [{}, {"weight_decay": 0.1, "amsgrad": True}],
    "Adamax": [{}, {"beta_1": 0.5, "beta_2": 0.9}],
    "Nadam": [{}, {"beta_1": 0.5, "epsilon": 0.01}],
    "Lamb": [{}, {"beta_2": 0.9}],
    "Lion": [{}, {"beta_1": 0.5, "beta_2": 0.6}],
    "RMSprop": [
        {},
        {"momentum": 0.5},
        {"centered": True},
        {"momentum": 0.5, "centered": True, "rho": 0.8, "epsilon": 0.01},
    ],
    "Adagrad": [{}, {"initial_accumulator_value": 0.5, "epsilon": 0.01}],
    "Adadelta": [{}, {"rho": 0.5, "epsilon": 0.01}],
    "Ftrl": [
        {},
        {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.2, "beta": 0.3},
        {"l2_shrinkage_regularization_strength": 0.1, "learning_rate_power": -0.8},
    ],
}
COMMON: list[dict[str, Any]] = [
    {"weight_decay": 0.1},
    {"clipnorm": 0.5},
    {"clipvalue": 0.3},
    {"global_clipnorm": 0.7},
    {"use_ema": True, "ema_momentum": 0.5},
    {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
    {"gradient_accumulation_steps": 3},
    {"gradient_accumulation_steps": 2, "global_clipnorm": 0.7, "weight_decay": 0.1},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 2},
]
SCHEDULES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("ExponentialDecay", (0.1, 7, 0.9), {}),
    ("ExponentialDecay", (0.1, 7, 0.9), {"staircase": True}),
    ("PiecewiseConstantDecay", ([3, 10, 25], [0.1, 0.2, 0.05, 0.4]), {}),
    ("PiecewiseConstantDecay", ([3.5], [1.0, 0.5]), {}),
    ("PolynomialDecay", (0.1, 20), {}),
    ("PolynomialDecay", (0.1, 20), {"end_learning_rate": 0.03, "power": 2.0}),
    ("PolynomialDecay", (0.1, 6), {"cycle": True, "power": 0.5}),
    ("InverseTimeDecay", (0.1, 7, 0.9), {}),
    ("InverseTimeDecay", (0.1, 7, 0.9), {"staircase": True}),
    ("CosineDecay", (0.1, 20), {}),
    ("CosineDecay", (0.1, 20), {"alpha": 0.2}),
    ("CosineDecay", (0.0, 20), {"warmup_target": 0.3, "warmup_steps": 5}),
    ("CosineDecayRestarts", (0.1, 8), {}),
    ("CosineDecayRestarts", (0.1, 8), {"t_mul": 1.0, "m_mul": 0.5, "alpha": 0.1}),
    ("CosineDecayRestarts", (0.1, 8), {"t_mul": 1.5, "m_mul": 0.9}),
]


def weights_of(tf: Any, dtype: str) -> list[Any]:
    rng = np.random.default_rng(1)
    return [tf.Variable(rng.normal(size=shape).astype(dtype)) for shape in SHAPES.values()]


def gradients_of(tf: Any, step: int, dtype: str, sparse: bool) -> list[Any]:
    rng = np.random.default_rng(100 + step)
    dense = [tf.constant(rng.normal(size=shape).astype(dtype)) for shape in SHAPES.values()]
    if sparse:
        rows = ROWS[step % len(ROWS)]
        values = rng.normal(size=(len(rows), 2)).astype(dtype)
        dense[-1] = tf.IndexedSlices(tf.constant(values), tf.constant(np.array(rows, "int64")), tf.constant([6, 2]))
    return dense


def train(
    name: str,
    options: dict[str, Any],
    dtype: str = "float32",
    sparse: bool = False,
    schedule: tuple[str, tuple[Any, ...], dict[str, Any]] | None = None,
) -> Callable[[Any], list[Any]]:
    def run(tf: Any) -> list[Any]:
        rate: Any = 0.05
        if schedule is not None:
            rate = getattr(tf.keras.optimizers.schedules, schedule[0])(*schedule[1], **schedule[2])
        optimizer = getattr(tf.keras.optimizers, name)(learning_rate=rate, **options)
        weights = weights_of(tf, dtype)
        for step in range(STEPS):
            optimizer.apply_gradients(zip(gradients_of(tf, step, dtype, sparse), weights, strict=True))
        found = [w.numpy() for w in weights]
        if "use_ema" in options:
            optimizer.finalize_variable_values(weights)
            found += [w.numpy() for w in weights]
        return [*found, optimizer.iterations.numpy(), *(np.asarray(v.numpy()) for v in optimizer.variables)]

    return run


def follow(schedule: tuple[str, tuple[Any, ...], dict[str, Any]]) -> Callable[[Any], list[Any]]:
    def run(tf: Any) -> list[Any]:
        made = getattr(tf.keras.optimizers.schedules, schedule[0])(*schedule[1], **schedule[2])
        again = type(made).from_config(made.get_config())
        steps = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 13, 17, 20, 24, 25, 26, 40]
        whole = [made(tf.constant(step, tf.int64)).numpy() for step in steps]
        return [np.array(whole), np.array([again(step).numpy() for step in steps])]

    return run


def scaled(tf: Any) -> list[Any]:
    """A dynamic loss scale, with gradients that overflow on the way."""
    inner = tf.keras.optimizers.Adam(0.05)
    optimizer = tf.keras.optimizers.LossScaleOptimizer(inner, initial_scale=8.0, dynamic_growth_steps=3)
    weights = weights_of(tf, "float32")
    found = []
    for step in range(STEPS):
        grads = gradients_of(tf, step, "float32", False)
        if step in (2, 7):
            grads[1] = grads[1] * float("inf")
        optimizer.apply(grads, weights)
        found.append(np.asarray(optimizer.scale_loss(tf.constant(1.0)).numpy()))
    return [*found, *(w.numpy() for w in weights), *(np.asarray(v.numpy()) for v in inner.variables)]


def excluded(tf: Any) -> list[Any]:
    """Weight decay that leaves out a variable."""
    weights = weights_of(tf, "float32")
    optimizer = tf.keras.optimizers.SGD(0.05, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=weights[:1])
    optimizer.apply(gradients_of(tf, 0, "float32", False), weights)
    return [w.numpy() for w in weights]


def reset(tf: Any) -> list[Any]:
    """A learning rate that is set on the way."""
    weights = weights_of(tf, "float32")
    optimizer = tf.keras.optimizers.SGD(0.05)
    for step in range(3):
        optimizer.apply(gradients_of(tf, step, "float32", False), weights)
        optimizer.learning_rate = 0.1 * (step + 1)
    optimizer.learning_rate.assign(0.25)
    optimizer.apply(gradients_of(tf, 4, "float32", False), weights)
    return [*(w.numpy() for w in weights), np.asarray(optimizer.learning_rate.numpy())]


def cases() -> Iterator[tuple[str, Callable[[Any], list[Any]]]]:
    """Every name and function."""
    for name, variants in VARIANTS.items():
        for i, options in enumerate(variants):
            for sparse in (False, True):
                yield f"{name}-{i}-{'rows' if sparse else 'dense'}", train(name, options, sparse=sparse)
        yield f"{name}-float64", train(name, variants[0], dtype="float64")
        if name != "AdamW":
            yield f"{name}-decay-rows", train(name, variants[-1] | {"weight_decay": 0.1}, sparse=True)
    for i, options in enumerate(COMMON):
        for name in ("SGD", "Adam"):
            for sparse in (False, True):
                yield f"{name}-common{i}-{'rows' if sparse else 'dense'}", train(name, options, sparse=sparse)
    yield "SGD-loss-scale-factor", train("SGD", {"loss_scale_factor": 4.0})
    for i, schedule in enumerate(SCHEDULES):
        yield f"schedule-{schedule[0]}-{i}", follow(schedule)
        yield f"scheduled-{schedule[0]}-{i}", train("Adam", {"weight_decay": 0.1}, schedule=schedule)
    yield "loss-scale", scaled
    yield "excluded", excluded
    yield "reset", reset
