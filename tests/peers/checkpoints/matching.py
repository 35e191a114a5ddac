"""Objects are matched by the named edges from the root: attributes, shared objects, loops, roots and keywords."""

import copy
import weakref

import numpy as np

from tests.peers.checkpoints.programs import INCONSISTENT, about, claims, program, raised, remarks, saved, values


def chain(tf, depth, value):
    """Modules in one another; the last has the variable."""
    top = module = tf.Module()
    for _ in range(depth):
        module.inner = tf.Module()
        module = module.inner
    module.v = tf.Variable(value)
    return top, module.v


@program
def variables_by_keyword(tf, folder):
    a, b = tf.Variable([1.0, 2.0]), tf.Variable([[3]])
    checkpoint = tf.train.Checkpoint(a=a, b=b)
    path = checkpoint.save(str(folder / "c"))
    a.assign([8.0, 9.0])
    b.assign([[7]])
    status = checkpoint.restore(path)
    return {"values": values(a, b), "claims": claims(status), "attributes": [checkpoint.a is a, checkpoint.b is b]}


@program
def an_older_save_is_not_changed_by_a_newer(tf, folder):
    v = tf.Variable(1.0)
    checkpoint = tf.train.Checkpoint(v=v)
    paths = [checkpoint.save(str(folder / "c"))]
    v.assign(2.0)
    paths.append(checkpoint.save(str(folder / "c")))
    v.assign(3.0)
    found = []
    for path in [*paths, *paths[::-1]]:
        checkpoint.restore(path)
        found += values(v, checkpoint.save_counter)
    return {"found": found}


@program
def names_of_variables_do_not_count(tf, folder):
    path = saved(tf, folder, x=tf.Variable(1.0, name="one"), y=tf.Variable(2.0, name="two"))
    x, y = tf.Variable(0.0, name="two"), tf.Variable(0.0, name="one")
    status = tf.train.Checkpoint(x=x, y=y).restore(path)
    return {"values": values(x, y), "claims": claims(status)}


@program
def equal_names_of_variables(tf, folder):
    path = saved(tf, folder, x=tf.Variable(1.0, name="same"), y=tf.Variable(2.0, name="same"))
    x, y = tf.Variable(0.0, name="same"), tf.Variable(0.0, name="same")
    tf.train.Checkpoint(x=x, y=y).restore(path)
    return {"values": values(x, y)}


@program
def renamed_attribute(tf, folder):
    path = saved(tf, folder, old=tf.Variable(1.0), kept=tf.Variable(2.0))
    new, kept = tf.Variable(-1.0), tf.Variable(-2.0)
    status = tf.train.Checkpoint(new=new, kept=kept).restore(path)
    found = claims(status)
    return {"values": values(new, kept), "claims": found}


@program
def nested_modules(tf, folder):
    top, _ = chain(tf, 4, 5.0)
    path = saved(tf, folder, top=top)
    found = []
    for depth in (4, 3, 5):
        other, v = chain(tf, depth, 0.0)
        status = tf.train.Checkpoint(top=other).restore(path)
        found.append([values(v), claims(status)])
    return {"found": found}


@program
def module_as_root(tf, folder):
    top, _ = chain(tf, 1, 5.0)
    top.w = tf.Variable(6.0)
    path = saved(tf, folder, top)
    w, v = tf.Variable(0.0), tf.Variable(0.0)
    status = tf.train.Checkpoint(w=w, inner=tf.train.Checkpoint(v=v)).restore(path)
    again, last = chain(tf, 1, 0.0)
    again.w = tf.Variable(0.0)
    second = tf.train.Checkpoint(again).restore(path)
    return {"values": values(w, v, again.w, last), "claims": [claims(status), claims(second)]}


@program
def keywords_saved_module_restored(tf, folder):
    path = saved(tf, folder, a=tf.Variable(1.0), b=tf.Variable(2.0))
    module = tf.Module()
    module.a, module.b = tf.Variable(0.0), tf.Variable(0.0)
    status = tf.train.Checkpoint(module).restore(path)
    return {"values": values(module.a, module.b), "claims": claims(status)}


