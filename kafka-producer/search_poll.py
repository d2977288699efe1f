"""`producer.py search`: asks recent search again and again, and remembers how far it came."""

import logging
import time
from datetime import UTC, datetime

from file_replay import Line
from ingest import Ingest, Stopper, StopReading
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.x_keys import what_the_keys_allow
from kafka_writer import KafkaWriter
from producer_events import ProducerEvents
from progress import Progress
from read_cost import ReadCost, at_most
from search_page import page_ids, page_lines
from search_place import Place
from sources import finish, open_writer, serve_metrics, stop_on_signals
from state_file import StateFile, open_state
from stream_rules import Rule, read_rules
from x_search import SMALLEST_PAGE, NoRoom, QueryRefused, Search
from x_session import X_URL, bearer_token

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.1
"""What is not acknowledged is searched again: whoever asks us to end waits 2 s at most."""
ACKNOWLEDGED_SECONDS = 0.25


def search(settings: Settings, query: str | None, every: float, once: bool, url: str = X_URL) -> int:
    """Search for a query, or for each rule of the rules file; returns 0, or 1 where Kafka lacks something.

    Raises UserError, also where X refuses.
    """
    _refuse_what_no_search_takes(settings, query)
    queries = [Rule(query, "search")] if query else read_rules(settings.rules_file)
    log.info("%s", what_the_keys_allow(settings))
    for rule in queries:
        log.info("search %s: %s", rule.tag, rule.value)
    log.info("%s", at_most(settings))
    token = bearer_token(settings, url)
    state = open_state(settings, f"search-{settings.topic}")
    try:
        writer, stopper = open_writer(settings), stop_on_signals()
        poll = SearchPoll(settings, writer, stopper, state, token, url)
        try:
            poll.run(queries, every, once)
        finally:
            code = poll.finish()
        return code
    finally:
        state.close()


def _refuse_what_no_search_takes(settings: Settings, query: str | None) -> None:
    if settings.max_posts < SMALLEST_PAGE:
        raise UserError(
            f"max_posts is {settings.max_posts}, and X's smallest page is {SMALLEST_PAGE}: "
            "a search would read nothing; raise max_posts"
        )
    try:
        (query or "").encode()
    except UnicodeEncodeError:  # bytes of the command line that the locale does not know
        raise UserError("the query is no UTF-8: type it in a terminal that uses UTF-8") from None


class SearchPoll:
    """Rounds of searches. A page's place is kept once Kafka has acknowledged it; never before."""

    def __init__(
        self,
        settings: Settings,
        writer: KafkaWriter,
        stopper: Stopper,
        state: StateFile,
        token: str,
        url: str,
    ) -> None:
        self._settings, self._writer, self._stopper, self._state = settings, writer, stopper, state
        self._cost = ReadCost(settings)
        self._progress = Progress(lambda: f", {self._cost}")
        self._events = ProducerEvents(settings, writer)
        self._ingest = Ingest(
            settings, writer, "search", stopper, self._progress, self._events.tell, self._cost.count
        )
        self._search = Search(token, url, stopper)
        self._refused: list[str] = []
        serve_metrics(settings, self._ingest.counts, writer)

    def run(self, queries: list[Rule], every: float, once: bool) -> None:
        """Search until somebody ends it, max_posts is reached, or, with `once`, every query was asked.

        Raises UserError where X refuses; one query that it does not take keeps no other from being asked.
        """
        try:
            while True:
                started = time.monotonic()
                for rule in queries:
                    self._try_round(rule)
                if once or self._refused:
                    break
                self._pause(started + every)
        except StopReading:
            log.info("asked to end")
        except NoRoom:
            log.info("max_posts is reached: the next run goes on here")
        if self._refused:
            raise UserError("X does not take what is searched:\n  " + "\n  ".join(self._refused))

    def finish(self) -> int:
        """Wait for the last acknowledgements, and say what was done."""
        code = finish(self._writer, self._progress, self._ingest.counts, self._events, FLUSH_SECONDS)
        log.info("this run read %s", self._cost)
        return code

    def _try_round(self, rule: Rule) -> None:
        try:
            self._round(rule)
        except QueryRefused as error:
            self._refused.append(f"{rule.tag}: {error}")

    def _round(self, rule: Rule) -> None:
        kept = Place(**(self._state.get(rule.value) or {}))
        place = kept.reachable(datetime.now(UTC))
        if place != kept:
            log.warning("search %s: what is older than X's seven days can't be read any more", rule.tag)
        for page in self._search.pages(rule.value, place.since_id, place.until_id, self._room):
            for line in page_lines(page, rule.tag):
                self._ingest.send(Line(self._ingest.counts.read + 1, line, len(line)))
            self._wait_for_kafka()
            place = place.after_page(page_ids(page))
            self._state.put(rule.value, place.as_json())
        self._state.put(rule.value, place.after_round().as_json())
        if kept.until_id:  # an earlier run's round was ended; what is newer comes now
            self._round(rule)

    def _room(self) -> int:
        return self._settings.max_posts - self._ingest.counts.read

    def _wait_for_kafka(self) -> None:
        while self._writer.flush(ACKNOWLEDGED_SECONDS):
            self._show()
            if self._stopper.asked:
                raise StopReading
        self._show()

    def _pause(self, until: float) -> None:
        while time.monotonic() < until:
            self._writer.tend()
            self._show()
            with self._stopper:
                time.sleep(min(1.0, max(0.0, until - time.monotonic())))

    def _show(self) -> None:
        self._progress.show(self._ingest.counts)
        self._events.tell(self._ingest.counts)
