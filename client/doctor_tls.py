"""The part of `telegrad doctor` that is about TLS: what is wrong with a certificate, and who speaks TLS at all.

Owns: `check`, `speaks_tls`. Does not know the other steps.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from client.doctor import Case, Fault

_SOON: Final = 14 * 86400
_PROBE: Final = 2.0
"""Seconds for an answer to a handshake."""
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_ISSUER: Final = (2, 18, 19, 20, 21)
_OTHER_NAME: Final = (62, 64)
"""OpenSSL's verification codes (X509_V_ERR_...)."""


def check(case: Case) -> str:
    """The TLS version, once the server's certificate is verified. Raises Fault."""
    from client.doctor import Fault

    try:
        version, certificate = _handshake(case, case.endpoint.ssl_context())
    except ssl.SSLCertVerificationError as error:
        raise _distrusted(case, error) from None
    except OSError as error:
        if _speaks_http(case):
            plain = f"http://{case.endpoint.host}:{case.endpoint.port}{case.endpoint.prefix}"
            raise Fault("the port speaks plain HTTP, and the URL says https://", f"Use {plain}") from None
        raise Fault(
            f"TLS fails: {getattr(error, 'reason', None) or error}",
            "Check the port, and whether a proxy or an old TLS version is in the way.",
        ) from None
    left = ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()
    if left < _SOON:
        case.notes.append((f"the certificate expires on {certificate['notAfter']}", "Renew it on the server."))
    return f"{version}, with a certificate that this machine trusts"


def _handshake(case: Case, context: ssl.SSLContext | None) -> tuple[str | None, dict[str, Any]]:
    assert context is not None
    with (
        socket.create_connection(case.address, case.timeout) as plain,
        context.wrap_socket(plain, server_hostname=case.endpoint.host) as secure,
    ):
        return secure.version(), secure.getpeercert() or {}


def _distrusted(case: Case, error: ssl.SSLCertVerificationError) -> Fault:
    from client.doctor import Fault

    code, host = error.verify_code, case.endpoint.host
    if code == _EXPIRED:
        return Fault("the server's certificate has expired", "Renew it on the server. Is this machine's clock right?")
    if code == _NOT_YET_VALID:
        return Fault("the server's certificate is not valid yet", "This machine's clock, or the server's, is wrong.")
    if code in _OTHER_NAME:
        return Fault(
            f"the server's certificate is not for {host}, but for {_names(case) or 'other names'}",
            "Connect by one of its names, or make a certificate that has this one.",
        )
    if code in _UNKNOWN_ISSUER:
        return Fault(
            f"nobody whom this machine trusts vouches for the server's certificate ({error.verify_message})",
            "If it is self-signed or from an authority of your own, copy that certificate here and set SSL_CERT_FILE "
            "to its path; else give the server the whole chain of certificates.",
        )
    return Fault(f"the server's certificate is refused: {error.verify_message}", "Look at it on the server.")


def _names(case: Case) -> str:
    context = case.endpoint.ssl_context()
    assert context is not None
    context.check_hostname = False
    with contextlib.suppress(OSError):
        return ", ".join(str(name) for _, name in _handshake(case, context)[1].get("subjectAltName", ()))
    return ""


def speaks_tls(case: Case) -> bool:
    """Whether the port answers a TLS handshake, with whatever certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    hurried = dataclasses.replace(case, timeout=min(case.timeout, _PROBE))  # most that speak no TLS wait for more
    with contextlib.suppress(OSError):
        _handshake(hurried, context)
        return True
    return False


def _speaks_http(case: Case) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(case.address, case.timeout) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return plain.recv(5) == b"HTTP/"
    return False