@program
def root_and_keywords(tf, folder):
    root = tf.Module()
    root.v = tf.Variable(3.0)
    separate = tf.Variable(5.0)
    path = saved(tf, folder, root, separate=separate)
    other = tf.Module()
    other.v, beside = tf.Variable(0.0), tf.Variable(0.0)
    checkpoint = tf.train.Checkpoint(other, separate=beside)
    found = {"same": claims(checkpoint.restore(path)), "values": values(other.v, beside, checkpoint.save_counter)}
    swapped, v = tf.Module(), tf.Variable(0.0)
    swapped.separate = tf.Variable(0.0)
    checkpoint = tf.train.Checkpoint(swapped, v=v)
    found |= {"swapped": claims(checkpoint.restore(path)), "exchanged": values(v, swapped.separate)}
    v, beside = tf.Variable(0.0), tf.Variable(0.0)
    checkpoint = tf.train.Checkpoint(v=v, separate=beside)
    found |= {"rootless": claims(checkpoint.restore(path)), "plain": values(v, beside, checkpoint.save_counter)}
    return found


@program
def root_and_keywords_that_are_partly_there(tf, folder):
    root, other = tf.Module(), tf.Module()
    root.v, other.w = tf.Variable(1), tf.Variable(4)
    w, y, v, z = (tf.Variable(n) for n in (2, 3, 5, 6))
    first, second = tf.train.Checkpoint(root=root, w=w, y=y), tf.train.Checkpoint(root=other, v=v, z=z)
    paths = first.save(str(folder / "first")), second.save(str(folder / "second"))
    first.restore(paths[1])
    second.restore(paths[0])
    return {"first": values(root.v, w, y), "second": values(other.w, v, z)}


@program
def keyword_that_root_has_already(tf, folder):
    root = tf.Module()
    root.v = tf.Variable(1.0)
    return {
        "another": raised(tf.train.Checkpoint, root, v=tf.Variable(2.0)),
        "the same": raised(tf.train.Checkpoint, root, v=root.v),
    }


@program
def roots_and_parts_that_cannot_be_tracked(tf, folder):
    bad = (1, 2.5, "text", tf.constant(1.0), np.zeros(2), lambda: 1, object(), (1, 2), {1, 2}, b"x", None)
    return {
        "parts": [raised(tf.train.Checkpoint, x=x) for x in bad],
        "roots": [raised(tf.train.Checkpoint, x) for x in (1, "text", object(), [tf.Variable(1.0)])],
    }


@program
def root_held_weakly(tf, folder):
    root = tf.Module()
    root.v = tf.Variable(1)
    checkpoint = tf.train.Checkpoint(root=weakref.ref(root))
    path = checkpoint.save(str(folder / "c"))
    root.v.assign(2)
    checkpoint.restore(path)
    return {"value": values(root.v)}


@program
def shared_variable(tf, folder):
    v = tf.Variable(4.0)
    path = saved(tf, folder, a=v, b=v)
    shared = tf.Variable(0.0)
    status = tf.train.Checkpoint(a=shared, b=shared).restore(path)
    found = {"shared": [values(shared), claims(status)]}
    for edge in ("a", "b"):
        alone = tf.Variable(0.0)
        status = tf.train.Checkpoint(**{edge: alone}).restore(path)
        found[edge] = [values(alone), claims(status)]
    return found


@program
def shared_module_by_one_of_its_paths(tf, folder):
    common, _ = chain(tf, 0, 7.0)
    left, right = tf.Module(), tf.Module()
    left.common = right.common = common
    path = saved(tf, folder, left=left, right=right)
    other, v = chain(tf, 0, 0.0)
    right = tf.Module()
    right.common = other
    return {"value": values(v) if tf.train.Checkpoint(right=right).restore(path) else None, "after": values(v)}


@program
def one_saved_object_for_two(tf, folder):
    common = tf.Variable(7.0)
    path = saved(tf, folder, a=common, b=common)
    a, b = tf.Variable(-1.0), tf.Variable(-2.0)
    status = tf.train.Checkpoint(a=a, b=b).restore(path)
    return {"values": values(a, b), "claims": claims(status)}


