from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from inft.config import Config
from inft.errors import DiskError
from inft.runs.condition import Condition
from inft.runs.directory import RunDirectory
from inft.runs.status import Cause
from inft_tui.alarm import READ_S, Alarm
from inft_tui.alert_lines import entries, notice
from inft_tui.display.spans import Line
from inft_tui.feeds.alerts import Alert
from inft_tui.listing import Seen, Snapshot
from inft_tui.sentry import News, Sentry, most_urgent
from inft_tui.words import Latest
from inft_tui.worker import Worker
from tests.inft_tui.pictures import Scene, capabilities, scene_of, settled
from tests.runs.pretend import new_run, write_events

BEGAN = datetime(2025, 3, 1, 12, tzinfo=UTC)
LIVE = Condition("training", alive=True, supervised=True, step=40, max_steps=120)
FAILED = Condition("failed", alive=False, supervised=False, step=44, max_steps=120, cause=Cause("x", "Why.", "How."))


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return a_run(tmp_path, "small")


def a_run(folder: Path, name: str) -> RunDirectory:
    (folder / name).mkdir()
    run = RunDirectory(folder / name)
    write_events(run, *({"event": "log", "global_step": step, "loss": 2.0} for step in range(1, 41)))
    write_hardware(run, temperature_c=90)
    return run


def write_hardware(run: RunDirectory, **gpu: object) -> None:
    with run.hardware.open("ab") as file:
        file.write(msgspec.json.encode({"gpus": [{"index": 0, **gpu}]}) + b"\n")


def a_sentry(clock: float = 0.0) -> Sentry:
    return Sentry(now=lambda: BEGAN, clock=lambda: clock)


def seen(run: RunDirectory, condition: Condition | None = LIVE, *, age_s: float = 3600.0) -> Snapshot:
    created = (BEGAN - timedelta(seconds=age_s)).isoformat()
    return snapshot(Seen(run, created, "small", condition, Latest(loss="2"), looked=True))


def snapshot(*runs: Seen) -> Snapshot:
    return Snapshot(runs, done=True)


def messages(news: list[News]) -> list[str]:
    return [item.alert.message for item in news]


class TestSentry:
    def test_what_was_before_is_not_told(self, run: RunDirectory) -> None:
        sentry = a_sentry()
        assert sentry.look(seen(run)) == []
        assert sentry.look(seen(run)) == []

    def test_what_comes_is_told_once(self, run: RunDirectory) -> None:
        sentry = a_sentry()
        sentry.look(seen(run))
        write_events(run, {"event": "log", "global_step": 41, "loss": 9.0})
        write_events(run, {"event": "log", "global_step": 42, "loss": None, "nonfinite": ["loss"]})
        write_events(run, {"event": "alert", "level": "warning", "message": "3 rows\x1b[31m left out: hf_abcdefghij."})
        write_events(run, {"event": "alert", "level": "error", "message": "told with the end"})
        write_hardware(run, temperature_c=91, memory_used_gib=79.5, memory_total_gib=80)
        assert messages(sentry.look(seen(run))) == [
            "3 rows\\x1b[31m left out: hf_***.",
            "The loss jumped to 9 at step 41; lately it was about 2.",
            "The loss is not a finite number at step 42.",
            "GPU 0's memory is nearly full: 79.5 of 80 GiB.",
        ]
        assert sentry.look(seen(run)) == []

    def test_an_end_is_told_once_and_closes_the_files(self, run: RunDirectory) -> None:
        sentry = a_sentry()
        sentry.look(seen(run))
        assert messages(sentry.look(seen(run, FAILED))) == ["small failed after step 44 of 120, loss 2: Why."]
        assert sentry.look(seen(run, FAILED)) == []

    def test_a_folder_that_cannot_be_read_for_once_repeats_nothing(self, run: RunDirectory) -> None:
        sentry = a_sentry()
        sentry.look(snapshot())
        assert len(sentry.look(seen(run, FAILED, age_s=-5))) == 1
        assert sentry.look(Snapshot((), done=True, problem=DiskError("Could not read logs.", "Look."))) == []
        assert sentry.look(snapshot()) == []
        assert sentry.look(seen(run, FAILED, age_s=-5)) == []

    def test_two_machines_have_a_gpu_0_each(self, tmp_path: Path) -> None:
        runs = [a_run(tmp_path, name) for name in ("a", "b")]
        sentry = a_sentry()
        there = replace(LIVE, elsewhere=True)
        both = snapshot(*(seen(run, there).runs[0] for run in runs))
        sentry.look(both)
        for run in runs:
            write_hardware(run, temperature_c=60)
        sentry.look(both)
        for run in runs:
            write_hardware(run, temperature_c=90)
        assert messages(sentry.look(both)) == ["GPU 0 is at 90 °C."] * 2

    def test_runs_that_had_ended_before_are_no_news(self, run: RunDirectory) -> None:
        sentry = a_sentry()
        assert sentry.look(seen(run, FAILED)) == []
        assert sentry.look(seen(run, FAILED)) == []

    def test_a_run_that_began_and_failed_between_two_looks(self, run: RunDirectory) -> None:
        sentry = a_sentry()
        sentry.look(snapshot())
        assert messages(sentry.look(seen(run, FAILED, age_s=-5)))[0].startswith("small failed after step 44 of 120")

    def test_an_old_run_that_was_copied_here_is_no_news(self, run: RunDirectory) -> None:
        sentry = a_sentry()
        sentry.look(snapshot())
        assert sentry.look(seen(run, FAILED)) == []

    def test_of_a_new_run_all_is_news(self, run: RunDirectory) -> None:
        sentry = a_sentry()
        sentry.look(snapshot())
        assert messages(sentry.look(seen(run, age_s=-5))) == ["GPU 0 is at 90 °C."]

    def test_a_log_that_begins_anew_is_history(self, run: RunDirectory) -> None:
        sentry = a_sentry()
        sentry.look(seen(run))
        run.metrics.unlink()
        write_events(run, {"event": "log", "global_step": 1, "loss": None, "nonfinite": ["loss"]})
        assert sentry.look(seen(run)) == []

    def test_two_runs_on_one_card_are_one_alert(self, tmp_path: Path) -> None:
        runs = [a_run(tmp_path, name) for name in ("a", "b")]
        sentry = a_sentry()
        both = snapshot(*(seen(run).runs[0] for run in runs))
        sentry.look(both)
        for run in runs:
            write_hardware(run, temperature_c=70)
        sentry.look(both)
        for run in runs:
            write_hardware(run, temperature_c=90)
            write_events(run, {"event": "log", "global_step": 41, "loss": math.inf, "nonfinite": ["loss"]})
        told = sentry.look(both)
        assert [(item.run.run_id, item.alert.kind) for item in told if item.alert.kind == "hot"] == [("a", "hot")]

    def test_a_run_that_is_deleted_or_cannot_be_told_is_let_go(self, run: RunDirectory) -> None:
        sentry = a_sentry()
        sentry.look(seen(run))
        assert sentry.look(seen(run, None)) == []
        assert sentry.look(snapshot()) == []
        sentry.close()


