"""Each panel of both dashboards, asked of the real Elasticsearch, shows what is counted here from the tweets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from build_dashboards import dashboard_objects
from dashboard_objects import as_ndjson
from elasticsearch_index import connect_elasticsearch, ensure_index
from kafka_cluster.pipeline_events import PipelineEvents
from known_tweets import known_tweets
from panel_figures import BROKEN, CHECKS, GAP, LOST, ZONE, Stage
from pipeline import Pipeline, wait_until
from saved_objects import read_dashboards
from time_window import Window

ASKING = [
    f"{board.id}/{panel.id}"
    for board in read_dashboards(as_ndjson(dashboard_objects()).splitlines())
    for panel in board.panels
    if panel.shape != "markdown"
]


@pytest.fixture(scope="module")
def stage(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    pipeline = Pipeline(cluster.env | {"time_zone": ZONE}, tmp_path_factory.mktemp("dashboards"))
    try:
        yield run_through(pipeline)
    finally:
        pipeline.tidy()


def run_through(pipeline: Pipeline) -> Stage:
    """Both groups run, the producer sends the tweets and some broken lines, and the stream has a gap."""
    consumers = pipeline.start("consumer.py")
    wait_until(lambda: consumers.log.read_text().count("assigned") >= 2)  # type: ignore[attr-defined]
    now = datetime.now(UTC)
    tweets = known_tweets(now)
    file = pipeline.folder / "tweets.jsonl"
    file.write_bytes(b"\n".join([*(tweet.line() for tweet in tweets), *BROKEN]) + b"\n")
    done = pipeline.run("producer.py", "replay", str(file))
    assert done.returncode == 0, done.stderr
    client = connect_elasticsearch(pipeline.settings)
    events = f"{pipeline.settings.events_index}-*"

    def stored() -> bool:
        found = client.search(index=events, size=0, aggs={"stored": {"sum": {"field": "stored"}}})
        return found.body["aggregations"]["stored"]["value"] == len(tweets)

    wait_until(stored)
    told = PipelineEvents(pipeline.settings)
    told.put("producer", "gap", **GAP)
    for source, lost in LOST.items():
        told.put(source, "lost", lost=lost)
    told.close()
    consumers.terminate()
    consumers.wait(30)
    client.indices.refresh(index=f"{pipeline.settings.elasticsearch_alias},{events}")
    names = pipeline.settings.elasticsearch_alias, pipeline.settings.events_index
    boards = read_dashboards(as_ndjson(dashboard_objects(ZONE, *names)).splitlines())
    panels = {f"{board.id}/{panel.id}": panel for board in boards for panel in board.panels}
    # an end in the future, so that no bucket of the dashboard is cut while the test runs
    window = Window(now - timedelta(minutes=15), now + timedelta(minutes=5))
    since = window.start - window.length
    return Stage(
        [tweet for tweet in tweets if tweet.at >= window.start],
        [tweet for tweet in tweets if since <= tweet.at < window.start], client, pipeline, panels, window,
    )  # fmt: skip


@pytest.mark.parametrize("name", ASKING)
def test_a_panel_shows_what_is_true(stage: Stage, name: str) -> None:
    CHECKS[name](stage.ask(stage.panels[name]), stage)


def test_an_index_of_an_earlier_version_gets_the_fields_that_came_since(pipeline: Pipeline) -> None:
    client, alias = connect_elasticsearch(pipeline.settings), pipeline.settings.elasticsearch_alias
    client.indices.create(
        index=f"{alias}-000001", aliases={alias: {"is_write_index": True}},
        mappings={"dynamic": False, "properties": {"id": {"type": "keyword"}}},
    )  # fmt: skip
    ensure_index(client, pipeline.settings)
    found = client.indices.get_mapping(index=alias).body[f"{alias}-000001"]["mappings"]["properties"]
    assert found["local_hour"] == {"type": "keyword"} and found["is_retweet"] == {"type": "byte"}
