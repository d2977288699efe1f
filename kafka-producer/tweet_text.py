"""A tweet's text with its entities: offsets are Unicode code points on the HTML-escaped text, as X counts them."""

from typing import Any

Json = dict[str, Any]

RETWEET_CUT = 140
SHOWN_URL = 26


class TweetText:
    """Grows piece by piece, and notes where each hashtag, mention, cashtag and link stands."""

    def __init__(self, text: str = "") -> None:
        self._text = text
        self._entities: dict[str, list[Json]] = {}

    def __len__(self) -> int:
        return len(self._text)

    def add(self, text: str) -> None:
        """Plain text; &, < and > are escaped."""
        if "&" in text or "<" in text or ">" in text:
            text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        self._text += text

    def hashtag(self, tag: str) -> None:
        """#tag."""
        self._entity("hashtags", f"#{tag}", {"tag": tag})

    def cashtag(self, tag: str) -> None:
        """$TAG."""
        self._entity("cashtags", f"${tag}", {"tag": tag})

    def mention(self, user: Json) -> None:
        """@username of a user object."""
        self._entity("mentions", f"@{user['username']}", {"username": user["username"], "id": user["id"]})

    def link(self, short: str, target: str, **more: str) -> None:
        """A t.co link, which stands for a longer one; `more`: further fields of the entity."""
        shown = target.removeprefix("https://").removeprefix("www.")
        if len(shown) > SHOWN_URL:
            shown = shown[:SHOWN_URL] + "…"
        self._entity("urls", short, {"url": short, "expanded_url": target, "display_url": shown} | more)

    def finish(self) -> Json:
        """The fields `text` and `entities` of a tweet."""
        return {"text": self._text, "entities": self._entities} if self._entities else {"text": self._text}

    def finish_long(self, limit: int, short: str, target: str) -> Json:
        """The fields of a long post: a text that is cut and links to itself, and all of it in `note_tweet`."""
        cut = TweetText()
        cut._take(self._text[:limit] + "… ", self._entities, limit)
        cut.link(short, target)
        return cut.finish() | {"note_tweet": self.finish()}

    def retweet(self, original: Json) -> Json:
        """The fields of a retweet whose "RT @user: " this is: cut at about 140 characters, like its entities."""
        whole = self._text + original["text"]
        cut = whole if len(whole) <= RETWEET_CUT else whole[: RETWEET_CUT - 1] + "…"
        room = len(whole) if cut is whole else RETWEET_CUT - 1
        self._take(cut, original.get("entities", {}), room, len(self._text))
        return self.finish()

    def _take(self, text: str, entities: dict[str, list[Json]], room: int, moved: int = 0) -> None:
        """Become `text`, with those entities of another that end within `room`, `moved` to the right."""
        self._text = text
        for kind, found in entities.items():
            kept = [
                entity | {"start": entity["start"] + moved, "end": entity["end"] + moved}
                for entity in found
                if entity["end"] + moved <= room
            ]
            if kept:
                self._entities.setdefault(kind, []).extend(kept)

    def _entity(self, kind: str, shown: str, entity: Json) -> None:
        start = len(self._text)
        self._text += shown
        self._entities.setdefault(kind, []).append({"start": start, "end": len(self._text), **entity})
