from __future__ import annotations

from pathlib import Path

import pytest

from inft.runs.text import LONGEST_LINE_BYTES, TextReader


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "console.log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(1000)))
    return path


def test_from_the_beginning(log: Path) -> None:
    reader = TextReader(log)
    assert reader.from_start
    lines = reader.read(64)
    while more := reader.read(64):
        lines += more
    assert lines == [b"line %d" % number for number in range(1000)]
    reader.close()
    reader.close()


@pytest.mark.parametrize(
    ("last_bytes", "first"), [(9, b"line 999"), (10, b"line 999"), (17, b"line 999"), (18, b"line 998")]
)
def test_near_the_end_it_begins_with_a_whole_line(log: Path, last_bytes: int, first: bytes) -> None:
    reader = TextReader(log, last_bytes)
    assert not reader.from_start
    assert reader.read()[0] == first


def test_all_of_a_short_file(log: Path) -> None:
    reader = TextReader(log, 10**9)
    assert reader.from_start
    assert len(reader.read()) == 1000


def test_a_line_without_its_end_waits(log: Path) -> None:
    reader = TextReader(log, 0)
    assert reader.read() == []
    with log.open("ab", buffering=0) as file:
        file.write(b"ha")
        assert reader.read() == []
        file.write(b"lf\nnext")
        assert reader.read() == [b"half"]
        file.write(b"\n")
        assert reader.read() == [b"next"]


def test_a_file_that_comes_later_or_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    reader = TextReader(path, 100)
    assert reader.read() == []
    path.write_bytes(b"one\ntwo\n")
    assert reader.read() == [b"one", b"two"]
    path.write_bytes(b"new\n")
    assert reader.read() == [b"new"]


def test_a_line_without_any_end_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_bytes(b"x" * (5 * LONGEST_LINE_BYTES) + b"\nshort\n")
    reader = TextReader(path)
    lines = []
    while more := reader.read(1 << 18):
        lines += more
    assert lines[-1] == b"short"
    assert len(lines[0]) <= LONGEST_LINE_BYTES + (1 << 18)
