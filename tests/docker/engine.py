"""A Docker engine for tests, where there is one: its command, a base image, images of ours, what compose started.

Owns: finding these or skipping with the reason; the secrets that a build on this machine needs. Does not know what is
tested.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import ROOT, wait_until

OFFICIAL = "python:3.12-slim"
LOCAL = "telegrad-test/debian:bookworm"
IMAGE = "telegrad-test"
WANTED = os.environ.get("TELEGRAD_DOCKER_TESTS") == "1"

MARKER = "nothing-of-this-stays-5f2c1c0d"
"""Stands in every build secret. Always the same: a step that the builder remembers has been given this one too."""


class Engine:
    """The engine's command line."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __call__(self, *arguments: str, check: bool = True, timeout: float = 600.0) -> subprocess.CompletedProcess[str]:
        """Run `docker ...`; an error of its fails the test with what it printed."""
        return run([self.command, *arguments], check=check, timeout=timeout)

    def has(self, image: str) -> bool:
        return self("image", "inspect", image, check=False).returncode == 0

    def build(self, target: str, base: str, scratch: Path, *options: str) -> str:
        """Build a target of the Dockerfile; the image's name."""
        name = f"{IMAGE}:{target}"
        given = [f"--secret=id={each},src={path}" for each, path in build_secrets(scratch).items()]
        self(
            "build", "--progress=plain", "--file=docker/Dockerfile", f"--target={target}", f"--tag={name}",
            f"--build-arg=BASE={base}", *given, *options, ".",
        )  # fmt: skip
        return name


def run(
    command: list[str], *, check: bool = True, timeout: float = 600.0, **environment: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "DOCKER_BUILDKIT": "1", **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and done.returncode:
        pytest.fail(f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}")
    return done


def find_engine() -> Engine:
    """The first `docker` on the path that reaches an engine and can build with BuildKit; else the test is skipped."""
    reason = "no docker command"
    for folder in os.get_exec_path():
        command = shutil.which("docker", path=folder)
        if command is None:
            continue
        engine = Engine(command)
        if engine("info", check=False, timeout=60.0).returncode:
            reason = "no Docker engine can be reached"
        elif _builds(engine):
            return engine
        else:
            reason = "docker cannot build with BuildKit: the buildx component is missing"
    pytest.skip(reason)


def _builds(engine: Engine) -> bool:
    """Whether BuildKit is there: by buildx, or in the command itself, as it was before version 23."""
    if engine("buildx", "version", check=False).returncode == 0:
        return True
    version = engine("version", "--format={{.Client.Version}}", check=False).stdout
    return version.partition(".")[0].isdecimal() and int(version.partition(".")[0]) < 23


def find_base(engine: Engine) -> str:
    """An image to build on: one that is here; where Docker tests are asked for, one that is pulled or made."""
    here = os.environ.get("TELEGRAD_DOCKER_BASE") or next(filter(engine.has, (OFFICIAL, LOCAL)), None)
    if here:
        return here
    if not WANTED:
        pytest.skip("no base image here; with TELEGRAD_DOCKER_TESTS=1 one is pulled or made")
    if engine("pull", OFFICIAL, check=False, timeout=300.0).returncode == 0:
        return OFFICIAL
    made = run([str(Path(__file__).with_name("make_base.sh")), LOCAL], check=False, DOCKER=engine.command)
    if made.returncode:
        pytest.skip(f"no base image can be pulled or made: {made.stderr[-500:]}")
    return LOCAL


def build_secrets(scratch: Path) -> dict[str, Path]:
    """This machine's pip settings, as a pip.conf and a file of certificates for the builder."""
    settings = {}
    for line in run([sys.executable, "-m", "pip", "config", "list"], check=False).stdout.splitlines():
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = value.strip("'")
    kept = {k: settings[k] for k in ("index-url", "extra-index-url", "trusted-host", "timeout") if k in settings}
    certificates = scratch / "ca"
    if "cert" in settings:
        certificates.write_text(f"{Path(settings['cert']).read_text()}\n# {MARKER}\n")
        kept["cert"] = "/run/secrets/ca"
    lines = [f"{k} = {v}" for k, v in kept.items()]
    (scratch / "pip.conf").write_text("\n".join(["[global]", f"# {MARKER}", *lines, ""]))
    return {"pip": scratch / "pip.conf"} | ({"ca": certificates} if "cert" in settings else {})


class Service:
    """The server as compose runs it: a project of its own, on a free loopback port."""

    def __init__(self, engine: Engine, compose: list[str], scratch: Path) -> None:
        self.engine = engine
        self.scratch = scratch
        self.token = ""
        self._compose = [*compose, f"--project-name=telegrad-test-{secrets.token_hex(4)}", "--profile=cpu"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._settings = {"TELEGRAD_IMAGE": IMAGE, "TELEGRAD_PORT": str(port), "TELEGRAD_TOKEN": ""}
        self._given: dict[str, str] = {}

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `docker compose ...`."""
        return run([*self._compose, *arguments], check=check, **{**self._settings, **self._given})

    def shell(self, arguments: str) -> str:
        """Run `docker compose ...`, which may name files to read and write; what it says on standard error."""
        return run(["sh", "-c", f"{shlex.join(self._compose)} {arguments}"], **{**self._settings, **self._given}).stderr

    def up(self, **environment: str) -> None:
        """Start it, or start it anew with other settings; until it answers."""
        self._given = environment
        self("up", "--detach", "--no-build", "cpu")
        self.wait()

    def wait(self) -> None:
        """Until it answers. A container that will not is shown with what it printed."""
        try:
            wait_until(self._ready, 30.0)
        except AssertionError:
            pytest.fail(f"{self('ps').stdout}\n{self('logs', '--no-color').stdout[-4000:]}")

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    @property
    def container(self) -> str:
        """Its id. Running or not: `ps` of Compose 2 hides what has stopped."""
        project = self._compose[-2].partition("=")[2]
        label = f"--filter=label=com.docker.compose.project={project}"
        return self.engine("ps", "--all", "--quiet", label).stdout.strip()

    def inspect(self) -> dict[str, Any]:
        """What the engine knows of the container."""
        found: dict[str, Any] = json.loads(self.engine("inspect", self.container).stdout)[0]
        return found

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container."""
        return self.engine("exec", self.container, *command, check=False)


def find_compose(engine: Engine) -> list[str]:
    """`docker compose`, or the older command of its own; else the test is skipped."""
    if engine("compose", "version", check=False).returncode == 0:
        return [engine.command, "compose"]
    older = shutil.which("docker-compose")
    return [older] if older else pytest.skip("no docker compose")


@contextlib.contextmanager
def composed(engine: Engine, scratch: Path) -> Iterator[Service]:
    """A service that is not started yet; what it leaves behind is removed."""
    service = Service(engine, find_compose(engine), scratch)
    try:
        yield service
    finally:
        service("down", "--volumes", "--timeout=10", check=False)
