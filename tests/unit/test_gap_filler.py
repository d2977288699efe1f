"""A gap is searched from the last tweet that was heard, as far back as X searches."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import gap_filler
from gap_filler import GapFiller
from kafka_cluster.message import timestamp
from stream_gap import Gap, born_at, id_at
from stream_rules import Rule


@pytest.mark.parametrize(("heard", "searched"), [(8, 7), (1, 1)])
def test_a_gap_whose_last_tweet_is_older_than_seven_days_is_searched_from_there(
    monkeypatch: pytest.MonkeyPatch, heard: int, searched: int
) -> None:
    asked: list[str] = []

    class Recording:
        def pages(self, query: str, since_id: str, *_: Any) -> Iterator[dict[str, Any]]:
            asked.append(since_id)
            yield {}

    now = datetime.now(UTC)
    monkeypatch.setattr(gap_filler, "Search", lambda *_, **__: Recording())
    gap = Gap(timestamp(), "a test", timestamp(), id_at(now - timedelta(days=heard)), None)
    filler = GapFiller("token", [Rule("rare", "rare")], [gap], lambda: 100, after_seconds=0)
    filler.start()
    while gap.filled is None:
        time.sleep(0.01)
    filler.stop(patient=True)
    age = now - born_at(asked[0])
    assert timedelta(days=searched, minutes=-6) < age <= timedelta(days=searched, seconds=1)
