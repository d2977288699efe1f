"""What group A does after each answer of Elasticsearch: nothing is dropped, nothing good is a dead letter."""

from threading import Event
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ApiError
from hypothesis import given
from hypothesis import strategies as st

import elasticsearch_sink
from bulk_answer import WAIT_ERRORS, WAIT_STATUS, Outcome, RecentIds, Verdict, verdict
from elasticsearch_sink import ElasticsearchSink
from forgotten_posts import Forgotten
from kafka_cluster.message import tweet_record
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from sample import Record
from sink import Written
from topic_guard import TopicGuard

FLUSHED, NOT_FLUSHED = {"_shards": {"failed": 0}}, {"_shards": {"failed": 1}}
META = ApiResponseMeta(400, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "127.0.0.1", 9200))


@pytest.mark.parametrize(
    ("status", "error", "wanted"),
    [
        (201, None, Verdict.NEW),
        (409, "version_conflict_engine_exception", Verdict.EXISTING),
        (429, "es_rejected_execution_exception", Verdict.AGAIN),
        (429, "cluster_block_exception", Verdict.AGAIN),
        (403, "cluster_block_exception", Verdict.AGAIN),
        (403, "security_exception", Verdict.FORBIDDEN),
        (401, "security_exception", Verdict.FORBIDDEN),
        (404, "index_not_found_exception", Verdict.AGAIN),
        (400, "index_closed_exception", Verdict.AGAIN),
        (503, "unavailable_shards_exception", Verdict.AGAIN),
        (400, "document_parsing_exception", Verdict.POISON),
        (400, "illegal_argument_exception", Verdict.POISON),
        (413, None, Verdict.POISON),
    ],
)
def test_each_answer_that_was_seen(status: int, error: str | None, wanted: Verdict) -> None:
    assert verdict(status, error) is wanted


NO_WRITE_INDEX = {
    "type": "illegal_argument_exception",
    "reason": "no write index is defined for alias [tweets]. The write index may be explicitly disabled using "
    "is_write_index=false or the alias points to multiple indices without one being designated as a write index",
}


@pytest.mark.parametrize("whole_request", [False, True])
def test_an_alias_without_a_write_index_is_an_operators_slip_and_no_tweet_is_a_dead_letter_by_it(
    whole_request: bool,
) -> None:
    answers = iter([400, 400, 201])

    def bulk(operations: bytes, **_: Any) -> Any:
        status, count = next(answers), len(operations.splitlines()) // 2
        if whole_request and status == 400:
            raise ApiError(NO_WRITE_INDEX["type"], META, {"error": NO_WRITE_INDEX, "status": 400})
        error = {"error": NO_WRITE_INDEX} if status == 400 else {}
        return {"items": [{"create": {"status": status, **error}}] * count}

    waits: Any = SimpleNamespace(wait=lambda _: False)
    assert sink(bulk).write(None, tweets(2), waits) == Written(new=2)


ITEMS = st.fixed_dictionaries({
    "status": st.sampled_from([200, 201, 400, 409, 413, *WAIT_STATUS]),
    "error": st.none() | st.fixed_dictionaries({
        "type": st.sampled_from(["document_parsing_exception", *WAIT_ERRORS]), "reason": st.text(max_size=5)}),
})  # fmt: skip


@given(st.lists(ITEMS, max_size=30))
def test_each_item_is_counted_sent_again_or_a_dead_letter_and_never_two_of_them(items: list[dict]) -> None:
    answer = [
        {"create": {"status": item["status"], **({"error": item["error"]} if item["error"] else {})}}
        for item in items
    ]
    records, outcome = tweets(len(items)), Outcome()
    sink(lambda **_: {"items": answer})._bulk(records, None, outcome)
    judged = [verdict(item["status"], (item["error"] or {}).get("type")) for item in items]

    def judged_as(wanted: Verdict) -> list[Record]:
        return [record for record, it in zip(records, judged, strict=True) if it is wanted]

    assert outcome.written == Written(new=len(judged_as(Verdict.NEW)))
    assert outcome.conflicts == judged_as(Verdict.EXISTING)
    assert outcome.again == judged_as(Verdict.AGAIN)
    assert [record for record, _ in outcome.poison] == judged_as(Verdict.POISON)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 40))
def test_one_action_that_spoils_a_request_is_found_and_the_others_get_through(
    bad: list[bool], room: int
) -> None:
    """A request is refused as a whole for a bad action in it (400), or for its size (413)."""

    def bulk(operations: bytes, **_: Any) -> Any:
        numbers = [int(orjson.loads(action)["create"]["_id"]) for action in operations.splitlines()[::2]]
        if len(numbers) > room or any(bad[number] for number in numbers):
            raise ApiError("illegal_argument_exception", META, {})
        return {"items": [{"create": {"status": 201}}] * len(numbers)}

    outcome = Outcome()
    sink(bulk)._bulk(tweets(len(bad)), None, outcome)
    dead = [record.offset for record, _ in outcome.poison]
    assert dead == [number for number, is_bad in enumerate(bad) if is_bad]
    assert outcome.again == [] and outcome.written.new == bad.count(False)


