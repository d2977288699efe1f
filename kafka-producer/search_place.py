"""How far a search has come: what may be kept on disk, and when. Pure.

X gives the newest first. So `since_id` moves on only when a round has reached its end; until then the place says how
far down the round has come, and the next run goes on there without reading, and paying for, anything twice.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from stream_gap import born_at

SEARCHABLE = timedelta(days=7) - timedelta(minutes=5)  # what recent search reaches, and a margin


@dataclass(frozen=True)
class Place:
    """Ids. All up to `since_id` was read; so was all from `until_id` (which is None between rounds) to `newest_id`."""

    since_id: str | None = None
    until_id: str | None = None
    newest_id: str | None = None

    def after_page(self, ids: list[int]) -> "Place":
        """A page was read and acknowledged."""
        if not ids:
            return self
        return Place(self.since_id, str(min(ids)), self.newest_id or str(max(ids)))

    def after_round(self) -> "Place":
        """The round has reached its end."""
        return Place(since_id=self.newest_id or self.since_id)

    def reachable(self, now: datetime) -> "Place":
        """The same, without what is too old to be searched: X refuses it."""
        if self.until_id and _too_old(self.until_id, now):
            return self.after_round().reachable(now)  # the rest of that round is gone
        if self.since_id and _too_old(self.since_id, now):
            return Place(None, self.until_id, self.newest_id)
        return self

    def as_json(self) -> dict[str, Any]:
        """To be kept."""
        return asdict(self)


def _too_old(id_: str, now: datetime) -> bool:
    return born_at(id_) < now - SEARCHABLE
