"""What a server answers by HTTP, for the doctor's checks: one quick question, and one line where it fails."""

import time
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from kafka_cluster.broker_diagnosis import unreachable
from kafka_cluster.reachable import address_of
from kafka_cluster.script import UserError
from kafka_cluster.tls import trusted_cas

ANSWER_SECONDS = 4.0
DATE_LENGTH = len("Thu, 26 Nov 2026 17:21:24 GMT")


def ask(url: str, ca_file: str = "", **options: Any) -> requests.Response:
    """GET; `options`: of `requests`, such as `auth`. Raises UserError, with the reason alone, where nothing answers."""
    if why := unreachable(*address_of(url)):
        raise UserError(why)
    try:
        return requests.get(
            url, timeout=ANSWER_SECONDS, allow_redirects=False, verify=trusted_cas(ca_file), **options
        )
    except requests.Timeout:
        raise UserError(f"no answer within {ANSWER_SECONDS:.0f} s") from None
    except requests.RequestException as error:
        raise UserError(type(error).__name__) from None


def body_of(answer: requests.Response, whose: str) -> dict[str, Any]:
    """The JSON object. Raises UserError for anything else."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not answer.ok or not isinstance(body, dict):
        raise UserError(f"{whose} answers HTTP {answer.status_code}: {answer.text[:200]}")
    return body


def date_of(answer: requests.Response) -> float:
    """Seconds since 1970 of an answer's Date, which Hadoop sends twice in one; now where there is none."""
    try:
        return parsedate_to_datetime(answer.headers.get("Date", "")[:DATE_LENGTH]).timestamp()
    except ValueError:
        return time.time()
