"""`keras.callbacks.TensorBoard`: what happens in training, in event files.

Owns: what is written when, under which tags. Does not know how (`client.summary`), nor how a model trains.

It reads nothing itself: values of batches are written when they arrive, weights are counted on the server, and all that
belongs to an epoch is asked for before the epoch's one wait, so that this brings it along.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import Any

import client as tf
from client import summary
from client.api import public
from client.keras.callback_base import Callback
from client.summary import events


@public("keras.callbacks.TensorBoard")
class TensorBoard(Callback):
    """Write losses, metrics, the learning rate and histograms of weights for TensorBoard; training does not wait.

    Below `log_dir`, `train/` and `validation/` get a file each when something is written there. After each epoch:
    `epoch_loss`, `epoch_learning_rate` and the like; after each validation `evaluation_loss_vs_iterations`; with
    `update_freq` also `batch_loss` and the like, by batches since `fit` began. Summaries in a model's `call` and in a
    `train_step` go to the same files, where `update_freq` is no "epoch".

    Args:
        log_dir: the directory, on this machine.
        histogram_freq: after every how many epochs to write histograms of the weights; 0: never.
        write_graph: whether to write the graph of the layers of a Sequential or functional model.
        write_images: whether to write weights as images along with their histograms.
        write_steps_per_second: whether to write how many steps an epoch made a second. With `update_freq`, also how
            fast each batch was issued, which is not when the server was done with it.
        update_freq: "epoch", "batch", or every how many batches to write.
        profile_batch: must be 0.
        embeddings_freq: must be 0.
        embeddings_metadata: ignored.

    Raises:
        ValueError: a frequency that is none, or one that must be 0.
        ModuleNotFoundError: in `fit`, where the tensorboard package is missing.

    >>> import client as tf
    >>> callback = tf.keras.callbacks.TensorBoard("logs", histogram_freq=1, update_freq=100)
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        if update_freq not in ("epoch", "batch") and not (isinstance(update_freq, int) and update_freq > 0):
            raise ValueError(f'update_freq must be "epoch", "batch" or a positive integer. Received: {update_freq!r}')
        if not (isinstance(histogram_freq, int) and histogram_freq >= 0):
            raise ValueError(f"histogram_freq must be an integer that is not negative. Received: {histogram_freq!r}")
        if profile_batch not in (0, "0", (0, 0), [0, 0]):
            raise ValueError(
                "Profiling is not available here: tf.profile() shows where time goes. Received: "
                f"profile_batch={profile_batch!r} (must be 0)"
            )
        if embeddings_freq:
            raise ValueError(f"Embeddings are not written. Received: embeddings_freq={embeddings_freq!r} (must be 0)")
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self._writers: dict[str, Any] = {}
        self._contexts: list[ExitStack] = []
        self._train_batch = self._test_batch = 0  # since `fit` began, and since ever
        self._epoch: int | None = None  # within `fit`
        self._due = False  # whether what is asked for before the epoch's wait has not been
        self._steps = 0  # of the epoch
        self._epoch_began = self._batch_began = 0.0

    def set_model(self, model: Any) -> None:
        """Tell it the model, whose graph it writes."""
        from client.keras.conceptual_graph import conceptual_graph  # models know callbacks

        super().set_model(model)
        self._writers = {}
        self._epoch = None
        while self._contexts:  # of a training that was interrupted
            self._pop()
        graph = conceptual_graph(model) if self.write_graph else None
        if graph is not None:
            with self._writer("train").as_default(), summary.record_if(True):
                summary.write("keras", graph, step=0, metadata=events.plugin_metadata("graph_keras_model", b"1"))

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            self._writers[part] = summary.create_file_writer(os.path.join(self.log_dir, part))
        return self._writers[part]

    # --- the writer of a model's own summaries -----------------------------------------------------------------------

    def _push(self, part: str, step: int) -> None:
        if self.update_freq == "epoch":
            return
        context = ExitStack()
        context.enter_context(self._writer(part).as_default(step))
        context.enter_context(summary.record_if(step % self.update_freq == 0))
        self._contexts.append(context)

    def _pop(self) -> None:
        if self._contexts:
            self._contexts.pop().close()

    # --- batches -----------------------------------------------------------------------------------------------------

    def _wants_logs(self, batch: int) -> bool:
        return self.update_freq != "epoch" and self._train_batch % self.update_freq == 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._train_batch += 1
        if self.update_freq != "epoch":
            self._pop()
            self._push("train", self._train_batch)
            self._batch_began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._steps = batch + 1
        if not self._wants_logs(batch):
            return
        if self.write_steps_per_second:
            rate = 1.0 / max(time.perf_counter() - self._batch_began, 1e-9)
            summary.scalar("batch_steps_per_second", rate, step=self._train_batch)
        for name, value in (logs or {}).items():
            summary.scalar(f"batch_{name}", value, step=self._train_batch)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._test_batch += 1
        if self.update_freq != "epoch":
            self._pop()
            self._push("validation", self._test_batch)

    # --- training and its epochs -------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:
        self._train_batch = 0
        self._push("train", 0)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        self._due = True
        self._steps = 0
        self._epoch_began = time.perf_counter()

    def _needs_rate(self) -> bool:
        return isinstance(self._rate(), tf.Variable)  # what a schedule gives is another number each time

    def _rate(self) -> Any:
        """The learning rate, as a variable or what a schedule gives; None where the optimizer has none."""
        return getattr(self.model.optimizer, "learning_rate", None)

    def _before_read(self) -> None:
        if not self._due or self._epoch is None:
            return
        self._due = False
        rate = self._rate()
        if rate is not None and not isinstance(rate, tf.Variable):
            self._write_epoch("train", self._epoch, {"learning_rate": rate})
        if self.histogram_freq and self._epoch % self.histogram_freq == 0:
            with self._writer("train").as_default(), summary.record_if(True):
                for layer in self.model.layers:
                    for weight in layer.weights:
                        self._write_weight(weight, self._epoch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not logs:
            return
        found = dict(logs)
        validation = {name: found.pop(name) for name in logs if name.startswith("val_")}
        rate = self._rate()
        if isinstance(rate, tf.Variable):  # read with the logs, unless the user may have set it since
            known = getattr(self.model, "_self_rate", None)
            found["learning_rate"] = rate if known is None else known
        if self.write_steps_per_second:
            found["steps_per_second"] = self._steps / (time.perf_counter() - self._epoch_began)
        self._write_epoch("train", epoch, found)
        if validation:
            self._write_epoch("validation", epoch, {n.removeprefix("val_"): v for n, v in validation.items()})

    def _write_epoch(self, part: str, epoch: int, values: dict[str, Any]) -> None:
        with self._writer(part).as_default(), summary.record_if(True):
            for name, value in values.items():
                summary.scalar(f"epoch_{name}", value, step=epoch)

    def on_train_end(self, logs: Any = None) -> None:
        self._pop()
        self._epoch = None
        for writer in self._writers.values():
            writer.close()

    # --- validation --------------------------------------------------------------------------------------------------

    def on_test_begin(self, logs: Any = None) -> None:
        self._push("validation", self._test_batch)

    def on_test_end(self, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        if optimizer is not None and logs:
            with self._writer("validation").as_default(), summary.record_if(True):
                for name, value in logs.items():
                    summary.scalar(f"evaluation_{name}_vs_iterations", value, step=optimizer.iterations)
        self._pop()
        if self._epoch is None:  # an `evaluate` of its own
            for writer in self._writers.values():
                writer.flush()

    # --- weights -----------------------------------------------------------------------------------------------------

    def _write_weight(self, weight: Any, epoch: int) -> None:
        name = getattr(weight, "path", weight.name).replace(":", "_")
        summary.histogram(f"{name}/histogram", weight, step=epoch)
        if self.write_images:
            images = _as_images(weight)
            if images is not None:
                summary.image(f"{name}/image", images, step=epoch)


def _as_images(weight: Any) -> Any:
    """A weight as images, as Keras shows it; None where it has too many axes or channels."""
    found = tf.squeeze(weight)
    shape = found.shape
    if len(shape) == 1:  # a bias
        found = tf.reshape(found, [1, shape[0], 1, 1])
    elif len(shape) == 2:  # a matrix, lying
        found = tf.transpose(found) if shape[0] > shape[1] else found
        found = tf.reshape(found, [1, *found.shape, 1])
    elif len(shape) == 3:  # kernels of one channel, each an image
        found = tf.transpose(found, [2, 0, 1])
        found = tf.reshape(found, [*found.shape, 1])
    return found if len(found.shape) == 4 and found.shape[-1] in (1, 3, 4) else None
