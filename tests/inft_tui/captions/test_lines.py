from __future__ import annotations

import pytest

from inft_tui.captions.album import Moment, SampledRow
from inft_tui.captions.lines import MOST_HISTORY, details, entry, heading
from inft_tui.captions.scores import Pair, chrf_of
from inft_tui.display.spans import Line, width

HOSTILE = "\x1b]0;title\x07\x1b[2Jgone\u202e hf_abcdefghijklmnopqrstuvwxyz0123456789"


def row(*captions: str | None, reference: str = "A street in London", language: str = "en") -> SampledRow:
    moments = [
        Moment(100 * (at + 1), caption or "", "" if caption is not None else "the file is cut off")
        for at, caption in enumerate(captions)
    ]
    return SampledRow((language, "3"), language, 3, "test/3", reference, moments=moments)


def plain(lines: list[Line]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


def score_of(pair: Pair) -> float | None:
    found = chrf_of([pair])
    return None if found is None else found[0]


def no_score(_: Pair) -> float | None:
    return None


@pytest.mark.parametrize("columns", [3, 20, 33, 60, 120])
@pytest.mark.parametrize("reference", ["A street in London", "東京で初雪を楽しむ子どもたち", "سڑک پر پانی", HOSTILE])
def test_nothing_is_too_wide_and_nothing_unsafe_is_shown(columns: int, reference: str) -> None:
    of = row("A", "A street " * 20, None, "", reference, HOSTILE, reference=reference)
    for at in range(len(of.moments)):
        lines = details(of, at, columns, score_of)
        assert max(map(width, lines)) <= columns
        assert plain(lines).replace("\n", "").isprintable()
        assert "hf_abc" not in plain(lines)
    line = entry(of, columns, score_of, scored=True, first_of_language=True, selected=False)
    assert width(line) == columns
    assert plain([line]).isprintable()


def test_the_list_says_score_and_change_and_why_there_is_no_caption() -> None:
    better = plain([entry(row("A", "A street"), 80, score_of, scored=True, first_of_language=True, selected=False)])
    one, other = (score_of((caption, "A street in London")) for caption in ("A", "A street"))
    assert one is not None
    assert other is not None
    assert f"{other:.1f}" in better
    assert f"{other - one:+.1f}" in better
    assert better.startswith(" en ")
    failed = entry(row("A", None), 80, score_of, scored=True, first_of_language=False, selected=True)
    assert "✗ the file is cut off" in plain([failed])
    assert not plain([failed]).startswith(" en")
    assert all("selected" in role for _, role in failed)


def test_without_the_libraries_that_score_there_is_no_column_for_it() -> None:
    line = entry(row("A", "B"), 80, no_score, scored=False, first_of_language=True, selected=False)
    assert "…" not in plain([line])
    assert "chrF" not in plain([heading(80, scored=False)])
    assert "chrF" not in plain(details(row("A", "B"), 1, 80, no_score))


def test_what_changed_stands_out_in_both_captions() -> None:
    spans = [span for line in details(row("A red car", "A blue car"), 1, 80, no_score) for span in line]
    assert ("blue", "added") in spans
    assert ("red", "gone") in spans
    first = [span for line in details(row("A red car", "A blue car"), 0, 80, no_score) for span in line]
    assert not {role for _, role in first} & {"added", "gone"}


def test_an_empty_caption_and_a_failure_are_said() -> None:
    said = plain(details(row("", None), 1, 80, no_score))
    assert "no caption: the file is cut off" in said
    assert "(an empty caption)" in said


@pytest.mark.parametrize("columns", [12, 20, 33, 60, 120])
def test_the_last_column_stays_blank(columns: int) -> None:
    of = row("A street " * 40, "शटल के मॉडल " * 40, reference="x" * 300)
    assert max(map(width, details(of, 1, columns, no_score))) == columns - 1
    assert plain([entry(of, columns, no_score, scored=True, first_of_language=True, selected=True)]).endswith("… ")


def test_a_caption_of_the_end_is_called_so() -> None:
    of = row("A", "A street", "A road")
    of.moments.append(Moment(200, "The best", is_final=True))
    said = details(of, 3, 80, no_score)
    assert plain(said[2:4]).split() == ["step", "200", "The", "best", "the", "end"]
    assert "▸    end  The best" in plain(said)


def test_of_a_long_history_what_is_around_the_chosen_moment_is_listed() -> None:
    of = row(*(f"caption {number}" for number in range(1000)))
    newest = plain(details(of, 999, 80, no_score))
    assert "1,000 captions" in newest
    assert "… 900 before" in newest
    middle = details(of, 300, 80, no_score)
    assert "▸" in plain(middle)
    assert "… 650 later" in plain(middle)
    assert len(middle) < MOST_HISTORY + 20
