"""The client for Elasticsearch, and what must be there before the first tweet: template, first index, alias."""

import json
import logging
import time
from pathlib import Path
from typing import Any

from elastic_transport import ConnectionError as NotConnected
from elastic_transport import ConnectionTimeout
from elasticsearch import ApiError, AuthorizationException, BadRequestError, Elasticsearch
from elasticsearch.serializer import NdjsonSerializer

from kafka_cluster.elasticsearch_options import elasticsearch_options, login_cure, login_name, require_login
from kafka_cluster.reachable import require_elasticsearch
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings

log = logging.getLogger(__name__)

INDEX_FILE = Path(__file__).with_name("tweet-index.json")
READY_SECONDS = 60.0


class ReadyLines(NdjsonSerializer):
    """A `_bulk` body of bytes goes on as it is: the library's own copies it twice, and one copy stays in memory."""

    def dumps(self, data: Any) -> bytes:
        """Lines as bytes, each with its end; or operations, as the library takes them."""
        return data if isinstance(data, bytes) else super().dumps(data)


SERIALIZERS = {ReadyLines.mimetype: ReadyLines()}


def connect_elasticsearch(settings: Settings, user: str | None = None, connections: int = 4) -> Elasticsearch:
    """A client that repeats nothing by itself, as one of ELASTICSEARCH_USERS if .env has its password.

    Raises UserError when nothing answers, or the password is wrong.
    """
    require_login(settings, user)
    require_elasticsearch(settings)
    client = Elasticsearch(
        **elasticsearch_options(settings, user), serializers=SERIALIZERS,
        connections_per_node=connections, max_retries=0, retry_on_timeout=False, request_timeout=30,
    )  # fmt: skip
    _wait_until_it_answers(client, settings, login_name(settings, user))
    return client


def ensure_index(client: Elasticsearch, settings: Settings) -> None:
    """Put template, first index and alias where they are missing; a user without that right only checks.

    Raises UserError where the alias can't be had.
    """
    alias = settings.elasticsearch_alias
    try:
        template = index_template(settings)
        client.indices.put_index_template(name=alias, **template)
        if client.indices.exists_alias(name=alias):
            _add_new_fields(client, alias, template["template"]["mappings"]["properties"])
        else:
            _create_first_index(client, alias)
    except AuthorizationException:
        if not client.indices.exists_alias(name=alias):
            raise UserError(
                f"there is no alias {alias}, and {login_name(settings, settings.set_up_user)} may not make it: "
                "an administrator runs  python3 kafka-consumer/consumer.py --setup"
            ) from None
    except BadRequestError as error:
        raise UserError(f"Elasticsearch refuses the index {alias}-000001: {error}") from None
    except (NotConnected, ConnectionTimeout, ApiError) as error:  # it may die right after it has answered
        raise UserError(f"Elasticsearch does not make the index {alias}: {error}; start again") from None


def index_template(settings: Settings) -> dict:
    """The body of the index template: tweet-index.json with pattern, shards and replicas."""
    body = json.loads(INDEX_FILE.read_text(encoding="utf-8"))
    body.setdefault("settings", {}).update(
        number_of_shards=settings.elasticsearch_shards, number_of_replicas=settings.elasticsearch_replicas
    )
    return {
        "index_patterns": [f"{settings.elasticsearch_alias}-*"],
        "template": {"settings": body["settings"], "mappings": body["mappings"]},
        # above the built-in templates of the server; a longer alias is the more particular one
        "priority": 500 + len(settings.elasticsearch_alias),
    }


def refusal(settings: Settings, kind: str, who: str = "the login") -> UserError:
    """The error for a wrong password or key, or a missing privilege."""
    return UserError(
        f"Elasticsearch at {settings.elasticsearch_url} refuses {who} ({kind}): {login_cure(settings)}; "
        "the server learns of a change at  cluster.py down, up"
    )


def _add_new_fields(client: Elasticsearch, alias: str, properties: dict) -> None:
    """An index that an earlier version made gets the fields that came since."""
    try:
        client.indices.put_mapping(index=alias, properties=properties)
    except BadRequestError as error:
        log.warning("the mapping of %s is not that of %s: %s", alias, INDEX_FILE.name, error)


def _create_first_index(client: Elasticsearch, alias: str) -> None:
    if client.indices.exists(index=alias):
        raise UserError(
            f"{alias} is an index in Elasticsearch, not an alias: move its documents to {alias}-000001 "
            "and delete it, or set elasticsearch_alias to another name"
        )
    try:
        client.indices.create(index=f"{alias}-000001", aliases={alias: {"is_write_index": True}})
    except BadRequestError as error:
        if error.error != "resource_already_exists_exception":
            raise
        client.indices.put_alias(index=f"{alias}-000001", name=alias, is_write_index=True)


def _wait_until_it_answers(client: Elasticsearch, settings: Settings, who: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            client.cluster.health(timeout="5s")  # `info()` is not in the native distribution
            return
        except ApiError as error:
            if error.status_code in (401, 403):
                raise refusal(settings, str(error.error), who) from None
            reason = str(error.error)
        except (NotConnected, ConnectionTimeout) as error:
            reason = type(error).__name__
        if time.monotonic() > deadline:
            raise UserError(f"Elasticsearch at {settings.elasticsearch_url} does not get ready: {reason}")
        time.sleep(0.5)
