"""`tf.keras.utils`: seeds, arrays for models, files from the web; against arithmetic and NumPy."""

import hashlib
import io
import random
import socket
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

import client as tf
from client.api import PUBLIC, public
from tests.client.waiting import remote, waits
from tests.keras.serving import serving

utils = tf.keras.utils


# --- the namespace ---------------------------------------------------------------------------------------------------


def test_names_registered_later_are_there():
    @public("keras.utils.registered_later")
    def later():
        """A name."""

    try:
        assert utils.registered_later is later
        assert "registered_later" in dir(utils)
    finally:
        del PUBLIC["keras.utils.registered_later"]
    with pytest.raises(AttributeError, match="registered_later"):
        _ = utils.registered_later


def test_names_can_be_imported():
    from client.keras.utils import Progbar, get_file, pad_sequences, to_categorical

    assert (Progbar, get_file, pad_sequences, to_categorical) == (
        utils.Progbar, utils.get_file, utils.pad_sequences, utils.to_categorical,
    )  # fmt: skip


# --- seeds -----------------------------------------------------------------------------------------------------------


def draw():
    layer = tf.keras.layers.Dense(3)
    layer.build((2, 4))
    return [
        random.random(),
        np.random.rand(3),
        tf.random.normal([4]).numpy(),
        tf.random.uniform([4], seed=3).numpy(),
        layer.kernel.numpy(),
    ]


def test_set_random_seed_makes_everything_reproducible():
    utils.set_random_seed(11)
    first = draw()
    second = draw()
    utils.set_random_seed(11)
    again = draw()
    utils.set_random_seed(12)
    other = draw()
    for a, b, c, d in zip(first, again, second, other, strict=True):
        assert np.array_equal(a, b)
        assert not np.array_equal(a, c)
        assert not np.array_equal(a, d)


def test_set_random_seed_sets_the_seeds_of_python_and_numpy():
    utils.set_random_seed(5)
    found = random.random(), np.random.rand()
    random.seed(5)
    np.random.seed(5)
    assert found == (random.random(), np.random.rand())


@pytest.mark.parametrize("seed", ["a", 1.0, None, -1, 2**32])
def test_set_random_seed_refuses(seed):
    with pytest.raises(ValueError, match=r"`seed` argument to be an integer|between 0 and"):
        utils.set_random_seed(seed)


# --- to_categorical --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5,), (5, 1), (2, 3), (2, 3, 1), (), (1,), (1, 1)])
@pytest.mark.parametrize("size", [None, 7])
def test_to_categorical(shape, size):
    labels = np.random.default_rng(1).integers(0, 4, shape)
    squeezed = labels[..., 0] if labels.ndim > 1 and shape[-1] == 1 else labels
    expected = np.eye(size or labels.max() + 1)[squeezed]
    found = utils.to_categorical(labels, size)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(utils.to_categorical(labels.tolist(), size), expected)
    if size:
        with waits(0):
            made = utils.to_categorical(remote(labels), size)
        assert isinstance(made, tf.Tensor)
        assert made.dtype == tf.float32
        np.testing.assert_array_equal(made.numpy(), expected)


def test_to_categorical_of_nothing_and_of_what_does_not_fit():
    assert utils.to_categorical([], 3).shape == (0, 3)
    assert utils.to_categorical(tf.zeros([0], tf.int32), 3).numpy().shape == (0, 3)
    with pytest.raises(ValueError, match="zero-size"):
        utils.to_categorical([])
    with pytest.raises(IndexError, match="out of bounds"):
        utils.to_categorical([3], 3)
    with pytest.raises(ValueError, match="num_classes"):
        utils.to_categorical(tf.constant([1]))
    assert not utils.to_categorical(tf.constant([3, -1]), 3).numpy().any()


# --- normalize -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_normalize(order, axis):
    x = np.random.default_rng(2).normal(size=(3, 4, 2))
    x[1] = 0.0
    norms = (np.abs(x) ** order).sum(axis, keepdims=True) ** (1 / order)
    expected = x / np.where(norms == 0.0, 1.0, norms)
    found = utils.normalize(x, axis, order)
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    with waits(0):
        made = utils.normalize(remote(x, "float32"), axis, order)
    np.testing.assert_allclose(made.numpy(), expected, atol=1e-6)


