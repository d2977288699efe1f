#!/usr/bin/env python3
"""Write tweets to the topic.

replay FILE   JSON lines in the shape of X's stream; also gzip; - reads standard input
sample        print generated tweets, one a line, that look like X's stream
"""

import argparse
import signal
import sys

try:
    from kafka_cluster.script import UserError, run, set_up_logging
    from kafka_cluster.settings import load_settings
    from sources import print_sample, replay
except ModuleNotFoundError as missing:
    print(
        f"{missing.name} is not installed: run  python3 -m pip install -r requirements.txt  in the project's folder",
        file=sys.stderr,
    )
    sys.exit(2)


def main() -> int:
    args = parse()
    set_up_logging(args.verbose)
    if args.source == "sample":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return print_sample(args.count, args.seed, args.rate)
    return replay(load_settings(), args.file, args.rate, args.limit, args.dry_run)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sources = parser.add_subparsers(dest="source", required=True, metavar="SOURCE")
    file = sources.add_parser("replay", help="read a file of tweets")
    file.add_argument("file", help="JSON lines, plain or gzip; - is standard input")
    file.add_argument("--rate", type=positive, help="lines a second (default: as fast as possible)")
    file.add_argument("--limit", type=positive_int, help="stop after so many lines")
    file.add_argument("--dry-run", action="store_true", help="contact nothing, only say what would be sent")
    sample = sources.add_parser("sample", help="print generated tweets")
    sample.add_argument("--count", type=positive_int, default=5000, help="how many (default 5000)")
    sample.add_argument("--seed", type=int, default=1, help="the same seed gives the same stream (default 1)")
    sample.add_argument("--rate", type=positive, help="tweets a second (default: as fast as possible)")
    for source in (file, sample):
        source.add_argument("--verbose", action="store_true", help="log what the client libraries log too")
    return parser.parse_args()


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise UserError(f"{text} must be above 0")
    return value


def positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise UserError(f"{text} must be a whole number from 1")
    return value


if __name__ == "__main__":
    run(main)
