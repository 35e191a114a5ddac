"""`keras.layers.Layer` from outside: building, weights, `training`, masks, losses, configuration, and the core layers.

References are NumPy's arithmetic and what Keras 3 documents or was seen to give.
"""

import gc

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

L = tf.keras.layers


class Scale(L.Layer):
    def __init__(self, factor, bias=1.5, **options):
        super().__init__(**options)
        self.factor, self.bias = factor, bias

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="w")
        self.fixed = self.add_weight(shape=(), initializer="zeros", trainable=False, name="fixed")

    def call(self, inputs):
        return inputs * self.w * self.factor


class Seen(L.Layer):
    """Notes the `training` and the `mask` that it is called with."""

    def call(self, inputs, training=None, mask=None):
        self._self_seen = training, mask
        return inputs


class Around(L.Layer):
    """Takes no `training` itself."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs)


class AddsLoss(L.Layer):
    def call(self, inputs):
        self.add_loss(tf.reduce_sum(inputs))
        return inputs


class NotZero(L.Layer):
    """Makes a mask where its input has none."""

    def __init__(self):
        super().__init__()
        self.supports_masking = True

    def call(self, inputs):
        return inputs * 1.0

    def compute_mask(self, inputs, previous_mask=None):
        return tf.not_equal(inputs[..., 0], 0.0)


# --- weights ---------------------------------------------------------------------------------------------------------


def test_a_layer_is_built_once_at_its_first_call():
    layer = Scale(2.0, name="scale")
    assert not layer.built and layer.weights == []
    with waits(0):
        layer(remote(np.ones((2, 3), "float32")))
        layer(remote(np.ones((5, 3), "float32")))
    assert layer.built
    assert [w.path for w in layer.weights] == ["scale/w", "scale/fixed"]
    assert [w.name for w in layer.trainable_weights] == ["w"]
    assert [w.name for w in layer.non_trainable_weights] == ["fixed"]
    assert layer.count_params() == 4


def test_weights_are_read_together_and_set_without_waiting():
    layer = L.Dense(2)
    layer.build((None, 3))
    kernel, bias = np.arange(6, dtype="float32").reshape(3, 2), np.array([1, 2], "float32")
    with waits(0):
        layer.set_weights([kernel, bias])
    with waits(1):
        found = layer.get_weights()
    np.testing.assert_array_equal(found[0], kernel)
    np.testing.assert_array_equal(found[1], bias)
    with pytest.raises(ValueError, match="expecting 2 weights"):
        layer.set_weights([kernel])
    with pytest.raises(ValueError, match="not compatible"):
        layer.set_weights([kernel.T, bias])


def test_layers_and_variables_in_attributes_lists_and_dicts_are_found_also_later():
    class Holder(L.Layer):
        def __init__(self):
            super().__init__()
            self.one = L.Dense(1)
            self.several = [L.Dense(1)]
            self.named = {"a": (tf.Variable(1.0),)}

        def call(self, inputs):
            return inputs

    holder = Holder()
    for layer in holder._layers:
        layer.build((None, 2))
    assert len(holder.trainable_weights) == 5
    holder.several.append(L.Dense(1))
    holder.several[-1].build((None, 2))
    holder.extra = tf.Variable(1.0)
    assert len(holder.trainable_weights) == 8
    holder.extra = None
    del holder.one
    assert len(holder.trainable_weights) == 5
    holder.several[0] = holder.several[1]
    assert len(holder.trainable_weights) == 3


def test_freezing_reaches_inner_layers_and_goes_back():
    outer = Around(Scale(1.0))
    outer(tf.ones([1, 2]))
    outer.trainable = False
    assert outer.trainable_weights == [] and len(outer.non_trainable_weights) == 2
    assert not outer.inner.trainable
    outer.trainable = True
    assert [w.name for w in outer.trainable_weights] == ["w"]


def test_a_layer_without_super_init_says_so():
    class Forgetful(L.Layer):
        def __init__(self):
            self.dense = L.Dense(1)

        def call(self, inputs):
            return self.dense(inputs)

    with pytest.raises(RuntimeError, match=r"you forgot to call `super\(\).__init__\(\)`"):
        Forgetful()(tf.ones([1, 2]))


# --- training --------------------------------------------------------------------------------------------------------


def test_training_is_handed_on_through_layers_that_do_not_take_it():
    inner = Seen()
    outer = Around(Around(inner))
    x = tf.ones([1, 2])
    for given, seen in (
        ({}, None),
        ({"training": True}, True),
        ({"training": False}, False),
        ({"training": None}, None),
    ):
        outer(x, **given)
        assert inner._self_seen[0] is seen
    assert bool(tf.reduce_any(Around(L.Dropout(0.9))(tf.ones([50, 4]), training=True) == 0.0))


def test_the_default_of_the_outer_layer_is_handed_on_and_the_inner_argument_wins():
    class Default(Around):
        def call(self, inputs, training=True):
            return self.inner(inputs)

    class Fixed(Around):
        def call(self, inputs):
            return self.inner(inputs, training=False)

    x, inner = tf.ones([1, 2]), Seen()
    Default(inner)(x)
    assert inner._self_seen[0] is True
    Default(inner)(x, training=False)
    assert inner._self_seen[0] is False
    Default(inner)(x, False)
    assert inner._self_seen[0] is False
    Fixed(inner)(x, training=True)
    assert inner._self_seen[0] is False
    inner(x)
    assert inner._self_seen[0] is None


def test_training_is_forgotten_after_a_call_that_failed():
    class Fails(L.Layer):
        def call(self, inputs, training=None):
            raise KeyError("no")

    with pytest.raises(KeyError):
        Fails()(tf.ones([1]), training=True)
    inner = Seen()
    inner(tf.ones([1]))
    assert inner._self_seen[0] is None


# --- losses ----------------------------------------------------------------------------------------------------------


def test_losses_are_those_of_the_last_outermost_call():
    layer = AddsLoss()
    for rows in (1, 2, 3):
        layer(tf.ones([rows, 2]))
        assert [float(v) for v in layer.losses] == [2.0 * rows]
    outer = Around(layer)
    for rows in (1, 2):
        outer(tf.ones([rows, 2]))
        assert [float(v) for v in outer.losses] == [2.0 * rows]
    layer(tf.ones([5, 2]))
    outer(tf.ones([1, 2]))
    assert [float(v) for v in outer.losses] == [2.0]


def test_losses_of_a_layer_that_was_not_called_again_are_not_counted():
    class Choice(L.Layer):
        def __init__(self):
            super().__init__()
            self.a, self.b = AddsLoss(), AddsLoss()

        def call(self, inputs, which="a"):
            return getattr(self, which)(inputs)

    layer = Choice()
    layer(tf.ones([1, 2]), which="a")
    layer(tf.ones([2, 2]), which="b")
    assert [float(v) for v in layer.losses] == [4.0]


def test_a_layer_that_is_called_twice_within_a_call_adds_both():
    class Twice(Around):
        def call(self, inputs):
            return self.inner(inputs) + self.inner(2.0 * inputs)

    layer = Twice(AddsLoss())
    for _ in range(2):
        layer(tf.ones([1, 2]))
        assert [float(v) for v in layer.losses] == [2.0, 4.0]


def test_regularizers_of_weights_and_of_outputs_by_batch():
    dense = L.Dense(2, kernel_initializer="ones", kernel_regularizer=tf.keras.regularizers.L2(0.1),
                    activity_regularizer=tf.keras.regularizers.L2(0.1))  # fmt: skip
    for _ in range(2):
        with waits(0):
            dense(remote(np.ones((4, 3), "float32")))
            losses = dense.losses
        # 8 outputs of 3 for a batch of 4, and 6 weights of 1
        np.testing.assert_allclose([float(v) for v in losses], [0.1 * 8 * 9 / 4, 0.1 * 6], rtol=1e-6)
    dense.trainable = False
    assert len(dense.losses) == 1


def test_the_losses_have_gradients():
    layer = L.Dense(1, use_bias=False, kernel_initializer="ones", kernel_regularizer=tf.keras.regularizers.L2(0.5))
    with tf.GradientTape() as tape:
        layer(tf.ones([1, 2]))
        loss = tf.add_n(layer.losses)
    np.testing.assert_allclose(tape.gradient(loss, layer.kernel).numpy(), np.ones((2, 1)))


# --- masks -----------------------------------------------------------------------------------------------------------


def test_a_mask_that_a_layer_makes_reaches_the_layers_that_take_one():
    x = np.array([[[1.0, 1.0], [0.0, 1.0], [2.0, 2.0]]], "float32")
    for between in ([], [L.Dense(2)], [L.Dropout(0.5), L.Activation("relu")]):
        last = Seen()
        value = NotZero()(x)
        for layer in between:
            value = layer(value)
        with waits(0):
            last(value)
        np.testing.assert_array_equal(last._self_seen[1].numpy(), [[True, False, True]])


def test_a_layer_that_does_not_support_masks_ends_them():
    class Plain(L.Layer):
        def call(self, inputs):
            return inputs + 1.0

    last = Seen()
    last(Plain()(NotZero()(np.ones((1, 3, 2), "float32"))))
    assert last._self_seen[1] is None


def test_embedding_masks_a_recurrent_layer():
    embedding = L.Embedding(5, 3, mask_zero=True)
    rnn = L.SimpleRNN(2)
    masked = rnn(embedding(np.array([[1, 2, 0, 0]])))
    whole = rnn(embedding(np.array([[1, 2]])))
    np.testing.assert_allclose(masked.numpy(), whole.numpy(), rtol=1e-5)
    model = tf.keras.Sequential([embedding, rnn])
    np.testing.assert_allclose(model(np.array([[1, 2, 0, 0]])).numpy(), whole.numpy(), rtol=1e-5)


def test_masks_do_not_outlive_their_tensors():
    from client.keras.layers import masks

    gc.collect()
    value = NotZero()(np.ones((1, 3, 2), "float32"))
    assert masks.any_masks()
    del value
    gc.collect()
    assert not masks.any_masks()


# --- inputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.ones((1, 2)), "float32"),
        (np.ones((1, 2), "float16"), "float32"),
        (np.ones((1, 2), "int32"), "int32"),
        (np.ones((1, 2), bool), "bool"),
        ([[1.0, 2.0]], "float32"),
    ],
)
def test_floating_inputs_are_cast_and_others_are_not(value, dtype):
    assert Seen()(value).dtype == dtype


def test_build_gets_the_shapes_of_all_arguments():
    class Pair(L.Layer):
        def build(self, a_shape, b_shape):
            self._self_shapes = a_shape, b_shape

        def call(self, a, b):
            return a

    class Nested(L.Layer):
        def build(self, shapes):
            self._self_shapes = shapes

        def call(self, inputs):
            return inputs

    a, b = tf.ones([1, 2]), tf.ones([1, 3])
    pair = Pair()
    pair(a, b=b)
    assert pair._self_shapes == ((1, 2), (1, 3))
    nested = Nested()
    nested([a, b])
    assert nested._self_shapes == [(1, 2), (1, 3)]
    nested = Nested()
    nested({"x": a, "y": b})
    assert nested._self_shapes == {"x": (1, 2), "y": (1, 3)}


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"ndim": 3}, "expected ndim=3, found ndim=2. Full shape received: (2, 3)"),
        ({"max_ndim": 1}, "expected max_ndim=1, found ndim=2"),
        ({"min_ndim": 3}, "expected min_ndim=3, found ndim=2. Full shape received: (2, 3)"),
        ({"axes": {-1: 4}}, "expected axis -1 of input shape to have value 4, but received input with shape (2, 3)"),
        ({"shape": (None, 4)}, "expected shape=(None, 4), found shape=(2, 3)"),
        ({"dtype": "int32"}, "expected dtype=int32, found dtype=float32"),
        ({"shape": (None, 3), "dtype": "float32"}, None),
        ({"shape": (None, 3, 1), "allow_last_axis_squeeze": True}, None),
    ],
)
def test_input_specs(spec, error):
    layer = Seen(name="seen")
    layer.input_spec = L.InputSpec(**spec)
    if error is None:
        layer(tf.ones([2, 3]))
        return
    with pytest.raises(ValueError) as caught:
        layer(tf.ones([2, 3]))
    assert str(caught.value) == f"Input 0 with name 'None' of layer 'seen' is incompatible with the layer: {error}"


def test_specs_of_another_number_of_inputs_or_an_axis_that_is_none():
    layer = Seen()
    layer.input_spec = L.InputSpec(ndim=2)
    with pytest.raises(ValueError, match=r"expects 1 input\(s\), but it received 2"):
        layer([tf.ones([1, 1]), tf.ones([1, 1])])
    with pytest.raises(ValueError, match="Axis 3 is greater than the maximum allowed value: 1"):
        L.InputSpec(ndim=2, axes={3: 1})
    with pytest.raises(ValueError, match="Inputs to a layer should be tensors"):
        layer("abc")


# --- configuration ---------------------------------------------------------------------------------------------------


def test_the_automatic_configuration_makes_the_layer_again():
    config = Scale(2.0, name="q").get_config()
    assert config == {"factor": 2.0, "bias": 1.5, "name": "q", "trainable": True, "dtype": "float32"}
    again = Scale.from_config(config)
    assert (again.factor, again.bias, again.name) == (2.0, 1.5, "q")
    with pytest.raises(NotImplementedError, match="non-serializable argument values"):
        Around(L.Dense(1)).get_config()


def test_serialize_and_deserialize():
    dense = L.Dense(3, "relu", kernel_regularizer="l2", name="d")
    again = L.deserialize(L.serialize(dense))
    assert again.get_config() == dense.get_config()
    assert L.deserialize(L.serialize(Scale(2.0)), custom_objects={"Scale": Scale}).factor == 2.0
    with pytest.raises(ValueError, match="Could not interpret layer identifier"):
        L.deserialize({"class_name": "Nothing", "config": {}})


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"units": 0}, "positive integer"),
        ({"units": 1, "foo": 1}, "Unrecognized keyword"),
        ({"units": 1, "dtype": "nope"}, "dtype"),
    ],
)
def test_bad_arguments(arguments, error):
    with pytest.raises(ValueError, match=error):
        L.Dense(**arguments)


# --- the core layers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 3), (2, 4, 3), (2, 1, 4, 3), (0, 3)])
def test_dense_is_a_product_over_the_last_axis(shape):
    rng = np.random.default_rng(0)
    x, kernel, bias = rng.normal(size=shape), rng.normal(size=(3, 2)), rng.normal(size=2)
    dense = L.Dense(2, activation="relu")
    dense.build((None, 3))
    dense.set_weights([kernel, bias])
    with waits(0):
        y = dense(x)
    np.testing.assert_allclose(y.numpy(), np.maximum(x @ kernel + bias, 0), rtol=1e-4, atol=1e-5)
    assert dense.compute_output_shape((None, 3)) == (None, 2)


def test_dense_takes_integers():
    y = L.Dense(2, kernel_initializer="ones")(np.array([[1, 2]]))
    assert y.dtype == tf.float32
    np.testing.assert_array_equal(y.numpy(), [[3, 3]])


def test_flatten():
    x = np.arange(12.0).reshape(1, 2, 3, 2)
    np.testing.assert_array_equal(L.Flatten()(x).numpy(), x.reshape(1, 12))
    np.testing.assert_array_equal(
        L.Flatten(data_format="channels_first")(x).numpy(), np.moveaxis(x, 1, -1).reshape(1, 12)
    )
    assert L.Flatten()(np.ones((0, 3, 4))).shape == (0, 12)
    assert L.Flatten()(tf.keras.Input((None, 4))).shape[0] is None


def test_activation_and_lambda():
    x = np.array([[-1.0, 2.0]], "float32")
    np.testing.assert_array_equal(L.Activation("relu")(x).numpy(), [[0, 2]])
    np.testing.assert_array_equal(L.Activation(None)(x).numpy(), x)

    def local(x):
        training, mask = 5.0, 1.0
        return x * training * mask

    np.testing.assert_array_equal(L.Lambda(local)(x).numpy(), 5 * x)
    np.testing.assert_array_equal(L.Lambda(lambda x, k: x * k, arguments={"k": 3.0})(x).numpy(), 3 * x)
    takes = L.Lambda(lambda x, training=None: x * (2.0 if training else 1.0))
    np.testing.assert_array_equal(takes(x, training=True).numpy(), 2 * x)


def test_dropout_drops_a_share_and_scales_the_rest():
    x = np.ones((100, 100), "float32")
    layer = L.Dropout(0.25, seed=3)
    with waits(0):
        kept = layer(x, training=True)
    values = kept.numpy()
    np.testing.assert_allclose(np.unique(values), [0, 4 / 3], rtol=1e-6)
    assert abs((values == 0).mean() - 0.25) < 0.02
    np.testing.assert_array_equal(layer(x).numpy(), x)
    np.testing.assert_array_equal(L.Dropout(1.0)(x, training=True).numpy(), 0 * x)
    rows = L.Dropout(0.5, noise_shape=(None, 1))(x, training=True).numpy()
    assert (rows == rows[:, :1]).all()
    with pytest.raises(ValueError, match="between 0 and 1"):
        L.Dropout(1.5)


def test_dropouts_of_a_seed_have_streams_of_their_own():
    x = tf.ones([20, 20])
    a, b = L.Dropout(0.5, seed=1), L.Dropout(0.5, seed=1)
    first, second = a(x, training=True).numpy(), a(x, training=True).numpy()
    assert (first != second).any()
    np.testing.assert_array_equal(b(x, training=True).numpy(), first)
    np.testing.assert_array_equal(b(x, training=True).numpy(), second)
    assert (L.Dropout(0.5, seed=2)(x, training=True).numpy() != first).any()


def test_dropout_without_a_seed_follows_the_global_one():
    x, found = tf.ones([20, 20]), []
    for _ in range(2):
        tf.keras.utils.set_random_seed(7)
        layer = L.Dropout(0.5)
        found.append([layer(x, training=True).numpy() for _ in range(2)])
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0][0] != found[0][1]).any()
