"""`keras.Model`: a layer with training.

Owns: the class, of which one subclasses or which one makes from symbolic inputs and outputs. Does not know how training
runs (`keras.models.training`) or the graph of a functional model (`keras.models.functional`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from client.api import public
from client.keras.layers.layer import LAYERS, Layer
from client.keras.models.training import Trainer


@public("keras.Model", "keras.models.Model")
@LAYERS.add("Functional")
class Model(Trainer, Layer):
    """A layer that can be trained: `compile`, `fit`, `evaluate`, `predict`.

    Either subclass it, with layers made in `__init__` and used in `call`, or give it symbolic inputs and outputs:
    `Model(inputs, outputs, name=None)`. A subclass too can be made of inputs and outputs.

    >>> import client as tf
    >>> class Linear(tf.keras.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.w = tf.Variable(5.0, name="weight")
    ...         self.b = tf.Variable(10.0, name="bias")
    ...     def call(self, inputs):
    ...         return inputs * self.w + self.b
    >>> model = Linear()
    >>> print(model(tf.constant([1.0])).numpy(), len(model.trainable_variables))
    [15.] 2
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and _is_functional(args, kwargs):
            from client.keras.models.functional import Functional

            return Functional.__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        from client.keras.models.functional import Functional, functional_class

        if _is_functional(args, kwargs) and not isinstance(self, Functional):
            made: Any = self
            kind: Any = type(self)
            made.__class__ = functional_class(kind)
            Functional.__init__(made, *args, **kwargs)
            return
        if args:
            raise ValueError(f"a Model subclass takes no positional arguments in super().__init__(), not {args!r:.100}")
        super().__init__(**kwargs)
        Trainer.__init__(self)

    @property
    def layers(self) -> list[Layer]:
        """The layers in its attributes."""
        return self._layers

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer called `name`, or at `index`.

        Raises:
            ValueError: there is none, or neither or both are given.
        """
        if index is not None and name is not None:
            raise ValueError(f"Provide only a layer name or a layer index. Received: index={index}, name={name}.")
        layers = self.layers
        if index is not None:
            if len(layers) <= index:
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has {len(layers)} layers."
                )
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        if name is None:
            raise ValueError("Provide either a layer name or layer index at `get_layer`.")
        raise ValueError(f"No such layer: {name}. Existing layers are: {[layer.name for layer in layers]}.")

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print its layers, their outputs' shapes and the number of their parameters. Does not wait.

        Args:
            line_length: the width of the table.
            positions: where its columns end, as shares of the width.
            print_fn: takes the text, in place of `print`.
            expand_nested: whether the layers of models within are listed too.
            show_trainable: whether there is a column for `trainable`.
            layer_range: the first and the last layer, as regular expressions for their names.

        Raises:
            ValueError: a table too narrow, or a range of unknown layers.
        """
        from client.keras.models.summary import summary

        summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    def _repr_html_(self) -> str:
        from client.keras.models.summary import summary_html

        return summary_html(self)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model made of what `get_config` gave.

        Args:
            config: the configuration of a functional model, or the arguments of a subclass.
            custom_objects: classes and functions of the user's by name.
        """
        if {"layers", "calls", "outputs"} <= set(config):
            from client.keras.models.cloning import functional_from_config

            return functional_from_config(config, custom_objects, cls)
        return cls(**config)

    def save_weights(self, filepath: Any, overwrite: bool = True, *, wait: bool = True, **kwargs: Any) -> Any:
        """Write its weights, and its optimizer's state, to files whose names begin with `filepath`. Waits once.

        Args:
            filepath: any path; `server://...` for files in the server's data directory.
            overwrite: whether to replace files that are there.
            wait: False goes on at once, while the files are written behind the program's back.
            kwargs: ignored: formats of other libraries.

        Returns:
            None; with `wait=False`, a `concurrent.futures.Future` that has the path when the files are there.

        Raises:
            FileExistsError: files are there, and `overwrite` is False.

        >>> import tempfile
        >>> import client as tf
        >>> model = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
        >>> model.save_weights(tempfile.mkdtemp() + "/weights")
        """
        from client.keras.models.saving import save_weights

        return save_weights(self, filepath, overwrite, wait)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> Any:
        """Take the weights that `save_weights` or `save` wrote. Layers that are not built yet get theirs when they are.

        Args:
            filepath: what `save_weights` was given, or a `.keras` file.
            skip_mismatch: whether weights of another shape stay as they are, with a warning.

        Returns:
            A `tf.train.CheckpointLoadStatus`: its `assert_consumed()` checks that everything was found.

        Raises:
            tf.errors.NotFoundError: there are no such files.
            tf.errors.DataLossError: they are damaged.
            ValueError: a weight has another shape.
        """
        from client.keras.models.saving import load_weights

        return load_weights(self, filepath, skip_mismatch, **kwargs)

    def save(self, filepath: Any, overwrite: bool = True, zipped: Any = None, **kwargs: Any) -> Any:
        """Write it to a `.keras` file, for `keras.models.load_model`; see `keras.models.save_model`."""
        from client.keras.models.saving import save_model

        return save_model(self, filepath, overwrite, zipped, **kwargs)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build it for the input shape in `config`."""
        if config.get("input_shape") is not None:
            self.build(config["input_shape"])

    def to_json(self, **kwargs: Any) -> str:
        """Its configuration as JSON, for `keras.models.model_from_json`."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a model is made of inputs and outputs."""
    given = len(args) + sum(name in kwargs for name in ("inputs", "outputs"))
    return given >= 2 and (len(args) >= 2 or "outputs" in kwargs)
