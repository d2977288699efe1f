"""Options of the Kafka clients, the same for every script, and one clear line when no broker answers."""

import contextlib
from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, UnrecognizedBrokerVersion

from kafka_cluster.broker_diagnosis import advertised_fault, login_fault, why_no_broker
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.tls import trusted_cas

BOOTSTRAP_TIMEOUT_MS = 10_000
MAX_REQUEST_BYTES = 2 << 20  # a dead letter is a whole record with more headers


def client_options(settings: Settings) -> dict[str, Any]:
    """What every client gets, the admin client too."""
    return {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
        "reconnect_backoff_max_ms": 2_000,  # a killed broker is back in seconds; the default waits up to 30
        **security_options(settings),
    }


def security_options(settings: Settings) -> dict[str, Any]:
    """TLS and login."""
    protocol = settings.kafka_security_protocol
    if protocol == "PLAINTEXT":
        return {}
    options = {
        "ssl_cafile": trusted_cas(settings.kafka_ca_file), "ssl_certfile": settings.kafka_certificate_file,
        "ssl_keyfile": settings.kafka_key_file,
    }  # fmt: skip
    if protocol == "SASL_SSL":
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism, "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": settings.kafka_password,
        }  # fmt: skip
    return {"security_protocol": protocol} | {name: value for name, value in options.items() if value}


def producer_options(settings: Settings) -> dict[str, Any]:
    """Sent means that all in-sync replicas have it; the client's own repeats are dropped by the broker."""
    return client_options(settings) | {
        "acks": "all",
        "metrics_enabled": False,
        "enable_idempotence": True,
        "compression_type": "lz4",
        "linger_ms": 20,
        "batch_size": 256 << 10,
        "max_request_size": MAX_REQUEST_BYTES,
        "allow_auto_create_topics": False,
    }


class Producer(KafkaProducer):
    """A producer that can be closed. In kafka-python 3.0.12 `close` raises where records still wait: it leaves the
    thread running, and complains once more when it is collected as garbage."""

    def flush(self, timeout: float | None = None) -> None:
        """As the library's, but returns when the time is over; whoever needs to know has the futures."""
        with contextlib.suppress(KafkaTimeoutError):
            super().flush(timeout)


def consumer_options(settings: Settings, group: str | None) -> dict[str, Any]:
    """Offsets are committed by us alone."""
    return client_options(settings) | {
        "metrics_enabled": False,
        "group_id": group,
        "enable_auto_commit": False,
        "auto_offset_reset": settings.auto_offset_reset,
        "session_timeout_ms": int(settings.session_timeout_seconds * 1000),
        "heartbeat_interval_ms": int(settings.session_timeout_seconds * 1000 / 5),
        "metadata_max_age_ms": 30_000,
        "max_partition_fetch_bytes": 1 << 20,
        "max_poll_records": 2_000,
        "allow_auto_create_topics": False,
    }


def connect(client: Callable[..., Any], settings: Settings, **options: Any) -> Any:
    """Build a Kafka client. Raises UserError with cause and cure when no broker answers within 10 s, or when the
    addresses that the brokers advertise are of no use here."""
    servers = ",".join(settings.bootstrap_servers)
    try:
        connected = client(**options)
    except (KafkaTimeoutError, UnrecognizedBrokerVersion):
        if settings.kafka_security_protocol == "SASL_SSL" and (
            fault := login_fault(client_options(settings))
        ):
            raise UserError(f"Kafka at {servers} {fault}") from None
        encrypted = settings.kafka_security_protocol != "PLAINTEXT"
        why = why_no_broker(settings.bootstrap_servers, encrypted, settings.kafka_ca_file)
        raise UserError(f"no Kafka broker answers at {servers}: {why}") from None
    except KafkaError as error:
        raise UserError(f"can't connect to Kafka at {servers}: {error}") from None
    if fault := advertised_fault(advertised(connected)):
        connected.close()
        raise UserError(f"Kafka at {servers}: {fault}")
    return connected


def advertised(client: Any) -> list[tuple[int, str, int]]:
    """Id, host and port of each broker, as the client has just learned them; none from the producer, which waits."""
    manager = getattr(client, "_manager", None)  # kafka-python 3.0.12 has no public way that needs no broker
    brokers = manager.cluster.brokers() if manager else ()
    return [(broker.node_id, broker.host, broker.port) for broker in brokers]
