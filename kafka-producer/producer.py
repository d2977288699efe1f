#!/usr/bin/env python3
"""Write tweets to the topic. Without a source: X's stream where .env has keys for it, else the simulated one."""

import argparse
import signal
import sys

try:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports: no traceback
    from kafka_cluster.script import UserError, run, set_up_logging
    from kafka_cluster.settings import load_settings
    from live import simulate, stream, stream_or_simulate
    from search_poll import search
    from sources import print_sample, replay
    from x_commands import check, rules_apply, rules_check, rules_list
except ModuleNotFoundError as missing:
    print(
        f"{missing.name} is not installed: run  python3 -m pip install -r requirements.txt  in the project's folder",
        file=sys.stderr,
    )
    sys.exit(2)

EXAMPLES = """\
examples:
  producer.py check                      which keys .env has, what they allow, and what X says
  producer.py rules check                what X thinks of rules.txt
  producer.py stream --fill-gaps         the stream; what was missed is searched, and costs the same
  producer.py search "kafka lang:ko"     what was written in the last seven days, then what is new, once a minute
  producer.py simulate --rate 300        the same without X
  producer.py replay tweets.jsonl.gz     a file; - reads standard input
"""
RULES = {"list": rules_list, "check": rules_check, "apply": rules_apply}


def main() -> int:
    args = parse()
    if args.source == "sample":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return print_sample(args.count, args.seed, args.rate)
    settings = load_settings()
    set_up_logging(settings.log_format, args.verbose)
    match args.source:
        case "replay":
            return replay(settings, args.file, args.rate, args.limit, args.dry_run)
        case "simulate":
            return simulate(settings, args.rate, args.duration, args.seed)
        case "stream":
            return stream(settings, args.fill_gaps)
        case "search":
            return search(settings, args.query, args.every, args.once)
        case "rules":
            return RULES[args.what](settings)
        case "check":
            return check(settings)
    return stream_or_simulate(settings)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(verbose=False)
    sources = parser.add_subparsers(dest="source", metavar="SOURCE")
    live = sources.add_parser("stream", help="read X's filtered stream")
    live.add_argument("--fill-gaps", action="store_true", help="search what was tweeted while not connected")
    find = sources.add_parser("search", help="ask X's recent search, again and again")
    find.add_argument("query", nargs="?", help="what to search (default: each rule of rules_file)")
    find.add_argument("--every", type=positive, default=60.0, help="seconds between rounds (default 60)")
    find.add_argument("--once", action="store_true", help="end after one round")
    fake = sources.add_parser("simulate", help="read a simulated stream")
    fake.add_argument("--rate", type=simulated_rate, default=100.0, help="tweets a second (default 100)")
    fake.add_argument("--duration", type=positive, help="end after so many seconds")
    seed(fake, "the same seed gives the same people and talk (default 1)")
    file = sources.add_parser("replay", help="read a file of tweets, JSON lines in the shape of X's stream")
    file.add_argument("file", help="JSON lines, plain or gzip; - is standard input")
    file.add_argument("--rate", type=positive, help="lines a second (default: as fast as possible)")
    file.add_argument("--limit", type=positive_int, help="stop after so many lines")
    file.add_argument("--dry-run", action="store_true", help="contact nothing, only say what would be sent")
    sample = sources.add_parser("sample", help="print generated tweets that look like X's stream")
    sample.add_argument("--count", type=positive_int, default=5000, help="how many (default 5000)")
    seed(sample, "the same seed gives the same stream (default 1)")
    sample.add_argument("--rate", type=positive, help="tweets a second (default: as fast as possible)")
    rules = sources.add_parser("rules", help="list X's rules, check those of rules_file, or apply them")
    rules.add_argument(
        "what", choices=RULES, help="list: X's; check: change nothing; apply: make X's the file's"
    )
    asked = sources.add_parser("check", help="say what the keys in .env allow, and ask X once; costs nothing")
    for source in (live, find, fake, file, sample, rules, asked):
        source.add_argument("--verbose", action="store_true", help="log what the client libraries log too")
    return parser.parse_args()


def seed(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--seed", type=int, default=1, help=what)


def positive(text: str) -> float:
    value = float(text)
    if not 1e-6 < value <= 1e9:  # time.sleep() takes no more seconds than 9e9
        raise UserError(f"{text} must be above 0.000001, and at most 1,000,000,000")
    return value


def simulated_rate(text: str) -> float:
    value = positive(text)
    if value > 1e6:  # the moments of two births would be the same number
        raise UserError(f"{text} must be at most 1,000,000 for a simulated stream")
    return value


def positive_int(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 10**12:
        raise UserError(f"{text} must be a whole number from 1 to 1,000,000,000,000")
    return value


if __name__ == "__main__":
    run(main)
