"""The two calls of Kibana's HTTP API that the import needs, and what its answers mean."""

import time
from typing import Any

import requests

from kafka_cluster.script import UserError
from kafka_cluster.settings import Settings

Json = dict[str, Any]

REQUEST_SECONDS = 30
CHECK_SECONDS = 1.0


class Kibana:
    """Kibana at `kibana_url`, as `elasticsearch_user`."""

    def __init__(self, settings: Settings) -> None:
        if not settings.elasticsearch_password:
            raise UserError(
                "elasticsearch_password is not set: put it into .env (python3 kafka-cluster/cluster.py init does)"
            )
        self._url, self._user = settings.kibana_url, settings.elasticsearch_user
        self._session = requests.Session()
        self._session.auth = (settings.elasticsearch_user, settings.elasticsearch_password)
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
        answer = self._answer(
            "POST", "/api/saved_objects/_import", params={"overwrite": "true"},
            files={"file": ("dashboards.ndjson", ndjson.encode(), "application/ndjson")},
        )  # fmt: skip
        body = self._json(answer)
        if not answer.ok:
            raise UserError(f"Kibana refuses the dashboards: {words(body, answer)}")
        if body.get("success") is not True:  # HTTP 200 says only that it was read
            faults = [refusal(error) for error in body.get("errors", [])] or [words(body, answer)]
            raise UserError("Kibana refuses the dashboards: " + "; ".join(faults))
        return [imported(each) for each in body.get("successResults", [])]

    def _not_ready(self) -> str:
        """Why Kibana can't be used yet; empty if it can."""
        try:
            answer = self._answer("GET", "/api/status")
        except requests.RequestException as error:
            return type(error).__name__
        level = self._json(answer).get("status", {}).get("overall", {}).get("level")
        return "" if level == "available" else f"HTTP {answer.status_code}, {level or 'no status'}"

    def _answer(self, method: str, path: str, **options: Any) -> requests.Response:
        answer = self._session.request(
            method, self._url + path, timeout=REQUEST_SECONDS, allow_redirects=False, **options
        )
        if answer.status_code in (401, 403):
            raise UserError(
                f"Kibana at {self._url} refuses {self._user} ({words(self._json(answer), answer)}): "
                "check elasticsearch_user and elasticsearch_password in .env"
            )
        return answer

    @staticmethod
    def _json(answer: requests.Response) -> Json:
        try:
            body = answer.json()
        except requests.JSONDecodeError:
            return {}
        return body if isinstance(body, dict) else {}


def words(body: Json, answer: requests.Response) -> str:
    """Kibana's own words, or what there is instead of them."""
    return str(body.get("message") or body.get("error") or f"HTTP {answer.status_code} {answer.reason}")


def refusal(error: Json) -> str:
    """Why one object was refused."""
    title = error.get("meta", {}).get("title") or error.get("id")
    why = error.get("error", {})
    missing = [f"{each['type']} {each['id']}" for each in why.get("references", [])]
    reason = why.get("message") or why.get("type") or "no reason given"
    return f"{error.get('type')} {title}: {reason}" + (f" ({', '.join(missing)})" if missing else "")


def imported(result: Json) -> str:
    """One object that was taken."""
    title = result.get("meta", {}).get("title") or result["id"]
    return f"{'replaced' if result.get('overwrite') else 'made'} {result['type']} {title}"
