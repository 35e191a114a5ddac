"""Checkpoints as files: whole or not there, checked, in one round trip, behind the program's back, with the server."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

import client as tf
from tests.client.waiting import remote, waits
from tests.support import ROOT, run_program, serving

BIG = 300_000  # elements: more bytes than travel in an item


def files(folder) -> set[str]:
    return {p.name for p in Path(folder).iterdir()}


def data_file(path) -> Path:
    (found,) = Path(path).parent.glob(f"{Path(path).name}.data-*.safetensors")
    return found


# --- round trips -----------------------------------------------------------------------------------------------------


def test_a_save_is_one_round_trip_and_a_restore_none(tmp_path):
    parts = [tf.Variable(tf.random.normal([BIG if i % 5 == 0 else 3])) for i in range(20)]
    checkpoint = tf.train.Checkpoint(parts=parts)
    with waits(1):
        path = checkpoint.save(tmp_path / "ckpt")
    with waits(0):
        status = checkpoint.restore(path).assert_consumed()
    assert repr(status) == "<CheckpointLoadStatus: 21 values restored>"
    with waits(1):
        checkpoint.save(tmp_path / "ckpt")  # the counter's value came from the file


def test_saving_behind_the_programs_back_does_not_wait_and_is_of_that_moment(tmp_path):
    v, big = tf.Variable(1.0), tf.Variable(tf.ones([BIG]))
    checkpoint = tf.train.Checkpoint(v=v, big=big)
    futures = []
    with waits(0):
        for step in range(5):
            v.assign(step)
            big.assign(tf.fill([BIG], float(step)))
            futures.append(checkpoint.save(tmp_path / "ckpt", wait=False))
        v.assign(99.0)
        big.assign(tf.zeros([BIG]))
    for step, future in enumerate(futures):
        path = future.result(30)
        assert path == str(tmp_path / f"ckpt-{step + 1}")
        values = safetensors.numpy.load_file(data_file(path))
        assert values["v"] == step and (values["big"] == step).all()
    assert float(v) == 99.0
    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "ckpt-5")


def test_asynchronous_by_options_as_in_tensorflow(tmp_path):
    called = []
    options = tf.train.CheckpointOptions(
        experimental_enable_async_checkpoint=True,
        experimental_write_callbacks=[called.append, lambda: called.append(1)],
    )
    v = tf.Variable(tf.ones([BIG]))
    checkpoint = tf.train.Checkpoint(v=v)
    with waits(0):
        path = checkpoint.save(tmp_path / "c", options)
        v.assign(tf.zeros([BIG]))
    checkpoint.sync()
    assert called == [path, 1] and tf.train.latest_checkpoint(tmp_path) == path
    checkpoint.restore(path)
    assert float(tf.reduce_sum(v)) == BIG


def test_a_save_that_fails_behind_the_programs_back_says_so(tmp_path, capfd):
    (tmp_path / "file").write_text("")
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    future = checkpoint.write(tmp_path / "file" / "c", wait=False)
    with pytest.raises(OSError):
        future.result(30)
    with pytest.raises(OSError):
        checkpoint.sync()
    assert "was not written" in capfd.readouterr().err
    checkpoint.sync()  # said once


@pytest.mark.parametrize("end", ["", "tf.disconnect()", "import sys; sys.exit(3)"])
def test_what_is_under_way_is_written_before_the_program_leaves(tmp_path, end):
    source = f"""
import client as tf
v = tf.Variable(tf.ones([4_000_000]))
tf.train.Checkpoint(v=v).save({str(tmp_path / "c")!r}, wait=False)
{end}
"""
    done = run_program(source)
    assert done.returncode == (3 if "exit" in end else 0), done.stderr
    assert safetensors.numpy.load_file(data_file(tmp_path / "c-1"))["v"].sum() == 4_000_000
    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "c-1")


def test_a_failure_that_nobody_saw_is_raised_and_nothing_written(tmp_path):
    v = tf.Variable(1.0)
    checkpoint = tf.train.Checkpoint(v=v)
    tf.linalg.inv(remote(np.zeros((2, 2), np.float32)))
    with pytest.raises(tf.errors.InvalidArgumentError, match="invertible"):
        checkpoint.write(tmp_path / "c")
    assert files(tmp_path) == set()
    checkpoint.write(tmp_path / "c")


def test_variables_of_a_lost_session_are_refused(tmp_path):
    source = f"""
