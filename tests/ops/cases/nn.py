"""Cases of `protocol/ops/nn.py`."""

import numpy as np
from scipy import special

from protocol.dtypes import FLOATS
from protocol.ops import lookup
from tests.ops.case import array, case, elementwise, layouts


def elu(x):
    return np.where(x > 0, x, np.expm1(x))


def selu(x):
    return np.where(x > 0, 1.0507009873554805 * x, 1.0507009873554805 * 1.6732632423543772 * np.expm1(x))


def leaky(x, alpha=0.2):
    return np.where(x > 0, x, alpha * x)


def gelu(x, approximate=False):
    if approximate:
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * special.ndtr(x)


def relu_grad(g, x, alpha=0.0, limit=np.inf):
    return g * np.where((x > 0) & (x < limit), 1, alpha).astype(x.dtype)


def silu(x, beta=1.0):
    return x * special.expit(beta * x)


def softmax(x, axis=None):
    return special.softmax(x, axis=-1 if axis is None else axis)


def log_softmax(x, axis=None):
    away = x - np.max(x, axis=-1 if axis is None else axis, keepdims=True)
    return away - np.log(np.sum(np.exp(away), axis=-1 if axis is None else axis, keepdims=True))


def cross_entropy(labels, logits, axis=-1):
    return -np.sum(labels * special.log_softmax(logits, axis), axis), special.softmax(logits, axis) - labels


def sparse_cross_entropy(labels, logits):
    return cross_entropy(np.eye(logits.shape[-1])[labels], logits)


def sigmoid_cross_entropy(labels, logits):
    return -labels * special.log_expit(logits) - (1 - labels) * special.log_expit(-logits)


def bias_add(value, bias, data_format=None):
    if data_format is not None and data_format.startswith("NC"):
        return np.moveaxis(np.moveaxis(value, 1, -1) + bias, -1, 1)
    return value + bias


def distribution(like, axis):
    """Fractions that sum to exactly 1 along an axis, in every dtype."""
    rng = np.random.default_rng(like.size)
    lead = np.moveaxis(like, axis, -1).shape
    found = rng.multinomial(16, np.full(lead[-1], 1 / lead[-1]), lead[:-1]) / 16
    return np.moveaxis(found, -1, axis).astype(like.dtype)


def over_axis(op, ref, loose=4.0, labels=False):
    """Cases of an op along an axis: dtypes, axes, sizes, layouts and special values; with labels of the same shape."""

    def row(label, shape, dtype="float32", layout=lambda a: a, **attrs):
        x = array(*shape, dtype=dtype, seed=op, low=-4)
        given = (distribution(x, attrs.get("axis", -1)), x) if labels else (x,)
        return case(op, *map(layout, given), ref=ref, label=label, loose=loose, **attrs)

    values = np.array([[np.nan, 1, 2], [np.inf, 1, 2], [1e4, -1e4, 0], [-np.inf, 0, 1]], np.float32)
    return [
        *(row(t.name, (3, 4), t.name) for t in FLOATS),
        row("vector", (5,)),
        row("axis", (3, 4, 2), axis=1),
        row("first-axis", (3, 4, 2), axis=-3),
        row("deep", (2, 1, 3, 1, 2, 3), axis=2),
        row("empty-rows", (0, 3)),
        row("strided", (4, 5), layout=layouts),
        case(op, *[np.ones_like(values)] * labels, values, ref=ref, label="special", gradient=False),
    ]


LABELS = np.array([[0, 3], [2, 1], [1, 1]])

