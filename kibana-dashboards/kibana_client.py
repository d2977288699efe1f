"""The two calls of Kibana's HTTP API that the import needs, and what its answers mean."""

import contextlib
import time
from typing import Any

import requests

from kafka_cluster.elasticsearch_options import kibana_login, login_cure, login_name, require_login
from kafka_cluster.reachable import tls_trouble
from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings
from kafka_cluster.tls import trusted_cas

Json = dict[str, Any]

REQUEST_SECONDS = 30
CHECK_SECONDS = 1.0


class Kibana:
    """Kibana at `kibana_url`, as `elasticsearch_user`."""

    def __init__(self, settings: Settings) -> None:
        require_login(settings)
        self._url, self._settings = settings.kibana_url, settings
        self._session = requests.Session()
        self._session.auth = kibana_login(settings)
        self._session.headers["kbn-xsrf"] = "true"  # Kibana takes no write without it

    def wait_until_ready(self, seconds: float) -> None:
        """Ask until Kibana says that it is available. Raises UserError."""
        deadline = time.monotonic() + seconds
        while why := self._not_ready():
            if time.monotonic() > deadline:
                raise UserError(
                    f"Kibana does not get ready at {self._url} ({why}): does it run (docker-compose ps), "
                    "and is kibana_url right?"
                )
            time.sleep(min(CHECK_SECONDS, max(0.05, deadline - time.monotonic())))

    def import_objects(self, ndjson: str) -> list[str]:
        """Import, over what is there; returns a line for each object. Raises UserError if one is refused."""
        try:
            answer = self._answer(
                "POST", "/api/saved_objects/_import", params={"overwrite": "true"},
                files={"file": ("dashboards.ndjson", ndjson.encode(), "application/ndjson")},
            )  # fmt: skip
        except requests.RequestException as error:
            raise UserError(
                f"Kibana at {self._url} was ready, but gave no answer to the dashboards ({type(error).__name__}): "
                "it may be busy with its first start; run import_dashboards.py again"
            ) from None
        body = self._json(answer)
        if not answer.ok:
            raise UserError(f"Kibana refuses the dashboards: {words(body, answer)}")
        if body.get("success") is not True:  # HTTP 200 says only that it was read
            faults = [refusal(error) for error in parts(body, "errors")] or [words(body, answer)]
            raise UserError("Kibana refuses the dashboards: " + "; ".join(faults))
        return [imported(each) for each in parts(body, "successResults")]

    def _not_ready(self) -> str:
        """Why Kibana can't be used yet; empty if it can."""
        try:
            answer = self._answer("GET", "/api/status")
        except requests.RequestException as error:
            self._raise_if_tls_is_the_trouble()
            return type(error).__name__
        level = part(part(self._json(answer), "status"), "overall").get("level")
        return "" if level == "available" else f"HTTP {answer.status_code}, {level or 'no status'}"

    def _answer(self, method: str, path: str, **options: Any) -> requests.Response:
        answer = self._session.request(
            method, self._url + path, timeout=REQUEST_SECONDS, allow_redirects=False,
            verify=trusted_cas(self._settings.elasticsearch_ca_file), **options,
        )  # fmt: skip
        if answer.status_code in (401, 403):
            raise UserError(
                f"Kibana at {self._url} refuses {login_name(self._settings)} "
                f"({words(self._json(answer), answer)}): {login_cure(self._settings)}"
            )
        return answer

    def _raise_if_tls_is_the_trouble(self) -> None:
        """Waiting would not mend it."""
        ca_file = self._settings.elasticsearch_ca_file
        with contextlib.suppress(OSError):
            if fault := tls_trouble(self._url, "kibana_url", ca_file, "elasticsearch_ca_file"):
                raise UserError(f"Kibana at {self._url} {fault}")

    @staticmethod
    def _json(answer: requests.Response) -> Json:
        try:
            body = answer.json()
        except requests.JSONDecodeError:
            return {}
        return body if isinstance(body, dict) else {}


def part(body: Json, name: str) -> Json:
    """The object of that name; an empty one where something else answers, or another version."""
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def parts(body: Json, name: str) -> list[Json]:
    """The objects in the list of that name."""
    found = body.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def words(body: Json, answer: requests.Response) -> str:
    """Kibana's own words, or what there is instead of them."""
    return str(body.get("message") or body.get("error") or f"HTTP {answer.status_code} {answer.reason}")


def refusal(error: Json) -> str:
    """Why one object was refused."""
    title = part(error, "meta").get("title") or error.get("id")
    why = part(error, "error")
    missing = [f"{each.get('type')} {each.get('id')}" for each in parts(why, "references")]
    reason = why.get("message") or why.get("type") or "no reason given"
    return f"{error.get('type')} {title}: {reason}" + (f" ({', '.join(missing)})" if missing else "")


def imported(result: Json) -> str:
    """One object that was taken."""
    title = part(result, "meta").get("title") or result.get("id")
    return f"{'replaced' if result.get('overwrite') else 'made'} {result.get('type')} {title}"
