"""Tweets that look like a stream of X: seeded, reproducible, in the exact shape of the filtered stream.

They obey what X really sends: counts are 0 at birth, and a retweet or quote brings its original in `includes` with
the counts of that moment; there is no `source`; a place is rare; ids are snowflakes; now and then a tweet is
delivered twice. Numbers without a source are chosen to look alive, not measured on X.
"""

import json
import random
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from tweet_authors import SNOWFLAKE_EPOCH_MS, Authors, x_time
from tweet_cascades import Cascades, Original
from tweet_text import TweetText
from tweet_trends import Trends
from tweet_writer import Draft, Writer

Json = dict[str, Any]

WORDS = json.loads(Path(__file__).with_name("sample-words.json").read_text(encoding="utf-8"))
KINDS, SHARES = ("post", "reply", "retweet", "quote", "edit"), (0.397, 0.20, 0.30, 0.10, 0.003)
REDELIVERED, REDELIVERED_FROM = 0.002, 200
FOREIGN, ANSWERED, QUOTED, TWO_RULES, POSSIBLY_SENSITIVE = 0.08, 0.05, 0.5, 0.1, 0.01
EVERYTHING = ({"id": "1866021953423", "tag": "everything"},)
BEFORE_THE_STREAM = 80
MOST_EDITS, EDITED = 5, " ✏️"
NOTHING_YET = dict.fromkeys(
    ("retweet_count", "reply_count", "like_count", "quote_count", "bookmark_count", "impression_count"), 0
)


