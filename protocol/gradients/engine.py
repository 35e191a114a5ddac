"""The backward pass: walks recorded nodes from the targets to the sources and emits ops.

Owns: `Node`, `plan` and `backward`. Does not know what values are, who recorded the nodes or where the emitted ops run:
the server runs it over a tape, the client over its outline of the same nodes, and both emit the same ops.

Tensors and variables are told apart by their ids, which are never used twice in a session; 0 is no tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from protocol.dtypes import DType, int64
from protocol.errors import InternalError
from protocol.gradients.registry import GRADIENTS, Gradient, Rule
from protocol.gradients.terms import Emitter, Slices, Term, cast, dims, ops, shape
from protocol.ops import Op
from protocol.spec import Dim, Spec, element_count

Contribution: TypeAlias = Term | Slices


class Node:
    """An op that was recorded: its operands' and results' ids and specs, and of their values what its rules need.

    `positions` are the inputs that may have a gradient. A node with `custom` is no op: that function takes the
    gradients of the results, as values, and gives those of the inputs, None among them.
    """

    __slots__ = (
        "attrs", "custom", "in_ids", "in_specs", "inputs", "name", "out_ids", "out_specs", "outputs", "positions",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        attrs: Mapping[str, Any],
        positions: tuple[int, ...],
        in_ids: Sequence[int],
        in_specs: tuple[Spec, ...],
        inputs: Sequence[Any],
        out_ids: Sequence[int],
        out_specs: tuple[Spec, ...],
        outputs: Sequence[Any],
        custom: Callable[..., Any] | None = None,
    ) -> None:
        self.name = name
        self.attrs = attrs
        self.positions = positions
        self.in_ids = in_ids
        self.in_specs = in_specs
        self.inputs = inputs
        self.out_ids = out_ids
        self.out_specs = out_specs
        self.outputs = outputs
        self.custom = custom


class Rows(NamedTuple):
    """What is known beforehand of a gradient in `Slices`: how many rows, and the dtype of their indices."""

    number: Dim
    dtype: DType


class Plan(NamedTuple):
    """What a backward pass will do.

    nodes: those to visit, in order, each with the positions of the inputs that need a gradient.
    connected: for each id that gets a gradient, None, or the rows where the gradient is in slices.
    custom: whether it passes a node whose gradient is the user's own function.
    """

    nodes: list[tuple[Node, tuple[int, ...]]]
    connected: dict[int, Rows | None]
    custom: bool


def plan(nodes: Sequence[Node], targets: Iterable[int], sources: Iterable[int]) -> Plan:
    """Find what lies between the targets and the sources.

    Raises:
        LookupError: an op in between has no gradient in TensorFlow.
    """
    live = set(sources)
    forward = []
    for node in nodes:
        ids = node.in_ids
        needed = tuple([i for i in node.positions if ids[i] in live])
        if needed:
            forward.append((node, needed))
            for out, spec in zip(node.out_ids, node.out_specs, strict=True):
                if spec.dtype.differentiable:
                    live.add(out)
    live.discard(0)
    connected: dict[int, Rows | None] = {t: None for t in targets if t in live}
    visited = []
    custom = False
    for node, needed in reversed(forward):
        if connected.keys().isdisjoint(node.out_ids):
            continue
        if node.custom is not None:
            custom = True
        elif GRADIENTS[node.name].missing:
            raise LookupError(f"gradient registry has no entry for: {node.name}")
        visited.append((node, needed))
        for position in needed:
            _connect(connected, node, position)
    return Plan(visited, connected, custom)


def _connect(connected: dict[int, Rows | None], node: Node, position: int) -> None:
    """Note that a node gives a gradient to one of its inputs, and whether that is in slices."""
    target = node.in_ids[position]
    rows: Rows | None = None
    if is_sparse(node, position):
        spec = node.in_specs[1]
        rows = Rows(element_count(spec.shape) if spec.is_static else None, spec.dtype)
    elif node.name == "identity":
        rows = connected[node.out_ids[0]]
    if target not in connected:
        connected[target] = rows
        return
    before = connected[target]
    if before is None or rows is None:
        connected[target] = None
    else:
        number = None if before.number is None or rows.number is None else before.number + rows.number
        connected[target] = Rows(number, before.dtype if before.dtype is rows.dtype else int64)


def is_sparse(node: Node, position: int) -> bool:
    """Whether a node's gradient is in slices: the one of whole rows that `gather` took."""
    attrs = node.attrs
    return (
        node.name == "gather" and position == 0 and attrs.get("axis", 0) == 0 and attrs.get("batch_dims", 0) == 0
    )  # fmt: skip


