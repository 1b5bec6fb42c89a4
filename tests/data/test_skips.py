"""Skipped rows are counted, listed, and too many stop the run."""

from __future__ import annotations

import pickle

import pytest

import inft.data.encoding
import inft.data.images  # noqa: F401 - both define causes
from inft.data.rows import UnusableRow
from inft.data.skips import CAUSES, FIXES, MAX_EXAMPLES, SkipLedger, SkippedRows, SkipReport
from inft.errors import DataError, ExitCode
from inft.forecast import row_lengths


def ledger(seen: int, skipped: int) -> SkipLedger:
    made = SkipLedger()
    made.seen(seen)
    for number in range(skipped):
        made.record("undecodable_image", "si", f"row {number}")
    return made


@pytest.mark.parametrize(("seen", "skipped"), [(100, 5), (1000, 50), (99, 99), (0, 0)])
def test_up_to_five_percent_or_few_rows_pass(seen: int, skipped: int) -> None:
    ledger(seen, skipped).check()


@pytest.mark.parametrize(("seen", "skipped"), [(100, 6), (1000, 51)])
def test_more_than_five_percent_stop(seen: int, skipped: int) -> None:
    with pytest.raises(DataError, match=f"{skipped:,} of {seen:,} rows while training are unusable") as caught:
        ledger(seen, skipped).check()
    assert caught.value.exit_code == ExitCode.DATA
    assert "picture cannot be decoded" in caught.value.message
    assert caught.value.fix == "Mend the pictures that cannot be decoded, or remove their rows."
    assert "row 0; row 1" in caught.value.details


def test_what_is_too_long_is_told_how_much_it_needs() -> None:
    report = SkipReport.of(
        10,
        [SkippedRows("too_long", {"en": 2, "si": 1}, ("row 1",)), SkippedRows("empty_article", {"en": 1}, ("row 2",))],
        needed=2412,
    )
    error = report.error("of split 'train'")
    assert "4 of 10 rows of split 'train' are unusable" in error.message
    assert error.fix.startswith("Raise basic.max_length to at least 2,412, since")
    assert "data.remove_empty = false" in error.fix
    assert "\n" not in error.message + error.fix
    assert "too_long" not in str(error)


def test_every_cause_has_words_and_a_fix() -> None:
    causes = {kind.cause for kind in subclasses(UnusableRow)} | set(row_lengths.CAUSES[1:])
    assert causes <= CAUSES.keys() == FIXES.keys()


def subclasses(kind: type[UnusableRow]) -> list[type[UnusableRow]]:
    return [kind, *(below for one in kind.__subclasses__() for below in subclasses(one))]


def test_at_the_end_few_rows_count_too() -> None:
    ledger(20, 1).check(final=True)
    with pytest.raises(DataError):
        ledger(19, 1).check(final=True)


def test_the_report_counts_by_cause_and_language_and_names_places() -> None:
    made = ledger(2000, 30)
    made.record("too_long", "en", "en row 7")
    made.record("too_long", "hi", "hi row 8")
    report = made.report()
    assert report.skipped == {("undecodable_image", "si"): 30, ("too_long", "en"): 1, ("too_long", "hi"): 1}
    assert (report.seen, report.total_skipped, report.kept) == (2000, 32, 1968)
    assert len(report.examples["undecodable_image"]) == MAX_EXAMPLES
    assert report.text().splitlines() == [
        "2,000 rows seen, 32 skipped (1.6 %), 1,968 used.",
        "  picture cannot be decoded: 30 (si 30), for instance " + "; ".join(f"row {number}" for number in range(10)),
        "  longer than basic.max_length even without the article: 2 (en 1, hi 1), for instance en row 7; hi row 8",
    ]


def test_a_ledger_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(ledger(10, 1))).report() == ledger(10, 1).report()
