"""What requests say and answers hold, as models: their fields are checked by these, and `/docs` shows them.

Owns: the shape of requests and answers. Does not know what items do (`server.api.draft`), nor tensors' data.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

MAX_ITEMS: Final = 1024
"""Items of a request, and entries of each list in them."""
MAX_NAME: Final = 200
_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$"

Name: TypeAlias = Annotated[
    str,
    Field(pattern=_NAME, max_length=MAX_NAME, description="A name in the session, for a tensor, a variable or a tape."),
]
Reference: TypeAlias = Annotated[
    str,
    Field(
        pattern=_NAME + r"|^[0-9]{1,19}$",
        max_length=MAX_NAME,
        description="A name that a request gave, or an id that an answer told.",
    ),
]
_TENSOR_SCHEMA: Final[dict[str, Any]] = {
    "description": "A tensor: a number, true or false, lists of these, or an object. Without a dtype, integers are "
    "int32 (int64 where one does not fit) and others float32; NaN and infinities are strings.",
    "anyOf": [
        {"type": "number"},
        {"type": "boolean"},
        {"type": "array", "items": {}},
        {
            "type": "object",
            "properties": {
                "dtype": {"type": "string"},
                "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "data": {},
            },
            "required": ["data"],
            "additionalProperties": False,
        },
    ],
}
Value: TypeAlias = Annotated[Any, WithJsonSchema(_TENSOR_SCHEMA)]
Operand: TypeAlias = Annotated[
    Any,
    WithJsonSchema({
        "description": "A reference, as a string; or a tensor, used on the spot.",
        "anyOf": [{"type": "string"}, *_TENSOR_SCHEMA["anyOf"]],
    }),
]  # fmt: skip
Published: TypeAlias = Annotated[
    str, Field(max_length=512, description="A name outside the session: parts between slashes.")
]
Device: TypeAlias = Annotated[str | None, Field(max_length=100, description="Such as CPU:0 or GPU:0.")]


def _listed(value: Any) -> Any:
    """One name stands for a list of it."""
    return [value] if isinstance(value, str) else value


Outputs: TypeAlias = Annotated[
    # Its length is bounded within: Pydantic would measure null, where a validator comes before.
    Annotated[list[Name | None], Field(max_length=MAX_ITEMS)] | None,
    BeforeValidator(_listed, json_schema_input_type=Name | list[Name | None] | None),
    Field(description="Names for the results, null for one that is not wanted. Left out: all are kept, under ids."),
]
References: TypeAlias = Annotated[list[Reference], Field(max_length=MAX_ITEMS)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Tensor(_Model):
    """A tensor. `data` is nested lists, or a flat list for the shape; in msgpack it can be bytes, little-endian."""

    dtype: Annotated[str | None, Field(description="Such as float32.")] = None
    shape: Annotated[list[int] | None, Field(max_length=32)] = None
    data: Annotated[Any, WithJsonSchema({"description": "Numbers, booleans or strings such as NaN; lists of them."})]


class Run(_Model):
    """Run an op on `inputs`."""

    kind: Literal["run"] = "run"
    op: Annotated[str, Field(max_length=100, description="Its name in GET /v1/ops.")]
    inputs: Annotated[list[Operand], Field(max_length=MAX_ITEMS)] = []
    attrs: Annotated[
        dict[str, Any],
        Field(
            max_length=64,
            description="By name. A dtype is its name; a tensor that stands for integers is {ref: reference}.",
        ),
    ] = {}
    outputs: Outputs = None
    device: Device = None
    tapes: References = []


class Constant(_Model):
    """Make a tensor."""

    kind: Literal["constant"]
    value: Value
    output: Name | None = None
    device: Device = None


class Variable(_Model):
    """Make a variable, which ops such as assign_add change."""

    kind: Literal["variable"]
    value: Operand
    output: Name | None = None
    device: Device = None


class Tape(_Model):
    """Make a tape, which the `tapes` of later items name."""

    kind: Literal["tape"]
    output: Name | None = None


class Gradient(_Model):
    """The gradients of the targets' sum for each source; null for one that no target depends on."""

    kind: Literal["gradient"]
    tape: Reference
    targets: References
    sources: References
    seeds: Annotated[
        list[Operand] | None,
        Field(max_length=MAX_ITEMS, description="For each target the gradient to start from, null for ones."),
    ] = None
    outputs: Outputs = None
    keep: Annotated[bool, Field(description="Keep the tape, which is gone otherwise.")] = False


class Read(_Model):
    """Ask for a value, which the answer holds."""

    kind: Literal["read"]
    tensor: Reference


class Release(_Model):
    """Forget tensors, variables and tapes."""

    kind: Literal["release"]
    tensors: References


