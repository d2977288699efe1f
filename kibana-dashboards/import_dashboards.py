#!/usr/bin/env python3
"""Put the dashboards into Kibana, for the settings in .env; may be repeated, and replaces what is there.

Changes that were made to these dashboards in Kibana are lost: copy a dashboard there before you change it.
"""

import argparse
import signal
import sys

try:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports: no traceback
    from build_dashboards import dashboard_objects
    from dashboard_objects import as_ndjson
    from kafka_cluster.script import run, set_up_logging
    from kafka_cluster.settings import load_settings
    from kibana_client import Kibana
except ModuleNotFoundError as missing:
    print(
        f"{missing.name} is not installed: run  python3 -m pip install -r requirements.txt  in the project's folder",
        file=sys.stderr,
    )
    sys.exit(2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wait", type=float, default=180.0, help="seconds to wait for Kibana (default 180)")
    args = parser.parse_args()
    settings = load_settings()
    set_up_logging(settings.log_format)
    kibana = Kibana(settings)
    kibana.wait_until_ready(args.wait)
    objects = dashboard_objects(settings.time_zone, settings.elasticsearch_alias, settings.events_index)
    for line in kibana.import_objects(as_ndjson(objects)):
        print(line)
    for each in objects:
        if each["type"] == "dashboard":
            print(f"{each['attributes']['title']}: {settings.kibana_url}/app/dashboards#/view/{each['id']}")


if __name__ == "__main__":
    run(main)