def test_normalize_a_list_of_integers_and_all_of_an_array():
    np.testing.assert_allclose(utils.normalize([[3, 4], [0, 0]]).numpy(), [[0.6, 0.8], [0, 0]], atol=1e-7)
    np.testing.assert_allclose(utils.normalize(tf.constant([[3.0], [4.0]]), axis=None).numpy(), [[0.6], [0.8]])
    for order in (0, 1.5):
        with pytest.raises(ValueError, match="order"):
            utils.normalize(tf.constant([1.0]), order=order)


# --- pad_sequences ---------------------------------------------------------------------------------------------------

SEQUENCES = [[1], [2, 3], [], [4, 5, 6]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[0, 0, 1], [0, 2, 3], [0, 0, 0], [4, 5, 6]]),
        ({"padding": "post"}, [[1, 0, 0], [2, 3, 0], [0, 0, 0], [4, 5, 6]]),
        ({"maxlen": 2}, [[0, 1], [2, 3], [0, 0], [5, 6]]),
        ({"maxlen": 2, "truncating": "post", "value": -1}, [[-1, 1], [2, 3], [-1, -1], [4, 5]]),
        ({"maxlen": 4, "padding": "post"}, [[1, 0, 0, 0], [2, 3, 0, 0], [0, 0, 0, 0], [4, 5, 6, 0]]),
        ({"maxlen": 0}, [[], [], [], []]),
    ],
)
def test_pad_sequences(options, expected):
    found = utils.pad_sequences(SEQUENCES, **options)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, np.array(expected, np.int32))
    floats = utils.pad_sequences([np.array(s) for s in SEQUENCES], dtype="float64", **options)
    assert floats.dtype == np.float64
    np.testing.assert_array_equal(floats, expected)


def test_pad_sequences_of_vectors_and_words():
    rows = utils.pad_sequences([[[1, 2]], [[3, 4], [5, 6]]])
    np.testing.assert_array_equal(rows, [[[0, 0], [1, 2]], [[3, 4], [5, 6]]])
    words = utils.pad_sequences([["a"], ["b", "cc"]], dtype=object, value="<pad>")
    assert words.tolist() == [["<pad>", "a"], ["b", "cc"]]


@pytest.mark.parametrize(
    ("sequences", "options", "message"),
    [
        (5, {}, "must be iterable"),
        ([1, 2], {}, "non-iterable: 1"),
        ([[1]], {"padding": "middle"}, 'Padding type "middle"'),
        ([[1]], {"truncating": "middle"}, 'Truncating type "middle"'),
        ([[1]], {"value": "x"}, "not compatible with `value`"),
        ([[[1, 2]], [[1], [2]]], {}, "Shape of sample"),
        ([], {}, "zero-size"),
    ],
)
def test_pad_sequences_refuses(sequences, options, message):
    with pytest.raises(ValueError, match=message):
        utils.pad_sequences(sequences, **options)


# --- split_dataset ---------------------------------------------------------------------------------------------------

NUMBERS = np.arange(10)
PAIRS = np.arange(20).reshape(10, 2)


def values(dataset):
    return [tf.nest.map_structure(lambda t: t.numpy().tolist(), element) for element in dataset]


@pytest.mark.parametrize(
    ("sizes", "left", "right"),
    [
        ({"left_size": 3}, range(3), range(3, 10)),
        ({"right_size": 3}, range(7), range(7, 10)),
        ({"left_size": 0.25}, range(2), range(2, 10)),
        ({"right_size": 0.35}, range(6), range(6, 10)),  # 3.5 rounds to 4
        ({"left_size": 0.5, "right_size": 0.2}, range(5), range(8, 10)),
        ({"left_size": 3, "right_size": 2}, range(3), range(8, 10)),
    ],
)
def test_split_dataset(sizes, left, right):
    sources = [
        (NUMBERS, lambda i: i),
        (tf.constant(NUMBERS), lambda i: i),
        ((NUMBERS, PAIRS), lambda i: (i, [2 * i, 2 * i + 1])),
        ([NUMBERS, tf.constant(PAIRS)], lambda i: (i, [2 * i, 2 * i + 1])),
        (tf.data.Dataset.range(10), lambda i: i),
        (tf.data.Dataset.from_tensor_slices({"a": NUMBERS}).map(lambda d: {"b": d["a"]}), lambda i: {"b": i}),
    ]
    for source, row in sources:
        found = utils.split_dataset(source, **sizes)
        assert [values(d) for d in found] == [[row(i) for i in left], [row(i) for i in right]]
        assert [int(d.cardinality()) for d in found] == [len(left), len(right)]


