"""`tf.function`, signatures, and Python functions among ops."""

import functools

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

Spec = tf.TensorSpec
VECTOR = Spec([None], tf.float32)


# --- tf.function -----------------------------------------------------------------------------------------------------


def test_a_function_keeps_what_it_wraps():
    @tf.function
    def step(x, y=2, *, z=3):
        """Doc."""
        return x, y, z

    assert step(1) == (1, 2, 3)
    assert step(1, z=5) == (1, 2, 5)
    assert (step.__name__, step.__doc__, step.name) == ("step", "Doc.", "step")
    assert step.python_function is step.__wrapped__
    assert step.input_signature is None
    assert step.get_concrete_function(Spec([]))(1) == (1, 2, 3)
    assert tf.function(step)(1) == (1, 2, 3)
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        step.get_concrete_function()
    with pytest.raises(TypeError, match="3 is not a callable object"):
        tf.function(3)


def test_python_runs_every_time():
    calls = []

    @tf.function(jit_compile=True, reduce_retracing=True, autograph=False)
    def count(x):
        calls.append(x)
        return x if x > 0 else -x

    assert [count(tf.constant(v)).numpy() for v in (1, -2)] == [1, 2]
    assert len(calls) == 2
    assert tf.function(functools.partial(lambda a, b: a + b, 1))(2) == 3


def test_methods():
    class Model:
        scale = 3.0

        @tf.function(input_signature=[VECTOR])
        def call(self, x):
            return x * self.scale

        @tf.function
        def plain(self, x):
            return (self, x)

        @staticmethod
        @tf.function
        def static(x):
            return x

    model = Model()
    assert model.call([1.0]).numpy().tolist() == [3.0]
    assert Model.call(model, x=[1.0]).numpy().tolist() == [3.0]
    assert model.plain(1) == (model, 1)
    assert model.static(1) == 1
    assert model.call.input_signature == (VECTOR,)
    with pytest.raises(TypeError, match="Can not cast"):
        model.call(tf.constant(1.0))


@pytest.mark.parametrize("make", [list, np.ones, tuple, tf.constant, tf.Variable])
def test_a_signature_makes_tensors(make):
    value = make([1.0]) if make is not np.ones else np.ones(3)
    with waits(0):
        x = tf.function(lambda x: x, input_signature=[VECTOR])(value)
    assert isinstance(x, tf.Tensor)
    assert x.dtype == tf.float32


def test_signatures_of_structures_and_defaults():
    assert float(tf.function(lambda x, y=3: x * y, input_signature=[Spec([])])(2)) == 6.0
    default = tf.function(lambda x, y=3: y, input_signature=[Spec([]), Spec([], tf.int32)])(1)
    assert default.dtype == tf.int32
    pair = tf.function(lambda x: x, input_signature=[[Spec([]), Spec([])]])([1, 2])
    assert isinstance(pair, list)
    assert tf.function(lambda x: x["a"], input_signature=[{"a": Spec([])}])({"a": 1}).dtype == tf.float32
    assert len(tf.function(lambda *a: a, input_signature=[Spec([]), Spec([])])(1, 2)) == 2
    assert tf.function(lambda *, x: x, input_signature=[Spec([])])(x=1).dtype == tf.float32


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((tf.constant([1, 2]),), r"Can not cast TensorSpec\(shape=\(2,\), dtype=tf.int32, name=None\) to TensorSpec"),
        ((tf.constant([[1.0]]),), r"Can not cast TensorSpec\(shape=\(1, 1\)"),
        (("x",), "Binding inputs to tf.function failed due to"),
        (([1.5], 3), "too many positional arguments"),
        ((), "missing a required argument: 'x'"),
    ],
)
def test_arguments_that_do_not_fit(arguments, text):
    with pytest.raises(TypeError, match=text):
        tf.function(lambda x: x, input_signature=[VECTOR])(*arguments)


@pytest.mark.parametrize(
    ("function", "signature", "text"),
    [
        (lambda x: x, 3, "must be either a tuple or a list, got <class 'int'>"),
        (lambda x: x, [3], r"got invalid args \[3\] with types"),
        (lambda x: x, [VECTOR, VECTOR], "contains 1 extra type constraints"),
        (lambda x, y: x, [VECTOR], "missing type constraint for y"),
        (lambda **x: x, [VECTOR], "contains 1 extra type constraints"),
    ],
)
def test_signatures_that_do_not_fit(function, signature, text):
    with pytest.raises(TypeError, match=text):
        tf.function(function, input_signature=signature)


@pytest.mark.parametrize(
    ("spec", "value"), [((Spec([]), Spec([])), [1, 2]), ({"a": Spec([])}, {"b": 1}), ([Spec([])], [1, 2])]
)
def test_structures_that_do_not_fit(spec, value):
    with pytest.raises(TypeError, match="Binding inputs"):
        tf.function(lambda x: x, input_signature=[spec])(value)


# --- TensorSpec ------------------------------------------------------------------------------------------------------


