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

LONGEST_PAUSE_SECONDS = 5.0
ANSWER = "items.create.status,items.create.error.type,items.create.error.reason"


class ElasticsearchSink:
    """Creates documents with `_bulk`; a tweet that is there already (409) is as good as created.

    At a backlog a request carries up to 7 MB of records: with 4 MB a document cost Elasticsearch a third more.
    """

    name, verb, fenced, workers = "elasticsearch", "indexed", False, 2
    flush_bytes, flush_seconds, max_write_bytes = 8 << 20, 1.0, 7 << 20

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
        written, now = Written(), datetime.now(UTC) if self._live else None
        poison: list[tuple[Any, str]] = []
        pause = 0.25
        # what was emptied in the archive has nothing to send
        waiting = [record for record in records if getattr(record, "forgotten", None) is None]
        while waiting:
            waiting, complaint = self._bulk(waiting, now, written, poison)
            if waiting:
                self.resent += len(waiting)
                log.warning("elasticsearch: %s; %d tweets wait", complaint, len(waiting))
                if cancelled.wait(pause * random.uniform(0.5, 1)):
                    raise Cancelled
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
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

    def _bulk(
        self, records: list[Any], now: datetime | None, written: Written, poison: list
    ) -> tuple[list[Any], str]:
        """Send records once; returns those to be sent again, and why."""
        sent, body = self._body(records, now, poison)
        if not sent:
            return [], ""
        try:
            answer: ObjectApiResponse = self._client.bulk(
                index=self._alias, require_alias=True, filter_path=ANSWER, operations=body,  # type: ignore[arg-type]
            )  # fmt: skip
        except (NotConnected, ConnectionTimeout) as error:
            return sent, f"no answer ({type(error).__name__})"
        except ApiError as error:
            return self._whole_request_refused(error, sent, now, written, poison)
        again, reasons = [], Counter[str]()
        for record, item in zip(sent, answer["items"], strict=True):
            result = item["create"]
            status, fault = result["status"], result.get("error", {})
            kind = f"{status} {fault.get('type')}"
            match verdict(status, fault.get("type")):
                case Verdict.NEW:
                    written.new += 1
                case Verdict.EXISTING:
                    written.existing += 1
                case Verdict.AGAIN:
                    again.append(record)
                    reasons[kind] += 1
                case Verdict.FORBIDDEN:
                    raise refusal(self._settings, kind)
                case Verdict.POISON:
                    poison.append((record, f"{kind}: {fault.get('reason')}"))
        return again, ", ".join(f"{count} x {reason}" for reason, count in reasons.items())

    def _body(self, records: list[Any], now: datetime | None, poison: list) -> tuple[list[Any], bytes]:
        """Those of the records that are tweets and not forgotten, and their lines.

        Made anew when something is sent again: kept beside the records they would take half as much memory once more.
        """
        forgotten = self._forgotten.recent()  # it may have waited long
        sent, lines = [], []
        for record in records:
            try:
                tweet = read_tweet(record.value)
                if not forgotten.carried_by(tweet):
                    lines.append(create_action(tweet, record.headers, now, self._zone))
                    sent.append(record)
            except NotATweet as error:
                poison.append((record, str(error)))
        return sent, b"".join(lines)

    def _whole_request_refused(
        self, error: ApiError, sent: list[Any], now: datetime | None, written: Written, poison: list
    ) -> tuple[list[Any], str]:
        kind = f"{error.status_code} {error.error}"
        judged = verdict(error.status_code, str(error.error))
        if judged is Verdict.FORBIDDEN:
            raise refusal(self._settings, kind)
        if error.status_code not in (400, 413) or judged is Verdict.AGAIN:
            return sent, kind
        if len(sent) == 1:
            poison.append((sent[0], kind))
            return [], ""
        # one document spoils the request, or it is too large: halve until the bad one is found
        middle = len(sent) // 2
        first, why = self._bulk(sent[:middle], now, written, poison)
        second, why_not = self._bulk(sent[middle:], now, written, poison)
        return first + second, why or why_not
