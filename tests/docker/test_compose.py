"""`docker compose up cpu`: a program outside trains against it, files outlive containers and volumes, it stops in good
order.
"""

from __future__ import annotations

import secrets
import shlex
import sys

import httpx
import pytest

from tests.docker.engine import run
from tests.faults.run import started
from tests.support import ROOT, run_program, wait_until

pytestmark = pytest.mark.timeout(900)  # the first build downloads

TRAIN = """
import os
import client as tf

tf.connect(os.environ["URL"], os.environ["TOKEN"])
tf.random.set_seed(1)
x = tf.random.normal([256, 4])
y = x @ tf.constant([[1.0], [-2.0], [3.0], [0.5]])
model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
model.compile(tf.keras.optimizers.Adam(0.1), "mse")
losses = model.fit(x, y, epochs=40, verbose=0).history["loss"]
assert losses[0] > 1.0 > 0.01 > losses[-1], losses
path = tf.train.Checkpoint(model=model).save("server://runs/linear")
print(path, [w.numpy().tolist() for w in model.weights])
"""
RESTORE = """
import os
import client as tf

tf.connect(os.environ["URL"], os.environ["TOKEN"])
model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
model.build([None, 4])
path = tf.train.latest_checkpoint("server://runs")
tf.train.Checkpoint(model=model).restore(path).expect_partial()  # of the optimizer nothing is wanted
print(path, [w.numpy().tolist() for w in model.weights])
"""


def output(source, service):
    done = run_program(source, URL=service.url, TOKEN=service.token)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def token_file(service):
    """A token in a file that the server's user can read."""
    service.token = secrets.token_urlsafe(16)
    path = service.scratch / "token"
    path.write_text(service.token)
    path.chmod(0o444)
    return str(path)


def test_files_outlive_a_restart_and_a_new_container(service, token_file):
    service.up(TELEGRAD_TOKEN_FILE=token_file)
    trained = output(TRAIN, service)
    assert trained.startswith("server://runs/linear-1 ")
    service("restart", "cpu")
    service.wait()
    assert output(RESTORE, service) == trained

    old, service.token = service.token, secrets.token_urlsafe(16)
    before = service.container
    service.up(TELEGRAD_TOKEN=service.token)  # other settings: compose replaces the container
    assert service.container != before
    assert output(RESTORE, service) == trained
    refused = httpx.get(f"{service.url}/v1/status", headers={"Authorization": f"Bearer {old}"})
    assert refused.status_code == 401


def test_a_training_goes_on_through_a_restart(service, token_file):
    """The program sees a pause: each step once, and the bits of a training that nobody disturbed."""
    service.up(TELEGRAD_TOKEN_FILE=token_file)
    training = [str(ROOT / "tests/server/training.py"), "80"]

    def trained(*restarts: str) -> list[str]:
        with started(training, service.url, service.token) as program:
            assert program.stdout is not None and program.stderr is not None
            lines = []
            for line in program.stdout:
                lines.append(line.strip())
                if lines[-1] in restarts:
                    service("restart", "cpu")
            errors = program.stderr.read()
        assert program.returncode == 0, errors
        return lines

    undisturbed, first = trained(), service.inspect()["State"]["StartedAt"]
    assert trained("step 20", "step 50") == undisturbed
    assert undisturbed[:-1] == [f"step {i}" for i in range(80)]
    assert service.inspect()["State"]["StartedAt"] != first


def test_the_readmes_back_up_can_be_put_back(service, token_file):
    lines = (ROOT / "docker/README.md").read_text().splitlines()
    commands = [line.replace("docker compose ", "").replace(" gpu ", " cpu ") for line in lines if " tar gpu " in line]
    pack, unpack = (c.replace("backup.tar.gz", shlex.quote(str(service.scratch / "b.tar.gz"))) for c in commands)
    service.up(TELEGRAD_TOKEN_FILE=token_file)
    trained = output(TRAIN, service)
    service.shell(pack)
    service("down", "--volumes")
    service.shell(unpack)
    service.up(TELEGRAD_TOKEN_FILE=token_file)
    assert output(RESTORE, service) == trained


def test_named_tokens_are_made_in_the_volume(service):
    lines = (ROOT / "docker/README.md").read_text().splitlines()
    (make,) = (line.replace("docker compose ", "").replace(" gpu ", " cpu ") for line in lines if "token alice" in line)
    made = service.shell(make)
    service.token = made.split("alice, shown this once: ")[1].split()[0]
    service.up(TELEGRAD_TOKENS_FILE="/var/lib/telegrad/tokens.toml")
    assert output(TRAIN, service).startswith("server://runs/linear-1 ")


def test_an_example_trains(service, token_file):
    service.up(TELEGRAD_TOKEN_FILE=token_file)
    example = [sys.executable, str(ROOT / "examples/linear_regression.py")]
    done = run([*example, f"--url={service.url}", f"--token-file={token_file}"], PYTHONPATH=str(ROOT))
    assert "3.0" in done.stdout and "2.0" in done.stdout, done.stdout


def test_it_is_healthy_confined_and_stops_with_status_0(service, token_file):
    service.up(TELEGRAD_TOKEN_FILE=token_file, TELEGRAD_MEMORY="2g")
    headers = {"Authorization": f"Bearer {service.token}"}
    limits = httpx.get(f"{service.url}/v1/status", headers=headers).json()["limits"]
    assert limits["session_bytes"] == 2**30  # half of the container's, not of the machine's
    wait_until(lambda: service.inspect()["State"]["Health"]["Status"] == "healthy", 90.0)

    assert service.execute("id", "-u").stdout.strip() == "10001"
    assert "Read-only file system" in service.execute("touch", "/opt/telegrad/x").stderr
    assert service.execute("touch", "/tmp/x", "/var/lib/telegrad/x").returncode == 0
    status = dict(line.split(":\t") for line in service.execute("cat", "/proc/1/status").stdout.splitlines())
    assert int(status["CapBnd"], 16) == 0 and status["NoNewPrivs"] == "1"
    assert service.token not in str(service.inspect())  # a token file's content is in no description

    service("stop", "cpu")
    state = service.inspect()["State"]
    assert (state["Status"], state["ExitCode"], state["OOMKilled"]) == ("exited", 0, False)
