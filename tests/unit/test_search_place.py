"""since_id moves on only at the end of a round, and a round that was broken off goes on where it was."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_place import Place
from stream_gap import Gap, born_at, id_at, newest_id

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_pages_from_the_newest_down_then_the_end_of_the_round() -> None:
    place = Place("100").after_page([300, 250]).after_page([]).after_page([240, 200])
    assert place == Place("100", until_id="200", newest_id="300")
    assert place.after_round() == Place("300")
    assert Place("300").after_round() == Place("300"), "a round that found nothing"
    assert Place(**place.as_json()) == place


def test_what_is_older_than_seven_days_is_not_asked_for() -> None:
    old, fresh = id_at(NOW - timedelta(days=8)), id_at(NOW - timedelta(days=1))
    assert Place(old).reachable(NOW) == Place(None)
    assert Place(fresh).reachable(NOW) == Place(fresh)
    assert Place(old, fresh, "7").reachable(NOW) == Place(None, fresh, "7")
    assert Place(old, old, fresh).reachable(NOW) == Place(fresh), "the rest of that round is gone"


@given(st.datetimes(datetime(2011, 1, 1), datetime(2060, 1, 1)))
def test_ids_tell_when_they_were_made(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    assert abs(born_at(id_at(moment)) - moment) <= timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("lines", "id_"),
    [
        ([], None),
        ([b'{"data":{"id":"9"}}', b'{"data":{"id":"10"}}', b'{"data":{"id":"8"}}'], "10"),
        ([b'{"data":{"id":"9"}}', b'{"errors":[{"title":"x"}]}', b'{"data":{"id":"1'], "9"),
    ],
)
def test_the_newest_id_among_whatever_came_last(lines: list[bytes], id_: str | None) -> None:
    assert newest_id(lines) == id_


def test_a_gap_says_what_it_is() -> None:
    gap = Gap("2026-11-24T12:00:00.000Z", "the stream was closed", None, "17")
    assert (
        str(gap) == "gap from 2026-11-24T12:00:00.000Z to the end after 17, not filled: the stream was closed"
    )