def test_a_wrong_password_is_never_a_dead_letter() -> None:
    answer = {"items": [{"create": {"status": 403, "error": {"type": "security_exception"}}}]}
    with pytest.raises(UserError, match="elasticsearch_password"):
        sink(lambda **_: answer)._bulk(tweets(1), None, Outcome())


def test_what_is_no_tweet_is_a_dead_letter_once_however_often_the_others_are_sent() -> None:
    answers = iter([
        [{"create": {"status": 429}}] * 2, [{"create": {"status": 201}}, {"create": {"status": 429}}],
        [{"create": {"status": 409}}], [{"create": {"status": 409}}],
    ])  # fmt: skip
    first, second = tweets(2)
    letters: list[Any] = []
    done = sink(lambda **_: {"items": next(answers)}, letters.extend).write(
        None, [first, Record(b"no tweet"), second], Event()
    )
    assert (done.new, done.existing, done.dead) == (1, 1, 1) and len(letters) == 1


@pytest.mark.parametrize(
    ("committed", "answers", "wanted"),
    [
        (2, [[409, 409]], Written(existing=2)),
        (None, [[409, 409], FLUSHED, [409, 409]], Written(existing=2)),
        (1, [[409, 409], FLUSHED, [409]], Written(existing=2)),
        # gone with a shard that failed
        (None, [[409, 409], FLUSHED, [409, 201]], Written(new=1, existing=1)),
        (None, [[409, 409], NOT_FLUSHED, FLUSHED, [409, 409]], Written(existing=2)),
        # what fails after a flush is in memory only, perhaps
        (None, [[201, 409], FLUSHED, [500], [409], FLUSHED, [409]], Written(new=1, existing=1)),
        # committed before; but the index is a new one, and now it is in memory only, perhaps
        (2, [[500, 500], [409, 409], FLUSHED, [409, 409]], Written(existing=2)),
        (None, [[500, 409], [201], FLUSHED, [409]], Written(new=1, existing=1)),
    ],
)
def test_what_is_there_counts_if_it_was_committed_or_outlives_a_flush(
    committed: int | None, answers: list[Any], wanted: Written
) -> None:
    left = iter(answers)

    def bulk(operations: bytes, **_: Any) -> Any:
        return {"items": [{"create": {"status": status}} for status in next(left)]}

    def flush(**_: Any) -> Any:
        return next(left)

    waits = SimpleNamespace(wait=lambda _: False)
    assert sink(bulk, flush=flush).write(committed, tweets(2), waits) == wanted  # type: ignore[arg-type]
    assert next(left, None) is None


def test_a_record_that_has_no_offset_yet_is_there_too_once_it_is_on_disk() -> None:
    """A producer's line that was replayed: group A may be quicker, and has read it from the topic."""
    waits = SimpleNamespace(wait=lambda _: False)
    line = tweet_record(b'{"data":{"id":"1"}}', "stream")
    answered = {"items": [{"create": {"status": 409}}]}
    assert sink(lambda **_: answered).write(None, [line], waits) == Written(existing=1)  # type: ignore[arg-type]


def test_a_record_of_which_our_code_can_make_no_document_stops_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def create_action(tweet: Any, *_: Any) -> bytes:
        if tweet.id == "1":
            raise ZeroDivisionError("a fault of ours")
        return b""

    monkeypatch.setattr(elasticsearch_sink, "create_action", create_action)
    letters: list[Any] = []
    group = sink(lambda **_: {"items": [{"create": {"status": 201}}] * 2}, letters.extend)
    assert group.write(None, tweets(3), Event()).dead == 1
    assert [(record.offset, why) for record, why in letters] == [
        (1, "no document can be made: ZeroDivisionError: a fault of ours")
    ]


def test_what_was_created_just_now_counts_without_a_flush() -> None:
    answers = iter([[201, 201], [409, 409]])

    def bulk(**_: Any) -> Any:
        return {"items": [{"create": {"status": status}} for status in next(answers)]}

    group = sink(bulk, flush=None)
    assert group.write(None, tweets(2), Event()) == Written(new=2)
    assert group.write(None, tweets(2), Event()) == Written(existing=2)


@given(st.lists(st.integers(0, 30).map(str), max_size=60))
def test_the_latest_ids_are_remembered_and_no_more_than_twice_as_many(added: list[str]) -> None:
    recent = RecentIds(5)
    for id_ in added:
        recent.add(id_)
    remembered = {id_ for id_ in map(str, range(31)) if id_ in recent}
    assert set(added[-5:]) <= remembered <= set(added) and len(remembered) <= 10


def tweets(count: int) -> list[Record]:
    """Records of tweets whose ids are their offsets."""
    return [Record(b'{"data":{"id":"%d"}}' % number, number) for number in range(count)]


def sink(
    bulk: Any, dead_letters: Any = lambda _: None, flush: Any = lambda **_: FLUSHED
) -> ElasticsearchSink:
    """A sink that gets these answers: which ones Elasticsearch gives is tested with Elasticsearch."""
    settings, guard = Settings(), TopicGuard("id", lambda: "id")
    client: Any = SimpleNamespace(bulk=bulk, indices=SimpleNamespace(flush=flush))
    forgotten: Any = SimpleNamespace(recent=Forgotten)
    return ElasticsearchSink(settings, client, dead_letters, guard, forgotten)
