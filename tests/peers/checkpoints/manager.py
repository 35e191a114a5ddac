"""CheckpointManager: which checkpoints are kept, which are deleted, when one is saved, and what it starts from."""

import contextlib
import os
from unittest import mock

from tests.peers.checkpoints.programs import base, here, program, raised, values


class Clock:
    """The time of `time.time`, set by hand."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@contextlib.contextmanager
def clock(now):
    """The block's `time.time` is a Clock."""
    made = Clock(now)
    with mock.patch("time.time", made):
        yield made


def there(folder, *names):
    """Whether these checkpoints have files."""
    files = os.listdir(folder)
    return [any(file.startswith(name + ".") for file in files) for name in names]


def state(tf, manager, folder, *names):
    """What a manager and the folder say."""
    recorded = tf.train.get_checkpoint_state(str(folder))
    return {
        "managed": [base(path) for path in manager.checkpoints],
        "latest": [base(manager.latest_checkpoint), base(tf.train.latest_checkpoint(str(folder)))],
        "recorded": None if recorded is None else here(folder, recorded.all_model_checkpoint_paths),
        "there": there(folder, *names),
    }


def names(count):
    """The checkpoints' names up to a number."""
    return [f"ckpt-{i + 1}" for i in range(count)]


@program
def none_yet(tf, folder):
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(), str(folder), max_to_keep=3)
    return {
        "checkpoints": manager.checkpoints,
        "latest": manager.latest_checkpoint,
        "restored": manager.restore_or_initialize(),
        "directory": manager.directory == str(folder),
        "interval": manager.checkpoint_interval,
        "state": tf.train.get_checkpoint_state(str(folder)),
    }


@program
def how_many_are_kept(tf, folder):
    found = {}
    for keep in (None, 1, 3):
        where = folder / str(keep)
        checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
        manager = tf.train.CheckpointManager(checkpoint, str(where), max_to_keep=keep)
        paths = [base(manager.save()) for _ in range(5)]
        found[str(keep)] = [paths, state(tf, manager, where, *names(5))]
    return found


@program
def bad_numbers_to_keep(tf, folder):
    def make(keep):
        return tf.train.CheckpointManager(tf.train.Checkpoint(), str(folder), max_to_keep=keep)

    return {"errors": [raised(make, keep) for keep in (0, -1, 1)]}


@program
def managers_that_follow_one_another(tf, folder):
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    first = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=None)
    for _ in range(3):
        first.save()
    second = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=None)
    found = [state(tf, second, folder, *names(4))]
    second.save()
    found.append(state(tf, second, folder, *names(4)))
    third = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=3)
    found.append(state(tf, third, folder, *names(5)))
    third.save()
    return {"found": [*found, state(tf, third, folder, *names(5))]}


@program
def a_manager_of_another_run(tf, folder):
    first = tf.train.Checkpoint(v=tf.Variable(1.0))
    manager = tf.train.CheckpointManager(first, str(folder), max_to_keep=2)
    for value in (1.0, 2.0, 3.0):
        first.v.assign(value)
        manager.save()
    second = tf.train.Checkpoint(v=tf.Variable(0.0))
    manager = tf.train.CheckpointManager(second, str(folder), max_to_keep=2)
    second.restore(manager.latest_checkpoint)
    found = values(second.v, second.save_counter)
    path = manager.save()
    return {"restored": found, "next": base(path), "state": state(tf, manager, folder, *names(4))}


@program
def a_manager_that_does_not_restore_saves_over(tf, folder):
    for value in (1.0, 2.0):
        checkpoint = tf.train.Checkpoint(v=tf.Variable(value))
        manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=3)
        for _ in range(2):
            manager.save()
    v = tf.Variable(0.0)
    tf.train.Checkpoint(v=v).restore(manager.latest_checkpoint)
    return {"state": state(tf, manager, folder, *names(4)), "value": values(v)}


