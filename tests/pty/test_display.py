"""Terminals of all kinds: readable, and without what they do not understand."""

from __future__ import annotations

import re

import pytest

from inft.runs.directory import RunDirectory
from tests.pty.terminal import Terminal
from tests.pty.tour import QUIET, TOUR, arrive, something_to_see

FOOTERS = {"alerts": ("back",), "keys": ("back",), "commands": ("back",)}
"""In the last line; elsewhere it says how to leave."""
NOTHING = "(?!)"
SGR = re.compile(r"\x1b\[([\d;]*)m")


def colours_of(output: str) -> set[str]:
    """How the colours in it are given: `38;2`, `38;5`, or a number of the sixteen."""
    kinds = set()
    for found in SGR.findall(output):
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
    ("env", "size", "expected", "unprinted"),
    [
        ({"LANG": "C"}, (60, 18), {"38;2", "48;2"}, "[^\x00-\x7f]"),
        ({"NO_COLOR": "1"}, (60, 18), set(), NOTHING),
        # Linux's own console has neither fine dots nor eighths of a block, and prints a question for its modes.
        ({"COLORTERM": None, "TERM": "linux"}, (80, 24), {"sixteen"}, "[\u2800-\u28ff▁▂▃▅▆▇▏▎▍▋▊▉]|\\$p"),
    ],
    ids=["LANG=C", "NO_COLOR", "linux"],
)
def test_every_screen_is_readable(
    env: dict[str, str | None],
    size: tuple[int, int],
    expected: set[str],
    unprinted: str,
    live_run: RunDirectory,
    old_run: RunDirectory,
) -> None:
    something_to_see(live_run)
    columns, rows = size
    with Terminal(columns=columns, rows=rows, env={**QUIET, **env}) as terminal:
        for stop in TOUR:
            before = len(terminal.output)
            arrive(terminal, stop)
            said = terminal.output[before:]
            assert not re.search(unprinted, said), stop
            assert colours_of(said) - {"default"} <= expected, stop
            assert terminal.screen.lines[-1].strip(), stop
        assert colours_of(terminal.output) - {"default"} == expected
        terminal.press("\x1b")
        terminal.read(0.2)
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.screen.restored


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, {"38;2", "48;2"}),
        ({"COLORTERM": None}, {"38;5", "48;5"}),
        ({"COLORTERM": None, "TERM": "xterm"}, {"sixteen"}),
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
        assert colours_of(terminal.output) - {"default"} == expected
        terminal.press("q")
        assert terminal.wait() == 0


@pytest.mark.parametrize("env", [{"LC_ALL": "POSIX"}, {"LANG": "en_US.ISO-8859-1"}])
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


@pytest.mark.parametrize("term", ["dumb", "unknown", None])
def test_a_terminal_that_cannot_be_drawn_on_is_told_what_works(term: str | None, old_run: RunDirectory) -> None:
    for arguments in ([], ["attach", "latest"]):
        with Terminal(*arguments, env={"TERM": term}, columns=200) as terminal:
            assert terminal.wait() == 2
            assert "\x1b" not in terminal.output
            said = terminal.screen.text.strip()
            assert said.startswith("error: TERM")
            assert "inft-tui runs" in said


@pytest.mark.parametrize(("columns", "rows"), [(160, 45), (20, 5), (1, 1)])
def test_sizes(columns: int, rows: int, live_run: RunDirectory, old_run: RunDirectory) -> None:
    with Terminal(columns=columns, rows=rows) as terminal:
        if columns >= 60:
            terminal.wait_for(live_run.run_id[:15])
            assert "training" in terminal.screen.text
            assert "40/120" in terminal.screen.text
            assert "leave" in terminal.screen.lines[-1]
        # Where there is no room for a word, this is the sign that it reads keys.
        terminal.wait_until(lambda screen: not screen.restored, "a screen of its own")
        terminal.read(0.3)
        terminal.press("j?kk:x")
        terminal.read(0.2)  # else the terminal could mean Alt
        terminal.press("\x1b")
        for _ in range(5):  # a busy machine may still have read both at once
            terminal.read(0.4)
            if terminal.process.poll() is None:
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
    something_to_see(live_run)
    with Terminal(columns=80, rows=24, env=QUIET) as terminal:
        for stop in TOUR:
            arrive(terminal, stop)
            before = terminal.received
            for number in range(15):
                terminal.resize(20 + number * 37 % 180, 4 + number * 11 % 50)
                terminal.read(0.002)
            terminal.resize(100, 30)
            words = (*stop.words, *FOOTERS.get(stop.name, ("leave",)))
            # The words alone may still stand there from a smaller size; the last line is the last size's.
            terminal.wait_until(
                lambda screen, words=words: all(word in screen.text for word in words) and screen.lines[-1].strip(),
                f"all of {words}, and something in the last line",
            )
            assert terminal.received - before < 200_000, stop
