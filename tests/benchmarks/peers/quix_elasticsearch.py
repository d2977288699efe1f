"""quix-streams and its Elasticsearch sink; the document's id is the record's key."""

import os

from elasticsearch import Elasticsearch
from quixstreams import Application
from quixstreams.sinks.community.elasticsearch import ElasticsearchSink

env = os.environ


class Sink(ElasticsearchSink):
    """Without its look at `GET /`, which this distribution of Elasticsearch does not answer."""

    def setup(self) -> None:
        self._client = Elasticsearch(**self._client_kwargs)


app = Application(
    broker_address=env["bootstrap_servers"], consumer_group=env["group"], auto_offset_reset="earliest",
    commit_interval=1.0, auto_create_topics=False, loglevel="WARNING",
    consumer_extra_config={"session.timeout.ms": 6_000, "heartbeat.interval.ms": 2_000},
)  # fmt: skip
sink = Sink(
    env["elasticsearch_url"], env["index"], batch_size=2_000,
    basic_auth=(env["elasticsearch_user"], env["elasticsearch_password"]),
)  # fmt: skip
app.dataframe(app.topic(env["topic"], value_deserializer="json")).sink(sink)
app.run()
