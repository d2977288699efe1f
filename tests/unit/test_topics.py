"""A topic that would lose or reorder tweets is refused; one that only differs is warned of, with the cure."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from kafka_cluster import topics
from kafka_cluster.settings import Settings
from kafka_cluster.topics import MissingTopic, compare, raise_if_topic_is_gone, wanted_topics

WANTED = wanted_topics(Settings())[0]


def test_a_topic_as_we_make_it_has_no_fault() -> None:
    assert compare(WANTED, WANTED, "broker:1") == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"replication": 2}, "replication 2 is not above min.insync.replicas 2"),
        (
            {"config": {**WANTED.config, "min.insync.replicas": "3"}},
            "3, not 2, with replication 3: the loss of one",
        ),
        ({"config": {**WANTED.config, "min.insync.replicas": "1"}}, "min.insync.replicas is 1"),
        ({"config": {**WANTED.config, "message.timestamp.type": "CreateTime"}}, "message.timestamp.type"),
        ({"config": {**WANTED.config, "unclean.leader.election.enable": "true"}}, "unclean.leader.election"),
    ],
)
def test_a_topic_that_must_not_be_used(change: dict, said: str) -> None:
    (found,) = compare(WANTED, replace(WANTED, **change), "broker:1")
    assert found.fatal and said in found.what
    assert found.cure.startswith("python3 -m kafka.admin -b broker:1 ")


def test_too_few_replicas_are_cured_by_spreading_leaders_over_the_brokers() -> None:
    (found,) = compare(WANTED, replace(WANTED, replication=1, partitions=6), "broker:1")
    assert "-r tweets:0=1,2,3 -r tweets:1=2,3,1 -r tweets:2=3,1,2 -r tweets:3=1,2,3" in found.cure


def test_other_differences_are_no_reason_to_stop_and_have_a_cure_too() -> None:
    actual = replace(WANTED, partitions=3, config={**WANTED.config, "retention.ms": "1000"})
    retention, partitions = compare(WANTED, actual, "broker:1,broker:2")
    assert not retention.fatal and not partitions.fatal
    command = "python3 -m kafka.admin -b broker:1"
    assert retention.cure == f"{command} configs alter -r topic -n tweets -c retention.ms=604800000"
    assert partitions.cure == f"{command} partitions create -p tweets:6"


def test_more_partitions_than_we_make_are_as_good() -> None:
    assert compare(WANTED, replace(WANTED, partitions=12), "broker:1") == []


@pytest.mark.parametrize("deleted", ["tweets", "tweets.dead-letter"])
def test_either_topic_that_is_gone_is_named(deleted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Admin:
        def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
            return [{"error_code": 3 if name == deleted else 0, "topic_id": "an id"} for name in names]

    monkeypatch.setattr(topics, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(topics, "admin_client", lambda _: nullcontext(Admin()))
    with pytest.raises(MissingTopic, match=f"no topic {deleted}:"):
        raise_if_topic_is_gone(Settings())