def backward(
    planned: Plan,
    seeds: Iterable[tuple[int, Term]],
    sources: Iterable[int],
    emitter: Emitter,
    leave: Callable[[Node], None] | None = None,
) -> dict[int, Contribution]:
    """Run a backward pass.

    Args:
        planned: what `plan` found.
        seeds: pairs of a target and the gradient to start from there.
        sources: the ids whose gradients are wanted.
        emitter: runs the ops.
        leave: called with each node when it is done with, so that its values can be freed.

    Returns:
        The gradients of those sources that have one.
    """
    found: dict[int, list[Contribution]] = {}
    for target, seed in seeds:
        if target in planned.connected:
            found.setdefault(target, []).append(seed)
    wanted = set(sources)
    results: dict[int, Contribution] = {}
    for node, needed in planned.nodes:
        gradients: list[Contribution | None] = []
        for out in node.out_ids:
            contributions = found.pop(out, None)
            total = None if contributions is None else _total(contributions)
            gradients.append(total)
            if total is not None and out in wanted:
                results[out] = total
        if any(g is not None for g in gradients):
            for position, contribution in _contributions(node, needed, gradients, emitter):
                found.setdefault(node.in_ids[position], []).append(contribution)
        if leave is not None:
            leave(node)
    for source in wanted:
        if source in found:
            results[source] = _total(found[source])
    return results


def _total(contributions: list[Contribution]) -> Contribution:
    """The sum of the gradients that reached a tensor from its uses."""
    if len(contributions) == 1:
        return contributions[0]
    if all(type(c) is Slices for c in contributions):
        slices: Any = contributions
        kinds = {s.indices.spec.dtype for s in slices}
        index = kinds.pop() if len(kinds) == 1 else int64
        return Slices(
            ops.concat(*[s.values for s in slices], axis=0),
            ops.concat(*[cast(s.indices, index) for s in slices], axis=0),
            slices[0].spec,
        )
    return ops.add_n(*[densified(c) for c in contributions])


def densified(gradient: Contribution) -> Term:
    """A gradient as one tensor."""
    if type(gradient) is not Slices:
        return gradient  # type: ignore[return-value]
    values, indices, spec = gradient
    return ops.unsorted_segment_sum(values, indices, num_segments=spec.shape[0])  # type: ignore[index]


def _contributions(
    node: Node, needed: tuple[int, ...], gradients: list[Contribution | None], emitter: Emitter
) -> Iterable[tuple[int, Contribution]]:
    """What a node adds to the gradients of its inputs."""
    if node.custom is not None:
        return _custom(node, needed, gradients, emitter)
    if node.name == "identity":
        return [(0, gradients[0])]  # type: ignore[list-item]
    dense = [None if g is None else densified(g) for g in gradients]
    if is_sparse(node, 0) and needed == (0,):
        return [(0, _gathered(node, _filled(node, 0, dense, emitter), emitter))]
    gradient = GRADIENTS[node.name]
    found: list[tuple[int, Contribution]] = []
    joint: dict[int, Any] = {}
    for position in needed:
        rule = gradient.rule(position)
        assert rule is not None
        if rule.joint:
            if id(rule) not in joint:
                joint[id(rule)] = _apply(gradient, rule, node, position, dense, emitter)
            name = gradient.op.inputs[position]
            result = joint[id(rule)][rule.joint.index(name)]
        else:
            result = _apply(gradient, rule, node, position, dense, emitter)
        found.append((position, result))
    return found


