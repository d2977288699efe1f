"""Which lines become records, and how a run ends."""

import io
import time
from collections.abc import Iterator

import pytest

from file_replay import Line
from ingest import DEAD_LETTER_BYTES, TEND_SECONDS, Counts, Ingest, Stopper, StopReading
from kafka_cluster.message import MAX_RECORD_BYTES, Headers, header
from kafka_cluster.settings import Settings
from kafka_writer import Outgoing
from progress import Progress
from sample import POISON, tweet_lines

SETTINGS = Settings()


class Kept:
    """Keeps what is sent."""

    has_room = True

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.letters: list[tuple[bytes, Headers]] = []

    def send(self, outgoing: Outgoing) -> None:
        if outgoing.topic == SETTINGS.topic:
            self.values.append(outgoing.value)
        else:
            self.letters.append((outgoing.value, outgoing.headers))

    def tend(self) -> None:
        pass


def run(lines: list[bytes], **options: float) -> tuple[Kept, Counts]:
    kept = Kept()
    numbered = [Line(number, line, len(line)) for number, line in enumerate(lines, 1)]
    ingest = Ingest(SETTINGS, kept, "replay", Stopper(), Progress(out=io.StringIO()))
    ingest.run(numbered, **options)  # type: ignore[arg-type]
    return kept, ingest.counts


def test_tweets_are_sent_as_they_are_and_the_rest_is_counted() -> None:
    tweets = tweet_lines(3)
    broken = [value for value in POISON.values() if value and b'"includes"' not in value]
    control = (
        b'{"errors":[{"title":"operational-disconnect","disconnect_type":"UpstreamOperationalDisconnect"}]}'
    )
    kept, counts = run([tweets[0], b"", control, *broken, tweets[1], b"  ", tweets[2]])
    assert kept.values == tweets
    assert (counts.tweets, counts.control, counts.empty, counts.refused) == (3, 1, 2, len(broken))
    assert [value for value, _ in kept.letters] == broken
    assert header(kept.letters[0][1], "line") == "4" and header(kept.letters[0][1], "reason")


def test_a_line_that_is_too_long_leaves_its_beginning_and_its_size() -> None:
    line = b'{"data":{"id":"1","text":"' + b"x" * MAX_RECORD_BYTES + b'"}}'
    kept, counts = run([line, *tweet_lines(1)])
    assert (counts.refused, counts.tweets) == (1, 1)
    assert kept.letters[0][0] == line[:DEAD_LETTER_BYTES]
    assert header(kept.letters[0][1], "size") == str(len(line))


def test_redeliveries_are_sent_and_counted() -> None:
    tweets = tweet_lines(5)
    kept, counts = run([*tweets, *tweets[:2]])
    assert (len(kept.values), counts.redelivered) == (7, 2)


def test_limit_and_rate() -> None:
    started = time.monotonic()
    _, counts = run(tweet_lines(50), limit=11, rate=100)
    assert counts.read == 11
    assert time.monotonic() - started >= 0.09


def test_asked_to_end_while_waiting_it_ends_at_once_and_never_within_a_line() -> None:
    stopper = Stopper()
    stopper(15, None)
    kept = Kept()
    ingest = Ingest(SETTINGS, kept, "replay", stopper, Progress(out=io.StringIO()))
    ingest.run([Line(1, tweet_lines(1)[0], 9)])
    assert (kept.values, ingest.counts.read) == ([], 0)
    with pytest.raises(StopReading), stopper:
        pass


def test_a_writer_without_room_is_waited_for_and_the_wait_can_be_ended() -> None:
    class Full(Kept):
        has_room = False  # type: ignore[assignment]

        def tend(self) -> None:
            stopper(15, None)

    stopper, full = Stopper(), Full()
    ingest = Ingest(SETTINGS, full, "replay", stopper, Progress(out=io.StringIO()))
    ingest.run([Line(1, tweet_lines(1)[0], 9)])
    assert (full.values, ingest.counts.read) == ([], 0)


def test_asked_to_end_while_a_line_is_taken_it_sends_that_line_and_takes_no_other() -> None:
    tweets = tweet_lines(2)
    stopper, kept = Stopper(), Kept()

    def taken() -> Iterator[Line]:
        for number, line in enumerate(tweets, 1):
            stopper(2, None)  # it is out of the queue, and in nobody's hands yet
            yield Line(number, line, len(line))

    Ingest(SETTINGS, kept, "stream", stopper, Progress(out=io.StringIO())).run(taken(), at_hand=True)
    assert kept.values == tweets[:1]


def test_a_writer_is_tended_several_times_a_second_however_slowly_lines_come() -> None:
    class Tended(Kept):
        times = 0

        def tend(self) -> None:
            self.times += 1

    def slowly() -> Iterator[Line]:
        for number in range(1, 4):
            time.sleep(TEND_SECONDS + 0.01)
            yield Line(number, tweet_lines(1)[0], 9)

    tended = Tended()
    Ingest(SETTINGS, tended, "replay", Stopper(), Progress(out=io.StringIO())).run(slowly())
    assert tended.times == 3
