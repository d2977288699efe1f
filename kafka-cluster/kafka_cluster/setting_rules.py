"""Settings that are right one by one, but don't go together. Each fault is a line with its cure."""

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafka_cluster.settings import Settings


def contradictions(settings: "Settings") -> list[str]:
    """What would be without effect, or could not work."""
    return [*_kafka_login(settings), *_kafka_files(settings), *_http(settings)]


def _kafka_login(settings: "Settings") -> list[str]:
    protocol = settings.kafka_security_protocol
    login = {"kafka_user": settings.kafka_user, "kafka_password": settings.kafka_password}
    if protocol == "SASL_SSL":
        missing = [name for name, value in login.items() if not value]
        return [f"kafka_security_protocol is SASL_SSL: set {' and '.join(missing)} too"] if missing else []
    return [
        f"{name} is set, but kafka_security_protocol is {protocol}, by which nobody logs in: set it to SASL_SSL"
        for name, value in login.items()
        if value
    ]


def _kafka_files(settings: "Settings") -> list[str]:
    certificate, key = settings.kafka_certificate_file, settings.kafka_key_file
    files = {
        "kafka_ca_file": settings.kafka_ca_file,
        "kafka_certificate_file": certificate,
        "kafka_key_file": key,
    }
    if settings.kafka_security_protocol == "PLAINTEXT":
        return [
            f"{name} is set, but kafka_security_protocol is PLAINTEXT: set it to SSL or SASL_SSL"
            for name, value in files.items()
            if value
        ]
    if bool(certificate) != bool(key):
        return [
            "kafka_certificate_file and kafka_key_file go together: set both (it may be one file), or none"
        ]
    return [fault] if certificate and (fault := _pair_fault(certificate, key)) else []


def _pair_fault(certificate: str, key: str) -> str | None:
    def no_passphrase() -> str:  # else OpenSSL would ask the terminal for it
        raise ValueError

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, no_passphrase)
    except ValueError:
        return "kafka_key_file wants a passphrase: store the key without one, readable by you alone"
    except OSError:
        return "kafka_certificate_file and kafka_key_file are no certificate and its key (PEM)"
    return None


def _http(settings: "Settings") -> list[str]:
    faults = []
    if settings.elasticsearch_api_key and not settings.elasticsearch_url.startswith("https:"):
        faults.append(
            f"elasticsearch_api_key would go to {settings.elasticsearch_url} unencrypted: "
            "write https:// in elasticsearch_url"
        )
    for name, urls in {
        "elasticsearch_ca_file": (settings.elasticsearch_url, settings.kibana_url),
        "webhdfs_ca_file": (settings.webhdfs_url,),
    }.items():
        if getattr(settings, name) and not any(url.startswith("https:") for url in urls):
            faults.append(f"{name} is set, but {' and '.join(urls)} is no https: write https://, or unset it")
    return faults
