"""What `compile` was given, for a model's outputs: which loss and which metrics belong to which output.

Owns: matching structures of losses, weights, metrics and targets with the structure of the outputs; the choice of an
accuracy or a cross-entropy by shapes; the names in the logs. Does not know losses and metrics themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from client import nest, recording
from client.tensor import Operand
from client.tracking import snake_case


def _family(y_true: Any, y_pred: Any) -> str:
    """What shapes say of labels and predictions: "binary", "sparse" or "categorical"."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if pred and pred[-1] == 1:
        return "binary"
    sparse = len(true) < len(pred) or (true[-1:] == (1,) and pred[-1] > 1)
    return "sparse" if sparse else "categorical"


def _name_of(target: Any) -> str:
    name = getattr(target, "name", None)
    if isinstance(name, str):
        return name
    return snake_case(getattr(target, "__name__", None) or type(target).__name__)


def _loss(identifier: Any, y_true: Any, y_pred: Any) -> Any:
    from client.keras import losses
    from client.keras.losses.loss import LossFunctionWrapper

    if str(identifier).lower() in ("crossentropy", "ce"):
        prefix = {"binary": "binary", "sparse": "sparse_categorical", "categorical": "categorical"}
        found = losses.get(f"{prefix[_family(y_true, y_pred)]}_crossentropy")
    else:
        found = losses.get(identifier)
    if isinstance(found, losses.Loss):
        return found
    return LossFunctionWrapper(found, name=identifier if isinstance(identifier, str) else _name_of(found))


def _metric(identifier: Any, y_true: Any, y_pred: Any) -> Any:
    from client.keras import metrics

    if identifier is None:
        raise ValueError("Expected metric, received `None`")
    if str(identifier).lower() in ("accuracy", "acc"):
        classes = {
            "binary": metrics.BinaryAccuracy,
            "sparse": metrics.SparseCategoricalAccuracy,
            "categorical": metrics.CategoricalAccuracy,
        }
        return classes[_family(y_true, y_pred)](name=str(identifier))
    found = metrics.get(identifier)
    name = identifier if isinstance(identifier, str) else _name_of(found)
    if not isinstance(found, metrics.Metric):
        return metrics.MeanMetricWrapper(found, name=name)
    found.name = name
    return found


# --- structures ------------------------------------------------------------------------------------------------------


