"""Kernels of the ops that apply gradients: each gives the new values of the variable and of what belongs to it.

Owns: the rules, gradients of some rows only, and updates that are left out. The old arrays are never written: readers
and tapes may hold them. Halves are computed in float32. A gradient of rows means what it means to Keras: rows named
more than once add up, and where a rule takes squares or magnitudes, those of each occurrence add up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import Any, Final

import numpy as np

from protocol.ops import OPS
from server.kernels.positions import add_rows, in_range, scatter_rows, take_rows
from server.kernels.precision import wide
from server.kernels.registry import kernel


class _Dense:
    """A gradient with a value for every element."""

    def __init__(self, xp: Any, values: Any) -> None:
        self.xp = xp
        self.values = values

    def total(self) -> Any:
        """The gradient; not to be written to."""
        return self.values

    def squares(self) -> Any:
        """Its elements' squares, in a new array."""
        return self.xp.square(self.values)

    def magnitudes(self) -> Any:
        """Its elements' magnitudes, in a new array."""
        return self.xp.abs(self.values)

    def add_to(self, array: Any, change: Callable[[Any], Any]) -> Any:
        """`array + change(values)`."""
        changed = change(self.values)
        return self.xp.add(array, changed, out=changed)

    def at(self, array: Any) -> Any:
        """The elements of `array` that `values` are for."""
        return array


class _Rows:
    """A gradient of some rows. `values` is [n, width], for the rows `rows` of `shape`."""

    def __init__(self, xp: Any, values: Any, indices: Any, shape: tuple[int, ...]) -> None:
        self.xp = xp
        self.shape = shape
        self.rows, self.good = in_range(xp, indices, shape[0])
        self.values = values.reshape(len(indices), prod(shape[1:]))

    def _spread(self, values: Any) -> Any:
        return add_rows(self.xp, self.shape[0], self.rows, values, self.good).reshape(self.shape)

    def total(self) -> Any:
        return self._spread(self.values)

    def squares(self) -> Any:
        return self._spread(self.xp.square(self.values))

    def magnitudes(self) -> Any:
        return self._spread(self.xp.abs(self.values))

    def add_to(self, array: Any, change: Callable[[Any], Any]) -> Any:
        flat = array.reshape(self.shape[0], self.values.shape[1])
        return scatter_rows(self.xp, "add", flat, self.rows, change(self.values), self.good).reshape(self.shape)

    def at(self, array: Any) -> Any:
        return take_rows(self.xp, array.reshape(self.shape[0], self.values.shape[1]), self.rows, self.good)


class _Step:
    """The number of an update, counted from 1."""

    def __init__(self, xp: Any, step: Any, dtype: Any) -> None:
        self.xp = xp
        self.dtype = dtype
        self.before = step

    def power(self, base: float, ahead: int = 0) -> Any:
        """`base` to the power of the number of the step, or of a later one."""
        if self.xp is np:
            return self.dtype.type(_rounded(base) ** (float(self.before) + 1.0 + ahead))
        number = self.before.astype("float64") + (1.0 + ahead)
        return self.xp.power(_rounded(base), number).astype(self.dtype)


_Gradient = _Dense | _Rows


@lru_cache(256)
def _rounded(rate: float) -> np.float64:
    """A rate of decay as Keras takes it where it casts it to the variable's dtype: by way of float32."""
    return np.float64(np.float32(rate))


def _blend(xp: Any, old: Any, new: Any, share: float, out: Any = None) -> Any:
    """`old + (new - old) * share`."""
    found = xp.subtract(new, old, out=out)
    found *= share
    found += old
    return found


def _decayed(xp: Any, old: Any, factor: float, new: Any) -> Any:
    """`old * factor + new`, in the place of `new`."""
    return xp.add(xp.multiply(old, factor), new, out=new)


def _sgd(xp: Any, var: Any, slots: Any, grad: _Gradient, rate: Any, step: _Step) -> Any:
    return (grad.add_to(var, lambda values: values * -rate),)


