"""The images: what is in them, and what is not."""

from __future__ import annotations

import gzip
import json
import subprocess
import tarfile
from collections.abc import Iterator

import pytest

from tests.docker.engine import MARKER, WANTED

pytestmark = pytest.mark.timeout(1500)  # the first build downloads


def inside(engine, image, *command):
    """Run a command in a new container of the image, without the server."""
    return engine("run", "--rm", "--entrypoint", command[0], image, *command[1:], check=False)


def saved_files(engine, image) -> Iterator[bytes]:
    """All that the image consists of, file by file: a layer is one, an archive in the archive."""
    with (
        subprocess.Popen([engine.command, "save", image], stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        for member in archive:
            if member.isreg():
                content = archive.extractfile(member).read()
                yield gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def test_nothing_of_the_build_secrets_stays(engine, cpu_image):
    assert MARKER not in engine("history", "--no-trunc", cpu_image).stdout
    size = 0
    for content in saved_files(engine, cpu_image):
        assert MARKER.encode() not in content
        size += len(content)
    assert size > 200 * 2**20  # the packages were looked through too


def test_no_compiler_no_pip_no_cache(engine, cpu_image):
    for tool in ("gcc", "cc", "make"):
        assert inside(engine, cpu_image, "sh", "-c", f"command -v {tool}").returncode != 0
    assert inside(engine, cpu_image, "python", "-m", "pip").returncode != 0
    found = inside(engine, cpu_image, "sh", "-c", "ls -d /src /run/secrets /etc/pip.conf /tmp/* /var/lib/apt/lists/*_*")
    assert found.stdout == ""


def test_the_image_runs_as_a_user_of_its_own_and_checks_its_health(engine, cpu_image):
    config = json.loads(engine("inspect", cpu_image).stdout)[0]["Config"]
    assert config["Healthcheck"]["Test"][0] == "CMD" and "8470/tcp" in config["ExposedPorts"]
    assert inside(engine, cpu_image, "id", "-u").stdout.strip() == "10001"
    # Python files were compiled when the image was built: a read-only container cannot.
    code = "import server.app, sys; print(server.app.__cached__)"
    cached = inside(engine, cpu_image, "python", "-c", code).stdout.strip()
    assert inside(engine, cpu_image, "test", "-f", cached).returncode == 0


def test_without_a_token_it_says_what_is_missing(engine, cpu_image):
    done = engine("run", "--rm", cpu_image, check=False)
    assert done.returncode == 2 and "needs a token" in done.stderr


@pytest.mark.skipif(not WANTED, reason="gigabytes to download: only with TELEGRAD_DOCKER_TESTS=1")
def test_the_gpu_image_imports_cupy_and_says_when_there_is_no_gpu(engine, base, tmp_path):
    image = engine.build("gpu", base, tmp_path)
    try:
        code = "import cupy; from cupy.cuda import nvrtc, cublas, cusolver; print(cupy.__version__, nvrtc.getVersion())"
        done = inside(engine, image, "python", "-c", code)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.partition(".")[0]) >= 14
        environment = json.loads(engine("inspect", image).stdout)[0]["Config"]["Env"]
        assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in environment
        assert MARKER not in engine("history", "--no-trunc", image).stdout
        if "nvidia" not in engine("info").stdout:
            done = engine("run", "--rm", "--env=TELEGRAD_TOKEN=x", image, check=False)
            assert done.returncode != 0 and "no GPU can be used" in done.stderr
    finally:
        engine("rmi", image, check=False)
