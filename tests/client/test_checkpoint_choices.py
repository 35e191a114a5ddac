"""Where checkpoints do more than TensorFlow 2.21's, and what its guide promises though Keras 3 does not keep it."""

import gc
from collections import OrderedDict, defaultdict

import numpy as np
import pytest

import client as tf

CHANGES_OF_LISTS = {
    "insert": lambda x, new: x.insert(1, new),
    "set": lambda x, new: x.__setitem__(0, new),
    "set slice": lambda x, new: x.__setitem__(slice(0, 2), [new]),
    "delete": lambda x, new: x.__delitem__(0),
    "pop": lambda x, new: x.pop(),
    "remove": lambda x, new: x.remove(x[0]),
    "clear": lambda x, new: x.clear(),
    "reverse": lambda x, new: x.reverse(),
}
CHANGES_OF_DICTS = {
    "pop": lambda x, new: x.pop("a"),
    "popitem": lambda x, new: x.popitem(),
    "clear": lambda x, new: x.clear(),
    "delete": lambda x, new: x.__delitem__("b"),
    "setdefault": lambda x, new: x.setdefault("d", new),
}


def ones(count):
    return [tf.Variable(float(i + 1)) for i in range(count)]


def values(variables):
    return [float(v) for v in variables]


@pytest.mark.parametrize("name", CHANGES_OF_LISTS)
def test_a_list_changed_in_place_is_saved_as_it_is(name, tmp_path):
    plain, checkpoint = [1.0, 2.0, 3.0], tf.train.Checkpoint(x=ones(3))
    CHANGES_OF_LISTS[name](plain, 9.0)
    CHANGES_OF_LISTS[name](checkpoint.x, tf.Variable(9.0))
    path = checkpoint.save(tmp_path / "c")
    found = [tf.Variable(0.0) for _ in plain]
    tf.train.Checkpoint(x=found).restore(path).assert_existing_objects_matched()
    assert values(found) == plain


@pytest.mark.parametrize("name", CHANGES_OF_DICTS)
def test_a_dict_changed_in_place_is_saved_as_it_is(name, tmp_path):
    plain = {"a": 1.0, "b": 2.0, "c": 3.0}
    checkpoint = tf.train.Checkpoint(x=dict(zip(plain, ones(3), strict=True)))
    CHANGES_OF_DICTS[name](plain, 9.0)
    CHANGES_OF_DICTS[name](checkpoint.x, tf.Variable(9.0))
    path = checkpoint.save(tmp_path / "c")
    found = {key: tf.Variable(0.0) for key in plain}
    tf.train.Checkpoint(x=found).restore(path).assert_existing_objects_matched()
    assert {key: float(v) for key, v in found.items()} == plain


def test_a_list_kept_elsewhere_too_is_saved_as_it_is(tmp_path):
    listed = ones(1)
    checkpoint = tf.train.Checkpoint(x=listed)
    listed += [tf.Variable(2.0)]
    found = [tf.Variable(0.0), tf.Variable(0.0)]
    tf.train.Checkpoint(x=found).restore(checkpoint.save(tmp_path / "c")).assert_consumed()
    assert values(found) == [1.0, 2.0]


@pytest.mark.parametrize("depth", [0, 1])
def test_members_added_where_a_restore_cannot_see_them_are_not_lost_silently(depth, tmp_path):
    path = tf.train.Checkpoint(x=ones(2) if depth == 0 else [ones(2)]).save(tmp_path / "c")
    listed = []
    checkpoint = tf.train.Checkpoint(x=listed if depth == 0 else [listed])
    checkpoint.restore(path).expect_partial()
    listed.append(tf.Variable(0.0))
    with pytest.raises(ValueError, match="changed beside it"):
        checkpoint.save(tmp_path / "c")


def test_a_list_in_two_places_stays_one_when_it_waits_for_members(tmp_path):
    both = ones(1)
    path = tf.train.Checkpoint(x=both, y=both).save(tmp_path / "c")
    listed = []
    checkpoint = tf.train.Checkpoint(x=listed, y=listed)
    status = checkpoint.restore(path)
    checkpoint.y.append(tf.Variable(0.0))
    assert checkpoint.x is checkpoint.y
    assert values(checkpoint.x) == [1.0]
    status.assert_consumed()


def test_integer_keys(tmp_path):
    path = tf.train.Checkpoint(x={0: tf.Variable(1.0), 7: [tf.Variable(2.0)]}).save(tmp_path / "c")
    checkpoint = tf.train.Checkpoint(x={7: []})
    status = checkpoint.restore(path)
    checkpoint.x[0] = tf.Variable(0.0)
    checkpoint.x[7].append(tf.Variable(0.0))
    status.assert_consumed()
    assert values([checkpoint.x[0], checkpoint.x[7][0]]) == [1.0, 2.0]


