"""Deletes documents of tweets that are forgotten, or too old, from every index of the pipeline.

That is: from the one behind the alias, from those that a rebuild has kept, and from the one that it is filling.
"""

import re
from collections.abc import Iterable
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError
from elasticsearch.helpers import scan

from batches import batches
from forgotten_posts import Forgotten
from kafka_cluster.script import UserError

IDS_AT_A_TIME = 5_000  # as many as Elasticsearch takes in one query
REQUEST_SECONDS = 120


class ElasticsearchForget:
    """Counts what it deletes."""

    def __init__(self, client: Elasticsearch, alias: str) -> None:
        self._client, self._alias = client.options(request_timeout=REQUEST_SECONDS), alias
        self.deleted = 0

    def listed(self, forgotten: Forgotten) -> None:
        """Delete what a document's own fields show: the posts, retweets of them, all tweets of the users."""
        for ids in batches(forgotten.posts, IDS_AT_A_TIME):
            retweets = [{"term": {"kind": "retweet"}}, {"terms": {"original_id": ids}}]
            self._delete({"bool": {"should": [{"ids": {"values": ids}}, {"bool": {"filter": retweets}}]}})
        for users in batches(forgotten.users, IDS_AT_A_TIME):
            self._delete({"terms": {"author.id": users}})

    def tweets(self, ids: Iterable[str]) -> None:
        """Delete the documents of tweets."""
        for some in batches(ids, IDS_AT_A_TIME):
            self._delete({"ids": {"values": some}})

    def written_before(self, date: str) -> None:
        """Delete the documents of tweets that were written before a day, ISO 8601, UTC."""
        self._delete(_written_before(date))

    def count_written_before(self, date: str) -> int:
        """How many there are; one that is in two indices counts twice."""
        if not (indices := self.indices()):
            return 0
        self._client.indices.refresh(index=indices, ignore_unavailable=True)
        return int(self._client.count(index=indices, query=_written_before(date))["count"])

    def indices(self) -> list[str]:
        """Every index that holds tweets: also old ones that a rebuild has kept, and the one that it fills.

        Raises UserError where one is closed: what is in it would be back once it is opened.
        """
        names = self._of_tweets("open,hidden")
        if closed := self._of_tweets("closed"):
            raise UserError(
                f"{', '.join(sorted(closed))} is closed: open it, or delete it, then run this again"
            )
        try:
            names |= set(self._client.indices.get_alias(name=self._alias))
        except NotFoundError:
            pass
        return sorted(names)

    def _of_tweets(self, state: str) -> set[str]:
        found = self._client.indices.get(index=f"{self._alias}-*", features="aliases", expand_wildcards=state)
        return {name for name in found if re.fullmatch(rf"{re.escape(self._alias)}-\d+", name)}

    def _delete(self, query: dict[str, Any]) -> None:
        indices = self.indices()
        if not indices:
            return
        self._client.indices.refresh(index=indices, ignore_unavailable=True)
        # searched and deleted by id: Elasticsearch without its modules has no _delete_by_query
        hits = scan(
            self._client, index=indices, query={"query": query, "_source": False}, size=IDS_AT_A_TIME,
            ignore_unavailable=True,
        )  # fmt: skip
        found = ({"delete": {"_index": hit["_index"], "_id": hit["_id"]}} for hit in hits)
        for some in batches(found, IDS_AT_A_TIME):
            self._bulk(some)

    def _bulk(self, operations: list[dict[str, Any]]) -> None:
        answer = self._client.bulk(operations=operations, refresh=True)
        for item in answer["items"]:
            result = item["delete"]
            if "error" in result:
                where, why = result["_index"], result["error"]["reason"]
                raise UserError(f"a document of {where} was not deleted: {why}; mend that, and run it again")
            self.deleted += result["result"] == "deleted"  # or a rebuild has just removed the index


def _written_before(date: str) -> dict[str, Any]:
    return {"range": {"created_at": {"lt": f"{date}T00:00:00.000Z"}}}
