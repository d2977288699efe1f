"""What the audit takes for a record: what the topic holds, and no offset that its log has not."""

from types import SimpleNamespace
from typing import Any

import pytest
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CoordinatorLoadInProgressError

import pipeline_audit
from kafka_cluster.settings import Settings
from pipeline_audit import Report
from sample import Record, tweet_lines

TPS = [TopicPartition("tweets", number) for number in (0, 1)]
NOTHING: Any = SimpleNamespace(
    id_in=lambda _: None, from_hdfs=lambda _: False, from_elasticsearch=lambda *_: False
)


def audited(held: list[int], stored: list[int], monkeypatch: pytest.MonkeyPatch) -> Report:
    """Of a topic whose partition 0 starts at 2, ends at 9 and holds these offsets; partition 1 is empty."""
    values = tweet_lines(len(held))
    records = [Record(value, offset, partition=0) for value, offset in zip(values, held, strict=True)]
    monkeypatch.setattr(pipeline_audit, "records", lambda *_: iter(records))
    monkeypatch.setattr(pipeline_audit, "survey", lambda *_: [(offset, "") for offset in stored])
    report, starts, ends = Report("tweets"), {TPS[0]: 2, TPS[1]: 0}, {TPS[0]: 9, TPS[1]: 0}
    tweets = pipeline_audit._read_topic(Settings(), starts, ends, set(), NOTHING, NOTHING, report)
    wanted = range(starts[TPS[0]], ends[TPS[0]])
    pipeline_audit._compare_hdfs(NOTHING, "", 0, wanted, tweets, NOTHING, report)
    return report


def test_the_holes_of_a_log_are_not_missing_in_hdfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A marker for each transaction, the last one at the end, or what compaction removed."""
    report = audited(held=[3, 4, 7], stored=[3, 4, 7], monkeypatch=monkeypatch)
    assert (report.missing_in_hdfs, report.stored, report.dropped_from_hdfs) == ([], 3, 0)


def test_a_record_beside_them_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert audited([3, 4, 7], [3, 7], monkeypatch).missing_in_hdfs == ["0:4"]
    assert audited([3, 4, 7], [3, 4], monkeypatch).missing_in_hdfs == ["0:7"]


def test_a_broker_that_still_reads_a_groups_offsets_is_asked_again() -> None:
    answers = iter([CoordinatorLoadInProgressError(), {"group": {TPS[0]: OffsetAndMetadata(7, "id", -1)}}])

    def list_group_offsets(_: object) -> object:
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    admin: Any = SimpleNamespace(list_group_offsets=list_group_offsets)
    assert pipeline_audit.reached(admin, "group", {TPS[0]: 2}, "id") == {TPS[0]: 7}
