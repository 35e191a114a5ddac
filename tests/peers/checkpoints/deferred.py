"""Values that wait for their objects: restored when these are attached, the last restore first."""

import gc

import numpy as np

from tests.peers.checkpoints.programs import claims, program, raised, saved, values


def later(tf, path, root=None):
    """A checkpoint with nothing in it, restored."""
    checkpoint = tf.train.Checkpoint(*([root] if root is not None else []))
    return checkpoint, checkpoint.restore(path)


@program
def a_variable_attached_later(tf, folder):
    checkpoint, status = later(tf, saved(tf, folder, v=tf.Variable(3.0)))
    v = tf.Variable(0.0)
    found = {"before": [values(v), claims(status)]}
    checkpoint.v = v
    return found | {"after": [values(v), claims(status)], "counter": values(checkpoint.save_counter)}


@program
def assigned_before_it_is_attached(tf, folder):
    checkpoint, _ = later(tf, saved(tf, folder, v=tf.Variable(3.0)))
    v = tf.Variable(0.0)
    v.assign(-2.0)
    checkpoint.v = v
    first = values(v)
    v.assign(5.0)
    checkpoint.v = v
    return {"first": first, "then": values(v)}


@program
def a_waiting_value_is_used_once(tf, folder):
    checkpoint, _ = later(tf, saved(tf, folder, v=tf.Variable(3.0)))
    first, second, third = (tf.Variable(0.0) for _ in range(3))
    checkpoint.v = first
    checkpoint.v = second
    del checkpoint.v
    checkpoint.v = third
    return {"values": values(first, second, third)}


@program
def an_attribute_that_was_there_at_the_restore(tf, folder):
    path = saved(tf, folder, v=tf.Variable(3.0))
    checkpoint = tf.train.Checkpoint(v=tf.Variable(0.0))
    checkpoint.restore(path)
    checkpoint.v = another = tf.Variable(-1.0)
    return {"value": values(another)}


@program
def whole_trees_attached_later(tf, folder):
    def tree(value):
        top = tf.Module()
        top.inner, top.listed = tf.Module(), [tf.Module(), {"k": tf.Variable(value)}]
        top.inner.v, top.listed[0].w = tf.Variable(value + 1), tf.Variable(value + 2)
        return top

    checkpoint, status = later(tf, saved(tf, folder, tree=tree(1.0)))
    checkpoint.tree = made = tree(0.0)
    return {"values": values(made.listed[1]["k"], made.inner.v, made.listed[0].w), "claims": claims(status)}


@program
def trees_built_from_the_top(tf, folder):
    top = tf.Module()
    top.a = tf.Module()
    top.a.b = tf.Module()
    top.a.b.v = tf.Variable(6.0)
    checkpoint, status = later(tf, saved(tf, folder, top=top))
    found = []
    checkpoint.top = tf.Module()
    found.append(claims(status))
    checkpoint.top.a = tf.Module()
    checkpoint.top.a.b = tf.Module()
    found.append(claims(status))
    checkpoint.top.a.b.v = v = tf.Variable(0.0)
    return {"claims": [*found, claims(status)], "value": values(v)}


