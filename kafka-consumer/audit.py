#!/usr/bin/env python3
"""Compare what is in the topic with what is in Elasticsearch and in HDFS.

Exit code 0 when all agree, 1 when something is missing or doubled, 3 when a group has not read everything yet.

  consumer.py --until-caught-up && audit.py
  audit.py --json | python3 -m json.tool
"""

import argparse
import sys

try:
    from kafka_cluster.script import run, set_up_logging
    from kafka_cluster.settings import load_settings
    from pipeline_audit import audit
except ModuleNotFoundError as missing:
    print(
        f"{missing.name} is not installed: run  python3 -m pip install -r requirements.txt  in the project's folder",
        file=sys.stderr,
    )
    sys.exit(2)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, for a program")
    args = parser.parse_args()
    set_up_logging()
    report = audit(load_settings())
    print(report.as_json() if args.json else report)
    return report.exit_code


if __name__ == "__main__":
    run(main)