def _momentum(
    xp: Any, var: Any, slots: Any, grad: _Gradient, rate: Any, step: _Step, momentum: float, nesterov: bool
) -> Any:
    change = grad.total() * rate
    velocity = xp.multiply(slots[0], momentum)
    velocity -= change
    if not nesterov:
        return xp.add(var, velocity), velocity
    ahead = xp.multiply(velocity, momentum)
    ahead -= change
    return xp.add(var, ahead, out=ahead), velocity


def _moments(xp: Any, slots: Any, grad: _Gradient, share_1: float, share_2: float) -> Any:
    """The running means of a gradient and of its square, where the new ones have these shares."""
    squares = grad.squares()
    return _blend(xp, slots[0], grad.total(), share_1), _blend(xp, slots[1], squares, share_2, out=squares)


def _adam(
    xp: Any, var: Any, slots: Any, grad: _Gradient, rate: Any, step: _Step,
    beta_1: float, beta_2: float, epsilon: float,
) -> Any:  # fmt: skip
    alpha = rate * xp.sqrt(1 - step.power(beta_2)) / (1 - step.power(beta_1))
    m, *kept = _moments(xp, slots, grad, 1 - beta_1, 1 - beta_2)
    if len(slots) == 3:
        kept.append(xp.maximum(slots[2], kept[0]))
    below = xp.sqrt(kept[-1])
    below += epsilon
    change = m * alpha
    change /= below
    return xp.subtract(var, change, out=change), m, *kept


def _adamax(
    xp: Any, var: Any, slots: Any, grad: _Gradient, rate: Any, step: _Step,
    beta_1: float, beta_2: float, epsilon: float,
) -> Any:  # fmt: skip
    m = _blend(xp, slots[0], grad.total(), 1 - beta_1)
    norm = grad.magnitudes()
    norm = xp.maximum(xp.multiply(slots[1], beta_2), norm, out=norm)
    below = norm + epsilon
    below *= 1 - step.power(beta_1)
    change = m * rate
    change /= below
    return xp.subtract(var, change, out=change), m, norm


def _nadam(
    xp: Any, var: Any, slots: Any, grad: _Gradient, rate: Any, step: _Step,
    beta_1: float, beta_2: float, epsilon: float, product: Any,
) -> Any:  # fmt: skip
    dtype = var.dtype
    b1, b2, one = dtype.type(_rounded(beta_1)), dtype.type(_rounded(beta_2)), dtype.type(1)
    now, later = (b1 * (1 - step.power(_NADAM_DECAY, ahead) * 0.5) for ahead in (0, 1))
    product = product.astype(dtype)
    m, v = _moments(xp, slots, grad, one - b1, one - b2)
    change = m * (later / (1 - product * later))
    change += grad.total() * ((1 - now) / (1 - product))
    change *= rate
    below = v / (1 - step.power(beta_2))
    below = xp.sqrt(below, out=below)
    below += epsilon
    change /= below
    return xp.subtract(var, change, out=change), m, v


def _lamb(
    xp: Any, var: Any, slots: Any, grad: _Gradient, rate: Any, step: _Step,
    beta_1: float, beta_2: float, epsilon: float,
) -> Any:  # fmt: skip
    m, v = _moments(xp, slots, grad, 1 - beta_1, 1 - beta_2)
    below = v / (1 - step.power(beta_2))
    below = xp.sqrt(below, out=below)
    below += epsilon
    change = m / (1 - step.power(beta_1))
    change /= below
    weight, size = (xp.sqrt(xp.sum(xp.square(x))) for x in (var, change))
    usual = (weight > 0) & (size > 0)
    change *= xp.where(usual, weight / xp.where(usual, size, 1), 1).astype(var.dtype) * rate
    return xp.subtract(var, change, out=change), m, v


def _lion(xp: Any, var: Any, slots: Any, grad: _Gradient, rate: Any, step: _Step, beta_1: float, beta_2: float) -> Any:
    one, total = var.dtype.type(1), grad.total()
    first, second = (var.dtype.type(_rounded(beta)) for beta in (beta_1, beta_2))
    change = _decayed(xp, slots[0], first, total * (one - first))
    change = xp.sign(change, out=change)
    change *= rate
    return xp.subtract(var, change, out=change), _decayed(xp, slots[0], second, total * (one - second))


