"""The audit: every record of the topic is in HDFS once, every tweet in Elasticsearch once or in the dead letters."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field

from elasticsearch import Elasticsearch, NotFoundError
from elasticsearch.helpers import scan

from archive_reader import FORGOTTEN, STILL_THERE, Torn, survey
from dead_letter_topic import dead_letters
from elasticsearch_index import connect_elasticsearch
from forgotten_list import ForgottenList
from forgotten_posts import Forgotten
from hdfs_archive import topic_folder
from hdfs_client import HdfsClient
from kafka_cluster.groups import lag, reached_offsets
from kafka_cluster.message import NotATweet, Origin
from kafka_cluster.plain_text import printable
from kafka_cluster.reachable import require_hdfs
from kafka_cluster.settings import READER, Settings
from kafka_cluster.topics import MissingTopic, admin_client, topic_id
from retained import Retained, retained
from topic_reader import Offsets, log_offsets, persistently, records
from tweet_document import written
from tweet_shape import read_tweet

SHOWN = 5
reached = persistently(reached_offsets)  # a broker that has just taken a group over reads its offsets first


@dataclass
class Report:
    """What was counted. `missing_*` and `doubled_*` hold ids or partition:offset, as many as there are."""

    topic: str
    first_offsets: int = 0
    records: int = 0
    ids: int = 0
    indexed: int = 0
    dead_letters: int = 0
    replayed: int = 0
    refused_lines: int = 0
    stored: int = 0
    forgotten: int = 0
    forgotten_in_hdfs: int = 0
    kept_from: str = ""
    """The first day (UTC) that every run of `archive.py retain` has kept; "" where there was none."""
    dropped_from_elasticsearch: int = 0
    dropped_from_hdfs: int = 0
    """What the topic still has, and `retain` has dropped, as far as it is not there."""
    foreign_ids: int = 0
    lag_elasticsearch: int = 0
    lag_hdfs: int = 0
    missing_in_elasticsearch: list[str] = field(default_factory=list)
    doubled_in_elasticsearch: list[str] = field(default_factory=list)
    missing_in_hdfs: list[str] = field(default_factory=list)
    doubled_in_hdfs: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    still_there: list[str] = field(default_factory=list)
    """What is on the list of `archive.py forget`, and yet in Elasticsearch or HDFS."""
    lost: list[str] = field(default_factory=list)
    """What Kafka's retention deleted before a group had it, in words."""

    @property
    def agrees(self) -> bool:
        """True when nothing is missing, doubled or torn, and what was forgotten is gone."""
        return not any((
            self.missing_in_elasticsearch, self.doubled_in_elasticsearch, self.missing_in_hdfs,
            self.doubled_in_hdfs, self.torn, self.still_there,
        ))  # fmt: skip

    @property
    def exit_code(self) -> int:
        """0 all agree, 1 not, 3 a group has not got that far yet; doubled, torn or not gone is wrong all the same."""
        if self.doubled_in_elasticsearch or self.doubled_in_hdfs or self.torn or self.still_there:
            return 1
        if self.lag_elasticsearch or self.lag_hdfs:
            return 3
        return 0 if self.agrees else 1

    def as_json(self) -> str:
        """All figures, on one line."""
        return json.dumps(asdict(self) | {"exit_code": self.exit_code})

    def __str__(self) -> str:
        lines = [
            f"topic {self.topic}: {self.records:,} records, {self.ids:,} different tweets",
            f"Elasticsearch: {self.indexed:,} of these tweets, and {self.dead_letters:,} dead letters"
            + (f" ({self.replayed:,} of them indexed since)" if self.replayed else "")
            + f"; missing {_some(self.missing_in_elasticsearch)}, doubled {_some(self.doubled_in_elasticsearch)}",
            f"HDFS: {self.stored:,} lines; missing {_some(self.missing_in_hdfs)}, "
            f"doubled {_some(self.doubled_in_hdfs)}, torn {_some(self.torn)}",
        ]
        if self.forgotten or self.forgotten_in_hdfs or self.still_there:
            lines.append(
                f"forgotten: {self.forgotten:,} of these records are on the list of archive.py forget; "
                f"{self.forgotten_in_hdfs:,} lines in HDFS are empty; still there {_some(self.still_there)}"
                + ("; run archive.py forget again" if self.still_there else "")
            )
        if self.dropped_from_elasticsearch or self.dropped_from_hdfs:
            lines.append(
                f"archive.py retain has dropped what is older than {self.kept_from}: of what the topic still has, "
                f"{self.dropped_from_elasticsearch:,} tweets are not in Elasticsearch and {self.dropped_from_hdfs:,} "
                "lines not in HDFS, which says nothing about whether they had been there"
            )
        if self.refused_lines:
            lines.append(
                f"lines that the producer refused (in the dead-letter topic): {self.refused_lines:,}"
            )
        if self.first_offsets:
            lines.append(
                f"only a part was read: {self.first_offsets:,} older records are beyond the topic's retention"
            )
        if self.foreign_ids:
            lines.append(
                f"Elasticsearch holds {self.foreign_ids:,} more tweets, which are not in this topic now"
            )
        lines += [f"LOST before it was read: {what}" for what in self.lost]
        for group, left in (("Elasticsearch", self.lag_elasticsearch), ("HDFS", self.lag_hdfs)):
            if left:
                lines.append(
                    f"the {group} group has {left:,} records still to read; run the consumer, then audit again"
                )
        verdict = {
            0: "all agree: nothing is missing, nothing is doubled"
            + (", of what Kafka still holds" if self.lost else ""),
            1: "THEY DO NOT AGREE",
            3: "not yet",
        }
        return "\n".join([*map(printable, lines), verdict[self.exit_code]])


