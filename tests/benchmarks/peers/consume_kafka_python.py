"""kafka-python alone, with the options of our groups: reads so many records, and says what that took."""

import json
import os
import time

from kafka import KafkaConsumer

env = os.environ
records = int(env["records"])
consumer = KafkaConsumer(
    env["topic"], bootstrap_servers=env["bootstrap_servers"].split(","), group_id=env["group"],
    auto_offset_reset="earliest", enable_auto_commit=False, max_partition_fetch_bytes=1 << 20,
    max_poll_records=2_000, metrics_enabled=False,
)  # fmt: skip
read, marks = 0, []
while read < records:
    read += sum(map(len, consumer.poll(timeout_ms=500).values()))
    while len(marks) < 2 and read >= records * (0.1, 0.9)[len(marks)]:
        marks.append((read, time.monotonic(), time.process_time()))
(first, began, used), (last, ended, after) = marks
print(json.dumps({"records": last - first, "seconds": ended - began, "cpu": after - used}))
