"""confluent-kafka and WebHDFS: appends of 16 MB, and after each the offsets are committed.

A file for each start: an append to that of a killed one would wait a minute for its lease.
"""

import os
import time

from confluent_kafka import Consumer
from hdfs import InsecureClient

APPEND_BYTES = 16 << 20
env = os.environ
hdfs = InsecureClient(env["webhdfs_url"], user=env["hdfs_user"])
path = f"{env['hdfs_root']}/{time.time_ns()}.jsonl"
hdfs.write(path, data=b"")
consumer = Consumer({
    "bootstrap.servers": env["bootstrap_servers"], "group.id": env["group"], "auto.offset.reset": "earliest",
    "enable.auto.commit": False, "session.timeout.ms": 6_000, "heartbeat.interval.ms": 2_000,
})  # fmt: skip
consumer.subscribe([env["topic"]])
body = bytearray()
while True:
    records = [record for record in consumer.consume(2_000, timeout=0.5) if not record.error()]
    for record in records:
        body += record.value()
        body += b"\n"
    if len(body) >= APPEND_BYTES or (body and not records):
        hdfs.write(path, data=bytes(body), append=True)
        consumer.commit(asynchronous=False)
        body.clear()