@program
def checkpoints_saved_without_a_manager(tf, folder):
    checkpoint = tf.train.Checkpoint()
    for _ in range(2):
        checkpoint.save(str(folder / "unusual"))
    checkpoint = tf.train.Checkpoint()
    manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)
    found = [base(manager.latest_checkpoint), [base(path) for path in manager.checkpoints]]
    checkpoint.restore(manager.latest_checkpoint)
    found.append(values(checkpoint.save_counter))
    for _ in range(3):
        manager.save()
        found.append([base(path) for path in manager.checkpoints])
    return {"found": found, "there": there(folder, "unusual-1", "unusual-2", *names(5))}


@program
def two_managers_of_a_folder(tf, folder):
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    one = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)
    two = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=1, checkpoint_name="best")
    for manager in (one, two, one, two, one):
        manager.save()
    every = [*names(5), *(f"best-{i + 1}" for i in range(5))]
    return {"one": state(tf, one, folder, *every), "two": state(tf, two, folder, *every)}


@program
def one_checkpoint_in_two_folders(tf, folder):
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    made = [tf.train.CheckpointManager(checkpoint, str(folder / name), max_to_keep=2) for name in ("a", "b")]
    paths = here(folder, [made[i].save() for i in (0, 1, 0, 0, 1)])
    return {"paths": paths, "kept": [here(folder, manager.checkpoints) for manager in made]}


@program
def kept_every_few_hours(tf, folder):
    checkpoint = tf.train.Checkpoint()
    with clock(3.0) as now:
        manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)
        found = []
        for time in (10000.0, 13610.0):
            now.now = time
            manager.save()
        recorded = tf.train.get_checkpoint_state(str(folder))
        found.append(list(recorded.all_model_checkpoint_timestamps))
        options = {"max_to_keep": 2, "keep_checkpoint_every_n_hours": 1.5}
        manager = tf.train.CheckpointManager(checkpoint, str(folder), **options)
        for hours in (0.2, 0.5, 0.5):
            now.now += 3600.0 * hours
            manager.save()
            recorded = tf.train.get_checkpoint_state(str(folder))
            found.append([state(tf, manager, folder, *names(6)), recorded.last_preserved_timestamp])
        manager = tf.train.CheckpointManager(checkpoint, str(folder), **options)
        now.now += 10.0
        manager.save()
        recorded = tf.train.get_checkpoint_state(str(folder))
        found.append([state(tf, manager, folder, *names(6)), recorded.last_preserved_timestamp])
    return {"found": found}


@program
def the_clock_is_set_back(tf, folder):
    checkpoint = tf.train.Checkpoint()
    with clock(10000.0) as now:
        options = {"max_to_keep": 1, "keep_checkpoint_every_n_hours": 1.0}
        manager = tf.train.CheckpointManager(checkpoint, str(folder), **options)
        for _ in range(3):
            manager.save()
            now.now += 3600.0
        found = [state(tf, manager, folder, *names(5))]
        now.now = 5000.0
        manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=1)
        found.append(state(tf, manager, folder, *names(5)))
        for _ in range(2):
            now.now += 10.0
            manager.save()
            found.append(state(tf, manager, folder, *names(5)))
        recorded = tf.train.get_checkpoint_state(str(folder))
    times = [recorded.last_preserved_timestamp, *recorded.all_model_checkpoint_timestamps]
    return {"found": found, "times": times}


@program
def numbers_of_ones_own(tf, folder):
    step = tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(step=step)
    manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=2)
    found = []
    for _ in range(4):
        found.append(base(manager.save(checkpoint_number=step)))
        step.assign_add(2)
    found += [base(manager.save(checkpoint_number=32)), base(manager.save(checkpoint_number=tf.constant(7)))]
    found.append(base(manager.save()))
    return {"found": found, "counter": values(checkpoint.save_counter), "state": state(tf, manager, folder)}


