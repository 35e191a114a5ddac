"""Training of models: `compile`, `fit`, `evaluate`, `predict`.

Owns: `Trainer`, the order of what happens. Does not know what a step does (`steps`), where batches come from
(`data_adapter`), which loss belongs to which output (`compiled`), what callbacks do, nor layers.

Nothing here waits for the server but: the end of an epoch, once; the end of `evaluate` and `predict`; and whoever looks
at a value that a step returned.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import client as tf
from client import context, nest
from client.keras.callbacks import CallbackList
from client.keras.logs import Logs
from client.keras.models.compile_config import compile_config, compile_from_config
from client.keras.models.compiled import CompileLoss, CompileMetrics
from client.keras.models.data_adapter import (
    Batches,
    Epochs,
    batches,
    split,
)
from client.keras.models.running import Outputs, Parts
from client.keras.models.steps import Steps
from client.keras.models.triples import class_weights, unpack_x_y_sample_weight
from client.tensor import Operand


class Trainer(Steps):
    """What a model needs to be trained: a base of `keras.Model`, beside `Layer`.

    `train_step`, `test_step`, `predict_step`, `compute_loss` and `compute_metrics` can be overridden.
    """

    loss: Any = None
    history: Any = None
    stop_training = False
    stop_evaluating = False
    stop_predicting = False
    run_eagerly = False
    jit_compile: Any = False
    steps_per_execution = 1
    _self_rate: float | None = None  # the learning rate, where it is known without reading it

    # --- compile -----------------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose how it is trained.

        Args:
            optimizer: an optimizer or its name.
            loss: a loss, a function of `(y_true, y_pred)`, or its name; a list or dict of them for several outputs.
            loss_weights: what the outputs' losses are multiplied by in their sum.
            metrics: metrics, functions or names; "accuracy" and "crossentropy" choose by the shapes. For several
                outputs a list of lists, or a dict of them.
            weighted_metrics: metrics that take sample and class weights into account; the others don't.
            run_eagerly: kept; steps are always run eagerly.
            steps_per_execution: how many steps are made between calls of callbacks.
            jit_compile: kept, and of no effect.
            auto_scale_loss: of no effect: there is no mixed precision.

        Raises:
            ValueError: an unknown name, or an argument of another structure.
        """
        self.optimizer = tf.keras.optimizers.get(optimizer)
        self._self_compile_arguments = {
            "optimizer": self.optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        names = _output_names(self)
        self._self_compile_loss = None if loss is None else CompileLoss(loss, loss_weights, names)
        self.loss = loss
        given = metrics is not None or weighted_metrics is not None
        self._self_compile_metrics = CompileMetrics(metrics, weighted_metrics, names) if given else None
        self._self_loss_tracker = tf.keras.metrics.Mean(name="loss")
        self.run_eagerly = run_eagerly
        self.jit_compile = jit_compile
        self.steps_per_execution = steps_per_execution
        self.stop_training = False
        self.compiled = True
        self._self_rate = None

    def get_compile_config(self) -> dict[str, Any] | None:
        """What it was compiled with, as plain values; None if it was not. Waits for the learning rate.

        Raises:
            ValueError: a loss or metric is a function without a name.
        """
        return compile_config(self._self_compile_arguments) if self.compiled else None

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """Compile it as `get_compile_config` described."""
        self.compile(**compile_from_config(config))

    def _assert_compiled(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(f"You must call `compile()` before using the model: `{method}` needs it.")

    # --- fit ---------------------------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: Any = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> Any:
        """Train for a number of epochs. Waits once an epoch.

        Args:
            x: NumPy arrays or tensors, in a list or dict for several inputs; or a `tf.data.Dataset`, a generator, or a
                `keras.utils.PyDataset`, which give `(x, y)` or `(x, y, sample_weight)`.
            y: the targets of arrays.
            batch_size: rows of a batch, 32 by default.
            epochs: the number of the last epoch.
            verbose: 0 shows nothing, 1 a progress bar, 2 one line an epoch; "auto" is 1 on a terminal, else 2.
            callbacks: callbacks.
            validation_split: the part of the arrays, at their end, to evaluate on instead of training on it.
            validation_data: what to evaluate on after each epoch: `(x, y)`, `(x, y, sample_weight)` or a dataset.
            shuffle: whether arrays are shuffled before each epoch; "batch": only within each batch.
            class_weight: a dict of weights of the classes' losses.
            sample_weight: weights of the samples' losses.
            initial_epoch: the first epoch's number, from 0.
            steps_per_epoch: batches of an epoch; None: all there are.
            validation_steps: batches of a validation; None: all there are.
            validation_batch_size: rows of a batch of the validation; None: `batch_size`.
            validation_freq: every how many epochs to validate, or a list of the epochs, counted from 1.

        Returns:
            A `History`: its `history` holds the values of all epochs as floats.

        Raises:
            ValueError: it is not compiled, or arguments that do not go together.
        """
        self._assert_compiled("fit")
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split((x, y, sample_weight), validation_split)
        source = batches(
            x, y, sample_weight, batch_size, steps_per_epoch, shuffle, class_weight, max(1, epochs - initial_epoch)
        )
        run = Epochs(source, steps_per_epoch)
        callbacks = self._callbacks(callbacks, verbose, epochs, run, history=True)
        self.stop_training = False
        self._self_rate = None
        self._self_run, self._self_resume = run, (initial_epoch, 0)  # a callback may have a training to go on with
        callbacks.on_train_begin()
        initial_epoch, first = self._self_resume
        validation: Epochs | None = None
        logs: dict[str, Any] = {}
        for epoch in range(initial_epoch, epochs):
            self.reset_metrics()
            callbacks.on_epoch_begin(epoch)
            found = self._train_epoch(run, callbacks, first)
            first = 0
            if validation_data is not None and _due(epoch, validation_freq):
                if validation is None:
                    size = validation_batch_size or batch_size
                    validation = _validation(validation_data, size, validation_steps, epochs - initial_epoch)
                found.update({f"val_{name}": v for name, v in self._test_epoch(validation, callbacks).items()})
            logs = callbacks.read(found)
            callbacks.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        if self.optimizer is not None and epochs > 0 and self.optimizer.built:
            self.optimizer.finalize_variable_values(self.trainable_weights)  # type: ignore[attr-defined]
        callbacks.on_train_end(logs)
        return self.history

    def _train_epoch(self, run: Epochs, callbacks: CallbackList, begin: int = 0) -> dict[str, Any]:
        """The values of an epoch, of which the first `begin` batches were trained on before."""
        if type(self).train_step is not Trainer.train_step:
            self._self_rate = None  # a user's step may set it
        logs = None
        with self._stepping():
            for first, last, group in _grouped(run.epoch(begin), self.steps_per_execution, begin):
                callbacks.on_train_batch_begin(first)
                wanted = callbacks.wants_logs("on_train_batch_end", last)
                for batch in group:
                    logs = self._run(self.train_step, batch, wanted)
                    if self._self_parts is None:
                        self._self_parts = Parts(self)
                callbacks.on_train_batch_end(last, logs)
                if self.stop_training:
                    break
        return self._results(logs)

    @contextlib.contextmanager
    def _stepping(self) -> Iterator[None]:
        """The steps of an epoch. Interrupted by the user, what was sent ahead and has not run is dropped too."""
        self._self_parts = None
        try:
            yield
        except KeyboardInterrupt:
            context.session().cancel()
            raise
        finally:
            self._self_parts = None

    def _callbacks(self, given: Any, verbose: Any, epochs: int, run: Epochs, history: bool = False) -> CallbackList:
        if isinstance(given, CallbackList):
            return given
        return CallbackList(
            given,
            add_history=history,
            add_progbar=verbose != 0,
            verbose=verbose,
            epochs=epochs,
            steps=run.count,
            model=self,
        )

    # --- evaluate ----------------------------------------------------------------------------------------------------

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """The loss and the metrics on data. Waits once.

        Args:
            x: data, as for `fit`.
            y: the targets of arrays.
            batch_size: rows of a batch, 32 by default.
            verbose: as for `fit`.
            sample_weight: weights of the samples' losses.
            steps: batches; None: all there are.
            callbacks: callbacks.
            return_dict: whether the values come in a dict by name.

        Returns:
            The loss alone, or a list of the loss and the metrics, or a dict: floats.

        Raises:
            ValueError: it is not compiled, or arguments that do not go together.
        """
        self._assert_compiled("evaluate")
        if kwargs:
            raise ValueError(f"Arguments not recognized: {kwargs}")
        run = Epochs(batches(x, y, sample_weight, batch_size, steps), steps)
        callbacks = self._callbacks(callbacks, verbose, 1, run)
        logs = self._test_epoch(run, callbacks, read_all=True)
        return logs if return_dict else self._in_order(logs)

    def _test_epoch(self, run: Epochs, callbacks: CallbackList, read_all: bool = False) -> dict[str, Any]:
        """The values, as numbers with `read_all`, otherwise as tensors."""
        self.stop_evaluating = False
        callbacks.on_test_begin()
        self.reset_metrics()
        logs = None
        with self._stepping():
            for first, last, group in _grouped(run.epoch(), self.steps_per_execution):
                callbacks.on_test_batch_begin(first)
                wanted = callbacks.wants_logs("on_test_batch_end", last)
                for batch in group:
                    logs = self._run(self.test_step, batch, wanted)
                callbacks.on_test_batch_end(last, logs)
                if self.stop_evaluating:
                    break
        found = self._results(logs)
        if read_all:
            found = callbacks.read(found)
        callbacks.on_test_end(found)
        return found

    def _in_order(self, logs: Mapping[str, Any]) -> Any:
        """The values in the order of the metrics, then the others by name; one alone without a list.

        A name that metrics and weighted metrics share comes twice, as in Keras.
        """
        names: list[str] = []
        for metric in self.metrics:
            names.extend([m.name for m in metric.metrics] if isinstance(metric, CompileMetrics) else [metric.name])
        listed = [n for n in names if n in logs] + sorted(n for n in logs if n not in names)
        values = [logs[n] for n in listed]
        return values[0] if len(values) == 1 else values

    # --- predict -----------------------------------------------------------------------------------------------------

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for data, as NumPy arrays. They are read while later batches are computed.

        Args:
            x: data, as for `fit`.
            batch_size: rows of a batch, 32 by default.
            verbose: as for `fit`.
            steps: batches; None: all there are.
            callbacks: callbacks.
        """
        run = Epochs(batches(x, None, None, batch_size, steps), steps)
        callbacks = self._callbacks(callbacks, verbose, 1, run)
        self.stop_predicting = False
        found = Outputs()
        callbacks.on_predict_begin()
        with self._stepping():
            for first, last, group in _grouped(run.epoch(), self.steps_per_execution):
                callbacks.on_predict_batch_begin(first)
                for batch in group:
                    outputs = self._run(self.predict_step, batch, True)
                    found.add(outputs)
                callbacks.on_predict_batch_end(last, {"outputs": outputs})
                if self.stop_predicting:
                    break
            values = found.read()
        callbacks.on_predict_end()
        return values

    # --- single batches ----------------------------------------------------------------------------------------------

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Train on one batch. Does not wait.

        Args:
            x: inputs: arrays or tensors.
            y: targets.
            sample_weight: weights of the samples' losses.
            class_weight: weights of the classes' losses, instead.
            return_dict: whether the values come in a dict by name.

        Returns:
            As `evaluate`: numbers that are read when they are used, all in one wait.

        Raises:
            ValueError: it is not compiled, or both weights are given.
        """
        self._assert_compiled("train_on_batch")
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("Arguments `sample_weight` and `class_weight` cannot be specified at the same time.")
            sample_weight = class_weights(y, class_weight)
        return self._on_batch(self.train_step, x, y, sample_weight, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Evaluate one batch; see `train_on_batch`. Does not wait."""
        self._assert_compiled("test_on_batch")
        return self._on_batch(self.test_step, x, y, sample_weight, return_dict)

    def _on_batch(self, step: Callable[[Any], Any], x: Any, y: Any, sample_weight: Any, return_dict: bool) -> Any:
        self.reset_metrics()
        logs = Logs(self._run(step, nest.map_structure(_tensor, (x, y, sample_weight)), True))
        return logs if return_dict else self._in_order(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays. Waits."""
        found = Outputs()
        found.add(self._run(self.predict_step, (nest.map_structure(_tensor, x),), True))
        return found.read()


# --- helpers ---------------------------------------------------------------------------------------------------------


def _output_names(model: Any) -> list[str] | None:
    """The names of a functional model's outputs: those of the layers they come from."""
    given = getattr(model, "output_names", None)
    if given is not None:
        return list(given)
    try:
        outputs = model.outputs
    except AttributeError:
        return None
    layers = [getattr(getattr(t, "_origin", None), "layer", None) for t in outputs or ()]
    return [layer.name for layer in layers if layer is not None] or None


def _tensor(value: Any) -> Any:
    return value if value is None or isinstance(value, Operand) else tf.constant(value)


def _grouped(source: Iterator[Any], size: int, step: int = 0) -> Iterator[tuple[int, int, list[Any]]]:
    """Batches in groups, with the numbers of the first and the last, if there are that many; from `step` on."""
    group: list[Any] = []
    for batch in source:
        group.append(batch)
        if len(group) == size:
            yield step, step + size - 1, group
            step += size
            group = []
    if group:
        yield step, step + size - 1, group


def _due(epoch: int, frequency: Any) -> bool:
    return (epoch + 1) % frequency == 0 if isinstance(frequency, int) else epoch + 1 in frequency


def _validation(data: Any, batch_size: int | None, steps: int | None, passes: int) -> Epochs:
    x, y, sample_weight = unpack_x_y_sample_weight(data)
    source: Batches = batches(x, y, sample_weight, batch_size, steps, passes=max(1, passes))
    return Epochs(source, steps)
