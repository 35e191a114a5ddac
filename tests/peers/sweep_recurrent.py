"""Recurrent layers and their cells, the wrappers around them, with every option that changes numbers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from tests.peers.layer_programs import NAME, layer_program, normal

X = normal(0, 3, 5, 4)
STATES = [normal(1, 3, 2), normal(2, 3, 2)]
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool)
IDS = np.array([[3, 1, 2, 0, 0], [0, 4, 0, 1, 1], [0, 0, 0, 0, 0]], np.int32)

FLAGS: dict[str, dict[str, Any]] = {
    "last": {},
    "sequences": {"return_sequences": True},
    "states": {"return_state": True},
    "sequences and states": {"return_sequences": True, "return_state": True},
    "backwards": {"go_backwards": True, "return_sequences": True, "return_state": True},
    "stateful": {"stateful": True, "return_sequences": True},
    "stateful backwards": {"stateful": True, "go_backwards": True},
    "unrolled": {"unroll": True, "return_sequences": True},
}
OPTIONS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "SimpleRNN": [
        ("relu", {"activation": "relu"}),
        ("linear", {"activation": None}),
        ("biasless", {"use_bias": False}),
    ],
    "LSTM": [
        ("hard", {"recurrent_activation": "hard_sigmoid", "activation": "relu"}),
        ("biasless", {"use_bias": False}),
        ("no forget bias", {"unit_forget_bias": False}),
    ],
    "GRU": [
        ("hard", {"recurrent_activation": "hard_sigmoid", "activation": "relu"}),
        ("biasless", {"use_bias": False}),
        ("before", {"reset_after": False}),
        ("before, biasless", {"reset_after": False, "use_bias": False}),
    ],
}


def plain(tf: Any, layer: Any, x: Any, *states: Any) -> Any:
    return layer(x, initial_state=list(states)) if states else layer(x)


def masked(tf: Any, layer: Any, x: Any, *states: Any) -> Any:
    return layer(x, initial_state=list(states) or None, mask=tf.constant(MASK))


def make(kind: str, **options: Any) -> Any:
    return lambda layers: getattr(layers, kind)(2, name=NAME, **options)


def layers_alone() -> Iterator[tuple[str, Any]]:
    for kind in OPTIONS:
        states = STATES[: 2 if kind == "LSTM" else 1]
        for (flag, flags), (how, call) in product(FLAGS.items(), [("", plain), (", masked", masked)]):
            yield f"{kind} {flag}{how}", layer_program(make(kind, **flags), call, [X])
        yield f"{kind} from states", layer_program(make(kind, return_state=True), plain, [X, *states])
        yield f"{kind} from states, masked", layer_program(make(kind, return_state=True), masked, [X, *states])
        yield (
            f"{kind} zeros where masked",
            layer_program(make(kind, return_sequences=True, zero_output_for_mask=True), masked, [X]),
        )
        for name, options in OPTIONS[kind]:
            yield f"{kind} {name}", layer_program(make(kind, return_sequences=True, **options), plain, [X])
            yield f"{kind} {name}, last", layer_program(make(kind, **options), masked, [X, *states])
        yield f"{kind} one step", layer_program(make(kind), plain, [X[:, :1]])
        if kind != "LSTM":  # TensorFlow has none of these
            yield f"{kind} no batch", layer_program(make(kind, return_sequences=True), plain, [X[:0]])
        yield f"{kind} initial weights", initial(kind)
        yield f"{kind} Keras' arguments", signature(kind)


def initial(kind: str) -> Any:
    def program(tf: Any) -> list[Any]:
        layer = getattr(tf.keras.layers, kind)(2, kernel_initializer="ones", recurrent_initializer="identity"
                                               if kind == "SimpleRNN" else "zeros", name=NAME)  # fmt: skip
        layer.build((None, None, 4))
        return layer.get_weights()

    return program


def signature(kind: str) -> Any:
    def program(tf: Any) -> list[Any]:
        import inspect

        found = []
        for name in (kind, f"{kind}Cell"):
            parameters = inspect.signature(getattr(tf.keras.layers, name)).parameters.values()
            found.append(", ".join(f"{p.name}={p.default}" for p in parameters if p.name not in ("args", "kwargs")))
            layer = getattr(tf.keras.layers, name)(2, name=NAME)
            found.append(" ".join(sorted(k for k in layer.get_config() if k not in ("dtype", "trainable"))))
        return found

    return program


def cells() -> Iterator[tuple[str, Any]]:
    def step(tf: Any, cell: Any, x: Any, *states: Any) -> Any:
        return cell(x, list(states))

    def bare(tf: Any, cell: Any, x: Any, state: Any) -> Any:
        return cell(x, state)

    for kind in OPTIONS:
        states = STATES[: 2 if kind == "LSTM" else 1]
        for name, options in [("", {}), *OPTIONS[kind]]:
            yield f"{kind}Cell {name}", layer_program(make(f"{kind}Cell", **options), step, [X[:, 0], *states])
        if kind != "LSTM":
            yield f"{kind}Cell, state by itself", layer_program(make(f"{kind}Cell"), bare, [X[:, 0], *states])
        for flag, flags in FLAGS.items():
            yield (
                f"RNN of {kind}Cell {flag}",
                layer_program(
                    lambda layers, kind=kind, flags=flags: layers.RNN(
                        getattr(layers, f"{kind}Cell")(2, name="cell"), name=NAME, **flags
                    ),
                    masked,
                    [X],
                ),
            )


def stacks() -> Iterator[tuple[str, Any]]:
    def stack(**flags: Any) -> Any:
        def make(layers: Any) -> Any:
            cells = [layers.LSTMCell(2, name="a"), layers.GRUCell(3, name="b"), layers.SimpleRNNCell(2, name="c")]
            return layers.RNN(layers.StackedRNNCells(cells, name="stack"), name=NAME, **flags)

        return make

    for (flag, flags), (how, call) in product(FLAGS.items(), [("", plain), (", masked", masked)]):
        yield f"stack {flag}{how}", layer_program(stack(**flags), call, [X])

    def nested(tf: Any, layer: Any, x: Any, h: Any, c: Any, g: Any, s: Any) -> Any:
        return layer(x, initial_state=[[h, c], [g], [s]])

    given = [*STATES, normal(4, 3, 3), normal(5, 3, 2)]
    yield "stack from states", layer_program(stack(return_state=True), nested, [X, *given])

    def step(tf: Any, layer: Any, x: Any, h: Any, c: Any, g: Any, s: Any) -> Any:
        return layer(x, [[h, c], [g], [s]])

    yield (
        "StackedRNNCells",
        layer_program(
            lambda layers: layers.StackedRNNCells(stack()(layers).cell.cells, name=NAME), step, [X[:, 0], *given]
        ),
    )
    yield (
        "stack of one",
        layer_program(
            lambda layers: layers.RNN(layers.StackedRNNCells([layers.GRUCell(2, name="a")], name="s"), name=NAME),
            plain,
            [X],
        ),
    )


def users_cells() -> Iterator[tuple[str, Any]]:
    """A cell of the user's, and one with two axes of features."""

    def cell(layers: Any, features: int) -> Any:
        class Scaled(layers.Layer):
            def __init__(self, **kwargs: Any) -> None:
                super().__init__(**kwargs)
                self.state_size = features

            def build(self, input_shape: Any) -> None:
                self.scale = self.add_weight(shape=(features,), initializer="ones", name="scale")

            def call(self, inputs: Any, states: Any) -> Any:
                new = states[0] * 0.5 + inputs * self.scale
                return new * 2.0, [new]

        return Scaled(name="cell")

    for flag, flags in FLAGS.items():
        yield (
            f"user's cell {flag}",
            layer_program(
                lambda layers, flags=flags: layers.RNN(cell(layers, 4), name=NAME, **flags),
                masked,
                [X],
                configured=False,
            ),
        )


