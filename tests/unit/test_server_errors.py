"""A server's trouble ends a script with one line, never with the code that says that something is missing."""

import sys
from typing import Any

import pytest
from elastic_transport import ConnectionError as NotConnected
from elasticsearch.helpers import ScanError
from hdfs import HdfsError
from kafka.errors import NodeNotReadyError
from urllib3.exceptions import ProtocolError

import audit
import dead_letters
import forgotten_list
import hdfs_client
from forgotten_list import ForgottenList
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from topic_guard import Unclear

TROUBLE = [
    HdfsError("Cannot obtain block length"), NotConnected("refused"), ScanError("1", "a shard is away"),
    NodeNotReadyError("kafka1"), ProtocolError("Connection broken"), Unclear("no such topic"),
]  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLE, ids=lambda error: type(error).__name__)
def test_a_comparison_that_servers_do_not_let_finish_has_found_nothing(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise trouble

    monkeypatch.setattr(audit, "audit", fail)
    monkeypatch.setattr(dead_letters, "dead_letters", fail)
    for script, *arguments in ((audit,), (dead_letters, "show")):
        monkeypatch.setattr(sys, "argv", ["script.py", *arguments])
        with pytest.raises(UserError, match=f"ended, run it again: {type(trouble).__name__}"):
            script.main()


def test_a_body_that_breaks_off_is_read_again() -> None:
    answers = iter([ProtocolError("Connection broken"), b"whole"])

    def read() -> bytes:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert hdfs_client.persistently(read) == b"whole"


@pytest.mark.parametrize("trouble", [ProtocolError("broken"), UserError("no DataNode of ours")], ids=str)
def test_a_group_that_goes_on_does_not_wait_for_the_list_of_what_was_forgotten(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> None:
        raise trouble

    monkeypatch.setattr(ForgottenList, "now", fail)
    monkeypatch.setattr(forgotten_list, "LOOK_SECONDS", 0.01)
    followed = ForgottenList(Settings(), required=False)
    assert not followed.recent()
    followed.close()
    with pytest.raises((HdfsError, UserError)):
        ForgottenList(Settings()).recent()
