"""Models from outside: subclassed, functional and Sequential; their summaries, configurations, copies; `tf.Module`.

References are NumPy's arithmetic, and texts that Keras 3.15 printed.
"""

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

K, L = tf.keras, tf.keras.layers


class Linear(K.Model):
    def __init__(self, units=2):
        super().__init__(name="linear")
        self.dense = L.Dense(units, name="d")

    def call(self, inputs):
        return self.dense(inputs)


def ones(*shape):
    return np.ones(shape, "float32")


def dense(units, **options):
    """A layer whose output is the sum of its input's last axis."""
    return L.Dense(units, kernel_initializer="ones", **options)


def lines(model, **options):
    found = []
    model.summary(print_fn=found.append, **options)
    return "\n".join(found)


# --- subclassed ------------------------------------------------------------------------------------------------------


def test_a_subclass_is_built_at_its_first_call_and_trains():
    model = Linear()
    assert model.layers == [model.dense] and not model.built
    with waits(0):
        model(remote(ones(1, 3)))
    assert model.built
    assert [w.path for w in model.weights] == ["linear/d/kernel", "linear/d/bias"]
    model.compile("sgd", "mse")
    before = model.get_weights()[0]
    model.fit(ones(4, 3), ones(4, 2) * 9, verbose=0)
    assert (model.get_weights()[0] != before).all()


def test_plain_variables_of_a_subclass_are_its_weights():
    class Line(K.Model):
        def __init__(self):
            super().__init__()
            self.w, self.b = tf.Variable(5.0), tf.Variable(10.0)

        def call(self, inputs):
            return inputs * self.w + self.b

    model = Line()
    x = tf.constant([3.0])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(model(x))
    assert [float(g) for g in tape.gradient(y, model.trainable_variables)] == [3.0, 1.0]


def test_a_subclass_can_be_made_of_inputs_and_outputs():
    class Named(K.Model):
        def twice(self, x):
            return 2.0 * self(x)

    class Own(K.Model):
        def __init__(self):
            x = K.Input((3,))
            super().__init__(inputs=x, outputs=dense(1)(x))
            self.extra = 5

    x = K.Input((3,))
    model = Named(x, dense(1)(x), name="n")
    assert isinstance(model, Named) and type(model).__name__ == "Named" and model.name == "n"
    np.testing.assert_array_equal(model.twice(ones(2, 3)).numpy(), [[6], [6]])
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "Dense"]
    own = Own()
    assert (own.extra, len(own.weights), own.output_shape) == (5, 2, (None, 1))
    assert isinstance(Named.from_config(model.get_config()), Named)
    again = K.models.model_from_json(model.to_json(), custom_objects={"Named": Named})
    assert isinstance(again, Named) and again.output_shape == (None, 1)
    assert Linear().layers[0].name == "d"  # other subclasses stay as they are


# --- functional ------------------------------------------------------------------------------------------------------


def test_several_inputs_and_outputs():
    a, b = K.Input((2,), name="a"), K.Input((3,), name="b")
    model = K.Model([a, b], [dense(1, name="p")(a), dense(2, name="q")(b)], name="m")
    assert (model.input_names, model.output_names) == (["a", "b"], ["p", "q"])
    assert (model.input_shape, model.output_shape) == ([(None, 2), (None, 3)], [(None, 1), (None, 2)])
    for given in ([ones(1, 2), ones(1, 3)], {"b": ones(1, 3), "a": ones(1, 2)}):
        p, q = model(given)
        np.testing.assert_array_equal(p.numpy(), [[2]])
        np.testing.assert_array_equal(q.numpy(), [[3, 3]])
    with pytest.raises(ValueError, match=r"expects 2 named input\(s\) with keys \['a', 'b'\]"):
        model(ones(1, 2))
    with pytest.raises(ValueError, match=r"expected shape=\(None, 2\), found shape=\(1, 5\)"):
        model([ones(1, 5), ones(1, 3)])


