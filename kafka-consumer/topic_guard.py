"""Says whether the topic is still the one that was read: a topic that was deleted and made anew has another id."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator

from kafka.errors import KafkaError

from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.topics import admin_client, topic_id, wait_for_topic_id
from sink import StopLoudly

log = logging.getLogger(__name__)

WATCH_SECONDS = 5.0


class TopicGuard:
    """`current` asks a broker for the id that the topic has now; None where it knows no such topic."""

    def __init__(self, topic_id: str, current: Callable[[], str | None]) -> None:
        self.topic_id, self._current = topic_id, current

    def check(self) -> None:
        """Raise StopLoudly where the topic was made anew, Unclear where that is not known.

        Fetches go by name: Kafka does not stop a consumer whose topic was made anew. The question is asked after
        the last record of a batch was polled, so an unchanged id vouches for all of them.
        """
        now = self._current()
        if now is None:  # deleted, or a broker that has just been started does not know it yet
            raise Unclear("the broker that was asked knows no such topic")
        if now != self.topic_id:
            raise StopLoudly(
                "the topic was made anew while it was read; start the consumer again, which reads the new one"
            )


class Unclear(Exception):
    """Whether the topic is the same can't be known just now: start the partition anew, later."""


@contextlib.contextmanager
def open_topic_guard(settings: Settings) -> Iterator[TopicGuard]:
    """The guard of the topic as it is now, to be asked from any thread. Raises UserError where nobody can say."""
    lock = threading.Lock()
    with admin_client(settings) as admin:

        def current() -> str | None:
            with lock:
                return topic_id(admin, settings.topic)

        try:
            id_ = wait_for_topic_id(admin, settings.topic)
        except KafkaError as error:
            raise UserError(
                f"Kafka does not say which topic {settings.topic} is: {error}; start again"
            ) from None
        yield TopicGuard(id_, current)


class TopicWatch(threading.Thread):
    """Asks every 5 s too: a group whose topic vanished may be given no partition of the new one, and never write.

    Sets `stop` when the topic was made anew; `failure` says so then.
    """

    def __init__(self, guard: TopicGuard, stop: threading.Event) -> None:
        super().__init__(daemon=True, name="topic watch")
        self._guard, self._stop_event = guard, stop
        self.failure: StopLoudly | None = None

    def run(self) -> None:
        """Until `stop` is set."""
        unclear = 0
        while not self._stop_event.wait(WATCH_SECONDS):
            try:
                self._guard.check()
                unclear = 0
            except StopLoudly as failure:
                self.failure = failure
                self._stop_event.set()
            except Unclear as why:
                unclear += 1
                if unclear == 3:
                    log.warning("is the topic deleted? %s", why)
            except Exception as error:  # brokers that are away: the poll loop says so
                log.debug("topic watch: %s", error)
