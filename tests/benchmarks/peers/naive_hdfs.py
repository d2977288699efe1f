"""What most people write first: one WebHDFS append for each record, offsets committed by themselves."""

import os

from hdfs import InsecureClient
from kafka import KafkaConsumer

env = os.environ
hdfs = InsecureClient(env["webhdfs_url"], user=env["hdfs_user"])
path = f"{env['hdfs_root']}/tweets.jsonl"
if hdfs.status(path, strict=False) is None:
    hdfs.write(path, data=b"")
consumer = KafkaConsumer(
    env["topic"], bootstrap_servers=env["bootstrap_servers"].split(","), group_id=env["group"],
    auto_offset_reset="earliest", session_timeout_ms=6_000, heartbeat_interval_ms=2_000,
)  # fmt: skip
for record in consumer:
    hdfs.write(path, data=record.value + b"\n", append=True)