def test_dicts_of_inputs_and_outputs_and_the_order_of_keys():
    inputs = {"z": K.Input((2,), name="z"), "a": K.Input((3,), name="a")}
    model = K.Model(inputs, {"sum": dense(1)(inputs["z"]), "other": dense(1)(inputs["a"])})
    found = model({"a": ones(1, 3), "z": ones(1, 2)})
    assert {k: v.numpy().tolist() for k, v in found.items()} == {"sum": [[2.0]], "other": [[3.0]]}


def test_a_shared_layer_has_one_set_of_weights():
    shared = dense(1)
    a, b = K.Input((2,)), K.Input((2,))
    model = K.Model([a, b], L.Subtract()([shared(a), shared(b)]))
    assert len(model.weights) == 2
    np.testing.assert_array_equal(model([3 * ones(1, 2), ones(1, 2)]).numpy(), [[4]])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(model([3 * ones(1, 2), ones(1, 2)]))
    np.testing.assert_array_equal(tape.gradient(y, shared.kernel).numpy(), [[2], [2]])


def test_models_within_models():
    x = K.Input((2,))
    inner = K.Model(x, dense(3)(x), name="inner")
    outer = K.Sequential([K.Input((2,)), inner, K.Sequential([dense(1)], name="last")])
    assert outer.output_shape == (None, 1) and len(outer.weights) == 4
    np.testing.assert_array_equal(outer(ones(1, 2)).numpy(), [[6]])
    y = K.Input((2,))
    assert len(K.Model(y, outer(inner(y)[:, :2])).weights) == 4


def test_ops_between_layers_are_part_of_the_graph():
    x = K.Input((2,))
    h = dense(2)(x)
    model = K.Model(x, tf.nn.relu(h - 3.0) * 2.0 + x)
    with waits(0):
        y = model(remote(ones(1, 2) * 2))
    np.testing.assert_array_equal(y.numpy(), [[4, 4]])


def test_a_part_of_a_graph_is_a_model():
    x = K.Input((2,))
    h = dense(3, name="h")(x)
    whole = K.Model(x, dense(1, name="o")(h))
    np.testing.assert_array_equal(K.Model(x, h)(ones(1, 2)).numpy(), [[2, 2, 2]])
    np.testing.assert_array_equal(K.Model(h, whole.output)(ones(1, 3)).numpy(), [[3]])
    assert whole.get_layer("h").output is h and whole.get_layer(index=2).name == "o"
    with pytest.raises(ValueError, match="No such layer: nothing"):
        whole.get_layer("nothing")


def test_a_fixed_training_argument_wins():
    x = K.Input((50,))
    fixed, free = L.Dropout(0.5)(x, training=False), L.Dropout(0.5)(x)
    model = K.Model(x, [fixed, free])
    for training in (True, False):
        kept, dropped = model(ones(1, 50), training=training)
        assert bool(tf.reduce_all(kept == 1.0))
        assert bool(tf.reduce_any(dropped == 0.0)) is training
    always = K.Model(x, L.Dropout(0.5)(x, training=True))
    assert bool(tf.reduce_any(always(ones(1, 50), training=False) == 0.0))


def test_layers_are_listed_by_depth_and_then_as_the_outputs_lead_to_them():
    x, y = K.Input((3,), name="x"), K.Input((3,), name="y")
    b = L.Dense(2, name="b")(L.Dense(2, name="a")(x))
    model = K.Model([x, y], [b, L.Dense(2, name="c")(y)])
    assert [layer.name for layer in model.layers] == ["x", "a", "y", "b", "c"]


def test_graphs_that_make_no_model():
    x = K.Input((3,))
    with pytest.raises(ValueError, match='The name "a" is used 2 times in the model'):
        K.Model(x, L.Dense(1, name="a")(L.Dense(2, name="a")(x)))
    with pytest.raises(ValueError, match="not connected"):
        K.Model(K.Input((3,)), L.Dense(1)(x))
    with pytest.raises(ValueError, match="All `inputs` values must be KerasTensors"):
        K.Model(ones(1, 1), L.Dense(1)(x))


