"""What `audit.py trace` says of an id that is none, before it asks any server."""

from argparse import Namespace

import pytest

import audit
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from tweet_document import birth


@pytest.mark.parametrize("given", ["9" * 5_000, "9" * 21, "tweet-1", "", "²"])
def test_an_id_that_is_none_is_one_clear_line(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "trace", lambda _, id_, __: ([], birth(id_)[0]))
    with pytest.raises(UserError, match="a tweet's id is a number of up to 20 digits") as said:
        audit.show_trace(Namespace(tweet_id=given, archive=False, json=False), Settings())
    assert len(str(said.value)) < 120