class TweetGenerator:
    """An endless stream of tweets. The same seed, start and moments give the same bytes.

    `redelivered`: the share of lines that are an earlier line again. `rules`: by which each tweet came, may be changed.
    """

    def __init__(self, seed: int, start: datetime, redelivered: float = REDELIVERED) -> None:
        self._random = random.Random(seed)
        self._redelivered = redelivered
        self.rules: Sequence[Json] = EVERYTHING
        self._start_ms = self._last_ms = int(start.timestamp() * 1000)
        self._last_id = 0
        self._lines: deque[bytes] = deque(maxlen=REDELIVERED_FROM)
        self._authors = Authors(WORDS)
        self._trends = Trends(self._random, WORDS, self._start_ms)
        self._writer = Writer(self._random, WORDS, self._authors)
        self._cascades = Cascades(self._random)
        ages = sorted(
            (self._random.expovariate(1 / 3_600_000) for _ in range(BEFORE_THE_STREAM)), reverse=True
        )
        for age_ms in ages:
            original, _ = self._written(self._start_ms - int(age_ms) - 1_000)
            self._cascades.add_old(original)

    def line(self, moment_ms: int) -> bytes:
        """The next tweet, born at this moment (ms since 1970), as one line without line end.

        A moment before an earlier one counts as that one: ids only grow.
        """
        if self._lines and self._random.random() < self._redelivered:
            return self._random.choice(self._lines)
        self._last_ms = max(self._last_ms, moment_ms)
        line = orjson.dumps(self._payload(self._last_ms))
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
        kind = self._random.choices(KINDS, SHARES)[0]
        if kind == "post":
            original, draft = self._written(moment_ms)
            self._cascades.add(original)
            return self._framed(original.tweet, [original.author], draft)
        if kind == "edit":
            return self._edit(moment_ms)
        original = self._cascades.pick(moment_ms, self._trends.awake)
        payload: Json = getattr(self, f"_{kind}")(moment_ms, original)
        self._cascades.spread(original)
        return payload

    def _written(self, moment_ms: int) -> tuple[Original, Draft]:
        language, theme, event = self._trends.at(moment_ms)
        author = self._authors.draw(self._random, language)
        id_ = self._id(moment_ms)
        draft = self._writer.post(id_, author, language, theme, event)
        tweet = self._tweet(id_, moment_ms, author, draft)
        return Original(self._random, tweet, author, language, theme, moment_ms), draft

    def _reply(self, moment_ms: int, original: Original) -> Json:
        original.replies += 1
        language, author = self._reader(original)
        draft = self._writer.reply(original.author, language, original.theme)
        tweet = self._tweet(self._id(moment_ms), moment_ms, author, draft)
        tweet["in_reply_to_user_id"] = original.author["id"]
        tweet["conversation_id"] = original.tweet["conversation_id"]
        self._may_spread(ANSWERED, tweet, author, original, language, moment_ms)
        return self._referring(tweet, author, "replied_to", original, moment_ms, draft)

    def _quote(self, moment_ms: int, original: Original) -> Json:
        original.quotes += 1
        language, author = self._reader(original)
        event = self._trends.event(language, original.theme)
        draft = self._writer.quote(original.tweet, original.author, language, original.theme, event)
        tweet = self._tweet(self._id(moment_ms), moment_ms, author, draft)
        self._may_spread(QUOTED, tweet, author, original, language, moment_ms)
        return self._referring(tweet, author, "quoted", original, moment_ms, draft)

    def _retweet(self, moment_ms: int, original: Original) -> Json:
        original.retweets += 1
        _, author = self._reader(original)
        text = TweetText("RT ")
        text.mention(original.author)
        text.add(": ")
        draft = Draft(original.tweet["lang"], text.retweet(original.tweet))
        tweet = self._tweet(self._id(moment_ms), moment_ms, author, draft)
        return self._referring(tweet, author, "retweeted", original, moment_ms, draft)

    def _edit(self, moment_ms: int) -> Json:
        """Somebody adds to a tweet: a new id, with the chain of those before it."""
        original, id_ = self._cascades.plain_post(), self._id(moment_ms)
        chain = original.tweet["edit_history_tweet_ids"]
        if len(chain) > MOST_EDITS:
            chain = chain[:-1]
        original.tweet = original.tweet | {
            "id": id_, "text": original.tweet["text"] + EDITED, "created_at": x_time(moment_ms),
            "edit_history_tweet_ids": [*chain, id_],
        }  # fmt: skip
        return self._framed(original.tweet, [original.author], Draft(original.tweet["lang"], {}))

    # parts

    def _may_spread(
        self, share: float, tweet: Json, author: Json, to: Original, language: str, moment_ms: int
    ) -> None:
        """Some answers and quotes are passed on themselves."""
        if self._random.random() < share:
            self._cascades.add(Original(self._random, tweet, author, language, to.theme, moment_ms))

    def _reader(self, original: Original) -> tuple[str, Json]:
        """Who passes a tweet on: mostly somebody of its language."""
        language = original.language
        if self._random.random() < FOREIGN:
            other, _, _ = self._trends.at(self._last_ms)
            if original.theme in WORDS["languages"][other]["themes"]:
                language = other
        return language, self._authors.draw(self._random, language)

    def _tweet(self, id_: str, moment_ms: int, author: Json, draft: Draft) -> Json:
        return {
            "id": id_, **draft.fields, "author_id": author["id"], "created_at": x_time(moment_ms),
            "lang": draft.lang, "conversation_id": id_, "edit_history_tweet_ids": [id_],
            "reply_settings": "everyone", "possibly_sensitive": self._random.random() < POSSIBLY_SENSITIVE,
            "public_metrics": NOTHING_YET,
        }  # fmt: skip

    def _referring(
        self, tweet: Json, author: Json, how: str, original: Original, moment_ms: int, draft: Draft
    ) -> Json:
        tweet["referenced_tweets"] = [{"type": how, "id": original.tweet["id"]}]
        then = original.tweet | {"public_metrics": original.counts(moment_ms)}
        users = [author] if author["id"] == original.author["id"] else [author, original.author]
        return self._framed(tweet, users, draft, [then])

    def _framed(self, tweet: Json, users: list[Json], draft: Draft, tweets: Sequence[Json] = ()) -> Json:
        objects = {"users": users, "tweets": tweets, "places": draft.places, "media": draft.media}
        includes = {kind: found for kind, found in objects.items() if found}
        return {"data": tweet, "includes": includes, "matching_rules": self._matching()}

    def _matching(self) -> list[Json]:
        """The rules that a tweet came by: one, now and then two; the earlier in the list the more often."""
        rules = self.rules
        if len(rules) == 1:
            return [rules[0]]
        picked = self._random.choices(rules, [1 / (rank + 1) for rank in range(len(rules))], k=2)
        return picked if self._random.random() < TWO_RULES and picked[0] is not picked[1] else picked[:1]

    def _id(self, moment_ms: int) -> str:
        """A snowflake: milliseconds, 10 bits of a machine, 12 of a sequence; always above the one before."""
        snowflake = (moment_ms - SNOWFLAKE_EPOCH_MS) << 22 | self._random.getrandbits(10) << 12
        self._last_id = max(snowflake, self._last_id + 1)
        return str(self._last_id)
