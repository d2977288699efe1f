"""Each script's user of Elasticsearch may do what the script does, and nothing else.

All other tests run the scripts as these users too: what one of them lacks fails there.
"""

from collections.abc import Callable
from typing import Any

import pytest
from elasticsearch import AuthorizationException, Elasticsearch, NotFoundError

from elasticsearch_index import connect_elasticsearch
from kafka_cluster.settings import OPERATOR, READER, WRITER
from pipeline import Pipeline, events, refused
from sample import tweet_lines

Call = Callable[[Elasticsearch, str], Any]

# Of the index behind the alias `name`, in which the tweet ONE is.
ONE = "1700000000000000001"
CREATE: dict[str, Call] = {
    "create a document": lambda es, name: es.create(index=name, id="new", document={}),
}
FLUSH: dict[str, Call] = {
    "have what is there written to disk": lambda es, name: es.indices.flush(index=name),
}
READ: dict[str, Call] = {
    "search": lambda es, name: es.search(index=name),
    "read a document": lambda es, name: es.get(index=f"{name}-000001", id=ONE),
}
DELETE: dict[str, Call] = {
    "delete a document": lambda es, name: es.delete(index=name, id=ONE),
}
ADMINISTER: dict[str, Call] = {
    "make an index": lambda es, name: es.indices.create(index=f"{name}-000007"),
    "change settings": lambda es, name: es.indices.put_settings(
        index=name, settings={"number_of_replicas": 0}
    ),
    "move an alias": lambda es, name: es.indices.put_alias(index=f"{name}-000001", name=f"{name}-more"),
    "put a template": lambda es, name: es.indices.put_index_template(name=name, index_patterns=[f"{name}-*"]),
    "delete an index": lambda es, name: es.indices.delete(index=f"{name}-000001"),
}
NOBODY: dict[str, Call] = {
    "overwrite a document": lambda es, name: es.index(index=name, id=ONE, document={}),
    "update a document": lambda es, name: es.update(index=name, id=ONE, doc={}),
    "delete what the pipeline says of itself": lambda es, name: es.indices.delete(index=f"events-{name}-1"),
    "create a document elsewhere": lambda es, name: es.create(index=f"other-{name}", id="new", document={}),
    "read elsewhere": lambda es, name: es.search(index=f"other-{name}"),
    "make an index elsewhere": lambda es, name: es.indices.create(index=f"more-{name}"),
    "see the users": lambda es, _: es.security.get_user(),
    "move shards": lambda es, _: es.cluster.reroute(),
}  # fmt: skip
ALL = CREATE | FLUSH | READ | DELETE | NOBODY | ADMINISTER
MAY = {WRITER: CREATE | FLUSH, READER: FLUSH | READ, OPERATOR: CREATE | FLUSH | READ | DELETE | ADMINISTER}


@pytest.mark.parametrize("user", MAY)
def test_a_user_may_do_what_its_scripts_do_and_nothing_else(pipeline: Pipeline, user: str) -> None:
    name = pipeline.settings.elasticsearch_alias
    admin, client = connect_elasticsearch(pipeline.settings), connect_elasticsearch(pipeline.settings, user)
    assert client.security.authenticate()["username"] == user, "these servers know the user"
    assert pipeline.run("consumer.py", "--setup").returncode == 0
    admin.create(index=name, id=ONE, document={}, refresh=True)
    others = f"other-{name}", f"events-{name}-1"
    for other in others:
        admin.index(index=other, id=ONE, document={}, refresh=True)
    try:
        assert {what for what, call in ALL.items() if _allowed(call, client, name)} == set(MAY[user])
    finally:
        admin.indices.delete(index=",".join(others), ignore_unavailable=True)


def _allowed(call: Call, client: Elasticsearch, name: str) -> bool:
    try:
        call(client, name)
    except AuthorizationException:
        return False
    except NotFoundError:  # deleted just before
        return True
    return True


def test_group_a_goes_on_as_the_writer_alone_after_an_administrator_has_set_up(pipeline: Pipeline) -> None:
    """A machine that only runs consumers needs no other password."""
    writer_only = {
        "elasticsearch_password": "", "elasticsearch_reader_password": "", "elasticsearch_operator_password": "",
    }  # fmt: skip
    pipeline.send(tweet_lines(20))
    group_a = ("consumer.py", "--group", "elasticsearch", "--until-caught-up")
    refused(pipeline.run(*group_a, **writer_only), "tweets_writer may not make it", "consumer.py --setup")
    assert pipeline.run("consumer.py", "--setup").returncode == 0
    done = pipeline.run(*group_a, **writer_only)
    assert done.returncode == 0, done.stderr
    assert "going on without" not in done.stderr
    assert pipeline.run("consumer.py", "--group", "hdfs", "--until-caught-up").returncode == 0
    assert pipeline.audit().exit_code == 0
    assert events(pipeline, "counts"), "and it says how it does"


def test_an_env_file_with_one_password_goes_on_working(pipeline: Pipeline) -> None:
    one = dict.fromkeys(
        ("elasticsearch_writer_password", "elasticsearch_reader_password", "elasticsearch_operator_password"),
        "",
    )
    pipeline.send(tweet_lines(20))
    for script, *args in (["consumer.py", "--until-caught-up"], ["audit.py"], ["dead_letters.py", "list"]):
        done = pipeline.run(script, *args, **one)
        assert done.returncode == 0, done.stderr
