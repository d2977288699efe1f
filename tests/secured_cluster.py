"""The cluster as managed services show themselves: SASL_SSL and SCRAM, Elasticsearch by TLS, HDFS with standbys."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient, ScramMechanism, UserScramCredentialUpsertion

import native_cluster
from certificates import CA, ca_file, keystore, truststore
from compose_file import Service, load_services
from ha_hdfs import HaHdfs
from kafka_cluster.kafka_options import client_options
from kafka_cluster.settings import Settings
from native_cluster import NativeCluster, free_offset
from pipeline import wait_until
from server_config import LOOPBACK

STORE_PASSWORD = "for-this-test"
KAFKA_USER, KAFKA_PASSWORD = "tweets", os.urandom(12).hex()
INTERNAL, MUTUAL = 29091, 19091
"""The first broker's port for brokers among themselves, PLAINTEXT; and where a client's certificate is the login."""
HA_PORT = 18_100


class SecuredCluster(NativeCluster):
    """ZooKeeper, three brokers and Elasticsearch. The launcher's own checks go by the brokers' inner listener."""

    def __init__(self, variables: Mapping[str, str], offset: int, folder: Path) -> None:
        services = {name: service for name, service in load_services(variables).items() if name in NAMES}
        for name in NAMES[1:4]:
            services[name] = secured_broker(services[name], folder)
        files = {
            "key": "http-key.pem",
            "certificate": "http.pem",
        }  # beside elasticsearch.yml, or it may not read them
        services["elasticsearch"] = with_environment(
            services["elasticsearch"],
            {"xpack.security.http.ssl.enabled": "true"}
            | {f"xpack.security.http.ssl.{kind}": file for kind, file in files.items()},
        )
        super().__init__(variables, offset, services=services)
        config, pair = self.folder / "elasticsearch" / "config", CA.issue_cert(LOOPBACK)
        config.mkdir(parents=True)
        pair.private_key_pem.write_to_path(str(config / files["key"]))
        pair.cert_chain_pems[0].write_to_path(str(config / files["certificate"]))

    def environment(self) -> dict[str, str]:
        found = super().environment()
        return found | {
            "bootstrap_servers": self.brokers(INTERNAL),
            "elasticsearch_url": found["elasticsearch_url"].replace("http:", "https:"),
        }

    def brokers(self, first: int) -> str:
        """The brokers' addresses by one of their listeners."""
        return ",".join(f"{LOOPBACK}:{first + number + self.offset}" for number in range(3))

    def make_user(self) -> None:
        """Who may log in.

        kafka-python 3.0.12 asks any broker, of which only the controller does it; the others' refusal has no words and
        looks like success. So it asks until the user is there.
        """
        wait_until(self._user_is_made)

    def _user_is_made(self) -> bool:
        inner = Settings(bootstrap_servers=tuple(self.brokers(INTERNAL).split(",")))
        wanted = UserScramCredentialUpsertion(KAFKA_USER, ScramMechanism.SCRAM_SHA_512, KAFKA_PASSWORD)
        with contextlib.closing(KafkaAdminClient(**client_options(inner))) as admin:
            admin.alter_user_scram_credentials([wanted])
            return bool(admin.describe_user_scram_credentials([KAFKA_USER])[KAFKA_USER]["credential_infos"])


NAMES = ("zookeeper", "kafka1", "kafka2", "kafka3", "elasticsearch")


def secured_broker(service: Service, folder: Path) -> Service:
    """A broker whose outer listener wants TLS and a login, with a third one that wants a certificate."""
    number = int(service.name[-1])
    store = keystore(folder / f"{service.name}.p12", STORE_PASSWORD, LOOPBACK)
    trusted = truststore(folder / "trusted.p12", STORE_PASSWORD)
    listeners = service.environment["KAFKA_LISTENERS"]
    return with_environment(service, {
        "KAFKA_LISTENERS": f"{listeners},MUTUAL://0.0.0.0:{MUTUAL + number - 1}",
        "KAFKA_ADVERTISED_LISTENERS": ",".join([
            service.environment["KAFKA_ADVERTISED_LISTENERS"], f"MUTUAL://{LOOPBACK}:{MUTUAL + number - 1}",
        ]),
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "INTERNAL:PLAINTEXT,EXTERNAL:SASL_SSL,MUTUAL:SSL",
        "KAFKA_SSL_KEYSTORE_TYPE": "PKCS12", "KAFKA_SSL_KEYSTORE_LOCATION": str(store),
        "KAFKA_SSL_KEYSTORE_PASSWORD": STORE_PASSWORD, "KAFKA_SSL_KEY_PASSWORD": STORE_PASSWORD,
        "KAFKA_SSL_TRUSTSTORE_TYPE": "PKCS12", "KAFKA_SSL_TRUSTSTORE_LOCATION": str(trusted),
        "KAFKA_SSL_TRUSTSTORE_PASSWORD": STORE_PASSWORD,
        "KAFKA_LISTENER_NAME_MUTUAL_SSL_CLIENT_AUTH": "required",
        "KAFKA_LISTENER_NAME_EXTERNAL_SASL_ENABLED_MECHANISMS": "SCRAM-SHA-512",
        "KAFKA_LISTENER_NAME_EXTERNAL_SCRAM___SHA___512_SASL_JAAS_CONFIG":
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    })  # fmt: skip


def with_environment(service: Service, more: Mapping[str, str]) -> Service:
    return replace(service, environment={**service.environment, **more})


@contextmanager
def secured_servers(folder: Path) -> Iterator[tuple[dict[str, str], SecuredCluster, HaHdfs]]:
    """All of it, up, with the variables that lead the scripts there; gone afterwards."""
    variables = {"elasticsearch_password": os.urandom(12).hex()}
    cluster = SecuredCluster(variables, free_offset(variables), folder)
    hdfs = HaHdfs(folder / "hdfs", HA_PORT)
    ca = str(ca_file(folder))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.delitem(native_cluster.LAST_CHECKS, "HDFS")
            patch.setenv("REQUESTS_CA_BUNDLE", ca)
            cluster.up()
        cluster.make_user()
        hdfs.up()
        yield {
            **cluster.environment(), "bootstrap_servers": cluster.brokers(9091),
            "kafka_security_protocol": "SASL_SSL", "kafka_user": KAFKA_USER, "kafka_password": KAFKA_PASSWORD,
            "kafka_ca_file": ca, "elasticsearch_ca_file": ca,
            "webhdfs_url": ",".join(reversed(hdfs.urls.values())), "webhdfs_ca_file": ca,
        }, cluster, hdfs  # fmt: skip
    finally:
        hdfs.down()
        cluster.down(volumes=True)
