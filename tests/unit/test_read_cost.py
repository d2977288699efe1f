"""What is counted for the bill."""

from kafka_cluster.settings import Settings
from read_cost import ReadCost, at_most

SETTINGS = Settings(max_posts=2_000, post_price=0.005, user_price=0.01)


def test_posts_and_users_in_both_vocabularies() -> None:
    cost = ReadCost(SETTINGS)
    users = {"users": [{"id": "7"}, {"id": "8"}]}
    cost.count({"data": {"id": "1"}, "includes": users | {"tweets": [{"id": "3"}]}})
    cost.count({"data": {"id": "2"}, "includes": users | {"posts": [{"id": "3"}, {"id": "4"}]}})
    assert (cost.posts, cost.users) == (4, 2)
    assert str(cost) == "about 0.04 dollars (4 posts, 2 users)"


def test_what_is_odd_in_a_tweet_costs_nothing_and_raises_nothing() -> None:
    cost = ReadCost(SETTINGS)
    for includes in ([], {"users": 7, "posts": [3, {}, {"id": [1]}]}):
        cost.count({"data": {}, "includes": includes})
    assert (cost.posts, cost.users) == (2, 0)


def test_the_bound_of_a_run_is_said_in_dollars() -> None:
    assert "cost at most 10.00 dollars at 0.005 a post" in at_most(SETTINGS)
    assert "their authors 20.00 at 0.01 a user" in at_most(SETTINGS)
