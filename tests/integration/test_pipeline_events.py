"""What the pipeline says about itself is right, and never in the way of the tweets."""

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline import Pipeline, events, wait_until
from sample import POISON, tweet_lines

TWEETS, BAD = 700, [b"no tweet", b'{"data":{"text":"?"}}']


def total(found: list[dict[str, Any]], field: str) -> int:
    return sum(each.get(field, 0) for each in found)


def write(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_the_figures_of_a_run_add_up(pipeline: Pipeline, tmp_path: Path) -> None:
    tweets = tweet_lines(TWEETS)
    consumers = pipeline.start("consumer.py")
    wait_until(lambda: consumers.log.read_text().count("assigned") >= 2)  # type: ignore[attr-defined]
    lines = [*tweets, *BAD, *tweets[:5]]
    done = pipeline.run("producer.py", "replay", str(write(tmp_path / "tweets.jsonl", lines)))
    assert done.returncode == 0, done.stderr
    pipeline.send([value for value in POISON.values() if value == b"[1,2,3]"])
    wait_until(lambda: total(events(pipeline, "lag"), "stored") == TWEETS + 6)
    consumers.terminate()
    consumers.wait(30)

    counts = events(pipeline, "counts")
    assert total(counts, "received") == TWEETS + 5 and total(counts, "redelivered") == 5
    assert total(counts, "acknowledged") == TWEETS + 5 + len(BAD)
    assert total(counts, "indexed") == TWEETS and total(counts, "existing") == 5
    letters = {
        (each["source"], each["reason"]): each["dead_letters"] for each in events(pipeline, "dead_letters")
    }
    assert letters == {
        ("producer", "no JSON"): 1,
        ("producer", "data.id is not a string of up to 20 digits"): 1,
        ("elasticsearch", 'no object with an object "data"'): 1,
    }
    last = {
        each["source"]: each["lag"] for each in sorted(events(pipeline, "lag"), key=lambda e: e["@timestamp"])
    }
    assert last == {"elasticsearch": 0, "hdfs": 0}


@pytest.mark.long
def test_several_processes_of_group_a_count_once(pipeline: Pipeline, tmp_path: Path) -> None:
    consumers = [pipeline.start("consumer.py", "--group", "elasticsearch") for _ in range(2)]
    consumers.append(pipeline.start("consumer.py", "--group", "hdfs"))
    wait_until(lambda: all("assigned" in each.log.read_text() for each in consumers))  # type: ignore[attr-defined]
    time.sleep(2)  # the second process has joined
    pipeline.send(list(tweet_lines(300)))
    wait_until(lambda: total(events(pipeline, "lag"), "stored") >= 300)
    for each in consumers:
        each.terminate()
    for each in consumers:
        each.wait(30)
    assert total(events(pipeline, "counts"), "indexed") == 300
    assert total(events(pipeline, "lag"), "stored") == 300


def test_the_producer_needs_no_elasticsearch(pipeline: Pipeline, tmp_path: Path) -> None:
    file = write(tmp_path / "tweets.jsonl", tweet_lines(200))
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, never answers
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        usual = timed(pipeline, file)
        hanging = timed(pipeline, file, elasticsearch_url=address)
    away = timed(pipeline, file, elasticsearch_url=address)
    assert hanging < usual + 2.5 and away < usual + 1.5
    assert len(pipeline.topic_values()) == 600


def timed(pipeline: Pipeline, file: Path, **env: str) -> float:
    started = time.monotonic()
    done = pipeline.run("producer.py", "replay", str(file), **env)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return time.monotonic() - started
