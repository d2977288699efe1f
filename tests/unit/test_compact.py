"""Which epochs count once some were merged, what becomes one file, what is old: pure, so that no server is needed."""

import itertools
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_compact import BLOCK_BYTES, FILE_BYTES, Size, grouped
from archive_reader import Piece, epoch_folders, replaced_folders
from archive_retain import Old, first_kept
from hdfs_archive import Epoch, Merged, piece_name
from kafka_cluster.script import UserError
from pipeline_audit import Report
from retained import Retained
from sample import Record

MEGABYTE = 1 << 20


def epoch(number: int) -> Epoch:
    return Epoch(number, Epoch.after([]).uuid)


def test_a_merged_epoch_stands_for_all_in_its_range_and_for_no_other() -> None:
    old, late, newest = epoch(2), epoch(3), epoch(4)
    first, second = Merged.of(0, 1), Merged.of(2, 3)
    names = [newest.sealed, epoch(5).open, old.sealed, late.open, second.folder, first.folder, "_other"]
    assert epoch_folders(names) == [first.folder, second.folder, newest.sealed, names[1]]
    assert replaced_folders(names) == [old.sealed, late.open], "also one that a late request has made anew"


def test_what_is_merged_again_takes_in_what_was_merged_before() -> None:
    small, both = Merged.of(0, 3), Merged.of(0, 5)
    assert epoch_folders([small.folder, both.folder]) == [both.folder]
    assert replaced_folders([small.folder, both.folder]) == [small.folder]
    assert Merged.parse(both.folder) == both and Epoch.parse(both.folder) is None


DAYS = st.sampled_from(["2026-11-24", "2026-11-25", "2026-11-26"])


@given(st.lists(st.tuples(DAYS, st.integers(1, FILE_BYTES + MEGABYTE))))
def test_files_are_neighbours_of_one_day_and_not_too_large(found: list[tuple[str, int]]) -> None:
    pieces = [
        Piece(f"/{piece_name(number)}", day, number, size, 0) for number, (day, size) in enumerate(found)
    ]
    files = grouped(pieces)
    assert [piece for file in files for piece in file] == pieces, (
        "nothing is left out, twice, or out of order"
    )
    for file in files:
        assert len({piece.date for piece in file}) == 1
        assert len(file) == 1 or sum(piece.size for piece in file) <= FILE_BYTES
    for one, other in itertools.pairwise(files):
        assert one[0].date != other[0].date or sum(each.size for each in [*one, other[0]]) > FILE_BYTES, (
            "as large as may be"
        )


def test_sizes_are_added() -> None:
    size = Size(1, 2, 3, 4)
    size += Size(10, 20, 30, BLOCK_BYTES)
    assert str(size) == "11 epochs, 22 files, 33 blocks, 134.2 MB"


@pytest.mark.parametrize(
    ("today", "months", "kept"),
    [
        ("2026-11-26", 1, "2026-10-26"),
        ("2026-11-26", 11, "2025-12-26"),
        ("2026-11-26", 12, "2025-11-26"),
        ("2026-03-31", 1, "2026-02-28"),
        ("2024-03-31", 1, "2024-02-29"),
        ("2026-01-31", 1, "2025-12-31"),
    ],
)
def test_months_are_those_of_the_calendar(today: str, months: int, kept: str) -> None:
    assert first_kept(months, date.fromisoformat(today)) == kept


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(1, 600))
def test_more_months_never_drop_more(today: date, months: int) -> None:
    assert first_kept(months + 1, today) <= first_kept(months, today) < today.isoformat()


@pytest.mark.parametrize(
    ("months", "said"), [(0, "must be 1 or more, not 0"), (99_999, "is before the calendar begins")]
)
def test_months_that_are_none_are_refused(months: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        first_kept(months, date(2026, 11, 26))


DAY_MS = 86_400_000
NOV_1 = 20_758 * DAY_MS  # 2026-11-01
RUN = NOV_1 + 30 * DAY_MS


def test_what_a_run_has_dropped_is_told_from_what_is_missing() -> None:
    dropped = Retained.parse([f"before=2026-11-02-run={RUN}", f"before=2026-10-02-run={RUN - 9}", "_other"])
    assert dropped.before == "2026-11-02" and not Retained() and not Retained().before
    assert dropped.from_hdfs(Record(b"", timestamp=NOV_1 + DAY_MS - 1))
    assert not dropped.from_hdfs(Record(b"", timestamp=NOV_1 + DAY_MS)), "that day was kept"
    assert not dropped.from_hdfs(Record(b"", timestamp=NOV_1 * 1000)), (
        "in the folder of the last day there is"
    )
    arrived = Record(b"", timestamp=NOV_1 + 20 * DAY_MS)
    assert dropped.from_elasticsearch("2026-11-01T23:59:59.999Z", arrived), (
        "written before, arrived before the run"
    )
    assert not dropped.from_elasticsearch("2026-11-02T00:00:00.000Z", arrived)
    assert not dropped.from_elasticsearch(None, arrived)
    later = Record(b"", timestamp=RUN + DAY_MS)
    assert not dropped.from_elasticsearch("2024-01-01T00:00:00.000Z", later), (
        "an old tweet that came after the run"
    )


def test_the_audit_says_what_was_dropped_and_still_agrees() -> None:
    report = Report(
        "tweets", records=9, kept_from="2026-11-02", dropped_from_elasticsearch=3, dropped_from_hdfs=4
    )
    assert report.exit_code == 0
    assert "of what the topic still has, 3 tweets are not in Elasticsearch and 4 lines" in str(report)
    assert "retain" not in str(Report("tweets"))
    report.missing_in_hdfs.append("0:7")
    assert report.exit_code == 1


def test_what_would_be_dropped_is_said_in_days_and_bytes() -> None:
    old = Old("2026-11-02", documents=7)
    assert not old.nothing and Old("2026-11-02").nothing
    old.days.update({"2026-10-31": 2_000_000, "2026-11-01": 500_000})
    old.kept["2026-11-01"] += 1
    assert "2 days (2026-10-31 to 2026-11-01)" in str(old) and "2.5 MB" in str(old)
    assert "keeps 2026-11-01 all the same" in str(old)
