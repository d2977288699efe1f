"""What Elasticsearch gets of a tweet, as types; what the tweet lacks is left out. tweet-index.json has the mapping."""

from msgspec import Struct


class Author(Struct, omit_defaults=True):
    id: str | None = None
    username: str | None = None
    name: str | None = None
    followers: int | None = None
    following: int | None = None
    tweets: int | None = None
    verified: bool | None = None
    verified_type: str | None = None
    created_at: str | None = None


class Metrics(Struct, omit_defaults=True):
    likes: int | None = None
    retweets: int | None = None
    quotes: int | None = None
    replies: int | None = None
    bookmarks: int | None = None
    impressions: int | None = None


class Original(Metrics):
    """The tweet that was retweeted or quoted, with its counts at the moment of this record."""

    created_at: str | None = None
    author: str | None = None
    text: str | None = None


class Location(Struct):
    lat: float
    lon: float


class Place(Struct, omit_defaults=True):
    full_name: str | None = None
    country: str | None = None
    country_code: str | None = None
    location: Location | None = None


class Document(Struct, omit_defaults=True):
    """What Elasticsearch gets; what the tweet lacks is left out."""

    id: str
    kind: str
    is_retweet: int  # its average is the share of retweets
    text: str | None = None
    created_at: str | None = None
    received_at: str | None = None
    arrival_delay_ms: int | None = None
    index_delay_ms: int | None = None
    local_hour: str | None = None
    local_weekday: str | None = None
    lang: str | None = None
    original_id: str | None = None
    reply_to_id: str | None = None
    conversation_id: str | None = None
    hashtags: list[str] = []
    cashtags: list[str] = []
    mentions: list[str] = []
    urls: list[str] = []
    domains: list[str] = []
    author: Author | None = None
    metrics: Metrics | None = None
    original: Original | None = None
    place: Place | None = None
    rules: list[str] = []
    edit_root_id: str | None = None
