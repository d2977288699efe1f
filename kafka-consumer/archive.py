#!/usr/bin/env python3
"""Read the tweets again, from Kafka or from the archive in HDFS; forget some of them; keep the archive in order.

rebuild   fill a new index beside the old one while the consumers go on, then let the alias stand for the new one
forget    delete posts everywhere, because they were deleted on X
compact   merge the many small files in HDFS into few large ones, while the consumers go on
retain    drop what is older than so many months, from Elasticsearch and HDFS

  archive.py rebuild --from hdfs
  archive.py forget --ids deleted.txt
  archive.py forget --user 2244994945
  archive.py compact --dry-run
  archive.py retain --months 12 --dry-run
"""

import argparse
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

try:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports: no traceback
    from archive_compact import ArchiveCompact
    from archive_retain import ArchiveRetain, first_kept
    from elasticsearch_forget import ElasticsearchForget
    from elasticsearch_index import connect_elasticsearch
    from forget import Forget
    from forgotten_posts import read_ids
    from hdfs_client import HdfsClient
    from index_rebuild import IndexRebuild
    from kafka_cluster.message import is_tweet_id
    from kafka_cluster.reachable import require_hdfs
    from kafka_cluster.script import UserError, run, set_up_logging
    from kafka_cluster.settings import OPERATOR, Settings, load_settings
    from kafka_cluster.topics import admin_client
    from rebuild_letters import RebuildLetters
    from server_errors import run_again_after
    from topic_guard import open_topic_guard
except ModuleNotFoundError as missing:
    print(
        f"{missing.name} is not installed: run  python3 -m pip install -r requirements.txt  in the project's folder",
        file=sys.stderr,
    )
    sys.exit(2)


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


COMPACT_HELP = """\
Merge the many small files of the archive into few large ones, each a day of a partition, up to 256 MiB; every line
stays as it is. Each batch that group B writes is a small file, and a block of HDFS, of its own, and each rebalance
begins a new folder.

What the owners of the partitions write just now stays as it is, and so does what the last owner wrote. An open folder
with days that are over is closed, as when a consumer comes or goes, and merged by a later run: once a day is a good
rhythm. Consumers, audits and rebuilds go on meanwhile. It may be killed and repeated.

Another program that reads the files directly, such as Spark, may meet a file that vanishes, or for a moment see both
the old and the new ones: drop what has the same topic, partition and offset.
"""

RETAIN_HELP = """\
Drop what is older than so many months: from Elasticsearch the tweets that were written before (created_at, the time
that the dashboards show; in every index of tweets), from HDFS the days that arrived before (dt=). It first shows what
it would drop, then asks.

An old tweet that came lately (a replay of an old file) is dropped from Elasticsearch, and stays in HDFS for its
months. What stays in HDFS whatever its age: what the owners of the partitions write, and of each partition the last
day that the owner before wrote, where the next one reads from which offset to go on.

What was dropped comes back where its source still has it: a tweet by consumer.py --from-beginning or rebuild --from
kafka while Kafka has it, by rebuild --from hdfs while HDFS has it; the next run drops it again. audit.py counts it as
dropped, and not as missing.
"""


def main() -> int:
    args = parse()
    settings = load_settings()
    set_up_logging(settings.log_format)
    with run_again_after(f"the {args.verb}"):
        print(VERBS[args.verb](args, settings))
    return 0


def rebuild(args: argparse.Namespace, settings: Settings) -> str:
    if args.source == "hdfs":
        require_hdfs(settings)
    client = connect_elasticsearch(settings, OPERATOR)
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
    client = connect_elasticsearch(settings, OPERATOR)
    try:
        with admin_client(settings) as admin:
            return str(Forget(settings, client, admin).run(posts, users))
    finally:
        client.close()


def compact(args: argparse.Namespace, settings: Settings) -> str:
    require_hdfs(settings)
    return str(ArchiveCompact(settings, HdfsClient(settings)).run(args.dry_run))


def retain(args: argparse.Namespace, settings: Settings) -> str:
    before = first_kept(args.months, datetime.now(UTC).date())
    require_hdfs(settings)
    client = connect_elasticsearch(settings, OPERATOR)
    try:
        run = ArchiveRetain(settings, HdfsClient(settings), before)
        documents = ElasticsearchForget(client, settings.elasticsearch_alias)
        old = run.look()
        old.documents = documents.count_written_before(before)
        if args.dry_run or old.nothing:
            return f"{old}\n{'nothing to drop' if old.nothing else 'nothing was dropped: --dry-run'}"
        print(old, flush=True)
        confirm(args.yes)
        dropped = run.drop()
        documents.written_before(before)
        dropped.documents = documents.deleted
        return f"dropped\n{dropped}"
    finally:
        client.close()


def confirm(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError("nothing was dropped: add --yes to drop it")
    print("drop it for good? type yes: ", end="", flush=True)
    if sys.stdin.readline().strip() != "yes":
        raise UserError("nothing was dropped")


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
    command = verbs.add_parser(
        "compact", help="merge the many small files in HDFS into few large ones",
        description=COMPACT_HELP, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    command.add_argument("--dry-run", action="store_true", help="only say what would be merged")
    command = verbs.add_parser(
        "retain", help="drop what is older than so many months, from Elasticsearch and HDFS",
        description=RETAIN_HELP, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    command.add_argument("--months", type=int, metavar="N", required=True, help="how many months to keep")
    command.add_argument("--dry-run", action="store_true", help="only say what would be dropped")
    command.add_argument("--yes", action="store_true", help="drop it without asking")
    return parser.parse_args()


VERBS = {"rebuild": rebuild, "forget": forget, "compact": compact, "retain": retain}

if __name__ == "__main__":
    run(main)
