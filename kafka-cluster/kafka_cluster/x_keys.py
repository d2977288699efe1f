"""Which of X's keys `.env` holds, and what can be done with them. X itself is not asked."""

from kafka_cluster.settings import Settings

FOR_STREAM = ("api_key", "api_secret")
KEYS = (*FOR_STREAM, "access_token", "access_token_secret")


def can_read_x(settings: Settings) -> bool:
    """True where stream, rules and search can be asked for."""
    return all(getattr(settings, name) for name in FOR_STREAM)


def what_the_keys_allow(settings: Settings) -> str:
    """What can be done with the keys that `.env` holds."""
    if can_read_x(settings):
        user = settings.access_token and settings.access_token_secret
        also = "; access_token and access_token_secret are not needed" if user else ""
        return f"the keys in .env allow stream, rules and search{also}"
    given = [name for name in KEYS if getattr(settings, name)]
    return f"with {' and '.join(given)} alone nothing can be read" if given else "there are no keys in .env"