@program
def a_number_again(tf, folder):
    v = tf.Variable(1.0)
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(v=v), str(folder), max_to_keep=2)
    for number, value in ((1, 1.0), (2, 2.0), (1, 3.0), (4, 4.0)):
        v.assign(value)
        manager.save(checkpoint_number=number)
    tf.train.Checkpoint(v=v).restore(str(folder / "ckpt-1"))
    return {"state": state(tf, manager, folder, *names(4)), "value": values(v)}


@program
def a_name_of_ones_own(tf, folder):
    checkpoint = tf.train.Checkpoint()
    found = []
    for options in ({"checkpoint_name": "name"}, {}, {"checkpoint_name": "deep/name"}):
        manager = tf.train.CheckpointManager(checkpoint, folder / str(len(found)), max_to_keep=2, **options)
        path = manager.save()
        found.append([*here(folder, [path]), here(folder, [manager.latest_checkpoint])])
    return {"found": found, "object": manager.checkpoint is checkpoint}


@program
def the_folder_as_a_path(tf, folder):
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    manager = tf.train.CheckpointManager(checkpoint, folder / "deep" / "er", max_to_keep=2)
    path = manager.save()
    return {
        "same": [path == str(folder / "deep" / "er" / "ckpt-1"), manager.directory == str(folder / "deep" / "er")],
        "restored": manager.restore_or_initialize() == path,
    }


@program
def restored_or_initialized(tf, folder):
    init = tf.train.Checkpoint(v=tf.Variable(2.0)).save(str(folder / "init"))
    v, calls = tf.Variable(1.0), []
    checkpoint = tf.train.Checkpoint(v=v)

    def initialize():
        calls.append(1)
        checkpoint.restore(init)

    manager = tf.train.CheckpointManager(checkpoint, str(folder / "c"), max_to_keep=None, init_fn=initialize)
    found = [manager.restore_or_initialize(), values(v)]
    path = manager.save()
    v.assign(9.0)
    found += [manager.restore_or_initialize() == path, values(v), base(path)]
    return {"found": found, "calls": len(calls)}


@program
def an_interval_of_steps(tf, folder):
    step = tf.Variable(0)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(v=tf.Variable(1.0)), str(folder), max_to_keep=None, step_counter=step, checkpoint_interval=2
    )
    found = [base(manager.save())]
    for _ in range(4):
        step.assign_add(1)
        found += [base(manager.save()), base(manager.save())]
    step.assign_add(1)
    found += [base(manager.save()), base(manager.save(check_interval=False)), base(manager.save(check_interval=False))]
    return {"found": found, "interval": manager.checkpoint_interval}


@program
def an_interval_from_a_step_on(tf, folder):
    step = tf.Variable(1)
    options = {"step_counter": step, "checkpoint_interval": 2, "last_checkpoint_step": 1}
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(), str(folder), max_to_keep=None, **options)
    found = []
    for _ in range(4):
        found.append(base(manager.save()))
        step.assign_add(1)
    return {"found": found}


@program
def an_interval_after_a_restore(tf, folder):
    step = tf.Variable(5)
    checkpoint = tf.train.Checkpoint(step=step)
    checkpoint.save(str(folder / "ckpt"))
    options = {"step_counter": step, "checkpoint_interval": 2}
    step.assign(0)
    manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=None, **options)
    restored = base(manager.restore_or_initialize())
    found = []
    for _ in range(3):
        found.append(base(manager.save()))
        step.assign_add(1)
    return {"restored": restored, "found": found}


@program
def an_interval_without_steps(tf, folder):
    checkpoint = tf.train.Checkpoint()
    return {"error": raised(tf.train.CheckpointManager, checkpoint, str(folder), 3, checkpoint_interval=2)}


@program
def the_latest_of_a_manager_is_deleted(tf, folder):
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=3)
    manager.save()
    for file in folder.iterdir():
        if file.name.startswith("ckpt-1."):
            file.unlink()
    found = {"manager": base(manager.latest_checkpoint), "folder": tf.train.latest_checkpoint(str(folder))}
    return found | {"restore": raised(manager.restore_or_initialize), "next": base(manager.save())}
