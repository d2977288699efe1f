"""Whether TLS comes about with a server, and if not, why not, in words for the one line that a person sees."""

import socket
import ssl
from contextlib import suppress

import certifi

PROBE_SECONDS = 3.0
OTHER_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
EXPIRED = 10
NO_TLS = "does not speak TLS"


def trusted_cas(ca_file: str) -> str:
    """The file of the CAs that every client here trusts: this one, or the public ones, the same on every system."""
    return ca_file or certifi.where()


def tls_context(ca_file: str) -> ssl.SSLContext:
    """What a client needs to see whether a certificate is trusted. Raises OSError for a file that holds no CA (PEM)."""
    context = ssl.create_default_context(cafile=trusted_cas(ca_file))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # from Python 3.13 on, and stricter than the clients
    return context


def tls_fault(host: str, port: int, ca_file: str, ca_setting: str) -> str | None:
    """What is wrong with TLS at this address; None where it comes about, or where nothing answers."""
    try:
        with (
            socket.create_connection((host, port), timeout=PROBE_SECONDS) as connection,
            tls_context(ca_file).wrap_socket(connection, server_hostname=host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message.rstrip(".")
        return f"shows a certificate that is not trusted ({why}): {_cure(error, ca_setting)}"
    except ssl.SSLError as error:
        no_tls = isinstance(error, ssl.SSLEOFError) or error.reason == "WRONG_VERSION_NUMBER"
        return NO_TLS if no_tls else f"refuses TLS ({error.reason})"
    except ConnectionResetError:
        return NO_TLS
    except OSError:
        return None


def speaks_tls(host: str, port: int) -> bool:
    """True if what listens there answers a ClientHello as TLS does. Raises OSError where nothing listens."""
    with socket.create_connection((host, port), timeout=PROBE_SECONDS) as connection:
        try:
            connection.sendall(_client_hello())
            return connection.recv(2) in (b"\x16\x03", b"\x15\x03")
        except (TimeoutError, ConnectionError):
            return False


def _client_hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="server")
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def _cure(error: ssl.SSLCertVerificationError, ca_setting: str) -> str:
    if error.verify_code in OTHER_NAME:
        return "write the server's name as its certificate has it"
    if error.verify_code == EXPIRED:
        return "the server needs a new one"
    return f"put the file of the CA that signed it into {ca_setting}"
