"""Options of the Elasticsearch clients, the same for every script: where, as whom, and by which CA."""

from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth

from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.tls import trusted_cas


def elasticsearch_options(settings: Settings, user: str | None = None) -> dict[str, Any]:
    """What every client gets; an API key goes before user and password. `user`: one of ELASTICSEARCH_USERS."""
    url = urlsplit(settings.elasticsearch_url)
    port = url.port or (443 if url.scheme == "https" else 80)  # the client wants one
    options: dict[str, Any] = {
        "hosts": f"{url.scheme}://{url.netloc.removesuffix(f':{port}')}:{port}{url.path}"
    }
    if settings.elasticsearch_api_key:
        options["api_key"] = settings.elasticsearch_api_key
    else:
        options["basic_auth"] = settings.login(user)
    if url.scheme == "https":
        options["ca_certs"] = trusted_cas(settings.elasticsearch_ca_file)
    return options


class HttpLogin(AuthBase):
    """The same login for `requests`."""

    def __init__(self, settings: Settings, user: str | None = None) -> None:
        self._key, self._basic = settings.elasticsearch_api_key, HTTPBasicAuth(*settings.login(user))

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """The request, with the login in its headers."""
        if not self._key:
            return self._basic(request)
        request.headers["Authorization"] = f"ApiKey {self._key}"
        return request


def kibana_login(settings: Settings, user: str | None = None) -> HttpLogin:
    """Kibana asks Elasticsearch. Raises UserError for a key that would go there without TLS."""
    if settings.elasticsearch_api_key and not settings.kibana_url.startswith("https:"):
        raise UserError(
            f"elasticsearch_api_key would go to {settings.kibana_url} unencrypted: write https:// in kibana_url"
        )
    return HttpLogin(settings, user)


def require_login(settings: Settings, user: str | None = None) -> None:
    """Raise UserError where there is nothing to log in with."""
    if not has_login(settings, user):
        raise UserError(
            "elasticsearch_password is not set: put it into .env (python3 kafka-cluster/cluster.py init does), "
            "or an elasticsearch_api_key"
        )


def has_login(settings: Settings, user: str | None = None) -> bool:
    """True if there is a password or an API key."""
    return bool(settings.login(user)[1] or settings.elasticsearch_api_key)


def login_name(settings: Settings, user: str | None = None) -> str:
    """Who logs in, in words that hold no secret."""
    return "elasticsearch_api_key" if settings.elasticsearch_api_key else settings.login(user)[0]


def login_cure(settings: Settings) -> str:
    """What to check when Elasticsearch or Kibana refuses the login."""
    if settings.elasticsearch_api_key:
        return "check elasticsearch_api_key in .env"
    return "check elasticsearch_user, elasticsearch_password and elasticsearch_..._password in .env"
