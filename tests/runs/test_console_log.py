from __future__ import annotations

from pathlib import Path

from inft.runs.console_log import last_lines


def tail(tmp_path: Path, content: bytes, count: int = 20) -> tuple[str, ...]:
    path = tmp_path / "console.log"
    path.write_bytes(content)
    return last_lines(path, count)


def test_the_last_lines_without_the_empty_ones(tmp_path: Path) -> None:
    assert tail(tmp_path, b"one\n\ntwo\n   \nthree\n\n", 2) == ("two", "three")


def test_a_line_that_was_cut_off_counts(tmp_path: Path) -> None:
    assert tail(tmp_path, b"one\nhalf") == ("one", "half")


def test_of_a_progress_bar_only_its_last_state(tmp_path: Path) -> None:
    assert tail(tmp_path, b"\r 10%|#   |\r 90%|### |\r\nerror\r\n") == (" 90%|### |", "error")


def test_nothing_in_it_is_obeyed_or_secret(tmp_path: Path) -> None:
    assert tail(tmp_path, b"\x1b[31mred\x07 hf_" + b"q" * 34) == ("\\x1b[31mred\\x07 hf_***",)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    assert tail(tmp_path, b"caf\xe9 " + "ශ්‍රී".encode()) == ("caf\\xe9 ශ්‍රී",)


def test_long_lines_and_long_files(tmp_path: Path) -> None:
    lines = tail(tmp_path, b"x" * 200_000 + b"\n" + b"y" * 2000 + b"\n")
    assert lines == ("y" * 500 + " ...",)  # of the first line, nobody knows where it began


def test_a_token_is_hidden_even_where_the_line_is_cut(tmp_path: Path) -> None:
    (line,) = tail(tmp_path, b"z" * 490 + b" hf_" + b"q" * 34)
    assert "hf_q" not in line


def test_no_file(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "console.log") == ()
