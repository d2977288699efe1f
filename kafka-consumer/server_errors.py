"""What servers that are away, starting or in trouble make a script raise; it may be run again after any of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from elasticsearch import ApiError, TransportError
from elasticsearch.helpers import ScanError
from hdfs import HdfsError
from kafka.errors import KafkaError
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from archive_reader import Torn
from hdfs_client import NotYes
from kafka_cluster.script import UserError
from sink import StopLoudly
from topic_guard import Unclear

SERVER_ERRORS = (
    ApiError, TransportError, ScanError, HdfsError, RequestException, HTTPError, KafkaError, StopLoudly, Torn, NotYes,
    Unclear,
)  # fmt: skip


@contextmanager
def run_again_after(what: str) -> Iterator[None]:
    """Around the work of a script: a server's trouble is a UserError, which says that `what` has ended."""
    try:
        yield
    except SERVER_ERRORS as error:
        raise UserError(f"{what} ended, run it again: {type(error).__name__}: {error}") from None
