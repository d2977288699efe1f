#!/usr/bin/env python3
"""Read the tweets again, from Kafka or from the archive in HDFS.

rebuild   fill a new index beside the old one while the consumers go on, then let the alias stand for the new one
"""

import argparse
import sys

try:
    from elasticsearch import ApiError, TransportError
    from hdfs import HdfsError
    from kafka.errors import KafkaError
    from requests.exceptions import RequestException

    from archive_reader import Torn
    from elasticsearch_index import connect_elasticsearch
    from index_rebuild import IndexRebuild
    from kafka_cluster.script import UserError, run, set_up_logging
    from kafka_cluster.settings import load_settings, require_reachable
    from rebuild_letters import RebuildLetters
    from sink import StopLoudly
    from topic_guard import open_topic_guard
except ModuleNotFoundError as missing:
    print(
        f"{missing.name} is not installed: run  python3 -m pip install -r requirements.txt  in the project's folder",
        file=sys.stderr,
    )
    sys.exit(2)


def main() -> int:
    args = parse()
    set_up_logging()
    settings = load_settings()
    if args.source == "hdfs":
        require_reachable(settings.webhdfs_url, "HDFS (its NameNode)", "webhdfs_url")
    client = connect_elasticsearch(settings)
    letters = RebuildLetters(settings)
    try:
        with open_topic_guard(settings) as guard:
            print(IndexRebuild(settings, client, guard, letters).run(args.source, args.drop_old))
    except (ApiError, TransportError, HdfsError, RequestException, KafkaError, StopLoudly, Torn) as error:
        raise UserError(f"the rebuild ended, run it again: {type(error).__name__}: {error}") from None
    finally:
        letters.close()
        client.close()
    return 0


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
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
