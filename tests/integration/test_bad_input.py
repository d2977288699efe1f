"""Each mistake gets one clear line that says what is wrong and what to do, exit code 2, no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from clusters import PASSWORDS
from kafka_cluster.kafka_options import client_options
from kafka_cluster.script import ROOT
from pipeline import Pipeline, refused
from sample import tweet_lines

NO_PASSWORD = dict.fromkeys(PASSWORDS, "")


@pytest.mark.parametrize(
    ("script", "args", "variables", "said"),
    [
        ("producer.py", ["replay", "none.jsonl"], {}, "can't read none.jsonl"),
        ("producer.py", ["replay", "t.jsonl", "--rate", "0"], {}, "must be above 0"),
        ("producer.py", ["replay", "t.jsonl"], {"bootstrap_servers": "127.0.0.1:1"}, "no Kafka broker answers"),
        ("producer.py", ["replay", "t.jsonl"], {"topic": "__consumer_offsets"}, "topic is '__consumer_offsets'"),
        ("consumer.py", ["--group", "hdfs"], {"webhdfs_url": "http://127.0.0.1:1"}, "HDFS (its NameNode) does"),
        ("consumer.py", ["--group", "elasticsearch"], {"elasticsearch_url": "http://127.0.0.1:1"}, "Elasticsearch do"),
        ("consumer.py", ["--group", "elasticsearch"], {"elasticsearch_writer_password": "wrong"}, "refuses tweets_w"),
        ("consumer.py", ["--group", "elasticsearch"], NO_PASSWORD, "_password is not set"),
        ("audit.py", [], {"topic": "nothing-here"}, "there is no topic nothing-here"),
        ("audit.py", ["trace", "x"], {}, "a tweet's id is a number"),
        ("archive.py", ["rebuild", "--from", "hdfs"], {"webhdfs_url": "http://127.0.0.1:1"}, "HDFS (its NameNode) d"),
        ("archive.py", ["rebuild", "--from", "kafka"], {"topic": "nothing-here"}, "there is no topic nothing-here"),
        ("archive.py", ["compact"], {"webhdfs_url": "http://127.0.0.1:1"}, "HDFS (its NameNode) does"),
        ("archive.py", ["retain", "--months", "-1"], {}, "--months must be 1 or more"),
        ("dead_letters.py", ["list"], {"topic": "nothing-here"}, "there is no topic nothing-here"),
        ("dead_letters.py", ["show", "--limit", "0"], {}, "--limit must be above 0"),
        ("audit.py", [], {"auto_offset_reset": "x", "hdfs_root": "y"}, "auto_offset_reset is 'x'"),
    ],
)  # fmt: skip
def test_one_clear_line(
    pipeline: Pipeline, script: str, args: list[str], variables: dict[str, str], said: str
) -> None:
    (pipeline.folder / "t.jsonl").write_bytes(tweet_lines(1)[0])
    refused(pipeline.run(script, *args, **variables), said)


def test_a_topic_that_would_lose_tweets_is_refused(pipeline: Pipeline) -> None:
    admin = KafkaAdminClient(**client_options(pipeline.settings))
    admin.create_topics(
        {pipeline.settings.topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True
    )
    admin.close()
    (pipeline.folder / "t.jsonl").write_bytes(tweet_lines(1)[0])
    done = pipeline.run("producer.py", "replay", "t.jsonl")
    refused(done, "must not be used", "replication 1")


@pytest.mark.parametrize(
    "script",
    [
        "kafka-producer/producer.py",
        "kafka-consumer/consumer.py",
        "kafka-consumer/audit.py",
        "kafka-consumer/dead_letters.py",
        "kafka-consumer/archive.py",
    ],
)
def test_a_script_without_its_packages_says_how_to_get_them(tmp_path: Path, script: str) -> None:
    bare = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    done = subprocess.run(
        [str(bare / "bin" / "python"), str(ROOT / script)], capture_output=True, text=True, check=False
    )
    refused(done, "python3 -m pip install -r requirements.txt")
