"""The small parts of Keras: activations, regularizers and constraints with gradients, initializers that draw nothing,
and the utilities for arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

RNG = np.random.default_rng(11)
X = RNG.normal(scale=3.0, size=(4, 6)).astype(np.float32)
SPECIAL = np.array([[-8.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 6.0, 7.0, 30.0, -30.0, 100.0]], "f")
# At corners the slopes are a choice; these points have none of the activations' corners.
SMOOTH = np.array([[-8.0, -3.5, -1.25, -0.75, -0.3, 0.3, 0.75, 1.25, 2.5, 3.5, 6.5, 30.0, -30.0, -100.0]], "f")
W = RNG.normal(size=(3, 4, 2)).astype(np.float32)
W[:, 1, 0] = 0.0

PLAIN = (
    "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear log_sigmoid "
    "log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid "
    "sparsemax squareplus tanh tanh_shrink"
)
DRAWN = (
    "RandomNormal RandomUniform TruncatedNormal GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform "
    "VarianceScaling Orthogonal"
)
ACTIVATIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in PLAIN.split()),
    ("celu", {"alpha": 0.5}),
    ("elu", {"alpha": 0.5}),
    ("gelu", {"approximate": True}),
    ("glu", {"axis": 0}),
    ("hard_shrink", {"threshold": 1.1}),
    ("soft_shrink", {"threshold": 1.1}),
    ("leaky_relu", {"negative_slope": 0.4}),
    ("log_softmax", {"axis": 0}),
    ("softmax", {"axis": 0}),
    ("softmax", {"axis": (0, 1)}),
    ("sparsemax", {"axis": 0}),
    ("squareplus", {"b": 1.0}),
    ("threshold", {"threshold": 0.4, "default_value": -2.0}),
    ("relu", {"max_value": 2.2}),
    ("relu", {"negative_slope": 0.1}),
    ("relu", {"threshold": 0.9}),
    ("relu", {"negative_slope": 0.1, "threshold": 0.9}),
    ("relu", {"negative_slope": 0.1, "threshold": 0.9, "max_value": 2.2}),
    ("relu", {"threshold": 0.9, "max_value": 2.2}),
]  # fmt: skip


def with_gradient(call: Callable[[Any, Any], Any], x: np.ndarray) -> Callable[[Any], list[Any]]:
    """The value, and the gradient for weights that differ from element to element."""

    def program(tf: Any) -> list[Any]:
        given = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(given)
            found = call(tf.keras, given)
            weights = np.sin(np.arange(1.0, np.size(found) + 1.0)).reshape(found.shape)
            loss = tf.reduce_sum(found * tf.constant(weights, found.dtype))
        return [found, tape.gradient(loss, given)]

    return program


def activations() -> Iterator[tuple[Any, ...]]:
    for name, options in ACTIVATIONS:

        def call(keras: Any, x: Any, name: str = name, options: dict[str, Any] = options) -> Any:
            return getattr(keras.activations, name)(x, **options)

        label = f"{name} {options}" if options else name
        if name == "sparsemax":  # Keras adds partial sums where several elements are left: no distribution comes out
            yield label, with_gradient(call, SMOOTH)
            continue
        yield label, with_gradient(call, X)
        if options.get("axis") != 0:
            yield f"{label}, smooth points", with_gradient(call, SMOOTH)
            yield f"{label}, special points", lambda tf, call=call: [call(tf.keras, tf.constant(SPECIAL))]
        if name != "linear":
            yield (
                f"{label}, half",
                lambda tf, call=call: [np.asarray(call(tf.keras, tf.constant(X, tf.float16)), np.float32)],
                4e-3,
            )
        # TensorFlow holds some of the factors in single precision.
        yield f"{label}, double", lambda tf, call=call: [call(tf.keras, tf.constant(X, tf.float64))], 1e-7


def regularizers() -> Iterator[tuple[Any, ...]]:
    kinds: dict[str, Callable[[Any], Any]] = {
        "L1": lambda r: r.L1(0.5),
        "L2": lambda r: r.L2(0.5),
        "L1L2": lambda r: r.L1L2(0.25, 0.5),
        "L1L2 of L2": lambda r: r.L1L2(l2=0.5),
        "Orthogonal": lambda r: r.OrthogonalRegularizer(2.0),
        "Orthogonal columns": lambda r: r.OrthogonalRegularizer(2.0, "columns"),
        "l1 by name": lambda r: r.get("l1"),
        "l2 by name": lambda r: r.get("l2"),
    }
    for name, make in kinds.items():
        yield name, with_gradient(lambda keras, x, make=make: make(keras.regularizers)(x), X)
    yield "L1L2 of nothing", lambda tf: [tf.keras.regularizers.L1L2()(tf.constant(X))]
    for name, wrong in (("negative", -1.0), ("nan", float("nan")), ("infinite", float("inf")), ("text", "x")):
        yield f"L1 {name}", lambda tf, wrong=wrong: [tf.keras.regularizers.L1(wrong)]
    yield "Orthogonal of a vector", lambda tf: [tf.keras.regularizers.OrthogonalRegularizer()(tf.constant([1.0]))]
    yield "unknown regularizer", lambda tf: [tf.keras.regularizers.get("nothing")]


def constraints() -> Iterator[tuple[Any, ...]]:
    kinds: dict[str, Callable[[Any], Any]] = {
        "NonNeg": lambda c: c.NonNeg(),
        "MaxNorm": lambda c: c.MaxNorm(),
        "MaxNorm 0.5": lambda c: c.MaxNorm(0.5, axis=1),
        "MaxNorm axes": lambda c: c.MaxNorm(1.5, axis=[0, 1]),
        "UnitNorm": lambda c: c.UnitNorm(),
        "UnitNorm axes": lambda c: c.UnitNorm([0, 1, 2]),
        "MinMaxNorm": lambda c: c.MinMaxNorm(),
        "MinMaxNorm rate": lambda c: c.MinMaxNorm(1.5, 2.0, 0.25, axis=1),
        "max_norm by name": lambda c: c.get("max_norm"),
        "unit_norm by name": lambda c: c.get("unit_norm"),
        "non_neg by name": lambda c: c.get("non_neg"),
    }
    for name, make in kinds.items():
        yield name, lambda tf, make=make: [make(tf.keras.constraints)(tf.constant(W))]
        yield f"{name}, of an array", lambda tf, make=make: [make(tf.keras.constraints)(W)]
    yield "unknown constraint", lambda tf: [tf.keras.constraints.get("nothing")]


def initializers() -> Iterator[tuple[Any, ...]]:
    kinds: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
        "Zeros": (lambda i: i.Zeros(), (2, 3)),
        "Ones": (lambda i: i.get("ones"), (2, 3)),
        "Constant": (lambda i: i.Constant(2.5), (2, 3)),
        "Identity": (lambda i: i.Identity(2.0), (2, 3)),
        "Identity of a vector": (lambda i: i.Identity(), (2,)),
        "Orthogonal of a vector": (lambda i: i.Orthogonal(), (2,)),
        "of an array": (lambda i: i.get(np.arange(6.0).reshape(2, 3)), (2, 3)),
        "wrong scale": (lambda i: i.VarianceScaling(-1.0), (2,)),
        "wrong mode": (lambda i: i.VarianceScaling(mode="x"), (2,)),
        "wrong distribution": (lambda i: i.VarianceScaling(distribution="x"), (2,)),
        "unknown": (lambda i: i.get("nothing"), (2,)),
    }
    for name, (make, shape) in kinds.items():
        for dtype in (None, "float64", "int32"):
            yield (
                f"initializer {name} {dtype}",
                lambda tf, make=make, shape=shape, dtype=dtype: [make(tf.keras.initializers)(shape, dtype)],
            )
    for name in DRAWN.split():
        yield f"initializer {name}", lambda tf, name=name: moments(tf, name, (300, 200)), 0.02
        yield f"initializer {name}, of a window", lambda tf, name=name: moments(tf, name, (5, 4, 30, 60)), 0.02


def moments(tf: Any, name: str, shape: tuple[int, ...]) -> list[Any]:
    """What many numbers tell about their distribution, in units of its deviation; and the deviation's logarithm."""
    found = np.asarray(getattr(tf.keras.initializers, name)(seed=3)(shape), np.float64)
    deviation = found.std()
    return [
        found.mean() / deviation,
        np.log(deviation),
        np.mean((found / deviation) ** 4),
        # The end of a bounded distribution; of an unbounded one, a quantile.
        np.quantile(np.abs(found) / deviation, 0.99),
    ]