def news(kind: str, level: str, message: str) -> News:
    return News(BEGAN, RunDirectory(Path("small")), Alert(kind, level, message, "Do this."))  # type: ignore[arg-type]


HOT, WORSE, END, DONE = (
    news("hot", "warning", "It is hot."),
    news("divergence", "warning", "The loss jumped."),
    news("failed", "error", "small failed."),
    news("stopped", "info", "small stopped."),
)


def plain(line: Line) -> str:
    return "".join(text for text, _ in line)


@pytest.mark.parametrize(
    ("unread", "says"),
    [
        ([HOT], " ▲ It is hot.  small  Do this."),
        ([WORSE, HOT], " ▲ The loss jumped.  and 1 more (!)  small  Do this."),
        ([HOT, END, WORSE], " ✗ small failed.  and 2 more (!)  Do this."),
        ([DONE, WORSE], " ● small stopped.  and 1 more (!)  Do this."),
    ],
)
def test_the_most_urgent_is_said(unread: list[News], says: str) -> None:
    assert plain(notice(unread, "!")) == says
    assert most_urgent(unread).alert.fix == "Do this."


def test_the_list_has_the_newest_first() -> None:
    first, second = entries([HOT, END], 60, BEGAN)
    assert [plain(line).strip() for line in first][1:] == ["failed.", "Do this."]
    assert plain(second[0]).startswith("  ▲ warning")


@pytest.fixture
def bells() -> list[str]:
    return []


@pytest.mark.parametrize(
    ("came", "rings"),
    [([HOT, WORSE], 1), ([news("finished", "info", "x")], 1), ([news("stopped", "info", "x")], 0), ([], 0)],
)
@pytest.mark.parametrize("on", [False, True])
def test_the_bell(came: list[News], rings: int, on: bool, bells: list[str]) -> None:
    alarm = Alarm(Worker(lambda call: call(), lambda _: None), lambda: bells.append("ding"), lambda: None, rings=on)
    alarm.hear(came)
    assert len(bells) == (rings if on else 0)


def test_a_key_that_is_pressed_as_it_comes_is_no_sign_that_it_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("inft_tui.alarm.time.monotonic", lambda: now)
    alarm = Alarm(Worker(lambda call: call(), lambda _: None), lambda: None, lambda: None)
    alarm.hear([HOT])
    alarm.press()
    assert "hot" in plain(alarm.notice("!"))
    now += READ_S
    alarm.press()
    assert (alarm.notice("!"), plain(alarm.mark("!"))) == ((), " ! 1 ")
    alarm.read()
    assert alarm.mark("!") == ()


def test_enter_opens_the_one_that_was_selected_whatever_has_come_since(config: Config, project: Path) -> None:
    runs = [new_run(config, f"2025-03-0{day} 12:00:00") for day in (2, 3)]
    first, second = (News(BEGAN, run, Alert("hot", "warning", f"Hot in {run.run_id}.")) for run in runs)

    async def check() -> None:
        scene = Scene("x", ("exclamation_mark",), "Hot in", lambda app: app.alarm.hear([first]))
        async with scene_of(scene, project / "logs", capabilities(), (120, 30)) as (app, pilot):
            app.alarm.hear([second])
            await settled(app, second.alert.message)
            await pilot.press("enter")
            await settled(app, runs[0].run_id)
            assert app.subjects.chosen == runs[0].path

    asyncio.run(check())
