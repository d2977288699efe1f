"""A group's process ends when it is asked to, whatever its servers do."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

import consumer_groups
from consumer_groups import run_group
from kafka_cluster.settings import Settings


class Ended(BaseException):
    """In the place of a process that ends at once."""


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What the write of a group B waits for that is told to end; nothing else of the group is there."""
    event = threading.Event()

    class Loop:
        progress = SimpleNamespace(summary=lambda: "0 stored")

        def __init__(self, *_: Any) -> None:
            self._workers = ThreadPoolExecutor(2, thread_name_prefix="hdfs")

        def run(self) -> None:
            self._workers.submit(event.wait)
            self._workers.submit(int).result()
            self._workers.shutdown(wait=False, cancel_futures=True)

    guard = SimpleNamespace(topic_id="id", check=lambda: None)
    for name, stand_in in {
        "_stop_on_signals": threading.Event, "ensure_topics": lambda _: [],
        "open_topic_guard": lambda _: nullcontext(guard), "_build_sink": lambda *_: SimpleNamespace(verb="stored"),
        "connect": lambda *_, **__: None, "unpack_faster": lambda _: None, "PollLoop": Loop,
        "TopicWatch": lambda *_: SimpleNamespace(start=lambda: None, failure=None),
    }.items():  # fmt: skip
        monkeypatch.setattr(consumer_groups, name, stand_in)

    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr("os._exit", end)
    yield event
    event.set()


def test_a_write_that_waits_for_a_server_that_hangs_does_not_keep_the_process(
    answer: threading.Event,
) -> None:
    """The interpreter would wait for it, and the server's timeout is longer than the drain."""
    with pytest.raises(Ended, match="0"):
        run_group("hdfs", Settings(), from_beginning=False, until_caught_up=False)


def test_where_nothing_is_left_it_ends_as_others_do(answer: threading.Event) -> None:
    answer.set()
    assert run_group("hdfs", Settings(), from_beginning=False, until_caught_up=False) == 0
