"""Group A: each tweet id is in Elasticsearch exactly once, or its record in the dead-letter topic."""

import logging
import math
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

from bulk_answer import Outcome, RecentIds, Verdict, verdict
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
IDS_REMEMBERED = 10_000  # without them each tweet that is delivered twice would cost a flush
ANSWER = "items.create.status,items.create.error.type,items.create.error.reason"


class ElasticsearchSink:
    """Creates documents with `_bulk`; a tweet that is there already (409), and on disk, is as good as created.

    At a backlog a request carries up to 7 MB of records: with 4 MB a document cost Elasticsearch a third more. A live
    stream's tweets wait for 0.1 s: with 0.3 s they were found 0.25 s later, and took as much CPU.
    """

    name, verb, fenced, workers = "elasticsearch", "indexed", False, 2
    flush_bytes, flush_seconds, max_write_bytes = 8 << 20, 0.1, 7 << 20

    def __init__(
        self, settings: Settings, client: Elasticsearch, dead_letters: DeadLetters, guard: TopicGuard,
        forgotten: ForgottenList, live: bool = True,
    ) -> None:  # fmt: skip
        """`live`: False where records are read once more, whose delay is none of the pipeline's."""
        self._client, self._dead_letters, self._guard, self._live = client, dead_letters, guard, live
        self.topic_id, self.resent = guard.topic_id, 0
        self._forgotten, self._created = forgotten, RecentIds(IDS_REMEMBERED)
        self._alias, self._zone = settings.elasticsearch_alias, ZoneInfo(settings.time_zone)
        self._settings = settings

    def claim(self, partition: int) -> None:
        """Nothing to claim: Kafka's committed offset says where to go on, and the ids are the fence."""

    def still_held(self, claim: None) -> bool:
        """Nothing is held."""
        return True

    def write(self, claim: int | None, records: list[Any], cancelled: Event) -> Written:
        """Index records. Returns when each is there or its dead letter acknowledged; waits as long as it takes.

        What was forgotten is passed over: it comes back neither from Kafka nor from the archive.

        A document that is there (409) need not be on disk: the request that made it may fail yet, as on a full disk,
        and is gone once the shard starts again. It is on disk if its offset was committed before, if it was created by
        us, or if it is still there after a flush, which writes to disk what is there or makes the shard fail.
        """
        self._guard.check()
        outcome, now = Outcome(on_disk_below=claim or 0), datetime.now(UTC) if self._live else None
        pause = 0.25
        # what was emptied in the archive has nothing to send
        waiting = [record for record in records if getattr(record, "forgotten", None) is None]
        while waiting or outcome.conflicts:
            outcome.again, outcome.complaints = [], Counter()
            if waiting:
                self._bulk(waiting, now, outcome)
                waiting, outcome.on_disk_below = outcome.again, 0
            elif self._flush(outcome):
                waiting, outcome.conflicts, outcome.on_disk_below = outcome.conflicts, [], math.inf
            if outcome.complaints:
                self._wait(outcome, pause, cancelled)
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
        written = outcome.written
        if outcome.poison:
            self._dead_letters(outcome.poison)
            written.dead += len(outcome.poison)
            written.reasons.update(reason_class(reason) for _, reason in outcome.poison)
        written.forgotten = len(records) - written.total
        return written

    def close(self) -> None:
        """Release the connections."""
        self._forgotten.close()
        self._client.close()

    def _wait(self, outcome: Outcome, pause: float, cancelled: Event) -> None:
        self.resent += len(outcome.again)
        complaints = ", ".join(f"{count} x {what}" for what, count in outcome.complaints.items())
        count = len(outcome.again) + len(outcome.conflicts)
        log.warning("elasticsearch: %s; %d tweets wait", complaints, count)
        if cancelled.wait(pause * random.uniform(0.5, 1)):
            raise Cancelled

    def _bulk(self, records: list[Any], now: datetime | None, outcome: Outcome) -> None:
        """Send records once."""
        sent, ids, body = self._body(records, now, outcome)
        if not sent:
            return
        try:
            answer: ObjectApiResponse = self._client.bulk(
                index=self._alias, require_alias=True, filter_path=ANSWER, operations=body,  # type: ignore[arg-type]
            )  # fmt: skip
        except (NotConnected, ConnectionTimeout) as error:
            outcome.send_again(sent, f"no answer ({type(error).__name__})")
            return
        except ApiError as error:
            self._whole_request_refused(error, sent, now, outcome)
            return
        for record, id_, item in zip(sent, ids, answer["items"], strict=True):
            result = item["create"]
            status, fault = result["status"], result.get("error", {})
            match verdict(status, fault.get("type"), fault.get("reason")):
                case Verdict.NEW:
                    outcome.written.new += 1
                    self._created.add(id_)
                case Verdict.EXISTING if _offset(record) < outcome.on_disk_below or id_ in self._created:
                    outcome.written.existing += 1
                case Verdict.EXISTING:
                    outcome.conflicts.append(record)
                case Verdict.AGAIN:
                    outcome.send_again([record], _kind(status, fault))
                case Verdict.FORBIDDEN:
                    raise refusal(self._settings, _kind(status, fault))
                case Verdict.POISON:
                    outcome.poison.append((record, f"{_kind(status, fault)}: {fault.get('reason')}"))

    def _flush(self, outcome: Outcome) -> bool:
        """Have what is there written to disk. A shard that fails of it, and starts again, is no reason for False."""
        try:
            failed = self._client.indices.flush(index=self._alias)["_shards"]["failed"]
            why = "shard not flushed"
        except (NotConnected, ConnectionTimeout) as error:
            failed, why = 1, f"no answer ({type(error).__name__})"
        except ApiError as error:
            failed, why = 1, self._judged(error, "; it needs the privilege maintenance")[0]
        outcome.complaints += Counter({why: failed})
        return not failed

    def _body(
        self, records: list[Any], now: datetime | None, outcome: Outcome
    ) -> tuple[list[Any], list[str], bytes]:
        """Those of the records that are tweets and not forgotten, their ids and their lines.

        Made anew when something is sent again: kept beside the records they would take half as much memory once more.
        """
        forgotten = self._forgotten.recent()  # it may have waited long
        sent, ids, lines = [], [], []
        for record in records:
            try:
                tweet = read_tweet(record.value)
                if not forgotten.carried_by(tweet):
                    lines.append(create_action(tweet, record.headers, now, self._zone))
                    sent.append(record)
                    ids.append(tweet.id)
            except NotATweet as error:
                outcome.poison.append((record, str(error)))
            except Exception as error:
                # a fault of ours: after its fix the letter can be replayed; a partition that stands still loses all
                log.exception("no document can be made")
                outcome.poison.append((record, f"no document can be made: {type(error).__name__}: {error}"))
        return sent, ids, b"".join(lines)

    def _whole_request_refused(
        self, error: ApiError, sent: list[Any], now: datetime | None, outcome: Outcome
    ) -> None:
        kind, judged = self._judged(error)
        if error.status_code not in (400, 413) or judged is Verdict.AGAIN:
            outcome.send_again(sent, kind)
        elif len(sent) == 1:
            outcome.poison.append((sent[0], kind))
        else:
            # one document spoils the request, or it is too large: halve until the bad one is found
            middle = len(sent) // 2
            self._bulk(sent[:middle], now, outcome)
            self._bulk(sent[middle:], now, outcome)

    def _judged(self, error: ApiError, needs: str = "") -> tuple[str, Verdict]:
        """Why a whole request was refused, and what to do then. Raises UserError where a person must look."""
        kind = f"{error.status_code} {error.error}"
        judged = verdict(error.status_code, str(error.error), reason_of(error))
        if judged is Verdict.FORBIDDEN:
            raise refusal(self._settings, kind + needs) from None
        return kind, judged


def _kind(status: int, fault: dict[str, Any]) -> str:
    return f"{status} {fault.get('type')}"


def reason_of(error: ApiError) -> str:
    """The reason in the body of a refused request; "" where a proxy has answered."""
    fault = error.body.get("error") if isinstance(error.body, dict) else None
    return str(fault.get("reason")) if isinstance(fault, dict) else ""


def _offset(record: Any) -> int:
    """A producer's line that is replayed has none yet."""
    return getattr(record, "offset", 0)
