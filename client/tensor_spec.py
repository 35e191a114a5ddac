"""`tf.TensorSpec`: the dtype and shape a tensor should have.

Owns: `TensorSpec`. Does not know who checks tensors against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from client.api import public
from client.shape import TensorShape
from client.tensor import Operand, Tensor
from protocol.dtypes import as_dtype, float32
from protocol.spec import Dim


@public("TensorSpec")
class TensorSpec:
    """A dtype, and a shape whose dims, or whose rank, may be left open.

    Args:
        shape: a `tf.TensorShape`, or what makes one; None for any rank.
        dtype: the element type.
        name: a name for the tensor.

    >>> import client as tf
    >>> spec = tf.TensorSpec([None, 3], tf.float32)
    >>> spec
    TensorSpec(shape=(None, 3), dtype=tf.float32, name=None)
    >>> spec.is_compatible_with(tf.zeros([5, 3])), spec.is_compatible_with(tf.zeros([5, 4]))
    (True, False)
    """

    __slots__ = ("_dtype", "_name", "_shape")

    def __init__(self, shape: Any, dtype: Any = float32, name: str | None = None) -> None:
        self._shape = TensorShape(shape)
        self._dtype = as_dtype(dtype)
        self._name = name

    @classmethod
    def from_spec(cls, spec: Any, name: str | None = None) -> TensorSpec:
        """A spec like another object with `shape` and `dtype`, with another name if one is given."""
        return cls(spec.shape, spec.dtype, name or getattr(spec, "name", None))

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        """The spec of a tensor. Dims that only the server knows are left open: nothing waits.

        Raises:
            ValueError: it is no tensor.

        >>> import client as tf
        >>> tf.TensorSpec.from_tensor(tf.constant([[1, 2, 3]]))
        TensorSpec(shape=(1, 3), dtype=tf.int32, name=None)
        """
        if not isinstance(tensor, Operand):
            raise ValueError(f"`tensor` should be a tf.Tensor, but got type {type(tensor)}.")
        return cls(tensor._spec.shape, tensor._spec.dtype, name)

    @property
    def shape(self) -> TensorShape:
        """The shape."""
        return self._shape

    @property
    def dtype(self) -> Any:
        """The element type."""
        return self._dtype

    @property
    def name(self) -> str | None:
        """The name, or None."""
        return self._name

    @property
    def value_type(self) -> type[Tensor]:
        """The class of what this describes: `tf.Tensor`."""
        return Tensor

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        """Whether a tensor, or one that another spec describes, could be described by this. What is neither is not
        compatible.
        """
        if isinstance(spec_or_value, TensorSpec):
            dtype, shape = spec_or_value._dtype, spec_or_value._shape
        elif isinstance(spec_or_value, Tensor):
            dtype, shape = spec_or_value._spec.dtype, TensorShape(spec_or_value._spec.shape)
        else:
            return False
        return self._dtype is dtype and self._shape.is_compatible_with(shape)

    def is_subtype_of(self, other: Any) -> bool:
        """Whether `other` describes all tensors that this does.

        >>> import client as tf
        >>> tf.TensorSpec([2, 3]).is_subtype_of(tf.TensorSpec([None, 3]))
        True
        """
        if not isinstance(other, TensorSpec) or self._dtype is not other._dtype or self._name != other._name:
            return False
        theirs, ours = other._shape.dims, self._shape.dims
        if theirs is None:
            return True
        return (
            ours is not None
            and len(ours) == len(theirs)
            and all(t in (None, o) for o, t in zip(ours, theirs, strict=True))
        )

    def most_specific_common_supertype(self, others: Sequence[Any]) -> TensorSpec | None:
        """The narrowest spec that describes what this and `others` do; None where dtypes differ.

        >>> import client as tf
        >>> tf.TensorSpec([2, 3]).most_specific_common_supertype([tf.TensorSpec([2, 4])])
        TensorSpec(shape=(2, None), dtype=tf.float32, name=None)
        """
        shape: list[Dim] | None = self._shape.dims
        for other in others:
            if not isinstance(other, TensorSpec) or other._dtype is not self._dtype or other._name != self._name:
                return None
            theirs = other._shape.dims
            if shape is None or theirs is None or len(shape) != len(theirs):
                shape = None
            else:
                shape = [a if a == b else None for a, b in zip(shape, theirs, strict=True)]
        return TensorSpec(shape, self._dtype, self._name)

    def most_specific_compatible_type(self, other: Any) -> TensorSpec:
        """`most_specific_common_supertype` of two. Raises ValueError where there is none."""
        found = self.most_specific_common_supertype([other])
        if found is None:
            raise ValueError(f"No TypeSpec is compatible with both {self} and {other}")
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TensorSpec):
            return False
        return (self._shape, self._dtype, self._name) == (other._shape, other._dtype, other._name)

    def __hash__(self) -> int:
        return hash((self._shape, self._dtype))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self._shape}, dtype={self._dtype!r}, name={self._name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorSpec, (self._shape, self._dtype, self._name)
