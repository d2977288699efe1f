"""What `status` shows of partitions that nobody leads."""

from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.structs import OffsetAndMetadata, OffsetAndTimestamp
from rich.console import Console

from cluster_status import lag_table
from kafka_cluster.settings import Settings

SETTINGS = Settings()


class Admin:
    """Brokers that know the ends of what they lead: 100 records in each partition, of which 40 are committed."""

    def __init__(self, *leaders: int) -> None:
        self._leaders = leaders

    def describe_topics(self, _: object = None) -> list[dict[str, Any]]:
        partitions = [
            {"partition_index": number, "leader_id": leader, "isr_nodes": [], "replica_nodes": [1]}
            for number, leader in enumerate(self._leaders)
        ]
        return [{"name": SETTINGS.topic, "partitions": partitions}, {"name": "other", "partitions": []}]

    def list_partition_offsets(self, specs: dict[TopicPartition, OffsetSpec], **_: object) -> dict[Any, Any]:
        assert all(self._leaders[tp.partition] > 0 for tp in specs), "the client would ask in vain"
        return {tp: OffsetAndTimestamp(100, -1, None) for tp in specs}

    def list_group_offsets(self, groups: dict[str, None]) -> dict[str, Any]:
        here = [TopicPartition(SETTINGS.topic, number) for number in range(len(self._leaders))]
        committed = {tp: OffsetAndMetadata(40, "", None) for tp in [*here, TopicPartition("other", 0)]}
        return dict.fromkeys(groups, committed)

    def describe_groups(self, groups: list[str]) -> dict[str, Any]:
        return {group: {"members": ["one"]} for group in groups}


@pytest.mark.parametrize(
    ("leaders", "said"),
    [((1, 2, 3), ["1", "120", "180"]), ((1, -1, 3), ["1", "120", "120", "or", "more"]),
     ((-1, -1, -1), ["1", "120", "0", "or", "more"]), ((), ["1", "0", "0"])],
)  # fmt: skip
def test_the_lag_is_that_of_partitions_with_a_leader(
    leaders: tuple[int, ...], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    admin: Any = Admin(*leaders)
    Console(width=120).print(lag_table(admin, SETTINGS, admin.describe_topics()))
    rows = [line.split()[2:] for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [said] * 2
