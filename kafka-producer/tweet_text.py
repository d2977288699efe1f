"""A tweet's text with its entities: offsets are Unicode code points on the HTML-escaped text, as X counts them."""

from copy import deepcopy
from typing import Any

Json = dict[str, Any]

CUT = 140


class TweetText:
    """Grows piece by piece, and notes where each hashtag, mention, cashtag and link stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._entities: dict[str, list[Json]] = {}

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

    def link(self, short: str, target: str) -> None:
        """A t.co link, which stands for a longer one."""
        shown = target.removeprefix("https://").removeprefix("www.")[:26]
        self._entity("urls", short, {"url": short, "expanded_url": target, "display_url": shown})

    def copy(self) -> "TweetText":
        """Another text that begins the same."""
        other = TweetText(self._text)
        other._entities = deepcopy(self._entities)
        return other

    def finish(self) -> Json:
        """The fields `text` and `entities` of a tweet."""
        return {"text": self._text, "entities": self._entities} if self._entities else {"text": self._text}

    def finish_with(self, original: str) -> Json:
        """As `finish`, with an original's text behind, cut at about 140 characters as in a retweet."""
        text = self._text + original
        if len(text) > CUT:
            text = text[: CUT - 1] + "…"
        return {"text": text, "entities": self._entities}

    def _entity(self, kind: str, shown: str, entity: Json) -> None:
        start = len(self._text)
        self._text += shown
        self._entities.setdefault(kind, []).append({"start": start, "end": len(self._text), **entity})