def test_symbolic_tensors_have_no_values():
    x = K.Input((3,), batch_size=4, dtype="int32", name="q")
    assert (x.name, x.dtype, tuple(x.shape)) == ("q", tf.int32, (4, 3))
    assert K.layers.Input is K.Input and K.layers.InputLayer(shape=(3,)).output.shape == (None, 3)
    for use, error in ((len, TypeError), (list, NotImplementedError), (bool, TypeError), (float, ValueError),
                       (int, ValueError), (np.asarray, ValueError), (lambda t: t.numpy(), ValueError)):  # fmt: skip
        with pytest.raises(error, match="KerasTensor"):
            use(x)
    assert x[:, 1:].shape == (4, 2)


def test_losses_and_masks_in_a_graph():
    x = K.Input((4,), dtype="int32")
    h = L.Embedding(5, 3, mask_zero=True, activity_regularizer=K.regularizers.L2(1.0), embeddings_initializer="ones")(x)
    model = K.Model(x, L.GlobalAveragePooling1D()(h))
    for rows in (1, 2):
        model(np.zeros((rows, 4), int))
        assert [float(v) for v in model.losses] == [12.0]
    rnn = L.SimpleRNN(2)
    recurrent = K.Model(x, rnn(h))
    whole = rnn(ones(1, 2, 3))
    np.testing.assert_allclose(recurrent(np.array([[1, 2, 0, 0]])).numpy(), whole.numpy(), rtol=1e-5)


# --- Sequential ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [[K.Input((3,))], [L.InputLayer(shape=(3,))], []])
def test_a_sequential_model_that_knows_its_input_is_built_at_once(first):
    with waits(0):
        model = K.Sequential([*first, L.Dense(4, **({} if first else {"input_shape": (3,)})), L.Dense(2)])
    assert model.built and model.count_params() == 26
    assert (model.input_shape, model.output_shape) == ((None, 3), (None, 2))
    assert [type(layer).__name__ for layer in model.layers] == ["Dense", "Dense"]


def test_a_sequential_model_that_does_not_is_built_at_its_first_call_or_by_build():
    model = K.Sequential([L.Dense(4), L.Dense(2)])
    assert not model.built and model.weights == []
    with pytest.raises(AttributeError):
        _ = model.output_shape
    model(ones(1, 3))
    assert model.built and model.output_shape[-1] == 2
    other = K.Sequential([L.Dense(4)])
    other.build((None, 3))
    assert other.count_params() == 16


def test_adding_and_taking_away_layers():
    model = K.Sequential(name="s")
    model.add(K.Input((2,)))
    model.add(dense(3, name="a"))
    model.add(dense(1, name="b"))
    np.testing.assert_array_equal(model(ones(1, 2)).numpy(), [[6]])
    assert model.pop().name == "b" and model.output_shape == (None, 3)
    with pytest.raises(ValueError, match="should have unique names"):
        model.add(L.Dense(1, name="a"))
    with pytest.raises(ValueError, match=r"Only instances of `keras.Layer`"):
        model.add(3)


def test_a_sequential_model_hands_on_training_and_masks():
    model = K.Sequential([K.Input((50,)), L.Dropout(0.5)])
    assert bool(tf.reduce_any(model(ones(1, 50), training=True) == 0.0))
    assert bool(tf.reduce_all(model(ones(1, 50)) == 1.0))


# --- weights ---------------------------------------------------------------------------------------------------------


def test_weights_are_read_in_one_wait_and_nothing_else_waits():
    with waits(0):
        model = K.Sequential([K.Input((8,)), L.Dense(8, activation="relu"), L.Dropout(0.5), L.Dense(2)])
        model(remote(ones(4, 8)), training=True)
        lines(model)
        model.set_weights([np.full(w.shape, i, "float32") for i, w in enumerate(model.weights)])
        _ = model.trainable_variables, model.losses, model.count_params()
        K.models.clone_model(model)
    with waits(1):
        found = model.get_weights()
    assert [float(np.mean(v)) for v in found] == [0, 1, 2, 3]


