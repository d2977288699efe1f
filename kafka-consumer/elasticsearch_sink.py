"""Group A: each tweet id is in Elasticsearch exactly once, or its record in the dead-letter topic."""

import logging
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

from elastic_transport import ConnectionError as NotConnected
from elastic_transport import ConnectionTimeout, ObjectApiResponse
from elasticsearch import ApiError, Elasticsearch

from bulk_answer import Verdict, verdict
from elasticsearch_index import refusal
from forgotten_list import ForgottenList
from kafka_cluster.message import NotATweet
from kafka_cluster.pipeline_events import reason_class
from kafka_cluster.settings import Settings
from sink import Cancelled, Written
from topic_guard import TopicGuard
from tweet_document import create_action
from tweet_shape import read_tweet

log = logging.getLogger(__name__)

DeadLetters = Callable[[list[tuple[Any, str]]], None]
Action = tuple[Any, bytes]
"""A record and its two lines of a _bulk body."""

LONGEST_PAUSE_SECONDS = 5.0
ANSWER = "items.create.status,items.create.error.type,items.create.error.reason"


class ElasticsearchSink:
    """Creates documents with `_bulk`; a tweet that is there already (409) is as good as created."""

    name, verb, fenced, workers = "elasticsearch", "indexed", False, 2
    flush_bytes, flush_seconds, max_write_bytes = 6 << 20, 1.0, 4 << 20

    def __init__(
        self, settings: Settings, client: Elasticsearch, dead_letters: DeadLetters, guard: TopicGuard,
        forgotten: ForgottenList, live: bool = True,
    ) -> None:  # fmt: skip
        """`live`: False where records are read once more, whose delay is none of the pipeline's."""
        self._client, self._dead_letters, self._guard, self._live = client, dead_letters, guard, live
        self.topic_id, self.resent = guard.topic_id, 0
        self._forgotten = forgotten
        self._alias, self._zone = settings.elasticsearch_alias, ZoneInfo(settings.time_zone)
        self._settings = settings

    def claim(self, partition: int) -> None:
        """Nothing to claim: Kafka's committed offset says where to go on, and the ids are the fence."""

    def still_held(self, claim: None) -> bool:
        """Nothing is held."""
        return True

    def write(self, claim: None, records: list[Any], cancelled: Event) -> Written:
        """Index records. Returns when each is there or its dead letter acknowledged; waits as long as it takes.

        What was forgotten is passed over: it comes back neither from Kafka nor from the archive.
        """
        self._guard.check()
        forgotten = self._forgotten.recent()
        written, poison, now = Written(), [], datetime.now(UTC) if self._live else None
        actions: list[Action] = []
        for record in records:
            if getattr(record, "forgotten", None) is not None:  # emptied in the archive
                continue
            try:
                tweet = read_tweet(record.value)
                if not forgotten.carried_by(tweet):
                    actions.append((record, create_action(tweet, record.headers, now, self._zone)))
            except NotATweet as error:
                poison.append((record, str(error)))
        pause = 0.25
        while actions:
            actions, complaint = self._bulk(actions, written, poison)
            if actions:
                self.resent += len(actions)
                log.warning("elasticsearch: %s; %d tweets wait", complaint, len(actions))
                if cancelled.wait(pause * random.uniform(0.5, 1)):
                    raise Cancelled
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
                forgotten = self._forgotten.recent()  # it may have waited long
                actions = [action for action in actions if not forgotten.holds(action[0])]
        if poison:
            self._dead_letters(poison)
            written.dead += len(poison)
            written.reasons.update(reason_class(reason) for _, reason in poison)
        written.forgotten = len(records) - written.total
        return written

    def close(self) -> None:
        """Release the connections."""
        self._forgotten.close()
        self._client.close()

    def _bulk(self, actions: list[Action], written: Written, poison: list) -> tuple[list[Action], str]:
        """Send actions once; returns those to be sent again, and why."""
        try:
            answer: ObjectApiResponse = self._client.bulk(
                index=self._alias, require_alias=True, filter_path=ANSWER,
                operations=b"".join(lines for _, lines in actions),  # type: ignore[arg-type]
            )  # fmt: skip
        except (NotConnected, ConnectionTimeout) as error:
            return actions, f"no answer ({type(error).__name__})"
        except ApiError as error:
            return self._whole_request_refused(error, actions, written, poison)
        again, reasons = [], Counter[str]()
        for action, item in zip(actions, answer["items"], strict=True):
            result = item["create"]
            status, fault = result["status"], result.get("error", {})
            kind = f"{status} {fault.get('type')}"
            match verdict(status, fault.get("type")):
                case Verdict.NEW:
                    written.new += 1
                case Verdict.EXISTING:
                    written.existing += 1
                case Verdict.AGAIN:
                    again.append(action)
                    reasons[kind] += 1
                case Verdict.FORBIDDEN:
                    raise refusal(self._settings, kind)
                case Verdict.POISON:
                    poison.append((action[0], f"{kind}: {fault.get('reason')}"))
        return again, ", ".join(f"{count} x {reason}" for reason, count in reasons.items())

    def _whole_request_refused(
        self, error: ApiError, actions: list[Action], written: Written, poison: list
    ) -> tuple[list[Action], str]:
        kind = f"{error.status_code} {error.error}"
        judged = verdict(error.status_code, str(error.error))
        if judged is Verdict.FORBIDDEN:
            raise refusal(self._settings, kind)
        if error.status_code not in (400, 413) or judged is Verdict.AGAIN:
            return actions, kind
        if len(actions) == 1:
            poison.append((actions[0][0], kind))
            return [], ""
        # one action spoils the request, or it is too large: halve until the bad one is found
        middle = len(actions) // 2
        first, why = self._bulk(actions[:middle], written, poison)
        second, why_not = self._bulk(actions[middle:], written, poison)
        return first + second, why or why_not
