from __future__ import annotations

import os
from pathlib import Path

import pytest

from inft_tui.logs.pager import Page, Pager
from inft_tui.logs.patterns import matcher

LINES = [f"line {number}" for number in range(200)]
HEIGHT = 10


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "console.log"
    lines = list(LINES)
    lines[50], lines[150] = "ValueError: the first", "ValueError: the second"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def look(pager: Pager, *moves: object, height: int = HEIGHT) -> Page:
    """A page once nothing is left to be done."""
    page = pager.look(height, 1.0, moves)  # type: ignore[arg-type]
    while page.is_busy:
        page = pager.look(height, 1.0)
    return page


def numbers(page: Page) -> tuple[int, int]:
    """Of the first and the last line, counted from 0."""
    first, last = page.rows[0].number, page.rows[-1].number
    assert first is not None
    assert last is not None
    return first, last


def scroll(lines: int) -> object:
    return lambda pager: pager.scroll(lines)


def error(*, forward: bool) -> object:
    return lambda pager: pager.find_error(forward=forward)


def narrow(typed: str) -> object:
    wanted = matcher(typed) if typed else None
    return lambda pager: pager.narrow(wanted)


class TestMoving:
    def test_it_begins_at_the_end_and_follows(self, log: Path) -> None:
        pager = Pager(log)
        page = look(pager)
        assert (numbers(page), page.is_following, page.line_count) == ((190, 199), True, 200)
        with log.open("a") as file:
            file.write("another\n")
        assert look(pager).rows[-1].text == "another"

    def test_up_holds_and_the_end_follows_again(self, log: Path) -> None:
        pager = Pager(log)
        look(pager)
        page = look(pager, scroll(-3))
        assert (numbers(page), page.is_following) == ((187, 196), False)
        with log.open("a") as file:
            file.write("another\n")
        assert numbers(look(pager)) == (187, 196)
        page = look(pager, scroll(4))
        assert (numbers(page), page.is_following) == ((191, 200), False)
        assert look(pager, scroll(1)).is_following

    def test_several_moves_at_once(self, log: Path) -> None:
        page = look(Pager(log), Pager.to_start, scroll(5))
        assert numbers(page)[0] in (0, 5)  # nothing was shown yet that it could be five lines from
        pager = Pager(log)
        look(pager, Pager.to_start)
        assert numbers(look(pager, scroll(5))) == (5, 14)
        assert numbers(look(pager, scroll(-100))) == (0, 9)
        assert numbers(look(pager, Pager.to_end)) == (190, 199)

    def test_hold_stays(self, log: Path) -> None:
        pager = Pager(log)
        look(pager)
        look(pager, Pager.hold)
        with log.open("a") as file:
            file.write("another\n")
        assert numbers(look(pager)) == (190, 199)

    def test_a_short_log_begins_above(self, tmp_path: Path) -> None:
        (tmp_path / "short").write_text("a\nb\n")
        pager = Pager(tmp_path / "short")
        assert [row.text for row in look(pager).rows] == ["a", "b"]
        assert look(pager, scroll(-1), scroll(1)).is_following


class TestErrors:
    def test_from_the_end_upwards_and_back(self, log: Path) -> None:
        pager = Pager(log)
        look(pager)
        page = look(pager, error(forward=False))
        assert page.marked == next(row.start for row in page.rows if row.text == "ValueError: the second")
        assert numbers(page) == (147, 156)  # a third above it
        assert numbers(look(pager, error(forward=False))) == (47, 56)
        page = look(pager, error(forward=False))
        assert (page.looking, numbers(page)) == ("none above", (47, 56))
        assert numbers(look(pager, error(forward=True))) == (147, 156)
        assert look(pager, error(forward=True)).looking == "none below"
        assert look(pager, scroll(1)).looking == ""

    def test_where_the_marked_one_is_out_of_sight_the_page_counts(self, log: Path) -> None:
        pager = Pager(log)
        look(pager)
        look(pager, error(forward=False))
        look(pager, Pager.to_start)
        assert numbers(look(pager, error(forward=True))) == (47, 56)

    def test_only_among_what_is_shown(self, log: Path) -> None:
        pager = Pager(log)
        look(pager)
        look(pager, narrow("first"))
        page = look(pager, error(forward=False))
        assert [row.text for row in page.rows] == ["ValueError: the first"]
        assert page.marked == page.rows[0].start

    def test_it_stays_in_a_window_that_shrinks(self, log: Path) -> None:
        pager = Pager(log)
        look(pager)
        look(pager, error(forward=False), height=60)
        page = look(pager, height=5)
        assert "ValueError: the second" in [row.text for row in page.rows]


class TestFilter:
    def test_the_last_that_match(self, log: Path) -> None:
        pager = Pager(log)
        look(pager)
        page = look(pager, narrow("line 1"))
        assert (page.found, page.searched) == (110, 1.0)
        assert [row.text for row in page.rows][-2:] == ["line 198", "line 199"]

    def test_moves_among_what_matches(self, log: Path) -> None:
        pager = Pager(log)
        look(pager)
        look(pager, narrow("5"))
        page = look(pager, scroll(-2))
        assert not page.is_following
        texts = [row.text for row in page.rows]
        matching = [text for text in LINES if "5" in text and text not in ("line 50", "line 150")]
        assert texts == matching[-HEIGHT - 2 : -2]
        assert look(pager, scroll(3)).is_following

    def test_taken_off_it_shows_what_is_around(self, log: Path) -> None:
        pager = Pager(log)
        look(pager)
        look(pager, narrow("line 7"))
        look(pager, Pager.to_start)
        look(pager, scroll(1))
        assert look(pager, narrow("")).rows[0].text == "line 70"

    def test_nothing_matches(self, log: Path) -> None:
        pager = Pager(log)
        look(pager)
        page = look(pager, narrow("nowhere"))
        assert (page.rows, page.found) == ((), 0)
        assert look(pager, narrow("")).is_following


class TestTheFile:
    def test_there_is_none_yet(self, tmp_path: Path) -> None:
        pager = Pager(tmp_path / "later")
        page = look(pager)
        assert (page.rows, page.exists, page.problem) == ((), False, "")
        (tmp_path / "later").write_text("now\n")
        assert [row.text for row in look(pager).rows] == ["now"]

    def test_removed_it_can_still_be_read(self, log: Path) -> None:
        pager = Pager(log)
        look(pager)
        log.unlink()
        page = look(pager, scroll(-1))
        assert (len(page.rows), page.exists) == (HEIGHT, False)

    def test_cut_off_it_begins_anew(self, log: Path) -> None:
        pager = Pager(log)
        look(pager)
        look(pager, error(forward=False))
        log.write_text("fresh\n")
        page = look(pager)
        assert ([row.text for row in page.rows], page.marked) == (["fresh"], None)

    def test_what_cannot_be_read_is_a_sentence(self, tmp_path: Path) -> None:
        page = look(Pager(tmp_path))  # a folder
        assert str(tmp_path) in page.problem
        if os.geteuid() == 0:
            return
        (tmp_path / "x").touch(mode=0)
        assert "x" in look(Pager(tmp_path / "x")).problem
