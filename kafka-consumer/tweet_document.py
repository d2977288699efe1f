"""A tweet in the stream's shape -> the document in Elasticsearch. Pure.

A tweet with an id is never refused: what does not fit its type was left out when it was read, and the rest is
indexed. tweet-index.json has the mapping of every field that is made here.
"""

import html
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from urllib.parse import urlsplit

import msgspec

from document_shape import Author, Document, Location, Metrics, Original, Place
from kafka_cluster.message import header, timestamp
from tweet_shape import LARGEST_LONG, Post, PostCounts, Tweet, User

KINDS = {"retweeted": "retweet", "reposted": "retweet", "quoted": "quote", "replied_to": "reply"}
PRECEDENCE = ("retweet", "quote", "reply")
# X's own links stand in a tweet for its media and for what it quotes: they are not where people link to.
OWN_DOMAINS = {"twitter.com", "x.com", "t.co", "pic.twitter.com", "pic.x.com"}
WEEKDAYS = (
    "1 Mon",
    "2 Tue",
    "3 Wed",
    "4 Thu",
    "5 Fri",
    "6 Sat",
    "7 Sun",
)  # they sort as they follow each other
HOURS = tuple(f"{hour:02}" for hour in range(24))
# An id since November 2010 is a snowflake: its upper bits are milliseconds since this moment.
SNOWFLAKES_BEGIN = datetime(2010, 11, 4, 1, 42, 54, 657_000, UTC)
MILLISECOND = timedelta(milliseconds=1)
FIRST_SNOWFLAKE, SEQUENCE_BITS = 30_000_000_000, 22
_X_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


encode = msgspec.json.Encoder().encode


def create_action(
    tweet: Tweet, headers: Iterable[tuple[str, bytes | None]], now: datetime | None, zone: tzinfo = UTC
) -> bytes:
    """A tweet and its record's headers -> its two lines of a _bulk body. Raises NotATweet without an id."""
    made = document(tweet, header(headers, "received_at"), now, zone)
    return b'{"create":{"_id":"%s"}}\n%s\n' % (made.id.encode(), encode(made))


def document(tweet: Tweet, received_at: str | None, now: datetime | None, zone: tzinfo = UTC) -> Document:
    """A tweet -> its document. Raises NotATweet without an id.

    `now`: when it is handed to Elasticsearch; None in a rebuild, where that says nothing. `zone`: for the
    hour and the weekday at which it was written.
    """
    data, id_ = tweet.data, tweet.id
    users = {user.id: user for user in (tweet.includes and tweet.includes.users) or () if user.id}
    referenced: dict[str, str] = {}
    for reference in data.references:
        if reference.id and reference.type in KINDS:
            referenced.setdefault(KINDS[reference.type], reference.id)
    kind = next((each for each in PRECEDENCE if each in referenced), "post")
    original = None
    if kind in ("retweet", "quote"):
        original = next((post for post in tweet.along if post.id == referenced[kind]), None)
    # A retweet's own text and entities are cut at about 140 characters; the whole is in the original.
    said = original if kind == "retweet" and original else data
    created_at, created = written(tweet)
    received_at, received = _moment(received_at)
    made = Document(
        id=id_,
        kind=kind,
        is_retweet=int(kind == "retweet"),
        text=_whole_text(said),
        created_at=created_at,
        received_at=received_at,
        arrival_delay_ms=_milliseconds_between(created, received),
        index_delay_ms=_milliseconds_between(received, now),
        lang=data.lang or None,
        original_id=referenced.get("retweet") or referenced.get("quote"),
        reply_to_id=referenced.get("reply"),
        conversation_id=data.conversation_id or None,
        author=_author(users.get(data.author_id or ""), data.author_id),
        metrics=_counts(Metrics(), data.public_metrics),
        original=_original(original, users),
        place=_place(tweet),
        rules=_unique([rule.tag for rule in tweet.matching_rules or ()]),
        edit_root_id=(data.versions or (None,))[0] or None,
    )
    _add_entities(made, said)
    if created and 1 < created.year < 9999:  # beyond these another zone's time may not exist
        local = created.astimezone(zone)
        made.local_hour, made.local_weekday = HOURS[local.hour], WEEKDAYS[local.weekday()]
    return made


# parts


def _whole_text(post: Post) -> str | None:
    note = post.note_tweet or post.note_post
    text = (note and note.text) or post.text
    if not text or "&" not in text:
        return text or None
    try:
        return html.unescape(text)  # X escapes &, < and >
    except ValueError:  # &# and more digits than Python reads as a number: not X's
        return text


