"""Tweets that look like a stream of X: seeded, reproducible, in the exact shape of the filtered stream.

They obey what X really sends: counts are 0 at birth, and a retweet or quote brings its original in `includes` with
the counts of that moment; there is no `source`; a place is rare; ids are snowflakes; now and then a tweet is
delivered twice. Numbers without a source are chosen to look alive, not measured on X.
"""

import json
import math
import random
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from tweet_authors import Authors, x_time
from tweet_text import TweetText
from tweet_trends import Trends

Json = dict[str, Any]

WORDS = json.loads(Path(__file__).with_name("sample-words.json").read_text(encoding="utf-8"))
SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
RECENT = 3_000
"""Originals that can still be retweeted, quoted or answered; bounds the memory of a long run."""
SHARES = (("post", 0.40), ("reply", 0.20), ("retweet", 0.30), ("quote", 0.10))
REDELIVERED, PLACED, EDITED, LONG, LINKED, POSSIBLY_SENSITIVE = 0.002, 0.015, 0.004, 0.01, 0.25, 0.01
RULES = [{"id": "1866021953423", "tag": "everything"}]


class TweetGenerator:
    """An endless stream of tweets. The same seed and the same moments give the same bytes."""

    def __init__(self, seed: int, start: datetime) -> None:
        self._random = random.Random(seed)
        self._authors = Authors(WORDS)
        self._recent: deque[Original] = deque(maxlen=RECENT)
        self._lines: deque[bytes] = deque(maxlen=200)
        self._sequence = 0
        self._trends = Trends(self._random, WORDS["themes"])
        start_ms = int(start.timestamp() * 1000)
        for _ in range(60):  # what spread before the stream began
            age_ms = int(self._random.expovariate(1 / 5_400_000)) + 60_000
            original = self._post(start_ms - age_ms)
            original.seen = int(self._random.paretovariate(0.9) * 20) % 50_000
            self._recent.append(original)

    def line(self, moment_ms: int) -> bytes:
        """The next tweet, born at this moment (ms since 1970), as one line without line end."""
        if self._lines and self._random.random() < REDELIVERED:
            return self._random.choice(self._lines)
        line = orjson.dumps(self._payload(moment_ms))
        self._lines.append(line)
        return line

    def lines(self, start: datetime, rate: float) -> Iterator[bytes]:
        """An endless stream whose tweets are born `rate` a second, at random distances, from `start` on."""
        moment = start.timestamp() * 1000
        while True:
            moment += self._random.expovariate(rate) * 1000
            yield self.line(int(moment))

    # kinds

    def _payload(self, moment_ms: int) -> Json:
        kind = self._pick(SHARES)
        if kind == "post":
            original = self._post(moment_ms)
            self._recent.append(original)
            return self._framed(original.tweet, [original.author], [], original.place)
        original = self._spreading(moment_ms)
        return getattr(self, f"_{kind}")(moment_ms, original)

    def _post(self, moment_ms: int) -> "Original":
        text, language, place = self._text(moment_ms)
        author = self._authors.draw(self._random)
        tweet = self._tweet(moment_ms, author, text.finish(), language)
        if place:
            tweet["geo"] = {"place_id": place["id"]}
        if self._random.random() < LONG:
            long = text.copy()
            long.add(" " + " ".join(WORDS["languages"]["en"]["sentences"][:6]).format(topic="it"))
            tweet["note_tweet"] = long.finish()
        if self._random.random() < EDITED:
            tweet["edit_history_tweet_ids"].insert(0, self._id(moment_ms - 60_000))
        # a few authors and a few posts catch fire; most are seen by nobody
        fire = self._random.paretovariate(1.1) * math.log10(10 + author["public_metrics"]["followers_count"])
        return Original(tweet, author, place, moment_ms, fire)

    def _reply(self, moment_ms: int, original: "Original") -> Json:
        text, language, _ = self._text(moment_ms, opening=original.author, tags=0.1)
        author = self._authors.draw(self._random)
        tweet = self._tweet(moment_ms, author, text.finish(), language)
        tweet["in_reply_to_user_id"] = original.author["id"]
        tweet["conversation_id"] = original.tweet["conversation_id"]
        return self._referring(tweet, author, "replied_to", original, moment_ms)

    def _quote(self, moment_ms: int, original: "Original") -> Json:
        text, language, _ = self._text(moment_ms, tags=0.3)
        text.add(" ")
        text.link(
            self._short_link(),
            f"https://twitter.com/{original.author['username']}/status/{original.tweet['id']}",
        )
        author = self._authors.draw(self._random)
        original.seen += 1
        return self._referring(
            self._tweet(moment_ms, author, text.finish(), language), author, "quoted", original, moment_ms
        )

    def _retweet(self, moment_ms: int, original: "Original") -> Json:
        author = self._authors.draw(self._random)
        original.seen += 1
        text = TweetText("RT ")
        text.mention(original.author)
        text.add(": ")
        cut = text.finish_with(original.tweet["text"])
        tweet = self._tweet(moment_ms, author, cut, original.tweet["lang"])
        return self._referring(tweet, author, "retweeted", original, moment_ms)

    # parts

    def _text(
        self, moment_ms: int, opening: Json | None = None, tags: float = 0.65
    ) -> tuple[TweetText, str, Json | None]:
        chance = self._random
        language = self._language(moment_ms)
        words = WORDS["languages"][language]
        theme, trend = self._trends.at(moment_ms)
        text = TweetText("")
        if opening:
            text.mention(opening)
            text.add(" ")
        topic = theme["topic"].get(language) or theme["topic"]["en"]
        text.add(chance.choice(words["sentences"]).format(topic=topic))
        if chance.random() < 0.45:
            text.add(" " + "".join(chance.choices(WORDS["emoji"], k=chance.randint(1, 3))))
        if chance.random() < tags:
            for tag in dict.fromkeys([trend, *chance.sample(theme["tags"], chance.randint(0, 2))]):
                text.add(" ")
                text.hashtag(tag)
        if chance.random() < 0.02:
            text.add(" ")
            text.cashtag(chance.choice(WORDS["cashtags"]))
        if chance.random() < LINKED:
            domain = WORDS["domains"][min(int(chance.expovariate(0.5)), len(WORDS["domains"]) - 1)]
            text.add(" ")
            text.link(self._short_link(), f"https://{domain}/{chance.getrandbits(32):x}")
        place = None
        if words["places"] and chance.random() < PLACED:
            place = _place(chance.choice(words["places"]))
        return text, language, place

    def _tweet(self, moment_ms: int, author: Json, text: Json, language: str) -> Json:
        id_ = self._id(moment_ms)
        return {
            "id": id_, **text, "author_id": author["id"], "created_at": x_time(moment_ms), "lang": language,
            "conversation_id": id_, "edit_history_tweet_ids": [id_], "reply_settings": "everyone",
            "possibly_sensitive": self._random.random() < POSSIBLY_SENSITIVE, "public_metrics": _counts(0, 0.0),
        }  # fmt: skip

    def _referring(self, tweet: Json, author: Json, how: str, original: "Original", moment_ms: int) -> Json:
        tweet["referenced_tweets"] = [{"type": how, "id": original.tweet["id"]}]
        age = max(1.0, (moment_ms - original.born_ms) / 60_000)
        then = original.tweet | {
            "public_metrics": _counts(original.seen, original.fire * math.log10(1 + age))
        }
        users = [author] if author is original.author else [author, original.author]
        return self._framed(tweet, users, [then], original.place)

    def _framed(self, tweet: Json, users: list[Json], tweets: list[Json], place: Json | None) -> Json:
        includes: Json = {"users": users}
        if tweets:
            includes["tweets"] = tweets
        if place and ("geo" in tweet or (tweets and "geo" in tweets[0])):
            includes["places"] = [place]
        return {"data": tweet, "includes": includes, "matching_rules": RULES}

    def _spreading(self, moment_ms: int) -> "Original":
        """One of the recent originals: those that caught fire, while they are fresh."""
        candidates = self._random.choices(self._recent, k=12)
        return max(candidates, key=lambda original: original.heat(moment_ms))

    def _language(self, moment_ms: int) -> str:
        """Languages sleep at night: least at 4 in the morning, most at 21, in their own time zone."""
        hour = moment_ms / 3_600_000
        weights = [
            words["weight"] * (1.5 + math.cos((hour + words["utc_offset"] - 21) * math.pi / 12))
            for words in WORDS["languages"].values()
        ]
        return self._random.choices(list(WORDS["languages"]), weights)[0]

    def _id(self, moment_ms: int) -> str:
        self._sequence = (self._sequence + 1) % (1 << 22)
        return str((moment_ms - SNOWFLAKE_EPOCH_MS) << 22 | self._sequence)

    def _short_link(self) -> str:
        return f"https://t.co/{self._random.getrandbits(52):010x}"[:23]

    def _pick(self, shares: tuple[tuple[str, float], ...]) -> str:
        point = self._random.random()
        for name, share in shares:
            point -= share
            if point < 0:
                return name
        return shares[-1][0]


