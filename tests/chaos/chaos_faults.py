"""The faults: each injects, yields for how many seconds it is to last, and heals; behind it, what counts as recovered.

Those of one lane come one after another; the lanes run beside each other, so that faults of different lanes overlap,
and one's recovery may wait for another's: a consumer that comes back while Elasticsearch is down, say.
"""

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import requests

import downloads
from chaos_load import Load, Process
from chaos_watch import Look, Watch
from kafka_cluster.script import UserError
from namenode_proxy import Hook, NameNodeProxy, pause
from native_cluster import NATIVE
from pipeline import wait_until
from sample import POISON, odd_tweets

BROKERS = ["kafka1", "kafka2", "kafka3"]
DATANODES = ["datanode1", "datanode2", "datanode3"]
STEPS = {"RENAME", "MKDIRS", "LISTSTATUS", "CREATE", "CONCAT"}
PAST_THE_SESSION = (7.5, 10.0)  # sessions end after 6 s here
TOO_LARGE = b'{"data":{"id":"1","text":"' + b"x" * 1_100_000 + b'"}}'


@dataclass
class World:
    """What faults are done to."""

    cluster: Any
    load: Load
    watch: Watch
    proxy: NameNodeProxy


Steps = Iterator[float]
Recovered = Callable[[World, float], bool]
"""Waits, until a moment (monotonic) at most; True when it is so."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault."""

    name: str
    lane: str
    inject: Callable[[World, Random], Steps]
    recovered: Recovered


# what counts as recovered


def after_a_look(passes: Callable[[Look, Look], bool]) -> Recovered:
    """A later look passes, beside the first one after the fault."""

    def wait(world: World, deadline: float) -> bool:
        first = world.watch.until(lambda _: True, deadline)
        return first is not None and world.watch.until(partial(passes, first), deadline) is not None

    return wait


def written_again(first: Look, now: Look) -> bool:
    """Every partition takes records, and all its replicas are in sync."""
    return now.in_sync and all(now.ends[tp] > end for tp, end in first.ends.items())


def delivered(*groups: str) -> Recovered:
    """The groups have committed everything that was in the topic when the fault was over."""
    return after_a_look(lambda first, now: all(now.has(group, first.ends) for group in groups))


def sent_again(source: str) -> Recovered:
    """A record of this source reaches the topic."""
    return lambda world, deadline: world.watch.first_record_from(source, deadline)


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


# Kafka


def brokers_restarted_in_turn(world: World, chance: Random) -> Steps:
    for broker in chance.sample(BROKERS, 3):
        world.cluster.native.processes[broker].stop(15)
        yield 1.0
        start(world, broker)
        world.watch.until(lambda look: look.in_sync, time.monotonic() + 30)


# the groups' processes


def consumer_killed(group: str) -> Callable[[World, Random], Steps]:
    def inject(world: World, chance: Random) -> Steps:
        crew = world.load.groups[group]
        crew.kill(crew.pick(chance))
        yield 0.0

    return inject


def frozen(pick: Callable[[World, Random], Process], *seconds: float) -> Callable[[World, Random], Steps]:
    def inject(world: World, chance: Random) -> Steps:
        process = pick(world, chance)
        process.send_signal(signal.SIGSTOP)
        yield chance.uniform(*seconds)
        process.send_signal(signal.SIGCONT)

    return inject


def process_more(group: str) -> Callable[[World, Random], Steps]:
    def inject(world: World, chance: Random) -> Steps:
        crew = world.load.groups[group]
        crew.wanted += 1
        yield chance.uniform(6, 10)
        crew.wanted -= 1
        crew.leave(crew.pick(chance))

    return inject


def process_less(group: str) -> Callable[[World, Random], Steps]:
    def inject(world: World, chance: Random) -> Steps:
        crew = world.load.groups[group]
        crew.wanted -= 1
        crew.leave(crew.pick(chance))
        yield chance.uniform(2, 5)
        crew.wanted += 1

    return inject


# Elasticsearch and HDFS


def index_read_only(world: World, chance: Random) -> Steps:
    set_read_only(world, True)
    yield chance.uniform(2, 6)
    set_read_only(world, None)