def _some(what: list[str]) -> str:
    if not what:
        return "0"
    shown = ", ".join(what[:SHOWN])
    return f"{len(what):,} ({shown}{', ...' if len(what) > SHOWN else ''})"


def audit(settings: Settings) -> Report:
    """Read topic, dead letters, Elasticsearch and HDFS, the topic's end offsets first."""
    require_hdfs(settings)
    elasticsearch = connect_elasticsearch(settings, READER)
    with admin_client(settings) as admin:
        id_ = topic_id(admin, settings.topic)
        if id_ is None:
            raise MissingTopic(settings.topic)
        starts, ends = log_offsets(settings, settings.topic)
        report = Report(settings.topic, first_offsets=sum(starts.values()))
        report.lag_elasticsearch = lag(ends, reached(admin, settings.elasticsearch_group, starts, id_))
        report.lag_hdfs = lag(ends, reached(admin, settings.hdfs_group, starts, id_))
    origins = _dead_letters(settings, id_, report)
    client = HdfsClient(settings)
    forgotten, dropped = ForgottenList(settings).now(), retained(client, settings)
    report.kept_from = dropped.before
    tweets = _read_topic(settings, starts, ends, origins, forgotten, dropped, report)
    _compare_elasticsearch(elasticsearch, settings.elasticsearch_alias, tweets, report)
    folder = topic_folder(settings.hdfs_root, settings.topic, id_)
    for tp, end in ends.items():
        wanted = range(starts[tp], end)
        _compare_hdfs(client, folder, tp.partition, wanted, tweets, forgotten, report)
    return report


def _dead_letters(settings: Settings, id_: str, report: Report) -> set[tuple[int, int]]:
    """Count the dead letters; returns the origins (partition, offset) of group A's from this topic."""
    origins: set[tuple[int, int]] = set()
    for letter in dead_letters(settings):
        origin = letter.origin
        if origin is None:
            report.refused_lines += 1
        elif not _ours(origin, settings, id_):
            continue
        elif letter.lost:
            report.lost.append(
                f"{len(letter.lost):,} records by {letter.group}, partition {origin.partition}, "
                f"offsets {letter.lost[0]} to {letter.lost[-1]}"
            )
        elif letter.group == settings.elasticsearch_group:
            origins.add((origin.partition, origin.offset))
    return origins


def _ours(origin: Origin, settings: Settings, id_: str) -> bool:
    return (origin.topic, origin.topic_id) == (settings.topic, id_)


