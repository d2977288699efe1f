"""confluent-kafka and `_bulk` bodies of the raw values: `confluent_bulk.py N` keeps N requests in flight.

Nothing is parsed: the id is the record's key. Offsets are committed once a request and all before it are answered.
"""

import os
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from confluent_kafka import Consumer, TopicPartition
from elasticsearch import Elasticsearch

IN_FLIGHT = int(sys.argv[1])
BATCH = 2_000
env = os.environ
elasticsearch = Elasticsearch(
    env["elasticsearch_url"], basic_auth=(env["elasticsearch_user"], env["elasticsearch_password"]),
    connections_per_node=IN_FLIGHT,
)  # fmt: skip
consumer = Consumer({
    "bootstrap.servers": env["bootstrap_servers"], "group.id": env["group"], "auto.offset.reset": "earliest",
    "enable.auto.commit": False, "session.timeout.ms": 6_000, "heartbeat.interval.ms": 2_000,
})  # fmt: skip
waiting: deque[tuple[Future, list[TopicPartition]]] = deque()


def index(body: bytes) -> None:
    answer = elasticsearch.bulk(index=env["index"], operations=body, filter_path="errors,items.*.error")
    if answer["errors"] and any(
        item["create"]["error"]["type"] != CONFLICT for item in answer["items"] if item
    ):
        raise SystemExit(f"Elasticsearch refuses: {answer['items'][:1]}")


def commit_oldest() -> None:
    answered, offsets = waiting.popleft()
    answered.result()
    consumer.commit(offsets=offsets, asynchronous=False)


CONFLICT = "version_conflict_engine_exception"
consumer.subscribe([env["topic"]])
with ThreadPoolExecutor(IN_FLIGHT) as pool:
    while True:
        records = [record for record in consumer.consume(BATCH, timeout=0.2) if not record.error()]
        if records:
            lines = (b'{"create":{"_id":"%s"}}\n%s\n' % (record.key(), record.value()) for record in records)
            ends = {record.partition(): record.offset() + 1 for record in records}
            offsets = [TopicPartition(env["topic"], partition, end) for partition, end in ends.items()]
            waiting.append((pool.submit(index, b"".join(lines)), offsets))
        while waiting and (len(waiting) >= IN_FLIGHT or not records):
            commit_oldest()
