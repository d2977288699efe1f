"""What each panel of both dashboards must show, counted from the tweets that went through."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from elasticsearch import Elasticsearch

from known_tweets import PLACES, Tweet, tally
from panel_query import Question, questions, search_body, wants_others
from panel_rows import Row, Table, table, top_values
from pipeline import Pipeline
from saved_objects import Panel
from time_window import Window

ZONE = "Asia/Seoul"
BROKEN = [b"{", b"[1]", b"[2]"]
GAP = {
    "gap_from": "2026-11-23T09:00:00.000Z", "gap_to": "2026-11-23T09:00:12.500Z", "gap_seconds": 12.5,
    "reason": "the stream was closed", "last_id": "2125688447026114560", "filled": True,
}  # fmt: skip
LOST = {"elasticsearch": 30, "hdfs": 12}
SIDES = [(0, 100), (100, 1_000), (1_000, 10_000), (10_000, 100_000), (100_000, 10**12)]
SIZES = dict(
    zip(
        SIDES,
        ("under 100", "100 to 999", "1,000 to 9,999", "10,000 to 99,999", "100,000 and more"),
        strict=True,
    )
)


@dataclass
class Stage:
    """A pipeline that the known tweets went through, and the saved objects for it."""

    tweets: list[Tweet]
    before: list[Tweet]
    client: Elasticsearch
    pipeline: Pipeline
    panels: dict[str, Panel]
    window: Window

    def ask(self, panel: Panel) -> Table:
        """The panel's answer, by its own queries."""
        window, zone = self.window, ZoneInfo(ZONE)
        if panel.time_range == ("now-7d", "now"):
            window = Window(window.end - timedelta(days=7), window.end)
        asked = [(question, self.search(question)) for question in questions(panel, window, zone, ())]
        if wants_others(panel):
            others = replace(asked[0][0], others=top_values(*asked[0]))
            asked.append((others, self.search(others)))
        return table(asked)

    def search(self, question: Question) -> Any:
        assert question.panel.view
        return self.client.search(index=question.panel.view.indices, body=search_body(question)).body


def only(answer: Table) -> Row:
    (row,) = answer.rows
    return row


def summed(answer: Table, key: str, value: str = "n") -> Counter[Any]:
    found: Counter[Any] = Counter()
    for row in answer.rows:
        found[row[key]] += row[value] or 0
    return found


def is_top(found: Counter[Any], expected: Counter[Any], size: int) -> None:
    """`found` has the `size` highest of `expected`, whichever of those that are alike."""
    assert sorted(found.values(), reverse=True) == sorted(expected.values(), reverse=True)[:size]
    assert found.items() <= expected.items()
    assert found


def tweets_metric(answer: Table, stage: Stage) -> None:
    assert only(answer) == {"n": len(stage.tweets), "before": len(stage.before)}
    assert len(stage.before) == 50


def authors_metric(answer: Table, stage: Stage) -> None:
    expected = [len({tweet.author for tweet in tweets}) for tweets in (stage.tweets, stage.before)]
    assert list(only(answer).values()) == expected


def retweets_metric(answer: Table, stage: Stage) -> None:
    shares = [
        sum(tweet.kind == "retweet" for tweet in tweets) / len(tweets)
        for tweets in (stage.tweets, stage.before)
    ]
    assert list(only(answer).values()) == pytest.approx(shares)


