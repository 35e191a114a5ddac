"""Branches and loops: what they compute, what they refuse, and how often they wait."""

import pytest

import client as tf
from tests.client.waiting import remote, waits

# --- branches --------------------------------------------------------------------------------------------------------


def test_cond_calls_one_branch_and_waits_once():
    called = []
    predicate = remote(3.0) > 2.0
    with waits(1):
        result = tf.cond(predicate, lambda: called.append("true") or [1], lambda: called.append("false"))
    assert (result, called) == ([1], ["true"])


def test_cond_on_what_is_known_is_free():
    with waits(0):
        assert tf.cond(True, lambda: 1, lambda: 2) == 1
        assert tf.cond(tf.constant(False), lambda: 1, lambda: 2) == 2
        assert tf.cond(tf.shape(remote([1.0, 2.0]))[0] > 1, lambda: 1, lambda: 2) == 1
        assert tf.cond(tf.constant([True]), lambda: 1, lambda: 2) == 1


def test_cond_refuses():
    for arguments, text in (
        ((True, 3, len), "'true_fn' must be callable"),
        ((True, len), "'false_fn' argument required"),
    ):
        with pytest.raises(TypeError, match=text):
            tf.cond(*arguments)
    with pytest.raises(ValueError, match="ambiguous"):
        tf.cond(tf.constant([True, False]), lambda: 1, lambda: 2)


def test_case_reads_all_predicates_at_once():
    x = remote(3.0)
    pairs = [(x < 2.0, lambda: 10), (x < 4.0, lambda: 20), (x < 5.0, lambda: 30)]
    with waits(1):
        assert tf.case(pairs, default=lambda: 40) == 20
    with waits(1):
        assert tf.case([(x > 9.0, lambda: 10)], default=lambda: [40]) == 40
    assert tf.case([(x > 9.0, lambda: 10)], default=lambda: [40], strict=True) == [40]
    assert tf.case([(x > 2.0, lambda: 1)]) == 1


def test_case_without_a_true_predicate_or_with_too_many():
    true, false = tf.constant(True), tf.constant(False)
    with pytest.raises(tf.errors.InvalidArgumentError, match="None of conditions evaluated as True"):
        tf.case([(false, lambda: 1), (false, lambda: 2)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="exclusive=True: more than 1 conditions"):
        tf.case([(true, lambda: 1), (true, lambda: 2)], exclusive=True)
    assert tf.case([(true, lambda: 1), (true, lambda: 2)]) == 1


@pytest.mark.parametrize(
    ("pairs", "error", "text"),
    [
        (3, TypeError, "must be a list, tuple, or dict"),
        ([], ValueError, "at least one pair"),
        ({}, ValueError, "Unordered dictionaries are not supported"),
        ([(True, len)], TypeError, "pred must be a Tensor, got: True"),
        ([(tf.constant(1), len)], TypeError, "pred must be Tensor of type bool"),
        ([(tf.constant(True), 1)], TypeError, "must be callable"),
        ([[tf.constant(True), len]], TypeError, "must be a 2-tuple"),
    ],
)
def test_case_refuses(pairs, error, text):
    with pytest.raises(error, match=text):
        tf.case(pairs)


def test_switch_case():
    branches = [lambda: 1, lambda: [2]]
    index = remote(1)
    with waits(1):
        assert tf.switch_case(index, branches) == [2]
    with waits(0):
        assert tf.switch_case(tf.constant(7), branches) == [2]
        assert tf.switch_case(tf.constant(-7), branches, default=lambda: 9) == 9
        assert tf.switch_case(tf.constant(1), {1: lambda: "b", 0: lambda: "a"}) == "b"
        assert tf.switch_case(tf.constant(0), [(1, lambda: "b"), (0, lambda: "a")]) == "a"


@pytest.mark.parametrize(
    ("index", "branches", "error", "text"),
    [
        (1, [len], TypeError, "'branch_index' must be a Tensor, got <class 'int'>"),
        (tf.constant(1.0), [len], TypeError, "must be an integer Tensor"),
        (tf.constant(1), [], ValueError, "at least one item"),
        (tf.constant(1), [3], TypeError, "must be a 2-tuple"),
        (tf.constant(1), [(0, 3)], TypeError, "fn for key 0 must be callable"),
        (tf.constant(1), [("a", len)], TypeError, "key must be a Python `int`"),
        (tf.constant(1), {1: len, 2: len}, ValueError, r"contiguous range of \[0 to 2\) but found \{1,2\}"),
        (tf.constant(1), [(0, len), (0, len)], ValueError, r"found \{0,0\}"),
    ],
)
def test_switch_case_refuses(index, branches, error, text):
    with pytest.raises(error, match=text):
        tf.switch_case(index, branches)


# --- loops -----------------------------------------------------------------------------------------------------------


def test_while_loop_waits_once_a_look():
    start = remote(1.0)
    with waits(4):  # 1, 2, 4 go on, 8 stops
        (x,) = tf.while_loop(lambda x: x < 8.0, lambda x: [x * 2.0], [start])
    assert float(x) == 8.0


def test_a_loop_over_a_counter_is_free():
    x = remote([1.0, 2.0])
    with waits(0):
        i, y = tf.while_loop(lambda i, y: i < 10, lambda i, y: (i + 1, y + x), (tf.constant(0), x))
        j, _ = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y), (0, x))
    assert int(i) == 10
    assert int(j) == 3
    assert y.numpy().tolist() == [11.0, 22.0]