def test_split_dataset_of_batches_and_of_an_unknown_number():
    left, right = utils.split_dataset(tf.data.Dataset.range(10).batch(4), left_size=7)
    assert (values(left), values(right)) == ([[0, 1, 2, 3], [4, 5, 6]], [[7, 8, 9]])
    left, right = utils.split_dataset(tf.data.Dataset.range(10).filter(lambda x: x % 2 == 0), left_size=2)
    assert (values(left), values(right)) == ([0, 2], [4, 6, 8])


def test_split_dataset_shuffles():
    order = list(range(10))
    random.Random(3).shuffle(order)
    for source in (NUMBERS, tf.constant(NUMBERS), tf.data.Dataset.range(10)):
        left, right = utils.split_dataset(source, left_size=4, shuffle=True, seed=3)
        assert values(left) + values(right) == order
    utils.set_random_seed(1)
    first = [values(d) for d in utils.split_dataset(NUMBERS, left_size=4, shuffle=True)]
    assert sorted(first[0] + first[1]) == list(range(10))
    utils.set_random_seed(1)
    assert [values(d) for d in utils.split_dataset(NUMBERS, left_size=4, shuffle=True)] == first
    left, right = utils.split_dataset(tf.data.Dataset.range(10).shuffle(10), left_size=4)
    assert sorted(values(left) + values(right)) == list(range(10))  # both of the same pass


@pytest.mark.parametrize(
    ("source", "sizes", "error", "message"),
    [
        (NUMBERS, {}, ValueError, "At least one"),
        (NUMBERS, {"left_size": 0}, ValueError, "smaller than 10"),
        (NUMBERS, {"left_size": 10}, ValueError, "smaller than 10"),
        (NUMBERS, {"right_size": 1.0}, ValueError, "`right_size` should be"),
        (NUMBERS, {"right_size": float("nan")}, ValueError, "`right_size` should be"),
        (NUMBERS, {"left_size": "a"}, TypeError, "Invalid `left_size` Type"),
        (NUMBERS, {"left_size": 0.6, "right_size": 0.6}, ValueError, "greater than 1"),
        (NUMBERS, {"left_size": 6, "right_size": 6}, ValueError, "should be smaller than the 10"),
        (NUMBERS, {"left_size": 0.01}, ValueError, "empty"),
        (5, {"left_size": 1}, TypeError, "Unsupported dataset type"),
        ([], {"left_size": 1}, ValueError, "empty dataset"),
        (np.zeros(0), {"left_size": 1}, ValueError, "empty dataset"),
        (np.float32(1), {"left_size": 1}, TypeError, "Unsupported dataset type"),
        (np.array(1), {"left_size": 1}, ValueError, "different lengths"),
        ([NUMBERS, NUMBERS[1:]], {"left_size": 1}, ValueError, "different lengths"),
        ([1, 2], {"left_size": 1}, ValueError, "Expected a list of"),
    ],
)
def test_split_dataset_refuses(source, sizes, error, message):
    with pytest.raises(error, match=message):
        utils.split_dataset(source, **sizes)


def test_split_dataset_refuses_datasets_without_rows_or_without_an_end():
    with pytest.raises(ValueError, match="empty dataset"):
        utils.split_dataset(tf.data.Dataset.range(0), left_size=1)
    with pytest.raises(ValueError, match="infinite"):
        utils.split_dataset(tf.data.Dataset.range(3).repeat(), left_size=1)