@program
def one_saved_module_for_two_made_later(tf, folder):
    one, two, common = tf.Module(), tf.Module(), tf.Module()
    one.common = two.common = common
    common.v = tf.Variable(7.0)
    path = saved(tf, folder, one=one, two=two)
    checkpoint = tf.train.Checkpoint()
    with remarks() as found:
        status = checkpoint.restore(path)
        checkpoint.one, checkpoint.two = tf.Module(), tf.Module()
        checkpoint.one.common, checkpoint.two.common = tf.Module(), tf.Module()
        checkpoint.one.common.v = tf.Variable(-1.0)
        checkpoint.two.common.v = tf.Variable(-2.0)
        asserted = claims(status)
    return {
        "values": values(checkpoint.one.common.v, checkpoint.two.common.v),
        "claims": asserted,
        "warned": about(found, INCONSISTENT),
    }


@program
def two_saved_objects_for_one(tf, folder):
    one, two = tf.Module(), tf.Module()
    one.v, two.w = tf.Variable(32.0), tf.Variable(64.0)
    path = saved(tf, folder, one=one, two=two)
    both = tf.Module()
    both.v, both.w = tf.Variable(0.0), tf.Variable(0.0)
    status = tf.train.Checkpoint(one=both, two=both).restore(path)
    return {"values": values(both.v, both.w), "claims": claims(status)}


@program
def two_saved_variables_for_one(tf, folder):
    path = saved(tf, folder, a=tf.Variable(1.0), b=tf.Variable(2.0))
    v = tf.Variable(0.0)
    with remarks() as found:
        status = tf.train.Checkpoint(a=v, b=v).restore(path)
        asserted = claims(status)
    return {"value": values(v), "claims": asserted, "warned": about(found, INCONSISTENT)}


@program
def loop_of_two(tf, folder):
    first, second = tf.train.Checkpoint(), tf.train.Checkpoint()
    first.second, second.first = second, first
    first.v, second.v = tf.Variable([3.0, 1.0, 4.0]), tf.Variable([1.0, 1.0, 2.0, 3.0])
    path = first.save(str(folder / "c"))
    again, other = tf.train.Checkpoint(), tf.Module()
    status = again.restore(path)
    again.second, other.first = other, again
    before = raised(status.assert_consumed)
    again.v, other.v = tf.Variable(tf.zeros([3])), tf.Variable(tf.zeros([4]))
    found = {"before": before, "claims": claims(status), "later": values(again.v, other.v)}
    again.v.assign([2.0, 7.0, 1.0])
    other.v.assign([2.0, 7.0, 1.0, 8.0])
    return found | {"now": claims(again.restore(path)), "again": values(again.v, other.v)}


@program
def an_object_in_itself(tf, folder):
    module = tf.Module()
    module.itself, module.v = module, tf.Variable(2.0)
    module.several = [module, module.v]
    path = saved(tf, folder, module)
    module.v.assign(0.0)
    status = tf.train.Checkpoint(module).restore(path)
    return {"value": values(module.v), "claims": claims(status)}


@program
def loop_through_containers(tf, folder):
    a, b = tf.Module(), tf.Module()
    a.listed, b.mapped = [b], {"a": a}
    a.v, b.v = tf.Variable(1.0), tf.Variable(2.0)
    path = saved(tf, folder, a=a)
    a.v.assign(0.0)
    b.v.assign(0.0)
    status = tf.train.Checkpoint(a=a).restore(path)
    return {"values": values(a.v, b.v), "claims": claims(status)}


@program
def attribute_given_another_variable(tf, folder):
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    checkpoint.v = tf.Variable(2.0)
    path = checkpoint.save(str(folder / "c"))
    checkpoint.v.assign(0.0)
    status = checkpoint.restore(path)
    checkpoint.v = replaced = tf.Variable(-1.0)
    return {"value": values(replaced), "claims": claims(status)}


@program
def attribute_deleted(tf, folder):
    module = tf.Module()
    module.v, module.w = tf.Variable(1.0), tf.Variable(2.0)
    del module.w
    path = saved(tf, folder, module)
    w = tf.Variable(0.0)
    status = tf.train.Checkpoint(w=w).restore(path)
    asserted = claims(status)
    return {"value": values(w), "claims": asserted}


