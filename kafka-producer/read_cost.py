"""What reading X costs: posts and users, counted as they come. An estimate: X's bill is the truth."""

from typing import Any

from kafka_cluster.settings import Settings


class ReadCost:
    """Counts what X bills: each post that it sends, and the users and further posts that come along.

    X bills each resource of an answer; those in `includes` are counted once a run.
    """

    def __init__(self, settings: Settings) -> None:
        self._post_price, self._user_price = settings.post_price, settings.user_price
        self._users: set[str] = set()
        self._included: set[str] = set()
        self._posts = 0

    @property
    def posts(self) -> int:
        """Posts read, in both vocabularies."""
        return self._posts + len(self._included)

    @property
    def users(self) -> int:
        """Different users read."""
        return len(self._users)

    @property
    def dollars(self) -> float:
        """At the prices of the settings."""
        return self.posts * self._post_price + self.users * self._user_price

    def count(self, payload: dict) -> None:
        """Count what one parsed tweet brought."""
        self._posts += 1
        includes = payload.get("includes")
        if isinstance(includes, dict):
            self._users |= _ids(includes.get("users"))
            self._included |= _ids(includes.get("tweets")) | _ids(includes.get("posts"))

    def __str__(self) -> str:
        return f"about {self.dollars:,.2f} dollars ({self.posts:,} posts, {self.users:,} users)"


def at_most(settings: Settings) -> str:
    """What a run can cost, said before anything is read."""
    posts = settings.max_posts * settings.post_price
    authors = settings.max_posts * settings.user_price
    return (
        f"at most {settings.max_posts:,} posts in this run (max_posts), which cost at most {posts:.2f} dollars at "
        f"{settings.post_price:g} a post (post_price), and their authors {authors:.2f} at {settings.user_price:g} "
        "a user (user_price); what posts refer to comes on top"
    )


def _ids(objects: Any) -> set[str]:
    if not isinstance(objects, list):
        return set()
    found = (each.get("id") for each in objects if isinstance(each, dict))
    # not what is nested: str() has no end there
    return {str(id_) for id_ in found if isinstance(id_, str | int)}