import client as tf
v = tf.Variable(1.0)
tf.connect()
try:
    tf.train.Checkpoint(v=v, w=tf.Variable(1.0)).write({str(tmp_path / "c")!r})
except tf.errors.SessionLostError as error:
    print("lost:", error)
"""
    done = run_program(source)
    assert done.stdout.startswith("lost:"), done.stderr
    assert files(tmp_path) == set()


def test_a_long_save_shows_how_far_it_is(tmp_path, monkeypatch, capsys):
    from client.keras import progress
    from client.train import writing

    monkeypatch.setattr(progress, "redraws", lambda: True)
    checkpoint = tf.train.Checkpoint(v=tf.Variable(tf.ones([8_000_000])))
    path = checkpoint.write(tmp_path / "c")
    assert capsys.readouterr().out == ""  # it was short
    monkeypatch.setattr(writing, "_QUIET", 0.0)
    checkpoint.write(path)
    shown = capsys.readouterr().out
    assert shown.startswith("saving 32 MB") and "32/32" in shown
    checkpoint.read(path)
    assert capsys.readouterr().out.startswith("checking 32 MB")
    checkpoint.write(path, wait=False).result(30)
    assert capsys.readouterr().out == ""  # the terminal is the program's


def test_python_state_of_ones_own(tmp_path):
    class State(tf.train.experimental.PythonState):
        def __init__(self, value):
            self.value = value

        def serialize(self):
            return self.value

        def deserialize(self, string_value):
            self.value = string_value

    text, data = State("ä\n\0"), State(bytes(range(256)))
    checkpoint = tf.train.Checkpoint(text=text, data=data)
    path = checkpoint.write(tmp_path / "c")
    text.value, data.value = "", b""
    checkpoint.read(path).assert_consumed()
    assert (text.value, data.value) == ("ä\n\0", bytes(range(256)))
    text.value = 5
    with pytest.raises(TypeError, match="neither text nor bytes"):
        checkpoint.write(path)


_HUGE = """
import resource
import client as tf
parts = [tf.Variable(tf.random.normal([n])) for n in (50_000_000, 20_000_000, 5_000_000, 1_000, 25_000_000)]
checkpoint = tf.train.Checkpoint(parts=parts)
sums = [tf.reduce_sum(p) for p in parts]
tf.sync()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
path = checkpoint.write({path!r})
saved = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for p in parts:
    p.assign(tf.zeros_like(p))
