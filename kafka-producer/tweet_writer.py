"""What people write: sentences of a theme, emoji, hashtags by a long-tailed law, links, photos."""

import random
from dataclasses import dataclass, field
from typing import Any

from tweet_authors import Authors
from tweet_text import TweetText

Json = dict[str, Any]

OWN_SENTENCES, EMOJI, TAGGED, LINKED, PHOTO, MENTIONED, PLACED, CASHTAG = (
    0.65, 0.42, 0.5, 0.2, 0.14, 0.05, 0.025, 0.08,
)  # fmt: skip
EVENT_TAGGED, COINED, SERIAL = 0.75, 0.12, 0.03
LONG = 0.01
LONGEST_TEXT, LONGEST_CJK_TEXT = 265, 130  # X counts Korean, Japanese and Chinese characters as two
WORDLESS = (("und", 0.010), ("qme", 0.012), ("qht", 0.010), ("qst", 0.006))
"""What X calls the language of tweets of emoji only, media only, hashtags only, and very short ones."""
SHORT_TEXTS = {"ko": ["ㅋㅋㅋㅋ", "ㅠㅠ", "헉"], "ja": ["www", "草", "え"], "en": ["lol", "hm", "oh"]}
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass
class Draft:
    """What will be a tweet: its fields `text`, `entities`, `note_tweet`, `attachments`, `geo`, and their objects."""

    lang: str
    fields: Json
    places: list[Json] = field(default_factory=list)
    media: list[Json] = field(default_factory=list)


