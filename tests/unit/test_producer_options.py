"""Numbers on producer.py's command line: refused in one line where nothing could come of them."""

import signal
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from kafka_cluster.script import UserError


@pytest.fixture
def producer() -> Iterator[ModuleType]:
    """The script, as a module; it sets how Ctrl-C works."""
    before = signal.getsignal(signal.SIGINT)
    import producer

    yield producer
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--count", "99999999999999999999"], "from 1 to 1,000,000,000,000"), (["--count", "0"], "from 1 to"),
        (["--rate", "1e-11"], "above 0.000001"), (["--rate", "0"], "above 0.000001"), (["--rate", "nan"], "above"),
        (["--rate", "1e10"], "at most 1,000,000,000"), (["--rate", "inf"], "at most"),
    ],
)  # fmt: skip
def test_a_number_out_of_bounds_is_refused_with_the_bounds(
    producer: ModuleType, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["producer.py", "sample", *options])
    with pytest.raises(UserError, match=said):
        producer.parse()


@pytest.mark.parametrize(
    ("rate", "said"), [("1000001", "at most 1,000,000 "), ("0", "above"), ("nan", "above")]
)
def test_a_rate_at_which_the_simulator_could_not_tell_moments_apart_is_refused(
    producer: ModuleType, monkeypatch: pytest.MonkeyPatch, rate: str, said: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["producer.py", "simulate", "--rate", "1000000"])
    assert producer.parse().rate == 1_000_000
    monkeypatch.setattr(sys, "argv", ["producer.py", "simulate", "--rate", rate])
    with pytest.raises(UserError, match=said):
        producer.parse()


def test_what_is_no_number_is_refused_by_argparse(
    producer: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["producer.py", "sample", "--count", "x"])
    with pytest.raises(SystemExit):
        producer.parse()
    assert "invalid positive_int value" in capsys.readouterr().err
