"""The native servers get what the compose file says: on loopback, shifted, in their own folders."""

import re
from pathlib import Path

import pytest

from clusters import PASSWORDS
from native_cluster import NativeCluster

OFFSET = 700


@pytest.fixture(scope="module")
def cluster() -> NativeCluster:
    canaries = {name: f"canary:{port}" for port, name in enumerate(PASSWORDS, 9200)}
    return NativeCluster(canaries | {"bind_address": "0.0.0.0"}, OFFSET)  # noqa: S104


def text(cluster: NativeCluster, name: str) -> str:
    return "".join(cluster.configs[name].files.values())


def test_nothing_leaves_loopback_whatever_docker_is_told(cluster: NativeCluster) -> None:
    for name, config in cluster.configs.items():
        said = text(cluster, name)
        assert "0.0.0.0" not in said  # noqa: S104
        for host in re.findall(r"([\w.-]+):\d{4,5}\b", said):
            assert host in ("127.0.0.1", ""), f"{name}: {host}"
        assert all(port > OFFSET for port in config.ports)


def test_a_broker_as_the_image_would_write_it(cluster: NativeCluster) -> None:
    said = dict(
        line.split("=", 1) for line in cluster.configs["kafka2"].files["server.properties"].splitlines()
    )
    assert said["broker.id"] == "2"
    assert said["zookeeper.connect"] == f"127.0.0.1:{2181 + OFFSET}"
    assert said["listeners"] == f"INTERNAL://127.0.0.1:{29092 + OFFSET},EXTERNAL://127.0.0.1:{9092 + OFFSET}"
    assert said["advertised.listeners"] == said["listeners"]
    assert said["listener.security.protocol.map"] == "INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT"
    assert said["min.insync.replicas"] == "2" and said["unclean.leader.election.enable"] == "false"
    assert said["log.dirs"].startswith(str(cluster.folder / "kafka2"))
    assert "-Xmx384m" in cluster.configs["kafka2"].jvm


def test_a_datanode_is_reached_at_its_own_ports(cluster: NativeCluster) -> None:
    said = cluster.configs["datanode3"].files["hdfs-site.xml"]
    assert f"<name>dfs.datanode.http.address</name><value>127.0.0.1:{9866 + OFFSET}</value>" in said
    assert "<name>dfs.datanode.hostname</name><value>127.0.0.1</value>" in said
    assert f"hdfs://127.0.0.1:{8020 + OFFSET}" in cluster.configs["datanode3"].files["core-site.xml"]
    assert str(cluster.folder / "datanode3") in said


def test_ports_are_unique_and_two_clusters_do_not_meet(cluster: NativeCluster) -> None:
    ports = [port for config in cluster.configs.values() for port in config.ports]
    assert len(ports) == len(set(ports)) > 15
    assert cluster.folder != NativeCluster({"elasticsearch_password": "x"}, 0).folder


def test_passwords_are_taken_as_they_are_and_in_no_file_and_not_shown(cluster: NativeCluster) -> None:
    assert cluster.configs["elasticsearch"].password == "canary:9200"
    users = {"tweets_writer": "canary:9201", "tweets_reader": "canary:9202", "tweets_operator": "canary:9203"}
    assert cluster.configs["elasticsearch"].users == users
    assert not any("canary" in text(cluster, name) for name in cluster.configs)
    assert "canary" not in repr(cluster.configs["elasticsearch"])
    assert not Path(cluster.folder).exists(), "describing a cluster makes nothing"
