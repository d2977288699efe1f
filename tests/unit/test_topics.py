"""A topic that would lose or reorder tweets is refused; one that only differs is warned of, with the cure."""

from dataclasses import replace

import pytest

from kafka_cluster.settings import Settings
from kafka_cluster.topics import compare, wanted_topics

WANTED = wanted_topics(Settings())[0]


def test_a_topic_as_we_make_it_has_no_fault() -> None:
    assert compare(WANTED, WANTED, "broker:1") == ([], [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"replication": 2}, "replication 2"),
        ({"config": {**WANTED.config, "min.insync.replicas": "1"}}, "min.insync.replicas is 1"),
        ({"config": {**WANTED.config, "message.timestamp.type": "CreateTime"}}, "message.timestamp.type"),
        ({"config": {**WANTED.config, "unclean.leader.election.enable": "true"}}, "unclean.leader.election"),
    ],
)
def test_a_topic_that_must_not_be_used(change: dict, said: str) -> None:
    fatal, _ = compare(WANTED, replace(WANTED, **change), "broker:1")
    assert len(fatal) == 1 and said in fatal[0]


def test_other_differences_are_warnings_with_the_command_that_cures() -> None:
    actual = replace(WANTED, partitions=3, config={**WANTED.config, "retention.ms": "1000"})
    fatal, mild = compare(WANTED, actual, "broker:1")
    assert not fatal
    command = "python3 -m kafka.admin -b broker:1"
    assert f"{command} configs alter -r topic -n tweets -c retention.ms=604800000" in mild[0]
    assert f"{command} partitions create -p tweets:6" in mild[1]
