#!/usr/bin/env python3
"""Draw the dashboards without Kibana: the same saved objects, the same searches, as one page that works offline."""

import argparse
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

try:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports: no traceback
    from elasticsearch import Elasticsearch

    from build_dashboards import dashboard_objects
    from dashboard_answers import answers, searcher
    from dashboard_objects import as_ndjson
    from kafka_cluster.elasticsearch_options import elasticsearch_options, require_login
    from kafka_cluster.reachable import require_elasticsearch
    from kafka_cluster.script import ROOT, UserError, run, set_up_logging
    from kafka_cluster.settings import READER, Settings, load_settings
    from panel_drawing import draw, not_drawn, words_of
    from panel_query import NotDrawn
    from panel_text import span_text
    from preview_fonts import Fonts
    from preview_page import DrawnDashboard, page
    from preview_picture import picture
    from preview_theme import DARK, LIGHT
    from saved_objects import Dashboard, read_dashboards
    from time_window import window
except ModuleNotFoundError as missing:
    print(
        f"{missing.name} is not installed: run  python3 -m pip install -r requirements.txt "
        "-r kibana-dashboards/requirements-preview.txt  in the project's folder",
        file=sys.stderr,
    )
    sys.exit(2)

PAGE = ROOT / "build" / "preview" / "index.html"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dashboard", metavar="ID", help="only this one, such as tweets-live; default: all")
    parser.add_argument(
        "--since", help="where the time range starts, such as now-1h; default: the dashboard's"
    )
    parser.add_argument("--until", help="where it ends, such as now; default: the dashboard's")
    parser.add_argument(
        "--output", type=Path, default=PAGE, help="the page (default build/preview/index.html)"
    )
    parser.add_argument("--png", type=Path, help="also a picture of the first dashboard")
    parser.add_argument("--dark", action="store_true", help="the picture in the dark theme")
    args = parser.parse_args()
    settings = load_settings()
    set_up_logging(settings.log_format)
    dashboards = chosen(args.dashboard, settings)
    drawn, fonts = draw_all(dashboards, settings, args.since, args.until)
    made = f"Drawn by preview.py from Elasticsearch, without Kibana, at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    write(args.output, page(drawn, made, fonts).encode())
    print(f"the dashboards: {args.output.resolve().as_uri()}")
    if args.png:
        write(args.png, picture(drawn[0], made, fonts, DARK if args.dark else LIGHT))
        print(f"the picture: {args.png}")


def chosen(name: str | None, settings: Settings) -> list[Dashboard]:
    """The dashboards as import_dashboards.py gives them to Kibana, or the one that was asked for."""
    objects = dashboard_objects(settings.time_zone, settings.elasticsearch_alias, settings.events_index)
    dashboards = read_dashboards(as_ndjson(objects).splitlines())
    found = [each for each in dashboards if name in (None, each.id)]
    if not found:
        raise UserError(f"no dashboard {name}: there are {', '.join(each.id for each in dashboards)}")
    return found


def draw_all(
    dashboards: list[Dashboard], settings: Settings, since: str | None, until: str | None
) -> tuple[list[DrawnDashboard], Fonts]:
    """Ask Elasticsearch, and draw what it answers."""
    zone, now = ZoneInfo(settings.time_zone), datetime.now(UTC)
    search = searcher(connect(settings))
    spans = [window(since or each.since, until or each.until, now, zone) for each in dashboards]
    tables = [answers(each, span, now, zone, search) for each, span in zip(dashboards, spans, strict=True)]
    fonts = Fonts(words_of(dashboards, tables))
    fonts.register()
    drawn = []
    for number, (dashboard, span, its) in enumerate(zip(dashboards, spans, tables, strict=True)):
        drawings = [
            not_drawn(table)
            if isinstance(table, NotDrawn)
            else draw(panel, table, zone, fonts, f"d{number}p{place}")
            for place, (panel, table) in enumerate(zip(dashboard.panels, its, strict=True))
        ]
        drawn.append(DrawnDashboard(dashboard, drawings, span_text(span, zone)))
    return drawn, fonts


def connect(settings: Settings) -> Elasticsearch:
    """A client. Raises UserError where nothing answers, or nothing is set to log in with."""
    require_login(settings, READER)
    require_elasticsearch(settings)
    return Elasticsearch(**elasticsearch_options(settings, READER), request_timeout=30)


def write(path: Path, content: bytes) -> None:
    """Raises UserError where it can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"can't write {path}: {error.strerror}; name a file where you may write") from None


if __name__ == "__main__":
    run(main)
