"""Rounds of searches: whatever a page holds, its place is kept."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import search_poll
from ingest import Counts, Stopper
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_writer import Outgoing
from search_poll import SearchPoll, search
from state_file import StateFile
from stream_rules import Rule
from x_search import NoRoom, QueryRefused

SETTINGS = Settings()


class Acknowledging:
    """A writer of which Kafka acknowledges everything at once."""

    has_room, lost, acknowledged = True, 0, 0

    def __init__(self) -> None:
        self.topics: list[str] = []

    def send(self, outgoing: Outgoing) -> None:
        self.topics.append(outgoing.topic)

    def tend(self) -> None:
        pass

    def flush(self, seconds: float) -> int:
        return 0


class OnePage:
    """A search that finds one page."""

    def __init__(self, page: dict[str, Any]) -> None:
        self._page = page

    def pages(self, *_: Any) -> Iterator[dict[str, Any]]:
        yield self._page


class NoEvents:
    """Tells nobody."""

    def tell(self, counts: Counts) -> None:
        pass


@pytest.mark.parametrize("odd", ["half a pair \ud83d", float("nan")])
def test_a_post_that_no_json_may_hold_is_a_dead_letter_and_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: Any
) -> None:
    page = {"data": [{"id": "8", "text": "x"}, {"id": "7", "text": odd, "n": 1 << 99}]}
    monkeypatch.setattr(search_poll, "Search", lambda *_: OnePage(page))
    monkeypatch.setattr(search_poll, "ProducerEvents", lambda *_: NoEvents())
    state, writer = StateFile(tmp_path / "state"), Acknowledging()
    poll = SearchPoll(SETTINGS, writer, Stopper(), state, "token", "url")  # type: ignore[arg-type]
    poll.run([Rule("kafka", "search")], every=60, once=True)
    assert writer.topics == [SETTINGS.dead_letter_topic, SETTINGS.topic]
    assert state.get("kafka")["since_id"] == "8"
    assert poll._cost.posts == 1
    state.close()


class Picky:
    """A search that X refuses for one query."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pages(self, query: str, *_: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(query)
        if query == "sample:10":
            raise QueryRefused("X refuses the search (HTTP 400: no sample)")
        if query == "last":
            raise NoRoom
        yield {}


@pytest.mark.parametrize(
    ("queries", "once"), [(["kafka"], True), (["kafka"], False), (["kafka", "last"], False)]
)
def test_a_rule_that_x_refuses_keeps_no_other_from_being_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, queries: list[str], once: bool
) -> None:
    picky, state = Picky(), StateFile(tmp_path / "state")
    monkeypatch.setattr(search_poll, "Search", lambda *_: picky)
    monkeypatch.setattr(search_poll, "ProducerEvents", lambda *_: NoEvents())
    poll = SearchPoll(SETTINGS, Acknowledging(), Stopper(), state, "token", "url")  # type: ignore[arg-type]
    rules = [Rule(value, f"the {value}") for value in ("sample:10", *queries)]
    with pytest.raises(UserError, match=r"the sample:10: X refuses the search \(HTTP 400: no sample"):
        poll.run(rules, every=60, once=once)
    assert picky.asked == ["sample:10", *queries], "one round"
    state.close()


@pytest.mark.parametrize(
    ("query", "max_posts", "said"),
    [
        ("caf\udce9", 100, "the query is no UTF-8"), ("kafka", 9, "max_posts is 9, and X's smallest page is 10"),
    ],
)  # fmt: skip
def test_what_no_search_could_be_made_of_is_refused_before_x_is_asked(
    monkeypatch: pytest.MonkeyPatch, query: str, max_posts: int, said: str
) -> None:
    def asked(*_: Any) -> str:
        raise AssertionError("X was asked")

    monkeypatch.setattr(search_poll, "bearer_token", asked)
    with pytest.raises(UserError, match=said):
        search(replace(SETTINGS, max_posts=max_posts), query, every=60, once=True)