def _adagrad(xp: Any, var: Any, slots: Any, grad: _Gradient, rate: Any, step: _Step, epsilon: float) -> Any:
    accumulator = grad.add_to(slots[0], xp.square)
    below = grad.at(accumulator) + epsilon
    below = xp.sqrt(below, out=below)
    return grad.add_to(var, lambda values: values * -rate / below), accumulator


def _adadelta(
    xp: Any, var: Any, slots: Any, grad: _Gradient, rate: Any, step: _Step, rho: float, epsilon: float
) -> Any:
    squares = grad.squares()
    accumulated = _decayed(xp, slots[0], rho, squares * (1 - rho))
    ratio = slots[1] + epsilon
    ratio /= accumulated + epsilon  # the square of what a gradient is multiplied by
    squares *= ratio
    squares *= 1 - rho
    change = xp.sqrt(ratio, out=ratio)
    change *= grad.total()
    change *= rate
    return xp.subtract(var, change, out=change), accumulated, _decayed(xp, slots[1], rho, squares)


def _rmsprop(centered: bool) -> Callable[..., Any]:
    def run(
        xp: Any, var: Any, slots: Any, grad: _Gradient, rate: Any, step: _Step,
        rho: float, epsilon: float, momentum: float | None = None,
    ) -> Any:  # fmt: skip
        total = grad.total()
        squares = grad.squares()
        squares *= 1 - rho
        velocity = _decayed(xp, slots[0], rho, squares)
        averages = [_decayed(xp, slots[-1], rho, total * (1 - rho))] if centered else []
        if centered:
            below = xp.square(averages[0])
            below = xp.subtract(velocity, below, out=below)
            below += epsilon
        else:
            below = velocity + epsilon
        change = total * rate
        change /= xp.sqrt(below, out=below)
        if momentum is None:
            return xp.subtract(var, change, out=change), velocity, *averages
        change = _decayed(xp, slots[1], momentum, change)
        return xp.subtract(var, change), velocity, change, *averages

    return run


def _ftrl(
    xp: Any, var: Any, slots: Any, grad: _Gradient, rate: Any, step: _Step,
    learning_rate_power: float, l1: float, l2: float, l2_shrinkage: float, beta: float,
) -> Any:  # fmt: skip
    def power(x: Any) -> Any:
        return xp.sqrt(x) if learning_rate_power == -0.5 else xp.power(x, -learning_rate_power)

    accumulator = grad.squares()
    accumulator += slots[0]
    size = power(accumulator)
    change = size - power(slots[0])
    change /= rate
    change *= var
    linear = xp.subtract(grad.total(), change, out=change)
    if l2_shrinkage:
        linear += var * (2 * l2_shrinkage)
    linear += slots[1]
    size = size / rate
    size += 2 * (l2 + beta / (2 * rate))
    found = xp.clip(linear, -l1, l1)
    found -= linear
    found /= size
    return found, accumulator, linear


_NADAM_DECAY: Final = 0.96


def _flat(array: Any) -> Any:
    """A scalar as a vector of one, which, unlike the results of ops on scalars, can be computed in place."""
    return array if array.ndim else array.reshape(1)


def _chosen(xp: Any, condition: Any, new: Sequence[Any], old: Sequence[Any]) -> tuple[Any, ...]:
    """`new` if `condition` is true, else `old`; a GPU is not waited for."""
    if xp is np:
        return tuple(new if condition else old)
    return tuple([xp.where(condition, a, b) for a, b in zip(new, old, strict=True)])


