"""Python functions applied along the first axis: `map_fn`, `vectorized_map`, `scan`, `foldl`, `foldr`.

Owns: taking elements apart, the loops, putting results together. Does not know what the functions compute.

The function runs once for each element, here; its ops are sent like any others. Nothing waits, unless only the server
knows the number of elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from client import nest
from client.api import public
from client.control_flow import tensors_of_variables
from client.convert import convert_to_tensor
from client.dispatch import call
from client.tensor import Tensor
from client.tensor_spec import TensorSpec
from protocol.errors import InvalidArgumentError, OutOfRangeError

_Function = Callable[..., Any]


# --- taking apart and putting together -------------------------------------------------------------------------------


class _Elements:
    """The elements of a structure of tensors along their first axis."""

    def __init__(self, elems: Any) -> None:
        self.structure = elems
        self.tensors: list[Tensor] = [convert_to_tensor(t) for t in nest.flatten(elems)]
        if not self.tensors:
            raise ValueError(
                "elems must be a Tensor or (possibly nested) sequence of Tensors. "
                f"Got {elems}, which does not contain any Tensors."
            )
        if any(t.ndim == 0 for t in self.tensors):
            raise ValueError("Elements in elems must be 1+ dimensional Tensors, not scalars")
        sizes = [len(t) for t in self.tensors]
        self.count = sizes[0]
        for size in sizes:
            if size != self.count:
                raise ValueError(f"Dimensions {self.count} and {size} are not compatible")
        self._parts = [call("unstack", t, num=self.count, axis=0) if self.count else () for t in self.tensors]

    def __getitem__(self, index: int) -> Any:
        return nest.pack_sequence_as(self.structure, [parts[index] for parts in self._parts])

    def first(self, index: int) -> Any:
        """The element that starts a fold without an initializer."""
        if not self.count:
            raise OutOfRangeError("Tried to read from index 0 but array size is: 0")
        return self[index]


def _check_callable(function: Any) -> None:
    if not callable(function):
        raise TypeError(f"{function!r} is not callable. Please provide a callable function.")


def _written(value: Any, spec: TensorSpec) -> Tensor:
    """One result as a tensor of the dtype and shape that the signature says."""
    tensor = convert_to_tensor(value, dtype_hint=spec.dtype)
    if tensor.dtype is not spec.dtype:
        raise InvalidArgumentError(
            f"TensorArray dtype is {spec.dtype.name} but Op is trying to write dtype {tensor.dtype.name}"
        )
    if not spec.shape.is_compatible_with(tensor._spec.shape):
        raise ValueError(f"Incompatible shape for value ({tensor.shape}), expected ({spec.shape})")
    return tensor


def _stacked(rows: Sequence[Sequence[Any]], specs: Sequence[TensorSpec], structure: Any) -> Any:
    """The results of all elements, each a list of leaves, as one tensor a leaf."""
    if not rows:
        leaves = [_no_results(spec) for spec in specs]
    else:
        leaves = [
            call("stack", *[_written(value, spec) for value in column], axis=0)
            for column, spec in zip(zip(*rows, strict=True), specs, strict=True)
        ]
    return nest.pack_sequence_as(structure, leaves)


def _no_results(spec: TensorSpec) -> Any:
    dims = () if spec.shape.rank is None else tuple(spec.shape)
    return call("zeros", shape=(0, *(d or 0 for d in dims)), dtype=spec.dtype)


# --- mapping ---------------------------------------------------------------------------------------------------------


@public("map_fn")
def map_fn(
    fn: _Function,
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
    fn_output_signature: Any = None,
) -> Any:
    """`fn` applied to each element of `elems` along the first axis, and the results stacked.

    Args:
        fn: takes an element, or a structure of them as `elems` is one.
        elems: a tensor, or a structure of tensors of the same length.
        dtype: the old name of `fn_output_signature`.
        parallel_iterations: ignored.
        back_prop: ignored.
        swap_memory: ignored.
        infer_shape: ignored: results that are stacked have one shape.
        name: ignored.
        fn_output_signature: dtypes or `tf.TensorSpec`s in the structure that `fn` returns. None: as `elems`.

    Raises:
        TypeError: `fn` is not callable, or returns another structure than the signature says.
        ValueError: `elems` has no tensors, scalars, or tensors of different lengths; results of different shapes.
        tf.errors.InvalidArgumentError: results of another dtype than the signature says.

    >>> import client as tf
    >>> tf.map_fn(lambda x: x * x, tf.constant([1, 2, 3]))
    <tf.Tensor: shape=(3,), dtype=int32, numpy=array([1, 4, 9], dtype=int32)>
    >>> tf.map_fn(lambda x: x[0] * x[1], (tf.constant([1, 2]), tf.constant([3, 4])), fn_output_signature=tf.int32)
    <tf.Tensor: shape=(2,), dtype=int32, numpy=array([3, 8], dtype=int32)>
    """
    _check_callable(fn)
    elements = _Elements(elems)
    signature = dtype if fn_output_signature is None else fn_output_signature
    if signature is None:
        specs = [TensorSpec(None, t.dtype) for t in elements.tensors]
        signature = elems
    else:
        specs = [s if isinstance(s, TensorSpec) else TensorSpec(None, s) for s in nest.flatten(signature)]
    rows = []
    for i in range(elements.count):
        value = fn(elements[i])
        nest.assert_same_structure(signature, value)
        rows.append(nest.flatten(value))
    return _stacked(rows, specs, signature)


@public("vectorized_map")
def vectorized_map(fn: _Function, elems: Any, fallback_to_while_loop: bool = True, warn: bool = True) -> Any:
    """`fn` applied to each element of `elems` along the first axis, and the results stacked; what `fn` returns says
    their structure and dtypes.

    As in TensorFlow, a tensor whose first dim is 1 gives its one element every time. Here it is a loop: code that
    works on the whole
    batch at once is faster.

    Args:
        fn: takes an element, or a structure of them as `elems` is one; returns a structure of tensors.
        elems: a tensor, or a structure of tensors of the same length or of length 1.
        fallback_to_while_loop: ignored.
        warn: ignored.

    Raises:
        ValueError: `elems` has no tensors, scalars, or tensors of different lengths; results of different shapes.

    >>> import client as tf
    >>> tf.vectorized_map(lambda x: (x, tf.reduce_sum(x)), tf.constant([[1, 2], [3, 4]]))[1]
    <tf.Tensor: shape=(2,), dtype=int32, numpy=array([3, 7], dtype=int32)>
    """
    _check_callable(fn)
    tensors = [convert_to_tensor(t) for t in nest.flatten(elems)]
    if any(t.ndim == 0 for t in tensors):
        raise ValueError("Elements in elems must be 1+ dimensional Tensors, not scalars")
    count = max((len(t) for t in tensors), default=0)
    single = [len(t) == 1 < count for t in tensors]
    elements = _Elements([t for t, alone in zip(tensors, single, strict=True) if not alone])
    alone = [call("squeeze", t, axis=(0,)) if s else None for t, s in zip(tensors, single, strict=True)]
    if not elements.count:  # `fn` says what it returns for an element of the right shape; that element is dropped
        zeros = [call("zeros", shape=t.shape[1:], dtype=t.dtype) for t in tensors]
        found = nest.map_structure(convert_to_tensor, fn(nest.pack_sequence_as(elems, zeros)))
        return nest.map_structure(lambda t: call("zeros", shape=(0, *t.shape), dtype=t.dtype), found)
    results = []
    for i in range(elements.count):
        varying = iter(elements[i])
        leaves = [next(varying) if fixed is None else fixed for fixed in alone]
        results.append(fn(nest.pack_sequence_as(elems, leaves)))
    return nest.map_structure(_stack_or_none, *results)


def _stack_or_none(*values: Any) -> Any:
    return None if values[0] is None else call("stack", *[convert_to_tensor(v) for v in values], axis=0)


# --- folding ---------------------------------------------------------------------------------------------------------


@public("scan")
def scan(
    fn: _Function,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """All the intermediate results of folding `elems` with `fn`, stacked: `a[i] = fn(a[i - 1], elems[i])`.

    Args:
        fn: takes the accumulator and an element; returns the next accumulator, in the same structure.
        elems: a tensor, or a structure of tensors of the same length.
        initializer: what comes before the first element. None: the first element is the first accumulator.
        parallel_iterations: ignored.
        back_prop: ignored.
        swap_memory: ignored.
        infer_shape: ignored: results that are stacked have one shape.
        reverse: whether to go from the last element to the first; the results are in the elements' order.
        name: ignored.

    Raises:
        TypeError: `fn` is not callable, or returns another structure.
        ValueError: `elems` has no tensors, scalars, or tensors of different lengths; results of different shapes.
        tf.errors.OutOfRangeError: there are no elements and no `initializer`.
        tf.errors.InvalidArgumentError: `fn` changed the dtype.

    >>> import client as tf
    >>> tf.scan(lambda a, x: a + x, tf.constant([1, 2, 3]))
    <tf.Tensor: shape=(3,), dtype=int32, numpy=array([1, 3, 6], dtype=int32)>
    >>> tf.scan(lambda a, x: a + x, tf.constant([1, 2, 3]), initializer=10, reverse=True)
    <tf.Tensor: shape=(3,), dtype=int32, numpy=array([16, 15, 13], dtype=int32)>
    """
    _check_callable(fn)
    elements = _Elements(elems)
    order = list(range(elements.count))[:: -1 if reverse else 1]
    rows = []
    if initializer is None:
        structure = elems
        accumulator = elements.first(order[0] if order else 0)
        rows.append(nest.flatten(accumulator))
        order = order[1:]
    else:
        structure = initializer
        accumulator = nest.map_structure(convert_to_tensor, initializer)
    specs = [TensorSpec(t.shape, t.dtype) for t in nest.flatten(accumulator)]
    for i in order:
        accumulator = fn(accumulator, elements[i])
        nest.assert_same_structure(structure, accumulator)
        rows.append([_written(v, s) for v, s in zip(nest.flatten(accumulator), specs, strict=True)])
        accumulator = nest.pack_sequence_as(structure, rows[-1])
    return _stacked(rows[::-1] if reverse else rows, specs, structure)


@public("foldl")
def foldl(
    fn: _Function,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """`elems` combined with `fn` from the first to the last: `fn(fn(fn(initializer, elems[0]), elems[1]), elems[2])`.

    Args:
        fn: takes the accumulator and an element; returns the next accumulator, in the same structure.
        elems: a tensor, or a structure of tensors of the same length.
        initializer: what comes before the first element. None: the first element.
        parallel_iterations: ignored.
        back_prop: ignored.
        swap_memory: ignored.
        name: ignored.

    Raises:
        TypeError: `fn` is not callable, or returns another structure.
        ValueError: `elems` has no tensors, scalars, or tensors of different lengths.
        tf.errors.OutOfRangeError: there are no elements and no `initializer`.

    >>> import client as tf
    >>> int(tf.foldl(lambda a, x: a - x, tf.constant([10, 2, 3])))
    5
    """
    return _fold(fn, elems, initializer, 1)


@public("foldr")
def foldr(
    fn: _Function,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """`elems` combined with `fn` from the last to the first: `fn(fn(fn(initializer, elems[2]), elems[1]), elems[0])`.

    Arguments and errors are those of `tf.foldl`.

    >>> import client as tf
    >>> int(tf.foldr(lambda a, x: a - x, tf.constant([10, 2, 3])))
    -9
    """
    return _fold(fn, elems, initializer, -1)


def _fold(fn: _Function, elems: Any, initializer: Any, step: int) -> Any:
    _check_callable(fn)
    elements = _Elements(elems)
    order = list(range(elements.count))[::step]
    if initializer is None:
        accumulator = elements.first(order[0] if order else 0)
        order = order[1:]
    else:
        accumulator = nest.map_structure(tensors_of_variables, initializer)
    for i in order:
        found = fn(accumulator, elements[i])
        nest.assert_same_structure(accumulator, found)
        accumulator = found
    return nest.map_structure(convert_to_tensor, accumulator)
