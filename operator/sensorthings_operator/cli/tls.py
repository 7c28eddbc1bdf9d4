"""TLS for the command line's clients, always with verification, and what its failures mean for people.

Called by ``access`` (HTTP), ``subscription`` (MQTT) and ``tokens``.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import aiohttp

if TYPE_CHECKING:
    import socket
    from pathlib import Path

# X509_V_ERR_* of OpenSSL (x509_vfy.h).
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_SELF_SIGNED: Final = 18
_OTHER_NAMES: Final = {62, 64}  # hostname, IP address
_NO_TLS: Final = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}


@dataclass(frozen=True, slots=True)
class Authority:
    """Certificate authorities in PEM, and the file they were read from."""

    file: Path
    pem: str

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read the file that a person named.

        Raises:
            ValueError: with a sentence that says what is wrong with it.
        """
        try:
            pem = file.read_text(encoding="ascii")
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
        # An SSLError is an OSError too; a ValueError is for bytes that are no text, and for an empty file.
        except (ssl.SSLError, ValueError) as error:
            message = f"{file} holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"
            raise ValueError(message) from error
        except OSError as error:
            message = f"{file} can't be read: {error.strerror}"
            raise ValueError(message) from error
        return cls(file, pem)


def context(authority: Authority | None) -> ssl.SSLContext:
    """A client's context that trusts these authorities and no others; the system's where there are none."""
    return ssl.create_default_context(cadata=authority.pem if authority else None)


class NamedContext(ssl.SSLContext):
    """A context that asks for, and verifies, one name, whatever address the connection was made to.

    For paho-mqtt, which takes the address it connects to for the name.
    """

    _name: str
    _wrapped: ssl.SSLSocket | None

    @classmethod
    def of(cls, name: str, authority: Authority | None) -> Self:
        """A context for one host, which trusts these authorities; the system's where there are none."""
        made = cls(ssl.PROTOCOL_TLS_CLIENT)
        made._name, made._wrapped = name, None
        if authority is None:
            made.load_default_certs()
        else:
            made.load_verify_locations(cadata=authority.pem)
        return made

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """As of ``ssl.SSLContext``, with the name of this context for ``server_hostname``."""
        self._wrapped = super().wrap_socket(sock, *arguments, **{**options, "server_hostname": self._name})
        return self._wrapped

    def close(self) -> None:
        """Close the last socket: paho-mqtt leaves one whose handshake failed to the garbage collector."""
        if self._wrapped is not None:
            self._wrapped.close()


class Failure(NamedTuple):
    """Why TLS failed, and what to do."""

    what: str
    remedy: str


def failure(error: Exception, host: str, authority: Authority | None) -> Failure | None:
    """What an error of a connection says to people; None where it is not one of TLS.

    Args:
        error: As the socket, paho-mqtt or aiohttp raised it.
        host: The name in the URL.
        authority: Whom the connection trusts, beside nobody else; None for the system's.
    """
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _certificate(cause, host, authority)
    if isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError)):
        return Failure(
            "The connection was closed during the TLS handshake",
            "The server may have no certificate yet: look at the certificate in `sensorthings status`.",
        )
    if not isinstance(cause, ssl.SSLError):
        return None
    if cause.reason in _NO_TLS:
        return Failure(
            "This port speaks no TLS",
            "Use the port of TLS, or http://, mqtt:// or ws:// where the service is not exposed.",
        )
    return Failure(f"TLS failed: {cause.reason or cause}", "Look at the log of what ends TLS there.")


def _cause(error: Exception) -> BaseException | None:
    """What went wrong while the connection was made."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return error.certificate_error
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error
    return None if isinstance(error, aiohttp.ClientError) else error


def _certificate(error: ssl.SSLCertVerificationError, host: str, authority: Authority | None) -> Failure:
    if error.verify_code in _OTHER_NAMES:
        return Failure(
            f"The certificate is not valid for '{host}': it names other hosts",
            "Write the name that stands in the certificate into the URL; --connect-to ADDRESS says where it answers.",
        )
    if error.verify_code == _EXPIRED:
        return Failure(
            f"The certificate of '{host}' has expired",
            "cert-manager should have renewed it: look at `sensorthings status`. Is the clock of this machine right?",
        )
    if error.verify_code == _NOT_YET_VALID:
        return Failure(f"The certificate of '{host}' is not valid yet", "Is the clock of this machine right?")
    return _issuer(error, host, authority)


def _issuer(error: ssl.SSLCertVerificationError, host: str, authority: Authority | None) -> Failure:
    if error.verify_code == _SELF_SIGNED:
        return Failure(
            f"The certificate of '{host}' is self-signed, and not trusted",
            "An ingress controller answers with one of its own until the service's certificate is there: "
            "look at `sensorthings status`.",
        )
    if authority is None:
        return Failure(
            f"The certificate of '{host}' is of a CA that this machine does not trust ({error.verify_message})",
            "Where the CA is a private one, name its certificate with --cacert FILE.",
        )
    return Failure(
        f"The certificate of '{host}' is not of a CA in {authority.file} ({error.verify_message})",
        "Name the CA that issued it with --cacert, or leave --cacert out where it is a public one.",
    )
