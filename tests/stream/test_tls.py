"""The same over TLS: small values, many ops, large values both ways; an unknown certificate is refused."""

import shutil
import subprocess

import pytest

from tests.support import run_program, serving

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command for a certificate")

PROGRAM = """
import os, threading
import numpy as np
import client as tf
tf.connect(os.environ["SERVER"], os.environ["TOKEN"])
y = x = tf.ones([4, 4])
for _ in range(5000):
    y = y + x
assert y.numpy()[0, 0] == 5001.0
values = np.arange(2**20, dtype=np.float32)
np.testing.assert_array_equal((tf.constant(values) * 2.0).numpy(), values * 2)
sums = []
def work():
    for i in range(200):
        sums.append(float(tf.reduce_sum(x * float(i))))
threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
assert sum(sums) == 4 * 16 * sum(range(200))
print(tf.stats()["reconnects"])
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run(
        [*command, "-addext", "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]],
        check=True,
        capture_output=True,
    )
    return paths


def test_everything_over_tls(certificate):
    cert, key = map(str, certificate)
    with serving("--tls-cert", cert, "--tls-key", key) as server:
        assert server.url.startswith("https://")
        done = run_program(PROGRAM, SERVER=server.url, TOKEN=server.token, SSL_CERT_FILE=cert)
        assert (done.stdout, done.returncode) == ("0\n", 0), done.stderr


def test_a_certificate_nobody_vouches_for_is_refused(certificate):
    cert, key = map(str, certificate)
    with serving("--tls-cert", cert, "--tls-key", key) as server:
        done = run_program(PROGRAM, SERVER=server.url, TOKEN=server.token)
        assert "UnavailableError" in done.stderr
        assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