class Publish(_Model):
    """Give a value a name outside the session."""

    kind: Literal["publish"]
    tensor: Operand
    name: Published


class Unpublish(_Model):
    """Take a name away from its value."""

    kind: Literal["unpublish"]
    name: Published


class Fetch(_Model):
    """A tensor with what is published under a name."""

    kind: Literal["published"]
    name: Published
    output: Name | None = None
    device: Device = None


KINDS: Final = (Run, Constant, Variable, Tape, Gradient, Read, Release, Publish, Unpublish, Fetch)


def _kind(value: Any) -> Any:
    return value.get("kind", "run") if isinstance(value, dict) else getattr(value, "kind", None)


Item: TypeAlias = Annotated[
    Annotated[Run, Tag("run")]
    | Annotated[Constant, Tag("constant")]
    | Annotated[Variable, Tag("variable")]
    | Annotated[Tape, Tag("tape")]
    | Annotated[Gradient, Tag("gradient")]
    | Annotated[Read, Tag("read")]
    | Annotated[Release, Tag("release")]
    | Annotated[Publish, Tag("publish")]
    | Annotated[Unpublish, Tag("unpublish")]
    | Annotated[Fetch, Tag("published")],
    Discriminator(_kind),
]


class Execute(_Model):
    """Items, which are executed in order."""

    items: Annotated[list[Item], Field(max_length=MAX_ITEMS)]


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: Annotated[str, Field(description="The class of the error.")]
    status: int
    detail: str
    code: Annotated[int, Field(description="The number of the class, as in the table of docs/http.md.")]
    item: Annotated[int | None, Field(description="The item of the request that was wrong, from 0.")] = None
    request_id: Annotated[str | None, Field(description="The request's, as in the header X-Request-ID.")] = None


class Failure(BaseModel):
    """What went wrong with one item."""

    title: str
    detail: str
    code: int
    item: Annotated[int | None, Field(description="The item that failed first; null: one of an earlier request.")] = (
        None
    )


class Output(BaseModel):
    """A result: what it is called, and what is known of it."""

    id: str
    name: str | None
    dtype: Annotated[str | None, Field(description="Left out for a tape.")] = None
    shape: Annotated[list[int | None] | None, Field(description="null where only running it tells.")] = None


class Outcome(BaseModel):
    """What became of an item: `error`, or what it gave; `value` of a read."""

    error: Failure | None = None
    outputs: list[Output | None] | None = None
    value: Tensor | None = None


RunOnce: TypeAlias = Run | Execute
"""A run without a session: one op, or items."""


class Values(BaseModel):
    """The results of one op."""

    values: list[Tensor]


class Outcomes(BaseModel):
    """What became of each item."""

    items: list[Outcome]
    failed: Annotated[int, Field(description="How many items have an error.")]


RunAnswer: TypeAlias = Values | Outcomes
"""The results of one op; or what became of each item."""


class OpInput(BaseModel):
    """An input of an op."""

    name: str
    dtypes: list[str]
    same_dtype: Annotated[bool, Field(description="Whether it shares its dtype with the others that say so.")]
    several: Annotated[bool, Field(description="Whether it stands for any number of tensors.")]
    variable: Annotated[bool, Field(description="Whether it is the name of a variable, which the op changes.")]


class OpAttr(BaseModel):
    """An attribute of an op."""

    name: str
    type: str
    required: bool
    tensor: Annotated[bool, Field(description="Whether a tensor may stand for it: {ref: name}.")]
    default: Any = None


class OpEntry(BaseModel):
    """An op of the catalogue."""

    name: str
    family: str
    doc: str
    inputs: list[OpInput]
    attrs: list[OpAttr]
    effect: Annotated[bool, Field(description="Whether it changes a variable.")]
    differentiable: Annotated[list[str], Field(description="The inputs that can have a gradient.")]


class OpList(BaseModel):
    """The catalogue."""

    ops: list[OpEntry]


class DeviceEntry(BaseModel):
    """A device; bytes in use, by whomever, and in total, where the system tells."""

    name: str
    default: bool
    used: int | None = None
    total: int | None = None


class DeviceList(BaseModel):
    """The server's devices."""

    devices: list[DeviceEntry]


class PublishedEntry(BaseModel):
    """A published value."""

    name: str
    dtype: str
    shape: list[int]
    bytes: int
    version: int
    modified: float


class PublishedList(BaseModel):
    """What is published, by name."""

    published: list[PublishedEntry]


class TensorEntry(BaseModel):
    """What a name or an id stands for."""

    id: str
    name: str | None
    kind: Literal["tensor", "variable", "tape"]
    dtype: str | None = None
    shape: list[int | None] | None = None
    error: Failure | None = None


class TensorList(BaseModel):
    """What a session's names and ids stand for, by id."""

    tensors: list[TensorEntry]
