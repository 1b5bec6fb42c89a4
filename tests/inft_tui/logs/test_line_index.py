from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from inft_tui.logs.follow import Change
from inft_tui.logs.line_index import LogFile, Row

SEGMENT = 16
ALL = 10**9
FOREVER = 1e9


def opened(path: Path, segment_bytes: int = SEGMENT) -> LogFile:
    log = LogFile(path, segment_bytes=segment_bytes)
    log.refresh()
    return log


def expected_starts(content: bytes, segment: int = SEGMENT) -> list[int]:
    """Where lines begin, by the rule in the module's first paragraph, byte by byte."""
    ends = [at + 1 for at, byte in enumerate(content) if byte == ord("\n")]
    for begin in range(0, len(content) - segment + 1, segment):
        if b"\n" not in content[begin : begin + segment]:
            ends.append(begin + segment)
    return [start for start in [0, *sorted(ends)] if start < len(content)]


def contents() -> list[bytes]:
    luck = random.Random(7)
    found = [
        b"",
        b"\n",
        b"a",
        b"a\n",
        b"\n\n\n",
        b"x" * 16,
        b"x" * 15 + b"\n",
        b"x" * 48,
        b"x" * 33 + b"\n" + b"y" * 40,
    ]
    found += [
        bytes(luck.choices(b"ab\n", weights=(few, few, 1), k=luck.randrange(120)))
        for few in (1, 5, 40)
        for _ in range(25)
    ]
    return found


class TestAnyPlace:
    @pytest.mark.parametrize("counted", [False, True])
    def test_every_line_is_found_from_every_side(self, tmp_path: Path, counted: bool) -> None:
        path = tmp_path / "console.log"
        for content in contents():
            path.write_bytes(content)
            log = opened(path)
            if counted:
                assert log.index(FOREVER)
            starts = expected_starts(content)
            assert [row.start for row in log.last(ALL)] == starts, content
            assert [row.start for row in log.after(0, ALL)] == starts, content
            for place in range(len(content) + 1):
                assert [row.start for row in log.before(place, 3)] == [s for s in starts if s < place][-3:], content
                assert [row.start for row in log.after(place, 3)] == [s for s in starts if s >= place][:3], content

    def test_lines_have_their_text_and_number(self, tmp_path: Path) -> None:
        path = tmp_path / "console.log"
        for content in contents():
            path.write_bytes(content)
            log = opened(path)
            log.index(FOREVER)
            starts = expected_starts(content)
            assert log.line_count() == len(starts), content
            for number, (start, end) in enumerate(zip(starts, [*starts, len(content)][1:], strict=True)):
                text = content[start:end].removesuffix(b"\n").decode()
                assert log.lines(number, 1) == [Row(start, end, text, number)], content
                assert log.row(start) == Row(start, end, text, number)
            assert log.lines(len(starts), 5) == []

    def test_a_gigabyte_without_a_newline_is_shown_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "console.log"
        with path.open("wb") as file:
            file.truncate(1 << 30)
        log = LogFile(path)
        log.refresh()
        rows = log.last(45)
        assert len(rows) == 45
        assert rows[-1].text.startswith("\\x00\\x00")
        assert rows[-1].end == 1 << 30


class TestCounting:
    def test_it_goes_on_where_it_ended_and_estimates_until_then(self, tmp_path: Path) -> None:
        path = tmp_path / "console.log"
        path.write_bytes(b"12345678901234567890123456789\n" * 10_000)
        log = opened(path, 512)
        assert 8_000 <= log.line_count() <= 12_000
        assert log.last(1)[0].number is None
        looks = 1
        while not log.index(0.0):
            looks += 1
            assert 8_000 <= log.line_count() <= 12_000
        assert looks > 50
        assert log.line_count() == 10_000
        assert log.last(1)[0].number == 9_999

    def test_lines_beyond_what_is_counted_are_from_about_there(self, tmp_path: Path) -> None:
        path = tmp_path / "console.log"
        path.write_bytes(b"".join(b"%09d\n" % number for number in range(10_000)))
        log = opened(path, 512)
        log.index(0.0)
        (row,) = log.lines(7_000, 1)
        assert row.number is None
        assert 6_500 <= int(row.text) <= 7_500

    def test_only_what_is_new_is_counted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "console.log"
        path.write_bytes(b"line\n" * 200_000)
        log = LogFile(path)
        log.refresh()
        log.index(FOREVER)
        with path.open("ab") as file:
            file.write(b"more\n")
        read = counting(monkeypatch)
        assert log.refresh() is Change.GREW
        assert log.index(FOREVER)
        assert log.line_count() == 200_001
        assert sum(read) < 1000  # a fingerprint twice, and the new line


