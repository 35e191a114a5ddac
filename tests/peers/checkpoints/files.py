"""Where checkpoints go: paths, numbers, the latest, folders that move, and what is in one."""

import contextlib
import os
import shutil

import numpy as np

from tests.peers.checkpoints.programs import base, claims, here, program, raised, saved, values

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


@contextlib.contextmanager
def inside(folder):
    """The folder is the working directory of the block."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def remove(path):
    """Delete a checkpoint's files, whatever they are called."""
    folder, name = os.path.split(path)
    for file in os.listdir(folder):
        if file.startswith(name + "."):
            os.unlink(os.path.join(folder, file))


@program
def saves_are_numbered(tf, folder):
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    found = []
    for _ in range(3):
        path = checkpoint.save(str(folder / "c"))
        found.append([base(path), isinstance(path, str), values(checkpoint.save_counter)])
    return {"found": found, "latest": base(tf.train.latest_checkpoint(str(folder)))}


@program
def the_counter_is_a_variable(tf, folder):
    checkpoint = tf.train.Checkpoint()
    counter = checkpoint.save_counter
    found = {"first": values(counter), "dtype": counter.dtype.name, "trainable": counter.trainable}
    checkpoint.save_counter.assign(10)
    return found | {"path": base(checkpoint.save(str(folder / "c"))), "then": values(counter)}


@program
def the_counter_goes_on_after_a_restore(tf, folder):
    first = tf.train.Checkpoint(v=tf.Variable(1.0))
    for _ in range(4):
        path = first.save(str(folder / "c"))
    second = tf.train.Checkpoint(v=tf.Variable(0.0))
    second.restore(path)
    third = tf.train.Checkpoint(v=tf.Variable(0.0))
    return {
        "restored": [values(second.save_counter), base(second.save(str(folder / "c")))],
        "not restored": base(third.save(str(folder / "c"))),
    }


@program
def prefixes(tf, folder):
    made = ("plain", "a/b/c", "./dot", "ends/", "my.model", "with space", "größe", "number-7", "x/../y")
    with inside(folder):
        found = {}
        for prefix in made:
            v = tf.Variable(1.0)
            path = tf.train.Checkpoint(v=v).save(prefix)
            v.assign(0.0)
            tf.train.Checkpoint(v=v).restore(path)
            found[prefix] = [path, values(v), tf.train.latest_checkpoint(os.path.dirname(prefix))]
    return found


@program
def prefixes_as_paths(tf, folder):
    v = tf.Variable(1.0)
    checkpoint = tf.train.Checkpoint(v=v)
    path = checkpoint.save(folder / "c")
    written = checkpoint.write(folder / "w")
    v.assign(0.0)
    checkpoint.restore(folder / "c-1")
    found = values(v)
    v.assign(0.0)
    checkpoint.read(folder / "w")
    return {
        "kinds": [isinstance(path, str), isinstance(written, str)],
        "names": here(folder, [path, written]),
        "values": [found, values(v)],
        "latest": base(tf.train.latest_checkpoint(folder)),
    }


@program
def writes_are_not_numbered(tf, folder):
    v = tf.Variable(1.0)
    checkpoint = tf.train.Checkpoint(v=v)
    first = checkpoint.write(str(folder / "a"))
    latest = tf.train.latest_checkpoint(str(folder))
    v.assign(2.0)
    again = checkpoint.write(str(folder / "a"))
    deep = checkpoint.write(str(folder / "not" / "there" / "b"))
    v.assign(0.0)
    checkpoint.read(str(folder / "a"))
    return {"paths": here(folder, [first, again, deep]), "latest": latest, "value": values(v)}


@program
def written_by_step(tf, folder):
    step = tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(step=step)
    found = []
    for _ in range(3):
        found.append(base(checkpoint.write(f"{folder / 'c'}-{int(step.numpy())}")))
        step.assign_add(2)
    checkpoint.read(str(folder / "c-2"))
    return {"found": found, "step": values(step), "counter": values(checkpoint.save_counter)}


@program
def the_latest(tf, folder):
    found = {"empty": tf.train.latest_checkpoint(str(folder))}
    found["no folder"] = tf.train.latest_checkpoint(str(folder / "none"))
    one, two = tf.train.Checkpoint(v=tf.Variable(1.0)), tf.train.Checkpoint(v=tf.Variable(2.0))
    seen = []
    for checkpoint, name in ((one, "one"), (two, "two"), (one, "one"), (one, "zero")):
        checkpoint.save(str(folder / name))
        seen.append(base(tf.train.latest_checkpoint(str(folder))))
    found |= {"seen": seen, "slash": here(folder, [tf.train.latest_checkpoint(f"{folder}/")])}
    return found | {"whole": tf.train.latest_checkpoint(str(folder)) == str(folder / "zero-3")}


@program
def the_latest_is_deleted(tf, folder):
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    first, second = checkpoint.save(str(folder / "c")), checkpoint.save(str(folder / "c"))
    remove(first)
    found = {"older gone": base(tf.train.latest_checkpoint(str(folder)))}
    remove(second)
    found["latest gone"] = tf.train.latest_checkpoint(str(folder))
    return found | {"restore": raised(checkpoint.restore, second), "next": base(checkpoint.save(str(folder / "c")))}


