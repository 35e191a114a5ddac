"""`tf.nest`: structures of Python containers, taken apart and put together again.

Owns: what counts as a structure, its order, its comparison. Whatever is no container is a leaf.

A structure is a list, tuple, namedtuple, dict or another `Sequence` or `Mapping`; a string is a leaf, and so are
arrays, sets, tensors and `tf.TensorShape`.
Dicts are walked by sorted key, whatever their own order, so that equal dicts have equal leaves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, MappingView, Sequence
from typing import Any, Final

from client.api import public

__all__ = ["assert_same_structure", "flatten", "is_nested", "map_structure", "pack_sequence_as"]

_PLAIN: Final = frozenset((list, tuple, dict))
_LEAVES: Final = (str, bytes, bytearray, memoryview)


@public("nest.is_nested")
def is_nested(seq: Any) -> bool:
    """Whether `seq` is a structure: a list, tuple, namedtuple, dict or another sequence or mapping, but no string.

    >>> import client as tf
    >>> tf.nest.is_nested([1, 2]), tf.nest.is_nested({}), tf.nest.is_nested("ab"), tf.nest.is_nested(tf.zeros([2]))
    (True, True, False, False)
    """
    return type(seq) in _PLAIN or (isinstance(seq, Sequence | Mapping | MappingView) and not isinstance(seq, _LEAVES))


@public("nest.flatten")
def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """The leaves of a structure in order, dicts by sorted key; a leaf alone gives a list of itself.

    Args:
        structure: a structure or a leaf. None is a leaf.
        expand_composites: accepted; composite tensors stay whole.

    Raises:
        TypeError: a dict's keys cannot be sorted.

    >>> import client as tf
    >>> tf.nest.flatten({"b": 1, "a": [2, (3,)]})
    [2, 3, 1]
    >>> tf.nest.flatten(None)
    [None]
    """
    found: list[Any] = []
    _collect(structure, found)
    return found


@public("nest.map_structure")
def map_structure(func: Callable[..., Any], *structure: Any, **kwargs: Any) -> Any:
    """`func` applied to each leaf, or to the corresponding leaves of several structures; the result has the first
    one's structure.

    Args:
        func: takes as many arguments as there are structures.
        *structure: structures, all of the same form.
        **kwargs: `check_types=True`: whether containers must be of the same type too; `expand_composites=False`:
            accepted, see `flatten`.

    Raises:
        TypeError: `func` is not callable, or containers differ in type.
        ValueError: no structure, structures of different form, or another keyword argument.

    >>> import client as tf
    >>> tf.nest.map_structure(lambda x, y: x + y, {"a": 1, "b": [2]}, {"a": 10, "b": [20]})
    {'a': 11, 'b': [22]}
    """
    if not callable(func):
        raise TypeError(f"func must be callable, got: {func}")
    if not structure:
        raise ValueError("Must provide at least one structure")
    check_types = kwargs.pop("check_types", True)
    kwargs.pop("expand_composites", False)
    if kwargs:
        listed = "`, `".join(kwargs)
        raise ValueError(f"Only valid keyword arguments are `check_types` and `expand_composites`, not: `{listed}`")
    first = structure[0]
    for other in structure[1:]:
        assert_same_structure(first, other, check_types)
    if not is_nested(first):
        return func(*structure)
    return _packed(first, map(func, *map(flatten, structure)))


@public("nest.pack_sequence_as")
def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """A structure of the form of `structure` with the leaves `flat_sequence`, as `flatten` orders them.

    Args:
        structure: the form. A leaf takes a sequence of one.
        flat_sequence: the leaves: a sequence.
        expand_composites: accepted, see `flatten`.

    Raises:
        TypeError: `flat_sequence` is no sequence.
        ValueError: it has too few or too many items.

    >>> import client as tf
    >>> tf.nest.pack_sequence_as({"b": 0, "a": [0, (0,)]}, [2, 3, 1])
    {'b': 1, 'a': [2, (3,)]}
    """
    if not is_nested(flat_sequence):
        raise TypeError(
            f"Attempted to pack value:\n  {_shown(flat_sequence)}\n"
            f"into a structure, but found incompatible type `{type(flat_sequence)}` instead."
        )
    values = list(flat_sequence)
    if not is_nested(structure):
        if len(values) != 1:
            raise ValueError(
                f"The target structure is of type `{type(structure)}`\n  {_shown(structure)}\n"
                f"However the input is a sequence ({type(flat_sequence)}) of length {len(values)}.\n"
                f"  {_shown(flat_sequence)}\n"
                "nest cannot guarantee that it is safe to map one to the other."
            )
        return values[0]
    expected = len(flatten(structure))
    if len(values) != expected:
        raise ValueError(
            f"Could not pack sequence. Structure had {expected} atoms, but flat_sequence had {len(values)} items.  "
            f"Structure: {_shown(structure)}, flat_sequence: {_shown(flat_sequence)}."
        )
    return _packed(structure, iter(values))


@public("nest.assert_same_structure")
def assert_same_structure(nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False) -> None:
    """Check that two structures have the same form. Leaves are not compared.

    Args:
        nest1: a structure or a leaf.
        nest2: another.
        check_types: whether containers must be of the same type too. Two dicts, or two namedtuples of one name and
            the same fields, always are.
        expand_composites: accepted, see `flatten`.

    Raises:
        ValueError: the containers do not correspond, or have different numbers of items or other keys.
        TypeError: containers differ in type.

    >>> import client as tf
    >>> tf.nest.assert_same_structure([1, (2, 3)], [4, (5, 6)])
    >>> tf.nest.assert_same_structure([1, 2], (1, 2), check_types=False)
    """
    try:
        _compare(nest1, nest2, check_types)
    except (ValueError, TypeError) as error:
        raise type(error)(
            "The two structures don't have the same nested structure.\n\n"
            f"First structure: {_described(nest1)}\n\nSecond structure: {_described(nest2)}\n\n"
            f"More specifically: {error}\n"
            f"Entire first structure:\n{_dotted(nest1)}\nEntire second structure:\n{_dotted(nest2)}"
        ) from None


# --- the containers --------------------------------------------------------------------------------------------------


def _children(structure: Any) -> Iterable[Any]:
    return [structure[k] for k in sorted(structure)] if isinstance(structure, Mapping) else structure


def _collect(structure: Any, found: list[Any]) -> None:
    if is_nested(structure):
        for child in _children(structure):
            _collect(child, found)
    else:
        found.append(structure)


def _packed(structure: Any, leaves: Iterator[Any]) -> Any:
    if not is_nested(structure):
        return next(leaves)
    return _rebuilt(structure, [_packed(child, leaves) for child in _children(structure)])


def _rebuilt(structure: Any, children: list[Any]) -> Any:
    """A container like `structure` with other children, which come in the order of `_children`."""
    kind: Any = type(structure)
    if kind is list:
        return children
    if kind is tuple:
        return tuple(children)
    if isinstance(structure, Mapping):
        by_key = dict(zip(sorted(structure), children, strict=True))
        ordered = {k: by_key[k] for k in structure}
        if kind is dict:
            return ordered
        return kind(structure.default_factory, ordered) if isinstance(structure, defaultdict) else kind(ordered)
    if _is_namedtuple(structure):
        return kind(*children)
    return children if isinstance(structure, MappingView | range) else kind(children)


def _is_namedtuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


# --- comparing -------------------------------------------------------------------------------------------------------


def _compare(first: Any, second: Any, check_types: bool) -> None:
    nested = is_nested(first)
    if nested != is_nested(second):
        sequence, leaf = (first, second) if nested else (second, first)
        raise ValueError(
            f'Substructure "{_described(sequence)}" is a sequence, while substructure "{_described(leaf)}" is not'
        )
    if not nested:
        return
    if check_types:
        _compare_types(first, second)
    ours, theirs = list(_children(first)), list(_children(second))
    if len(ours) != len(theirs):
        raise ValueError(
            "The two structures don't have the same number of elements. "
            f"First structure: {_described(first)}. Second structure: {_described(second)}"
        )
    for a, b in zip(ours, theirs, strict=True):
        _compare(a, b, check_types)


def _compare_types(first: Any, second: Any) -> None:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        if set(first) != set(second):
            raise ValueError(
                "The two dictionaries don't have the same set of keys. "
                f"First structure has keys {_described(list(first))}, "
                f"while second structure has keys {_described(list(second))}"
            )
    elif _is_namedtuple(first) and _is_namedtuple(second):
        if type(first).__name__ != type(second).__name__ or first._fields != second._fields:
            raise _different_types(first, second)
    elif type(first) is not type(second) and not (isinstance(first, list) and isinstance(second, list)):
        raise _different_types(first, second)


def _different_types(first: Any, second: Any) -> TypeError:
    return TypeError(
        "The two structures don't have the same sequence type. "
        f"First structure {_described(first)} has type {type(first).__name__}, "
        f"while second structure {_described(second)} has type {type(second).__name__}"
    )


class _Shown:
    """A leaf in a message."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _shown(structure: Any) -> Any:
    """A structure for a message: tensors by dtype and shape, because printing their values would wait."""
    return map_structure(lambda leaf: _Shown(f"<{leaf._spec}>") if hasattr(leaf, "_spec") else leaf, structure)


def _dotted(structure: Any) -> str:
    """The form alone: `[., (., .)]`."""
    return repr(map_structure(lambda _: _Shown("."), structure))


def _described(value: Any) -> str:
    return f"type={type(value).__name__} str={_shown(value)}"