def bidirectional() -> Iterator[tuple[str, Any]]:
    def both(kind: str, mode: Any, **flags: Any) -> Any:
        return lambda layers: layers.Bidirectional(
            getattr(layers, kind)(2, name="inner", **flags), merge_mode=mode, name=NAME
        )

    flags = {k: v for k, v in FLAGS.items() if k not in ("unrolled", "stateful backwards")}
    for kind, mode, (flag, options), (how, call) in product(
        OPTIONS, ("concat", "sum", "mul", "ave", None), flags.items(), [("", plain), (", masked", masked)]
    ):
        if kind == "LSTM" or mode == "concat":
            if flag == "backwards":
                continue
            yield f"Bidirectional {kind} {mode} {flag}{how}", layer_program(both(kind, mode, **options), call, [X])
    states = [*STATES, normal(6, 3, 2), normal(7, 3, 2)]
    yield "Bidirectional from states", layer_program(both("LSTM", "concat", return_state=True), plain, [X, *states])
    yield "Bidirectional GRU from states", layer_program(both("GRU", "sum"), plain, [X, *states[:2]])
    yield (
        "Bidirectional of two kinds",
        layer_program(
            lambda layers: layers.Bidirectional(
                layers.LSTM(2, name="inner", return_sequences=True),
                backward_layer=layers.GRU(2, go_backwards=True, return_sequences=True, name="other"),
                name=NAME,
            ),
            masked,
            [X],
        ),
    )

    def arguments(tf: Any) -> list[Any]:
        layer = tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(2, name="lstm"), name=NAME)
        layer(tf.constant(X))
        return [" ".join(w.path for w in layer.weights), " ".join(sorted(layer.get_config()))]

    yield "Bidirectional names", arguments


