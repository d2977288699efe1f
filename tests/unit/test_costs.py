"""docs/costs.md says what its own inputs give, in both languages, and what this project really writes."""

import re
from datetime import UTC, datetime
from itertools import islice

import pytest

import cost_model
from kafka_cluster.settings import Settings
from kafka_cluster.topics import DAY_MS, wanted_topics
from tweet_generator import TweetGenerator

TWIN = cost_model.PAGE.with_name("costs.ko.md")


@pytest.mark.parametrize("page", [cost_model.PAGE, TWIN], ids=lambda page: page.name)
def test_the_results_are_those_of_the_inputs(page) -> None:
    inputs = cost_model.inputs(page)
    assert inputs == cost_model.inputs(), "the twins have the same inputs"
    cells = re.findall(r"^\| [^|`]+((?:\| [\d,]+ ){4})\|$", page.read_text(encoding="utf-8"), re.M)
    assert [row.replace("|", "").split() for row in cells] == cost_model.results(inputs)


def test_every_price_has_a_source_and_every_source_a_date() -> None:
    text = cost_model.PAGE.read_text(encoding="utf-8")
    prices = re.findall(r"^\| `\w+` \| [\d.]+ \| [^|]+ \| (\w) \|$", text, re.M)
    dated = re.findall(r"^\| (\w) \| 20\d\d-\d\d(?:-\d\d)? \| .*https://", text, re.M)
    assert len(prices) == 16 and set(prices) == set(dated)


def test_a_tweet_is_as_large_as_the_page_says() -> None:
    start = datetime(2026, 11, 26, 17, tzinfo=UTC)
    lines = islice(TweetGenerator(1, start).lines(start, 300), 5_000)
    said = cost_model.inputs()
    for name, size in cost_model.measured(lines).items():
        assert said[name] == pytest.approx(size, rel=0.05), name


def test_what_is_taken_from_the_settings_and_the_topic_is_as_there() -> None:
    said, topic = cost_model.inputs(), wanted_topics(Settings())[0]
    assert said["post_price"] == Settings().post_price
    assert said["replicas"] == topic.replication
    assert said["retention_days"] * DAY_MS == int(topic.config["retention.ms"])


def test_what_the_page_reads_from_the_results_can_be_read_from_them() -> None:
    said = cost_model.inputs()
    costs = {way.__name__: [way(said, *scale) for scale in cost_model.SCALES] for way in cost_model.WAYS}
    shards, on_demand, msk = costs["kinesis_provisioned"], costs["kinesis_on_demand"], costs["msk"]
    assert all(shards[each] < msk[each] for each in range(3)) and shards[3] > 2 * msk[3]
    assert on_demand[0] < msk[0] and all(on_demand[each] > msk[each] for each in range(1, 4))
    assert all(own >= managed for own, managed in zip(costs["own_on_ec2"], msk, strict=True))
    work = said["work_hours"] * said["work_price"]
    assert all(work > cost / 2 for cost in costs["own_machines"])
    assert "15,000 dollars" in cost_model.PAGE.read_text(encoding="utf-8")
    assert 3_000_000 * said["post_price"] == 15_000
