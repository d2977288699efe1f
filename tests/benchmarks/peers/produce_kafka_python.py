"""kafka-python alone sends the lines of a file: `produce_kafka_python.py FILE tuned|plain`.

tuned: with our own producer's options; plain: with the library's defaults. Key and headers as ours.
"""

import os
import sys
from itertools import islice
from pathlib import Path

from kafka import KafkaProducer

env = os.environ
TUNED = {
    "acks": "all", "enable_idempotence": True, "compression_type": "lz4", "linger_ms": 20, "batch_size": 256 << 10,
    "metrics_enabled": False,
}  # fmt: skip
IN_FLIGHT = 20_000
"""kafka-python bounds nothing by itself."""
producer = KafkaProducer(
    bootstrap_servers=env["bootstrap_servers"].split(","), **(TUNED if sys.argv[2] == "tuned" else {})
)
headers = [("source", b"bench"), ("received_at", b"2026-01-01T00:00:00.000Z")]
futures = []
with Path(sys.argv[1]).open("rb") as lines:
    for line in islice(lines, int(env["records"])):
        value = line.rstrip()
        futures.append(producer.send(env["topic"], value, value.split(b'"', 6)[5], headers=headers))
        if len(futures) == 2 * IN_FLIGHT:
            for future in futures[:IN_FLIGHT]:
                future.get(60)
            del futures[:IN_FLIGHT]
for future in futures:
    future.get(60)