def test_freezing_layers():
    model = K.Sequential([K.Input((3,)), dense(2, name="a"), dense(1, name="b")])
    model.layers[0].trainable = False
    assert [w.path.split("/")[-2:] for w in model.trainable_weights] == [["b", "kernel"], ["b", "bias"]]
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(ones(4, 3), ones(4, 1), verbose=0)
    after = model.get_weights()
    assert [(a != b).any() for a, b in zip(before, after, strict=True)] == [False, False, True, True]
    model.trainable = False
    assert model.trainable_weights == [] and len(model.non_trainable_weights) == 4


# --- configurations and copies ---------------------------------------------------------------------------------------


def graph():
    x, y = K.Input((3,), name="x"), K.Input((2,), name="y")
    shared = L.Dense(2, name="shared")
    h = L.Add(name="add")([shared(x), L.Dense(2, name="frozen", trainable=False)(y)])
    return K.Model([x, y], (h, shared(L.Dense(3, name="d")(h))), name="g")


def test_a_functional_model_of_its_configuration():
    model = graph()
    inputs = [ones(2, 3), ones(2, 2)]
    for again in (
        K.Model.from_config(model.get_config()),
        K.models.model_from_json(model.to_json()),
        K.models.clone_model(model),
    ):
        assert again.name == "g" and [x.name for x in again.layers] == [x.name for x in model.layers]
        assert len(again.trainable_weights) == len(model.trainable_weights) == 4
        again.set_weights(model.get_weights())
        found, expected = again(inputs), model(inputs)
        assert type(found) is type(expected)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
        again.get_layer("d").kernel.assign(tf.zeros([2, 3]))
        assert np.any(model.get_layer("d").kernel.numpy() != 0)


def test_a_sequential_model_of_its_configuration():
    model = K.Sequential([K.Input((3,)), dense(2, name="a", trainable=False), L.Dropout(0.5), dense(1)], name="s")
    for again in (
        K.Sequential.from_config(model.get_config()),
        K.models.model_from_json(model.to_json()),
        K.models.clone_model(model),
    ):
        assert isinstance(again, K.Sequential) and again.name == "s" and again.output_shape == (None, 1)
        assert len(again.trainable_weights) == 2
        np.testing.assert_array_equal(again(ones(1, 3)).numpy(), [[6]])


def test_clones_of_other_layers_on_other_inputs_and_with_ops_between():
    x = K.Input((3,))
    model = K.Model(x, tf.nn.relu(dense(2, name="a")(x)) + 1.0)

    def wider(layer):
        config = layer.get_config()
        return type(layer).from_config({**config, "units": 5})

    cloned = K.models.clone_model(model, clone_function=wider)
    assert cloned.output_shape == (None, 5)
    np.testing.assert_array_equal(cloned(ones(1, 3)).numpy(), [[4] * 5])
    start = K.Input((3,), batch_size=7)
    assert K.models.clone_model(model, input_tensors=start).output_shape == (7, 2)
    sequential = K.Sequential([K.Input((3,)), dense(2)])
    assert K.models.clone_model(sequential, clone_function=wider).output_shape == (None, 5)
    with pytest.raises(ValueError, match="functional or Sequential"):
        K.models.clone_model(Linear())
    with pytest.raises(NotImplementedError, match="bare ops"):
        model.get_config()


# --- summaries -------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def small():
    return K.Sequential([K.Input((4,)), L.Dense(3, name="a"), L.Dense(2, name="b", trainable=False)], name="s")


def test_the_summary_of_a_chain():
    with waits(0):
        found = lines(small())
    assert (
        found
        == """\
Model: "s"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ a (Dense)                       │ (None, 3)              │            15 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ b (Dense)                       │ (None, 2)              │             8 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 23 (92.00 B)
 Trainable params: 15 (60.00 B)
 Non-trainable params: 8 (32.00 B)
"""
    )


