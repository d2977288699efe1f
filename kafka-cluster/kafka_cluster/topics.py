"""The two topics: made if they are missing, compared with what the pipeline relies on if they are there."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import (
    InvalidReplicationFactorError,
    KafkaConnectionError,
    KafkaError,
    RequestTimedOutError,
    TopicAlreadyExistsError,
)
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from kafka_cluster.kafka_options import MAX_REQUEST_BYTES, client_options, connect
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings

DAY_MS = 86_400_000
MIN_INSYNC_REPLICAS = 2
SETTLE_SECONDS = 15.0


@dataclass(frozen=True)
class Topic:
    """A topic as it should be, or as it is."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class Difference:
    """What a topic has other than it should; `fatal`: it would lose or reorder tweets. The cure is a command."""

    name: str
    what: str
    cure: str
    fatal: bool


class UnusableTopic(UserError):
    """Nothing can be written to a topic until a person does something."""


class MissingTopic(UnusableTopic):
    """There is no such topic, or no more."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no topic {name}: the producer makes it when it starts (python3 kafka-producer/producer.py); "
            "or is another one meant, by the setting topic?"
        )


class ForbiddenTopic(UnusableTopic):
    """Kafka does not let us write."""

    def __init__(self, error: object, settings: Settings) -> None:
        super().__init__(
            f"Kafka refuses ({error}): let the user of .env write to {settings.topic} and "
            f"{settings.dead_letter_topic}, then start again"
        )


def wanted_topics(settings: Settings) -> list[Topic]:
    """The topic of tweets and that of dead letters."""
    common = {
        "min.insync.replicas": str(MIN_INSYNC_REPLICAS),
        "message.timestamp.type": "LogAppendTime",  # retention counts from arrival, for replayed tweets too
        "unclean.leader.election.enable": "false",
    }
    return [
        Topic(settings.topic, 6, 3, common | {
            "retention.ms": str(7 * DAY_MS), "max.message.bytes": "1048588"}),
        Topic(settings.dead_letter_topic, 1, 3, common | {
            "retention.ms": str(30 * DAY_MS), "max.message.bytes": str(MAX_REQUEST_BYTES)}),
    ]  # fmt: skip


def ensure_topics(settings: Settings) -> list[str]:
    """Make the topics, or compare those that are there; returns warnings, each with its cure.

    Raises UserError where a topic can't be made, or where its settings would lose or reorder tweets.
    """
    warnings, servers = [], ",".join(settings.bootstrap_servers)
    with admin_client(settings) as admin:
        for wanted in wanted_topics(settings):
            try:
                if topic_id(admin, wanted.name) is None:
                    _create(admin, wanted)
                actual = describe(admin, wanted.name)
            except KafkaError as error:
                raise UserError(f"Kafka at {servers} does not get ready: {error}") from None
            differences = compare(wanted, actual, servers)
            if fatal := [difference.what for difference in differences if difference.fatal]:
                raise UserError(
                    f"topic {wanted.name} must not be used: {'; '.join(fatal)}; "
                    "how to change it says  python3 kafka-cluster/cluster.py doctor"
                )
            warnings += [
                f"topic {wanted.name}: {difference.what}; to change it: {difference.cure}"
                for difference in differences
            ]
    return warnings


def compare(wanted: Topic, actual: Topic, servers: str) -> list[Difference]:
    """What is wrong with a topic, each with the command that changes it."""
    command = f"python3 -m kafka.admin -b {servers.partition(',')[0]}"

    def setting(name: str, why: str = "", fatal: bool = False) -> Difference:
        what = f"{name} is {actual.config[name]}, not {wanted.config[name]}{why}"
        alter = f"{command} configs alter -r topic -n {wanted.name} -c {name}={wanted.config[name]}"
        return Difference(name, what, alter, fatal)

    found = []
    min_insync = int(actual.config["min.insync.replicas"])
    stops = "the loss of one broker would stop it"
    if actual.replication <= MIN_INSYNC_REPLICAS:
        what = f"replication {actual.replication} is not above min.insync.replicas {MIN_INSYNC_REPLICAS}: {stops}"
        spread = _spread(wanted.name, actual.partitions)
        cure = f"{command} partitions alter-reassignments {spread}"
        found.append(Difference("replication", what, cure, True))
    if min_insync < MIN_INSYNC_REPLICAS:
        why = ": an acknowledged tweet could be on one broker only"
        found.append(setting("min.insync.replicas", why, True))
    elif MIN_INSYNC_REPLICAS < min_insync >= actual.replication:
        found.append(
            setting("min.insync.replicas", f", with replication {actual.replication}: {stops}", True)
        )
    for name, why in (
        ("message.timestamp.type", ": retention would count from the tweet's date"),
        ("unclean.leader.election.enable", ": acknowledged tweets could be lost"),
    ):
        if actual.config[name] != wanted.config[name]:
            found.append(setting(name, why, True))
    found += [
        setting(name)
        for name in ("retention.ms", "max.message.bytes")
        if actual.config[name] != wanted.config[name]
    ]
    if actual.partitions < wanted.partitions:
        cure = f"{command} partitions create -p {wanted.name}:{wanted.partitions}"
        found.append(
            Difference("partitions", f"{actual.partitions} partitions, not {wanted.partitions}", cure, False)
        )
    return found


def _spread(topic: str, partitions: int) -> str:
    """The options that put each partition on the three brokers of docker-compose.yml; the first named leads."""
    orders = ("1,2,3", "2,3,1", "3,1,2")
    return " ".join(f"-r {topic}:{number}={orders[number % 3]}" for number in range(partitions))


# A broker that has just died is still among those that the client asks, for some seconds: ask another.
_ask_again = retry(
    retry=retry_if_exception_type(KafkaConnectionError),
    stop=stop_after_delay(10),
    wait=wait_fixed(0.3),
    reraise=True,
)


@_ask_again
def topic_id(admin: KafkaAdminClient, name: str) -> str | None:
    """The id that the brokers gave this topic when it was made; None where there is no such topic.

    Brokers before 2.8 give none: then the name stands for it, and a topic made anew can't be told apart.
    """
    found = admin.describe_topics([name])[0]
    if found["error_code"]:
        return None
    id_ = str(found.get("topic_id") or "")
    return name if not id_ or set(id_) <= {"0", "-"} else id_


def wait_for_topic_id(admin: KafkaAdminClient, name: str) -> str:
    """As `topic_id`, but asks for 15 s: a broker that has just been started knows no topic yet. Raises MissingTopic."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (id_ := topic_id(admin, name)) is None:
        if time.monotonic() > deadline:
            raise MissingTopic(name)
        time.sleep(0.3)
    return id_


