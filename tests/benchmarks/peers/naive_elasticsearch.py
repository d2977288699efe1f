"""What most people write first: one `es.index` for each record, offsets committed by themselves."""

import json
import os

from elasticsearch import Elasticsearch
from kafka import KafkaConsumer

env = os.environ
elasticsearch = Elasticsearch(
    env["elasticsearch_url"], basic_auth=(env["elasticsearch_user"], env["elasticsearch_password"])
)
consumer = KafkaConsumer(
    env["topic"], bootstrap_servers=env["bootstrap_servers"].split(","), group_id=env["group"],
    auto_offset_reset="earliest", session_timeout_ms=6_000, heartbeat_interval_ms=2_000, value_deserializer=json.loads,
)  # fmt: skip
for record in consumer:
    elasticsearch.index(index=env["index"], id=record.value["data"]["id"], document=record.value)
