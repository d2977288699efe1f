"""Faults of servers: killed, frozen, restarted, their disks full, their answers lost."""

import itertools
import os
import subprocess
import time
from collections.abc import Callable
from random import Random
from typing import Any

import requests

import downloads
from chaos_world import Steps, World, after_a_look, written_again
from kafka_cluster.script import UserError
from namenode_proxy import Hook
from native_launch import NATIVE

BROKERS = ["kafka1", "kafka2", "kafka3"]
DATANODES = ["datanode1", "datanode2", "datanode3"]
ALONE_SECONDS = 60
STEPS = {"RENAME", "MKDIRS", "LISTSTATUS", "CREATE", "CONCAT"}


# any server


def server_killed(names: list[str], *seconds: float) -> Callable[[World, Random], Steps]:
    def inject(world: World, chance: Random) -> Steps:
        name = chance.choice(names)
        world.cluster.kill(name)
        yield chance.uniform(*seconds)
        start(world, name)

    return inject


def start(world: World, name: str) -> None:
    """Start a server again; once more where it does not come up, as it may on a machine with too much to do."""
    try:
        world.cluster.start(name)
    except UserError:
        world.cluster.native.processes[name].kill()
        world.cluster.start(name)


def servers_frozen(names: list[str], count: int, *seconds: float) -> Callable[[World, Random], Steps]:
    def inject(world: World, chance: Random) -> Steps:
        chosen = chance.sample(names, count)
        for name in chosen:
            world.cluster.suspend(name)
        yield chance.uniform(*seconds)
        for name in chosen:
            world.cluster.resume(name)

    return inject


# disks


def disk_full(name: str, heal: Callable[[World], None], *seconds: float) -> Callable[[World, Random], Steps]:
    def inject(world: World, chance: Random) -> Steps:
        world.disks[name].fill()
        yield chance.uniform(*seconds)
        world.disks[name].free()
        heal(world)

    return inject


def broker_restarted(world: World) -> None:
    """It has ended, or will in a moment: a broker that can't write to its only disk does."""
    world.cluster.native.processes["kafka1"].kill()
    start(world, "kafka1")


def shards_tried_again(world: World) -> None:
    """What a person has to do: after five attempts Elasticsearch leaves a shard alone."""
    deadline = time.monotonic() + ALONE_SECONDS
    while True:
        try:
            return ask_elasticsearch(world, "post", "_cluster/reroute?retry_failed=true")
        except requests.RequestException:  # it has no master for a while, after a disk that was full
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def nothing_to_do(world: World) -> None:
    """It heals by itself."""


def spill_disk_full(world: World, chance: Random) -> Steps:
    """While Kafka is away, which is what the disk is for."""
    for seconds in servers_frozen(BROKERS, 3, 3, 8)(world, chance):
        world.disks["spill"].fill()
        yield seconds
        world.disks["spill"].free()


# Kafka


def brokers_restarted_in_turn(world: World, chance: Random) -> Steps:
    for broker in chance.sample(BROKERS, 3):
        world.cluster.native.processes[broker].stop(15)
        yield 1.0
        start(world, broker)
        world.watch.until(lambda look: look.in_sync, time.monotonic() + 30)


def in_sync(world: World, deadline: float) -> bool:
    """Every partition takes records again, and all its replicas are in sync; a person helps after a minute.

    Where ZooKeeper's connection breaks just as the controller writes the in-sync replicas of a partition, Kafka 3.9
    may take its own write for somebody else's: the leader waits for word that never comes, until it restarts.
    """
    written = after_a_look(written_again)
    if written(world, min(deadline, time.monotonic() + ALONE_SECONDS)):
        return True
    world.by_hand += 1
    for _ in brokers_restarted_in_turn(world, Random(0)):
        pass
    return written(world, deadline)


# Elasticsearch and HDFS


def index_read_only(world: World, chance: Random) -> Steps:
    set_read_only(world, True)
    yield chance.uniform(2, 6)
    set_read_only(world, None)


def set_read_only(world: World, value: bool | None) -> None:
    alias = world.load.pipeline.settings.elasticsearch_alias
    ask_elasticsearch(world, "put", f"{alias}/_settings", {"index.blocks.read_only": value})


def ask_elasticsearch(world: World, method: str, path: str, body: Any = None) -> None:
    settings = world.load.pipeline.settings
    answer = requests.request(
        method, f"{settings.elasticsearch_url}/{path}", json=body,
        auth=("elastic", settings.elasticsearch_password), timeout=30,
    )  # fmt: skip
    answer.raise_for_status()


def safe_mode(world: World, chance: Random) -> Steps:
    set_safe_mode(world, "enter")
    yield chance.uniform(3, 8)
    set_safe_mode(world, "leave")


def set_safe_mode(world: World, what: str) -> None:
    """By Hadoop's own tool: WebHDFS can't."""
    native = world.cluster.native
    port = next(port for port in native.configs["namenode"].ports if port != 9870 + native.offset)
    command = [
        f"{downloads.java_home()}/bin/java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
        "-cp", downloads.class_path(NATIVE["software"]["hadoop"]["jars"].strip()),
        "org.apache.hadoop.hdfs.tools.DFSAdmin", "-fs", f"hdfs://127.0.0.1:{port}", "-safemode", what,
    ]  # fmt: skip
    env = os.environ | {"HADOOP_USER_NAME": "hadoop"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-500:]


def requests_that(fate: str) -> Callable[[World, Random], Steps]:
    def each_so_manieth(chance: Random) -> Hook:
        every, numbers = chance.randint(3, 6), itertools.count(1)
        return lambda step, _: fate if step in STEPS and next(numbers) % every == 0 else "pass"

    return hooked(each_so_manieth, 4, 8)


def hooked(make: Callable[[Random], Hook], *seconds: float) -> Callable[[World, Random], Steps]:
    def inject(world: World, chance: Random) -> Steps:
        world.proxy.hook = make(chance)
        yield chance.uniform(*seconds)
        world.proxy.hook = lambda *_: "pass"

    return inject
