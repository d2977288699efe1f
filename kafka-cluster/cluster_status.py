"""`status`: each server with address and health; topics with leaders and in-sync replicas; lag by group."""

import os
from typing import Any

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import CoordinatorNotAvailableError, KafkaError
from rich.console import Console
from rich.table import Table
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from clusters import Cluster, ServerState
from kafka_cluster.groups import committed_offsets, lag, offsets
from kafka_cluster.kafka_options import client_options, connect
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings, load_settings


def print_status(cluster: Cluster) -> int:
    """Print three tables; exit code 0 when every server is healthy, else 1."""
    console = Console(highlight=False)
    states = cluster.states()
    console.print(servers_table(states))
    healthy = all(state.well for state in states)
    settings = load_settings(environ=os.environ | cluster.environment())
    try:
        for table in kafka_tables(settings):
            console.print(table)
    except (KafkaError, UserError) as error:
        console.print(f"Kafka: {error}", style="red", markup=False)
        healthy = False
    return 0 if healthy else 1


def servers_table(states: list[ServerState]) -> Table:
    """Name, address, pid or container, memory, health of each server."""
    table = new_table("server", "address", "runs as", "memory", "health")
    for state in states:
        table.add_row(
            state.name, state.address, state.place,
            f"{state.resident_bytes / 2**20:,.0f} MB" if state.resident_bytes else "",
            f"[{'green' if state.well else 'red'}]{state.health}[/]",
        )  # fmt: skip
    return table


@retry(
    retry=retry_if_exception_type(KafkaError), stop=stop_after_delay(10), wait=wait_fixed(0.3), reraise=True
)
def kafka_tables(settings: Settings) -> tuple[Table, Table]:
    """Topics, and lag by group. Asked again for a while: the client may try a broker that has just died."""
    admin = connect(KafkaAdminClient, settings, **client_options(settings))
    try:
        topics = admin.describe_topics()
        return topics_table(topics), lag_table(admin, settings, topics)
    finally:
        admin.close()


def topics_table(topics: list[dict[str, Any]]) -> Table:
    """Each partition with its leader and in-sync replicas; Kafka's own topics are left out."""
    table = new_table("topic", "partition", "leader", "in-sync replicas", "")
    for topic in sorted(topics, key=lambda topic: topic["name"]):
        if topic.get("is_internal") or topic["name"].startswith("__"):
            continue
        for partition in sorted(topic["partitions"], key=lambda partition: partition["partition_index"]):
            in_sync, replicas = partition["isr_nodes"], partition["replica_nodes"]
            leader = partition["leader_id"]
            table.add_row(
                topic["name"], str(partition["partition_index"]), f"kafka{leader}" if leader > 0 else "none",
                ", ".join(f"kafka{node}" for node in sorted(in_sync)),
                "" if len(in_sync) == len(replicas) else "[yellow]under-replicated[/]",
            )  # fmt: skip
    return table


def lag_table(admin: KafkaAdminClient, settings: Settings, topics: list[dict[str, Any]]) -> Table:
    """For each of our groups: members, records committed, records still to read."""
    table = new_table("group", "reads", "members", "committed", "lag")
    leaders = {
        TopicPartition(settings.topic, partition["partition_index"]): partition["leader_id"]
        for topic in topics
        if topic["name"] == settings.topic
        for partition in topic["partitions"]
    }
    # where a partition has no leader, nobody can say where its log ends
    ends = offsets(admin, [tp for tp, leader in leaders.items() if leader >= 0], OffsetSpec.LATEST)
    more = "" if len(ends) == len(leaders) else " or more"
    for group in (settings.elasticsearch_group, settings.hdfs_group):
        committed = committed_offsets(admin, group)
        done = sum(offset for tp, offset in committed.items() if tp in leaders)
        table.add_row(
            group, settings.topic, str(_members(admin, group)), f"{done:,}", f"{lag(ends, committed):,}{more}"
        )
    return table


def _members(admin: KafkaAdminClient, group: str) -> int:
    try:
        return len(admin.describe_groups([group])[group].get("members") or ())
    except CoordinatorNotAvailableError:  # no group has ever been in this cluster
        return 0


def new_table(*columns: str) -> Table:
    """A table without lines; numbers stand at the right."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in ("memory", "lag", "committed") else "left")
    return table