def test_tensor_spec():
    assert repr(Spec([2, None], "int32", "x")) == "TensorSpec(shape=(2, None), dtype=tf.int32, name='x')"
    assert repr(Spec(None)) == "TensorSpec(shape=<unknown>, dtype=tf.float32, name=None)"
    assert Spec([2]) == Spec((2,)) != Spec([2], name="x")
    assert hash(Spec([2])) == hash(Spec([2], name="x"))
    assert Spec([2]) != 3
    assert Spec.from_tensor(tf.constant([1.0]), "n") == Spec([1], tf.float32, "n")
    assert Spec.from_spec(Spec([2], tf.int32, "a"), "b") == Spec([2], tf.int32, "b")
    with pytest.raises(ValueError, match="should be a tf"):
        Spec.from_tensor(3)
    with pytest.raises(TypeError):
        Spec([2], "foo")


def test_compatible_specs():
    spec = Spec([2, None])
    assert spec.is_compatible_with(tf.ones([2, 3]))
    assert spec.is_compatible_with(Spec([2, 3]))
    assert spec.is_compatible_with(Spec(None))
    assert not spec.is_compatible_with(tf.ones([3, 3]))
    assert not spec.is_compatible_with(tf.ones([2, 3], tf.float64))
    assert not spec.is_compatible_with(np.ones([2, 3], np.float32))
    assert Spec([2, 3]).is_subtype_of(spec)
    assert not spec.is_subtype_of(Spec([2, 3]))
    assert spec.most_specific_compatible_type(Spec([2, 4])) == spec
    assert Spec([2]).most_specific_common_supertype([Spec([2], tf.int32)]) is None
    with pytest.raises(ValueError, match="No TypeSpec is compatible"):
        Spec([2]).most_specific_compatible_type(Spec([2], tf.int32))


# --- questions -------------------------------------------------------------------------------------------------------


def test_questions():
    assert tf.executing_eagerly()
    assert not tf.inside_function()
    assert tf.is_tensor(tf.Variable(1))
    assert not tf.is_tensor(np.ones(1))
    with waits(0):
        assert tf.get_static_value(tf.shape(remote([1.0, 2.0])) + 1) == [3]
        assert tf.get_static_value(remote(1.0)) is None
        assert tf.get_static_value(3) == 3
    assert tf.autograph.experimental.do_not_convert(len) is len
    assert tf.autograph.experimental.do_not_convert()(len) is len
    assert tf.autograph.to_graph(len) is len
    with pytest.raises(NotImplementedError):
        tf.autograph.to_code(len)


# --- Python among ops ------------------------------------------------------------------------------------------------


def test_py_function_does_not_wait():
    with waits(0):
        x = tf.py_function(lambda x, y: x + y, [remote(1.0), 2.0], tf.float32)
        pair = tf.py_function(lambda x: (x, 3), [remote(1.0)], [tf.float32, tf.int64])
        assert tf.py_function(lambda: None, [], []) == []
    assert float(x) == 3.0
    assert [t.dtype for t in pair] == [tf.float32, tf.int64]
    assert tf.py_function(Tout=tf.TensorSpec([], tf.float32))(lambda x: x)(1.0).dtype == tf.float32


def test_numpy_function_waits_once():
    x, y = remote([1.0, 2.0]), remote([3.0, 4.0])
    with waits(1):
        z = tf.numpy_function(lambda a, b: np.concatenate([a, b]), [x, y], tf.float32)
    assert z.numpy().tolist() == [1.0, 2.0, 3.0, 4.0]
    assert tf.numpy_function(lambda: None, [], []) is None
    assert tf.numpy_function(lambda: (3, 4), [], [tf.int64, tf.int64])[1].dtype == tf.int64
    assert tf.numpy_function(Tout=tf.float32)(np.median)([1.0, 2.0, 9.0]).numpy() == 2.0


@pytest.mark.parametrize("op", [tf.py_function, tf.numpy_function])
def test_python_functions_refuse(op):
    for arguments, error, text in (
        ((abs, [1]), TypeError, "Missing required argument: 'Tout'"),
        ((abs, None, tf.int32), TypeError, "Missing argument `inp`"),
        ((None, [1], tf.int32), TypeError, "Don't set the `inp` argument"),
        ((3, [1], tf.int32), ValueError, "Expected func to be callable"),
    ):
        with pytest.raises(error, match=text):
            op(*arguments)
    with pytest.raises(ZeroDivisionError):
        op(lambda x: 1 / 0, [1], tf.int32)


def test_py_function_checks_results():
    for found, wanted in ((None, tf.int32), ((1,), [tf.int32, tf.int32]), ((1, 2), [tf.int32])):
        with pytest.raises(tf.errors.InvalidArgumentError, match="but expects to see"):
            tf.py_function(lambda found=found: found, [], wanted)
    with pytest.raises(ValueError, match="requested dtype float32 for Tensor with dtype int32"):
        tf.py_function(lambda x: x, [tf.constant(1)], tf.float32)
