"""Inside the real tmux, where it is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inft.runs import events
from inft.runs.directory import RunDirectory
from inft.runs.jsonl import JsonlLogger
from tests.pty.tour import QUIET, TOUR, something_to_see

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Tmux:
    """A server of its own with one window."""

    def __init__(self, folder: Path, command: str) -> None:
        self._socket = folder / "tmux"
        environment = {**os.environ, "LANG": "C.UTF-8", "TERM": "xterm-256color", **QUIET}
        environment.pop("TMUX", None)
        self._run("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", command, env=environment)

    def press(self, *keys: str) -> None:
        """Types."""
        self._run("send-keys", *keys)

    def wait_for(self, text: str) -> str:
        """The window once `text` is in it."""
        end = time.monotonic() + 10
        while text not in (shown := self._run("capture-pane", "-p")):
            assert time.monotonic() < end, shown
            time.sleep(0.05)
        return shown

    def at_rest(self, other_than: str = "") -> str:
        """The window when it has not changed for a while, and is another than `other_than`."""
        before, end = other_than, time.monotonic() + 10
        while self._run("capture-pane", "-p") == other_than:
            assert time.monotonic() < end, other_than
            time.sleep(0.05)
        while (shown := self._run("capture-pane", "-p")) != before:
            assert time.monotonic() < end, shown
            before = shown
            time.sleep(0.3)
        return shown

    def close(self) -> None:
        """Ends the server."""
        self._run("kill-server")

    def _run(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        command = ["tmux", "-S", str(self._socket), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
        return done.stdout


CAPTIONS = {
    "si": (
        "ශ්‍රී ලංකාවේ කොළඹ නගරයේ වර්ෂාව හේතුවෙන් මාර්ග ජලයෙන් යට වී ඇති බව ප්‍රදේශවාසීන් පවසති",
        "ක්‍රිකට් ක්‍රීඩකයින් ප්‍රේක්ෂකයින්ට ආචාර කරති",
    ),
    "hi": (
        "दिल्ली में मतदान केंद्र के बाहर कतार में खड़े मतदाता, जिनमें अधिकांश महिलाएँ और युवा थे",
        "क्रिकेट खिलाड़ी दर्शकों का अभिवादन करते हैं",
    ),
    "ur": ("لاہور میں بارش کے بعد سڑک پر پانی جمع ہو گیا", "کھلاڑی شائقین کو سلام کرتے ہیں"),
    "en": ("A 👩‍👩‍👧 family 👍🏽 ☀️ 🇱🇰 in London", "A street in London"),
}
"""On whose width terminals do not agree, but for those in Urdu."""
MANGLED = re.compile("युवा[^ …\n]|पवसति[^ \n]")
"""Where a line ends, what did not fit would lie on top of it."""


@pytest.fixture
def tmux(tmp_path: Path, live_run: RunDirectory, old_run: RunDirectory) -> Iterator[Tmux]:
    window = Tmux(tmp_path, f"{sys.executable} -P -m inft_tui; echo the shell again; sleep 60")
    yield window
    window.close()


def test_it_works_and_leaves_the_window_as_it_was(tmux: Tmux, live_run: RunDirectory, old_run: RunDirectory) -> None:
    something_to_see(live_run)
    for stop in TOUR:
        for key in stop.keys:
            tmux.press({"\x1b": "Escape", "\r": "Enter"}.get(key, key))
            if key == "\x1b":
                time.sleep(0.2)
        for word in stop.words:
            shown = tmux.wait_for(word)
        assert len(shown.splitlines()) == 30
    tmux.press("Escape")
    time.sleep(0.2)
    tmux.press("2")
    assert "training" in tmux.wait_for(old_run.run_id)
    tmux.press("x")
    tmux.wait_for("save a checkpoint and end?")
    tmux.press("n", "?")
    tmux.wait_for("Everywhere")
    tmux.press("q")
    tmux.wait_for("40/120")
    tmux.press("q")
    shown = tmux.wait_for("the shell again")
    assert "Training goes on without the console" in shown
    assert "40/120" not in shown


def test_of_a_text_whose_width_is_doubtful_nothing_stays(tmux: Tmux, live_run: RunDirectory) -> None:
    def write(step: int) -> None:
        with JsonlLogger(live_run.samples) as log:
            for row, (language, texts) in enumerate(CAPTIONS.items()):
                said = texts[step // 100 % 2]
                log.write(
                    events.sample(
                        language=language, reference_caption=texts[0], generated_caption=said, row=row, global_step=step
                    )
                )

    something_to_see(live_run)
    for step in (100, 200):
        write(step)
    tmux.wait_for("40/120")
    tmux.press("7")
    tmux.wait_for("step 200")
    shown = tmux.at_rest()
    for keys in ("Down", "Tab", "Tab", ""):
        if keys:
            tmux.press(keys)
        else:
            write(300)
            tmux.wait_for("step 300")
        shown = tmux.at_rest(other_than=shown)
        tmux.press("C-l")
        assert shown == tmux.at_rest(), keys
        assert not MANGLED.search(shown)
