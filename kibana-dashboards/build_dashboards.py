#!/usr/bin/env python3
"""Write tweets.ndjson, what Kibana imports, from the dashboards' descriptions beside this file."""

import argparse
from pathlib import Path

from dashboard_objects import Json, as_ndjson, data_view
from health_dashboard import health_dashboard
from tweets_dashboard import tweets_dashboard

FILE = Path(__file__).with_name("tweets.ndjson")
LINK = {
    "id": "url",
    "params": {"urlTemplate": "https://x.com/i/status/{{value}}", "labelTemplate": "{{value}}"},
}


def dashboard_objects(
    time_zone: str = "UTC", tweets: str = "tweets", events: str = "pipeline-events"
) -> list[Json]:
    """All saved objects. `tweets`: the alias of the tweets; `events`: what the events' indices begin with."""
    return [
        data_view("tweets", "Tweets", tweets, "created_at", {"id": LINK, "original_id": LINK}),
        data_view("pipeline-events", "Pipeline events", f"{events}-*", "@timestamp"),
        *tweets_dashboard(time_zone),
        *health_dashboard(),
    ]


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    FILE.write_text(as_ndjson(dashboard_objects()), encoding="utf-8", newline="\n")
    print(f"wrote {FILE}")


if __name__ == "__main__":
    main()
