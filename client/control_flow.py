"""Control flow of eager programs: branches, loops, and what only orders ops in a graph.

Owns: `cond`, `case`, `switch_case`, `while_loop`, `group`, `no_op`, `control_dependencies`, `init_scope`,
    `name_scope`. Does not know functions
over elements (`client.mapping`).

Python decides, so a predicate has to be looked at: that is a wait, unless its value is known here. Nothing else waits.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from client import nest, recording
from client.api import public
from client.convert import convert_to_tensor
from client.dispatch import call
from client.reading import fetch
from client.tensor import Operand, Tensor
from protocol.dtypes import bool_
from protocol.errors import InvalidArgumentError

# --- branches --------------------------------------------------------------------------------------------------------


@public("cond")
def cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    name: str | None = None,
) -> Any:
    """What `true_fn()` returns if `pred` holds, else what `false_fn()` does; the other one is not called.

    Waits once for `pred`, unless it is a Python bool or a tensor whose value is known here.

    Args:
        pred: a bool, or a tensor of one element.
        true_fn: called without arguments.
        false_fn: called without arguments.
        name: ignored.

    Raises:
        TypeError: a branch is missing or not callable.
        ValueError: `pred` has not exactly one element.

    >>> import client as tf
    >>> x, y = tf.constant(2), tf.constant(5)
    >>> tf.cond(x < y, lambda: x + 17, lambda: y + 23)
    <tf.Tensor: shape=(), dtype=int32, numpy=19>
    """
    for which, branch in (("true_fn", true_fn), ("false_fn", false_fn)):
        if branch is None:
            raise TypeError(f"cond(): '{which}' argument required")
        if not callable(branch):
            raise TypeError(f"'{which}' must be callable.")
    holds = bool(convert_to_tensor(pred) if isinstance(pred, Operand) else pred)
    return true_fn() if holds else false_fn()  # type: ignore[misc]


@public("case")
def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """What the function of the first predicate that holds returns; `default()` when none holds.

    All predicates are read together, in one wait, unless they are known here.

    Args:
        pred_fn_pairs: (predicate, function) pairs: bool scalar tensors and callables. A list, tuple or `OrderedDict`;
            a dict with `exclusive=True`.
        default: called when no predicate holds.
        exclusive: whether it is an error that more than one predicate holds.
        strict: False takes a result out of a list or tuple of one.
        name: ignored.

    Raises:
        TypeError: predicates that are no bool tensors, functions that cannot be called, pairs that are none.
        ValueError: no pairs.
        tf.errors.InvalidArgumentError: no predicate holds and there is no default; several hold and `exclusive`.

    >>> import client as tf
    >>> x = tf.constant(3)
    >>> tf.case([(x < 2, lambda: tf.constant(10)), (x < 4, lambda: tf.constant(20))], default=lambda: tf.constant(30))
    <tf.Tensor: shape=(), dtype=int32, numpy=20>
    """
    pairs = _checked_pairs(pred_fn_pairs, exclusive)
    if default is not None and not callable(default):
        raise TypeError("'false_fn' must be callable.")
    read = fetch(*[p for p, _ in pairs])
    holds = [bool(v) for v in (read if len(pairs) > 1 else [read])]
    if exclusive and sum(holds) > 1:
        raise InvalidArgumentError(f"Input error: exclusive=True: more than 1 conditions evaluated as True: {holds}")
    if any(holds):
        action = pairs[holds.index(True)][1]
    elif default is not None:
        action = default
    else:
        raise InvalidArgumentError(f"Input error: None of conditions evaluated as True: {holds}")
    result = action()
    return result[0] if not strict and isinstance(result, list | tuple) and len(result) == 1 else result


def _checked_pairs(pairs: Any, exclusive: bool) -> list[tuple[Tensor, Callable[[], Any]]]:
    if not isinstance(pairs, list | tuple | dict):
        raise TypeError(f"'pred_fn_pairs' must be a list, tuple, or dict. Received: {type(pairs)}")
    if isinstance(pairs, dict):
        if not exclusive and not isinstance(pairs, OrderedDict):
            raise ValueError(
                "Unordered dictionaries are not supported for the 'pred_fn_pairs' argument when `exclusive=False` and "
                "eager mode is enabled."
            )
        pairs = list(pairs.items())
    if not pairs:
        raise ValueError("'pred_fn_pairs' must have at least one pair")
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"Each entry in 'pred_fn_pairs' must be a 2-tuple. Received {pair}.")
        pred, function = pair
        if not isinstance(pred, Tensor):
            raise TypeError(f"pred must be a Tensor, got: {pred}")
        if pred.dtype is not bool_:
            raise TypeError(f"pred must be Tensor of type bool: {pred._spec}")
        if not callable(function):
            raise TypeError(f"fn for pred {pred._spec} must be callable.")
    return list(pairs)


@public("switch_case")
def switch_case(
    branch_index: Any, branch_fns: Any, default: Callable[[], Any] | None = None, name: str = "switch_case"
) -> Any:
    """What the function number `branch_index` returns; out of range, what `default` returns, or else the last function.

    Waits once for the index, unless it is known here.

    Args:
        branch_index: an integer scalar tensor.
        branch_fns: functions in order; or a dict, or (int, function) pairs, whose keys are 0, 1, ...
        default: called when the index is out of range.
        name: ignored.

    Raises:
        TypeError: the index is no integer tensor, a key no int, a function not callable.
        ValueError: no functions, or keys with gaps.

    >>> import client as tf
    >>> tf.switch_case(tf.constant(1), [lambda: tf.constant(17), lambda: tf.constant(31)])
    <tf.Tensor: shape=(), dtype=int32, numpy=31>
    """
    if not isinstance(branch_index, Tensor):
        raise TypeError(f"'branch_index' must be a Tensor, got {type(branch_index)}")
    if not branch_index.dtype.is_integer:
        raise TypeError(f"'branch_index' must be an integer Tensor, got {branch_index.dtype!s}")
    actions = _checked_branches(branch_fns)
    if default is not None:
        actions.append(default)
    index = int(branch_index)
    return actions[index if 0 <= index < len(actions) else -1]()


def _checked_branches(branches: Any) -> list[Callable[[], Any]]:
    if not branches:
        raise ValueError("Must provide at least one item in 'branch_fns'")
    if not isinstance(branches, list | tuple | dict):
        raise TypeError("'branch_fns' must be a list, tuple, or dict")
    pairs = list(branches.items() if isinstance(branches, Mapping) else branches)
    if all(callable(b) for b in pairs):
        return pairs
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"Each entry in 'branch_fns' must be a 2-tuple. Received {pair}.")
        key, function = pair
        if not isinstance(key, int):
            raise TypeError(f"key must be a Python `int`, got {type(key)}")
        if not callable(function):
            raise TypeError(f"fn for key {key} must be callable.")
    by_key = dict(pairs)
    if sorted(k for k, _ in pairs) != list(range(len(pairs))):
        listed = ",".join(str(k) for k in sorted(k for k, _ in pairs))
        raise ValueError(
            f"branch indices (keys) must form contiguous range of [0 to {len(pairs)}) but found {{{listed}}}"
        )
    return [by_key[k] for k in range(len(pairs))]


# --- loops -----------------------------------------------------------------------------------------------------------


@public("while_loop")
def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    maximum_iterations: Any = None,
    name: str | None = None,
) -> Any:
    """`body` applied to the loop variables as long as `cond` holds for them.

    Waits once an iteration for what `cond` returns, unless that is known here: a Python bool, or arithmetic on small
    integers that are.

    Args:
        cond: takes the loop variables; returns a bool or a tensor of one element.
        body: takes the loop variables; returns them changed, in the same structure. One variable alone need not be in
            a list.
        loop_vars: a list or tuple of tensors, variables (read at the start), Python values or structures of them.
        shape_invariants: ignored: shapes may change.
        parallel_iterations: ignored.
        back_prop: ignored; gradients are those of the ops that ran.
        swap_memory: ignored.
        maximum_iterations: an int or integer scalar tensor to stop after.
        name: ignored.

    Returns:
        The loop variables as `body` returned them last, all of them tensors.

    Raises:
        TypeError: something is not callable, or `loop_vars` is no list or tuple, or the structure changed its types.
        ValueError: there are no loop variables, or `body` changed the structure.

    >>> import client as tf
    >>> start = (tf.constant(0), tf.constant(0))
    >>> i, total = tf.while_loop(lambda i, total: i < 5, lambda i, total: (i + 1, total + i), start)
    >>> int(i), int(total)
    (5, 10)
    """
    if not callable(cond):
        raise TypeError("'cond' must be callable.")
    if not callable(body):
        raise TypeError("'body' must be callable.")
    if parallel_iterations < 1:
        raise TypeError("'parallel_iterations' must be a positive integer.")
    if not isinstance(loop_vars, list | tuple):
        raise TypeError(f"'loop_vars' must be a list or tuple, not {type(loop_vars).__name__}")
    if not loop_vars:
        raise ValueError("'loop_vars' must be provided.")
    variables: Any = nest.map_structure(tensors_of_variables, loop_vars)
    remaining = _iterations(maximum_iterations)
    while (remaining is None or remaining > 0) and cond(*variables):
        found = body(*variables)
        if not isinstance(found, list | tuple) and len(variables) == 1:
            found = [found]
        nest.assert_same_structure(list(variables), list(found))
        variables = found
        remaining = None if remaining is None else remaining - 1
    return nest.map_structure(convert_to_tensor, variables)


def _iterations(limit: Any) -> int | None:
    if limit is None:
        return None
    tensor = convert_to_tensor(limit)
    if tensor.ndim != 0:
        raise ValueError(f"'maximum_iterations' must be a scalar. Received shape: {tensor.shape}")
    return int(tensor)


def tensors_of_variables(value: Any) -> Any:
    """A variable's value now; anything else as it is."""
    return convert_to_tensor(value) if isinstance(value, Operand) else value


