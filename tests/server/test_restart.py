"""A server that is told to stop and started again: programs see a pause, and end with the same bits."""

import io
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from protocol import wire
from protocol.wire import Item
from tests.stream.raw import Raw, http
from tests.support import ROOT, ServerProcess, serving

PROGRAM = Path(__file__).with_name("training.py")
STEPS = 120
BIND, CONST, READ, RUN = wire.BIND, wire.CONST, wire.READ, wire.RUN
ONES = np.ones(3, np.float32)


def started(folder, isolation, port=0, token=None, **options) -> ServerProcess:
    return ServerProcess(
        "--data-dir", str(folder), "--isolation", isolation, "--port", str(port), token=token, **options
    )  # fmt: skip


def stopped(server: ServerProcess) -> int:
    """Tell a server to stop; its exit status."""
    status = server.terminate()
    server.close()
    return status


def training(server: ServerProcess) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TELEGRAD_URL": server.url, "TELEGRAD_TOKEN": server.token}
    command = [sys.executable, str(PROGRAM), str(STEPS)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def undisturbed():
    with serving() as server:
        output, errors = training(server).communicate(timeout=100)
    assert "digest" in output, errors
    return output.splitlines()[-1]


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_a_training_goes_on_through_restarts(tmp_path, undisturbed, isolation):
    seed = int.from_bytes(os.urandom(4))
    print("the steps come of the seed", seed)
    moments = sorted(random.Random(seed).sample(range(1, STEPS - 10), 3))
    server = started(tmp_path, isolation)
    try:
        program = training(server)
        lines: list[str] = []
        assert program.stdout is not None and program.stderr is not None
        for line in program.stdout:
            lines.append(line.strip())
            if moments and line == f"step {moments[0]}\n":
                moments.pop(0)
                assert stopped(server) == 0
                server = started(tmp_path, isolation, server.port, server.token)
        _, errors = program.communicate(timeout=100)
        assert program.returncode == 0, errors
    finally:
        server.close()
    assert lines[:-1] == [f"step {i}" for i in range(STEPS)]  # each once
    assert lines[-1] == undisturbed


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_what_was_taken_and_not_executed_is_executed_by_the_next(tmp_path, isolation):
    server = started(tmp_path, isolation)
    with Raw(server) as raw:
        raw.send([BIND, 0, "matmul"], [BIND, 1, "add"], [CONST, 1, np.ones((900, 900), np.float32)], [CONST, 2, ONES])
        for i in range(40):  # it takes a while; each frame on its own
            raw.send([RUN, 0, 10 + i, [1, 1]], [RUN, 1, 100 + i, [2 if not i else 99 + i, 2]])
        raw.send([READ, 1, 139])
        session, seq = raw.session, raw.seq
        done = threading.Thread(target=stopped, args=(server,))
        done.start()
        raw.end(30)
        done.join(30)
    server = started(tmp_path, isolation, server.port, server.token)
    try:
        with Raw(server, session, seq=seq, expects=raw.received + 1) as again:
            assert again.welcome["expects"] == seq + 1
            assert np.array_equal(again.replies(1)[0][2], 41 * ONES)
    finally:
        server.close()


def test_replies_pins_uploads_poison_and_tapes_are_kept(tmp_path):
    large = np.arange(2**19, dtype=np.float32)
    server = started(tmp_path, "process")
    with Raw(server) as raw, http(server) as web:
        raw.send([BIND, 0, "linalg_inv"], [BIND, 1, "multiply"], [BIND, 2, "assign"])
        raw.send([Item.TAPE, 5], [Item.VARIABLE, 6, ONES], [RUN, 1, 7, [6, 6], None, None, [5]])
        raw.send([RUN, 0, 8, [np.zeros((2, 2))]])  # poison; effects are skipped from here on
        failed = raw.replies(1)[0]
        raw.send([CONST, 9, large[:100]], [Item.UPLOAD, 10, 1, _float(), [2**19]])
        half = large.nbytes // 2
        headers = {"content-range": f"bytes 0-{half - 1}/{large.nbytes}"}
        path = f"/v1/sessions/{raw.session}"
        assert web.put(f"{path}/uploads/1", content=large.tobytes()[:half], headers=headers).status_code == 200
        whole = {"content-range": f"bytes 0-{large.nbytes - 1}/{large.nbytes}"}
        assert web.put(f"{path}/uploads/2", content=large.tobytes(), headers=whole).status_code == 200
        raw.send([Item.UPLOAD, 11, 2, _float(), [2**19]], [Item.READ_MANY, 1, [11, 9]])
        assert raw.replies(1)[0][0] == Item.PAYLOADS
        raw.send([READ, 2, 9])  # its reply is not acknowledged
        raw.replies(1)
        session, seq, received = raw.session, raw.seq, raw.received
        assert stopped(server) == 0
    server = started(tmp_path, "process", server.port, server.token)
    try:
        with Raw(server, session, seq=seq, expects=received) as raw, http(server) as web:
            assert np.array_equal(raw.replies(1)[0][2], large[:100])  # sent again
            assert web.get(f"{path}/reads/1").content == large.tobytes() + large[:100].tobytes()
            assert web.get(f"{path}/uploads/1").json() == {"received": half}
            headers = {"content-range": f"bytes {half}-{large.nbytes - 1}/{large.nbytes}"}
            assert web.put(f"{path}/uploads/1", content=large.tobytes()[half:], headers=headers).status_code == 200
            raw.send([Item.READ_MANY, 3, [10]])
            raw.replies(1)
            assert web.get(f"{path}/reads/3").content == large.tobytes()
            raw.send([READ, 4, 8])
            assert raw.replies(1)[0][5] == failed[1]
            raw.send([RUN, 2, 0, [6, 2 * ONES]], [READ, 5, 6])
            assert np.array_equal(raw.replies(1)[0][2], ONES)  # still skipped
            raw.send([Item.CLEAR, failed[1]], [Item.GRADIENT, 5, [7], [6], [12]], [READ, 6, 12])
            assert np.array_equal(raw.replies(1)[0][2], 2 * ONES)
    finally:
        server.close()


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_what_waits_for_half_an_upload_is_executed_by_the_next(tmp_path, isolation):
    """The rest of its bytes cannot come to a server that stops: it must not wait for them until its time is over."""
    large = np.random.default_rng(2).standard_normal(2**19).astype(np.float32)
    half = large.nbytes // 2
    server = started(tmp_path, isolation)
    with Raw(server) as raw, http(server) as web:
        path = f"/v1/sessions/{raw.session}/uploads/1"
        headers = {"content-range": f"bytes 0-{half - 1}/{large.nbytes}"}
        assert web.put(path, content=large.tobytes()[:half], headers=headers).status_code == 200
        raw.ask([BIND, 0, "add"], [CONST, 1, ONES], [READ, 1, 1])
        raw.send([Item.UPLOAD, 2, 1, _float(), [2**19]], [READ, 2, 1], [RUN, 0, 3, [2, 2]], [READ, 3, 3], [READ, 4, 1])
        assert raw.replies(1)[0][1] == 2  # the addition is next
        session, seq, received = raw.session, raw.seq, raw.received
        assert stopped(server) == 0
    server = started(tmp_path, isolation, server.port, server.token)
    try:
        with Raw(server, session, seq=seq, expects=received + 1) as raw, http(server) as web:
            headers = {"content-range": f"bytes {half}-{large.nbytes - 1}/{large.nbytes}"}
            assert web.put(path, content=large.tobytes()[half:], headers=headers).status_code == 200
            assert [reply[1] for reply in raw.replies(2)] == [3, 4]
            assert web.get(f"/v1/sessions/{session}/reads/3").content == (2 * large).tobytes()
    finally:
        server.close()


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_checks_of_numerics_stay_on(tmp_path, isolation):
    server = started(tmp_path, isolation)
    with Raw(server) as raw:
        raw.send([BIND, 0, "log"], [Item.SET, "check_numerics", True])
        raw.ask([CONST, 1, -ONES], [READ, 1, 1])
        session, seq, received = raw.session, raw.seq, raw.received
        assert stopped(server) == 0
    server = started(tmp_path, isolation, server.port, server.token)
    try:
        with Raw(server, session, seq=seq, expects=received + 1) as raw:
            raw.send([RUN, 0, 2, [1]])
            failed = raw.replies(1)[0]
            assert failed[0] == Item.FAILED and "NaN" in failed[3]
    finally:
        server.close()


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_published_values_are_kept(tmp_path, isolation):
    """Also where there is no session left, and where a name is given anew by the next server."""
    server = started(tmp_path, isolation)
    value, path = np.arange(6, dtype=np.int16).reshape(2, 3), "/v1/published/weights/latest"
    npy = {"accept": "application/x-npy"}
    with Raw(server) as raw, http(server) as web:
        raw.ask([CONST, 1, value], [Item.PUBLISH, "weights/latest", 1], [READ, 1, 1])
        before = web.get("/v1/published").json()["published"]
        assert web.delete(f"/v1/sessions/{raw.session}").is_success
    assert stopped(server) == 0
    server = started(tmp_path, isolation, server.port, server.token)
    try:
        with Raw(server) as raw, http(server) as web:
            assert web.get("/v1/published").json()["published"] == before
            assert np.array_equal(np.load(io.BytesIO(web.get(path, headers=npy).content)), value)
            assert not list((tmp_path / "sessions").iterdir())
            raw.ask([CONST, 1, value], [Item.PUBLISH, "weights/latest", 1], [READ, 1, 1])
            assert web.get("/v1/published").json()["published"][0]["version"] > before[0]["version"]
    finally:
        server.close()


def _float():
    from protocol.dtypes import as_dtype

    return as_dtype("float32")


def test_files_of_sessions_are_private_and_used_once(tmp_path):
    server = started(tmp_path, "process")
    with Raw(server) as raw:
        raw.ask([CONST, 1, ONES], [READ, 1, 1])
        session, seq = raw.session, raw.seq
        assert stopped(server) == 0
    folder = tmp_path / "sessions"
    assert len(list(folder.iterdir())) == 2
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert {oct(p.stat().st_mode & 0o777) for p in folder.iterdir()} == {"0o600"}
    assert not any(session in p.name for p in folder.iterdir())
    kept = {p.name: p.read_bytes() for p in folder.iterdir()}
    server = started(tmp_path, "process", server.port, server.token)
    server.kill()  # without saving
    server.close()
    for name, content in kept.items():  # a damaged one must not keep the server from starting
        (folder / name).write_bytes(content[: len(content) // 2])
    server = started(tmp_path, "process", server.port, server.token)
    try:
        with Raw(server, session, seq=seq) as raw:
            refused = raw.end()
        assert refused is not None and refused["code"] == 64
    finally:
        server.close()


def test_without_a_data_directory_sessions_are_lost_and_told_so():
    server = ServerProcess("--isolation", "process")
    with Raw(server) as raw:
        raw.ask([CONST, 1, ONES], [READ, 1, 1])
        session = raw.session
        assert stopped(server) == 0
    server = ServerProcess("--isolation", "process", "--port", str(server.port), token=server.token)
    try:
        with Raw(server, session) as raw:
            refused = raw.end()
        assert refused is not None and refused["code"] == 64
    finally:
        server.close()