@program
def attributes_that_hold_no_state(tf, folder):
    module = tf.Module()
    module.number, module.text, module.array, module.tensor = 3, "text", np.ones(2), tf.constant(1.0)
    module.function, module.nothing, module.thing = abs, None, object()
    module.v = tf.Variable(1.0)
    path = saved(tf, folder, module)
    module.v.assign(0.0)
    status = tf.train.Checkpoint(module).restore(path)
    return {"value": values(module.v), "claims": claims(status), "others": [module.number, module.text]}


@program
def names_with_underscores_and_other_letters(tf, folder):
    names = ["_private", "__very", "trailing_", "größe", "a/b", "a.b", ".S", "a b", "0", "x:y"]

    def make(values):
        module = tf.Module()
        for name, value in zip(names, values, strict=True):
            setattr(module, name, tf.Variable(float(value)))
        return module

    path = saved(tf, folder, make(range(len(names))))
    other = make([-1] * len(names))
    status = tf.train.Checkpoint(other).restore(path)
    return {"values": values(*(getattr(other, name) for name in names)), "claims": claims(status)}


@program
def variables_of_the_class(tf, folder):
    class Module(tf.Module):
        shared = tf.Variable(1.0)

    module = Module()
    path = saved(tf, folder, module)
    Module.shared.assign(5.0)
    status = tf.train.Checkpoint(module).restore(path)
    return {"value": values(Module.shared), "nontrivial": raised(status.assert_nontrivial_match)}


@program
def subclass_of_checkpoint(tf, folder):
    class Training(tf.train.Checkpoint):
        def __init__(self, value):
            super().__init__()
            self.v = tf.Variable(value)
            self.several = [tf.Variable(value + 1)]

    first, second = Training(3.0), Training(0.0)
    status = second.restore(first.save(str(folder / "c")))
    return {"values": values(second.v, second.several[0], second.save_counter), "claims": claims(status)}


@program
def checkpoint_in_a_checkpoint(tf, folder):
    inner = tf.train.Checkpoint(v=tf.Variable(1.0))
    outer = tf.train.Checkpoint(inner=inner)
    inner.save(str(folder / "inner"))
    inner.save(str(folder / "inner"))
    path = outer.save(str(folder / "outer"))
    other = tf.train.Checkpoint(v=tf.Variable(0.0))
    around = tf.train.Checkpoint(inner=other)
    status = around.restore(path)
    found = {"claims": [raised(status.assert_consumed), raised(status.assert_existing_objects_matched)]}
    found["counters"] = values(other.save_counter, around.save_counter)
    return found | {"value": values(other.v), "after": claims(status)}


@program
def part_of_a_larger_one(tf, folder):
    net = tf.Module()
    net.first, net.second = tf.Module(), tf.Module()
    net.first.kernel, net.first.bias = tf.Variable(tf.ones([2, 3])), tf.Variable([1.0, 2.0, 3.0])
    net.second.kernel = tf.Variable(tf.ones([3, 1]))
    path = saved(tf, folder, net=net, step=tf.Variable(9, dtype=tf.int64))
    bias = tf.Variable(tf.zeros([3]))
    layer = tf.train.Checkpoint(bias=bias)
    root = tf.train.Checkpoint(net=tf.train.Checkpoint(first=layer))
    status = root.restore(path)
    found = {"bias": values(bias), "claims": claims(status)}
    later = tf.Variable(tf.zeros([2, 3]))
    before = values(later)
    layer.kernel = later
    found |= {"before": before, "after": values(later)}
    return found


@program
def copies(tf, folder):
    v = tf.Variable(1.0)
    original = tf.train.Checkpoint(v=v)
    copied = copy.deepcopy(original)
    copied.v.assign(2.0)
    before = values(v)
    original.restore(copied.save(str(folder / "c"))).assert_consumed()
    return {"before": before, "after": values(v)}


@program
def nothing_in_it(tf, folder):
    checkpoint = tf.train.Checkpoint()
    path = checkpoint.save(str(folder / "c"))
    other = tf.train.Checkpoint()
    status = other.restore(path)
    return {"claims": claims(status), "counter": values(other.save_counter)}