def _add_entities(made: Document, post: Post) -> None:
    note = post.note_tweet or post.note_post
    entities = (note and note.entities) or post.entities
    if not entities:
        return
    if entities.hashtags:
        made.hashtags = _unique([_same_tag(each.tag) for each in entities.hashtags if each.tag])
    if entities.cashtags:
        made.cashtags = _unique([each.tag.upper() for each in entities.cashtags if each.tag])
    if entities.mentions:
        made.mentions = _unique([each.username.lower() for each in entities.mentions if each.username])
    if entities.urls:
        made.urls = _unique([each.unwound_url or each.expanded_url for each in entities.urls])
        made.domains = _unique([_domain(url) for url in made.urls])


def _same_tag(tag: str) -> str:
    """#Kafka and #kafka, and the two ways to write an accent, count as one."""
    return unicodedata.normalize("NFC", tag).casefold()


def _domain(url: str) -> str | None:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return None
    host = host.removeprefix("www.")
    return host if "." in host and host not in OWN_DOMAINS else None


def _author(user: User | None, id_: str | None) -> Author | None:
    if not user:
        return Author(id=id_) if id_ else None
    made = Author(
        id_, user.username or None, user.name or None, verified=user.verified,
        verified_type=user.verified_type or None, created_at=_moment(user.created_at)[0],
    )  # fmt: skip
    if counts := user.public_metrics:
        made.followers, made.following = counts.followers_count, counts.following_count
        made.tweets = counts.post_count if counts.tweet_count is None else counts.tweet_count
    return made


def _counts(made: Metrics, counts: PostCounts | None) -> Metrics | None:
    if not counts:
        return None
    made.likes, made.quotes, made.replies = counts.like_count, counts.quote_count, counts.reply_count
    made.retweets = counts.repost_count if counts.retweet_count is None else counts.retweet_count
    made.bookmarks, made.impressions = counts.bookmark_count, counts.impression_count
    return made


def _original(post: Post | None, users: dict[str, User]) -> Original | None:
    if not post:
        return None
    author = users.get(post.author_id or "")
    made = Original(
        created_at=_moment(post.created_at)[0],
        author=(author and author.username) or None,
        text=_whole_text(post),
    )
    _counts(made, post.public_metrics)
    return made


def _place(tweet: Tweet) -> Place | None:
    geo, places = tweet.data.geo, (tweet.includes and tweet.includes.places) or ()
    if not geo:
        return None
    place = next((each for each in places if each.id and each.id == geo.place_id), None)
    point = geo.coordinates and geo.coordinates.coordinates
    if not place:
        return Place(location=_location(*point)) if point else None
    if not point and place.geo and place.geo.bbox:
        west, south, east, north = place.geo.bbox
        point = ((west + east) / 2, (south + north) / 2)
    return Place(
        place.full_name or None,
        place.country or None,
        place.country_code or None,
        _location(*point) if point else None,
    )


def _location(longitude: float, latitude: float) -> Location | None:
    return Location(latitude, longitude) if abs(longitude) <= 180 and abs(latitude) <= 90 else None


def _moment(value: str | None) -> tuple[str, datetime] | tuple[None, None]:
    """A point in time as X writes it, `2026-11-23T12:00:00.000Z`, and parsed; other ISO 8601 times are brought to
    that form."""
    if not value:
        return None, None
    try:
        moment = datetime.fromisoformat(value)
        if _X_TIME.fullmatch(value):
            return value, moment
        return (timestamp(moment), moment) if moment.tzinfo else (None, None)
    except (ValueError, OverflowError):
        return None, None


def written(tweet: Tweet) -> tuple[str, datetime] | tuple[None, None]:
    """When a tweet was written, as its document says it: by X's word, else by its id."""
    moment = _moment(tweet.data.created_at)
    return moment if moment[1] else birth(tweet.id)


def birth(id_: str) -> tuple[str, datetime] | tuple[None, None]:
    """When a tweet was made, by its id: X leaves `created_at` out at times."""
    if not FIRST_SNOWFLAKE <= int(id_) <= LARGEST_LONG:
        return None, None
    moment = SNOWFLAKES_BEGIN + timedelta(milliseconds=int(id_) >> SEQUENCE_BITS)
    return timestamp(moment), moment


def _milliseconds_between(start: datetime | None, end: datetime | None) -> int | None:
    if not start or not end:
        return None
    return round((end - start) / MILLISECOND)


def _unique(values: Iterable[str | None]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value]
