"""Elasticsearch dies between a consumer's first question and the index that it is asked for."""

from types import SimpleNamespace
from typing import Any

import pytest
from elastic_transport import ConnectionError as NotConnected

from elasticsearch_index import ensure_index
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings


def test_a_server_that_dies_meanwhile_is_one_clear_line() -> None:
    def dies(**_: object) -> None:
        raise NotConnected("Connection error")

    client: Any = SimpleNamespace(indices=SimpleNamespace(put_index_template=dies))
    with pytest.raises(UserError, match="does not make the index tweets: Connection error"):
        ensure_index(client, Settings())
