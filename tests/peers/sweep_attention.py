"""Attention layers with masks, scores, keys of their own, and more axes than a sequence has."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from tests.peers.layer_programs import NAME, layer_program, normal

Q, V, K = normal(0, 2, 3, 4), normal(1, 2, 5, 4), normal(2, 2, 5, 4)
Q_MASK = np.array([[1, 1, 0], [0, 1, 1]], bool)
V_MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1]], bool)
EMPTY = np.array([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
PAIRS = np.random.default_rng(3).random((2, 3, 5)) < 0.5
IMAGES = normal(4, 2, 3, 4, 5), normal(5, 2, 3, 6, 5)


def make(kind: str, *arguments: Any, **options: Any) -> Any:
    return lambda layers: getattr(layers, kind)(*arguments, name=NAME, **options)


def on_list(**options: Any) -> Any:
    """A call on a list, with masks made of arrays."""

    def call(tf: Any, layer: Any, *inputs: Any) -> Any:
        given = dict(options)
        if "mask" in given:
            given["mask"] = [None if m is None else tf.constant(m) for m in given["mask"]]
        return layer(list(inputs), **given)

    return call


def on_each(**options: Any) -> Any:
    def call(tf: Any, layer: Any, *inputs: Any) -> Any:
        return layer(*inputs, **{k: tf.constant(v) if isinstance(v, np.ndarray) else v for k, v in options.items()})

    return call


def single() -> Iterator[tuple[str, Any]]:
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "Attention": ("Attention", {}),
        "Attention scaled": ("Attention", {"use_scale": True}),
        "Attention concat": ("Attention", {"score_mode": "concat"}),
        "Attention concat, scaled": ("Attention", {"score_mode": "concat", "use_scale": True}),
        "AdditiveAttention": ("AdditiveAttention", {}),
        "AdditiveAttention unscaled": ("AdditiveAttention", {"use_scale": False}),
    }
    calls: dict[str, dict[str, Any]] = {
        "": {},
        ", scores": {"return_attention_scores": True},
        ", causal": {"use_causal_mask": True, "return_attention_scores": True},
        ", masked": {"mask": [Q_MASK, V_MASK], "return_attention_scores": True},
        ", values masked": {"mask": [None, V_MASK]},
        ", queries masked": {"mask": [Q_MASK, None]},
        ", nothing seen": {"mask": [None, EMPTY], "return_attention_scores": True},
        ", causal and masked": {"mask": [Q_MASK, V_MASK], "use_causal_mask": True},
        ", training": {"training": True},
    }
    for (name, (kind, options)), (how, given) in product(kinds.items(), calls.items()):
        yield f"{name}{how}", layer_program(make(kind, **options), on_list(**given), [Q, V])
        if how in ("", ", masked"):
            more = {**given, "mask": [*given["mask"], None]} if "mask" in given else given
            yield f"{name}{how}, keys", layer_program(make(kind, **options), on_list(**more), [Q, V, K])
        if how == ", nothing seen":
            yield f"{name} no batch", layer_program(make(kind, **options), on_list(), [Q[:0], V[:0]])
            yield f"{name} no values", layer_program(make(kind, **options), on_list(), [Q, V[:, :0]])
    yield "Attention of rank 4", layer_program(make("Attention"), on_list(), list(IMAGES))
    yield "AdditiveAttention of rank 4", layer_program(make("AdditiveAttention"), on_list(), list(IMAGES))


def multi() -> Iterator[tuple[str, Any]]:
    def of(**options: Any) -> Any:
        return make("MultiHeadAttention", 2, 3, **options)

    makers: dict[str, dict[str, Any]] = {
        "": {},
        " values": {"value_dim": 4},
        " biasless": {"use_bias": False},
        " output": {"output_shape": 6},
        " outputs": {"output_shape": (2, 3)},
        " gated": {"use_gate": True, "value_dim": 2},
        " window": {"sliding_window": 2},
        " axes": {"attention_axes": 1},
        " last axis": {"attention_axes": (-2,)},
        " dropout": {"dropout": 0.4},
    }
    calls: dict[str, dict[str, Any]] = {
        "": {},
        ", scores": {"return_attention_scores": True},
        ", causal": {"use_causal_mask": True},
        ", causal, scores": {"use_causal_mask": True, "return_attention_scores": True},
        ", pairs": {"attention_mask": PAIRS},
        ", pairs, scores": {"attention_mask": PAIRS, "return_attention_scores": True},
        ", values masked": {"value_mask": V_MASK},
        ", nothing seen": {"value_mask": EMPTY},
        ", nothing seen, scores": {"value_mask": EMPTY, "return_attention_scores": True},
        ", keys masked": {"key_mask": V_MASK, "use_causal_mask": True},
        ", not training": {"training": False},
    }
    for (name, options), (how, given) in product(makers.items(), calls.items()):
        if not name or how in ("", ", causal, scores", ", nothing seen"):
            yield f"MultiHeadAttention{name}{how}", layer_program(of(**options), on_each(**given), [Q, V])
    for how, given in calls.items():
        yield f"MultiHeadAttention keys{how}", layer_program(of(), on_each(**given), [Q, V, K])
    yield "MultiHeadAttention itself", layer_program(of(), lambda tf, layer, x: layer(x, x), [Q])
    yield "MultiHeadAttention no batch", layer_program(of(), on_each(), [Q[:0], V[:0]])
    for axes in (None, (1,), (2,), (1, 2), (2, 1), -2):
        for how in ("", ", scores"):
            given = calls[how]
            inputs = [IMAGES[0], IMAGES[0]] if axes in (None, (1, 2), (2, 1), (1,)) else list(IMAGES)
            yield (
                f"MultiHeadAttention of rank 4, axes {axes}{how}",
                layer_program(of(attention_axes=axes), on_each(**given), inputs),
            )
    yield (
        "MultiHeadAttention of rank 4, masked",
        layer_program(of(attention_axes=2), on_each(attention_mask=np.tri(4, 6) > 0), list(IMAGES)),
    )


def embedded() -> Iterator[tuple[str, Any]]:
    def program(tf: Any) -> list[Any]:
        layers = tf.keras.layers
        ids = tf.constant([[3, 1, 2, 0, 0], [1, 4, 2, 1, 0]])
        embedding, attention = layers.Embedding(5, 4, mask_zero=True), layers.MultiHeadAttention(2, 3)
        last = layers.GRU(2)
        found = []
        for _ in range(2):
            x = embedding(ids)
            found.append(layers.Attention()([x, x]).numpy())
            found.append(last(attention(x, x)).numpy())  # Keras takes the masks off its inputs
            for layer in (embedding, attention, last):
                layer.set_weights([normal(i, *w.shape) for i, w in enumerate(layer.weights)])
        return found[2:]

    yield "embedded", program


def arguments() -> Iterator[tuple[str, Any]]:
    for kind, given in (("Attention", ()), ("AdditiveAttention", ()), ("MultiHeadAttention", (2, 3))):

        def program(tf: Any, kind: str = kind, given: Any = given) -> list[Any]:
            import inspect

            layer = getattr(tf.keras.layers, kind)
            parameters = inspect.signature(layer).parameters.values()
            return [
                ", ".join(f"{p.name}={p.default}" for p in parameters if p.name not in ("args", "kwargs")),
                " ".join(sorted(layer(*given).get_config())),
            ]

        yield f"{kind}'s arguments", program


def cases() -> Iterator[tuple[str, Any]]:
    yield from single()
    yield from multi()
    yield from embedded()
    yield from arguments()