def _update(name: str, run: Callable[..., Any]) -> None:
    """Declare the kernel of an update that computes like `run`: `run(xp, var, slots, grad, rate, step, **hyper)`."""
    op = OPS[name]
    defaults = {attr.name: attr.default for attr in op.attrs.values()}
    variables = op.groups.count("variable")
    fixed = len(op.inputs) - 1
    extras = op.inputs[variables + 3 : fixed]

    def update(xp: Any, *inputs: Any, **given: Any) -> Any:
        hyper = {**defaults, **given} if given else dict(defaults)
        decay, skippable = hyper.pop("weight_decay"), hyper.pop("skippable")
        old, values, rate, step = inputs[:variables], *inputs[variables : variables + 3]
        if skippable and xp is np and step < 0:
            return tuple(old)
        var, *slots = (wide(_flat(array)) for array in old)
        dtype = var.dtype
        rate = rate.astype(dtype)[()]
        values = wide(values)
        rows = inputs[fixed:]
        grad = _Rows(xp, values, rows[0], var.shape) if rows else _Dense(xp, _flat(values))
        hyper.update(zip(extras, inputs[variables + 3 : fixed], strict=True))
        if decay:
            lost = xp.multiply(var, decay)
            lost *= rate
            var = xp.subtract(var, lost, out=lost)
        found = run(xp, var, slots, grad, rate, _Step(xp, step, dtype), **hyper)
        new = tuple(found)
        if dtype is not old[0].dtype or not old[0].ndim:
            new = tuple([a.astype(b.dtype, copy=False).reshape(b.shape) for a, b in zip(found, old, strict=True)])
        return _chosen(xp, step >= 0, new, old) if skippable else new

    kernel(name, update)


_update("update_sgd", _sgd)
_update("update_momentum", _momentum)
_update("update_adam", _adam)
_update("update_amsgrad", _adam)
_update("update_adamax", _adamax)
_update("update_nadam", _nadam)
_update("update_lamb", _lamb)
_update("update_lion", _lion)
_update("update_adagrad", _adagrad)
_update("update_adadelta", _adadelta)
for _centered in ("", "_centered"):
    _update(f"update_rmsprop{_centered}", _rmsprop(bool(_centered)))
    _update(f"update_rmsprop{_centered}_momentum", _rmsprop(bool(_centered)))
_update("update_ftrl", _ftrl)


def _nadam_product(xp: Any, product: Any, step: Any, *, beta_1: float = 0.9, skippable: bool = False) -> Any:
    wider = wide(product)
    factor = 1 - 0.5 * _Step(xp, step, wider.dtype).power(_NADAM_DECAY)
    new = (wider * beta_1 * factor).astype(product.dtype)
    return _chosen(xp, step >= 0, [new], [product]) if skippable else new


def _average(
    xp: Any, average: Any, var: Any, step: Any, *, momentum: float = 0.99, overwrite_every: int = 0,
    skippable: bool = False,
) -> Any:  # fmt: skip
    wider = wide(var)
    share = (xp.where(step == 0, 0.0, momentum)).astype(wider.dtype)  # the first average is the variable itself
    new = (wide(average) * share + (1 - share) * wider).astype(var.dtype)
    found: tuple[Any, ...] = (new, var)
    if overwrite_every:
        found = (new, *_chosen(xp, (step + 1) % overwrite_every == 0, [new], [var]))
    return _chosen(xp, step >= 0, found, (average, var)) if skippable else found


def _accumulate(xp: Any, total: Any, values: Any, step: Any, *indices: Any, steps: int, skippable: bool = False) -> Any:
    wider, values = wide(_flat(total)), wide(values)
    grad = _Rows(xp, values, indices[0], wider.shape) if indices else _Dense(xp, _flat(values))
    summed = grad.add_to(wider, lambda v: v.copy()).astype(total.dtype, copy=False).reshape(total.shape)
    (kept,) = _chosen(xp, (step + 1) % steps == 0, [xp.zeros_like(summed)], [summed])
    if skippable:
        (kept,) = _chosen(xp, step >= 0, [kept], [total])
    return kept, (wide(summed) / steps).astype(total.dtype)


kernel("update_nadam_product", _nadam_product)
kernel("update_average", _average)
kernel("accumulate_gradient", _accumulate)