# --- get_file --------------------------------------------------------------------------------------------------------

CONTENT = b"some content\n" * 1000
SHA256, MD5 = hashlib.sha256(CONTENT).hexdigest(), hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "home"


@pytest.fixture
def web(tmp_path):
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "data.bin").write_bytes(CONTENT)
    with serving(folder) as server:
        yield server


def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def files_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize(
    "hashes", [{}, {"file_hash": SHA256}, {"file_hash": MD5.upper()}, {"md5_hash": MD5},
               {"file_hash": SHA256, "hash_algorithm": "sha256"}, {"file_hash": MD5, "hash_algorithm": "md5"}],
)  # fmt: skip
def test_get_file_downloads_once(home, web, capsys, hashes):
    for _ in range(2):
        path = utils.get_file(origin=f"{web.url}/data.bin", **hashes)
        assert Path(path) == home / "datasets" / "data.bin"
        assert Path(path).read_bytes() == CONTENT
    assert web.asked == ["/data.bin"]
    assert files_in(home) == ["datasets/data.bin"]
    printed = capsys.readouterr().out
    assert printed.startswith(f"Downloading data from {web.url}/data.bin\n")
    assert "13000/13000" in printed


def test_get_file_uses_what_is_there_without_a_network(home):
    home.joinpath("datasets").mkdir(parents=True)
    home.joinpath("datasets", "data.bin").write_bytes(CONTENT)
    path = utils.get_file("data.bin", f"http://127.0.0.1:{closed_port()}/data.bin", file_hash=SHA256)
    assert Path(path).read_bytes() == CONTENT


def test_get_file_replaces_a_file_of_another_hash(home, web, capsys):
    old = home / "datasets" / "data.bin"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    assert Path(utils.get_file(origin=f"{web.url}/data.bin")).read_bytes() == b"old"
    utils.get_file(origin=f"{web.url}/data.bin", file_hash=SHA256)
    assert old.read_bytes() == CONTENT
    assert "incomplete or outdated" in capsys.readouterr().out
    old.write_bytes(b"old")
    utils.get_file(origin=f"{web.url}/data.bin", force_download=True)
    assert old.read_bytes() == CONTENT


def test_get_file_keeps_nothing_of_a_wrong_hash(home, web):
    old = home / "datasets" / "data.bin"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    with pytest.raises(ValueError, match="Incomplete or corrupted file"):
        utils.get_file(origin=f"{web.url}/data.bin", file_hash="0" * 64)
    assert old.read_bytes() == b"old"
    assert files_in(home) == ["datasets/data.bin"]


@pytest.mark.parametrize("path", ["missing.bin", "cut"])
def test_get_file_says_what_failed_and_where_to_put_the_file(home, web, path):
    with pytest.raises(OSError, match="URL fetch failure") as caught:
        utils.get_file(origin=f"{web.url}/{path}")
    assert str(home / "datasets" / path) in str(caught.value)
    assert path == "cut" or "404" in str(caught.value)
    assert files_in(home) == []


def test_get_file_offline(home):
    with pytest.raises(OSError, match="URL fetch failure") as caught:
        utils.get_file("x.npz", f"http://127.0.0.1:{closed_port()}/x.npz")
    assert f"put the file at {home / 'datasets' / 'x.npz'}" in str(caught.value)
    with pytest.raises(OSError, match="URL fetch failure"):
        utils.get_file(origin=(home / "nothing.txt").as_uri())
    with pytest.raises(OSError, match="URL fetch failure"):
        utils.get_file("x", "gopher://127.0.0.1/x")


def test_get_file_from_a_file_and_into_another_folder(home, tmp_path):
    source = tmp_path / "a b.txt"
    source.write_text("text")
    path = utils.get_file(origin=source.as_uri(), cache_dir=tmp_path / "cache", cache_subdir="sub")
    assert Path(path) == tmp_path / "cache" / "sub" / "a b.txt"
    path = utils.get_file("c.txt", source.as_uri(), cache_subdir=tmp_path / "absolute")
    assert Path(path) == tmp_path / "absolute" / "c.txt"
    assert Path(path).read_text() == "text"
    assert not home.exists()


