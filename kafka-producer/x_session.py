"""How we reach X's API, or the simulator in its place: sessions, keys, the guard. Everything goes through tweepy."""

import logging
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from kafka_cluster.plain_text import printable
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.x_keys import FOR_STREAM, what_the_keys_allow

X_URL = "https://api.twitter.com"  # tweepy asks this host; it is X's
HTTP_SECONDS = 20.0

PASSING = (408, 420, 425, 429)
WHAT_TO_DO = {
    400: "X does not take this request: see the rule or query that it names",
    401: "check api_key and api_secret in .env",
    402: "the account has no credit left: see the developer portal",
    403: "the app may not do this: see its project and access level in the developer portal",
    409: "the stream has no rules: check rules_file",
}

# at DEBUG this logger writes the bearer token
logging.getLogger("tweepy.client").setLevel(logging.INFO)


class RedirectingAdapter(HTTPAdapter):
    """Sends what tweepy asks of X to `url`, never without a time-out. Mounted on a client's documented `session`."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send it to the same path there."""
        request.url = self._url + (request.url or "").removeprefix(X_URL)
        if options.get("timeout") is None:  # tweepy's client gives none
            options["timeout"] = HTTP_SECONDS
        return super().send(request, *args, **options)


def direct(session: requests.Session, url: str) -> None:
    """Let a session reach `url` where tweepy asks X."""
    session.mount(X_URL, RedirectingAdapter(url))


def bearer_token(settings: Settings, url: str = X_URL) -> str:
    """Ask for an app's bearer token. Raises UserError with X's own words where the keys are refused."""
    missing = [name for name in FOR_STREAM if not getattr(settings, name)]
    if missing:
        raise UserError(f"{what_the_keys_allow(settings)}: X needs {' and '.join(missing)} in .env")
    try:
        answer = requests.post(
            f"{url}/oauth2/token", auth=(settings.api_key, settings.api_secret),
            data={"grant_type": "client_credentials"}, timeout=HTTP_SECONDS,
        )  # fmt: skip
    except requests.RequestException as error:
        raise UserError(f"can't ask {urlsplit(url).hostname} for a token: {type(error).__name__}") from None
    except UnicodeError:
        raise UserError("api_key and api_secret in .env hold characters that no key of X's has") from None
    body = body_of(answer)
    token = body.get("access_token") if isinstance(body, dict) else None
    if answer.status_code != 200 or not isinstance(token, str):
        raise UserError(f"X refuses api_key and api_secret (HTTP {answer.status_code}: {in_words(body)})")
    return token


def refusal(what: str, answer: requests.Response) -> UserError | None:
    """What a person has to be told of X's answer; None where it is a success, or trouble that passes."""
    status, body = answer.status_code, body_of(answer)
    if status == 429 and isinstance(body, dict) and body.get("title") == "UsageCapExceeded":
        return UserError(f"X refuses {what} ({in_words(body)}): the account's cap is reached")
    if not 400 <= status < 500 or status in PASSING:
        return None
    advice = WHAT_TO_DO.get(status, "see the developer portal")
    return UserError(f"X refuses {what} (HTTP {status}: {in_words(body)}): {advice}")


def retry_at(answer: requests.Response) -> float | None:
    """When X takes a request again (seconds since 1970), where its limit of requests is used up."""
    if answer.headers.get("x-rate-limit-remaining", "0") != "0":
        return None  # it was refused for something else: such as another connection
    reset = answer.headers.get("x-rate-limit-reset", "")
    return float(reset) if reset.isdigit() else None


def body_of(answer: requests.Response) -> Any:
    """The JSON of an answer, else what HTTP calls it."""
    try:
        return answer.json()
    except (ValueError, RecursionError, requests.RequestException):
        return answer.reason or "no answer in JSON"


def in_words(body: Any) -> str:
    """What X says in a body of an error, on one printable line."""
    if isinstance(body, dict):
        errors = body.get("errors") or [body]
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else body
        given = (first.get(key) for key in ("title", "reason", "detail", "message", "label"))
        body = " - ".join(str(word) for word in given if word and isinstance(word, str | int)) or body
    try:
        text = str(body)
    except RecursionError:
        text = "an answer that is nested without end"
    return printable(text)[:300]
