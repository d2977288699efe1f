"""How we reach X's API, or the simulator in its place: sessions, keys, the guard. Everything goes through tweepy."""

from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings

X_URL = "https://api.twitter.com"  # tweepy asks this host; it is X's
HTTP_SECONDS = 20

FOR_STREAM = ("api_key", "api_secret")


class RedirectingAdapter(HTTPAdapter):
    """Sends what tweepy asks of X to another address. Mounted on a client's `session`, as requests provides for."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send it to the same path elsewhere."""
        request.url = self._url + (request.url or "").removeprefix(X_URL)
        return super().send(request, *args, **options)


def redirect(session: requests.Session, url: str) -> None:
    """Let a session reach `url` where X is meant."""
    if url != X_URL:
        session.mount(X_URL, RedirectingAdapter(url))


def bearer_token(settings: Settings, url: str = X_URL) -> str:
    """Ask for an app's bearer token. Raises UserError with X's own words where the keys are refused."""
    missing = [name for name in FOR_STREAM if not getattr(settings, name)]
    if missing:
        raise UserError(f"{what_the_keys_allow(settings)}: the stream needs {' and '.join(missing)} in .env")
    try:
        answer = requests.post(
            f"{url}/oauth2/token", auth=(settings.api_key, settings.api_secret),
            data={"grant_type": "client_credentials"}, timeout=HTTP_SECONDS,
        )  # fmt: skip
        body = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise UserError(f"can't ask {urlsplit(url).hostname} for a token: {type(error).__name__}") from None
    token = body.get("access_token") if isinstance(body, dict) else None
    if answer.status_code != 200 or not isinstance(token, str):
        raise UserError(f"X refuses api_key and api_secret (HTTP {answer.status_code}: {in_words(body)})")
    return token


def what_the_keys_allow(settings: Settings) -> str:
    """What can be done with the keys that `.env` holds."""
    app = bool(settings.api_key and settings.api_secret)
    user = bool(settings.access_token and settings.access_token_secret)
    if app:
        return "the keys in .env allow stream, rules and search" + (", also as a user" if user else "")
    if user:
        return "access_token and access_token_secret alone allow nothing"
    return "there are no keys in .env"


def in_words(body: Any) -> str:
    """What X says in a body of an error, on one printable line."""
    if isinstance(body, dict):
        errors = body.get("errors") or [body]
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else body
        body = (
            " - ".join(str(first[key]) for key in ("title", "detail", "message", "label") if first.get(key))
            or body
        )
    return "".join(c if c.isprintable() else " " for c in str(body))[:300]