checkpoint.read(path).assert_consumed()
assert all(bool(tf.reduce_sum(p) == s) for p, s in zip(parts, sums))
tf.sync()
restored = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(saved - before, restored - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kilobytes of memory are Linux's measure")
def test_values_pass_through_a_little_memory(tmp_path):
    done = run_program(_HUGE.format(path=str(tmp_path / "c")), timeout=110)
    assert done.returncode == 0, done.stderr
    saving, both = map(int, done.stdout.split())  # of 400 MB
    assert saving < 50_000 and both < 60_000


# --- values ----------------------------------------------------------------------------------------------------------

VALUES = {
    "bool": [True, False, True],
    "int8": [-128, 127],
    "uint8": [0, 255],
    "int16": [-(2**15), 2**15 - 1],
    "uint16": [0, 2**16 - 1],
    "int32": [-(2**31), 2**31 - 1],
    "uint32": [0, 2**32 - 1],
    "int64": [-(2**63), 2**63 - 1],
    "uint64": [0, 2**64 - 1],
    "float16": [-0.0, 65504.0, np.inf],
    "bfloat16": [-0.0, 3.0e38, np.nan],
    "float32": [-0.0, 1e-45, np.nan],
    "float64": [-0.0, 5e-324, -np.inf],
    "complex64": [1 - 2j, complex(np.nan, -0.0)],
    "complex128": [1e300 + 1e-300j],
}


@pytest.mark.parametrize("dtype", VALUES)
def test_every_dtype_keeps_its_bits_and_other_readers_see_them(tmp_path, dtype):
    kind = tf.as_dtype(dtype).as_numpy_dtype
    flat = np.array(VALUES[dtype], kind)
    arrays = {"flat": flat, "scalar": flat[0], "empty": np.zeros((2, 0, 3), kind), "long": np.tile(flat, 1_100_000)}
    variables = {k: tf.Variable(v) for k, v in arrays.items()}
    checkpoint = tf.train.Checkpoint(**variables)
    path = checkpoint.write(tmp_path / "c")
    for v in variables.values():
        v.assign(tf.zeros_like(v))
    checkpoint.read(path).assert_consumed()
    theirs = safetensors.numpy.load_file(data_file(path))
    for name, array in arrays.items():
        assert variables[name].numpy().tobytes() == np.asarray(array).tobytes(), name
        if dtype != "bfloat16":  # which that reader gives as other bits, or not at all
            found = theirs[name]
            if dtype.startswith("complex"):
                found = np.ascontiguousarray(found).view(kind).reshape(np.shape(array))
            assert found.dtype == kind and found.tobytes() == np.asarray(array).tobytes(), name
    assert ml_dtypes.bfloat16  # the library that knows the sixteenth


def test_names_of_tensors_with_slashes_stay_apart(tmp_path):
    first, second = tf.Variable(1.0), tf.Variable(2.0)
    checkpoint = tf.train.Checkpoint(d={"a/b": first, "a": {"b": second}, "a~1b": tf.Variable(3.0)})
    path = checkpoint.write(tmp_path / "c")
    assert sorted(safetensors.numpy.load_file(data_file(path))) == ["d/a/b", "d/a~01b", "d/a~1b"]
    first.assign(0.0)
    checkpoint.read(path).assert_consumed()
    assert float(first) == 1.0


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    """A checkpoint of one small and one large variable, changed since."""
    small, large = tf.Variable([1.0, 2.0]), tf.Variable(tf.range(BIG))
    checkpoint = tf.train.Checkpoint(small=small, large=large)
    path = checkpoint.write(tmp_path / "c")
    small.assign([5.0, 5.0])
    large.assign(tf.zeros_like(large))
    return checkpoint, path, small, large


def flipped(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: flipped(data_file(p), -1),
        lambda p: flipped(data_file(p), -4 * BIG - 4),
        lambda p: data_file(p).write_bytes(data_file(p).read_bytes()[:-1]),
        lambda p: data_file(p).write_bytes(data_file(p).read_bytes() + b"x"),
        lambda p: flipped(Path(p + ".index"), 300),
        lambda p: Path(p + ".index").write_bytes(b""),
        lambda p: Path(p + ".index").write_bytes(b"\0\0\0\0TensorFlow's own index files are tables"),
        lambda p: Path(p + ".index").write_bytes(b"[" * 100_000),
        lambda p: Path(p + ".index").write_text("{}"),
        lambda p: changed(p, version=2),
        lambda p: changed(p, format="another"),
        lambda p: changed(p, content={"nodes": []}),
    ],
)  # fmt: skip
def test_damage_is_found_before_anything_changes(saved, damage):
    checkpoint, path, small, large = saved
    damage(path)
    with pytest.raises(tf.errors.DataLossError, match=r"damaged|no checkpoint|version"):
        checkpoint.read(path)
    assert small.numpy().tolist() == [5.0, 5.0] and float(tf.reduce_max(large)) == 0


def changed(path: str, **fields) -> None:
    whole = json.loads(Path(path + ".index").read_text())
    Path(path + ".index").write_text(json.dumps(whole | fields))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["tensors"]["small"].update(offset=-8),
        lambda c: c["tensors"]["small"].update(offset=10**12),
        lambda c: c["tensors"]["small"].update(shape=[2**62, 4]),
        lambda c: c["tensors"]["small"].update(shape=[-1]),
        lambda c: c["tensors"]["small"].update(dtype="string"),
        lambda c: c.update(data="../../etc/passwd"),
        lambda c: c["nodes"][0]["children"].update(small=99),
        lambda c: c["nodes"][1].update(tensor="nothing"),
        lambda c: c.update(nodes="x"),
        lambda c: c.update(bytes="many"),
    ],
)
def test_an_index_that_makes_no_sense_is_refused_though_its_checksum_is_right(saved, change):
    import xxhash

    checkpoint, path, small, _ = saved
    whole = json.loads(Path(path + ".index").read_text())
    change(whole["content"])
    canonical = json.dumps(whole["content"], sort_keys=True, separators=(",", ":")).encode()
    whole["checksum"] = xxhash.xxh3_64_hexdigest(canonical)
    Path(path + ".index").write_text(json.dumps(whole))
    with pytest.raises(tf.errors.DataLossError, match="damaged"):
        checkpoint.read(path)
    assert small.numpy().tolist() == [5.0, 5.0]


