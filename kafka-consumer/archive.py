#!/usr/bin/env python3
"""Read the tweets again, from Kafka or from the archive in HDFS; or forget some of them.

rebuild   fill a new index beside the old one while the consumers go on, then let the alias stand for the new one
forget    delete posts everywhere, because they were deleted on X

  archive.py rebuild --from hdfs
  archive.py forget --ids deleted.txt
  archive.py forget --user 2244994945
"""

import argparse
import sys
from pathlib import Path

try:
    from elasticsearch import ApiError, TransportError
    from hdfs import HdfsError
    from kafka.errors import KafkaError
    from requests.exceptions import RequestException

    from archive_reader import Torn
    from elasticsearch_index import connect_elasticsearch
    from forget import Forget
    from forgotten_posts import read_ids
    from hdfs_client import NotYes
    from index_rebuild import IndexRebuild
    from kafka_cluster.message import is_tweet_id
    from kafka_cluster.reachable import require_hdfs
    from kafka_cluster.script import UserError, run, set_up_logging
    from kafka_cluster.settings import Settings, load_settings
    from kafka_cluster.topics import admin_client
    from rebuild_letters import RebuildLetters
    from sink import StopLoudly
    from topic_guard import open_topic_guard
except ModuleNotFoundError as missing:
    print(
        f"{missing.name} is not installed: run  python3 -m pip install -r requirements.txt  in the project's folder",
        file=sys.stderr,
    )
    sys.exit(2)


# what the servers raise; each verb may be run again after any of them
TROUBLE = (
    ApiError,
    TransportError,
    HdfsError,
    RequestException,
    KafkaError,
    StopLoudly,
    Torn,
    NotYes,
)

FORGET_HELP = """\
Delete posts everywhere, because they were deleted on X.

A record is forgotten if it carries a post of the list: its own post by id, edits included; a retweet of it; or
any record along with which X sent the post in full, so also a quote or a reply by somebody else. With --user: every
record that carries a post by that user. The record goes as a whole.

What happens: the ids go on a list in HDFS, which both groups, rebuilds and replays obey, for good. The documents are
deleted from every index of tweets. In the archive the records' lines stay, with partition, offset, timestamp, key and
headers, without the tweet. It reads the whole archive: gather ids, and run it once. It may be repeated, and finishes
what a run that was killed has left. Consumers go on meanwhile.

What is not found: a retweet of the user's post along with which X did not send the post; what others wrote to or about
the user, and the user's profile sent along with it; a value that is no JSON. What is not touched: Kafka's topics, until
their retention ends; lines that wait in spill_folder; HDFS snapshots; pages that were drawn.
"""


def main() -> int:
    args = parse()
    set_up_logging()
    settings = load_settings()
    try:
        print(rebuild(args, settings) if args.verb == "rebuild" else forget(args, settings))
    except TROUBLE as error:
        raise UserError(f"the {args.verb} ended, run it again: {type(error).__name__}: {error}") from None
    return 0


def rebuild(args: argparse.Namespace, settings: Settings) -> str:
    if args.source == "hdfs":
        require_hdfs(settings)
    client = connect_elasticsearch(settings)
    letters = RebuildLetters(settings)
    try:
        with open_topic_guard(settings) as guard:
            return IndexRebuild(settings, client, guard, letters).run(args.source, args.drop_old)
    finally:
        letters.close()
        client.close()


def forget(args: argparse.Namespace, settings: Settings) -> str:
    posts = read_file(args.ids) if args.ids else []
    users = args.user or []
    for id_ in users:
        if not is_tweet_id(id_):
            raise UserError(f"a user's id is a number, and {id_!r} is none (a name won't do: it can change)")
    require_hdfs(settings)
    client = connect_elasticsearch(settings)
    try:
        with admin_client(settings) as admin:
            return str(Forget(settings, client, admin).run(posts, users))
    finally:
        client.close()


def read_file(name: str) -> list[str]:
    if name == "-":
        return read_ids(sys.stdin.buffer, "standard input")
    try:
        with Path(name).open("rb") as lines:
            return read_ids(lines, name)
    except OSError as error:
        raise UserError(f"can't read {name}: {error.strerror}") from None


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    rebuild = verbs.add_parser("rebuild", help="a new index; takes the disk of a second one meanwhile")
    rebuild.add_argument(
        "--from", dest="source", choices=("kafka", "hdfs"), required=True,
        help="kafka: from the start of its log; hdfs: the whole archive, then from Kafka what is not in it yet",
    )  # fmt: skip
    rebuild.add_argument(
        "--drop-old",
        action="store_true",
        help="delete the old index, unless it has more tweets than the new one",
    )
    command = verbs.add_parser(
        "forget", help="delete posts from Elasticsearch and from the archive, and let nothing bring them back",
        description=FORGET_HELP, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--ids", metavar="FILE", help="tweet ids, one a line, # begins a comment; - is stdin")
    which.add_argument(
        "--user", metavar="ID", action="append", help="all posts of this user; may be repeated"
    )
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
