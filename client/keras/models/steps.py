"""One step of training, evaluation or prediction: the loss, the gradients, the metrics.

Owns: `Steps`, all of which can be overridden. Does not know epochs, callbacks nor where batches come from
(`training`). Nothing here waits.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import client as tf
from client import nest
from client.keras.logs import flattened
from client.keras.models.compiled import CompileLoss, CompileMetrics, rows
from client.keras.models.running import Parts
from client.keras.models.triples import unpack_x_y_sample_weight
from client.tensor import Operand


class Steps:
    """What a model does with one batch."""

    compiled = False
    optimizer: Any = None
    _self_compile_loss: CompileLoss | None = None
    _self_compile_metrics: CompileMetrics | None = None
    _self_loss_tracker: Any = None
    _self_lean = False  # whether the results of metrics are not wanted from a step of the base's own
    _self_parts: Parts | None = None  # within an epoch

    # --- metrics -----------------------------------------------------------------------------------------------------

    @property
    def metrics(self) -> list[Any]:
        """All its metrics: the mean loss, those of `compile`, the outputs' losses, those in attributes and layers."""
        found: list[Any] = []
        if self.compiled:
            found.append(self._self_loss_tracker)
            if self._self_compile_metrics is not None:
                found.append(self._self_compile_metrics)
            if self._self_compile_loss is not None:
                found.extend(self._self_compile_loss.metrics)
        known = {id(m) for m in found}
        return found + [m for m in _own_metrics(self) if id(m) not in known]

    @property
    def metrics_names(self) -> list[str]:
        """The names of `metrics`."""
        return [m.name for m in self.metrics]

    @property
    def metrics_variables(self) -> list[Any]:
        """The variables of `metrics`."""
        return [v for m in self.metrics for v in m.variables]

    def reset_metrics(self) -> None:
        """Let all metrics begin anew."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """The values of all metrics, as tensors by name."""
        found: dict[str, Any] = {}
        for metric in self.metrics:
            value = metric.result()
            if isinstance(value, Mapping):
                found.update(value)
            else:
                found[metric.name] = value
        return found

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Update the metrics of `compile` with a batch; the values of all metrics.

        Args:
            x: the inputs.
            y: the targets.
            y_pred: the outputs.
            sample_weight: the samples' weights, or None.
        """
        if self._self_compile_metrics is not None:
            self._self_compile_metrics.update_state(y, y_pred, sample_weight)
        return {} if self._self_lean else self.get_metrics_result()

    # --- the loss ----------------------------------------------------------------------------------------------------

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of a batch: that of `compile`, and those that layers added.

        Raises:
            ValueError: there is neither.
        """
        losses = []
        if self._self_compile_loss is not None:
            found = self._self_compile_loss(y, y_pred, sample_weight)
            if found is not None:
                losses.append(found)
        parts = self._self_parts
        added: list[Any] = self.losses if parts is None else parts.losses()  # type: ignore[attr-defined]
        losses.extend(map(_summed, added))
        if not losses:
            raise ValueError("No loss to compute. Provide a `loss` argument in `compile()`.")
        return functools.reduce(tf.add, losses)

    def _loss_of(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        if _takes_training(type(self).compute_loss):
            return self.compute_loss(x, y, y_pred, sample_weight, training=training)
        return self.compute_loss(x, y, y_pred, sample_weight)

    # --- steps -------------------------------------------------------------------------------------------------------

    def train_step(self, data: Any) -> Any:
        """Train on a batch; the values of the metrics, by name. To be overridden for other ways of training."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            y_pred = self._outputs(x, True)
            loss = self._loss_of(x, y, y_pred, sample_weight, True)
            scaled = loss if self.optimizer is None else self.optimizer.scale_loss(loss)
        parts = self._self_parts
        weights: list[Any] = self.trainable_weights if parts is None else parts.trainable  # type: ignore[attr-defined]
        if weights:
            gradients = tape.gradient(scaled, weights)
            self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        else:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        self._self_loss_tracker.update_state(loss, sample_weight=_samples(x))
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def test_step(self, data: Any) -> Any:
        """Evaluate a batch; the values of the metrics, by name. To be overridden."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self._outputs(x, False)
        loss = self._loss_of(x, y, y_pred, sample_weight, False)
        self._self_loss_tracker.update_state(loss, sample_weight=_samples(x))
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """The outputs for a batch. To be overridden."""
        return self._outputs(unpack_x_y_sample_weight(data)[0], False)

    def _outputs(self, x: Any, training: bool) -> Any:
        model: Callable[..., Any] = self  # type: ignore[assignment]
        return model(x, training=training) if self._signature.training else model(x)  # type: ignore[attr-defined]

    def _run(self, step: Callable[[Any], Any], batch: Any, results: bool) -> Any:
        """Run a step. Without `results`, the base's own steps leave out the values of metrics: nobody looks at them."""
        if self._self_parts is None:
            self._clear_losses()  # type: ignore[attr-defined]
        else:
            self._self_parts.clear_losses()
        if results or not _plain_steps(type(self)):
            return step(batch)
        self._self_lean = True
        try:
            step(batch)
        finally:
            self._self_lean = False
        return None

    def _results(self, logs: Any) -> dict[str, Any]:
        """The values at the end of an epoch: those of the metrics; of a user's step that gives others, its last."""
        if logs is None:
            return self.get_metrics_result() if self._stepped() else {}
        found = self.get_metrics_result()
        if isinstance(logs, Mapping) and set(flattened(logs)) == set(flattened(found)):
            return found
        return dict(logs)

    def _stepped(self) -> bool:
        metrics = self._self_compile_metrics
        return metrics is None or metrics.built


def _own_metrics(model: Any) -> Iterator[Any]:
    """The metrics in a model's attributes and in its layers, but not those that models within were compiled with."""
    own, seen = list(model._own()), set()
    for metric in own:
        if hasattr(metric, "update_state") and hasattr(metric, "result"):
            yield metric
    for layer in model._flatten_layers(include_self=False):
        if id(layer) not in seen and not isinstance(layer, Steps):
            seen.add(id(layer))
            yield from layer.metrics


@functools.cache
def _takes_training(function: Callable[..., Any]) -> bool:
    return "training" in inspect.signature(function).parameters


def _plain_steps(kind: type) -> bool:
    """Whether a model's class leaves alone what gives the values of metrics."""
    names = ("train_step", "test_step", "compute_metrics", "get_metrics_result")
    return all(getattr(kind, name) is getattr(Steps, name) for name in names)


def _samples(x: Any) -> Any:
    return rows(x) if isinstance(x, Operand) else rows(next(v for v in nest.flatten(x) if v is not None))


def _summed(loss: Any) -> Any:
    if not loss.dtype.is_floating:
        loss = tf.cast(loss, "float32")
    return loss if loss._spec.shape == () else tf.reduce_sum(loss)