def test_a_data_file_that_is_gone(saved):
    checkpoint, path, *_ = saved
    data_file(path).unlink()
    with pytest.raises(tf.errors.NotFoundError, match="needs"):
        checkpoint.read(path)


# --- a crash in the middle -------------------------------------------------------------------------------------------

_CRASHING = """
import os, signal, sys
import client as tf
from client.train import places, state

moment, folder, same = sys.argv[1], sys.argv[2], sys.argv[3] == "same"
v = tf.Variable(tf.ones([8_000_000]))
w = tf.Variable(1.0)
checkpoint = tf.train.Checkpoint(v=v, w=w)
manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=1)
save = (lambda: checkpoint.write(folder + "/same")) if same else manager.save
save()
v.assign(2 * tf.ones([8_000_000]))
w.assign(2.0)

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def third(call, count=[0]):
    def run(*args):
        count[0] += 1
        return die() if count[0] == 3 else call(*args)
    return run

if moment == "in the data":
    places._write_all = third(places._write_all)
elif moment == "before the index":
    places.LocalPlace.replace = die
elif moment == "in the index":
    os.replace = die
elif moment == "before the state":
    state.write_state = die
    from client.train import manager as module
    module.write_state = die
elif moment == "before the old one is removed":
    places.LocalPlace.delete = die
    places.Path.unlink = die
save()
"""


@pytest.mark.parametrize("same", [False, True], ids=["numbered", "same name"])
@pytest.mark.parametrize(
    ("moment", "new"),
    [
        ("in the data", False),
        ("before the index", False),
        ("in the index", False),
        ("before the state", False),
        ("before the old one is removed", True),
    ],
)
def test_a_crash_in_the_middle_of_a_save_leaves_the_previous_one_whole(tmp_path, moment, new, same):
    if same and moment == "before the state":
        return  # a write has none
    arguments = [moment, str(tmp_path), "same" if same else "numbered"]
    done = subprocess.run(
        [sys.executable, "-c", _CRASHING, *arguments], env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=100
    )
    assert done.returncode == -signal.SIGKILL
    v, w = tf.Variable(tf.zeros([8_000_000])), tf.Variable(0.0)
    checkpoint = tf.train.Checkpoint(v=v, w=w)
    path = str(tmp_path / "same") if same else tf.train.latest_checkpoint(tmp_path)
    checkpoint.restore(path).assert_existing_objects_matched() if not same else checkpoint.read(path)
    assert float(w) == (2.0 if new else 1.0)
    assert float(tf.reduce_min(v)) == float(tf.reduce_max(v)) == float(w)
    # the next save cleans up what the crash has left
    if same:
        checkpoint.write(path)
        assert {n for n in files(tmp_path) if not n.startswith(".")} == {"same.index", data_file(path).name}
    else:
        manager = tf.train.CheckpointManager(checkpoint, tmp_path, max_to_keep=1)
        kept = manager.save()
        assert data_file(kept).exists() and manager.checkpoints == [kept]


# --- with the server -------------------------------------------------------------------------------------------------

