from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from inft.config import Config
from inft.runs.control import ask, pending
from inft.runs.directory import RunDirectory
from inft_tui import deeds
from inft_tui.app import last_words
from inft_tui.deeds import Deeds, Outcome
from inft_tui.listing import Snapshot
from tests.inft_tui.pictures import Scene, capabilities, scene_of, settled, text_of
from tests.inft_tui.scenes import something_happened
from tests.pty.conftest import live_run
from tests.pty.terminal import Terminal
from tests.runs.pretend import new_run

__all__ = ["live_run"]


@pytest.fixture
def run(config: Config) -> RunDirectory:
    return new_run(config, "2025-03-02 12:00:00")


class Started:
    """In the place of the command: a process that waits, and how many there were."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.processes: list[subprocess.Popen[str]] = []
        monkeypatch.setattr(deeds, "_start", self._start)

    def _start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_leaving_ends_only_those_that_have_asked(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch)
    mine = Deeds(lambda _: None)
    mine.begin("stop", run)
    wait_until(lambda: len(started.processes) == 1)
    (process,) = started.processes
    time.sleep(0.05)  # its thread is waiting for it by now
    mine.end_waiting()
    assert process.poll() is None
    ask(run, "stop")
    mine.end_waiting()
    assert process.wait(10) != 0


def test_a_deed_under_way_is_not_begun_again(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch)
    said: list[Outcome] = []
    mine = Deeds(said.append)
    for _ in range(5):
        mine.begin("save", run)
    wait_until(lambda: len(started.processes) == 1)
    assert said[-1].text == f"{run.run_id} was already asked to save."
    assert said[-1].went_well
    started.processes[0].kill()
    wait_until(lambda: "ended with code" in said[-1].text)
    mine.begin("save", run)
    wait_until(lambda: len(started.processes) == 2)
    started.processes[1].kill()


def test_a_process_that_cannot_be_made_is_said(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(command: Sequence[str]) -> subprocess.Popen[str]:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(deeds, "_start", fails)
    said: list[Outcome] = []
    ended: list[str] = []
    mine = Deeds(said.append)
    mine.begin("abort", run)
    wait_until(lambda: len(said) == 2)
    assert said[1] == Outcome(
        "`inft-tui abort` could not be run: resource temporarily unavailable. Free memory, or try it in a shell.", False
    )
    mine.start(["inft-tui", "--headless"], "small", ended.append)
    wait_until(lambda: ended == [""])
    assert "could not be run" in said[-1].text
    assert mine.starting == ""


def test_who_leaves_is_told_what_is_being_started() -> None:
    assert "small is being started" in last_words(Snapshot(), "small")
    assert last_words(Snapshot()) == ""


def test_a_stop_is_left_even_by_who_leaves_at_once(live_run: RunDirectory) -> None:
    with Terminal() as terminal:
        terminal.wait_for(live_run.run_id)
        terminal.press("xyq")
        assert terminal.wait() == 0
        wait_until(lambda: pending(live_run) == {"stop"})


def test_what_is_done_here_is_not_hidden_by_what_happened(run: RunDirectory, project: Path) -> None:
    async def check() -> None:
        scene = Scene("x", prepare=something_happened)
        async with scene_of(scene, project / "logs", capabilities(), (120, 30)) as (app, pilot):
            assert "failed after step 87" in text_of(app)
            app.say(Outcome("Saved it.", went_well=True))
            await pilot.pause()
            assert "Saved it." in text_of(app)
            await pilot.press("j")
            assert "Saved it." not in text_of(app)
            assert "failed after step 87" in text_of(app)

    asyncio.run(check())


def test_another_runs_alert_leads_to_that_run(config: Config, project: Path) -> None:
    first, second = new_run(config, "2025-03-02 12:00:00"), new_run(config, "2025-03-03 12:00:00")

    async def check() -> None:
        async with scene_of(Scene("x", ("enter",)), project / "logs", capabilities(), (120, 30)) as (app, _):
            assert second.run_id in text_of(app)
            app.open_run(first.path)
            await settled(app, first.run_id)
            assert second.run_id not in text_of(app)

    asyncio.run(check())
