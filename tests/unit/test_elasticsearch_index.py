"""The client for Elasticsearch: what it sends, and a server that dies after a consumer's first question."""

from types import SimpleNamespace
from typing import Any

import pytest
from elastic_transport import ConnectionError as NotConnected
from elasticsearch import Elasticsearch

from elasticsearch_index import SERIALIZERS, ensure_index
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings


def test_a_server_that_dies_meanwhile_is_one_clear_line() -> None:
    def dies(**_: object) -> None:
        raise NotConnected("Connection error")

    client: Any = SimpleNamespace(indices=SimpleNamespace(put_index_template=dies))
    with pytest.raises(UserError, match="does not make the index tweets: Connection error"):
        ensure_index(client, Settings())


def test_a_bulk_body_that_is_ready_is_sent_without_a_copy() -> None:
    with Elasticsearch("http://127.0.0.1:1", serializers=SERIALIZERS) as client:
        # what the client names the content of a _bulk request
        dumps = client.transport.serializers.get_serializer("application/vnd.elasticsearch+x-ndjson").dumps
    body = b'{"create":{"_id":"1"}}\n{}\n'
    assert dumps(body) is body
    assert dumps([{"delete": {"_id": "1"}}, "{}"]) == b'{"delete":{"_id":"1"}}\n{}\n'
