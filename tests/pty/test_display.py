"""Terminals of all kinds: readable, and without what they do not understand."""

from __future__ import annotations

import re

import pytest

from inft.runs.directory import RunDirectory
from tests.pty.terminal import Terminal

SGR = re.compile(r"\x1b\[([\d;]*)m")


def colours_of(terminal: Terminal) -> set[str]:
    """How the colours that were sent are given: `38;2`, `38;5`, or a number of the sixteen."""
    kinds = set()
    for found in SGR.findall(terminal.output):
        numbers = found.split(";")
        while numbers:
            number = numbers.pop(0)
            if number in ("38", "48"):
                kinds.add(f"{number};{numbers[0]}")
                numbers = numbers[4 if numbers[0] == "2" else 2 :]
            elif number.isdigit() and (30 <= int(number) <= 47 or 90 <= int(number) <= 107):
                kinds.add("default" if number in ("39", "49") else "sixteen")
    return kinds


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, {"38;2", "48;2"}),
        ({"COLORTERM": None}, {"38;5", "48;5"}),
        ({"COLORTERM": None, "TERM": "xterm"}, {"sixteen"}),
        ({"COLORTERM": None, "TERM": "linux"}, {"sixteen"}),
        ({"NO_COLOR": "1"}, set()),
        ({"NO_COLOR": "1", "TERM": "linux"}, set()),
        ({"COLORTERM": None, "TERM": "vt100"}, set()),
        ({"TERM": "tmux-256color", "COLORTERM": None, "TMUX": "/tmp/x,1,0"}, {"38;5", "48;5"}),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) or "full" if isinstance(value, dict) else "",
)
def test_colours(env: dict[str, str | None], expected: set[str], live_run: RunDirectory, old_run: RunDirectory) -> None:
    with Terminal(env=env) as terminal:
        terminal.wait_for(old_run.run_id)
        terminal.press("j?")
        terminal.wait_for("Everywhere")
        terminal.press("q")
        terminal.wait_for(old_run.run_id)
        assert colours_of(terminal) - {"default"} == expected
        terminal.press("q")
        assert terminal.wait() == 0


@pytest.mark.parametrize("env", [{"LANG": "C"}, {"LC_ALL": "POSIX"}, {"LANG": "en_US.ISO-8859-1"}])
def test_a_locale_without_utf8_gets_ascii(
    env: dict[str, str | None], live_run: RunDirectory, old_run: RunDirectory
) -> None:
    with Terminal(env=env, columns=160) as terminal:
        terminal.wait_for(old_run.run_id)
        terminal.press("?")
        terminal.wait_for("Everywhere")
        assert terminal.output.isascii()
        terminal.press("q")
        terminal.wait_for("* training")
        assert "33%" in terminal.screen.text


def test_the_linux_console_is_not_asked_what_it_prints(old_run: RunDirectory) -> None:
    with Terminal(env={"TERM": "linux", "COLORTERM": None}) as terminal:
        terminal.wait_for(old_run.run_id)
        assert "$p" not in terminal.output
        assert not re.search("[\u2800-\u28ff▁▂▃▅▆▇]", terminal.output)


@pytest.mark.parametrize("term", ["dumb", "unknown", None])
def test_a_terminal_that_cannot_be_drawn_on_is_told_what_works(term: str | None, old_run: RunDirectory) -> None:
    for arguments in ([], ["attach", "latest"]):
        with Terminal(*arguments, env={"TERM": term}, columns=200) as terminal:
            assert terminal.wait() == 2
            assert "\x1b" not in terminal.output
            said = terminal.screen.text.strip()
            assert said.startswith("error: TERM")
            assert "inft-tui runs" in said


@pytest.mark.parametrize(("columns", "rows"), [(160, 45), (80, 24), (60, 18), (20, 5), (1, 1)])
def test_sizes(columns: int, rows: int, live_run: RunDirectory, old_run: RunDirectory) -> None:
    with Terminal(columns=columns, rows=rows) as terminal:
        if columns >= 60:
            terminal.wait_for(live_run.run_id[:15])
            assert "training" in terminal.screen.text
            assert ("40/120" if columns >= 80 else "33%") in terminal.screen.text
            assert "leave" in terminal.screen.lines[-1]
        terminal.read(0.3)
        terminal.press("j?kk:x")
        terminal.read(0.2)  # else the terminal could mean Alt
        terminal.press("\x1b")
        terminal.read(0.2)
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.screen.restored


def test_the_terminal_knows_its_size_better_than_an_exported_variable(
    live_run: RunDirectory, old_run: RunDirectory
) -> None:
    with Terminal(columns=100, rows=30, env={"COLUMNS": "80", "LINES": "24"}) as terminal:
        terminal.wait_for(live_run.run_id)
        assert "commands" in terminal.screen.lines[29]
        terminal.resize(120, 35)
        terminal.wait_until(lambda screen: "commands" in screen.lines[34], "the keys in the last line")
        assert live_run.run_id in terminal.screen.text


def test_a_storm_of_sizes(live_run: RunDirectory, old_run: RunDirectory) -> None:
    with Terminal(columns=80, rows=24) as terminal:
        terminal.wait_for(live_run.run_id[:15])
        before = terminal.received
        for number in range(150):
            terminal.resize(40 + number % 120, 5 + number % 45)
            terminal.read(0.002)
        terminal.resize(100, 30)
        terminal.wait_until(lambda screen: "leave" in screen.lines[-1], "the footer")
        terminal.read(0.2)
        assert terminal.received - before < 400_000
        assert live_run.run_id in terminal.screen.text
        assert "training" in terminal.screen.text