# --- order and names -------------------------------------------------------------------------------------------------


@public("group")
def group(*inputs: Any, **kwargs: Any) -> None:
    """Nothing: an eager program's ops have been issued in order. Returns None, as in TensorFlow."""


@public("no_op")
def no_op(name: str | None = None) -> None:
    """Nothing. Returns None."""


@public("control_dependencies")
def control_dependencies(control_inputs: Any) -> AbstractContextManager[None]:
    """A context that does nothing: ops run in the order they are issued. Callables among `control_inputs` are called.

    >>> import client as tf
    >>> x = tf.constant([1.0, 2.0])
    >>> with tf.control_dependencies([tf.debugging.assert_positive(x)]):
    ...     y = tf.math.log(x)
    """
    for control in control_inputs if isinstance(control_inputs, Sequence) else ():
        if callable(control):
            control()
    return nullcontext()


@public("identity_n")
def identity_n(input: Any, name: str | None = None) -> list[Tensor]:
    """A list of tensors with the values of those in `input`.

    Raises:
        tf.errors.InvalidArgumentError: `input` is empty.

    >>> import client as tf
    >>> [t.dtype for t in tf.identity_n([1, 2.5])]
    [tf.int32, tf.float32]
    """
    values = list(input)
    if not values:
        raise InvalidArgumentError("Length for attr 'T' of 0 must be at least minimum 1")
    return [call("identity", value) for value in values]


