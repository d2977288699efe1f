"""Columns of a Lens layer: what is counted, and by what it is grouped. Ids are the reader's; "n" is the count."""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

RECORDS = "___records___"
PERCENT: Json = {"id": "percent", "params": {"decimals": 1}}
MILLISECONDS: Json = {"id": "number", "params": {"decimals": 0, "suffix": " ms"}}
WHOLE: Json = {"id": "number", "params": {"decimals": 0}}


# figures


def count(label: str, where: str | None = None, shift: str | None = None) -> Json:
    """How many documents; `where`: only those that this KQL matches."""
    return _column(label, "count", RECORDS, "number", where=where, shift=shift, params={"emptyAsNull": False})


def figure(
    operation: str, field: str, label: str, format_: Json = WHOLE, shift: str | None = None,
    per_minute: bool = False,
) -> Json:  # fmt: skip
    """A number of a field: sum, average, max, unique_count; `per_minute`: scaled from the bucket to a minute."""
    column = _column(label, operation, field, "number", shift=shift)
    column["params"] = {"emptyAsNull": False, "format": format_}
    return column | ({"timeScale": "m"} if per_minute else {})


def percentile(field: str, percent: int, label: str) -> Json:
    """The value in milliseconds below which so many percent lie."""
    return _column(
        label, "percentile", field, "number", params={"percentile": percent, "format": MILLISECONDS}
    )


def latest(field: str, label: str, time_field: str, text: bool = False) -> Json:
    """The value that the newest document has. A `text` field has no doc values: it is shown from the source."""
    column = _column(label, "last_value", field, "string", where=f"{field}: *")
    column["scale"] = "ordinal"
    column["params"] = {"sortField": time_field, "showArrayValues": text}
    return column


# groups


def top(field: str, size: int, label: str, by: str = "n", others: bool = False) -> Json:
    """The values with the highest figure in column `by`; `others`: and all the rest as one."""
    return _terms(field, size, label, {"type": "column", "columnId": by}, "desc", others)


def every(field: str, size: int, label: str) -> Json:
    """All values, in the order of the alphabet."""
    return _terms(field, size, label, {"type": "alphabetical"}, "asc", others=False)


def over_time(field: str) -> Json:
    """Buckets of time, as wide as suits the time range."""
    column = _column(field, "date_histogram", field, "date", bucket=True)
    column |= {"customLabel": False, "scale": "interval"}
    column["params"] = {"interval": "auto", "includeEmptyRows": True, "dropPartials": False}
    return column


def ranges(field: str, limits: Sequence[tuple[float | None, float | None, str]], label: str) -> Json:
    """Groups from (inclusive), to (exclusive), with a name each; None is open."""
    column = _column(label, "range", field, "number", bucket=True)
    column["scale"] = "ordinal"
    column["params"] = {
        "type": "range",
        "ranges": [{"from": start, "to": end, "label": name} for start, end, name in limits],
        "maxBars": "auto",
    }
    return column


def _terms(field: str, size: int, label: str, order: Json, direction: str, others: bool) -> Json:
    column = _column(label, "terms", field, "string", bucket=True)
    column["scale"] = "ordinal"
    column["params"] = {
        "size": size, "orderBy": order, "orderDirection": direction, "otherBucket": others,
        "missingBucket": False, "parentFormat": {"id": "terms"}, "include": [], "exclude": [],
        "includeIsRegex": False, "excludeIsRegex": False,
        "accuracyMode": True,  # counts are exact with several shards too
    }  # fmt: skip
    return column


def _column(
    label: str, operation: str, field: str, kind: str, bucket: bool = False,
    where: str | None = None, shift: str | None = None, params: Json | None = None,
) -> Json:  # fmt: skip
    column = {
        "label": label,
        "customLabel": True,
        "dataType": kind,
        "operationType": operation,
        "isBucketed": bucket,
        "scale": "ratio",
        "sourceField": field,
        "params": params or {},
    }
    if where:
        column["filter"] = {"query": where, "language": "kuery"}
    if shift:
        column["timeShift"] = shift
    return column
