#!/usr/bin/env python3
"""What could not be delivered: the topic of dead letters.

list     grouped by who and why
show     one by one: origin, reason, the beginning of the value
replay   after a fix: send them once more where they were to go; exit code 1 when some are refused still
"""

import argparse
import itertools
import signal
import sys

try:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports: no traceback
    from batches import batches
    from dead_letter_replay import BATCH, Replay, delivered, id_of, ids_of
    from dead_letter_topic import dead_letters
    from dead_letter_view import Reasons, matching, shown
    from elasticsearch_index import connect_elasticsearch, ensure_index
    from kafka_cluster.kafka_options import Producer, connect, producer_options
    from kafka_cluster.message import TweetRecord
    from kafka_cluster.reachable import require_hdfs
    from kafka_cluster.script import UserError, run, set_up_logging
    from kafka_cluster.settings import OPERATOR, READER, Settings, load_settings
    from server_errors import run_again_after
    from topic_guard import open_topic_guard
except ModuleNotFoundError as missing:
    print(
        f"{missing.name} is not installed: run  python3 -m pip install -r requirements.txt  in the project's folder",
        file=sys.stderr,
    )
    sys.exit(2)

ACKNOWLEDGE_SECONDS = 60


def main() -> int:
    args = parse()
    settings = load_settings()
    set_up_logging(settings.log_format)
    with run_again_after(f"the {args.verb}"):
        return VERBS[args.verb](args, settings)


def show(args: argparse.Namespace, settings: Settings) -> int:
    letters = matching(dead_letters(settings), args.reason)
    for letter in itertools.islice(letters, args.limit):
        print(shown(letter))
    return 0


def count(args: argparse.Namespace, settings: Settings) -> int:
    client, reasons = connect_elasticsearch(settings, READER), Reasons()
    for batch in batches(matching(dead_letters(settings), args.reason), BATCH):
        there = delivered(client, settings.elasticsearch_alias, ids_of(batch))
        for letter in batch:
            reasons.add(letter, id_of(letter) in there)
    print(reasons)
    return 0


def replay(args: argparse.Namespace, settings: Settings) -> int:
    client = connect_elasticsearch(settings, OPERATOR)
    ensure_index(client, settings)
    # the list of what was forgotten is there
    require_hdfs(settings)
    producer = connect(Producer, settings, **producer_options(settings))

    def send(record: TweetRecord) -> None:
        producer.send(settings.topic, record.value, record.key, headers=record.headers).get(
            timeout=ACKNOWLEDGE_SECONDS
        )

    try:
        with open_topic_guard(settings) as guard:
            replayed = Replay(
                settings, client, guard, lambda: matching(dead_letters(settings), args.reason), send
            ).run()
    finally:
        producer.close(timeout=5)
    print(replayed)
    return 1 if replayed.refused else 0


VERBS = {"list": count, "show": show, "replay": replay}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        command = verbs.add_parser(verb)
        command.add_argument("--reason", metavar="TEXT", help="only those whose reason holds this text")
        if verb == "show":
            command.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (20)")
    args = parser.parse_args()
    if args.verb == "show" and args.limit < 1:
        raise UserError("--limit must be above 0")
    return args


if __name__ == "__main__":
    run(main)