@pytest.mark.parametrize("keys", [(1, "1"), ((1, 2), "a"), (1.5, "a"), (None, "a")])
def test_keys_that_could_not_be_told_apart_or_found_again(keys, tmp_path):
    checkpoint = tf.train.Checkpoint(x=dict(zip(keys, ones(2), strict=True)))
    with pytest.raises(ValueError, match="keys that are text or integers"):
        checkpoint.save(tmp_path / "c")


def test_containers_of_kinds_of_ones_own(tmp_path):
    class OwnList(list):
        pass

    path = tf.train.Checkpoint(x=OwnList(ones(2)), y=defaultdict(list, a=ones(1))).save(tmp_path / "c")
    checkpoint = tf.train.Checkpoint(x=OwnList([tf.Variable(0.0)]), y=defaultdict(list))
    checkpoint.restore(path).expect_partial()
    assert values(checkpoint.x) == [1.0]
    assert type(checkpoint.x) is OwnList
    assert checkpoint.y["new"] == []  # it has its factory still


def test_an_ordered_dict_stays_one(tmp_path):
    path = tf.train.Checkpoint(x=dict(zip("abc", ones(3), strict=True))).save(tmp_path / "c")
    checkpoint = tf.train.Checkpoint(x=OrderedDict())
    status = checkpoint.restore(path)
    checkpoint.x.update((key, tf.Variable(0.0)) for key in "bca")
    checkpoint.x.move_to_end("b")
    assert isinstance(checkpoint.x, OrderedDict)
    assert [(key, float(v)) for key, v in checkpoint.x.items()] == [("c", 3.0), ("a", 1.0), ("b", 2.0)]
    status.assert_consumed()


def test_an_attribute_set_to_none_is_not_saved(tmp_path):
    module = tf.Module()
    module.v, module.w = ones(2)
    module.w = None
    w = tf.Variable(0.0)
    tf.train.Checkpoint(w=w).restore(tf.train.Checkpoint(module).save(tmp_path / "c")).expect_partial()
    assert float(w) == 0.0


def test_two_objects_for_one_are_warned_of_at_once(tmp_path, caplog):
    (v,) = ones(1)
    path = tf.train.Checkpoint(a=v, b=v).save(tmp_path / "c")
    tf.train.Checkpoint(a=tf.Variable(0.0), b=tf.Variable(0.0)).restore(path)
    assert "Inconsistent references" in caplog.text


@pytest.mark.parametrize("wrong", [np.zeros(3, np.float32), np.zeros(2, np.float64)], ids=["shape", "dtype"])
def test_a_restore_that_fails_changes_nothing(wrong, tmp_path):
    iterator = iter(tf.data.Dataset.range(5))
    path = tf.train.Checkpoint(a=tf.Variable(1.0), b=tf.Variable(tf.zeros([2])), i=iterator).save(tmp_path / "c")
    next(iterator)
    a = tf.Variable(5.0)
    checkpoint = tf.train.Checkpoint(a=a, b=tf.Variable(wrong), i=iterator)
    with pytest.raises(ValueError, match="b'"):
        checkpoint.restore(path)
    assert float(a) == 5.0
    assert int(next(iterator)) == 1


def test_a_restore_that_fails_in_a_part_beside_the_root_changes_nothing(tmp_path):
    root = tf.Module()
    root.v = tf.Variable(1.0)
    path = tf.train.Checkpoint(root, beside=tf.Variable([1.0])).save(tmp_path / "c")
    root.v.assign(5.0)
    checkpoint = tf.train.Checkpoint(root, beside=tf.Variable([1.0, 2.0]))
    with pytest.raises(ValueError, match="'beside'"):
        checkpoint.restore(path)
    assert float(root.v) == 5.0


def test_a_restore_that_fails_leaves_earlier_ones_and_nothing_to_come(tmp_path):
    good = tf.train.Checkpoint(a=tf.Variable(1.0), later=tf.Variable(2.0)).save(tmp_path / "good")
    bad = tf.train.Checkpoint(a=tf.Variable([0.0]), later=tf.Variable(3.0), new=tf.Variable(4.0)).save(tmp_path / "bad")
    checkpoint = tf.train.Checkpoint(a=tf.Variable(0.0))
    status = checkpoint.restore(good)
    with pytest.raises(ValueError, match="'a'"):
        checkpoint.restore(bad)
    checkpoint.later = tf.Variable(0.0)
    assert values([checkpoint.a, checkpoint.later]) == [1.0, 2.0]
    status.assert_consumed()
    checkpoint.new = tf.Variable(0.0)
    assert float(checkpoint.new) == 0.0