def languages(answer: Table, stage: Stage) -> None:
    found, expected = summed(answer, "lang"), tally(stage.tweets, lambda tweet: tweet.lang)
    assert found.pop("Other") == sum(sorted(expected.values())[: len(expected) - 6]) > 0
    is_top(found, expected, 6)
    assert summed(answer, "time").total() == len(stage.tweets)
    by_time = Counter(int(tweet.at.timestamp()) // 30 * 30_000 for tweet in stage.tweets)
    assert {time: count for time, count in summed(answer, "time").items() if count} == by_time


def top(key: str, value: Callable[[Tweet], Any], size: int) -> Callable[[Table, Stage], None]:
    def check(answer: Table, stage: Stage) -> None:
        is_top(summed(answer, key), tally(stage.tweets, value), size)

    return check


def spreading(answer: Table, stage: Stage) -> None:
    seen: dict[str, list[Tweet]] = defaultdict(list)
    for tweet in stage.tweets:
        if tweet.original:
            seen[tweet.original.id].append(tweet)
    assert {row["original"] for row in answer.rows} == seen.keys()
    for row in answer.rows:
        tweets = seen[row["original"]]
        kinds = Counter(tweet.kind for tweet in tweets)
        assert (row["n"], row["seen-retweets"], row["seen-quotes"]) == (
            len(tweets),
            kinds["retweet"],
            kinds["quote"],
        )
        highest = tuple(max(counts) for counts in zip(*(tweet.counts for tweet in tweets), strict=True))
        assert (row["retweets"], row["quotes"], row["likes"]) == highest
        original = tweets[0].original
        assert original and (row["author"], row["text"]) == (original.author.name, original.text)


def active_authors(answer: Table, stage: Stage) -> None:
    top("author", lambda tweet: tweet.author.name, 10)(answer, stage)
    followers = {tweet.author.name: tweet.author.followers for tweet in stage.tweets}
    assert {row["author"]: row["followers"] for row in answer.rows}.items() <= followers.items()


def hours(answer: Table, stage: Stage) -> None:
    local = [tweet.at.astimezone(ZoneInfo(ZONE)) for tweet in [*stage.tweets, *stage.before]]
    expected = Counter((f"{at:%H}", f"{at.isoweekday()} {at:%a}") for at in local)
    assert {(row["hour"], row["day"]): row["n"] for row in answer.rows if row["n"]} == expected


def followers(answer: Table, stage: Stage) -> None:
    expected = Counter(
        (
            next(name for (start, end), name in SIZES.items() if start <= author.followers < end),
            author.verified_type,
        )
        for author in {tweet.author for tweet in stage.tweets}
    )
    assert len({size for size, _ in expected}) >= 4 and len({kind for _, kind in expected}) >= 3
    assert {(row["followers"], row["verified"]): row["n"] for row in answer.rows if row["n"]} == expected


def newest(answer: Table, stage: Stage) -> None:
    expected = sorted(stage.tweets, key=lambda tweet: tweet.at, reverse=True)[:50]
    assert [row["author.username"] for row in answer.rows] == [tweet.author.name for tweet in expected]
    assert [row["lang"] for row in answer.rows] == [tweet.lang for tweet in expected]


def total(value: Callable[[Stage], int]) -> Callable[[Table, Stage], None]:
    def check(answer: Table, stage: Stage) -> None:
        assert only(answer)["n"] == value(stage) > 0

    return check


def everything(stage: Stage) -> int:
    return len(stage.tweets) + len(stage.before)


def throughput(answer: Table, stage: Stage) -> None:
    for figure in ("received", "indexed", "stored"):
        per_minute = summed(answer, "time", figure)
        assert per_minute.total() / 2 == pytest.approx(everything(stage)), "buckets are half a minute wide"


def lag(answer: Table, stage: Stage) -> None:
    index = f"{stage.pipeline.settings.events_index}-*"
    hits = stage.client.search(index=index, size=1000, query={"term": {"event": "lag"}}).body["hits"]["hits"]
    told = [(hit["_source"]["source"], hit["_source"]["lag"]) for hit in hits]
    shown = [(row["source"], row["lag"]) for row in answer.rows if row["lag"] is not None]
    assert {source for source, _ in shown} == {"elasticsearch", "hdfs"}
    for group in ("elasticsearch", "hdfs"):
        highest = [max(lag for source, lag in found if source == group) for found in (told, shown)]
        assert highest[0] == highest[1]


def delays(field: str) -> Callable[[Table, Stage], None]:
    def check(answer: Table, stage: Stage) -> None:
        alias = stage.pipeline.settings.elasticsearch_alias
        hits = stage.client.search(index=alias, size=1000, fields=["id"], source=[field, "created_at"]).body
        known = [hit["_source"][field] for hit in hits["hits"]["hits"]]
        assert len(known) == everything(stage) and min(known) >= 0
        shown = [row for row in answer.rows if row["p50"] is not None]
        assert shown
        for row in shown:
            assert min(known) <= row["p50"] <= row["p95"] <= row["p99"] <= max(known)

    return check


def dead_letters(answer: Table, stage: Stage) -> None:
    expected = {"no JSON": 1, 'no object with an object "data"': 2}
    assert {key: value for key, value in summed(answer, "reason", "letters").items() if value} == expected


def gaps(answer: Table, stage: Stage) -> None:
    row = only(answer)
    assert (row["gap_from"], row["gap_to"], row["reason"]) == (GAP["gap_from"], GAP["gap_to"], GAP["reason"])
    assert float(row["gap_seconds"]) == GAP["gap_seconds"]


CHECKS: dict[str, Callable[[Table, Stage], None]] = {
    "tweets-live/tweets": tweets_metric,
    "tweets-live/authors": authors_metric,
    "tweets-live/retweets": retweets_metric,
    "tweets-live/languages": languages,
    "tweets-live/kinds": top("kind", lambda tweet: tweet.kind, 5),
    "tweets-live/hashtag-cloud": top("tag", lambda tweet: tweet.tags, 40),
    "tweets-live/hashtag-table": top("tag", lambda tweet: tweet.tags, 10),
    "tweets-live/hashtag-trends": top("tag", lambda tweet: tweet.tags, 5),
    "tweets-live/spreading": spreading,
    "tweets-live/active-authors": active_authors,
    "tweets-live/mentioned": top("who", lambda tweet: tweet.mention, 10),
    "tweets-live/domains": top("domain", lambda tweet: tweet.domain, 10),
    "tweets-live/hours": hours,
    "tweets-live/countries": top("country", lambda tweet: tweet.country, len(PLACES)),
    "tweets-live/followers": followers,
    "tweets-live/newest": newest,
    "pipeline-health/received": total(everything),
    "pipeline-health/indexed": total(everything),
    "pipeline-health/stored": total(everything),
    "pipeline-health/not-delivered": total(lambda _: len(BROKEN)),
    "pipeline-health/lost": total(lambda _: sum(LOST.values())),
    "pipeline-health/throughput": throughput,
    "pipeline-health/lag": lag,
    "pipeline-health/arrival-delay": delays("arrival_delay_ms"),
    "pipeline-health/index-delay": delays("index_delay_ms"),
    "pipeline-health/dead-letters": dead_letters,
    "pipeline-health/gaps": gaps,
}
