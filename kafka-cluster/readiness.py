"""Whether a server answers, and whether the cluster as a whole takes writes. No check raises."""

import os
import socket
import uuid
from collections.abc import Callable, Mapping

import requests
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from kafka_cluster.kafka_options import client_options
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings, load_settings
from kafka_cluster.topics import ensure_topics
from server_config import LOOPBACK, ServerConfig

HTTP_SECONDS = 5
Environment = Mapping[str, str]


def is_ready(name: str, config: ServerConfig, environment: Environment) -> bool:
    """True if the server answers what only a started one answers."""
    if name == "zookeeper":
        return _zookeeper_serves(config.ports[0])
    if name == "elasticsearch":
        return _answers(f"{environment['elasticsearch_url']}/_cluster/health", _login(environment))
    if name.startswith("kafka"):
        return all(map(_accepts, config.ports))
    return _answers(f"http://{LOOPBACK}:{config.ports[0]}/jmx?qry=java.lang:type=Runtime")


def kafka_takes_writes(environment: Environment) -> str | None:
    """Make or compare the topics on three brokers; None if that works, else why not."""
    settings = _settings(environment)
    try:
        admin = KafkaAdminClient(**client_options(settings))
        try:
            brokers = len(admin.describe_cluster()["brokers"])
        finally:
            admin.close()
        if brokers < 3:
            return f"{brokers} of 3 brokers have joined"
        ensure_topics(settings)
    except (KafkaError, UserError) as error:
        return str(error)
    return None


def elasticsearch_takes_writes(environment: Environment) -> str | None:
    """Index a document and delete its index; None if that works, else why not."""
    url = f"{environment['elasticsearch_url']}/cluster-check-{uuid.uuid4().hex[:8]}"
    login = _login(environment)
    try:
        written = requests.put(f"{url}/_doc/1", json={}, auth=login, timeout=30)
        requests.delete(url, auth=login, timeout=30)
    except requests.RequestException as error:
        return type(error).__name__
    return None if written.status_code == 201 else f"HTTP {written.status_code}"


def hdfs_takes_writes(environment: Environment) -> str | None:
    """Three live DataNodes, a file written and deleted, and the archive's root, owned by its user."""
    settings = _settings(environment)
    url = f"{environment['webhdfs_url']}/webhdfs/v1"
    superuser = {"user.name": "hadoop"}
    check = f"{url}/_check-{uuid.uuid4().hex[:8]}"
    try:
        bean = requests.get(
            f"{environment['webhdfs_url']}/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState",
            timeout=HTTP_SECONDS,
        ).json()["beans"][0]
        if bean["NumLiveDataNodes"] < 3:
            return f"{bean['NumLiveDataNodes']} of 3 DataNodes have joined"
        written = requests.put(check, params=superuser | {"op": "CREATE"}, data=b"x", timeout=HTTP_SECONDS)
        if written.status_code != 201:
            return f"HTTP {written.status_code}: {written.text[:200]}"
        requests.delete(check, params=superuser | {"op": "DELETE"}, timeout=HTTP_SECONDS)
        root = f"{url}{settings.hdfs_root}"
        requests.put(root, params=superuser | {"op": "MKDIRS"}, timeout=HTTP_SECONDS).raise_for_status()
        owner = {"op": "SETOWNER", "owner": settings.hdfs_user}
        requests.put(root, params=superuser | owner, timeout=HTTP_SECONDS).raise_for_status()
    except (requests.RequestException, KeyError, IndexError, ValueError) as error:
        return f"{type(error).__name__}: {error}"[:200]
    return None


LAST_CHECKS: dict[str, Callable[[Environment], str | None]] = {
    "HDFS": hdfs_takes_writes,
    "Elasticsearch": elasticsearch_takes_writes,
    "Kafka": kafka_takes_writes,
}


def _settings(environment: Environment) -> Settings:
    return load_settings(environ=os.environ | dict(environment))


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def _zookeeper_serves(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(b"srvr")
            return b"Mode" in connection.recv(4096)
    except OSError:
        return False


def _login(environment: Environment) -> tuple[str, str]:
    return environment["elasticsearch_user"], environment["elasticsearch_password"]


def _answers(url: str, login: tuple[str, str] | None = None) -> bool:
    try:
        return requests.get(url, auth=login, timeout=HTTP_SECONDS).ok
    except requests.RequestException:
        return False
