"""`docs/checkpoints.md`: its program runs, and the files are as it says."""

import json
import re

import pytest
import safetensors.numpy
import xxhash

import client as tf
from client.train import bundle
from tests.client.waiting import waits
from tests.support import ROOT

TEXT = (ROOT / "docs" / "checkpoints.md").read_text()


def test_the_program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    found: dict = {}
    exec(compile(program, "docs/checkpoints.md", "exec"), found)
    assert int(found["optimizer"].iterations) == 125 and len(found["manager"].checkpoints) == 3
    again: dict = {}
    exec(compile(program, "docs/checkpoints.md", "exec"), again)
    assert int(again["optimizer"].iterations) == 125  # the data was used up


@pytest.fixture
def saved(tmp_path):
    checkpoint = tf.train.Checkpoint(parts={"a/b~": tf.Variable([1.0, 2.0]), "c": [tf.Variable(1 + 2j)]})
    with waits(1):
        return checkpoint.save(tmp_path / "ckpt")


def test_the_files(tmp_path, saved):
    names = sorted(p.name for p in tmp_path.iterdir())
    assert re.fullmatch(r"checkpoint ckpt-1\.data-[0-9a-f]{8}\.safetensors ckpt-1\.index", " ".join(names))
    index = json.loads((tmp_path / "ckpt-1.index").read_text())
    content = index["content"]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    assert index["checksum"] == xxhash.xxh3_64_hexdigest(canonical)
    data = (tmp_path / content["data"]).read_bytes()
    assert len(data) == content["bytes"]
    assert set(content["tensors"]) == {"parts/a~1b~0", "parts/c/0", "save_counter"}
    for tensor in content["tensors"].values():
        assert set(tensor) == {"dtype", "shape", "offset", "checksum"}
    pair = content["tensors"]["parts/a~1b~0"]
    assert data[pair["offset"] :][:8] == b"\0\0\x80\x3f\0\0\0\x40"
    assert pair["checksum"] == xxhash.xxh3_64_hexdigest(data[pair["offset"] :][:8])
    assert safetensors.numpy.load(data)["parts/c/0"].tolist() == [1.0, 2.0]
    assert {k for n in content["nodes"] for k in n} <= {"children", "tensor", "state", "kind"}


def test_keys_that_are_not_known_are_ignored(saved):
    from pathlib import Path

    path = Path(saved + ".index")
    content = json.loads(path.read_text())["content"]
    content["later"] = content["nodes"][0]["later"] = 1
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    whole = {"format": bundle.FORMAT, "version": 1, "checksum": xxhash.xxh3_64_hexdigest(canonical), "content": content}
    path.write_text(json.dumps(whole))
    tf.train.load_checkpoint(saved)