CASES = [
    *elementwise("relu", lambda x: np.maximum(x, 0)),
    *elementwise("relu6", lambda x: np.clip(x, 0, 6), high=9),
    *elementwise("leaky_relu", leaky),
    case("leaky_relu", array(3, 4), ref=leaky, label="steep", alpha=1.5),
    case("leaky_relu", array(3, 4), ref=leaky, label="negative", alpha=-0.5),
    *elementwise("relu_grad", relu_grad, special=False)[: len(lookup("relu_grad").types)],
    case("relu_grad", array(), array(), ref=relu_grad, label="scalar"),
    case("relu_grad", array(0, 3), array(0, 3), ref=relu_grad, label="empty"),
    case("relu_grad", layouts(array(4, 3)), layouts(array(4, 3, seed="x")), ref=relu_grad, label="strided", alpha=0.2),
    case("relu_grad", array(12), np.linspace(-1, 7, 12, dtype="f"), ref=relu_grad, label="limit", limit=6.0),
    *elementwise("elu", elu),
    *elementwise("selu", selu),
    *elementwise("gelu", gelu, loose=4.0, special=False),
    case("gelu", array(3, 4), ref=gelu, label="approximate", approximate=True, loose=4.0),
    case("gelu", np.array([np.nan, np.inf, 0, 40, -40], "f"), ref=gelu, label="special", gradient=False),
    *elementwise("silu", silu),
    case("silu", array(3, 4), ref=silu, label="beta", beta=1.7),
    *elementwise("softplus", lambda x: np.logaddexp(x, 0)),
    case("softplus", np.array([100, -100, 1e30], "f"), ref=lambda x: np.logaddexp(x, 0), label="far"),
    *elementwise("softsign", lambda x: x / (1 + abs(x))),
    *over_axis("softmax", softmax),
    case("softmax", array(3, 4), ref=softmax, label="none", axis=None),
    case("softmax", array(2, 0), ref=lambda x: x, label="no-classes"),
    *over_axis("log_softmax", log_softmax),
    case("log_softmax", array(2, 0), ref=lambda x: x, label="no-classes"),
    *over_axis("softmax_cross_entropy", cross_entropy, labels=True, loose=16.0),
    case(
        "softmax_cross_entropy",
        array(2, 0),
        array(2, 0),
        ref=lambda z, x: (np.zeros(2), x),
        label="no-classes",
        gradient=False,
    ),
    *(
        case(
            "sparse_softmax_cross_entropy",
            LABELS.astype(index),
            array(3, 2, 4, dtype=t.name),
            ref=sparse_cross_entropy,
            label=f"{index}-{t.name}",
            loose=8.0,
        )
        for t in FLOATS
        for index in ("int32", "int64")
    ),
    case("sparse_softmax_cross_entropy", np.int32(1), array(3), ref=sparse_cross_entropy, label="one", loose=4.0),
    case("sparse_softmax_cross_entropy", np.zeros(0, "i4"), array(0, 3), ref=sparse_cross_entropy, label="empty"),
    case(
        "sparse_softmax_cross_entropy",
        np.array([0, 1, 2, 1]),
        np.array([[np.nan, 1, 2], [np.inf, 1, 2], [1e4, -1e4, 0], [0, 0, 0]], np.float32),
        ref=lambda z, x: (np.array([np.nan, np.nan, 1e4, np.log(3)]), cross_entropy(np.eye(3)[z], x)[1]),
        label="special",
        gradient=False,
    ),
    *(
        case(
            "sigmoid_cross_entropy",
            array(3, 4, dtype=t.name, low=0, high=1),
            array(3, 4, dtype=t.name, low=-5, high=5, seed="x"),
            ref=sigmoid_cross_entropy,
            label=t.name,
            loose=4.0,
        )
        for t in FLOATS
    ),
    case("sigmoid_cross_entropy", array(), array(), ref=sigmoid_cross_entropy, label="scalar", loose=4.0),
    case("sigmoid_cross_entropy", array(0, 2), array(0, 2), ref=sigmoid_cross_entropy, label="empty"),
    case(
        "sigmoid_cross_entropy",
        np.array([0.5, 1, 0], "f"),
        np.array([1e4, -1e4, np.nan], "f"),
        ref=sigmoid_cross_entropy,
        label="special",
        gradient=False,
    ),
    *(
        case("bias_add", array(2, 3, 4, dtype=t), array(4, dtype=t, seed="b"), ref=bias_add, label=t.name)
        for t in lookup("bias_add").types
    ),
    case("bias_add", array(2, 3, 4), array(3), ref=bias_add, label="channels-first", data_format="NCHW"),
    case("bias_add", array(2, 3), array(3), ref=bias_add, label="channels-first-matrix", data_format="NC"),
    case("bias_add", array(2, 3, 4), array(4), ref=bias_add, label="channels-last", data_format="NWC"),
    case("bias_add", array(1, 2, 1, 2, 1, 3), array(3), ref=bias_add, label="deep"),
    case("bias_add", array(0, 3), array(3), ref=bias_add, label="empty"),
    *(case("l2_loss", array(3, 4, dtype=t), ref=lambda t: np.sum(t * t) / 2, label=t.name, loose=4.0) for t in FLOATS),
    case("l2_loss", array(), ref=lambda t: t * t / 2, label="scalar"),
    case("l2_loss", array(0, 2), ref=lambda t: 0.0, label="empty"),
    case("l2_loss", layouts(array(2, 1, 3, 1, 2)), ref=lambda t: np.sum(t * t) / 2, label="deep", loose=4.0),
]
