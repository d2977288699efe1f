"""confluent-kafka alone: reads so many records, and says what that took."""

import json
import os
import time

from confluent_kafka import Consumer

env = os.environ
records = int(env["records"])
consumer = Consumer({
    "bootstrap.servers": env["bootstrap_servers"], "group.id": env["group"], "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
})  # fmt: skip
consumer.subscribe([env["topic"]])
read, marks = 0, []
while read < records:
    read += sum(not record.error() for record in consumer.consume(2_000, timeout=0.5))
    while len(marks) < 2 and read >= records * (0.1, 0.9)[len(marks)]:
        marks.append((read, time.monotonic(), time.process_time()))
(first, began, used), (last, ended, after) = marks
print(json.dumps({"records": last - first, "seconds": ended - began, "cpu": after - used}))