class Original:
    """A tweet that others may spread. `seen`: retweets and quotes so far; `fire`: how much it catches on."""

    __slots__ = ("author", "born_ms", "fire", "place", "seen", "tweet")

    def __init__(self, tweet: Json, author: Json, place: Json | None, born_ms: int, fire: float) -> None:
        self.tweet, self.author, self.place, self.born_ms, self.fire = tweet, author, place, born_ms, fire
        self.seen = 0

    def heat(self, moment_ms: int) -> float:
        """Who is retweeted is retweeted more, and everything cools down within hours."""
        age_minutes = (moment_ms - self.born_ms) / 60_000
        return (self.fire + math.sqrt(self.seen)) / (1 + age_minutes / 20)


def _counts(spread: int, likes: float) -> Json:
    """Counts of a tweet that was retweeted or quoted `spread` times in this stream, which sees a part of X."""
    retweets = spread * 3
    return {
        "retweet_count": retweets,
        "reply_count": retweets // 5,
        "like_count": int(retweets * 4 + likes * 3) if spread else 0,
        "quote_count": spread // 2,
        "bookmark_count": retweets // 3,
        "impression_count": int(retweets * 180 + likes * 90) if spread else 0,
    }


def _place(entry: list[Any]) -> Json:
    full_name, country, code, west, south, east, north = entry
    return {
        "id": f"{_number_of(full_name):016x}"[:16],
        "full_name": full_name,
        "name": full_name.partition(",")[0],
        "country": country,
        "country_code": code,
        "place_type": "city",
        "geo": {"type": "Feature", "bbox": [west, south, east, north], "properties": {}},
    }


def _number_of(text: str) -> int:
    """A number that is the same in every run, unlike `hash`."""
    return random.Random(text).getrandbits(63)
