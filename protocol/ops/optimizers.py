"""Ops that apply a gradient to a variable, one for each optimizer's rule, and what optimizers keep beside it.

Each changes the variable and the optimizer's own variables for it, in one item. A gradient of some rows only comes as
those rows, with their numbers as a last input. `step` is the number of updates made before this one; with `skippable`,
a negative step leaves everything as it is, so that a client can decide on the server whether to update. `weight_decay`
is decoupled: the variable first loses `weight_decay * learning_rate` of itself.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

from protocol.errors import InvalidArgumentError
from protocol.ops.registry import FLOATS, Specs, op
from protocol.spec import Spec, format_shape, merge_shapes

_OPERANDS = "grad learning_rate:real step:index"


def _updated(specs: tuple[Spec, ...], variables: int, extras: int) -> Specs:
    """The variables' new specs. After them come gradient, learning rate, step, `extras` scalars and perhaps indices."""
    changed, (grad, *scalars) = specs[:variables], specs[variables : variables + 3 + extras]
    indices = specs[variables + 3 + extras :]
    shape = _agreeing(changed, grad, indices)
    for scalar in scalars:
        merge_shapes(scalar.shape, ())
    found = tuple([Spec(spec.dtype, shape) for spec in changed])
    return found if variables > 1 else found[0]


def _agreeing(changed: tuple[Spec, ...], grad: Spec, indices: tuple[Spec, ...]) -> tuple[int | None, ...] | None:
    """The shape that the variables and the gradient have in common."""
    shape = changed[0].shape
    for spec in changed:
        if spec.dtype is not grad.dtype:
            raise InvalidArgumentError(f"a variable of {spec.dtype.name} cannot take a gradient of {grad.dtype.name}")
        shape = merge_shapes(shape, spec.shape)
    if not indices:
        try:
            return merge_shapes(shape, grad.shape)
        except InvalidArgumentError:
            raise InvalidArgumentError(
                f"Cannot update variable with shape {format_shape(shape)} using a Tensor with shape "
                f"{format_shape(grad.shape)}, shapes must be equal."
            ) from None
    if len(indices) > 1:
        raise InvalidArgumentError(f"a gradient has one tensor of row numbers, not {len(indices)}")
    if shape == ():
        raise InvalidArgumentError("a scalar has no rows that a gradient could name")
    rows = None if grad.shape is None else grad.shape[:1]
    merge_shapes(rows, indices[0].shape)
    if rows == ():
        raise InvalidArgumentError(f"rows of a gradient cannot have the shape {format_shape(grad.shape)}")
    if shape is not None and grad.shape is not None:
        return shape[:1] + (merge_shapes(shape[1:], grad.shape[1:]) or ())
    return shape


def _update(name: str, slots: str, hyper: dict[str, Any], extras: str = "") -> None:
    """Declare a rule that changes a variable and its `slots`, reads `extras` too, and has the hyperparameters `hyper`.

    All rules' inference is one function: what differs is its signature, which names the attributes.
    """
    attrs = {**hyper, "weight_decay": 0.0, "skippable": False}
    variables, further = 1 + len(slots.split()), len(extras.split())

    def infer(*specs: Spec, **_: Any) -> Specs:
        return _updated(specs, variables, further)

    keywords = [inspect.Parameter(k, inspect.Parameter.KEYWORD_ONLY, default=v) for k, v in attrs.items()]
    infer.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    infer.__annotations__ = {k: type(v) for k, v in attrs.items()}
    changed = " ".join(f"{slot}:variable" for slot in f"var {slots}".split())
    op(name, f"{changed} {_OPERANDS} {extras} *indices:index", infer=infer, types=FLOATS, effect=True)


_ADAM: Final = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
_RMSPROP: Final = {"rho": 0.9, "epsilon": 1e-7}
_FTRL: Final = {"learning_rate_power": -0.5, "l1": 0.0, "l2": 0.0, "l2_shrinkage": 0.0, "beta": 0.0}

_update("update_sgd", "", {})
_update("update_momentum", "momentum", {"momentum": 0.9, "nesterov": False})
_update("update_adam", "momentum velocity", _ADAM)
_update("update_amsgrad", "momentum velocity velocity_hat", _ADAM)
_update("update_adamax", "momentum norm", _ADAM)
_update("update_nadam", "momentum velocity", _ADAM, extras="product:real")
_update("update_lamb", "momentum velocity", _ADAM)
_update("update_lion", "momentum", {"beta_1": 0.9, "beta_2": 0.99})
_update("update_adagrad", "accumulator", {"epsilon": 1e-7})
_update("update_adadelta", "accumulated_grad accumulated_delta", {"rho": 0.95, "epsilon": 1e-7})
_update("update_rmsprop", "velocity", _RMSPROP)
_update("update_rmsprop_momentum", "velocity momentum", _RMSPROP | {"momentum": 0.9})
_update("update_rmsprop_centered", "velocity average", _RMSPROP)
_update("update_rmsprop_centered_momentum", "velocity momentum average", _RMSPROP | {"momentum": 0.9})
_update("update_ftrl", "accumulator linear", _FTRL)


def _nadam_product(product: Spec, step: Spec, *, beta_1: float = 0.9, skippable: bool = False) -> Spec:
    """The product of the momenta that Nadam's warming up gives to its steps so far."""
    if product.dtype not in FLOATS:
        raise InvalidArgumentError(f"the product of momenta must be of floats, not {product.dtype.name}")
    merge_shapes(step.shape, ())
    return Spec(product.dtype, merge_shapes(product.shape, ()))


op("update_nadam_product", "product:variable step:index", infer=_nadam_product, types=FLOATS, effect=True)


def _average(
    average: Spec,
    var: Spec,
    step: Spec,
    *,
    momentum: float = 0.99,
    overwrite_every: int = 0,
    skippable: bool = False,
) -> Specs:
    """The moving average of a variable, which every so many steps takes its average's value."""
    if average.dtype is not var.dtype or var.dtype not in FLOATS:
        raise InvalidArgumentError(f"a {var.dtype.name} variable has no moving average of {average.dtype.name}")
    merge_shapes(step.shape, ())
    shape = merge_shapes(average.shape, var.shape)
    return Spec(var.dtype, shape), Spec(var.dtype, shape)


def _accumulated(total: Spec, grad: Spec, step: Spec, *indices: Spec, steps: int, skippable: bool = False) -> Specs:
    """The sum of gradients, which starts anew at every `steps`th step, and their mean as far as they have come."""
    merge_shapes(step.shape, ())
    if steps < 1:
        raise InvalidArgumentError(f"steps must be at least 1, not {steps}")
    shape = _agreeing((total,), grad, indices)
    return Spec(total.dtype, shape), Spec(total.dtype, shape)


op("update_average", "average:variable var:variable step:index", infer=_average, effect=True)
op(
    "accumulate_gradient",
    "total:variable grad step:index *indices:index",
    infer=_accumulated,
    types=FLOATS,
    effect=True,
)