def utilities() -> Iterator[tuple[Any, ...]]:
    labels = np.array([[0, 2], [3, 1]])
    for name, given, options in (
        ("list", [0, 2, 1], {}),
        ("column", labels.reshape(4, 1), {}),
        ("matrix", labels, {"num_classes": 5}),
        ("scalar", 2, {}),
        ("floats", [0.0, 1.7], {"num_classes": 3}),
        ("negative", [-1, 1], {"num_classes": 3}),
        ("empty", [], {"num_classes": 3}),
        ("nothing", [], {}),
        ("too large", [3], {"num_classes": 3}),
    ):
        yield f"to_categorical {name}", lambda tf, g=given, o=options: [tf.keras.utils.to_categorical(g, **o)]
    for name, given in (("vector", labels[0]), ("column", labels.reshape(4, 1)), ("out of range", np.array([-1, 9]))):
        yield f"to_categorical tensor {name}", lambda tf, g=given: [tf.keras.utils.to_categorical(tf.constant(g), 4)]
    yield "to_categorical tensor alone", lambda tf: [tf.keras.utils.to_categorical(tf.constant([1]))]
    for order in (1, 2, 3):
        yield f"normalize {order}", lambda tf, o=order: [tf.keras.utils.normalize(X, order=o)]
        for axis in (0, -1):
            yield (
                f"normalize tensor {order} {axis}",
                lambda tf, o=order, a=axis: [tf.keras.utils.normalize(tf.constant(W), a, o)],
            )
    yield "normalize order 0", lambda tf: [tf.keras.utils.normalize(tf.constant(X), order=0)]
    ragged = [[1], [2, 3], [], [4, 5, 6]]
    for name, given, options in (
        ("plain", ragged, {}),
        ("post", ragged, {"padding": "post", "value": -1}),
        ("short", ragged, {"maxlen": 2}),
        ("short post", ragged, {"maxlen": 2, "truncating": "post", "padding": "post"}),
        ("long", ragged, {"maxlen": 5, "dtype": "float32", "value": 0.5}),
        ("vectors", [[[1, 2]], [[3, 4], [5, 6]]], {}),
        ("empty", [[], []], {}),
        ("none", [], {}),
        ("numbers", [1, 2], {}),
        ("a number", 3, {}),
        ("wrong padding", ragged, {"padding": "x"}),
        ("wrong truncating", ragged, {"truncating": "x"}),
        ("wrong value", ragged, {"value": "x"}),
        ("other shapes", [[[1, 2]], [[1], [2]]], {}),
    ):  # fmt: skip
        yield f"pad_sequences {name}", lambda tf, g=given, o=options: [tf.keras.utils.pad_sequences(g, **o)]
    for wrong in ("a", 1.0, -1, 2**32):
        yield f"set_random_seed {wrong}", lambda tf, w=wrong: [tf.keras.utils.set_random_seed(w)]
    for sizes in ({"left_size": 1}, {"right_size": 0.6}, {"left_size": 0.5, "right_size": 1}, {"left_size": 9.0}, {}):
        for name in ("array", "arrays", "dataset", "batches"):
            yield f"split_dataset {name} {sizes}", lambda tf, n=name, s=sizes: split(tf, n, **s)
            yield (
                f"split_dataset {name} {sizes}, shuffled",
                lambda tf, n=name, s=sizes: split(tf, n, shuffle=True, seed=3, **s),
            )
    yield "pack", lambda tf: [len(tf.keras.utils.pack_x_y_sample_weight(*given)) for given in ((1, 2), (1, 2, 3))]


def split(tf: Any, name: str, **options: Any) -> list[Any]:
    given = {"array": lambda d: X, "arrays": lambda d: (X, X[:, 0]),
             "dataset": lambda d: d.from_tensor_slices((X, X[:, 1])),
             "batches": lambda d: d.from_tensor_slices(X).batch(3)}[name](tf.data.Dataset)  # fmt: skip
    parts = tf.keras.utils.split_dataset(given, **options)
    return [leaf for part in parts for element in part for leaf in tf.nest.flatten(element)]


def cases() -> Iterator[tuple[Any, ...]]:
    for part in (activations, regularizers, constraints, initializers, utilities):
        yield from part()
