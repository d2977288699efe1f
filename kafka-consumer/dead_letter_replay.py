"""Sends dead letters once more where they were to go, as often as one likes.

A group's dead letter is in the topic and in HDFS already: it goes to Elasticsearch through group A's own sink, which
refuses an id that is there. A line that a producer refused is in neither: if it is a tweet now, it goes into the topic,
and then at once to Elasticsearch, so that the next replay finds it there.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from batches import batches
from dead_letter_topic import DeadLetter
from elasticsearch_sink import ElasticsearchSink
from forgotten_list import ForgottenList
from kafka_cluster.message import NotATweet, TweetRecord, header, moment_of, tweet_record
from kafka_cluster.pipeline_events import reason_class
from kafka_cluster.plain_text import printable
from kafka_cluster.settings import Settings
from topic_guard import TopicGuard
from tweet_shape import read_tweet

BATCH = 500


@dataclass
class Replayed:
    """What became of them."""

    indexed: int = 0
    existing: int = 0
    into_topic: int = 0
    forgotten: int = 0
    """Those that `archive.py forget` has forbidden."""
    refused: Counter[str] = field(default_factory=Counter)
    """Those that are refused still, by the kind of reason."""

    def __str__(self) -> str:
        lines = [
            f"{self.indexed:,} indexed, {self.existing:,} were in Elasticsearch already, "
            f"{self.refused.total():,} are refused still"
        ]
        if self.forgotten:
            lines.append(f"{self.forgotten:,} are forgotten, and stay so")
        if self.into_topic:
            lines.append(f"{self.into_topic:,} lines that a producer had refused went into the topic first")
        return "\n".join(
            [*lines, *(f"{count:>7,}  {printable(reason)}" for reason, count in self.refused.most_common())]
        )


class Replay:
    """`read` gives the letters; `send` puts a record into the topic of tweets, and returns when it is acknowledged."""

    def __init__(
        self, settings: Settings, client: Elasticsearch, guard: TopicGuard,
        read: Callable[[], Iterable[DeadLetter]], send: Callable[[TweetRecord], None],
    ) -> None:  # fmt: skip
        self._client, self._alias, self._read, self._send = client, settings.elasticsearch_alias, read, send
        self._forgotten = ForgottenList(settings)
        self._sink = ElasticsearchSink(settings, client, self._refuse, guard, self._forgotten, live=False)
        self._done = Replayed()

    def run(self) -> Replayed:
        """Replay them all."""
        in_topic: set[str] = (
            set()
        )  # a producer's line that is there needs no second record, whatever became of it
        for batch in batches((letter for letter in self._read() if letter.origin and not letter.lost), BATCH):
            in_topic |= ids_of(batch)
            self._refuse(
                [(letter, "cut: the whole value is in HDFS") for letter in batch if letter.cut_bytes]
            )
            self._index([letter.record for letter in batch if not letter.cut_bytes])
        for batch in batches((letter for letter in self._read() if not letter.origin), BATCH):
            there = delivered(self._client, self._alias, ids_of(batch))
            for letter in batch:
                self._replay_line(letter, there, in_topic)
        return self._done

    def _replay_line(self, letter: DeadLetter, there: set[str], in_topic: set[str]) -> None:
        try:
            record = line_record(letter)
        except NotATweet as error:
            self._refuse([(letter, str(error))])
            return
        if self._forgotten.recent().holds(record):
            self._done.forgotten += 1
            return
        id_ = record.key.decode()
        if id_ in there:
            self._done.existing += 1
        elif id_ in in_topic:
            self._refuse([(letter, "in the topic by now, and a dead letter of group A")])
        else:
            self._send(record)
            self._done.into_topic += 1
            self._index([record])
            there.add(id_)

    def _index(self, records: list[Any]) -> None:
        written = self._sink.write(None, records, Event())
        self._done.indexed += written.new
        self._done.existing += written.existing
        self._done.forgotten += written.forgotten

    def _refuse(self, poison: list[tuple[Any, str]]) -> None:
        self._done.refused.update(reason_class(reason) for _, reason in poison)


def line_record(letter: DeadLetter) -> TweetRecord:
    """A line that a producer refused, as a record. Raises NotATweet where it still is none."""
    if letter.cut_bytes:
        raise NotATweet(f"cut: {letter.cut_bytes:,} bytes of the line were not kept")
    source = header(letter.record.headers, "producer") or "unknown"
    return tweet_record(letter.record.value or b"", source, moment_of(letter.record.timestamp))


def ids_of(letters: Iterable[DeadLetter]) -> set[str]:
    """The tweet ids of those that have one."""
    return {id_ for letter in letters if (id_ := id_of(letter))}


def id_of(letter: DeadLetter) -> str | None:
    """The tweet id of a letter, where it has one that is valid."""
    try:
        return read_tweet(letter.record.value).id
    except NotATweet:
        return None


def delivered(client: Elasticsearch, alias: str, ids: set[str]) -> set[str]:
    """Those ids that Elasticsearch has."""
    if not ids:
        return set()
    try:
        found = client.mget(index=alias, ids=sorted(ids), source=False)
    except NotFoundError:  # no index yet
        return set()
    return {doc["_id"] for doc in found["docs"] if doc.get("found")}