@dataclass(frozen=True)
class Tweets:
    """The ids in the topic that should be in Elasticsearch; those of dead letters, which may be; those forgotten.

    One that is forgotten in one record and not in another, along with which X sent less, may be or not.
    `dropped`: the ids, `dropped_lines`: partition and offset of what `retain` may have dropped. `holes`: of what the
    log does not have, as transactions and compaction leave it.
    """

    ids: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    dropped_lines: set[tuple[int, int]] = field(default_factory=set)
    holes: set[tuple[int, int]] = field(default_factory=set)


def _read_topic(
    settings: Settings, starts: Offsets, ends: Offsets, origins: set[tuple[int, int]], forgotten: Forgotten,
    dropped: Retained, report: Report,
) -> Tweets:  # fmt: skip
    tweets, following = Tweets(), {tp.partition: start for tp, start in starts.items()}
    for record in records(settings, starts, ends):
        report.records += 1
        origin = (record.partition, record.offset)
        tweets.holes.update(
            (record.partition, hole) for hole in range(following[record.partition], record.offset)
        )
        following[record.partition] = record.offset + 1
        report.dead_letters += origin in origins
        if dropped.from_hdfs(record):
            tweets.dropped_lines.add(origin)
        if (gone := forgotten.id_in(record.value)) is not None:
            report.forgotten += 1
            tweets.forgotten.add(gone)
            continue
        try:
            tweet = read_tweet(record.value)
            id_ = tweet.id
        except NotATweet:
            if origin not in origins:
                report.missing_in_elasticsearch.append(f"{record.partition}:{record.offset}")
            continue
        (tweets.dead if origin in origins else tweets.ids).add(id_)
        if dropped and dropped.from_elasticsearch(written(tweet)[0], record):
            tweets.dropped.add(id_)
    for tp, end in ends.items():
        tweets.holes.update((tp.partition, hole) for hole in range(following[tp.partition], end))
    report.ids = len(tweets.ids | tweets.dead)
    return Tweets(
        tweets.ids - tweets.forgotten, tweets.dead - tweets.ids, tweets.forgotten - tweets.ids,
        tweets.dropped, tweets.dropped_lines, tweets.holes,
    )  # fmt: skip


def _compare_elasticsearch(client: Elasticsearch, alias: str, tweets: Tweets, report: Report) -> None:
    try:
        client.indices.refresh(index=alias)
        found = Counter(
            hit["_id"] for hit in scan(client, index=alias, query={"_source": False}, size=5_000, scroll="2m")
        )
    except NotFoundError:
        found = Counter()
    report.indexed = sum(1 for id_ in tweets.ids if id_ in found)
    report.replayed = sum(1 for id_ in tweets.dead if id_ in found)
    report.still_there += sorted(id_ for id_ in tweets.forgotten if id_ in found)
    absent = {id_ for id_ in tweets.ids if id_ not in found}
    report.dropped_from_elasticsearch = len(absent & tweets.dropped)
    report.missing_in_elasticsearch += sorted(absent - tweets.dropped)
    report.doubled_in_elasticsearch += sorted(id_ for id_, count in found.items() if count > 1)
    known = tweets.ids | tweets.dead | tweets.forgotten
    report.foreign_ids = sum(1 for id_ in found if id_ not in known)


def _compare_hdfs(
    client: HdfsClient,
    folder: str,
    partition: int,
    wanted: range,
    tweets: Tweets,
    forgotten: Forgotten,
    report: Report,
) -> None:
    try:
        lines = survey(client, folder, partition, forgotten)
    except Torn as error:
        report.torn.append(str(error))
        return
    offsets = Counter(offset for offset, _ in lines)
    report.forgotten_in_hdfs += sum(1 for _, state in lines if state == FORGOTTEN)
    report.still_there += [f"{partition}:{offset}" for offset, state in lines if state == STILL_THERE]
    report.stored += sum(1 for offset in offsets if offset in wanted)
    absent = [
        offset for offset in wanted if offset not in offsets and (partition, offset) not in tweets.holes
    ]
    missing = [offset for offset in absent if (partition, offset) not in tweets.dropped_lines]
    report.dropped_from_hdfs += len(absent) - len(missing)
    report.missing_in_hdfs += [f"{partition}:{offset}" for offset in missing]
    report.doubled_in_hdfs += [f"{partition}:{offset}" for offset, count in offsets.items() if count > 1]
