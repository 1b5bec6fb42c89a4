from __future__ import annotations

import io

import pytest

from inft_tui.paragraphs import indented, paragraph


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def forty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")


TEXT = "The run needs 13.2 GiB; with --set sft.optim=paged_adamw_8bit it fits, and 3 % stay free."


def test_lines_break_between_words_and_never_in_a_figure_or_an_option() -> None:
    lines = paragraph(TEXT, Screen(), first="red  ")
    assert lines[0].startswith("red  The run")
    assert all(line.startswith("     ") and len(line) <= 40 for line in lines[1:])
    assert not any(line.endswith(("13.2", "--set", " 3")) for line in lines)
    assert " ".join(line.strip() for line in lines) == f"red  {TEXT}"


def test_what_is_longer_than_a_line_stays_in_one_piece() -> None:
    path = "/a/very/long/path/that/is/longer/than/forty/columns"
    assert path in paragraph(f"There is no {path} here.", Screen())
    command = "inft-tui doctor --profile aya_adv --set sft.fit=auto"
    assert indented(f"  {command}", Screen()) == [f"  {command}"]


def test_an_indented_line_stays_indented() -> None:
    assert all(line.startswith("    ") and line[4] != " " for line in indented(f"    {TEXT}", Screen()))
    assert indented("", Screen()) == [""]


def test_where_nobody_sees_columns_lines_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert paragraph(TEXT, io.StringIO(), first="x") == [f"x{TEXT}"]
    monkeypatch.setenv("COLUMNS", "20")
    assert paragraph(TEXT, Screen()) == [TEXT]
