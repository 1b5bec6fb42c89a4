"""The Captions screen on all kinds of terminals: their pictures, ten thousand samples, and how little is sent."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from PIL import Image

from inft.runs import events
from inft.runs.directory import RunDirectory
from inft.runs.jsonl import JsonlLogger, Record
from inft_tui.captions.kitty import PLACEHOLDER
from tests.pty.terminal import Terminal

HOSTILE = "\x1b[2J\x1b]0;pwned\x07 \u202ered"
KITTY: dict[str, str | None] = {"TERM": "xterm-kitty"}
SENT = re.compile(r"\x1b_Ga=T,U=1,i=(\d+),")
DELETED = re.compile(r"\x1b_Ga=d,d=I,i=(\d+),")


def sample(row: int, step: int, caption: str, language: str = "en") -> Record:
    return events.sample(
        language=language,
        reference_caption=f"The corpus on row {row}",
        generated_caption=caption,
        global_step=step,
        row=row,
        picture=f"pictures/{row}.jpg",
    )


def write_samples(run: RunDirectory, *samples: Record) -> None:
    with JsonlLogger(run.samples) as log:
        for one in samples:
            log.write(one)


@pytest.fixture
def sampled(live_run: RunDirectory) -> RunDirectory:
    """With two rows, and a photograph of noise, which is the most that there is to send."""
    (live_run.path / "pictures").mkdir()
    noise = [Image.effect_noise((480, 270), 90) for _ in range(3)]
    Image.merge("RGB", noise).save(live_run.path / "pictures" / "1.jpg")
    write_samples(live_run, sample(1, 100, "A street"), sample(2, 100, f"A road {HOSTILE}"))
    return live_run


def opened(terminal: Terminal) -> None:
    terminal.wait_for("40/120")
    terminal.press("7")
    terminal.wait_for("The corpus on row 1")


def test_a_live_run_in_cells(sampled: RunDirectory) -> None:
    with Terminal(columns=160, rows=45) as terminal:
        opened(terminal)
        terminal.wait_for("▀")
        terminal.read(0.5)
        assert terminal.received < 150_000, "two screens, and a picture of 1,500 cells that are all different"
        before = terminal.received
        terminal.read(1.5)
        assert terminal.received == before, "nothing happens, so nothing is drawn"
        write_samples(sampled, sample(1, 200, "A street in London"))
        terminal.wait_for("step 200   A street in London")
        assert terminal.received - before < 2_000, "the picture stays"
        terminal.press("j")
        terminal.wait_for("No picture: there is no 2.jpg any more.")
        assert "\\x1b[2J\\x1b]0;pwned\\x07 \\u202ered" in terminal.screen.text
        assert "\x1b]0;" not in terminal.output
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.screen.restored


def test_kitty_is_sent_a_picture_once_and_told_to_forget_it(sampled: RunDirectory) -> None:
    with Terminal(columns=160, rows=45, env=KITTY) as terminal:
        opened(terminal)
        terminal.wait_for(PLACEHOLDER)
        sent = SENT.findall(terminal.output)
        assert len(sent) == 1
        assert terminal.output.index("\x1b_G") < terminal.output.index(PLACEHOLDER)
        assert "▀" not in terminal.output
        terminal.press("jk")
        terminal.wait_for("The corpus on row 1")
        terminal.read(0.5)
        assert len(SENT.findall(terminal.output)) == 1
        terminal.press("\x0c")
        terminal.wait_until(lambda _: len(SENT.findall(terminal.output)) == 2, "the picture once more")
        terminal.read(0.3)
        terminal.press("q")
        assert terminal.wait() == 0
        sent = SENT.findall(terminal.output)
        assert len(sent) == 2
        assert DELETED.findall(terminal.output) == sent
        assert terminal.output.rindex("a=d") < terminal.output.rindex("\x1b[?1049l")


@pytest.mark.parametrize(
    ("env", "drawn"),
    [
        ({**KITTY, "TMUX": "/tmp/x,1,0"}, "▀"),
        ({"NO_COLOR": "1"}, "[\u2801-\u28ff]"),
        ({"NO_COLOR": "1", "LANG": "C", "COLORTERM": None}, r"[#%*+=]{6}"),
        ({"LANG": "C"}, r"\x1b\[48;2;\d+;\d+;\d+m "),
    ],
    ids=["tmux in kitty", "NO_COLOR", "ASCII", "LANG=C"],
)
def test_other_terminals_get_what_they_can_show(env: dict[str, str | None], drawn: str, sampled: RunDirectory) -> None:
    with Terminal(columns=80, rows=24, env=env) as terminal:
        opened(terminal)
        terminal.wait_until(lambda _: re.search(drawn, terminal.output) is not None, "the picture")
        assert "\x1b_G" not in terminal.output
        terminal.press("q")
        assert terminal.wait() == 0


def test_ten_thousand_samples_open_and_scroll_at_once(live_run: RunDirectory) -> None:
    languages = ("en", "ur", "zh", "hi")
    write_samples(
        live_run,
        *(
            sample(row, 100 * step, f"A caption of some length, of row {row} at {step}", languages[row % 4])
            for step in range(1, 11)
            for row in range(1000)
        ),
    )
    with Terminal(columns=160, rows=45) as terminal:
        terminal.wait_for("40/120")
        pressed = terminal.press("7")
        assert terminal.wait_for("1,000 rows in 4 languages · step 1,000") - pressed < 2.0
        used, received = terminal.cpu_seconds(), terminal.received
        pressed = terminal.press("G")
        assert terminal.wait_for("of row 999 at 10") - pressed < 0.3
        terminal.press("k" * 40)
        terminal.wait_for("The corpus on row 839")
        assert terminal.cpu_seconds() - used < 1.0
        assert terminal.received - received < 200_000
        assert terminal.resident_bytes() < 110e6
        began, used = time.monotonic(), terminal.cpu_seconds()
        terminal.read(2.0)
        assert (terminal.cpu_seconds() - used) / (time.monotonic() - began) < 0.05


def test_without_the_scoring_libraries_it_works_too(sampled: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('not installed here')\n")
    with Terminal(columns=100, rows=30, env={"PYTHONPATH": str(tmp_path)}) as terminal:
        opened(terminal)
        terminal.wait_gone("chrF")
        assert "A street" in terminal.screen.text