def set_read_only(world: World, value: bool | None) -> None:
    settings = world.load.pipeline.settings
    answer = requests.put(
        f"{settings.elasticsearch_url}/{settings.elasticsearch_alias}/_settings",
        json={"index.blocks.read_only": value}, auth=("elastic", settings.elasticsearch_password), timeout=30,
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


# the producer, and what it is given


def stream_killed(world: World, chance: Random) -> Steps:
    stream = world.load.stream
    stream.kill(stream.pick(chance), world.load.note_spilled)
    yield 0.0


def replay_killed(world: World, chance: Random) -> Steps:
    wait_until(lambda: world.load.feeding is not None and world.load.feeding.poll() is None, 120)
    world.load.feeding.kill()  # type: ignore[union-attr]
    yield 0.0


def poison(world: World, chance: Random) -> Steps:
    good = world.load.next_lines(10)
    world.load.pipeline.send([*good[:5], *POISON.values(), *odd_tweets(), *good[5:]])
    yield 0.0


def too_large(world: World, chance: Random) -> Steps:
    good = world.load.next_lines(10)
    world.load.replay([*good[:5], TOO_LARGE, *good[5:]])
    yield 0.0


def delivered_again(world: World, chance: Random) -> Steps:
    lines = world.load.next_lines(100)
    world.load.replay([*lines, *chance.sample(lines, 50)])
    yield 0.0


def a_member(group: str) -> Callable[[World, Random], Process]:
    return lambda world, chance: world.load.groups[group].pick(chance)


def the_stream(world: World, chance: Random) -> Process:
    return world.load.stream.pick(chance)


FAULTS = [
    Fault("broker killed", "Kafka", server_killed(BROKERS, 1, 6), after_a_look(written_again)),
    Fault("broker frozen", "Kafka", servers_frozen(BROKERS, 1, 3, 10), after_a_look(written_again)),
    Fault("two brokers frozen", "Kafka", servers_frozen(BROKERS, 2, 3, 8), after_a_look(written_again)),
    Fault("all brokers frozen", "Kafka", servers_frozen(BROKERS, 3, 3, 8), after_a_look(written_again)),
    Fault("rolling restart of brokers", "Kafka", brokers_restarted_in_turn, after_a_look(written_again)),
    Fault("ZooKeeper frozen", "Kafka", servers_frozen(["zookeeper"], 1, 2, 5), after_a_look(written_again)),
    Fault("consumer killed (A)", "A", consumer_killed("A"), delivered("A")),
    Fault("consumer frozen (A)", "A", frozen(a_member("A"), *PAST_THE_SESSION), delivered("A")),
    Fault("third consumer (A)", "A", process_more("A"), delivered("A")),
    Fault("consumer leaves (A)", "A", process_less("A"), delivered("A")),
    Fault("Elasticsearch killed", "Elasticsearch", server_killed(["elasticsearch"], 0, 3), delivered("A")),
    Fault(
        "Elasticsearch frozen", "Elasticsearch", servers_frozen(["elasticsearch"], 1, 3, 10), delivered("A")
    ),
    Fault("index read-only", "Elasticsearch", index_read_only, delivered("A")),
    Fault("consumer killed (B)", "B", consumer_killed("B"), delivered("B")),
    Fault("consumer frozen (B)", "B", frozen(a_member("B"), *PAST_THE_SESSION), delivered("B")),
    Fault("third consumer (B)", "B", process_more("B"), delivered("B")),
    Fault("consumer leaves (B)", "B", process_less("B"), delivered("B")),
    Fault("NameNode killed", "HDFS", server_killed(["namenode"], 0, 3), delivered("B")),
    Fault("NameNode frozen", "HDFS", servers_frozen(["namenode"], 1, 3, 10), delivered("B")),
    Fault("safe mode", "HDFS", safe_mode, delivered("B")),
    Fault("DataNode killed", "HDFS", server_killed(DATANODES, 1, 6), delivered("B")),
    Fault("DataNode frozen", "HDFS", servers_frozen(DATANODES, 1, 3, 10), delivered("B")),
    Fault("NameNode requests lost", "HDFS", requests_that("lose request"), delivered("B")),
    Fault("NameNode answers lost", "HDFS", requests_that("lose answer"), delivered("B")),
    Fault("NameNode requests doubled", "HDFS", requests_that("twice"), delivered("B")),
    Fault("rename held back", "HDFS", hooked(lambda _: pause("RENAME", 22), 4, 6), delivered("B")),
    Fault("stream's producer killed", "producer", stream_killed, sent_again("simulator")),
    Fault("stream's producer frozen", "producer", frozen(the_stream, 2, 10), sent_again("simulator")),
    Fault("replay's producer killed", "producer", replay_killed, sent_again("replay")),
    Fault("poison in the topic", "producer", poison, delivered("A", "B")),
    Fault("a line over the limit", "producer", too_large, sent_again("replay")),
    Fault("tweets delivered again", "producer", delivered_again, sent_again("replay")),
]
