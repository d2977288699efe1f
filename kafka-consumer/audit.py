#!/usr/bin/env python3
"""Compare what is in the topic with what is in Elasticsearch and in HDFS.

Exit code 0 when all agree, 1 when something is missing, doubled or torn, or forgotten and yet there, 3 when a group has
not read everything yet. What Kafka deleted before it was read is shown, and does not count.
With `trace TWEET_ID`: the way of one tweet, record by record; exit code 1 when there is none. With `watch`: tweets a
second, lag of each group, hashtags of the last ten seconds.

  consumer.py --until-caught-up && audit.py
  audit.py --json | python3 -m json.tool
  audit.py trace 1900000000000000000
"""

import argparse
import signal
import sys

try:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports: no traceback
    from kafka_cluster.message import is_tweet_id
    from kafka_cluster.script import UserError, run, set_up_logging
    from kafka_cluster.settings import Settings, load_settings
    from live_view import watch
    from pipeline_audit import audit
    from server_errors import run_again_after
    from tweet_trace import as_json, trace
except ModuleNotFoundError as missing:
    print(
        f"{missing.name} is not installed: run  python3 -m pip install -r requirements.txt  in the project's folder",
        file=sys.stderr,
    )
    sys.exit(2)


def main() -> int:
    args = parse()
    settings = load_settings()
    set_up_logging(settings.log_format)
    with run_again_after(f"the {args.verb or 'audit'}"):
        if args.verb == "trace":
            return show_trace(args, settings)
        if args.verb == "watch":
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            watch(settings, args.until_idle)
            return 0
        report = audit(settings)
        print(report.as_json() if args.json else report)
        return report.exit_code


def show_trace(args: argparse.Namespace, settings: Settings) -> int:
    if not is_tweet_id(args.tweet_id):
        raise UserError(f"a tweet's id is a number of up to 20 digits, and {args.tweet_id!r:.40} is none")
    found, since = trace(settings, args.tweet_id, args.archive)
    if since:
        said = f"tweet {args.tweet_id} was forgotten: it is on the list of archive.py forget since {since}"
        print(said, file=sys.stderr if args.json else sys.stdout)
    if args.json:
        print(as_json(found))
    for number, passed in enumerate(found if not args.json else (), 1):
        print(f"record {number} of {len(found)} of tweet {args.tweet_id}\n{passed}")
    if not found:
        print(f"no record of tweet {args.tweet_id} is in the topic or in the archive", file=sys.stderr)
    return 0 if found or since else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, for a program")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    look = verbs.add_parser(
        "watch", help="show tweets a second, lags and hashtags as they change, until Ctrl-C"
    )
    look.add_argument(
        "--until-idle", action="store_true",
        help="end when standard input has ended, nothing comes in and no group lags",
    )  # fmt: skip
    command = verbs.add_parser("trace", help="show where one tweet is, and when it came there")
    command.add_argument("tweet_id")
    command.add_argument(
        "--archive", action="store_true",
        help="search the archive too, for records of it that Kafka has forgotten; without, only if Kafka has none",
    )  # fmt: skip
    command.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