def test_while_loop_structures():
    start = (tf.constant(0), {"a": (1, 2.5)})
    i, rest = tf.while_loop(lambda i, d: i < 2, lambda i, d: (i + 1, {"a": (d["a"][0] + i, d["a"][1])}), start)
    assert int(i) == 2
    assert int(rest["a"][0]) == 2
    assert rest["a"][1].dtype == tf.float32
    assert isinstance(tf.while_loop(lambda x: False, lambda x: x, [1])[0], tf.Tensor)
    assert int(tf.while_loop(lambda x: x < 3, lambda x: x + 1, [tf.constant(0)])[0]) == 3
    assert int(tf.while_loop(lambda x: x < 3, lambda x: [x + 1], [tf.Variable(0)])[0]) == 3


@pytest.mark.parametrize("convert", [int, tf.constant])
def test_maximum_iterations(convert):
    limit = convert(2)
    assert int(tf.while_loop(lambda x: True, lambda x: (x + 1,), [tf.constant(0)], maximum_iterations=limit)[0]) == 2


@pytest.mark.parametrize(
    ("cond", "body", "loop_vars", "options", "error", "text"),
    [
        (3, len, [1], {}, TypeError, "'cond' must be callable"),
        (len, 3, [1], {}, TypeError, "'body' must be callable"),
        (len, len, [], {}, ValueError, "'loop_vars' must be provided"),
        (len, len, 3, {}, TypeError, "must be a list or tuple"),
        (len, len, [1], {"parallel_iterations": 0}, TypeError, "positive integer"),
        (len, len, [1], {"maximum_iterations": [2]}, ValueError, r"must be a scalar. Received shape: \(1,\)"),
        (lambda i: True, lambda i: (i, i), [1], {}, ValueError, "same number of elements"),
        (lambda i: True, lambda i: [{"b": 1}], [{"a": 1}], {}, ValueError, "same set of keys"),
    ],
)
def test_while_loop_refuses(cond, body, loop_vars, options, error, text):
    with pytest.raises(error, match=text):
        tf.while_loop(cond, body, loop_vars, **options)


# --- order and names -------------------------------------------------------------------------------------------------


def test_what_only_graphs_need():
    called = []
    with tf.control_dependencies([tf.constant(1), lambda: called.append(1)]), tf.init_scope():
        pass
    assert called == [1]
    assert tf.control_dependencies(None) is not None
    assert tf.group(tf.constant(1), tf.constant(2)) is None
    assert tf.no_op() is None
    assert [t.dtype for t in tf.identity_n([1, 2.5])] == [tf.int32, tf.float32]
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.identity_n([])
    assert tf.tuple([tf.constant(1), None])[1] is None


def test_name_scopes():
    with tf.name_scope("a") as a, tf.name_scope("b") as b:
        assert (a, b, tf.get_current_name_scope()) == ("a/", "a/b/", "a/b")
        with tf.name_scope("z/") as z:
            assert z == "z/"
        with tf.name_scope("") as empty:
            assert empty == ""
        assert tf.get_current_name_scope() == "a/b"
    assert tf.get_current_name_scope() == ""
    assert tf.name_scope("q").name == "q"
    with pytest.raises(ValueError, match="must be a string"):
        tf.name_scope(3)
