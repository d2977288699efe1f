"""Recent search by tweepy, at X's pace: waits out limits and trouble, and tells a person what needs one.

tweepy gives up at a dropped connection and at 5xx, and hides the headers that say how many requests are left.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import requests
import tweepy

from kafka_cluster.script import UserError
from reconnect_pace import CONNECT_WINDOW_SECONDS, TOO_MANY_SECONDS
from search_page import page_ids
from x_connection import FIELDS
from x_session import X_URL, direct, in_words, refusal, retry_at

log = logging.getLogger(__name__)

Json = dict[str, Any]

SMALLEST_PAGE, LARGEST_PAGE = 10, 100
LONGEST_PAUSE_SECONDS = 60.0
OPTIONS = {name.replace(".", "_"): value for name, value in FIELDS.items()}


class Search:
    """Asks for pages. `waiting` is around whatever may block; `sleep` and `now` are the clock."""

    def __init__(
        self, token: str, url: str = X_URL,
        waiting: AbstractContextManager[None] | None = None,
        sleep: Callable[[float], Any] = time.sleep, now: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._client = tweepy.Client(token, return_type=requests.Response)
        direct(self._client.session, url)
        self._client.session.hooks["response"].append(self._note_answer)
        self._answer: requests.Response | None = None
        self._waiting, self._sleep, self._now = waiting or nullcontext(), sleep, now
        self._not_before = 0.0

    def pages(
        self, query: str, since_id: str | None, until_id: str | None, room: Callable[[], int]
    ) -> Iterator[Json]:
        """Pages with since_id < id < until_id, newest first, as long as there is `room` for posts.

        Raises NoRoom where there is less left than X's smallest page, UserError where X refuses: QueryRefused where
        another query may do.
        """
        lowest: str | None = None
        asked: Json = {"since_id": since_id, "until_id": until_id}
        while True:
            size = min(room(), LARGEST_PAGE)
            if size < SMALLEST_PAGE:
                raise NoRoom
            if size != asked.get("max_results", size):  # a token goes on with what was asked, not with less
                asked |= {"next_token": None, "until_id": lowest or until_id}
            page = self._page(query, asked | {"max_results": size})
            lowest = str(min(page_ids(page), default="")) or lowest
            yield page
            token = _meta(page).get("next_token")
            if not token:
                return
            asked |= {"next_token": token, "max_results": size}

    def _page(self, query: str, asked: Json) -> Json:
        pause = 0.5
        while True:
            with self._waiting:
                self._sleep(self._seconds_to_wait())
                self._not_before = 0.0
                page, trouble = self._asked(query, asked)
            if page is not None:
                return page
            pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
            self._not_before = max(self._not_before, self._now() + pause * random.uniform(0.8, 1.0))
            log.warning("search: %s; again in %.1f s", trouble, self._seconds_to_wait())

    def _seconds_to_wait(self) -> float:
        # X's windows are of 15 minutes: whatever clock or header says, it is not longer
        return max(0.0, min(self._not_before - self._now(), CONNECT_WINDOW_SECONDS))

    def _asked(self, query: str, asked: Json) -> tuple[Json | None, str]:
        """A page; or None, and what the trouble is."""
        self._answer = None
        try:
            answer = self._client.search_recent_tweets(query, **OPTIONS, **asked)
            self._note_limit(answer)
            page = answer.json()
            return (page, "") if isinstance(page, dict) else (None, "an answer that is no object")
        except tweepy.HTTPException as error:
            return None, self._refused(error.response)
        except (requests.RequestException, ValueError, AttributeError, TypeError, RecursionError) as error:
            # tweepy reads a refusal's body without a look at it: of an odd one the status is known only here
            if self._answer is not None and not self._answer.ok:
                return None, self._refused(self._answer)
            return None, type(error).__name__

    def _note_answer(self, answer: requests.Response, **_: Any) -> None:
        self._answer = answer

    def _refused(self, answer: requests.Response) -> str:
        if told := refusal("the search", answer):
            raise QueryRefused(str(told)) if answer.status_code == 400 else told
        if answer.status_code == 429:
            self._not_before = retry_at(answer) or self._now() + TOO_MANY_SECONDS
        return f"HTTP {answer.status_code}: {in_words(answer.reason)}"

    def _note_limit(self, answer: requests.Response) -> None:
        """Where that was the last request that X takes for now, the next one waits."""
        if "x-rate-limit-remaining" in answer.headers:
            self._not_before = retry_at(answer) or 0.0
            if seconds := self._seconds_to_wait():
                log.warning("X takes the next search in %.0f s", seconds)


class QueryRefused(UserError):
    """X does not take this query; others it may."""


class NoRoom(Exception):
    """max_posts is reached, but for less than a page."""


def _meta(page: Json) -> Json:
    meta = page.get("meta")
    return meta if isinstance(meta, dict) else {}
