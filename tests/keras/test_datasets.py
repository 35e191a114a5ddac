"""`tf.keras.datasets` from small files of the same formats: downloaded, kept, and refused."""

import gzip
import hashlib
import io
import os
import pickle
import tarfile

import numpy as np
import pytest

import client as tf
from client.keras.datasets import files
from tests.keras.serving import serving

datasets = tf.keras.datasets
RNG = np.random.default_rng(0)


def pixels(*shape):
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def idx(array):
    header = b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.tobytes())


def tar(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


DIGITS = {"x_train": pixels(6, 28, 28), "y_train": pixels(6), "x_test": pixels(2, 28, 28), "y_test": pixels(2)}
CIFAR10 = {f"cifar-10-batches-bin/{n}.bin": pixels(3, 3073)
           for n in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]}  # fmt: skip
CIFAR100 = {f"cifar-100-binary/{n}.bin": pixels(4, 3074) for n in ("train", "test")}
HOUSES = {"x": RNG.normal(size=(700, 8)), "y": RNG.normal(size=700)}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "home" / "datasets"


@pytest.fixture
def web(tmp_path, monkeypatch):
    """The files of all datasets on a server, and their hashes."""
    contents = {
        "mnist": ("mnist.npz", npz(**DIGITS)),
        "cifar10": ("cifar-10-binary.tar.gz", tar({k: v.tobytes() for k, v in CIFAR10.items()})),
        "cifar100": ("cifar-100-binary.tar.gz", tar({k: v.tobytes() for k, v in CIFAR100.items()})),
        "boston_housing": ("boston_housing.npz", npz(**HOUSES)),
        "california_housing": ("california_housing.npz", npz(**HOUSES)),
    }
    arrays = ("x_train", "y_train", "x_test", "y_test")
    contents |= {n: (n, idx(DIGITS[a])) for n, a in zip(files.FASHION_MNIST, arrays, strict=True)}
    folder = tmp_path / "web"
    folder.mkdir()
    with serving(folder) as server:
        for name, (file, content) in contents.items():
            (folder / file).write_bytes(content)
            known = files.SOURCES[name].hash
            digest = known and hashlib.new("sha256" if len(known) == 64 else "md5", content).hexdigest()
            monkeypatch.setitem(files.SOURCES, name, files.Source(f"{server.url}/{file}", digest))
        yield server


def flat(split):
    (x_train, y_train), (x_test, y_test) = split
    return [x_train, y_train, x_test, y_test]


def check(load, expected):
    """Two calls give the arrays, and the second takes them from the disk."""
    for _ in range(2):
        for found, wanted in zip(flat(load()), expected, strict=True):
            assert isinstance(found, np.ndarray)
            assert found.dtype == wanted.dtype
            assert found.flags.writeable
            np.testing.assert_array_equal(found, wanted)


# --- what they give --------------------------------------------------------------------------------------------------


def test_mnist(home, web):
    check(datasets.mnist.load_data, DIGITS.values())
    assert web.asked == ["/mnist.npz"]
    assert os.listdir(home) == ["mnist.npz"]
    check(lambda: datasets.mnist.load_data("digits.npz"), DIGITS.values())
    assert sorted(os.listdir(home)) == ["digits.npz", "mnist.npz"]


def test_fashion_mnist(home, web):
    check(datasets.fashion_mnist.load_data, DIGITS.values())
    assert sorted(web.asked) == sorted(f"/{name}" for name in files.FASHION_MNIST)
    assert sorted(os.listdir(home / "fashion-mnist")) == sorted(files.FASHION_MNIST)


def images(records, labels):
    """Element by element: the byte of a colour at a row and a column stands at 1024 * colour + 32 * row + column."""
    found = np.empty((len(records), 32, 32, 3), np.uint8)
    for row, column, colour in np.ndindex(32, 32, 3):
        found[:, row, column, colour] = records[:, labels + 1024 * colour + 32 * row + column]
    return found


def test_cifar10(home, web):
    train = np.concatenate([CIFAR10[f"cifar-10-batches-bin/data_batch_{i}.bin"] for i in range(1, 6)])
    test = CIFAR10["cifar-10-batches-bin/test_batch.bin"]
    check(datasets.cifar10.load_data, [images(train, 1), train[:, :1], images(test, 1), test[:, :1]])
    assert web.asked == ["/cifar-10-binary.tar.gz"]
    assert os.listdir(home) == ["cifar-10-binary.tar.gz"]


@pytest.mark.parametrize(("mode", "label"), [("fine", 1), ("coarse", 0)])
def test_cifar100(home, web, mode, label):
    train, test = CIFAR100.values()
    check(
        lambda: datasets.cifar100.load_data(mode),
        [images(train, 2), train[:, label : label + 1], images(test, 2), test[:, label : label + 1]],
    )
    with pytest.raises(ValueError, match="label_mode"):
        datasets.cifar100.load_data("other")