_REMOTE = """
import client as tf
import numpy as np
v, big, empty = tf.Variable([1.0, 2.0]), tf.Variable(tf.ones([4_000_000])), tf.Variable(tf.zeros([0, 3], tf.bfloat16))
checkpoint = tf.train.Checkpoint(v=v, big=big, empty=empty)
manager = tf.train.CheckpointManager(checkpoint, "server://runs/a", max_to_keep=2)
before = tf.stats()
paths = [manager.save() for _ in range(3)]
after = tf.stats()
assert paths == [f"server://runs/a/ckpt-{i}" for i in (1, 2, 3)], paths
assert after["waits"] - before["waits"] == 3, after
assert after["bytes_received"] - before["bytes_received"] < 10_000, after
assert tf.train.latest_checkpoint("server://runs/a") == paths[-1] == manager.latest_checkpoint
assert manager.checkpoints == paths[1:]
v.assign([0.0, 0.0])
big.assign(tf.zeros([4_000_000]))
sent = tf.stats()["bytes_sent"]
checkpoint.restore(manager.latest_checkpoint).assert_consumed()
assert v.numpy().tolist() == [1.0, 2.0] and float(tf.reduce_sum(big)) == 4_000_000
assert tf.stats()["bytes_sent"] - sent < 10_000
assert tf.train.list_variables(paths[1])[0] == ("big/.ATTRIBUTES/VARIABLE_VALUE", [4_000_000])
assert tf.train.load_variable(paths[1], "v").tolist() == [1.0, 2.0]
try:
    checkpoint.restore(paths[0])
except tf.errors.NotFoundError as error:
    print("gone:", str(error).splitlines()[0])
future = checkpoint.save("server://b/x", wait=False)
v.assign([7.0, 7.0])
assert tf.train.load_variable(future.result(), "v").tolist() == [1.0, 2.0]

model = tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(2,))])
model.compile("adam", "mse")
model.save("server://m.keras")
model.save_weights("server://weights")
loaded = tf.keras.models.load_model("server://m.keras")
assert np.array_equal(loaded.get_weights()[0], model.get_weights()[0]) and loaded.compiled
model.layers[0].kernel.assign(tf.zeros([2, 3]))
model.load_weights("server://weights").assert_consumed()
assert np.array_equal(loaded.get_weights()[0], model.get_weights()[0])
print("done")
"""


def test_checkpoints_that_stay_with_the_server(tmp_path):
    with serving("--data-dir", str(tmp_path)) as server:
        done = run_program(_REMOTE, TELEGRAD_URL=server.url, TELEGRAD_TOKEN=server.token)
        assert done.stdout.splitlines()[-1] == "done", done.stderr
        assert done.stdout.startswith("gone: Error when restoring from checkpoint at server://runs/a/ckpt-1")
    files = tmp_path / "files" / "default"
    kept = sorted(p.relative_to(files).as_posix() for p in files.rglob("*") if p.is_file())
    runs = [name.partition(".")[0] for name in kept if name.startswith("runs/")]
    assert runs == ["runs/a/checkpoint", "runs/a/ckpt-2", "runs/a/ckpt-2", "runs/a/ckpt-3", "runs/a/ckpt-3"]


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_damage_at_the_server_is_found_by_it(tmp_path, damage):
    first = "import client as tf\ntf.train.Checkpoint(v=tf.Variable(tf.ones([1000]))).write('server://c')"
    second = """
import client as tf
v = tf.Variable(tf.zeros([1000]))
try:
    tf.train.Checkpoint(v=v).read("server://c")
except (tf.errors.DataLossError, tf.errors.OutOfRangeError) as error:
    print(type(error).__name__, float(tf.reduce_sum(v)))
"""
    with serving("--data-dir", str(tmp_path)) as server:
        place = {"TELEGRAD_URL": server.url, "TELEGRAD_TOKEN": server.token}
        assert run_program(first, **place).returncode == 0
        (data,) = (tmp_path / "files" / "default").glob("c.data-*")
        flipped(data, -100) if damage == "flip" else data.write_bytes(data.read_bytes()[:-100])
        done = run_program(second, **place)
    assert done.stdout.split() == ["DataLossError" if damage == "flip" else "OutOfRangeError", "0.0"], done.stderr


def test_a_server_that_keeps_no_files_says_what_to_do():
    source = """
import client as tf
for attempt in (lambda: tf.train.Checkpoint(v=tf.Variable(1.0)).write("server://c"),
                lambda: tf.train.Checkpoint(v=tf.Variable(1.0)).read("server://c"),
                lambda: tf.train.latest_checkpoint("server://c")):
    try:
        attempt()
    except tf.errors.FailedPreconditionError as error:
        print("--data-dir" in str(error))
"""
    with serving() as server:
        done = run_program(source, TELEGRAD_URL=server.url, TELEGRAD_TOKEN=server.token)
    assert done.stdout.split() == ["True"] * 3, done.stderr


# --- models ----------------------------------------------------------------------------------------------------------


def test_the_archive_of_a_model_is_a_zip_that_anyone_can_open(tmp_path):
    model = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
    path = tmp_path / "m.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        values = safetensors.numpy.load(archive.read("weights.safetensors"))
        config = json.loads(archive.read("config.json"))
    np.testing.assert_array_equal(values["layer_0/kernel"], model.get_weights()[0])
    assert config["class_name"] == "Sequential"
