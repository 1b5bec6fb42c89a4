from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from inft_tui.logs import filter as filter_module
from inft_tui.logs.errors import ErrorLines
from inft_tui.logs.filter import Filter
from inft_tui.logs.line_index import LogFile
from inft_tui.logs.patterns import matcher
from inft_tui.logs.search import Search
from inft_tui.logs.shown import in_words

SEGMENT = 64
ALL = 10**9


def opened(path: Path, segment_bytes: int = SEGMENT) -> LogFile:
    log = LogFile(path, segment_bytes=segment_bytes)
    log.refresh()
    return log


def numbered(path: Path, count: int) -> LogFile:
    path.write_bytes(b"".join(b"line %03d\n" % number for number in range(count)))
    return opened(path)


def texts(found: Filter) -> list[str]:
    return [row.text for row in found.rows(0, ALL)]


def exhaust(found: Filter) -> None:
    for _ in range(10_000):
        found.advance(0.0)
        if found.is_done:
            return
    raise AssertionError("it has no end")


class TestFilter:
    @pytest.mark.parametrize("place", [None, 0, 1, 333, 900])
    def test_all_is_found_in_the_file_s_order_wherever_it_begins(self, tmp_path: Path, place: int | None) -> None:
        log = numbered(tmp_path / "log", 100)
        found = Filter(log, matcher("7"), place)
        exhaust(found)
        assert texts(found) == [f"line {number:03}" for number in range(100) if "7" in str(number)]
        assert len(found) == 19
        assert [row.text for row in found.last(2)] == ["line 087", "line 097"]
        assert found.searched_bytes == log.size

    def test_what_is_near_comes_first(self, tmp_path: Path) -> None:
        log = numbered(tmp_path / "log", 1000)
        found = Filter(log, matcher("line"), 4500)
        assert found.advance(0.0)
        assert 1 <= len(found) < 40
        assert all(480 <= int(text.split()[1]) <= 520 for text in texts(found))
        assert texts(found)[found.centre] == "line 500"

    def test_new_lines_are_added_and_a_half_one_only_while_it_matches(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_bytes(b"a1\nb\na")
        log = opened(path)
        found = Filter(log, matcher("a"))
        exhaust(found)
        assert texts(found) == ["a1", "a"]
        for piece, expected in [
            (b"2\n", ["a1", "a2"]),
            (b"", ["a1", "a2"]),
            (b"b\nx", ["a1", "a2"]),
            (b"a", ["a1", "a2", "xa"]),
            (b"\nc\na3\n", ["a1", "a2", "xa", "a3"]),
        ]:
            with path.open("ab") as file:
                file.write(piece)
            log.refresh()
            assert found.advance(1.0) == (texts(found) != [] and piece not in (b"", b"b\nx"))
            assert texts(found) == expected

    def test_it_begins_anew_with_the_file(self, tmp_path: Path) -> None:
        log = numbered(tmp_path / "log", 50)
        found = Filter(log, matcher("line"))
        exhaust(found)
        (tmp_path / "log").write_bytes(b"line x\nother\n")
        log.refresh()
        exhaust(found)
        assert texts(found) == ["line x"]

    def test_cut_off_meanwhile_it_comes_to_an_end(self, tmp_path: Path) -> None:
        log = numbered(tmp_path / "log", 500)
        found = Filter(log, matcher("line"), 2000)
        found.advance(0.0)
        os.truncate(tmp_path / "log", 100)
        exhaust(found)
        texts(found)

    def test_more_than_anybody_reads_is_not_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(filter_module, "MOST_FOUND", 20)
        found = Filter(numbered(tmp_path / "log", 500), matcher("line"))
        exhaust(found)
        assert 20 <= len(found) < 40
        assert texts(found)[-1] == "line 499"

    def test_lines_in_words_are_filtered_by_their_words(self, tmp_path: Path) -> None:
        path = tmp_path / "metrics.jsonl"
        path.write_bytes(b"".join(b'{"event":"log","global_step":%d,"loss":1.5}\n' % step for step in range(50)))
        log = LogFile(path, in_words)
        log.refresh()
        found = Filter(log, matcher("step 7,", rendering=in_words))
        exhaust(found)
        assert texts(found) == ["step 7, loss 1.5"]

    def test_long_lines_stay_findable_though_they_are_cut(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_bytes(b"short\n" + b"x" * 3_000_000 + b" needle\nafter\n")
        log = opened(path, 256 << 10)
        found = Filter(log, matcher("needle"))
        exhaust(found)
        assert len(found) == 1

    def test_any_growth_ends_in_what_a_search_of_the_whole_file_finds(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        for seed in range(60):
            luck = random.Random(seed)
            path.write_bytes(bytes(luck.choices(b"ab\n", k=luck.randrange(300))))
            log = opened(path)
            found = Filter(log, matcher("ab"), luck.choice([None, luck.randrange(300)]))
            for _ in range(luck.randrange(8)):
                with path.open("ab") as file:
                    file.write(bytes(luck.choices(b"ab\n", weights=(5, 5, 1), k=luck.randrange(90))))
                log.refresh()
                found.advance(luck.choice([0.0, 1.0]))
            exhaust(found)
            expected = [row.start for row in log.last(ALL) if "ab" in row.text]
            assert [row.start for row in found.rows(0, ALL)] == expected, seed


class TestSearch:
    def test_the_next_and_the_previous_error(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        lines = [b"line %d\n" % number for number in range(60)]
        lines[20], lines[40] = b"ValueError: a\n", b"ERROR b\n"
        path.write_bytes(b"".join(lines))
        log = opened(path)
        starts = [len(b"".join(lines[:number])) for number in (20, 40)]

        def found(place: int, *, forward: bool) -> int | None:
            search = Search(log, ErrorLines(), place, forward=forward)
            for _ in range(1000):
                if search.advance(0.0):
                    return search.found
            raise AssertionError("it has no end")

        assert found(-1, forward=True) == starts[0]
        assert found(0, forward=True) == starts[0]
        assert found(starts[0], forward=True) == starts[1]
        assert found(starts[1], forward=True) is None
        assert found(log.size, forward=False) == starts[1]
        assert found(starts[1], forward=False) == starts[0]
        assert found(starts[0], forward=False) is None
        assert found(0, forward=False) is None

    def test_an_error_in_the_very_first_and_in_a_half_last_line(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_bytes(b"KeyError: 1\nx\nKeyError: 2")
        log = opened(path)
        first, last = Search(log, ErrorLines(), -1, forward=True), Search(log, ErrorLines(), log.size, forward=False)
        assert (first.advance(1.0), first.found) == (True, 0)
        assert (last.advance(1.0), last.found) == (True, 14)

    def test_a_file_that_begins_anew_ends_it(self, tmp_path: Path) -> None:
        log = numbered(tmp_path / "log", 50)
        search = Search(log, ErrorLines(), -1, forward=True)
        (tmp_path / "log").write_bytes(b"ERROR x\n")
        log.refresh()
        assert search.advance(1.0)
        assert search.found is None
