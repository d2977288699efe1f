"""The dashboard "Tweets live": what the tweets say. Chosen by what X really sends.

A streamed original arrives at its birth with counts of 0: what spreads is seen by the retweets and quotes that
follow, which bring their original's counts of that moment. Places are rare; `verified` means paid.
"""

from dashboard_objects import Json, control, dashboard, saved_search
from lens_columns import PERCENT, count, every, figure, latest, over_time, ranges, top
from lens_panels import Panel, chart, documents, donut, heatmap, markdown, metric, table, tag_cloud

VIEW, TIME = "tweets", "created_at"
BEFORE = "period before"
HEADER = """What the stream brought into Kafka and group A indexed, in the time range above: the tweets that the rules \
match, not all of X. Each tweet counts once, however often it was delivered. A retweet shows its \
original's text and tags."""
FOLLOWERS = [
    (0, 100, "under 100"), (100, 1_000, "100 to 999"), (1_000, 10_000, "1,000 to 9,999"),
    (10_000, 100_000, "10,000 to 99,999"), (100_000, None, "100,000 and more"),
]  # fmt: skip


def tweets_dashboard(time_zone: str) -> list[Json]:
    """The saved search of the newest tweets, and the dashboard."""
    newest = saved_search(
        "tweets-newest", "Newest tweets", VIEW, ["author.username", "text", "lang", "kind"], TIME
    )
    rows = [
        (3, [(48, markdown("header", HEADER))]),
        (6, [(16, tweets()), (16, authors()), (16, retweets())]),
        (12, [(32, languages()), (16, kinds())]),
        (14, [(20, hashtag_cloud()), (12, hashtag_table()), (16, hashtag_trends())]),
        (14, [(48, spreading())]),
        (14, [(16, active_authors()), (16, mentioned()), (16, domains())]),
        (12, [(32, hours(time_zone)), (16, countries())]),
        (16, [(16, followers()), (32, documents("newest", "The newest tweets", "tweets-newest"))]),
    ]
    controls = [control("lang", "Language"), control("hashtags", "Hashtag"), control("kind", "Kind")]
    live = dashboard(
        "tweets-live", "Tweets live", "What the tweets say, as they come in", rows, controls, VIEW
    )
    return [newest, live]


# figures, each against the period before


def tweets() -> Panel:
    columns = {"n": count("Tweets"), "before": count("Tweets before", shift="previous")}
    return metric("tweets", "How many tweets?", VIEW, columns, BEFORE)


def authors() -> Panel:
    columns = {
        "n": figure("unique_count", "author.id", "Different authors"),
        "before": figure("unique_count", "author.id", "Authors before", shift="previous"),
    }
    return metric("authors", "How many people tweet?", VIEW, columns, BEFORE)


def retweets() -> Panel:
    columns = {
        "n": figure("average", "is_retweet", "Share of retweets", PERCENT),
        "before": figure("average", "is_retweet", "Share before", PERCENT, shift="previous"),
    }
    return metric("retweets", "How many of them are retweets?", VIEW, columns, BEFORE)


# how much, in which language, of which kind


def languages() -> Panel:
    columns = {"lang": top("lang", 6, "Language", others=True), "time": over_time(TIME), "n": count("Tweets")}
    title = "How many tweets over time, and in which languages?"
    return chart("languages", title, VIEW, columns, "bar_stacked", "time", ["n"], "lang")


def kinds() -> Panel:
    columns = {"kind": top("kind", 5, "Kind"), "n": count("Tweets")}
    return donut("kinds", "What kinds of tweets?", VIEW, columns, "kind", "n")


# hashtags


def hashtag_cloud() -> Panel:
    columns = {"tag": top("hashtags", 40, "Hashtag"), "n": count("Tweets")}
    return tag_cloud("hashtag-cloud", "What do people talk about?", VIEW, columns, "tag", "n")


def hashtag_table() -> Panel:
    columns = {"tag": top("hashtags", 10, "Hashtag"), "n": count("Tweets")}
    return table("hashtag-table", "The ten most used hashtags", VIEW, columns, "n")


def hashtag_trends() -> Panel:
    columns = {"tag": top("hashtags", 5, "Hashtag"), "time": over_time(TIME), "n": count("Tweets")}
    title = "Which of the top five hashtags rise, which fall?"
    return chart("hashtag-trends", title, VIEW, columns, "line", "time", ["n"], "tag")


# what spreads


def spreading() -> Panel:
    columns = {
        "original": top("original_id", 10, "Original"),
        "author": latest("original.author", "Author", TIME),
        "text": latest("original.text", "Text", TIME, text=True),
        "n": count("Seen here"),
        "seen-retweets": count("Retweets seen", "kind: retweet"),
        "seen-quotes": count("Quotes seen", "kind: quote"),
        "retweets": figure("max", "original.retweets", "Retweets in all"),
        "quotes": figure("max", "original.quotes", "Quotes in all"),
        "likes": figure("max", "original.likes", "Likes in all"),
    }
    title = (
        "What spreads? Retweets and quotes seen in this stream, and the highest counts that came with them"
    )
    return table("spreading", title, VIEW, columns, "n")


# people, links, places


def active_authors() -> Panel:
    columns = {
        "author": top("author.username", 10, "Author"),
        "n": count("Tweets"),
        "followers": figure("max", "author.followers", "Followers"),
    }
    return table("active-authors", "Who tweets most?", VIEW, columns, "n")


def mentioned() -> Panel:
    columns = {"who": top("mentions", 10, "Mentioned"), "n": count("Tweets")}
    return chart("mentioned", "Who is mentioned most?", VIEW, columns, "bar_horizontal", "who", ["n"])


def domains() -> Panel:
    columns = {"domain": top("domains", 10, "Domain"), "n": count("Tweets")}
    return chart("domains", "Where do links lead?", VIEW, columns, "bar_horizontal", "domain", ["n"])


def hours(time_zone: str) -> Panel:
    columns = {
        "hour": every("local_hour", 24, "Hour"),
        "day": every("local_weekday", 7, "Weekday"),
        "n": count("Tweets"),
    }
    title = f"When do people tweet? Last 7 days, hours in {time_zone}"
    return heatmap("hours", title, VIEW, columns, "hour", "day", "n", ("now-7d", "now"))


def countries() -> Panel:
    columns = {"country": top("place.country_code", 10, "Country"), "n": count("Tweets")}
    title = "In which countries? Only the few tweets that name a place"
    return chart("countries", title, VIEW, columns, "bar_horizontal", "country", ["n"])


def followers() -> Panel:
    columns = {
        "verified": top("author.verified_type", 4, "Verification"),
        "followers": ranges("author.followers", FOLLOWERS, "Followers"),
        "n": figure("unique_count", "author.id", "Authors"),
    }
    title = "How many followers do the authors have? By kind of verification"
    return chart("followers", title, VIEW, columns, "bar_stacked", "followers", ["n"], "verified")