@public("tuple")
def tuple_(tensors: Any, control_inputs: Any = None, name: str | None = None) -> list[Any]:
    """The tensors as a list; None stays None. In a graph it would make all wait for all.

    >>> import client as tf
    >>> tf.tuple([tf.constant(1), None])
    [<tf.Tensor: shape=(), dtype=int32, numpy=1>, None]
    """
    return [tensors_of_variables(t) for t in tensors]


@public("init_scope")
@contextmanager
def init_scope() -> Iterator[None]:
    """A context that lifts ops out of graphs, of which there are none, and in which no tape records."""
    with recording.paused():
        yield


class _Names(threading.local):
    scope = ""


_names = _Names()


@public("name_scope")
class name_scope(AbstractContextManager[str]):
    """A context that prefixes the names of what is made in it; entering gives the whole prefix.

    Names don't change what ops do. A name that ends in a slash stands for itself, outside of all other scopes.

    Raises:
        ValueError: `name` is no string.

    >>> import client as tf
    >>> with tf.name_scope("model"), tf.name_scope("layer") as scope:
    ...     print(scope)
    model/layer/
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise ValueError("name for name_scope must be a string.")
        self._name = name
        self._outer: list[str] = []

    @property
    def name(self) -> str:
        """The name it was made with."""
        return self._name

    def __enter__(self) -> str:
        self._outer.append(_names.scope)
        if not self._name or self._name.endswith("/"):
            _names.scope = self._name
        else:
            _names.scope += self._name + "/"
        return _names.scope

    def __exit__(self, *_: Any) -> None:
        _names.scope = self._outer.pop()


@public("get_current_name_scope")
def get_current_name_scope() -> str:
    """The name of the scope this thread is in, without a slash at its end; empty outside of all.

    >>> import client as tf
    >>> with tf.name_scope("a"), tf.name_scope("b"):
    ...     print(tf.get_current_name_scope())
    a/b
    """
    return _names.scope.removesuffix("/")