def time_distributed() -> Iterator[tuple[str, Any]]:
    def of(inner: Any) -> Any:
        return lambda layers: layers.TimeDistributed(inner(layers), name=NAME)

    def training(tf: Any, layer: Any, x: Any) -> Any:
        return layer(x, training=True)

    yield "TimeDistributed Dense", layer_program(of(lambda layers: layers.Dense(3, name="inner")), plain, [X])
    yield (
        "TimeDistributed Flatten",
        layer_program(of(lambda layers: layers.Flatten(name="i")), plain, [normal(8, 2, 3, 4, 2)]),
    )
    yield (
        "TimeDistributed LSTM",
        layer_program(of(lambda layers: layers.LSTM(2, name="i")), plain, [normal(8, 2, 3, 4, 2)]),
    )
    yield (
        "TimeDistributed sequences",
        layer_program(
            of(lambda layers: layers.GRU(2, return_sequences=True, name="i")), plain, [normal(8, 2, 3, 4, 2)]
        ),
    )
    yield "TimeDistributed no batch", layer_program(of(lambda layers: layers.Dense(3, name="i")), plain, [X[:0]])
    yield (
        "TimeDistributed BatchNormalization",
        layer_program(of(lambda layers: layers.BatchNormalization(name="i")), training, [X]),
    )


def embedded() -> Iterator[tuple[str, Any]]:
    """Masks that an embedding gives."""

    def network(kind: str, **flags: Any) -> Any:
        def program(tf: Any) -> list[Any]:
            layers = tf.keras.layers
            inner = (
                layers.Bidirectional(layers.LSTM(2, **flags)) if kind == "both" else getattr(layers, kind)(2, **flags)
            )
            model = tf.keras.Sequential([layers.Embedding(5, 4, mask_zero=True), inner, layers.GRU(3)])
            model(tf.constant(IDS))
            model.set_weights([normal(i, *w.shape) for i, w in enumerate(model.weights)])
            return [model(tf.constant(IDS)).numpy(), model.predict(IDS, verbose=0)]

        return program

    for kind in ("LSTM", "GRU", "SimpleRNN", "both"):
        yield f"embedded {kind}", network(kind, return_sequences=True)

    def masking(tf: Any) -> list[Any]:
        x = X * MASK[..., np.newaxis]
        masked = tf.keras.layers.Masking()(tf.constant(x))
        layer = tf.keras.layers.LSTM(2, return_sequences=True)
        layer(masked)
        layer.set_weights([normal(i, *w.shape) for i, w in enumerate(layer.weights)])
        return [layer(masked).numpy()]

    yield "Masking LSTM", masking


def cases() -> Iterator[tuple[str, Any]]:
    yield from layers_alone()
    yield from cells()
    yield from stacks()
    yield from users_cells()
    yield from bidirectional()
    yield from time_distributed()
    yield from embedded()
