"""The parts of the stream's v2 object that are read here, as types. Pure.

Both vocabularies of the X API are read, that before and that after its OpenAPI 2.167 (referenced_tweets and
referenced_posts, and so on). X may send anything in an optional field: what does not fit its type is left out, and
the rest is read. msgspec checks a whole object in C; field by field in Python took 3.5 times as long.
"""

from inspect import isclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from msgspec import Meta, Struct, ValidationError, convert
from msgspec.json import Decoder
from msgspec.structs import fields

from kafka_cluster.message import NotATweet, is_tweet_id, parse_tweet

LARGEST_LONG = 2**63 - 1
Count = Annotated[int, Meta(ge=0, le=LARGEST_LONG)]


class Tag(Struct, gc=False):
    """A hashtag, a cashtag, or a rule that the post matches."""

    tag: str | None = None


class Mention(Struct, gc=False):
    username: str | None = None


class Url(Struct, gc=False):
    expanded_url: str | None = None
    unwound_url: str | None = None


class Entities(Struct):
    hashtags: list[Tag] | None = None
    cashtags: list[Tag] | None = None
    mentions: list[Mention] | None = None
    urls: list[Url] | None = None


class PostCounts(Struct, gc=False):
    """`public_metrics` of a post."""

    like_count: Count | None = None
    retweet_count: Count | None = None
    repost_count: Count | None = None
    quote_count: Count | None = None
    reply_count: Count | None = None
    bookmark_count: Count | None = None
    impression_count: Count | None = None


class UserCounts(Struct, gc=False):
    """`public_metrics` of a user."""

    followers_count: Count | None = None
    following_count: Count | None = None
    tweet_count: Count | None = None
    post_count: Count | None = None


class Reference(Struct, gc=False):
    type: str | None = None
    id: str | None = None


class Note(Struct):
    """What a post of more than 280 characters says, whole."""

    text: str | None = None
    entities: Entities | None = None


class Point(Struct):
    """Longitude, latitude."""

    coordinates: tuple[float, float] | None = None


class Geo(Struct):
    place_id: str | None = None
    coordinates: Point | None = None


class Post(Struct):
    id: str | None = None
    text: str | None = None
    author_id: str | None = None
    created_at: str | None = None
    lang: str | None = None
    conversation_id: str | None = None
    entities: Entities | None = None
    public_metrics: PostCounts | None = None
    referenced_tweets: list[Reference] | None = None
    referenced_posts: list[Reference] | None = None
    note_tweet: Note | None = None
    note_post: Note | None = None
    geo: Geo | None = None
    edit_history_tweet_ids: list[str] | None = None
    edit_history_post_ids: list[str] | None = None

    @property
    def references(self) -> list[Reference]:
        return [*(self.referenced_tweets or ()), *(self.referenced_posts or ())]

    @property
    def versions(self) -> list[str]:
        """The ids that the post had through its edits, oldest first."""
        return [*(self.edit_history_tweet_ids or ()), *(self.edit_history_post_ids or ())]


class User(Struct):
    id: str | None = None
    username: str | None = None
    name: str | None = None
    verified: bool | None = None
    verified_type: str | None = None
    created_at: str | None = None
    public_metrics: UserCounts | None = None


class Box(Struct):
    """West, south, east, north."""

    bbox: tuple[float, float, float, float] | None = None


class Place(Struct):
    id: str | None = None
    full_name: str | None = None
    country: str | None = None
    country_code: str | None = None
    geo: Box | None = None


class Includes(Struct):
    """What X sends along in full."""

    users: list[User] | None = None
    tweets: list[Post] | None = None
    posts: list[Post] | None = None
    places: list[Place] | None = None


class Tweet(Struct):
    """A record's value: one post, `data`, and what belongs to it."""

    data: Post
    includes: Includes | None = None
    matching_rules: list[Tag] | None = None

    @property
    def id(self) -> str:
        """The post's id. Raises NotATweet where it is none."""
        if is_tweet_id(self.data.id):
            return self.data.id  # type: ignore[return-value]
        raise NotATweet("data.id is not a string of up to 20 digits")

    @property
    def along(self) -> list[Post]:
        """The posts that X sent along: what this one retweets, quotes or answers."""
        return [*(self.includes.tweets or ()), *(self.includes.posts or ())] if self.includes else []


_decode = Decoder(Tweet).decode


def read_tweet(value: bytes | None) -> Tweet:
    """Parse a record's value. Raises NotATweet unless it is an object whose `data` is an object."""
    try:
        (value or b"").decode()  # what msgspec skips may be no UTF-8
        return _decode(value or b"")
    except (ValueError, RecursionError):
        return _fitting(parse_tweet(value), Tweet)


def _fitting(value: Any, type_: Any) -> Any:
    """What of a value fits a type of above, else None; an object without the fields that don't, a list likewise."""
    try:
        return convert(value, type_)
    except ValidationError:
        pass
    if get_origin(type_) in (Union, UnionType):  # something or None
        return _fitting(value, get_args(type_)[0])
    if get_origin(type_) is list and isinstance(value, list):
        (item,) = get_args(type_)
        return [fits for each in value if (fits := _fitting(each, item)) is not None]
    if isclass(type_) and issubclass(type_, Struct) and isinstance(value, dict):
        types = {field.name: field.type for field in fields(type_)}
        return type_(**{name: _fitting(value[name], types[name]) for name in types.keys() & value.keys()})
    return None