def raise_if_topic_is_gone(settings: Settings) -> None:
    """Raise MissingTopic where the brokers answer and lack one of both; brokers that are away are no reason."""
    try:
        with admin_client(settings) as admin:
            for name in (settings.topic, settings.dead_letter_topic):
                wait_for_topic_id(admin, name)
    except MissingTopic:
        raise
    except (UserError, KafkaError):
        return


@contextlib.contextmanager
def admin_client(settings: Settings) -> Iterator[KafkaAdminClient]:
    """An admin client, closed afterwards. Raises UserError when no broker answers."""
    admin = connect(KafkaAdminClient, settings, **client_options(settings))
    try:
        yield admin
    finally:
        admin.close()


@_ask_again
def describe(admin: KafkaAdminClient, name: str) -> Topic:
    """The topic as it is; waits until the broker that is asked has heard of one that was made just now."""
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        found: dict[str, Any] = admin.describe_topics([name])[0]
        configs = next(iter(admin.describe_configs([resource], config_filter="all").values())).get(name)
        if configs and not found["error_code"]:
            replication = min(len(partition["replica_nodes"]) for partition in found["partitions"])
            config = {key: str(entry["value"]) for key, entry in configs.items()}
            return Topic(name, len(found["partitions"]), replication, config)
        if time.monotonic() > deadline:
            raise UserError(f"the brokers do not agree on the topic {name}; are all three up?")
        time.sleep(0.1)


def _create(admin: KafkaAdminClient, topic: Topic) -> None:
    options = {
        "num_partitions": topic.partitions, "replication_factor": topic.replication,
        "configs": dict(topic.config),
    }  # fmt: skip
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            admin.create_topics({topic.name: options}, timeout_ms=10_000, wait_for_metadata=True)
            return
        except TopicAlreadyExistsError:  # another script was quicker
            return
        except InvalidReplicationFactorError:  # a broker that has just been started has not joined yet
            if time.monotonic() > deadline:
                raise UserError(
                    f"can't make the topic {topic.name}: fewer than 3 brokers have joined the cluster; see which one "
                    "is missing (python3 kafka-cluster/cluster.py status) and start it (... start NAME)"
                ) from None
            time.sleep(0.5)
        except RequestTimedOutError:  # the controller is busy; the next try may find it made
            if time.monotonic() > deadline + SETTLE_SECONDS:
                raise UserError(f"can't make the topic {topic.name}: the brokers are too slow") from None
        except KafkaConnectionError as error:
            if time.monotonic() > deadline:
                raise UserError(f"can't make the topic {topic.name}: {error}") from None
            time.sleep(0.3)
        except KafkaError as error:
            raise UserError(f"can't make the topic {topic.name}: {type(error).__name__}") from None
