"""The generated stream is reproducible, in X's shape, obeys what X really sends, and looks alive."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from statistics import median

import orjson
import pytest

from kafka_cluster.message import tweet_record
from tweet_generator import WORDS, TweetGenerator
from tweet_trends import Trends

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
COUNT = 12_000


def stream(seed: int, start: datetime, count: int, rate: float = 300) -> list[bytes]:
    return list(islice(TweetGenerator(seed, start).lines(start, rate), count))


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return stream(7, START, COUNT)


@pytest.fixture(scope="module")
def tweets(lines: list[bytes]) -> list[dict]:
    return [orjson.loads(line) for line in lines]


@pytest.fixture(scope="module")
def day() -> list[dict]:
    """A whole day and night, a tweet every six seconds."""
    return [orjson.loads(line) for line in stream(3, START, 14_400, rate=1 / 6)]


def tags(tweet: dict) -> list[str]:
    return [entity["tag"] for entity in tweet["data"].get("entities", {}).get("hashtags", ())]


def reference(tweet: dict) -> tuple[str, str]:
    found = tweet["data"].get("referenced_tweets") or [{"type": "post", "id": ""}]
    return found[0]["type"], found[0]["id"]


# what can be relied on


def test_the_same_seed_gives_the_same_bytes(lines: list[bytes]) -> None:
    assert stream(7, START, 2_000) == lines[:2_000]
    assert stream(8, START, 20) != lines[:20]
    assert stream(7, START + timedelta(hours=1), 20) != lines[:20]


def test_every_line_is_a_record(lines: list[bytes]) -> None:
    for line in lines:
        assert b"\n" not in line
        tweet_record(line, "test")


def test_ids_are_snowflakes_of_their_moment_that_only_grow(lines: list[bytes]) -> None:
    tweets = [orjson.loads(line)["data"] for line in dict.fromkeys(lines)]
    ids = [int(tweet["id"]) for tweet in tweets]
    assert ids == sorted(set(ids))
    for tweet in tweets:
        born_ms = round(datetime.fromisoformat(tweet["created_at"]).timestamp() * 1000)
        assert (int(tweet["id"]) >> 22) + 1_288_834_974_657 == born_ms


def test_ids_grow_even_when_the_clock_goes_back() -> None:
    generator, noon = TweetGenerator(1, START, redelivered=0), int(START.timestamp() * 1000)
    ids = [int(orjson.loads(generator.line(noon + step))["data"]["id"]) for step in (5_000, 0, 0, 4_000)]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.002, 5, 50), (0.1, 1_000, 1_400)])
def test_redeliveries_are_the_same_line_again_as_often_as_asked(share: float, low: int, high: int) -> None:
    generator = TweetGenerator(5, START, redelivered=share)
    lines = list(islice(generator.lines(START, 300), COUNT))
    assert low <= len(lines) - len(set(lines)) <= high
    assert len({tweet_record(line, "test").key for line in lines}) == len(set(lines))


def test_tweets_say_which_of_the_rules_they_came_by() -> None:
    generator = TweetGenerator(5, START)
    generator.rules = [{"id": str(number), "tag": f"rule {number}"} for number in range(3)]
    seen = Counter[str]()
    for line in islice(generator.lines(START, 300), 500):
        matched = [rule["id"] for rule in orjson.loads(line)["matching_rules"]]
        assert 1 <= len(matched) == len(set(matched)) <= 2
        seen.update(matched)
    assert seen["0"] > seen["1"] > seen["2"] > 0


# what X sends, and what it does not


def test_what_x_does_not_send_is_not_there(tweets: list[dict]) -> None:
    assert all(set(tweet["data"]["public_metrics"].values()) == {0} for tweet in tweets), (
        "nobody liked it at birth"
    )
    assert not any("source" in tweet["data"] for tweet in tweets)
    assert 0.002 < sum("geo" in tweet["data"] for tweet in tweets) / COUNT <= 0.02


def test_entities_stand_where_they_say(tweets: list[dict]) -> None:
    marks = {
        "hashtags": ("#", "tag"),
        "cashtags": ("$", "tag"),
        "mentions": ("@", "username"),
        "urls": ("", "url"),
    }
    seen = Counter[str]()
    for tweet in tweets:
        data = tweet["data"]
        for holder in filter(None, (data, data.get("note_tweet"), *tweet["includes"].get("tweets", ()))):
            for kind, found in holder.get("entities", {}).items():
                mark, key = marks[kind]
                seen[kind] += len(found)
                for entity in found:
                    assert holder["text"][entity["start"] : entity["end"]] == mark + entity[key]
    assert set(seen) == set(marks)
    assert any("&amp;" in tweet["data"]["text"] for tweet in tweets), "escaped text is among them"
    assert any("\u200d" in tweet["data"]["text"] for tweet in tweets), "joined emoji are among them"


def test_a_retweet_is_cut_and_brings_the_whole(tweets: list[dict]) -> None:
    cut = 0
    for tweet in tweets:
        if reference(tweet)[0] == "retweeted":
            text, [original] = tweet["data"]["text"], tweet["includes"]["tweets"]
            assert text.startswith("RT @") and len(text) <= 140
            said = text.partition(": ")[2]
            assert original["text"].startswith(said.removesuffix("…")) and (
                said == original["text"] or len(text) == 140
            )
            cut += said != original["text"]
    assert cut


def test_a_long_post_has_its_whole_text_in_note_tweet(tweets: list[dict]) -> None:
    long = [tweet["data"] for tweet in tweets if "note_tweet" in tweet["data"]]
    assert len(long) > 10
    for data in long:
        shown, whole = data["text"], data["note_tweet"]["text"]
        assert len(shown) <= 300 and len(whole) > 150
        assert whole.startswith(shown.rpartition("… ")[0])


def test_an_edit_is_a_new_tweet_with_the_chain_of_those_before_it(tweets: list[dict]) -> None:
    edits = [chain for tweet in tweets if len(chain := tweet["data"]["edit_history_tweet_ids"]) > 1]
    assert 10 < len(edits) < 100 and all(chain == sorted(set(chain), key=int) for chain in edits)
    assert all(tweet["data"]["edit_history_tweet_ids"][-1] == tweet["data"]["id"] for tweet in tweets)


def test_what_a_tweet_refers_to_is_in_its_includes(tweets: list[dict]) -> None:
    kinds = Counter(reference(tweet)[0] for tweet in tweets)
    assert all(0.07 < kinds[kind] / COUNT < 0.45 for kind in ("post", "replied_to", "retweeted", "quoted"))
    for tweet in tweets:
        data, includes = tweet["data"], tweet["includes"]
        users = {user["id"] for user in includes["users"]}
        assert data["author_id"] in users and len(users) == len(includes["users"])
        assert [place["id"] for place in includes.get("places", ())] == (
            [data["geo"]["place_id"]] if "geo" in data else []
        )
        if "referenced_tweets" in data:
            [original] = includes["tweets"]
            assert original["id"] == reference(tweet)[1] and original["author_id"] in users
            assert int(original["id"]) < int(data["id"])


# what makes it look alive


def test_counts_of_an_original_grow_with_its_cascade_and_some_go_viral(lines: list[bytes]) -> None:
    counts: dict[str, list[dict]] = {}
    for line in dict.fromkeys(lines):  # a redelivery has the counts of its first time
        for original in orjson.loads(line)["includes"].get("tweets", ()):
            counts.setdefault(original["id"], []).append(original["public_metrics"])
    for seen in counts.values():
        for before, after in pairwise(seen):
            assert all(before[name] <= after[name] for name in before)
    sizes = sorted(map(len, counts.values()), reverse=True)
    assert 0.01 * COUNT < sizes[0] < 0.25 * COUNT, "one is everywhere, but not everything"
    assert sizes[len(sizes) // 2] <= 2, "most are hardly passed on"


def test_authors_are_at_home_in_a_language_and_few_have_many_followers(tweets: list[dict]) -> None:
    users = {user["id"]: user for tweet in tweets for user in tweet["includes"]["users"]}
    assert len({user["username"].lower() for user in users.values()}) == len(users)
    assert all(len(user["username"]) <= 15 for user in users.values())
    followers = sorted(user["public_metrics"]["followers_count"] for user in users.values())
    assert followers[len(followers) // 2] < 300 and followers[-1] > 500_000
    assert {user["verified_type"] for user in users.values()} == {"none", "blue", "business", "government"}
    authors = Counter(tweet["data"]["author_id"] for tweet in tweets)
    assert len(authors) > 2_000 and 5 < authors.most_common(1)[0][1] < 0.05 * COUNT


def test_hashtags_are_long_tailed_and_written_in_the_language(tweets: list[dict]) -> None:
    posts = [tweet for tweet in tweets if reference(tweet)[0] == "post"]
    used = Counter(tag for tweet in posts for tag in tags(tweet))
    assert len(used) > 300 and sum(count == 1 for count in used.values()) > 0.2 * len(used)
    assert sum(count for _, count in used.most_common(10)) > 0.2 * used.total()
    korean = Counter(tag for tweet in posts if tweet["data"]["lang"] == "ko" for tag in tags(tweet))
    hangul = sum(count for tag, count in korean.items() if any("가" <= letter <= "힣" for letter in tag))
    assert hangul > 0.6 * korean.total()


def test_talk_about_a_theme_rises_and_falls_within_minutes() -> None:
    start_ms, minutes = int(START.timestamp() * 1000), 30
    trends = Trends(random.Random(4), WORDS, start_ms)
    halves = [
        [trends.at(start_ms + half * 30_000 + step * 20) for step in range(1_500)]
        for half in range(2 * minutes)
    ]
    counts = {
        theme: [sum(drawn[1] == theme for drawn in half) for half in halves] for theme in WORDS["themes"]
    }
    waves = {theme: seen for theme, seen in counts.items() if max(seen) > 2 * median(seen)}
    assert len(waves) >= 4
    for theme, seen in waves.items():
        peak = seen.index(max(seen))
        assert any(drawn[1] == theme and drawn[2] for drawn in halves[peak]), "what happens has a hashtag"
    ebbed = [theme for theme, seen in waves.items() if min(seen[seen.index(max(seen)) :]) < 0.5 * max(seen)]
    assert len(ebbed) >= 3


def test_people_sleep_at_night_in_their_own_time_zone(day: list[dict]) -> None:
    hours = Counter(
        (datetime.fromisoformat(tweet["data"]["created_at"]) + timedelta(hours=9)).hour
        for tweet in day
        if tweet["data"]["lang"] in ("ko", "ja")
    )
    assert sum(hours[hour] for hour in (2, 3, 4, 5)) < 0.5 * sum(hours[hour] for hour in (18, 19, 20, 21))
    assert {"ko", "en", "ja", "es", "pt", "in", "ar", "und", "qme", "qht", "qst"} == {
        tweet["data"]["lang"] for tweet in day
    }
