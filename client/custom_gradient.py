"""`tf.custom_gradient`: functions that say themselves what their gradient is.

Owns: `custom_gradient`, `recompute_grad`, `grad_pass_through`. The function of the user's that computes a gradient is
never sent: a backward pass that crosses one runs on the client and calls it with tensors. Does not know how a pass runs
(`client.tape`).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from client import nest, recording
from client.api import public
from client.convert import convert_to_tensor, materialize
from client.dispatch import call
from client.indexed_slices import dense
from client.tensor import Operand, Tensor
from client.variable import Variable
from protocol.gradients import Node


@public("custom_gradient")
def custom_gradient(f: Callable[..., Any] | None = None) -> Any:
    """A decorator for a function that gives its result and the function that computes its gradient.

    Args:
        f: takes tensors or nested structures of them and gives `(y, grad_fn)`. `grad_fn(*dy)` takes the gradient of
            each tensor in `y` and gives one for each tensor among the arguments, None where there is none. Where `f`
            reads variables that are no arguments, `grad_fn` takes `variables=` too and gives
            `(gradients, gradients of the variables)`.

    Returns:
        A function of the same arguments that gives `y`. `grad_fn` runs during a backward pass, in this process, and
        tapes record what it does: gradients of any order work.

    Raises:
        TypeError: `f` reads variables and `grad_fn` does not take them.
        ValueError: during the backward pass, a wrong number of gradients.

    >>> import client as tf
    >>> @tf.custom_gradient
    ... def log1pexp(x):
    ...     e = tf.exp(x)
    ...     return tf.math.log(1 + e), lambda dy: dy * (1 - 1 / (1 + e))
    >>> x = tf.constant(100.0)
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = log1pexp(x)
    >>> print(tape.gradient(y, x).numpy())
    1.0
    """
    if f is None:
        return custom_gradient

    @functools.wraps(f)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        return _call(f, args, kwargs)

    return decorated


def _call(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with recording.watching_variables() as watched:
        y, grad_fn = f(*args, **kwargs)
    arguments = [*nest.flatten(args), *nest.flatten(kwargs)]
    variables = [v for v in watched.values() if all(v is not a for a in arguments)]
    if variables and not _takes_variables(grad_fn):
        raise TypeError(
            "@tf.custom_gradient grad_fn must accept keyword argument 'variables', since function uses variables: "
            f"{variables}"
        )
    with recording.paused():  # the results are tensors of their own, which the inner ops don't lead to
        results = [call("identity", convert_to_tensor(dense(r))) for r in nest.flatten(y)]
    outlines = recording.recording()
    if outlines:
        inputs: list[Any] = [a if isinstance(a, Operand) else None for a in arguments]
        _record(f, [*inputs, *variables], results, _backward(grad_fn, len(arguments), variables), outlines)
    return nest.pack_sequence_as(y, results)


def _takes_variables(function: Callable[..., Any]) -> bool:
    found = inspect.getfullargspec(function)
    return "variables" in found.args or "variables" in found.kwonlyargs or found.varkw is not None


def _backward(grad_fn: Callable[..., Any], count: int, variables: Sequence[Variable]) -> Callable[..., list[Any]]:
    """The user's function as a backward pass calls it: a gradient for each argument, then for each variable."""

    def gradients(*dy: Tensor) -> list[Any]:
        if variables:
            given, of_variables = grad_fn(*dy, variables=list(variables))
            of_variables = nest.flatten(of_variables)
            if len(of_variables) != len(variables):
                raise ValueError("Must return gradient for each variable from @custom_gradient grad_fn.")
        else:
            given, of_variables = grad_fn(*dy), []
        flat = nest.flatten(given)
        if len(flat) != count:
            raise ValueError(
                f"custom_gradient function expected to return {count} gradients, but returned {len(flat)} instead."
            )
        return [None if g is None else convert_to_tensor(dense(g)) for g in (*flat, *of_variables)]

    return gradients


def _record(
    f: Callable[..., Any],
    inputs: Sequence[Operand | None],
    results: Sequence[Tensor],
    gradients: Callable[..., list[Any]],
    outlines: Sequence[recording.Outline],
) -> None:
    """Note the function as one node, in the outlines that track one of its inputs."""
    for each in inputs:
        if isinstance(each, Variable) and each._trainable:  # its use within was not recorded, or not as an op's operand
            for outline in outlines:
                if outline.watch_variables:
                    outline.watch_variable(each)
    ids = [i._operand if i is not None and type(i._operand) is int else 0 for i in inputs]
    concerned = [o for o in outlines if not o.tracked.isdisjoint(ids)]
    if not concerned:
        return
    for result in results:
        materialize(result)
    positions = tuple(n for n, i in enumerate(inputs) if i is not None and i._spec.dtype.differentiable)
    # A place without a tensor has no gradient, whatever spec stands for it.
    specs = tuple([results[0]._spec if i is None else i._spec for i in inputs])
    node = Node(
        getattr(f, "__name__", "function"), {}, positions, ids, specs, (None,) * len(inputs),
        [r._operand for r in results], tuple([r._spec for r in results]), results, gradients,
    )  # fmt: skip
    recording.add(node, concerned)


@public("recompute_grad")
def recompute_grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose inner values are not kept for the gradient but computed again in the backward pass.

    It takes memory for time: what `f` computes on its way is freed at once.

    Args:
        f: takes tensors and gives a tensor or a nested structure of them; it may read variables.

    >>> import client as tf
    >>> square = tf.recompute_grad(lambda x: x * x)
    >>> x = tf.Variable(3.0)
    >>> with tf.GradientTape() as tape:
    ...     y = square(x)
    >>> print(tape.gradient(y, x).numpy())
    6.0
    """

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        @custom_gradient
        def inner(*tensors: Any) -> Any:
            with recording.unrecorded():
                result = f(*tensors, **kwargs)

            def grad(*dy: Tensor, variables: Sequence[Variable] = ()) -> Any:
                from client.tape import GradientTape

                with GradientTape() as tape:
                    copies = [call("identity", t) if isinstance(t, Operand) else t for t in tensors]
                    sources = [c for c in copies if isinstance(c, Operand)]
                    tape.watch([s for s in sources if s._spec.dtype.differentiable])
                    again = f(*copies, **kwargs)
                found = tape.gradient(again, [sources, list(variables)], output_gradients=list(dy))
                flat = iter(found[0])
                gradients = [next(flat) if isinstance(c, Operand) else None for c in copies]
                return (gradients, found[1]) if variables else gradients

            return result, grad

        return inner(*args)

    return wrapped


@public("grad_pass_through")
def grad_pass_through(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that computes `f` and whose gradient is that of the identity.

    >>> import client as tf
    >>> x = tf.Variable(1.5)
    >>> with tf.GradientTape() as tape:
    ...     y = tf.grad_pass_through(tf.round)(x)
    >>> print(y.numpy(), tape.gradient(y, x).numpy())
    2.0 1.0
    """

    @custom_gradient
    def passing(*args: Any, **kwargs: Any) -> Any:
        def grad(*dy: Tensor, variables: Sequence[Variable] | None = None) -> Any:
            gradients = dy[0] if len(dy) == 1 else list(dy)
            return gradients if variables is None else (gradients, [None] * len(variables))

        return f(*args, **kwargs), grad

    return passing  # type: ignore[no-any-return]
