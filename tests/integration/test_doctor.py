"""Traps that are set on the real servers: the doctor finds each, and its cure cures."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import requests
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

import doctor
from broker_proxy import BrokerProxy, Change
from findings import Finding, Level, Patient
from kafka_cluster.kafka_options import client_options, producer_options
from kafka_cluster.message import timestamp
from kafka_cluster.script import ROOT
from kafka_cluster.settings import Settings
from kafka_cluster.topics import ensure_topics
from pipeline import Pipeline, wait_until

KAFKA = ("brokers", "topics", "record size", "broker disks", "broker clocks")
NO_KEYS = dict.fromkeys(("api_key", "api_secret", "access_token", "access_token_secret"), "")


def examined(cluster: Any, settings: Settings) -> dict[str, list[Finding]]:
    """With more time than the script takes: the machine may be busy."""
    return dict(doctor.findings(Patient(settings, cluster.launcher), seconds=60))


def wrong(found: dict[str, list[Finding]], *subjects: str) -> list[str]:
    """What was found besides good news, of these subjects or of all."""
    return [
        f"{each.level} {subject}: {each.what}"
        for subject, said in found.items()
        for each in said
        if each.level is not Level.OK and (not subjects or subject in subjects)
    ]


@contextmanager
def proxied(address: str, change: Change) -> Iterator[str]:
    proxy = BrokerProxy(address, change)
    try:
        yield proxy.address
    finally:
        proxy.close()


def test_on_a_healthy_cluster_everything_is_ok(cluster: Any) -> None:
    script = str(ROOT / "kafka-cluster" / "cluster.py")
    done = subprocess.run(
        [sys.executable, script, "doctor", "--port-offset", str(cluster.offset)],
        env=os.environ | cluster.env | NO_KEYS, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    *rows, total = done.stdout.splitlines()
    for subject in (
        *KAFKA,
        "servers",
        "open ports",
        "Elasticsearch",
        "indices",
        "Kibana",
        "HDFS",
        "DataNodes",
    ):
        assert sum(row.startswith(f"ok       {subject}") for row in rows) >= 1, done.stdout
    assert re.fullmatch(r"17 checks in .* s: 17 ok", total)


# Kafka


@pytest.mark.long
def test_each_setting_of_a_topic_that_is_wrong_has_a_cure_that_cures(
    cluster: Any, pipeline: Pipeline
) -> None:
    config = {
        "min.insync.replicas": 1, "message.timestamp.type": "CreateTime", "unclean.leader.election.enable": "true",
        "retention.ms": 3_600_000, "max.message.bytes": 100_000,
    }  # fmt: skip
    topic = pipeline.settings.topic
    options = {"num_partitions": 2, "replication_factor": 1, "configs": config}
    with KafkaAdminClient(**client_options(pipeline.settings)) as admin:
        admin.create_topics({topic: options}, wait_for_metadata=True)

    found = examined(cluster, pipeline.settings)
    shown = "\n".join(wrong(found))
    for text in (
        "fault topics: topic {}: replication 1 is not above min.insync.replicas 2",
        "fault topics: topic {}: min.insync.replicas is 1, not 2",
        "fault topics: topic {}: message.timestamp.type is CreateTime",
        "fault topics: topic {}: unclean.leader.election.enable is true",
        "warning topics: topic {}: retention.ms is 3600000",
        "warning topics: topic {}: 2 partitions, not 6",
        "warning topics: there is no topic {}.dead-letter: the producer makes it",
        "fault record size: topic {} takes 100,000 bytes",
    ):
        assert text.format(topic) in shown
    cures = [each.cure for subject in ("topics", "record size") for each in found[subject] if each.cure]
    assert len(cures) == 7
    for cure in cures:
        command = [sys.executable, *cure.split()[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{cure}\n{done.stderr}"
    assert ensure_topics(pipeline.settings) is not None  # makes that of dead letters
    # the two partitions that were there get their replicas; the four that were added have them from the start
    wait_until(lambda: not wrong(examined(cluster, pipeline.settings), "topics", "record size"))


@pytest.mark.long
def test_zookeepers_port_in_a_brokers_place(cluster: Any, pipeline: Pipeline) -> None:
    broker = pipeline.settings.bootstrap_servers[0]
    zookeeper = f"127.0.0.1:{2181 + cluster.offset}"
    alone = examined(cluster, replace(pipeline.settings, bootstrap_servers=(zookeeper,)))
    assert wrong(alone, *KAFKA)[0].startswith(f"fault brokers: {zookeeper} is ZooKeeper's port")
    assert len(wrong(alone, *KAFKA)) == 5 and all(
        alone[subject][0].level is Level.SKIPPED for subject in KAFKA[1:]
    )
    assert f"the scripts use bootstrap_servers = {zookeeper}" in "\n".join(wrong(alone, "servers"))

    among = examined(cluster, replace(pipeline.settings, bootstrap_servers=(broker, zookeeper)))
    (said,) = wrong(among, "brokers")
    assert said.startswith(f"fault brokers: {zookeeper} is ZooKeeper's port")
    assert among["broker disks"][0].level is Level.OK


def test_one_broker_that_sends_clients_to_an_address_which_nobody_has(
    cluster: Any, pipeline: Pipeline
) -> None:
    first, *_, third = pipeline.settings.bootstrap_servers
    port = int(third.rpartition(":")[2]).to_bytes(4, "big")
    nobody = (1).to_bytes(4, "big")
    with proxied(first, lambda data: data.replace(b"127.0.0.1" + port, b"127.0.0.1" + nobody)) as address:
        found = examined(cluster, replace(pipeline.settings, bootstrap_servers=(address,)))
    (said,) = wrong(found, "brokers")
    assert (
        "broker 3 sends clients on to 127.0.0.1:1, which can't be reached from here (Connection refused)"
        in said
    )
    assert "bootstrap_servers_ip" in found["brokers"][0].cure


def test_records_that_are_dated_by_a_wrong_clock(cluster: Any, pipeline: Pipeline) -> None:
    """In the stead of a broker's clock, which can't be set: CreateTime, and dates of our own."""
    config = {"message.timestamp.type": "CreateTime"}
    with KafkaAdminClient(**client_options(pipeline.settings)) as admin:
        options = {"num_partitions": 3, "replication_factor": 3, "configs": config}
        admin.create_topics({pipeline.settings.topic: options}, wait_for_metadata=True)
    producer = KafkaProducer(**producer_options(pipeline.settings))
    now = time.time()
    for partition, off in enumerate((0, 600, -600)):
        headers = [("received_at", timestamp().encode())]
        producer.send(
            pipeline.settings.topic,
            b"{}",
            partition=partition,
            headers=headers,
            timestamp_ms=int((now + off) * 1000),
        ).get(timeout=30)
    producer.close()
    ahead, behind = sorted(wrong(examined(cluster, pipeline.settings), "broker clocks"))
    assert (
        "a record in partition 1 is dated" in ahead and "in the future: its broker's clock is ahead" in ahead
    )
    assert "a record in partition 2 is dated" in behind and "before the producer received it" in behind


@pytest.mark.long
def test_servers_that_hang_are_named_cost_seconds_and_hide_no_other(cluster: Any, pipeline: Pipeline) -> None:
    ensure_topics(pipeline.settings)
    hanging = ("kafka2", "elasticsearch", "datanode1")
    for name in hanging:
        cluster.suspend(name)
    try:
        started = time.monotonic()
        found = examined(cluster, pipeline.settings)
        took = time.monotonic() - started
    finally:
        for name in hanging:
            cluster.resume(name)
    assert took < 30, wrong(found)
    second = pipeline.settings.bootstrap_servers[1]
    (broker,) = wrong(found, *KAFKA)
    assert f"{second} accepts connections, but does not answer as a broker does" in broker
    assert wrong(found, "Elasticsearch")[0].startswith(
        "fault Elasticsearch: Elasticsearch does not answer at"
    )
    assert "which this machine can't use (no answer within 4 s)" in "\n".join(wrong(found, "DataNodes"))
    assert not wrong(found, "HDFS", "memory", "open ports")
    for name in ("elasticsearch", "datanode1"):
        assert name in "\n".join(wrong(found, "servers"))
    wait_until(lambda: not wrong(examined(cluster, pipeline.settings), "servers", "brokers", "Elasticsearch"))


# Elasticsearch


def test_elasticsearch_that_refuses_the_password(cluster: Any, pipeline: Pipeline) -> None:
    found = examined(cluster, replace(pipeline.settings, elasticsearch_password="not-that-one"))
    said, *skipped = wrong(found, "Elasticsearch", "indices", "Kibana")
    assert "Elasticsearch refuses elastic: check elasticsearch_user" in said and len(skipped) == 2


def test_an_index_that_takes_no_writes_and_a_disk_above_its_watermark(
    cluster: Any, pipeline: Pipeline
) -> None:
    url, login = pipeline.settings.elasticsearch_url, ("elastic", cluster.env["elasticsearch_password"])
    index = f"{pipeline.settings.elasticsearch_alias}-000001"

    def put(path: str, body: dict[str, Any]) -> None:
        requests.put(f"{url}/{path}", json=body, auth=login, timeout=30).raise_for_status()

    def watermark(low: str | None, flood: str | None) -> None:
        """So much must be free: a pebibyte for a new index, a byte for writes."""
        settings = {f"cluster.routing.allocation.disk.watermark.{name}": low for name in ("low", "high")}
        settings["cluster.routing.allocation.disk.watermark.flood_stage"] = flood
        put("_cluster/settings", {"persistent": settings})

    put(index, {"settings": {"number_of_replicas": 0}})
    put(f"{index}/_settings", {"index.blocks.read_only_allow_delete": True})
    watermark("1pb", "1b")
    try:
        block, disk = wrong(examined(cluster, pipeline.settings), "indices")
    finally:
        watermark(None, None)
    assert block == f"fault indices: index {index} takes no writes (index.blocks.read_only_allow_delete)"
    assert (
        disk.startswith("warning indices: Elasticsearch's node")
        and "below 1,048,576.0 GB it makes no new index" in disk
    )
    put(f"{index}/_settings", {"index.blocks.read_only_allow_delete": None})
    assert not wrong(examined(cluster, pipeline.settings), "indices")


# HDFS


def test_a_data_node_whose_name_is_no_use_here_and_a_clock_that_is_a_year_ahead(
    cluster: Any, pipeline: Pipeline
) -> None:
    year = time.gmtime().tm_year
    data_node = f'"127.0.0.1:{9875 + cluster.offset}'.encode()

    def change(data: bytes) -> bytes:
        data = data.replace(f" {year} ".encode(), f" {year + 1} ".encode())
        return data.replace(
            data_node.replace(b'"', b'\\"'), data_node.replace(b'"127.0.0.1', b'\\"127.9.9.9')
        )

    with proxied(pipeline.settings.webhdfs_url.removeprefix("http://"), change) as address:
        found = examined(cluster, replace(pipeline.settings, webhdfs_url=f"http://{address}"))
    assert wrong(found, "HDFS")[0].startswith("warning HDFS: the clock of the NameNode is 31,5")
    (said,) = wrong(found, "DataNodes")
    target = f"127.9.9.9:{9865 + cluster.offset}"
    assert f"sends clients on to {target}, which this machine can't use (Connection refused)" in said
    assert "dfs.datanode.hostname" in found["DataNodes"][0].cure
