"""Cases of `protocol/ops/optimizers.py`. The references are the published rules, written out in double precision."""

import numpy as np

from protocol.dtypes import FLOATS
from tests.ops.case import array, case, upcast


def single(rate):
    """A decay rate where Keras rounds it to float32, whatever the variable's dtype."""
    return float(np.float32(rate))


# --- the rules: old values and a gradient (its sum, and the sum of its squares) to new values -------------------------


def sgd(var, g, s, lr, t):
    return (var - lr * g,)


def momentum(var, m, g, s, lr, t, momentum=0.9, nesterov=False):
    m = momentum * m - lr * g
    return (var + momentum * m - lr * g if nesterov else var + m), m


def adam(var, m, v, *hat, g, s, lr, t, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m, v = beta_1 * m + (1 - beta_1) * g, beta_2 * v + (1 - beta_2) * s
    hat = tuple(np.maximum(h, v) for h in hat)
    alpha = lr * np.sqrt(1 - single(beta_2) ** t) / (1 - single(beta_1) ** t)
    return (var - alpha * m / (np.sqrt((v, *hat)[-1]) + epsilon), m, v, *hat)


def adamax(var, m, u, g, s, lr, t, beta_1=0.9, beta_2=0.999, epsilon=1e-7, magnitudes=None):
    m = beta_1 * m + (1 - beta_1) * g
    u = np.maximum(beta_2 * u, np.abs(g) if magnitudes is None else magnitudes)
    return var - lr / (1 - single(beta_1) ** t) * m / (u + epsilon), m, u


def nadam(var, m, v, g, s, lr, t, product, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    beta_1, beta_2 = single(beta_1), single(beta_2)
    now, later = (beta_1 * (1 - 0.5 * single(0.96) ** n) for n in (t, t + 1))
    m, v = beta_1 * m + (1 - beta_1) * g, beta_2 * v + (1 - beta_2) * s
    mean = later * m / (1 - product * later) + (1 - now) * g / (1 - product)
    return var - lr * mean / (np.sqrt(v / (1 - beta_2**t)) + epsilon), m, v


def lamb(var, m, v, g, s, lr, t, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m, v = beta_1 * m + (1 - beta_1) * g, beta_2 * v + (1 - beta_2) * s
    change = m / (1 - single(beta_1) ** t) / (np.sqrt(v / (1 - single(beta_2) ** t)) + epsilon)
    weight, size = np.linalg.norm(np.ravel(var)), np.linalg.norm(np.ravel(change))
    return var - lr * (weight / size if weight and size else 1.0) * change, m, v


def lion(var, m, g, s, lr, t, beta_1=0.9, beta_2=0.99):
    beta_1, beta_2 = single(beta_1), single(beta_2)
    return var - lr * np.sign(beta_1 * m + (1 - beta_1) * g), beta_2 * m + (1 - beta_2) * g


def adagrad(var, a, g, s, lr, t, epsilon=1e-7):
    a = a + s
    return var - lr * g / np.sqrt(a + epsilon), a


def adadelta(var, a, d, g, s, lr, t, rho=0.95, epsilon=1e-7):
    a = rho * a + (1 - rho) * s
    ratio = (d + epsilon) / (a + epsilon)
    return var - lr * np.sqrt(ratio) * g, a, rho * d + (1 - rho) * ratio * s


def rmsprop(var, v, *more, g, s, lr, t, rho=0.9, momentum=None, epsilon=1e-7, centered=False):
    v, more = rho * v + (1 - rho) * s, list(more)
    below = v
    if centered:
        more[-1] = rho * more[-1] + (1 - rho) * g
        below = v - more[-1] ** 2
    change = lr * g / np.sqrt(below + epsilon)
    if momentum is not None:
        change = more[0] = momentum * more[0] + change
    return (var - change, v, *more)


def ftrl(var, n, z, g, s, lr, t, learning_rate_power=-0.5, l1=0.0, l2=0.0, l2_shrinkage=0.0, beta=0.0):
    p = -learning_rate_power
    sigma = ((n + s) ** p - n**p) / lr
    z = z + g + 2 * l2_shrinkage * var - sigma * var
    return (np.clip(z, -l1, l1) - z) / ((n + s) ** p / lr + 2 * (l2 + beta / (2 * lr))), n + s, z


RULES = {  # op: how many variables it changes, and its rule
    "update_sgd": (1, sgd),
    "update_momentum": (2, momentum),
    "update_adam": (3, adam),
    "update_amsgrad": (4, adam),
    "update_adamax": (3, adamax),
    "update_nadam": (3, nadam),
    "update_lamb": (3, lamb),
    "update_lion": (2, lion),
    "update_adagrad": (2, adagrad),
    "update_adadelta": (3, adadelta),
    "update_rmsprop": (2, rmsprop),
    "update_rmsprop_momentum": (3, lambda *a, momentum=0.9, **k: rmsprop(*a, momentum=momentum, **k)),
    "update_rmsprop_centered": (3, lambda *a, **k: rmsprop(*a, centered=True, **k)),
    "update_rmsprop_centered_momentum": (
        4,
        lambda *a, momentum=0.9, **k: rmsprop(*a, momentum=momentum, centered=True, **k),
    ),
    "update_ftrl": (3, ftrl),
}


def spread(values, indices, shape):
    """Rows as the whole array: those named more than once add up."""
    found = np.zeros(shape)
    np.add.at(found, indices, values)
    return found


def reference(name):
    """What the op `name` should give."""
    variables, rule = RULES[name]
    extras = ("product",) if name == "update_nadam" else ()
    fixed = variables + 3 + len(extras)

    def run(*inputs, weight_decay=0.0, skippable=False, **hyper):
        old, (g, lr, step) = inputs[:variables], inputs[variables : variables + 3]
        if skippable and step < 0:
            return tuple(old)
        indices = inputs[fixed:]
        s = g**2
        if indices:
            if name == "update_adamax":
                hyper["magnitudes"] = spread(np.abs(g), *indices, old[0].shape)
            g, s = (spread(x, *indices, old[0].shape) for x in (g, s))
        hyper.update(zip(extras, inputs[variables + 3 : fixed], strict=True))
        var = old[0] - weight_decay * lr * old[0]
        return rule(var, *old[1:], g=g, s=s, lr=lr, t=float(step) + 1, **hyper)

    return run


# --- the cases -------------------------------------------------------------------------------------------------------

# What the slots of an optimizer can hold: where it isn't any number, the range.
RANGES = {"velocity": (0.1, 2), "velocity_hat": (0.1, 2), "norm": (0, 2), "accumulator": (0.1, 2),
          "accumulated_grad": (0.1, 2), "accumulated_delta": (0.1, 2), "average": (-0.2, 0.2)}  # fmt: skip


def inputs_of(name, shape=(2, 3), dtype="float32", step=3, rows=None, lr=0.1, step_dtype="int64"):
    from protocol.ops import lookup

    op = lookup(name)
    variables = RULES[name][0]
    old = [
        array(*shape, dtype=dtype, seed=slot, low=RANGES.get(slot, (-2, 2))[0], high=RANGES.get(slot, (-2, 2))[1])
        for slot in op.inputs[:variables]
    ]
    grad = array(*(shape if rows is None else (len(rows), *shape[1:])), dtype=dtype, seed="grad")
    extras = [np.float32(0.3)] if name == "update_nadam" else []
    indices = [] if rows is None else [np.array(rows, "int32")]
    return [*old, grad, np.float32(lr), np.array(step, step_dtype), *extras, *indices]


def update(name, label, attrs=None, loose=1.0, **options):
    inputs = inputs_of(name, **options)
    return case(name, *inputs, ref=reference(name), label=label, gradient=False, loose=4 * loose, **(attrs or {}))


VARIANTS = {
    "update_momentum": [{"nesterov": True}, {"momentum": 0.5}],
    "update_adam": [{"beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1}],
    "update_lion": [{"beta_1": 0.5, "beta_2": 0.6}],
    "update_adadelta": [{"rho": 0.5, "epsilon": 0.1}],
    "update_rmsprop": [{"rho": 0.5, "epsilon": 0.1}],
    "update_ftrl": [
        {"l1": 0.5, "l2": 0.1, "l2_shrinkage": 0.2, "beta": 0.3},
        {"learning_rate_power": -0.8},
        {"learning_rate_power": 0.0},
    ],
}

CASES = [
    *[update(name, t.name, dtype=t.name) for name in RULES for t in FLOATS],
    *[update(name, f"{len(s)}d{0 in s}", shape=s) for name in RULES for s in ((), (0, 3), (1, 2, 1, 3))],
    *[update(name, "decayed", {"weight_decay": 0.3}, shape=(3, 2)) for name in RULES],
    *[update(name, "first", step=0, shape=(4,), step_dtype="int32", loose=8) for name in RULES],
    *[update(name, "skipped", {"skippable": True}, step=-1) for name in RULES],
    *[update(name, "not-skipped", {"skippable": True}, step=7) for name in RULES],
    *[update(name, f"rows{len(s)}", shape=s, rows=[3, 0, 3]) for name in RULES for s in ((5,), (5, 2, 2), (4, 9))],
    *[update(name, "no-rows", shape=(3, 2), rows=[]) for name in RULES],
    *[update(name, "half-rows", shape=(3, 2), rows=[1], dtype="float16") for name in RULES],
    *[update(name, f"variant{i}", attrs) for name, several in VARIANTS.items() for i, attrs in enumerate(several)],
    *[
        case(
            "update_nadam_product",
            np.array(0.7, dtype),
            np.array(step),
            ref=lambda p, n, beta_1=0.9, skippable=False: (
                p if n < 0 else p * beta_1 * (1 - 0.5 * single(0.96) ** (n + 1.0))
            ),
            label=f"{dtype}-{step}-{attrs}",
            gradient=False,
            **attrs,
        )
        for dtype, step, attrs in (
            ("float32", 0, {}),
            ("float64", 9, {"beta_1": 0.5}),
            (FLOATS[1].numpy, 3, {}),
            ("float32", -1, {"skippable": True}),
            ("float32", 1, {"skippable": True}),
        )
    ],
]


def average(old, var, step, momentum=0.99, overwrite_every=0, skippable=False):
    if skippable and step < 0:
        return old, var
    new = var if step == 0 else momentum * old + (1 - momentum) * var
    return new, new if overwrite_every and (step + 1) % overwrite_every == 0 else var


def accumulated(total, grad, step, *indices, steps, skippable=False):
    old, total = total, total + (spread(grad, *indices, total.shape) if indices else grad)
    kept = np.zeros_like(total) if (step + 1) % steps == 0 else total
    return old if skippable and step < 0 else kept, total / steps


for _dtype, _shape in (("float32", (2, 3)), ("float64", ()), ("float16", (4,)), (FLOATS[1].numpy, (2, 0))):
    _pair = array(*_shape, dtype=_dtype, seed="total"), array(*_shape, dtype=_dtype, seed="value")
    for _step in (0, 2):
        _label = f"{upcast(_pair[0]).shape}-{_pair[0].dtype}-{_step}"
        CASES += [
            case("update_average", *_pair, np.array(_step), ref=average, label=f"{_label}-{i}", gradient=False, **attrs)
            for i, attrs in enumerate(({}, {"momentum": 0.5, "overwrite_every": 3}, {"skippable": True}))
        ]
        CASES.append(
            case("accumulate_gradient", *_pair, np.array(_step), ref=accumulated, label=_label, gradient=False, steps=3)
        )
CASES += [
    case(
        "update_average", array(2), array(2), np.array(-1), ref=average, label="skipped", gradient=False, skippable=True
    ),
    case(
        "accumulate_gradient",
        array(5, 2),
        array(3, 2),
        np.array(4),
        np.array([4, 0, 4]),
        ref=accumulated,
        label="rows",
        gradient=False,
        steps=2,
    ),
    *[
        case(
            "accumulate_gradient",
            array(2),
            array(2),
            np.array(step),
            ref=accumulated,
            label=f"skippable{step}",
            gradient=False,
            steps=2,
            skippable=True,
        )
        for step in (-1, 0)
    ],
]
