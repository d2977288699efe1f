"""A small stream whose every figure can be counted from its description, apart from the code of the pipeline."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

FIRST_ID = 2_000_000_000_000_000_000
LANGS = ["en", "ko", "ja", "es", "de", "fr", "pt", "it"]
TAGS = [f"tag{number}" for number in range(14)]
DOMAINS = [f"site{number}.example" for number in range(12)]
PLACES = {"KR": "대한민국", "JP": "日本", "US": "United States"}
VERIFIED = ["none", "blue", "business", "government"]


@dataclass(frozen=True)
class Author:
    id: str
    followers: int
    verified_type: str

    @property
    def name(self) -> str:
        return f"author_{self.id}"


@dataclass(frozen=True)
class Original:
    id: str
    author: Author
    text: str
    tag: str


@dataclass(frozen=True)
class Tweet:
    """What a tweet says; `counts`: retweets, quotes, likes of its original when it was seen."""

    id: str
    at: datetime
    kind: str
    lang: str
    author: Author
    own_tags: tuple[str, ...]
    mention: str | None
    domain: str | None
    country: str | None
    original: Original | None
    counts: tuple[int, int, int]

    @property
    def tags(self) -> tuple[str, ...]:
        return (self.original.tag,) if self.kind == "retweet" and self.original else self.own_tags

    def line(self) -> bytes:
        """As X's stream would bring it: all counts of its own are 0."""
        data: dict[str, Any] = {
            "id": self.id, "text": f"tweet {self.id}", "author_id": self.author.id, "lang": self.lang,
            "created_at": stamp(self.at), "public_metrics": dict.fromkeys(("retweet_count", "like_count"), 0),
            "entities": {"hashtags": [{"tag": tag.upper()} for tag in self.own_tags]},
        }  # fmt: skip
        users, includes = [self.author], {}
        if self.mention:
            data["entities"]["mentions"] = [{"username": self.mention.title()}]
        if self.domain and self.kind != "retweet":
            data["entities"]["urls"] = [{"expanded_url": f"https://www.{self.domain}/page"}]
        if self.country:
            data["geo"] = {"place_id": self.country}
            place = {"id": self.country, "country": PLACES[self.country], "country_code": self.country}
            includes["places"] = [place]
        if self.original:
            reference = {"retweet": "retweeted", "quote": "quoted"}[self.kind]
            data["referenced_tweets"] = [{"type": reference, "id": self.original.id}]
            users.append(self.original.author)
            includes["tweets"] = [self._original()]
        if self.kind == "reply":
            data["referenced_tweets"] = [{"type": "replied_to", "id": "1"}]
        includes["users"] = [user(author) for author in users]
        return json.dumps({"data": data, "includes": includes}).encode()

    def _original(self) -> dict[str, Any]:
        assert self.original
        retweets, quotes, likes = self.counts
        return {
            "id": self.original.id, "text": self.original.text, "author_id": self.original.author.id,
            "entities": {"hashtags": [{"tag": self.original.tag}]},
            "public_metrics": {"retweet_count": retweets, "quote_count": quotes, "like_count": likes},
        }  # fmt: skip


def user(author: Author) -> dict[str, Any]:
    return {
        "id": author.id, "username": author.name, "verified_type": author.verified_type,
        "public_metrics": {"followers_count": author.followers},
    }  # fmt: skip


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def known_tweets(now: datetime, count: int = 120, earlier: int = 50) -> list[Tweet]:
    """`count` tweets of the last twelve minutes, and `earlier` ones from 16 to 28 minutes ago."""
    chance = random.Random(7)
    authors = [
        Author(str(number), 30 * 4**number, VERIFIED[number % 4 if number > 3 else 0])
        for number in range(1, 11)
    ]
    originals = [
        Original(str(FIRST_ID - number), authors[number], f"original 원문 {number}", TAGS[number])
        for number in (1, 2, 3)
    ]
    ages = [chance.uniform(20, 720) for _ in range(count)] + [
        chance.uniform(960, 1680) for _ in range(earlier)
    ]
    return [
        _tweet(chance, number, now - timedelta(seconds=round(age, 3)), authors, originals)
        for number, age in enumerate(ages)
    ]


def _tweet(
    chance: random.Random, number: int, at: datetime, authors: list[Author], originals: list[Original]
) -> Tweet:
    kind = chance.choices(("post", "reply", "quote", "retweet"), (5, 2, 1, 3))[0]
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    plain = kind != "retweet"
    return Tweet(
        str(FIRST_ID + number), at, kind, _often_the_first(chance, LANGS), _often_the_first(chance, authors),
        tuple(dict.fromkeys(_often_the_first(chance, TAGS) for _ in range(2))) if plain else (),
        _often_the_first(chance, authors).name if plain and chance.random() < 0.4 else None,
        _often_the_first(chance, DOMAINS) if plain and chance.random() < 0.5 else None,
        chance.choice(list(PLACES)) if chance.random() < 0.1 else None,
        chance.choice(originals) if kind in ("retweet", "quote") else None,
        (100 + chance.randrange(50), 10 + chance.randrange(5), 1000 + chance.randrange(500)),
    )  # fmt: skip


def _often_the_first(chance: random.Random, values: list[Any]) -> Any:
    return values[min(int(chance.expovariate(0.35)), len(values) - 1)]


def tally(tweets: Iterable[Tweet], value: Callable[[Tweet], Any]) -> Counter[Any]:
    """How many tweets have each value; a value may be several, or None."""
    found: Counter[Any] = Counter()
    for tweet in tweets:
        given = value(tweet)
        found.update(given if isinstance(given, tuple) else [] if given is None else [given])
    return found