class TestFollowing:
    def test_a_file_that_comes_later_grows_and_ends_in_a_half_line(self, tmp_path: Path) -> None:
        path = tmp_path / "console.log"
        log = opened(path)
        assert (log.last(5), log.line_count(), log.refresh()) == ([], 0, Change.NONE)
        path.write_bytes(b"one\ntw")
        assert log.refresh() is Change.GREW
        assert texts(log) == ["one", "tw"]
        with path.open("ab") as file:
            file.write(b"o\nthree\n")
        assert log.refresh() is Change.GREW
        assert texts(log) == ["one", "two", "three"]
        assert log.refresh() is Change.NONE

    @pytest.mark.parametrize(
        "change",
        [
            lambda path: path.write_bytes(b"new\n"),
            lambda path: path.write_bytes(b"new contents, and more of it than before\n"),
            lambda path: (path.with_name("next").write_bytes(b"new\n"), path.with_name("next").replace(path)),
            lambda path: os.truncate(path, 4),
            lambda path: os.truncate(path, 0),
        ],
        ids=["cut and written", "cut and grown beyond", "replaced", "cut", "emptied"],
    )
    def test_a_file_that_is_another_begins_anew(self, tmp_path: Path, change: Callable[[Path], object]) -> None:
        path = tmp_path / "console.log"
        path.write_bytes(b"old\n" * 8)
        log = opened(path, 64)
        log.index(FOREVER)
        generation = log.generation
        change(path)
        assert log.refresh() is Change.RESTARTED
        assert log.generation == generation + 1
        log.index(FOREVER)
        assert texts(log) == path.read_text().splitlines()
        assert log.line_count() == len(path.read_text().splitlines())

    def test_a_removed_file_can_still_be_read(self, tmp_path: Path) -> None:
        path = tmp_path / "console.log"
        path.write_bytes(b"old\n")
        log = opened(path)
        path.unlink()
        assert log.refresh() is Change.NONE
        assert texts(log) == ["old"]

    def test_any_way_of_growing_and_cutting_ends_in_what_is_there(self, tmp_path: Path) -> None:
        path = tmp_path / "console.log"
        for seed in range(40):
            luck = random.Random(seed)
            path.write_bytes(b"")
            log = opened(path)
            for _ in range(25):
                match luck.randrange(10):
                    case 0:
                        os.truncate(path, luck.randrange(path.stat().st_size + 1))
                    case 1:
                        path.with_name("next").write_bytes(luck.randbytes(luck.randrange(60)))
                        path.with_name("next").replace(path)
                    case _:
                        with path.open("ab") as file:
                            file.write(luck.randbytes(luck.randrange(40)) + b"\n" * luck.randrange(2))
                log.refresh()
                log.index(luck.choice([0.0, FOREVER]))
            log.index(FOREVER)
            starts = expected_starts(path.read_bytes())
            assert [row.start for row in log.last(ALL)] == starts
            assert [row.number for row in log.last(ALL)] == list(range(len(starts)))

    def test_cut_off_between_two_looks_costs_lines_but_no_exception(self, tmp_path: Path) -> None:
        path = tmp_path / "console.log"
        path.write_bytes(b"0123456789\n" * 100)
        log = opened(path)
        os.truncate(path, 300)
        log.index(FOREVER)
        log.lines(50, 10)
        log.last(10)
        assert log.line_count() >= 0
        assert log.refresh() is Change.RESTARTED
        assert len(texts(log)) == 28


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all reads from now on."""
    read: list[int] = []
    pread = os.pread

    def counted(descriptor: int, length: int, offset: int) -> bytes:
        data = pread(descriptor, length, offset)
        read.append(len(data))
        return data

    monkeypatch.setattr(os, "pread", counted)
    return read


def texts(log: LogFile) -> list[str]:
    return [row.text for row in log.last(ALL)]