def test_the_summary_of_a_graph_says_what_is_connected():
    x, y = K.Input((3,), name="x"), K.Input((3,), name="y")
    long = L.Dense(200000, name="a_layer_with_a_really_long_name_that_wraps_around")
    found = lines(K.Model([x, y], [L.Dense(2, name="a")(x), long(y)], name="m"), show_trainable=True).splitlines()
    assert found[2:4] + found[-8:-4] == [
        "┃ Layer (type)      ┃ Output Shape    ┃   Param # ┃ Connected to   ┃ Trai… ┃",
        "┡━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━━━┩",
        "│ a (Dense)         │ (None, 2)       │         8 │ x[0][0]        │   Y   │",
        "├───────────────────┼─────────────────┼───────────┼────────────────┼───────┤",
        "│ a_layer_with_a_r… │ (None, 200000)  │   800,000 │ y[0][0]        │   Y   │",
        "│ (Dense)           │                 │           │                │       │",
    ]
    assert found[-3] == " Total params: 800,008 (3.05 MB)"


def test_summaries_of_what_is_not_built_of_parts_and_of_optimizers():
    model = Linear()
    assert "│ d (Dense)                       │ ?                      │   0 (unbuilt) │" in lines(model)
    model(ones(1, 3))
    with waits(0):
        assert "│ d (Dense)                       │ (1, 2)                 │             8 │" in lines(model)
    nested = K.Sequential([K.Input((4,)), small(), L.Dense(1, name="c")], name="n")
    assert "│    └ b (Dense)                  │ (None, 2)              │             8 │" in lines(
        nested, expand_nested=True
    )
    ranged = lines(nested, layer_range=["c", "c"])
    assert "c (Dense)" in ranged and "s (Sequential)" not in ranged
    with pytest.raises(ValueError, match="do not match"):
        lines(nested, layer_range=["q", "q"])
    with pytest.raises(ValueError, match="Insufficient"):
        lines(nested, line_length=10)
    chain = small()
    chain.compile("adam", "mse")
    chain.fit(ones(2, 4), ones(2, 2), verbose=0)
    assert lines(chain).endswith(
        " Total params: 55 (224.00 B)\n Trainable params: 15 (60.00 B)\n Non-trainable params: 8 (32.00 B)\n"
        " Optimizer params: 32 (132.00 B)\n"
    )


# --- tf.Module -------------------------------------------------------------------------------------------------------


def test_modules_find_variables_and_modules_by_attribute_name():
    class Leaf(tf.Module):
        def __init__(self, value):
            super().__init__()
            self.v = tf.Variable(value)

    class Tree(tf.Module):
        def __init__(self):
            super().__init__(name="tree")
            self.z, self.c = Leaf(1.0), tf.Variable(2.0)
            self.d = {"k": Leaf(3.0), "j": tf.Variable(4.0)}
            self.frozen = tf.Variable(5.0, trainable=False)

    tree = Tree()
    assert tree.name == "tree" and len(tree.submodules) == 2
    assert sorted(float(v) for v in tree.variables) == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert [float(v) for v in tree.non_trainable_variables] == [5.0]
    assert len(tree.trainable_variables) == 4
    with pytest.raises(ValueError, match="'a b' is not a valid module name"):
        tf.Module(name="a b")


def test_layers_know_the_variables_of_modules():
    class Holder(tf.Module):
        def __init__(self):
            super().__init__()
            self.v = tf.Variable(3.0)

    class Uses(L.Layer):
        def __init__(self):
            super().__init__()
            self.module = Holder()

        def call(self, inputs):
            return inputs * self.module.v

    layer = Uses()
    assert float(layer(tf.constant([2.0]))[0]) == 6.0
    assert len(layer.trainable_weights) == 1
