"""The System screen over a machine that answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from inft_tui.app import ConsoleApp
from inft_tui.screens.system import SystemScreen
from inft_tui.system.machine import Questions
from inft_tui.widgets.chart_view import ChartView
from tests.inft_tui.pictures import Scene, capabilities, resized, scene_of, settled, text_of
from tests.inft_tui.system.pretend import questions

Check = Callable[[ConsoleApp, Pilot[None]], Awaitable[None]]


def shown(asked: Questions, folder: Path, check: Check, size: tuple[int, int] = (160, 45), shows: str = "") -> None:
    """Opens the screen, and lets `check` look at it."""

    async def run() -> None:
        def prepare(app: ConsoleApp) -> None:
            app.subjects.machine(asked)

        scene = Scene("system", ("6",), shows or "Ready to train?", prepare)
        async with scene_of(scene, folder, capabilities(), size) as (app, pilot):
            await check(app, pilot)

    asyncio.run(run())


def test_gpus_with_their_history_and_who_is_on_them(tmp_path: Path) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        text = text_of(app)
        for words in ("use  ", "71.2/139.8 GiB", "temperature  ", "power  ", "4711    python", "70.0 GiB", "580.65.06",
                      "CUDA up to 13.0", "compute capability 9.0", "BF16", "37% of 16 cores", "nfs4, over the network",
                      "▲ gpu memory", "→ End that program."):  # fmt: skip
            assert words in text, words
        assert text.index("▲ gpu memory") < text.index("● driver"), "what is not green comes first"
        await pilot.press("tab")
        await settled(app, "On GPU 1")
        assert "4711    python" not in text_of(app)
        await pilot.press("tab")
        await settled(app, "On GPU 0")

    shown(questions(tmp_path), tmp_path, check, shows="memory  71.2 GiB")


def test_without_a_gpu_it_shows_the_host(tmp_path: Path) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert "This machine has no GPU" in text
        assert "host memory  " in text
        assert "load  " in text
        assert "compute capability" not in text

    shown(questions(tmp_path, gpus=0), tmp_path, check, shows="host memory  ")


@pytest.mark.parametrize("hanging", ["gpus", "host", "lights", "disk"])
def test_whatever_hangs_the_rest_is_shown(hanging: str, tmp_path: Path) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        text = text_of(app)
        there = {
            "gpus": "compute capability",
            "host": "37% of 16 cores",
            "lights": "All 9 fit",
            "disk": "512.0 GiB free",
        }
        for name, words in there.items():
            assert (words in text) == (name != hanging), name
        await pilot.press("r", "down", "tab")
        assert "Ready to train?" in text_of(app)

    shown(questions(tmp_path, hangs=(hanging,)), tmp_path, check, shows="memory  71.2 GiB")


def test_any_size(tmp_path: Path) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        for size in ((80, 24), (1, 1), (300, 100), (60, 18)):
            await resized(app, pilot, size, "")
        text = text_of(app)
        assert "71.2/139.8 GiB" in text
        assert "On GPU 0" in text
        assert "┤" not in text, "no room for charts"
        await pilot.press(*["pagedown"] * 6)
        await settled(app, "")
        assert "temporary" in text_of(app)

    shown(questions(tmp_path), tmp_path, check, shows="71.2/139.8")


def test_figures_that_wobble_are_drawn_every_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        host, screen = app.subjects.machine().host, app.place()
        assert isinstance(screen, SystemScreen)
        assert host.answer is not None
        screen.draw()
        host._take(replace(host.answer, busy=0.55))
        screen.tick()
        await settled(app, " 37% of 16 cores")
        monkeypatch.setattr("inft_tui.screens.system.CALM_S", 0.0)
        screen.tick()
        await settled(app, " 55% of 16 cores")

    shown(questions(tmp_path), tmp_path, check, shows="memory  71.2 GiB")


def test_a_short_history_does_not_move_with_each_sample(tmp_path: Path) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        charts = [view for view in app.screen.query(ChartView) if view.chart.viewport is not None]
        assert charts
        assert all(view.chart.viewport is not None and view.chart.viewport.x1 >= 600 for view in charts)

    shown(questions(tmp_path), tmp_path, check, shows="memory  71.2 GiB")


def test_nothing_is_drawn_while_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(app: ConsoleApp, pilot: Pilot[None]) -> None:
        await asyncio.sleep(0.1)
        drawn: list[object] = []
        monkeypatch.setattr(app, "_display", lambda *update: drawn.append(update))
        for _ in range(5):
            app.screen.tick()  # type: ignore[attr-defined]
            await settled(app, "")
        assert drawn == []

    shown(questions(tmp_path), tmp_path, check, shows="memory  71.2 GiB")