def rows(count, seed, cut):
    order = np.arange(count)
    np.random.RandomState(seed).shuffle(order)
    return [HOUSES[name][part] for part in (order[:cut], order[cut:]) for name in ("x", "y")]


def test_housing(home, web):
    check(datasets.boston_housing.load_data, rows(700, 113, 560))
    check(datasets.california_housing.load_data, rows(700, 113, 560))
    check(lambda: datasets.california_housing.load_data("small", test_split=0.5, seed=3), rows(600, 3, 300))
    check(lambda: datasets.boston_housing.load_data(test_split=0.0), rows(700, 113, 700))
    for split in (-0.1, 1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="test_split"):
            datasets.boston_housing.load_data(test_split=split)
    with pytest.raises(ValueError, match="version"):
        datasets.california_housing.load_data("medium")


# --- paths, hashes, no network ---------------------------------------------------------------------------------------


def test_an_absolute_path_is_used_as_it_is(home, web, tmp_path):
    path = tmp_path / "mine.npz"
    other = {name: array[:1] for name, array in DIGITS.items()}
    path.write_bytes(npz(**other))
    check(lambda: datasets.mnist.load_data(str(path)), other.values())
    check(lambda: datasets.mnist.load_data(path), other.values())
    assert web.asked == []
    check(lambda: datasets.mnist.load_data(tmp_path / "folder" / "new.npz"), DIGITS.values())
    assert web.asked == ["/mnist.npz"]
    assert not home.exists()


def test_a_path_below_the_cache_is_a_name(home, web):
    with pytest.raises(ValueError, match="Paths are no longer accepted"):
        datasets.mnist.load_data("folder/mnist.npz")


def test_a_file_of_another_hash_is_not_used(home, web, monkeypatch):
    monkeypatch.setitem(files.SOURCES, "mnist", files.SOURCES["mnist"]._replace(hash="0" * 64))
    with pytest.raises(ValueError, match="Incomplete or corrupted"):
        datasets.mnist.load_data()
    assert os.listdir(home) == []


@pytest.mark.parametrize(
    ("module", "file"),
    [("mnist", "mnist.npz"), ("cifar10", "cifar-10-binary.tar.gz"), ("fashion_mnist", "train-images-idx3-ubyte.gz")],
)
def test_without_a_network_the_error_says_where_to_put_the_file(home, monkeypatch, module, file):
    for name, source in files.SOURCES.items():
        monkeypatch.setitem(files.SOURCES, name, source._replace(url="http://127.0.0.1:9/" + source.url.split("/")[-1]))
    folder = home / "fashion-mnist" if module == "fashion_mnist" else home
    with pytest.raises(OSError, match="URL fetch failure") as caught:
        getattr(datasets, module).load_data()
    assert str(caught.value).endswith(f"put the file at {folder / file}")


# --- files that are not what they should be ---------------------------------------------------------------------------


class Harmful:
    def __reduce__(self):
        return print, ("code ran",)


def test_pickles_are_not_read(home, tmp_path, capsys):
    path = tmp_path / "pickle.npz"
    array = np.empty(1, object)
    array[0] = Harmful()
    np.savez(path, **{**DIGITS, "x_train": array})
    with pytest.raises(ValueError, match="allow_pickle"):
        datasets.mnist.load_data(path)
    path.write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(ValueError, match="pickle"):
        datasets.mnist.load_data(path)
    assert "code ran" not in capsys.readouterr().out
    for name in ("imdb", "reuters"):
        with pytest.raises(AttributeError, match="pickle"):
            getattr(datasets, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = datasets.nothing


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x08\x01\0\0",
        b"\0\0\x0d\x01\0\0\0\x01x",
        b"\0\0\x08\x01\0\0\0\x02x",
        b"\0\0\x08\x01\0\0\0\x01xy",
        b"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xffx",
    ],
)
def test_a_broken_idx_file(tmp_path, content):
    path = tmp_path / "broken.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=r"broken.gz"):
        files.load_idx(path)


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 3072, b"x" * 3074])
def test_a_broken_archive_of_images(tmp_path, content):
    path = tmp_path / "broken.tar.gz"
    path.write_bytes(tar({"test.bin": content}))
    with pytest.raises(ValueError, match="records of 3073 bytes"):
        files.load_images(path, ["test.bin"], 1, 0)


def test_the_addresses_and_hashes_are_complete():
    for name, source in files.SOURCES.items():
        assert source.url.startswith("https://")
        assert name in files.FASHION_MNIST or len(source.hash) in (32, 64)