def _custom(
    node: Node, needed: tuple[int, ...], gradients: list[Contribution | None], emitter: Emitter
) -> list[tuple[int, Contribution]]:
    terms = [_zeros(node, i, emitter) if g is None else densified(g) for i, g in enumerate(gradients)]
    assert node.custom is not None
    given = node.custom(*[t.value for t in terms])
    return [(i, emitter.term(given[i], node.in_specs[i])) for i in needed if given[i] is not None]


def _zeros(node: Node, position: int, emitter: Emitter) -> Term:
    """The gradient of a result that none reached."""
    spec = node.out_specs[position]
    if spec.is_static:
        found: Term = emitter.run("zeros", (), {"shape": spec.shape, "dtype": spec.dtype})
    else:
        found = ops.zeros_like(emitter.term(node.outputs[position], spec))
    return found


def _filled(node: Node, position: int, gs: list[Term | None], emitter: Emitter) -> Term:
    """The gradient of a result; zeros, from here on, where none reached it."""
    found = gs[position]
    if found is None:
        gs[position] = found = _zeros(node, position, emitter)
    return found


def _gathered(node: Node, g: Term, emitter: Emitter) -> Slices:
    """The gradient of `gather(x, indices)` for x: the rows of `g` belong to the rows of x that were taken."""
    params, index = node.in_specs[:2]
    indices = emitter.term(node.inputs[1], index)
    if index.rank != 1:
        rank = params.rank
        rest = () if rank == 1 else dims(g)[g.spec.rank - rank + 1 :]  # type: ignore[operator]
        g = ops.reshape(g, shape=(-1, *rest)) if 0 not in rest else ops.reshape(g, shape=(_size(indices), *rest))
        indices = ops.reshape(indices, shape=(-1,))
    return Slices(g, indices, params)


def _size(x: Term) -> int:
    return element_count(dims(x))


def _apply(gradient: Gradient, rule: Rule, node: Node, position: int, gs: list[Term | None], emitter: Emitter) -> Any:
    """Call a rule with what its parameters ask for."""
    op = gradient.op
    count = len(node.in_ids)

    def term(i: int) -> Term:
        return emitter.term(node.inputs[i], node.in_specs[i])

    def each(of: int, take: Callable[[int], Any]) -> Any:
        if op.variadic and of == len(op.inputs) - 1:
            return tuple([take(i) for i in range(of, count)])
        return take(of)

    arguments: list[Any] = []
    for kind, of in rule.parameters:
        if kind == "g":
            arguments.append(_filled(node, 0, gs, emitter))
        elif kind == "value":
            arguments.append(each(of, term))
        elif kind == "shape":
            arguments.append(each(of, lambda i: shape(term(i))))
        elif kind == "spec":
            arguments.append(each(of, lambda i: node.in_specs[i]))
        elif kind == "dims":
            arguments.append(each(of, lambda i: dims(term(i))))
        elif kind == "gs":
            arguments.append(tuple([_filled(node, i, gs, emitter) for i in range(len(gs))]))
        elif kind == "given":
            arguments.append(tuple(gs))
        elif kind == "out":
            arguments.append(emitter.term(node.outputs[0], node.out_specs[0]))
        elif kind == "outs":
            arguments.append(tuple([emitter.term(o, s) for o, s in zip(node.outputs, node.out_specs, strict=True)]))
        else:
            arguments.append(position - len(op.inputs) + 1)
    result = rule.function(*arguments, **_attributes(op, rule, node.attrs, emitter))
    if not rule.joint and type(result) is not Term:
        raise InternalError(f"the gradient of {op.name} for {op.inputs[min(position, len(op.inputs) - 1)]} is {result}")
    return result


def _attributes(op: Op, rule: Rule, given: Mapping[str, Any], emitter: Emitter) -> Mapping[str, Any]:
    if rule.attrs is None:
        return {name: emitter.attribute(value, plain=False) for name, value in given.items()}
    return {
        name: emitter.attribute(given[name], plain=True) if name in given else op.attrs[name].default
        for name in rule.attrs
    }