def test_get_file_refuses(home, tmp_path):
    with pytest.raises(ValueError, match="origin"):
        utils.get_file("x")
    with pytest.raises(ValueError, match="Paths are no longer accepted"):
        utils.get_file("../x", "http://127.0.0.1/x")
    with pytest.raises(ValueError, match="Paths are no longer accepted"):
        utils.get_file("..", "http://127.0.0.1/x")
    with pytest.raises(ValueError, match="Can't parse the file name"):
        utils.get_file(origin="http://127.0.0.1/")
    with pytest.raises(ValueError, match="Can't parse the file name"):
        utils.get_file(origin="http://127.0.0.1/a/%2e%2e")
    with pytest.raises(ValueError, match="hash_algorithm"):
        utils.get_file("x", "http://127.0.0.1/x", file_hash="0", hash_algorithm="crc32")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="KERAS_HOME"):
        utils.get_file("x", "http://127.0.0.1/x", cache_dir=tmp_path / "file")


# --- archives --------------------------------------------------------------------------------------------------------


def tar_of(members, mode="w:gz"):
    """Bytes of an archive: names with contents, or with a TarInfo's fields."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, dict):
                for field, value in content.items():
                    setattr(info, field, value)
                content = b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


GOOD = {"top/a.txt": b"a", "top/in/b.txt": b"b"}


@pytest.mark.parametrize(
    ("archive", "options"),
    [
        (tar_of(GOOD), {"extract": True}),
        (tar_of(GOOD, "w"), {"untar": True}),
        (tar_of(GOOD, "w:bz2"), {"extract": True, "archive_format": ["zip", "tar"]}),
        (zip_of(GOOD), {"extract": True}),
        (zip_of(GOOD), {"extract": True, "archive_format": "zip"}),
    ],
)
@pytest.mark.parametrize(
    ("fname", "kept", "extracted"),
    [
        (None, "pack.tgz_archive", "pack.tgz"),
        ("mine", "mine_archive", "mine"),
        ("mine.tar.gz", "mine.tar.gz", "mine_extracted"),
    ],
)
def test_get_file_extracts(home, tmp_path, archive, options, fname, kept, extracted):
    source = tmp_path / "pack.tgz"
    source.write_bytes(archive)
    for _ in range(2):
        place = Path(utils.get_file(fname, source.as_uri(), **options))
        assert place == home / "datasets" / extracted
        assert (place / "top" / "a.txt").read_bytes() == b"a"
        assert (place / "top" / "in" / "b.txt").read_bytes() == b"b"
        (place / "top" / "a.txt").unlink()  # and the next call extracts it again
    assert (home / "datasets" / kept).read_bytes() == archive


@pytest.mark.parametrize(
    "archive",
    [
        tar_of({"../outside": b"x"}),
        tar_of({"link": {"type": tarfile.SYMTYPE, "linkname": "../.."}, "link/outside": b"x"}),
        tar_of({"hard": {"type": tarfile.LNKTYPE, "linkname": "../../secret"}}),
        tar_of({"device": {"type": tarfile.CHRTYPE}}),
        zip_of({"../outside": b"x"}),
        zip_of({"/outside": b"x"}),
    ],
)
def test_get_file_extracts_nothing_outside_of_the_folder(home, tmp_path, archive):
    source = tmp_path / "bad.bin"
    source.write_bytes(archive)
    with pytest.raises(ValueError, match="not safe to extract"):
        utils.get_file("bad", source.as_uri(), extract=True)
    assert files_in(home) == ["datasets/bad_archive"]
    assert not (tmp_path / "outside").exists()


def test_get_file_of_what_is_no_archive(home, tmp_path):
    source = tmp_path / "plain"
    source.write_bytes(b"plain")
    for formats in ("auto", None, "zip", []):
        with pytest.warns(UserWarning, match="Could not extract archive"):
            utils.get_file(origin=source.as_uri(), extract=True, archive_format=formats)
    with pytest.raises(NotImplementedError, match="rar"):
        utils.get_file(origin=source.as_uri(), extract=True, archive_format="rar")