@program
def variables_made_by_the_first_call(tf, folder):
    class Layer(tf.Module):
        built = False

        def __call__(self, x):
            if not self.built:
                self.w, self.built = tf.Variable(tf.zeros([x.shape[-1], 2])), True
            return x @ self.w

    class Stack(tf.Module):
        def __init__(self):
            super().__init__()
            self.layers = [Layer(), Layer()]

        def __call__(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    x = tf.constant([[1.0, 2.0, 3.0]])
    first, second = Stack(), Stack()
    first(x)
    for i, layer in enumerate(first.layers):
        layer.w.assign(np.arange(np.prod(layer.w.shape), dtype=np.float32).reshape(layer.w.shape) + i)
    path = saved(tf, folder, first)
    checkpoint = tf.train.Checkpoint(second)
    status = checkpoint.restore(path)
    before = [raised(status.assert_consumed), raised(status.assert_existing_objects_matched)]
    return {"before": before, "result": second(x).numpy(), "claims": claims(status)}


@program
def keras_layers_built_by_the_first_call(tf, folder):
    def make():
        return tf.keras.layers.Dense(2, kernel_initializer="ones", bias_initializer="ones")

    x = tf.constant([[1.0, 2.0, 3.0]])
    first, second = make(), make()
    first(x)
    first.set_weights([np.arange(6, dtype=np.float32).reshape(3, 2), np.array([10.0, 20.0], np.float32)])
    path = saved(tf, folder, net=tf.train.Checkpoint(layer=first), other=tf.Variable(1.0))
    checkpoint = tf.train.Checkpoint(net=tf.train.Checkpoint(layer=second))
    status = checkpoint.restore(path)
    before = [raised(status.assert_consumed), raised(status.assert_existing_objects_matched)]
    return {
        "before": before,
        "result": second(x).numpy(),
        "weights": [w.tolist() for w in second.get_weights()],
        "after": [raised(status.assert_consumed), raised(status.assert_existing_objects_matched)],
    }


@program
def keras_layers_in_lists_built_later(tf, folder):
    def make():
        return [tf.keras.layers.Dense(n, kernel_initializer="ones") for n in (3, 1)]

    def run(layers, x):
        for layer in layers:
            x = layer(x)
        return x

    x = tf.constant([[1.0, 2.0]])
    first, second = make(), make()
    run(first, x)
    for layer in first:
        layer.set_weights([np.cos(np.arange(w.size)).reshape(w.shape) for w in layer.get_weights()])
    path = saved(tf, folder, layers=first)
    status = tf.train.Checkpoint(layers=second).restore(path)
    result = run(second, x).numpy()
    return {"same": np.array_equal(result, run(first, x).numpy()), "result": result, "claims": claims(status)}


@program
def lists_appended_later(tf, folder):
    path = saved(tf, folder, x=[tf.Variable(1.0), [tf.Variable(2.0)], {"k": tf.Variable(3.0)}, tf.Variable(4.0)])
    checkpoint, status = later(tf, path)
    a, b, c, d = (tf.Variable(0.0) for _ in range(4))
    checkpoint.x = []
    found = [values(a, b, c, d)]
    checkpoint.x.append(a)
    found.append(values(a, b, c, d))
    checkpoint.x.append([])
    checkpoint.x.append({})
    checkpoint.x[1].append(b)
    checkpoint.x[2]["k"] = c
    found.append(values(a, b, c, d))
    checkpoint.x.extend([d])
    return {"found": [*found, values(a, b, c, d)], "claims": claims(status)}


@program
def dict_entries_added_later(tf, folder):
    path = saved(tf, folder, x={"a": tf.Variable(1.0), "b": tf.Variable(2.0), "c": tf.Variable(3.0)})
    checkpoint = tf.train.Checkpoint(x={"a": tf.Variable(0.0)})
    status = checkpoint.restore(path)
    b, c = tf.Variable(0.0), tf.Variable(0.0)
    checkpoint.x["b"] = b
    first = [values(b, c), claims(status)]
    checkpoint.x.update({"c": c})
    return {"first": first, "then": [values(b, c), claims(status)]}


@program
def two_restores_wait(tf, folder):
    root = tf.train.Checkpoint(v=tf.Variable(12.0))
    first = root.save(str(folder / "first"))
    root.v.assign(13.0)
    second = root.save(str(folder / "second"))
    found = {}
    for name, paths in {"forth": (first, second), "back": (second, first)}.items():
        checkpoint = tf.train.Checkpoint()
        statuses = [checkpoint.restore(path) for path in paths]
        checkpoint.v = v = tf.Variable(0.0)
        found[name] = [values(v), [claims(s) for s in statuses], values(checkpoint.save_counter)]
    return found


@program
def two_roots_restored_share_a_part(tf, folder):
    root = tf.train.Checkpoint(part=tf.Module())
    root.part.v = tf.Variable(12.0)
    first = root.save(str(folder / "first"))
    root.part.v.assign(13.0)
    second = root.save(str(folder / "second"))
    found = {}
    for name, late in {"first, second": False, "second, first": True}.items():
        roots = [tf.train.Checkpoint(), tf.train.Checkpoint()]
        order = [(1, second), (0, first)] if late else [(0, first), (1, second)]
        statuses = {i: roots[i].restore(path) for i, path in order}
        part = tf.Module()
        part.v = tf.Variable(0.0)
        seen = []
        for i in (0, 1):
            roots[i].part = part
            seen.append([values(part.v), claims(statuses[i])])
        found[name] = seen
    return found


@program
def restores_with_different_parts(tf, folder):
    a = saved(tf, folder, name="a", x=tf.Variable(1.0), y=tf.Variable(2.0))
    b = saved(tf, folder, name="b", y=tf.Variable(20.0), z=tf.Variable(30.0))
    found = {}
    for name, paths in {"a, b": (a, b), "b, a": (b, a)}.items():
        checkpoint = tf.train.Checkpoint(x=tf.Variable(0.0), y=tf.Variable(0.0))
        statuses = [checkpoint.restore(path) for path in paths]
        first = values(checkpoint.x, checkpoint.y)
        checkpoint.z = tf.Variable(0.0)
        found[name] = [first, values(checkpoint.z), [claims(s) for s in statuses]]
    return found


@program
def a_later_restore_of_the_part_wins(tf, folder):
    old = saved(tf, folder, name="old", part=tf.train.Checkpoint(v=tf.Variable(1.0)))
    new = saved(tf, folder, name="new", v=tf.Variable(2.0))
    part = tf.train.Checkpoint(v=tf.Variable(0.0))
    around = tf.train.Checkpoint()
    first = around.restore(old)
    second = part.restore(new)
    around.part = part
    return {"value": values(part.v), "claims": [claims(first), claims(second)]}


@program
def assertions_of_an_earlier_restore(tf, folder):
    path = saved(tf, folder, v=tf.Variable(1.0))
    checkpoint = tf.train.Checkpoint(v=tf.Variable(0.0))
    first = checkpoint.restore(path)
    second = checkpoint.restore(path)
    return {"first": claims(first), "second": claims(second)}


@program
def a_part_that_exists_is_attached(tf, folder):
    path = saved(tf, folder, part=tf.train.Checkpoint(v=tf.Variable(5.0), w=tf.Variable(6.0)))
    part = tf.train.Checkpoint(v=tf.Variable(0.0))
    checkpoint, status = later(tf, path)
    checkpoint.part = part
    first = [values(part.v), claims(status)]
    part.w = tf.Variable(0.0)
    return {"first": first, "then": [values(part.v, part.w), claims(status)]}


@program
def attached_to_the_root_object_itself(tf, folder):
    root = tf.Module()
    root.v, root.later = tf.Variable(2.0), tf.Variable(5.0)
    path = saved(tf, folder, root)
    other = tf.Module()
    other.v = tf.Variable(0.0)
    checkpoint, status = later(tf, path, other)
    first = values(other.v)
    other.later = tf.Variable(1.0)
    return {
        "values": [first, values(other.later)],
        "claims": claims(status),
        "counter": values(checkpoint.save_counter),
    }


@program
def the_checkpoint_object_may_be_gone(tf, folder):
    root = tf.Module()
    root.v = tf.Variable(2.0)
    path = saved(tf, folder, root)
    other = tf.Module()
    status = tf.train.Checkpoint(other).restore(path)
    gc.collect()
    other.v = tf.Variable(0.0)
    first = [values(other.v), claims(status)]
    third = tf.Module()
    tf.train.Checkpoint(third).restore(path).expect_partial()
    gc.collect()
    third.v = tf.Variable(0.0)
    return {"status kept": first, "all dropped": values(third.v)}


@program
def files_may_be_gone_before_nothing_waits(tf, folder):
    path = saved(tf, folder, v=tf.Variable(2.0), w=tf.Variable(3.0))
    checkpoint = tf.train.Checkpoint(v=tf.Variable(0.0), w=tf.Variable(0.0))
    status = checkpoint.restore(path)
    for file in folder.iterdir():
        file.unlink()
    return {"values": values(checkpoint.v, checkpoint.w), "claims": claims(status)}


@program
def saving_while_values_wait(tf, folder):
    path = saved(tf, folder, v=tf.Variable(2.0), w=tf.Variable(3.0))
    checkpoint = tf.train.Checkpoint(v=tf.Variable(0.0))
    checkpoint.restore(path)
    again = checkpoint.save(str(folder / "again"))
    v, w = tf.Variable(0.0), tf.Variable(0.0)
    status = tf.train.Checkpoint(v=v, w=w).restore(again)
    checkpoint.w = waited = tf.Variable(0.0)
    return {"values": values(v, w, waited, checkpoint.save_counter), "claims": claims(status)}


@program
def shared_objects_attached_by_turns(tf, folder):
    common = tf.Module()
    common.v = tf.Variable(8.0)
    checkpoint, status = later(tf, saved(tf, folder, a=common, b=common))
    part = tf.Module()
    checkpoint.b = part
    part.v = tf.Variable(0.0)
    first = [values(part.v), claims(status)]
    part.v.assign(1.0)
    checkpoint.a = part
    return {"first": first, "then": [values(part.v), claims(status)]}


@program
def loops_attached_later(tf, folder):
    a, b = tf.Module(), tf.Module()
    a.b, b.a, a.v, b.v = b, a, tf.Variable(1.0), tf.Variable(2.0)
    checkpoint, status = later(tf, saved(tf, folder, a=a))
    c, d = tf.Module(), tf.Module()
    c.b, d.a = d, c
    d.v = tf.Variable(0.0)
    checkpoint.a = c
    first = [values(d.v), claims(status)]
    c.v = tf.Variable(0.0)
    return {"first": first, "then": [values(c.v, d.v), claims(status)]}


@program
def objects_without_values_are_not_waited_for(tf, folder):
    top = tf.Module()
    top.empty, top.v = tf.Module(), tf.Variable(1.0)
    top.empty.inner = tf.Module()
    path = saved(tf, folder, top=top)
    other = tf.Module()
    other.v = tf.Variable(0.0)
    return {"claims": claims(tf.train.Checkpoint(top=other).restore(path)), "value": values(other.v)}
