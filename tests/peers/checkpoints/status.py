"""The status of a restore: its assertions, its warning, and the errors of a restore that cannot be."""

import gc

import numpy as np

from tests.peers.checkpoints.programs import (
    INCONSISTENT,
    UNRESTORED,
    about,
    claims,
    program,
    raised,
    remarks,
    saved,
    stray,
    values,
)


@program
def everything_matches(tf, folder):
    path = saved(tf, folder, v=tf.Variable(1.0))
    status = tf.train.Checkpoint(v=tf.Variable(0.0)).restore(path)
    chained = [
        status.assert_consumed() is status,
        status.assert_existing_objects_matched() is status,
        status.assert_nontrivial_match() is status,
        status.expect_partial() is status,
    ]
    return {"claims": claims(status), "chained": chained}


@program
def parts_of_the_checkpoint_are_missing(tf, folder):
    path = saved(tf, folder, v=tf.Variable(1.0), w=tf.Variable(2.0))
    status = tf.train.Checkpoint(v=tf.Variable(0.0)).restore(path)
    error = raised(status.assert_consumed)
    return {"claims": claims(status), "error": error, "expected": claims(status.expect_partial())}


@program
def parts_of_the_program_are_new(tf, folder):
    path = saved(tf, folder, v=tf.Variable(1.0))
    v, w = tf.Variable(0.0), tf.Variable(-1.0)
    status = tf.train.Checkpoint(v=v, w=w).restore(path)
    return {"claims": claims(status), "values": values(v, w), "error": raised(status.assert_existing_objects_matched)}


@program
def nothing_matches(tf, folder):
    path = saved(tf, folder, v=tf.Variable(1.0))
    with_counter = tf.train.Checkpoint(w=tf.Variable(0.0)).restore(path)
    written = tf.train.Checkpoint(v=tf.Variable(1.0)).write(str(folder / "written"))
    without = tf.train.Checkpoint(w=tf.Variable(0.0)).read(written)
    nothing = tf.train.Checkpoint().read(written)
    return {"claims": [claims(with_counter), claims(without), claims(nothing)]}


@program
def objects_made_after_the_restore_count(tf, folder):
    path = saved(tf, folder, v=tf.Variable(1.0))
    checkpoint = tf.train.Checkpoint(v=tf.Variable(0.0))
    status = checkpoint.restore(path)
    first = claims(status)
    checkpoint.w = tf.Variable(0.0)
    return {"first": first, "then": claims(status)}


@program
def a_module_where_a_variable_was(tf, folder):
    path = saved(tf, folder, v=tf.Variable(1.0), w=tf.Variable(2.0))
    w = tf.Variable(0.0)
    status = tf.train.Checkpoint(v=tf.Module(), w=w).restore(path)
    return {"claims": claims(status), "value": values(w)}


@program
def a_variable_where_a_module_was(tf, folder):
    module = tf.Module()
    module.inner = tf.Variable(1.0)
    path = saved(tf, folder, x=module, w=tf.Variable(2.0))
    x, w = tf.Variable(-1.0), tf.Variable(0.0)
    status = tf.train.Checkpoint(x=x, w=w).restore(path)
    return {"claims": claims(status), "values": values(x, w)}


@program
def the_status_outlives_the_checkpoint(tf, folder):
    v = tf.Variable(0.0)
    checkpoint = tf.train.Checkpoint(v=v)
    status = checkpoint.restore(checkpoint.save(str(folder / "c")))
    del checkpoint
    gc.collect()
    return {"claims": claims(status)}


@program
def restoring_nothing(tf, folder):
    v = tf.Variable(1.0)
    checkpoint = tf.train.Checkpoint(v=v)
    status = checkpoint.restore(None)
    found = {"claims": claims(status), "error": raised(status.assert_consumed), "value": values(v)}
    found["partial"] = status.expect_partial() is status
    found["latest"] = claims(checkpoint.restore(tf.train.latest_checkpoint(str(folder))))
    return found | {"counter": values(checkpoint.save_counter), "read": claims(checkpoint.read(None))}


@program
def paths_that_are_not_there(tf, folder):
    v = tf.Variable(1.0)
    checkpoint = tf.train.Checkpoint(v=v)
    path = checkpoint.save(str(folder / "c"))
    v.assign(2.0)
    there = (str(folder / "other-1"), str(folder / "c"), path + "1", str(folder / "no" / "where-1"))
    return {
        "restore": [raised(checkpoint.restore, each) for each in there],
        "read": [raised(checkpoint.read, each) for each in there],
        "values": values(v, checkpoint.save_counter),
    }


@program
def another_shape(tf, folder):
    path = saved(tf, folder, v=tf.Variable([1.0, 1.0]))
    made = {
        "shorter": tf.zeros([1]),
        "longer": tf.zeros([3]),
        "scalar": tf.zeros([]),
        "row": tf.zeros([1, 2]),
        "empty": tf.zeros([0]),
    }
    found = {}
    for name, value in made.items():
        v = tf.Variable(value)
        found[name] = [raised(tf.train.Checkpoint(v=v).restore, path), values(v)]
    return found


