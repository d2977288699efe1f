"""kafka-python and `helpers.bulk`, as the client's guide shows it: offsets are committed after each bulk."""

import json
import os

from elasticsearch import Elasticsearch, helpers
from kafka import KafkaConsumer

env = os.environ
elasticsearch = Elasticsearch(
    env["elasticsearch_url"], basic_auth=(env["elasticsearch_user"], env["elasticsearch_password"])
)
consumer = KafkaConsumer(
    env["topic"], bootstrap_servers=env["bootstrap_servers"].split(","), group_id=env["group"],
    auto_offset_reset="earliest", enable_auto_commit=False, session_timeout_ms=6_000, heartbeat_interval_ms=2_000,
    max_poll_records=2_000, value_deserializer=json.loads,
)  # fmt: skip
while True:
    batches = consumer.poll(timeout_ms=500)
    actions = [
        {"_index": env["index"], "_id": record.value["data"]["id"], "_source": record.value}
        for records in batches.values()
        for record in records
    ]
    if actions:
        helpers.bulk(elasticsearch, actions, chunk_size=2_000)
        consumer.commit()
