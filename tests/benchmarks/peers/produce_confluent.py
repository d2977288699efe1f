"""confluent-kafka alone sends the lines of a file, with our own producer's settings."""

import os
import sys
from itertools import islice
from pathlib import Path

from confluent_kafka import Producer

env = os.environ
failed = []
producer = Producer({
    "bootstrap.servers": env["bootstrap_servers"], "acks": "all", "enable.idempotence": True,
    "compression.type": "lz4", "linger.ms": 20, "batch.size": 256 << 10,
    "on_delivery": lambda error, _: error and failed.append(error),
})  # fmt: skip
headers = [("source", b"bench"), ("received_at", b"2026-01-01T00:00:00.000Z")]
with Path(sys.argv[1]).open("rb") as lines:
    for line in islice(lines, int(env["records"])):
        value = line.rstrip()
        while True:
            try:
                producer.produce(env["topic"], value, value.split(b'"', 6)[5], headers=headers)
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)
if producer.flush(60) or failed:
    raise SystemExit(f"not delivered: {failed[:1]}")
