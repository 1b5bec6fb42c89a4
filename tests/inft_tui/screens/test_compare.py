"""The Compare screen over runs on disk."""

from __future__ import annotations

import asyncio
import csv
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from inft.config import Config
from inft.profiles import resolve
from inft.runs.directory import RunDirectory
from inft.runs.status import Status
from inft_tui.app import ConsoleApp
from inft_tui.watched import CALM_S
from tests.inft_tui.pictures import Scene, capabilities, resized, scene_of, settled, text_of
from tests.runs.conftest import config, project
from tests.runs.pretend import new_run, start_sleeper, working, write_events, write_status

__all__ = ["config", "project"]

Check = Callable[[ConsoleApp, Pilot[None]], Awaitable[None]]


@pytest.fixture
def runs(project: Path, config: Config) -> list[RunDirectory]:
    """Three that finished, the oldest first; the second with other parameters."""
    made = []
    for number, overrides in enumerate(((), ("sft.lr=7e-5", "lora.r=8"), ())):
        run = new_run(resolve("small", overrides).config, f"2025-03-0{number + 1} 12:00:00")
        write_events(run, *(log(step, 4 - number / 2 - step / 20, number + 1) for step in range(1, 41)))
        write_events(run, {"event": "eval", "global_step": 40, "eval_loss": 2.5 + number})
        write_status(run, Status("finished", step=40, max_steps=40, exit_code=0))
        made.append(run)
    return made


def log(step: int, loss: float, pace: float) -> dict[str, object]:
    return {"event": "log", "global_step": step, "epoch": step / 10, "elapsed_sec": step * pace, "loss": loss}


def shown(logs_dir: Path, check: Check, *, keys: tuple[str, ...] = ("4",), attach: str = "") -> None:
    """Opens the screen, and lets `check` look at it."""

    async def run() -> None:
        scene = Scene("compare", keys, "loss  ", attach=attach)
        async with scene_of(scene, logs_dir, capabilities(), (120, 40)) as (app, pilot):
            await check(app, pilot)

    asyncio.run(run())


def test_those_that_are_marked_with_what_differs(runs: list[RunDirectory]) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await settled(app, "sft.lr")
        lines = text_of(app).splitlines()
        legend = [line for line in lines if "finished" in line]
        assert [line.split()[0] for line in legend] == ["A", "B", "C"]
        assert [run.run_id in line for run, line in zip(reversed(runs), legend, strict=True)] == [True] * 3
        assert legend[0].split()[-3:] == ["1", "1", "40"], "last, lowest, at step"
        assert any(line.split() == ["lora.r", "64", "8", "64"] for line in lines)
        await pilot.press("escape", "u", "4")
        await settled(app, "2 runs")

    shown(runs[0].path.parent, check, keys=("space", "space", "space", "4"))


def test_with_no_marks_the_chosen_one_and_the_newest_other(runs: list[RunDirectory]) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert runs[0].run_id in text
        assert runs[2].run_id in text
        assert runs[1].run_id not in text
        assert "All parameters are the same." in text

    shown(runs[0].path.parent, check, keys=("down", "down", "4"))


def test_runs_are_taken_in_and_out_here(runs: list[RunDirectory]) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("r", *"20250301")
        await settled(app, runs[0].run_id)
        assert runs[1].run_id not in text_of(app)
        await pilot.press("space", "enter")
        await settled(app, "3 runs")
        assert app.subjects.marked == [run.path for run in reversed(runs)]
        await pilot.press("r", "space", "enter")
        await settled(app, "2 runs")
        assert runs[2].run_id not in text_of(app)

    shown(runs[0].path.parent, check)


def test_figures_axes_and_the_cursor(runs: list[RunDirectory]) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("left")
        await settled(app, "at 40")
        await pilot.press("left")
        await settled(app, "at 39")
        await pilot.press("space", "n")
        await settled(app, "eval loss, 2 of 2")
        await pilot.press("p", "a")
        await settled(app, "epoch")
        await pilot.press("a")
        await settled(app, "time")
        assert "1m" in text_of(app), "the slowest took 40 steps of 3 s"
        await pilot.press("a", "plus", "y", "m", "f", "f")
        await settled(app, "step")
        await pilot.press("a", "left")
        await settled(app, "loss  epoch 4.000")

    shown(runs[0].path.parent, check)


def test_saved_points_name_the_runs(runs: list[RunDirectory], project: Path) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await pilot.press("c", "v")
        await settled(app, "Saved")
        (table,) = (project / "outputs" / "charts").glob("*.csv")
        rows = list(csv.DictReader(table.open(encoding="utf-8")))
        assert {row["series"] for row in rows} == {runs[2].run_id, runs[1].run_id}
        assert len(rows) == 80
        (drawing,) = (project / "outputs" / "charts").glob("*.svg")
        assert runs[2].run_id in drawing.read_text(encoding="utf-8")

    shown(runs[0].path.parent, check)


def test_a_run_that_goes_on_is_followed_and_one_that_is_deleted_does_no_harm(
    runs: list[RunDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        often = app.place().next_tick_s()
        assert often < CALM_S
        monkeypatch.setattr("inft_tui.comparison.group.CALM_AFTER_S", 0.0)
        assert app.place().next_tick_s() == CALM_S, "silent for long enough"
        monkeypatch.undo()
        write_events(runs[2], log(41, 0.125, 3))
        await settled(app, "0.125")
        assert app.place().next_tick_s() == often
        shutil.rmtree(runs[1].path)
        for _ in range(3):
            app.screen.tick()  # type: ignore[attr-defined]
            await settled(app, "loss")
        await pilot.press("n", "a", "r", "enter")
        await settled(app, "runs")

    process, identity = start_sleeper()
    write_status(runs[2], working(identity))
    shown(runs[0].path.parent, check)
    process.kill()
    process.wait()


def test_another_programs_log_is_compared_as_far_as_it_goes(runs: list[RunDirectory], project: Path) -> None:
    (project / "logs" / "other.jsonl").write_text('{"step": 1, "loss": 3}\n{"step": 40, "loss": 1.5}\n', "utf-8")

    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert "other.jsonl" in text
        assert "A has no config.toml" in text

    shown(runs[0].path.parent, check, attach="other.jsonl")


def test_any_size(runs: list[RunDirectory]) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        for size in ((60, 18), (1, 1), (300, 100), (80, 24)):
            await resized(app, pilot, size, "")
            await pilot.press("d", "j", "pagedown")
        text = text_of(app)
        assert "sft.lr" in text
        assert "┤" in text

    shown(runs[0].path.parent, check, keys=("space", "space", "4"))


def test_nothing_is_drawn_while_nothing_changes(runs: list[RunDirectory], monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        drawn: list[object] = []
        monkeypatch.setattr(app, "_display", lambda *update: drawn.append(update))
        for _ in range(5):
            app.screen.tick()  # type: ignore[attr-defined]
            await settled(app, "")
        assert drawn == []

    shown(runs[0].path.parent, check)