def test_a_state_is_given_to_objects_of_its_kind_only(tmp_path):
    iterator, generator = iter(tf.data.Dataset.range(5)), tf.random.Generator.from_seed(1)
    path = tf.train.Checkpoint(x=iterator, v=tf.Variable(1.0)).save(tmp_path / "c")
    v, state = tf.Variable(0.0), generator.state.numpy()
    status = tf.train.Checkpoint(x=generator, v=v).restore(path)
    assert float(v) == 1.0
    assert np.array_equal(generator.state.numpy(), state)
    with pytest.raises(AssertionError, match="x has a value"):
        status.assert_consumed()
    status.expect_partial()


def test_an_iterator_restored_in_place_repeats_its_later_passes(tmp_path):
    iterator = iter(tf.data.Dataset.range(6).shuffle(6, seed=5).repeat(4))
    for _ in range(8):
        next(iterator)
    checkpoint = tf.train.Checkpoint(iterator=iterator)
    path = checkpoint.save(tmp_path / "c")
    expected = [int(x) for x in iterator]
    checkpoint.restore(path)
    assert [int(x) for x in iterator] == expected
    assert expected[-6:] != expected[-12:-6]


# --- what the guide promises, and Keras 3 does not keep --------------------------------------------------------------


def test_metrics(tmp_path):
    metric = tf.keras.metrics.Mean()
    metric.update_state([0.0, 5.0])
    path = tf.train.Checkpoint(metric=metric).save(tmp_path / "c")
    metric.update_state([8.0, 9.0])
    assert float(metric.result()) == 5.5
    again = tf.keras.metrics.Mean()
    tf.train.Checkpoint(metric=again).restore(path).assert_consumed()
    assert float(again.result()) == 2.5
    again.update_state([8.0, 9.0])
    assert float(again.result()) == 5.5


class Branches(tf.keras.Model):
    """Layers in a list and in a dict, and a variable."""

    def __init__(self):
        super().__init__()
        self.several = [tf.keras.layers.Dense(3), tf.keras.layers.Dense(2)]
        self.named = {"last": tf.keras.layers.Dense(1)}
        self.scale = tf.Variable(1.0)

    def call(self, x):
        for layer in self.several:
            x = layer(x)
        return self.named["last"](x) * self.scale


@pytest.mark.parametrize("built", [True, False])
def test_layers_in_lists_and_dicts_of_models(built, tmp_path):
    x = tf.constant([[1.0, 2.0]])
    first, second = Branches(), Branches()
    first.scale.assign(3.0)
    expected = first(x).numpy()
    path = tf.train.Checkpoint(model=first).save(tmp_path / "c")
    if built:
        second(x)
    status = tf.train.Checkpoint(model=second).restore(path)
    assert np.array_equal(second(x).numpy(), expected)
    status.assert_consumed()


def test_the_guide_on_delayed_restorations(tmp_path):
    model = Branches()
    model(tf.ones([1, 2]))
    last = model.named["last"]
    last.set_weights([np.array([[4.0], [5.0]], np.float32), np.array([6.0], np.float32)])
    path = tf.train.Checkpoint(net=model, optimizer=tf.keras.optimizers.Adam()).save(tmp_path / "c")
    bias, kernel = tf.Variable(tf.zeros([1])), tf.Variable(tf.zeros([2, 1]))
    layer = tf.train.Checkpoint(bias=bias)
    root = tf.train.Checkpoint(net=tf.train.Checkpoint(named={"last": layer}))
    status = root.restore(path).assert_existing_objects_matched()
    with pytest.raises(AssertionError):
        status.assert_consumed()
    assert bias.numpy().tolist() == [6.0]
    layer.kernel = kernel
    assert kernel.numpy().tolist() == [[4.0], [5.0]]
    status.expect_partial()


def test_dropout_goes_on_with_its_random_numbers(tmp_path):
    x = tf.ones([4, 50])
    layer, other = tf.keras.layers.Dropout(0.5, seed=3), tf.keras.layers.Dropout(0.5, seed=3)
    layer(x, training=True)
    path = tf.train.Checkpoint(layer=layer).save(tmp_path / "c")
    expected = layer(x, training=True).numpy()
    tf.train.Checkpoint(layer=other).restore(path).assert_consumed()
    assert np.array_equal(other(x, training=True).numpy(), expected)


def test_a_status_that_is_dropped_warns_once(tmp_path, caplog):
    path = tf.train.Checkpoint(v=tf.Variable(1.0), metric=tf.keras.metrics.Mean()).save(tmp_path / "c")
    tf.train.Checkpoint(v=tf.Variable(0.0)).restore(path)
    gc.collect()
    assert caplog.text.count("expect_partial") == 1
    assert "(root).metric.total" in caplog.text
