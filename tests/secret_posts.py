"""Posts that are to be forgotten: made, stored, and looked for in every place."""

import json
import threading
import uuid
from typing import Any

from elasticsearch_index import connect_elasticsearch
from hdfs_client import HdfsClient
from hdfs_sink import HdfsSink
from pipeline import Pipeline
from sample import Record
from topic_guard import TopicGuard

SECRET = "unsayable"
"""Stands in the text of everything that is to be forgotten, and nowhere else."""
ids = iter(range(1_800_000_000_000_000_000, 2**62))


def post(text: str, author: str = "11", **more: Any) -> dict[str, Any]:
    return {"id": str(next(ids)), "text": text, "author_id": author, **more}


def line(data: dict[str, Any], *sent_along: dict[str, Any]) -> bytes:
    return json.dumps({"data": data} | ({"includes": {"tweets": sent_along}} if sent_along else {})).encode()


def carriers(of: dict[str, Any], author: str = "12") -> list[bytes]:
    """A retweet, a quote and an answer, along with which X sent the post."""
    return [
        line(post(f"RT {of['text']}", author, referenced_tweets=[{"type": kind, "id": of["id"]}]), of)
        for kind in ("retweeted", "quoted", "replied_to")
    ]


def hdfs(pipeline: Pipeline) -> HdfsClient:
    return HdfsClient(pipeline.settings)


def files(pipeline: Pipeline) -> dict[str, bytes]:
    """Every file below the root of HDFS, whatever it is: path -> bytes."""
    client, found = hdfs(pipeline), {}
    for folder, _, names in client.walk(pipeline.settings.hdfs_root):
        for name in names:
            with client.read(f"{folder}/{name}") as reader:
                found[f"{folder}/{name}"] = reader.read()
    return found


def archived(pipeline: Pipeline) -> dict[tuple[int, int], bytes]:
    """Partition and offset -> line, of all pieces; none may be there twice."""
    lines = [
        written
        for path, content in files(pipeline).items()
        if "/topic=" in path
        for written in content.splitlines()
    ]
    found = {((head := json.loads(written))["partition"], head["offset"]): written for written in lines}
    assert len(found) == len(lines)
    return found


def indexed(pipeline: Pipeline, word: str = SECRET) -> int:
    """How many documents say it, in all indices of the pipeline."""
    client = connect_elasticsearch(pipeline.settings)
    names = f"{pipeline.settings.elasticsearch_alias}-*"
    client.indices.refresh(index=names)
    fields = {"query": word, "fields": ["text", "original.text"]}
    return client.count(index=names, query={"multi_match": fields})["count"]


def store(pipeline: Pipeline, values: list[bytes]) -> None:
    """As group B would, of a topic that is gone since."""
    id_ = str(uuid.uuid4())
    sink = HdfsSink(pipeline.settings, TopicGuard(id_, lambda: id_))
    found = [Record(value, offset, partition=0) for offset, value in enumerate(values)]
    assert sink.write(sink.claim(0), found, threading.Event()).new == len(values)


def leave_what_nobody_reads(pipeline: Pipeline) -> None:
    """What a killed owner has staged, and an open folder that was made anew after it was sealed."""
    client, root = hdfs(pipeline), pipeline.settings.hdfs_root
    (sealed, *_) = (
        folder for folder, _, names in client.walk(root) if "/dt=" in folder and ".open/" not in folder
    )
    epoch = sealed.rpartition("/")[0]
    client.write(f"{root}/_staging/killed/{0:020}.jsonl", data=SECRET.encode())
    client.write(f"{epoch}/{epoch.rpartition('/')[2]}.open/dt=2026-11-26/{0:020}.jsonl", data=SECRET.encode())
