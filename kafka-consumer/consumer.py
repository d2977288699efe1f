#!/usr/bin/env python3
"""Read the topic of tweets: group A indexes them into Elasticsearch, group B appends them to HDFS.

Without --group both groups run, one process each; start more processes of a group to share the partitions.

  consumer.py                                               until Ctrl-C
  consumer.py --until-caught-up                             what is in the topic now, then end
  consumer.py --group elasticsearch --from-beginning        after the index was deleted, say
"""

import argparse
import signal
import sys

try:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports: no traceback
    from consumer_groups import GROUPS, run_both, run_group, set_up_elasticsearch
    from kafka_cluster.script import run, set_up_logging
    from kafka_cluster.settings import load_settings
except ModuleNotFoundError as missing:
    print(
        f"{missing.name} is not installed: run  python3 -m pip install -r requirements.txt  in the project's folder",
        file=sys.stderr,
    )
    sys.exit(2)


def main() -> int:
    args = parse()
    settings = load_settings()
    set_up_logging(settings.log_format, args.verbose)
    if args.setup:
        set_up_elasticsearch(settings)
        return 0
    if args.group is None:
        return run_both(sys.argv[1:])
    return run_group(args.group, settings, args.from_beginning, args.until_caught_up)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--group", choices=GROUPS, help="only this one")
    parser.add_argument("--from-beginning", action="store_true", help="read the topic again from its start")
    parser.add_argument(
        "--until-caught-up",
        action="store_true",
        help="end when everything that is in the topic now is delivered",
    )
    parser.add_argument(
        "--setup", action="store_true", help="only make Elasticsearch's template, index and alias"
    )
    parser.add_argument("--verbose", action="store_true", help="log what the client libraries log too")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
