"""Whether the server in this container is ready: exit status 0 when `/readyz` says so, 1 otherwise.

Owns: finding the server by the settings from the environment that it was started with (TELEGRAD_PORT,
TELEGRAD_TLS_CERT). Does not know what readiness means. Only the standard library, which starts in a tenth of a second.
"""

from __future__ import annotations

import http.client
import os
import ssl
import sys


def ready(port: int, tls: bool) -> bool:
    """Whether `/readyz` answers 200. The certificate names the host as seen from outside, so it is not checked."""
    connection: http.client.HTTPConnection
    if tls:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=4, context=ssl._create_unverified_context())
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError as error:
        print(error)  # docker inspect shows it
        return False


if __name__ == "__main__":
    sys.exit(not ready(int(os.environ.get("TELEGRAD_PORT", "8470")), bool(os.environ.get("TELEGRAD_TLS_CERT"))))