@program
def the_state_of_a_folder(tf, folder):
    found = {"empty": tf.train.get_checkpoint_state(str(folder)) is None}
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    for _ in range(3):
        checkpoint.save(str(folder / "c"))
    state = tf.train.get_checkpoint_state(folder)
    found["latest"] = here(folder, [state.model_checkpoint_path])
    return found | {"all": here(folder, state.all_model_checkpoint_paths)}


@program
def a_folder_that_moves(tf, folder):
    path = saved(tf, folder / "before", v=tf.Variable(4.0))
    shutil.move(folder / "before", folder / "after")
    latest = tf.train.latest_checkpoint(str(folder / "after"))
    v = tf.Variable(0.0)
    status = tf.train.Checkpoint(v=v).restore(latest)
    return {
        "latest": here(folder, [latest]),
        "value": values(v),
        "claims": claims(status),
        "old": raised(tf.train.Checkpoint(v=v).restore, path),
    }


@program
def a_working_directory_that_changes(tf, folder):
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    with inside(folder / "a"):
        paths = [checkpoint.save("c"), checkpoint.save("c")]
        latest = [tf.train.latest_checkpoint("."), tf.train.latest_checkpoint("")]
    with inside(folder / "b"):
        paths.append(checkpoint.save("./d/c"))
        latest += [tf.train.latest_checkpoint("d"), tf.train.latest_checkpoint("../a")]
    return {"paths": paths, "latest": latest, "found": len(os.listdir(folder / "b" / "d")) > 1}


@program
def a_save_over_another(tf, folder):
    small, large = tf.Variable(tf.ones([2])), tf.Variable(tf.ones([300]))
    path = saved(tf, folder, v=large, w=large)
    again = saved(tf, folder, v=small)
    small.assign([0.0, 0.0])
    status = tf.train.Checkpoint(v=small).restore(path)
    return {"same": path == again, "value": values(small), "claims": claims(status)}


@program
def what_is_in_a_checkpoint(tf, folder):
    top = tf.Module()
    top.listed, top.mapped = [tf.Variable([1, 2])], {"k": tf.Variable(tf.ones([2, 0]))}
    path = saved(tf, folder, top=top, v=tf.Variable(1.5, dtype=tf.float64))
    listed = {name.removesuffix(VALUE): list(shape) for name, shape in tf.train.list_variables(path)}
    listed.pop("_CHECKPOINTABLE_OBJECT_GRAPH", None)
    return {
        "names": sorted(listed),
        "shapes": [listed[name] for name in sorted(listed)],
        "latest": [list(each) for each in tf.train.list_variables(str(folder))]
        == [list(each) for each in tf.train.list_variables(path)],
        "nowhere": raised(tf.train.list_variables, str(folder / "none")),
    }


@program
def reading_single_values(tf, folder):
    path = saved(tf, folder, v=tf.Variable([1.5, 2.5]), x=[tf.Variable(7, dtype=tf.int64)])
    reader = tf.train.load_checkpoint(path)
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    return {
        "values": [tf.train.load_variable(path, "v" + VALUE), reader.get_tensor("x/0" + VALUE)],
        "has": [reader.has_tensor("v" + VALUE), reader.has_tensor("w" + VALUE)],
        "shapes": [list(shapes["v" + VALUE]), list(shapes["x/0" + VALUE])],
        "dtypes": [dtypes["v" + VALUE].name, dtypes["x/0" + VALUE].name],
        "by folder": np.asarray(tf.train.load_variable(str(folder), "v" + VALUE)),
        "missing": raised(tf.train.load_variable, path, "w" + VALUE) is not None,
        "nowhere": raised(tf.train.load_checkpoint, str(folder / "none")),
    }


@program
def iterating_over_checkpoints(tf, folder):
    saved(tf, folder, v=tf.Variable(1.0))
    return {"found": [base(path) for path in tf.train.checkpoints_iterator(str(folder), timeout=0)]}


@program
def callbacks_of_a_write(tf, folder):
    called = []
    options = tf.train.CheckpointOptions(experimental_write_callbacks=[called.append, lambda: called.append("none")])
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    checkpoint.save(str(folder / "c"), options=options)
    checkpoint.write(str(folder / "w"), options=options)
    return {"called": [base(each) for each in called], "kept": len(options.experimental_write_callbacks)}


@program
def saving_in_the_background(tf, folder):
    v = tf.Variable(1.0)
    checkpoint = tf.train.Checkpoint(v=v)
    options = tf.train.CheckpointOptions(enable_async=True)
    path = checkpoint.save(str(folder / "c"), options=options)
    v.assign(2.0)
    checkpoint.sync()
    found = {"path": base(path), "latest": base(tf.train.latest_checkpoint(str(folder)))}
    other = tf.Variable(0.0)
    status = tf.train.Checkpoint(v=other).restore(path)
    return found | {"value": values(other), "claims": claims(status)}
