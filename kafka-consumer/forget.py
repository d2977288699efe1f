"""Forgets posts everywhere. The order is what makes it safe to be killed anywhere, and run again.

1. The list: from here on no group, no rebuild and no replay takes the posts any more.
2. Elasticsearch: what its documents' own fields show.
3. HDFS: values are taken out of the archive; what it holds tells the ids of records that only carry a post.
4. Kafka, from where the archive ends: the ids of what group B has not stored yet.
5. Elasticsearch again: these ids. By then every process of group A knows the list.

Each run works through the whole list: so it finishes what an earlier one has left.
"""

import logging
import time
from dataclasses import dataclass, field

from elasticsearch import Elasticsearch
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from archive_reader import partitions_of, topic_folders
from archive_rewrite import ArchiveRewrite
from elasticsearch_forget import ElasticsearchForget
from forgotten_list import LOOK_SECONDS, ForgottenList
from forgotten_posts import Forgotten
from hdfs_archive import staging_folder
from hdfs_client import HdfsClient
from kafka_cluster.settings import Settings
from kafka_cluster.topics import DAY_MS, describe, topic_id
from topic_reader import Offsets, log_offsets, records

log = logging.getLogger(__name__)

SETTLE_SECONDS = LOOK_SECONDS + 3.0
"""After so long a process of group A has looked at the list, and what it was writing by the old one is written."""


@dataclass
class Done:
    """What a run did, in counts."""

    new_posts: int = 0
    new_users: int = 0
    listed: Forgotten = field(default_factory=Forgotten)
    deleted: int = 0
    read: int = 0
    emptied: int = 0
    files: int = 0
    in_kafka: list[str] = field(default_factory=list)
    """What is said about what Kafka keeps."""

    def __str__(self) -> str:
        return "\n".join([
            f"list: {self.new_posts:,} posts and {self.new_users:,} users are new on it; "
            f"{len(self.listed.posts):,} and {len(self.listed.users):,} in all",
            f"Elasticsearch: {self.deleted:,} documents deleted",
            f"HDFS: {self.emptied:,} records emptied, in {self.files:,} files; {self.read:,} lines read",
            *self.in_kafka,
        ])  # fmt: skip


class Forget:
    """One run."""

    def __init__(self, settings: Settings, client: Elasticsearch, admin: KafkaAdminClient) -> None:
        self._settings, self._admin = settings, admin
        self._topic_id = topic_id(admin, settings.topic)
        self._list = ForgottenList(settings)
        self._elasticsearch = ElasticsearchForget(client, settings.elasticsearch_alias)
        self._hdfs = HdfsClient(settings)
        self._staging = staging_folder(settings.hdfs_root)

    def run(self, posts: list[str], users: list[str]) -> Done:
        """Forget posts, by id, and all posts of users, by id. Raises what the servers raise: then run it again."""
        new_posts, new_users = self._list.add(posts, users)
        settled_at = time.monotonic() + SETTLE_SECONDS
        log.info("forget: on the list; from here on nothing brings them back")
        with ArchiveRewrite(self._settings, self._hdfs) as archive:
            listed = self._list.now()  # after the folder of this run was made: see archive_rewrite
            self._elasticsearch.listed(listed)
            log.info("forget: gone from Elasticsearch; the archive is read, which takes its time")
            following = self._empty_archive(archive, listed)
            staged = self._hdfs.folder(self._staging)  # of owners that were sealed, or were killed long ago
        time.sleep(max(0.0, settled_at - time.monotonic()))
        for name in staged:
            self._hdfs.delete(f"{self._staging}/{name}", recursive=True)
        self._elasticsearch.tweets(archive.ids | self._not_yet_stored(following, listed))
        return Done(
            len(new_posts), len(new_users), listed, self._elasticsearch.deleted,
            archive.read, archive.emptied, archive.files, self._what_kafka_keeps(),
        )  # fmt: skip

    def _empty_archive(self, archive: ArchiveRewrite, listed: Forgotten) -> Offsets:
        """Returns where the archive of the present topic ends."""
        following: Offsets = {}
        folders = topic_folders(self._hdfs, self._settings.hdfs_root, self._settings.topic)
        for id_, folder in folders.items():
            for partition in partitions_of(self._hdfs, folder):
                end = archive.partition(id_, folder, partition, listed)
                if id_ == self._topic_id:
                    following[TopicPartition(self._settings.topic, partition)] = end
        return following

    def _not_yet_stored(self, following: Offsets, listed: Forgotten) -> set[str]:
        """The ids of records on the list that Kafka has and the archive does not."""
        if self._topic_id is None:
            return set()
        starts, ends = log_offsets(self._settings, self._settings.topic)
        starts = {tp: max(start, following.get(tp, 0)) for tp, start in starts.items()}
        left = {tp: end for tp, end in ends.items() if starts[tp] < end}
        found = (
            listed.id_in(r.value) for r in records(self._settings, {tp: starts[tp] for tp in left}, left)
        )
        return {id_ for id_ in found if id_ is not None}

    def _what_kafka_keeps(self) -> list[str]:
        names = (self._settings.topic, self._settings.dead_letter_topic)
        kept = [(name, describe(self._admin, name).config) for name in names if topic_id(self._admin, name)]
        if not kept:
            return []
        lines = [
            "Kafka still has their records, which nothing takes from it any more, until its retention ends:"
        ]
        lines += [
            f"  {name}: retention.ms={config['retention.ms']} ({int(config['retention.ms']) / DAY_MS:g} days), "
            f"counted from the last record of a segment, which ends after segment.ms={config['segment.ms']}"
            for name, config in kept
        ]
        server = self._settings.bootstrap_servers[0]
        return [
            *lines,
            f"  to shorten it: python3 -m kafka.admin -b {server} configs alter -r topic -n {kept[0][0]} "
            "-c retention.ms=MS -c segment.ms=MS",
            "  what a group has not read by then is lost to it: see audit.py first, and set it back afterwards",
        ]
