"""Minutes of back-off in milliseconds: the pace knows no clock."""

import pytest

from reconnect_pace import CONNECT_WINDOW_SECONDS, CONNECTS, Outcome, ReconnectPace

NOW = 1_795_000_000.0
RAN, SHORT = Outcome(ran=60.0), Outcome(ran=1.0)


def pauses(*outcomes: Outcome) -> list[float]:
    pace = ReconnectPace()
    return [pace.pause(outcome, NOW) for outcome in outcomes]


def test_once_at_once_then_back_off_and_anew_after_a_stream_that_ran() -> None:
    first, second, third, again = pauses(RAN, SHORT, SHORT, RAN)
    assert first <= 0.5 and 1.6 <= second <= 2 and 3.2 <= third <= 4 and again <= 0.5


def test_errors_back_off_to_minutes_and_a_dead_network_to_what_the_window_takes() -> None:
    assert 256 <= pauses(*[Outcome(503)] * 12)[-1] <= 320
    assert 16 <= pauses(*[Outcome()] * 12)[-1] <= CONNECT_WINDOW_SECONDS / CONNECTS


def test_a_429_obeys_x_and_without_its_word_waits_a_minute_and_more() -> None:
    told, *untold = pauses(Outcome(429, retry_at=NOW + 400), *[Outcome(429)] * 5)
    assert 400 <= told <= 401 and untold == [120, 240, 320, 320, 320]
    assert pauses(Outcome(429))[0] == pauses(Outcome(429, retry_at=NOW - 9))[0] == 60
    assert pauses(Outcome(429, retry_at=NOW * 1000))[0] <= CONNECT_WINDOW_SECONDS + 1, "a header that is none"


def test_what_x_said_holds_in_the_next_run() -> None:
    pace = ReconnectPace()
    pace.connecting(NOW)
    pace.pause(Outcome(429, retry_at=NOW + 400), NOW)
    again = ReconnectPace(pace.connects, pace.not_before)
    assert 290 <= again.until_allowed(NOW + 110) <= 291
    assert again.until_allowed(NOW + 402) == 0


@pytest.mark.parametrize("gap", [0.0, 1.0, 10.0])
def test_in_no_window_are_more_connects_than_allowed(gap: float) -> None:
    pace, now, at = ReconnectPace(), NOW, []
    for _ in range(500):
        now += max(gap, pace.until_allowed(now))
        pace.connecting(now)
        at.append(now)
    for start in at:
        assert sum(start <= moment < start + CONNECT_WINDOW_SECONDS for moment in at) <= CONNECTS


def test_a_clock_that_was_put_back_holds_nobody_up_for_ever() -> None:
    pace = ReconnectPace([NOW + 1e6] * CONNECTS, NOW + 1e6)
    assert pace.until_allowed(NOW) <= CONNECT_WINDOW_SECONDS
