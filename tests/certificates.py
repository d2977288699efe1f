"""Certificates of a test's own CA, in the forms that the servers take."""

from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12
from cryptography.x509 import load_pem_x509_certificate

CA = trustme.CA()


def ca_file(folder: Path, ca: trustme.CA = CA) -> Path:
    """The CA's certificate, which clients trust."""
    path = folder / f"ca-{id(ca)}.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


def pem_file(path: Path, *names: str, ca: trustme.CA = CA) -> Path:
    """A key and its certificate for these names, in one file."""
    ca.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def keystore(path: Path, password: str, *names: str) -> Path:
    """The same in the form that Java takes, PKCS #12."""
    pair = CA.issue_cert(*names)
    key, certificate = (
        load_pem_private_key(pair.private_key_pem.bytes(), None),
        pair.cert_chain_pems[0].bytes(),
    )
    encryption = BestAvailableEncryption(password.encode())
    content = pkcs12.serialize_key_and_certificates(
        b"server", key, load_pem_x509_certificate(certificate), None, encryption  # type: ignore[arg-type]
    )  # fmt: skip
    path.write_bytes(content)
    return path


def truststore(path: Path, password: str) -> Path:
    """The CA's certificate in that form."""
    trusted = pkcs12.PKCS12Certificate(load_pem_x509_certificate(CA.cert_pem.bytes()), b"ca")
    encryption = BestAvailableEncryption(password.encode())
    path.write_bytes(pkcs12.serialize_java_truststore([trusted], encryption))
    return path