class Writer:
    """Writes posts, replies and quotes of one language about one theme."""

    def __init__(self, chance: random.Random, words: Json, authors: Authors) -> None:
        self._random, self._words, self._authors = chance, words, authors

    def post(self, id_: str, author: Json, language: str, theme: str, event: str | None) -> Draft:
        """A post of its own, with everything that a post may have."""
        chance, text = self._random, TweetText()
        wordless = self._wordless()
        long = not wordless and chance.random() < LONG
        if wordless:
            self._write_wordless(text, wordless, language, theme)
        elif long:
            self._say_much(text, language, theme)
        else:
            self._say(text, language, theme)
        if not wordless:
            self._decorate(text, language, theme, event)
        draft = Draft(wordless or language, {})
        if wordless == "qme" or (not wordless and chance.random() < PHOTO):
            self._photo(text, draft, id_, author)
        if long:
            limit = LONGEST_CJK_TEXT if language in ("ko", "ja") else LONGEST_TEXT
            draft.fields |= text.finish_long(limit, self._short(), f"https://twitter.com/i/web/status/{id_}")
        else:
            draft.fields |= text.finish()
        if chance.random() < PLACED:
            self._place(draft, language)
        return draft

    def reply(self, to: Json, language: str, theme: str) -> Draft:
        """An answer to somebody."""
        text = TweetText()
        text.mention(to)
        text.add(
            " " + self._filled(self._random.choice(self._words["languages"][language]["replies"]), language)
        )
        self._emoji(text, theme, 0.3)
        return Draft(language, text.finish())

    def quote(self, of: Json, of_author: Json, language: str, theme: str, event: str | None) -> Draft:
        """A remark on somebody's tweet, which a link at the end stands for."""
        text, words = TweetText(), self._words["languages"][language]
        text.add(self._filled(self._random.choice(words["quotes"]), language, theme))
        self._emoji(text, theme, 0.3)
        if self._random.random() < 0.3:
            self._tags(text, language, theme, event)
        text.add(" ")
        text.link(self._short(), f"https://twitter.com/{of_author['username']}/status/{of['id']}")
        return Draft(language, text.finish())

    # sentences

    def _say(self, text: TweetText, language: str, theme: str) -> None:
        chance, words = self._random, self._words["languages"][language]
        own = chance.random() < OWN_SENTENCES
        says = self._words["themes"][theme][language]["says"] if own else words["says"]
        text.add(self._filled(chance.choice(says), language, theme))

    def _say_much(self, text: TweetText, language: str, theme: str) -> None:
        limit = LONGEST_CJK_TEXT if language in ("ko", "ja") else LONGEST_TEXT
        while len(text) < limit + 60:
            self._say(text, language, theme)
            text.add("\n\n" if self._random.random() < 0.3 else ". ")

    def _filled(self, sentence: str, language: str, theme: str | None = None) -> str:
        if "{" not in sentence:
            return sentence
        chance, words = self._random, self._words["languages"][language]
        topics = self._words["themes"][theme][language]["topics"] if theme else ["?"]
        return sentence.format(
            topic=chance.choice(topics), n=chance.randint(2, 30), city=chance.choice(words["cities"])
        )

    def _wordless(self) -> str | None:
        point = self._random.random()
        for lang, share in WORDLESS:
            point -= share
            if point < 0:
                return lang
        return None

    def _write_wordless(self, text: TweetText, lang: str, language: str, theme: str) -> None:
        if lang == "und":
            text.add("".join(self._random.choices(self._words["emoji"], k=self._random.randint(1, 4))))
        elif lang == "qht":
            for number, tag in enumerate(dict.fromkeys(self._tag(language, theme) for _ in range(3))):
                text.add(" " if number else "")
                text.hashtag(tag)
        elif lang == "qst":
            text.add(self._random.choice(SHORT_TEXTS.get(language, SHORT_TEXTS["en"])))

    # what comes behind them

    def _decorate(self, text: TweetText, language: str, theme: str, event: str | None) -> None:
        chance = self._random
        self._emoji(text, theme, EMOJI)
        if chance.random() < MENTIONED:
            text.add(" ")
            text.mention(self._authors.draw(chance, language))
        if event or chance.random() < TAGGED:
            self._tags(text, language, theme, event)
        if theme in ("kafka", "data") and chance.random() < CASHTAG:
            text.add(" ")
            text.cashtag(chance.choice(self._words["cashtags"]))
        if chance.random() < LINKED:
            self._link(text, language, theme)

    def _emoji(self, text: TweetText, theme: str, share: float) -> None:
        chance = self._random
        if chance.random() < share:
            emoji = self._words["themes"][theme]["emoji"] if chance.random() < 0.7 else self._words["emoji"]
            text.add(" " + chance.choice(emoji) * chance.choices((1, 2, 3), (6, 1, 1))[0])

    def _tags(self, text: TweetText, language: str, theme: str, event: str | None) -> None:
        chance = self._random
        tags = [event] if event and chance.random() < EVENT_TAGGED else []
        tags += [self._tag(language, theme) for _ in range(chance.choices((0, 1, 2, 3), (3, 5, 3, 1))[0])]
        gap = "\n\n" if chance.random() < 0.25 else " "
        for tag in dict.fromkeys(tags):
            text.add(gap)
            text.hashtag(tag)
            gap = " "

    def _tag(self, language: str, theme: str) -> str:
        """The first tags of a theme are used most; some people coin their own, which hardly anybody uses again."""
        chance, words = self._random, self._words["languages"][language]
        tags = self._words["themes"][theme][language]["tags"]
        tag: str = tags[min(int(chance.expovariate(0.7)), len(tags) - 1)]
        point = chance.random()
        if point < SERIAL:
            return words["serial"].format(n=int(chance.paretovariate(0.8) * 3) % 1_000)
        if point < SERIAL + COINED:
            return tag + chance.choice(words["tails"])
        return tag

    def _link(self, text: TweetText, language: str, theme: str) -> None:
        chance = self._random
        sites = self._words["themes"][theme]["sites"] + self._words["languages"][language]["sites"]
        site = sites[min(int(chance.expovariate(0.6)), len(sites) - 1)]
        page = "".join(chance.choices(LETTERS, k=11))
        text.add(" ")
        text.link(
            self._short(), f"https://{site}" + (f"?v={page}" if site.endswith("/watch") else f"/{page}")
        )

    def _photo(self, text: TweetText, draft: Draft, id_: str, author: Json) -> None:
        key = f"3_{int(id_) - 4_096}"
        if len(text):
            text.add(" ")
        target = f"https://twitter.com/{author['username']}/status/{id_}/photo/1"
        text.link(self._short(), target, media_key=key)
        draft.fields["attachments"] = {"media_keys": [key]}
        draft.media = [{"media_key": key, "type": "photo", "width": 1_200, "height": 900}]

    def _place(self, draft: Draft, language: str) -> None:
        place = self._random.choice(self._words["languages"][language]["places"])
        draft.places = [as_place(place)]
        draft.fields["geo"] = {"place_id": draft.places[0]["id"]}

    def _short(self) -> str:
        return "https://t.co/" + "".join(self._random.choices(LETTERS, k=10))


def as_place(entry: list[Any]) -> Json:
    """[full name, country, code, west, south, east, north] -> an object as in `includes.places`."""
    full_name, country, code, west, south, east, north = entry
    return {
        "id": f"{random.Random(full_name).getrandbits(64):016x}",
        "full_name": full_name,
        "name": full_name.partition(",")[0],
        "country": country,
        "country_code": code,
        "place_type": "city",
        "geo": {"type": "Feature", "bbox": [west, south, east, north], "properties": {}},
    }
