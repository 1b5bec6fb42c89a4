"""How many lines cannot be read."""

from __future__ import annotations

from pathlib import Path

from inft.runs.soundness import BadLines, bad_lines_words

MIXED = b'{"a": 1}\nrubbish\n\n[1]\n{"loss": NaN}\n{"cut": \n'


def test_it_counts_on_and_begins_anew_with_another_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = BadLines(path)
    assert lines.count() == 0
    path.write_bytes(MIXED + b'{"half')
    assert lines.count() == 3, "a line that is being written is none yet"
    with path.open("ab") as file:
        file.write(b" a line\n")
    assert lines.count() == 4
    path.write_bytes(b"x\n")
    assert lines.count() == 1


def test_bit_by_bit(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(MIXED * 100)
    lines = BadLines(path)
    assert 0 < lines.count(most_bytes=1000) < 300
    assert max(lines.count(most_bytes=1000) for _ in range(10)) == 300


def test_words() -> None:
    assert (bad_lines_words(1)[:6], bad_lines_words(1200)[:11]) == ("1 line", "1,200 lines")
