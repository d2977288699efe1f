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
    from live import simulate, stream, stream_or_simulate
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
    settings = load_settings()
    if args.source == "replay":
        return replay(settings, args.file, args.rate, args.limit, args.dry_run)
    if args.source == "simulate":
        return simulate(settings, args.rate, args.duration, args.seed)
    return stream(settings) if args.source == "stream" else stream_or_simulate(settings)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sources = parser.add_subparsers(dest="source", metavar="SOURCE")
    parser.set_defaults(verbose=False)
    live = sources.add_parser("stream", help="read X's filtered stream")
    fake = sources.add_parser("simulate", help="read a simulated stream")
    fake.add_argument("--rate", type=positive, default=100.0, help="tweets a second (default 100)")
    fake.add_argument("--duration", type=positive, help="end after so many seconds")
    fake.add_argument(
        "--seed", type=int, default=1, help="the same seed gives the same people and talk (default 1)"
    )
    file = sources.add_parser("replay", help="read a file of tweets")
    file.add_argument("file", help="JSON lines, plain or gzip; - is standard input")
    file.add_argument("--rate", type=positive, help="lines a second (default: as fast as possible)")
    file.add_argument("--limit", type=positive_int, help="stop after so many lines")
    file.add_argument("--dry-run", action="store_true", help="contact nothing, only say what would be sent")
    sample = sources.add_parser("sample", help="print generated tweets")
    sample.add_argument("--count", type=positive_int, default=5000, help="how many (default 5000)")
    sample.add_argument("--seed", type=int, default=1, help="the same seed gives the same stream (default 1)")
    sample.add_argument("--rate", type=positive, help="tweets a second (default: as fast as possible)")
    for source in (live, fake, file, sample):
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
