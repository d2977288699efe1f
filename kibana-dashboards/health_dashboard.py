"""The dashboard "Pipeline health": whether what comes in gets through, how fast, and what does not.

Counters in pipeline-events are numbers of an interval of a few seconds: their sum over any time is right.
"""

from dashboard_objects import Json, dashboard, saved_search
from lens_columns import figure, over_time, percentile, top
from lens_panels import Panel, chart, documents, markdown, metric

VIEW, TIME = "pipeline-events", "@timestamp"
TWEETS, TWEETS_TIME = "tweets", "created_at"
HEADER = """X → producer → Kafka → group A → Elasticsearch, and Kafka → group B → HDFS. The producer and group A write \
these figures every few seconds while they run; where there are none, they did not. `audit.py` is the \
exact account."""


def health_dashboard() -> list[Json]:
    """The saved search of the gaps, and the dashboard."""
    gaps = saved_search(
        "stream-gaps", "Gaps of the stream", VIEW, ["gap_from", "gap_to", "gap_seconds", "filled", "reason"], TIME,
        query="event: gap",
    )  # fmt: skip
    rows = [
        (3, [(48, markdown("header", HEADER))]),
        (5, [(10, received()), (10, indexed()), (10, stored()), (9, not_delivered()), (9, lost())]),
        (12, [(32, throughput()), (16, lag())]),
        (12, [(24, arrival_delay()), (24, index_delay())]),
        (12, [(24, dead_letters()), (24, documents("gaps", "When was the stream away?", "stream-gaps"))]),
    ]
    return [gaps, dashboard("pipeline-health", "Pipeline health", "Does everything get through?", rows)]


def received() -> Panel:
    return metric("received", "Received", VIEW, {"n": figure("sum", "received", "tweets from the source")})


def indexed() -> Panel:
    return metric("indexed", "Indexed", VIEW, {"n": figure("sum", "indexed", "new in Elasticsearch")})


def stored() -> Panel:
    return metric("stored", "Stored", VIEW, {"n": figure("sum", "stored", "records in HDFS")})


def not_delivered() -> Panel:
    columns = {"n": figure("sum", "dead_letters", "dead letters")}
    return metric("not-delivered", "Not delivered", VIEW, columns)


def lost() -> Panel:
    """Deleted by Kafka's retention before a group had it, or not kept while Kafka was away and the spill file full."""
    return metric("lost", "Lost", VIEW, {"n": figure("sum", "lost", "records, summed over the groups")})


def throughput() -> Panel:
    columns = {
        "time": over_time(TIME),
        "received": figure("sum", "received", "Received", per_minute=True),
        "indexed": figure("sum", "indexed", "Indexed", per_minute=True),
        "stored": figure("sum", "stored", "Stored", per_minute=True),
    }
    title = "Tweets per minute: received, indexed, stored"
    return chart("throughput", title, VIEW, columns, "line", "time", ["received", "indexed", "stored"])


def lag() -> Panel:
    columns = {
        "source": top("source", 2, "Group", by="lag"),
        "time": over_time(TIME),
        "lag": figure("max", "lag", "Records"),
    }
    title = "How far behind is each group? Records not yet committed"
    return chart("lag", title, VIEW, columns, "line", "time", ["lag"], "source", query="event: lag")


def arrival_delay() -> Panel:
    return _delays("arrival-delay", "How long from creation to arrival?", "arrival_delay_ms")


def index_delay() -> Panel:
    return _delays("index-delay", "How long from arrival to index?", "index_delay_ms")


def dead_letters() -> Panel:
    columns = {
        "reason": top("reason", 8, "Reason", by="letters"),
        "time": over_time(TIME),
        "letters": figure("sum", "dead_letters", "Records"),
    }
    title = "What could not be delivered, and why?"
    return chart(
        "dead-letters", title, VIEW, columns, "bar_stacked", "time", ["letters"], "reason",
        query="event: dead_letters",
    )  # fmt: skip


def _delays(id_: str, title: str, field: str) -> Panel:
    columns = {"time": over_time(TWEETS_TIME)} | {
        f"p{percent}": percentile(field, percent, f"{percent} % within") for percent in (50, 95, 99)
    }
    return chart(id_, title, TWEETS, columns, "line", "time", ["p50", "p95", "p99"])