def _paths(structure: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the leaves are, in the order of `nest.flatten`."""
    if isinstance(structure, Mapping):
        for key in sorted(structure):
            yield from _paths(structure[key], (*path, key))
    elif nest.is_nested(structure):
        for i, value in enumerate(structure):
            yield from _paths(value, (*path, i))
    else:
        yield path


def _by_name(value: Any, outputs: Any, names: Sequence[str] | None) -> Any:
    """A dict by the outputs' names, for outputs that are no dict, as a list; other values as they are."""
    if not isinstance(value, Mapping) or isinstance(outputs, Mapping) or not names:
        return value
    if not set(value) <= set(names):
        return value
    listed = [value.get(name) for name in names]
    return listed if nest.is_nested(outputs) else listed[0]


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    """What stands at a path, or above it if a leaf stands there; None where nothing does."""
    for step in path:
        if not nest.is_nested(value):
            return value
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _leaves(value: Any) -> list[Any]:
    return [value] if isinstance(value, Operand) else nest.flatten(value)


class _Layout:
    """The outputs' structure: their paths, and their names if they have any."""

    def __init__(self, y_pred: Any, names: Sequence[str] | None) -> None:
        self.paths = list(_paths(y_pred))
        self.names = list(names) if names and len(names) == len(self.paths) else None
        self.by_key = isinstance(y_pred, Mapping)
        self._outputs = nest.map_structure(lambda _: None, y_pred)

    def targets(self, value: Any, losses: Sequence[Any]) -> list[Any]:
        """The target of each output: the same structure, by names, or a list for the outputs that have losses.

        Raises:
            ValueError: another structure.
        """
        count = len(self.paths)
        if count == 1 and isinstance(value, Operand):
            return [value]
        value = _by_name(value, self._outputs, self.names)
        if not nest.is_nested(value):
            if count == 1:
                return [value]
        elif isinstance(value, Mapping):
            found = [_at(value, path) if path and path[0] in value else None for path in self.paths]
            if all(f is not None or loss is None for f, loss in zip(found, losses, strict=True)):
                return found
        else:
            flat = nest.flatten(value)
            if len(flat) == count:
                return flat
            wanted = [i for i, loss in enumerate(losses) if loss is not None]
            if len(flat) == len(wanted):
                placed: list[Any] = [None] * count
                for i, each in zip(wanted, flat, strict=True):
                    placed[i] = each
                return placed
        raise ValueError(
            "y_true and y_pred have different structures.\n"
            f"y_true: {nest.map_structure(lambda _: '*', value)}\n"
            f"y_pred: {nest.map_structure(lambda _: '*', self._outputs)}\n"
        )

    def each(self, value: Any, what: str) -> list[Any]:
        """What belongs to each output: the same for all, one each in a list, or by name or key.

        Raises:
            KeyError, ValueError: it has another structure.
        """
        value = _by_name(value, self._outputs, self.names)
        if not nest.is_nested(value):
            return [value] * len(self.paths)
        if isinstance(value, Mapping):
            known = {path[0] for path in self.paths if path}
            unknown = [key for key in value if key not in known]
            if unknown:
                expected = self.names or sorted(map(str, known))
                raise KeyError(f"The keys {unknown} of `{what}` are not among the model's outputs {expected}")
            return [_at(value, path) for path in self.paths]
        flat = list(value) if len(value) == len(self.paths) else nest.flatten(value)
        if any(map(nest.is_nested, flat)):
            return [_at(value, path) for path in self.paths]
        if len(flat) != len(self.paths):
            raise ValueError(f"`{what}` has {len(flat)} entries, and the model has {len(self.paths)} outputs")
        return flat


def _weights(layout: _Layout, given: Any, losses: Sequence[Any]) -> list[Any]:
    """The sample weights of each output: the same for all, or one each."""
    if isinstance(given, Operand) or not nest.is_nested(given):
        return [given] * len(layout.paths)
    return layout.targets(given, losses)


# --- losses ----------------------------------------------------------------------------------------------------------


class _OutputLoss(NamedTuple):
    """The loss of one output."""

    position: int
    loss: Any
    weight: float | None
    tracker: Any


class CompileLoss:
    """The loss of a model: the weighted sum of its outputs' losses. `metrics` track them, if there are several."""

    def __init__(self, loss: Any, loss_weights: Any = None, output_names: Sequence[str] | None = None) -> None:
        if loss_weights and not isinstance(loss_weights, list | tuple | dict | float):
            raise ValueError(
                "Expected `loss_weights` argument to be a float (single output case) or a list, tuple, or dict "
                f"(multiple output case). Received instead: loss_weights={loss_weights} of type {type(loss_weights)}"
            )
        self._user_loss = loss
        self._user_weights = loss_weights
        self._names = output_names
        self._layout: _Layout | None = None
        self._given: list[Any] = []
        self._losses: list[_OutputLoss] = []
        self.built = False

    @property
    def metrics(self) -> list[Any]:
        """The means of the outputs' losses, without their weights."""
        return [each.tracker for each in self._losses if each.tracker is not None]

    @property
    def variables(self) -> list[Any]:
        """The variables of its metrics."""
        return [v for m in self.metrics for v in m.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Find the losses for outputs and targets of such structures and shapes."""
        from client.keras import metrics

        layout = self._layout = _Layout(y_pred, self._names)
        self._given = layout.each(self._user_loss, "loss")
        weights = layout.each(self._user_weights, "loss_weights")
        targets, outputs = layout.targets(y_true, self._given), _leaves(y_pred)
        found = [
            (i, _loss(given, targets[i], outputs[i]), weights[i])
            for i, given in enumerate(self._given)
            if given is not None
        ]
        several = len(found) > 1
        for i, loss, weight in found:
            tracker = metrics.Mean(name=f"{self._output_name(i, loss)}_loss") if several else None
            self._losses.append(_OutputLoss(i, loss, weight, tracker))
        self.built = True

    def _output_name(self, position: int, loss: Any) -> str:
        assert self._layout is not None
        if self._layout.names and not self._layout.by_key:
            return self._layout.names[position]
        path = self._layout.paths[position]
        named = [str(step) for step in path if isinstance(step, str)]
        return "/".join(named) or str(loss.name)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The total loss, None without any. The trackers take the outputs' losses when `track` is called."""
        if not self.built:
            self.build(y_true, y_pred)
        assert self._layout is not None
        targets, outputs = self._layout.targets(y_true, self._given), _leaves(y_pred)
        weights = _weights(self._layout, sample_weight, self._given)
        total = None
        for position, loss, weight, tracker in self._losses:
            value = loss(targets[position], outputs[position], weights[position])
            if tracker is not None:
                with recording.paused():
                    tracker.update_state(value, sample_weight=rows(outputs[position]))
            if weight is not None:
                value = value * weight
            total = value if total is None else total + value
        return total


def rows(tensor: Any) -> Any:
    """The length of the first axis: a number where it is known here."""
    shape = tensor._spec.shape
    if shape and shape[0] is not None:
        return shape[0]
    import client as tf

    return tf.shape(tensor)[0]


# --- metrics ---------------------------------------------------------------------------------------------------------


class CompileMetrics:
    """The metrics of a model's outputs, weighted and not; `result` gives their values by name."""

    name = "compile_metrics"

    def __init__(self, metrics: Any, weighted_metrics: Any, output_names: Sequence[str] | None = None) -> None:
        for what, given in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if given and not isinstance(given, list | tuple | dict):
                raise ValueError(
                    f"Expected `{what}` argument to be a list, tuple, or dict. Received instead: {what}={given} of "
                    f"type {type(given)}"
                )
        self._user = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        self._names = output_names
        self._layout: _Layout | None = None
        self._plain: list[list[Any]] = []
        self._weighted: list[list[Any]] = []
        self.built = False

    @property
    def metrics(self) -> list[Any]:
        """All of them; none before the first batch."""
        return [m for each in (*self._plain, *self._weighted) for m in each]

    @property
    def variables(self) -> list[Any]:
        """The variables of all."""
        return [v for m in self.metrics for v in m.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Make the metrics for outputs and targets of such structures and shapes."""
        layout = self._layout = _Layout(y_pred, self._names)
        outputs = _leaves(y_pred)
        targets = layout.targets(y_true, [None] * len(outputs))
        made = []
        for what in ("metrics", "weighted_metrics"):
            per_output = self._per_output(self._user[what], what)
            made.append(
                [[_metric(m, y, p) for m in each] for each, y, p in zip(per_output, targets, outputs, strict=True)]
            )
        self._plain, self._weighted = made
        self.built = True

    def _per_output(self, given: Any, what: str) -> list[list[Any]]:
        assert self._layout is not None
        count = len(self._layout.paths)
        if not given:
            return [[] for _ in range(count)]
        if count == 1:
            return [nest.flatten(given)]
        try:
            named = _by_name(given, self._layout._outputs, self._layout.names)
            if isinstance(named, Mapping):
                unknown = [k for k in named if k not in {path[0] for path in self._layout.paths}]
                if unknown:
                    raise ValueError(f"there are no outputs {unknown}")
                found = [_at(named, path) for path in self._layout.paths]
            elif len(named) == count:
                found = list(named)
            else:
                raise ValueError(f"there are {count} outputs and {len(named)} entries")
        except ValueError as error:
            raise ValueError(
                f"{error}\nInvalid `{what}`. `{what}` should contain metrics objects and either be a dict or a list "
                f"matching the output names of the model {self._layout.names} or match its output structure.\n"
                f"Received: {what}={given}"
            ) from None
        return [[] if m is None else list(m) if isinstance(m, list | tuple) else [m] for m in found]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch."""
        if not self.built:
            self.build(y_true, y_pred)
        assert self._layout is not None
        outputs = _leaves(y_pred)
        nothing = [None] * len(outputs)
        targets = self._layout.targets(y_true, nothing)
        for metrics, y, p in zip(self._plain, targets, outputs, strict=True):
            for metric in metrics:
                metric.update_state(y, p)
        if not any(self._weighted):
            return
        weights = _weights(self._layout, sample_weight, nothing)
        for metrics, y, p, w in zip(self._weighted, targets, outputs, weights, strict=True):
            for metric in metrics:
                metric.update_state(y, p, sample_weight=w)

    def reset_state(self) -> None:
        """Forget all batches."""
        for metric in self.metrics:
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """The values by name: with the output's name before it where there are several, and numbered where two agree.

        Raises:
            ValueError: there was no batch yet.
        """
        if not self.built:
            raise ValueError("Cannot get result() since the metric has not yet been built.")
        found: dict[str, Any] = {}
        for names, metric in self._named():
            name = next((n for n in names if n not in found), None)
            numbers = iter(range(1, len(self.metrics) + 1))
            while name is None:
                numbered = f"{names[-1]}_{next(numbers)}"
                name = None if numbered in found else numbered
            found[name] = metric.result()
        return found

    def _named(self) -> Iterator[tuple[list[str], Any]]:
        """The metrics with the names they may have, the first choice first."""
        assert self._layout is not None
        several = len(self._layout.paths) > 1
        for weighted, lists in ((False, self._plain), (True, self._weighted)):
            for position, metrics in enumerate(lists):
                prefix = ""
                if several:
                    path = self._layout.paths[position]
                    keys = [str(step) for step in path if isinstance(step, str)]
                    names = self._layout.names
                    prefix = names[position] if names and not self._layout.by_key else "/".join(keys)
                    prefix = prefix and f"{prefix}_"
                for metric in metrics:
                    choices = [f"{prefix}{metric.name}"]
                    yield choices + [f"{prefix}weighted_{metric.name}"] * weighted, metric
