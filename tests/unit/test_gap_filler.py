"""A gap is searched from the last tweet that was heard, as far back as X searches, once X's search has found it."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import Any

import pytest

import gap_filler
from gap_filler import GapFiller
from kafka_cluster.message import timestamp
from kafka_cluster.script import UserError
from search_place import SEARCHABLE
from stream_gap import Gap, born_at, id_at
from stream_rules import Rule
from x_search import QueryRefused

MARGIN = timedelta(seconds=10)
LAG_SECONDS = 30
"""X's search finds a tweet after so many seconds."""


class Recording:
    """A search that finds one tweet for each rule, but for those that X refuses."""

    def __init__(self, refused: UserError | None = None) -> None:
        self.queries: list[str] = []
        self.bounds: list[tuple[str, str]] = []
        self._refused = refused

    def pages(
        self, query: str, since_id: str, until_id: str, room: Callable[[], int]
    ) -> Iterator[dict[str, Any]]:
        room()
        self.queries.append(query)
        self.bounds.append((since_id, until_id))
        if query == "sample:10" and self._refused:
            raise self._refused
        yield {"data": [{"id": str(len(self.queries)), "text": "x"}]}


def fill(
    monkeypatch: pytest.MonkeyPatch, search: Recording, gap: Gap, queries: Sequence[str] = ("rare",)
) -> GapFiller:
    """A filler that has tried to fill the gap."""
    monkeypatch.setattr(gap_filler, "Search", lambda *_, **__: search)
    filler = GapFiller(
        "token", [Rule(query, query) for query in queries], [gap], lambda: 100, after_seconds=0
    )
    filler.start()
    while gap.filled is None:
        time.sleep(0.01)
    filler.stop(patient=True)
    return filler


@pytest.mark.parametrize(
    ("heard", "searched"),
    [(timedelta(days=8), SEARCHABLE), (timedelta(days=1), timedelta(days=1) + MARGIN), (None, MARGIN)],
)
def test_a_gap_is_searched_from_before_its_last_tweet_but_not_from_what_is_too_old(
    monkeypatch: pytest.MonkeyPatch, heard: timedelta | None, searched: timedelta
) -> None:
    now, search = datetime.now(UTC), Recording()
    fill(monkeypatch, search, Gap(timestamp(), "a test", timestamp(), heard and id_at(now - heard), None))
    [(since_id, until_id)] = search.bounds
    age = now - born_at(since_id)
    assert searched - timedelta(seconds=5) < age <= searched + timedelta(seconds=1)
    assert timedelta(seconds=-1) < born_at(until_id) - now - MARGIN <= timedelta(seconds=5)


def test_the_oldest_ids_have_nothing_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    search = Recording()
    fill(monkeypatch, search, Gap(timestamp(), "a test", timestamp(), "5", None))
    assert born_at(search.bounds[0][0]) > datetime.now(UTC) - timedelta(days=7)


def test_a_gap_is_searched_once_x_finds_what_was_tweeted_at_its_end() -> None:
    def due(seconds: float) -> bool:
        return filler._is_due(Gap("", "a test", timestamp(datetime.now(UTC) - timedelta(seconds=seconds))))

    filler = GapFiller("token", [], [], lambda: 100)
    assert not due(LAG_SECONDS + MARGIN.total_seconds()) and due(60)


def test_a_rule_that_search_refuses_keeps_no_other_from_being_searched(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    search = Recording(QueryRefused("X refuses the search (HTTP 400: no sample)"))
    gap = Gap(timestamp(), "a test", timestamp(), None, None)
    filler = fill(monkeypatch, search, gap, ["a", "sample:10", "b"])
    assert search.queries == ["a", "sample:10", "b"]
    assert gap.filled is False, "not all of it was searched"
    assert filler.lines.qsize() == filler.due == 2
    assert "is not filled: sample:10: X refuses the search (HTTP 400: no sample)" in caplog.text


def test_what_x_says_of_keys_or_account_ends_the_search_of_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    search = Recording(UserError("X refuses the search (HTTP 401: no)"))
    gap = Gap(timestamp(), "a test", timestamp(), None, None)
    fill(monkeypatch, search, gap, ["a", "sample:10", "b"])
    assert (search.queries, gap.filled) == (["a", "sample:10"], False)


def test_what_was_found_is_due_until_somebody_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Watched(SimpleQueue[bytes]):
        def put(self, item: bytes, *_: Any, **__: Any) -> None:
            due.append(filler.due)
            super().put(item)

    due: list[int] = []
    monkeypatch.setattr(gap_filler, "Search", lambda *_, **__: Recording())
    filler = GapFiller("token", [Rule("a", "a")], [], lambda: 50)
    filler.lines = Watched()
    filler._searched(Gap(timestamp(), "a test", timestamp(), None, None))
    assert due == [50], "a place that seems free could be taken twice"
