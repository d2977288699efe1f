"""What to do after an answer of Elasticsearch's _bulk. Pure."""

from enum import Enum

# Wait and try again: queues full, disk watermark, an index set read-only, shards or nodes away, an operator's slip.
WAIT_STATUS = {404, 408, 429, 500, 502, 503, 504}
WAIT_ERRORS = {"cluster_block_exception", "index_closed_exception", "unavailable_shards_exception"}


class Verdict(Enum):
    """Of one item, or of a whole request that was refused."""

    NEW = "the document was created"
    EXISTING = "a document with this id is there already"
    AGAIN = "wait, and send it again"
    FORBIDDEN = "a person must look at user and password"
    POISON = "it will never be taken"


def verdict(status: int, error: str | None) -> Verdict:
    """By an item's or a request's status and its type of error. A request that is POISON holds one that is."""
    if status < 300:
        return Verdict.NEW
    if status == 409:
        return Verdict.EXISTING
    if status in WAIT_STATUS or error in WAIT_ERRORS:
        return Verdict.AGAIN
    return Verdict.FORBIDDEN if status in (401, 403) else Verdict.POISON
