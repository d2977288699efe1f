"""What is in Elasticsearch and HDFS, asked from outside: how much, and in the end which tweets, how often."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import requests
from elasticsearch import Elasticsearch

from hdfs_client import HdfsClient

RAW_MAPPING: dict[str, Any] = {
    "settings": {"refresh_interval": "1s", "number_of_shards": 1, "number_of_replicas": 0},
    "mappings": {"dynamic": False, "properties": {
        "data": {"properties": {
            "id": {"type": "keyword"}, "text": {"type": "text", "analyzer": "standard"},
            "created_at": {"type": "date"}, "lang": {"type": "keyword"}, "author_id": {"type": "keyword"},
            "conversation_id": {"type": "keyword"}, "edit_history_tweet_ids": {"type": "keyword"},
            "in_reply_to_user_id": {"type": "keyword"},
            "referenced_tweets": {"properties": {"type": {"type": "keyword"}, "id": {"type": "keyword"}}},
            "entities": {"properties": {
                "hashtags": {"properties": {"tag": {"type": "keyword"}}},
                "cashtags": {"properties": {"tag": {"type": "keyword"}}},
                "mentions": {"properties": {"username": {"type": "keyword"}}},
                "urls": {"properties": {"expanded_url": {"type": "keyword"}}},
            }},
            "public_metrics": {"properties": {name: {"type": "long"} for name in (
                "retweet_count", "reply_count", "like_count", "quote_count", "bookmark_count", "impression_count")}},
        }},
        "includes": {"properties": {
            "users": {"properties": {
                "id": {"type": "keyword"}, "username": {"type": "keyword"}, "name": {"type": "keyword"},
                "verified": {"type": "boolean"}, "verified_type": {"type": "keyword"}, "created_at": {"type": "date"},
                "public_metrics": {"properties": {name: {"type": "long"} for name in (
                    "followers_count", "following_count", "tweet_count")}},
            }},
            "tweets": {"properties": {"text": {"type": "text", "analyzer": "standard"}, "id": {"type": "keyword"}}},
            "places": {"properties": {"full_name": {"type": "keyword"}, "country_code": {"type": "keyword"}}},
        }},
        "matching_rules": {"properties": {"tag": {"type": "keyword"}}},
    }},
}  # fmt: skip
"""For peers, which index the tweet as X sent it: the fields of our documents, where X has them."""
ID_IN_LINE = re.compile(rb'"data":\{"id":"(\d+)"')
PAGE = 10_000

Found = Counter[str]
"""Tweet id -> how often it is there."""


def indexed(client: Elasticsearch, index: str) -> Callable[[], float]:
    """Asks how many documents have been indexed, searchable yet or not."""

    def ask() -> float:
        options = client.options(ignore_status=404)
        answer = options.indices.stats(
            index=index, metric="indexing", filter_path="_all.primaries.indexing.index_total"
        )
        found = answer.get("_all", {}).get("primaries", {})
        return float(found.get("indexing", {}).get("index_total", 0))

    return ask


def written(webhdfs_url: str) -> Callable[[], float]:
    """Asks how many bytes clients have written to HDFS, as the DataNodes count them, each replica once in all."""
    nodes = live_data_nodes(webhdfs_url)
    session = requests.Session()

    def ask() -> float:
        total = 0
        for address in nodes:
            query = {"qry": "Hadoop:service=DataNode,name=DataNodeActivity-*"}
            total += session.get(f"http://{address}/jmx", params=query, timeout=10).json()["beans"][0][
                "BytesWritten"
            ]
        return total / len(nodes)

    return ask


def live_data_nodes(webhdfs_url: str) -> list[str]:
    """host:port of each DataNode's own page."""
    query = {"qry": "Hadoop:service=NameNode,name=NameNodeInfo"}
    answer = requests.get(f"{webhdfs_url}/jmx", params=query, timeout=10).json()
    return [node["infoAddr"] for node in json.loads(answer["beans"][0]["LiveNodes"]).values()]


def in_elasticsearch(client: Elasticsearch, index: str, id_field: str) -> Found:
    """Every tweet id in an index, by a composite aggregation, which is exact."""
    client.indices.refresh(index=index)
    found: Found = Counter()
    source = {"size": PAGE, "sources": [{"id": {"terms": {"field": id_field}}}]}
    while True:
        answer = client.search(index=index, size=0, aggs={"ids": {"composite": source}})["aggregations"][
            "ids"
        ]
        found.update({bucket["key"]["id"]: bucket["doc_count"] for bucket in answer["buckets"]})
        if "after_key" not in answer:
            return found
        source["after"] = answer["after_key"]


def in_hdfs(client: HdfsClient, root: str) -> Found:
    """Every tweet id in the files below a folder; a line that is torn counts as the id "torn"."""
    found: Found = Counter()
    for path in files_below(client, root):
        with client.read(path) as reader:
            content: bytes = reader.read()
        ids = ID_IN_LINE.findall(content)
        found.update(id_.decode() for id_ in ids)
        lines = content.splitlines()
        found["torn"] += sum(not line.endswith(b"}") or not ID_IN_LINE.search(line) for line in lines)
    return found


def files_below(client: HdfsClient, root: str) -> Iterator[str]:
    """The files that a reader would take: for Spark those of its log, which its own readers go by."""
    log = client.folder(f"{root}/_spark_metadata")
    if log:
        yield from sorted(
            {path for name in log for path in _named_in(client, f"{root}/_spark_metadata/{name}")}
        )
        return
    for name, status in client.folder(root).items():
        if name.startswith(("_", ".")):
            continue
        if status["type"] == "FILE":
            yield f"{root}/{name}"
        else:
            yield from files_below(client, f"{root}/{name}")


def _named_in(client: HdfsClient, path: str) -> Iterator[str]:
    with client.read(path) as reader:
        for line in reader.read().splitlines()[1:]:  # the first is the version
            yield "/" + json.loads(line)["path"].split("/", 3)[3]