@program
def another_shape_later(tf, folder):
    checkpoint = tf.train.Checkpoint()
    checkpoint.restore(saved(tf, folder, v=tf.Variable([1.0, 1.0])))
    return {"error": raised(setattr, checkpoint, "v", tf.Variable([0.0]))}


@program
def a_shape_that_is_not_fixed(tf, folder):
    path = saved(tf, folder, v=tf.Variable([1.0, 2.0, 3.0]))
    v = tf.Variable([0.0], shape=tf.TensorShape([None]))
    error = raised(tf.train.Checkpoint(v=v).restore, path)
    return {"error": error, "value": values(v)}


@program
def another_dtype(tf, folder):
    path = saved(tf, folder, v=tf.Variable([1.0, 2.0]))
    found = {}
    for name in ("float64", "float16", "int32", "complex64", "bool"):
        v = tf.Variable(tf.zeros([2], getattr(tf, name)))
        error = raised(tf.train.Checkpoint(v=v).restore, path)
        found[name] = [error is None, v.numpy().real.astype(np.float64).tolist()]
    return found


@program
def the_warning_for_values_not_restored(tf, folder):
    path = saved(tf, folder, v=tf.Variable(1.0), w=tf.Variable(2.0))
    module = tf.Module()
    both = lambda: tf.train.Checkpoint(v=tf.Variable(0.0), w=tf.Variable(0.0))
    part = lambda: tf.train.Checkpoint(v=tf.Variable(0.0))
    return {
        "all": stray(tf, folder, path, both),
        "part": stray(tf, folder, path, part),
        "part, expected": stray(tf, folder, path, part, partial=True),
        "nothing": stray(tf, folder, path, tf.train.Checkpoint),
        "no value": stray(tf, folder, path, lambda: tf.train.Checkpoint(v=tf.Module(), w=tf.Variable(0.0))),
        "new": stray(tf, folder, path, lambda: tf.train.Checkpoint(v=module, w=module, x=tf.Variable(0.0))),
    }


@program
def the_warning_names_the_values(tf, folder):
    top = tf.Module()
    top.inner, top.listed = tf.Module(), [tf.Variable(1.0), tf.Variable(2.0)]
    top.inner.missing = tf.Variable(3.0)
    path = saved(tf, folder, top=top)
    with remarks() as found:
        other = tf.Module()
        other.listed = [tf.Variable(0.0)]
        tf.train.Checkpoint(top=other).restore(path)
        del other
    names = ("(root).top.inner.missing", "(root).top.listed.1", "(root).top.listed.0", "(root).save_counter")
    return {"warned": about(found, UNRESTORED), "names": [about(found, name) for name in names]}


@program
def no_warning_while_values_may_come(tf, folder):
    path = saved(tf, folder, v=tf.Variable(1.0), w=tf.Variable(2.0))
    checkpoint = tf.train.Checkpoint(v=tf.Variable(0.0))
    with remarks() as first:
        checkpoint.restore(path)
    with remarks() as second:
        checkpoint.w = tf.Variable(0.0)
    with remarks() as third:
        del checkpoint
    return {"restored": about(first, UNRESTORED), "later": [about(x, UNRESTORED) for x in (second, third)]}


@program
def no_warning_when_the_status_is_kept(tf, folder):
    path = saved(tf, folder, v=tf.Variable(1.0), w=tf.Variable(2.0))
    with remarks() as found:
        status = tf.train.Checkpoint(v=tf.Variable(0.0)).restore(path)
    with remarks() as last:
        del status
    return {"kept": about(found, UNRESTORED), "dropped": about(last, UNRESTORED)}


@program
def the_warning_of_inconsistent_references(tf, folder):
    common = tf.Variable(7.0)
    path = saved(tf, folder, a=common, b=common)
    checkpoint = tf.train.Checkpoint()
    checkpoint.restore(path)
    with remarks() as later:
        checkpoint.a = tf.Variable(0.0)
        checkpoint.b = b = tf.Variable(0.0)
    return {"warned": about(later, INCONSISTENT), "value": values(b)}


@program
def read_and_restore_of_what_was_written(tf, folder):
    v = tf.Variable(1.0)
    first = tf.train.Checkpoint(v=v)
    path = first.write(str(folder / "written"))
    v.assign(2.0)
    read = claims(first.read(path))
    other = tf.train.Checkpoint(v=tf.Variable(0.0))
    restored = other.restore(path)
    return {
        "read": [read, values(v)],
        "restored": [claims(restored), values(other.v, other.save_counter)],
        "read again": claims(other.read(path)),
    }


@program
def read_of_what_was_saved(tf, folder):
    path = saved(tf, folder, v=tf.Variable(1.0))
    checkpoint = tf.train.Checkpoint(v=tf.Variable(0.0))
    status = checkpoint.read(path)
    found = {"read": claims(status), "value": values(checkpoint.v)}
    return found | {"counter": values(checkpoint.save_counter), "then": claims(status)}
