"""What the listing says about the run that is selected."""

from __future__ import annotations

import msgspec
import pytest

from inft.config import Config
from inft.machine.boot import uptime
from inft.project import project_root
from inft.runs import events
from inft.runs.directory import Origin, RunDirectory
from inft.runs.results import RESULT, Result
from inft.runs.status import Cause, Status
from inft_tui.screens.run_words import RunWords
from tests.runs.conftest import config, project
from tests.runs.pretend import (
    dead_process,
    move_to_another_machine,
    new_run,
    save_checkpoint,
    start_sleeper,
    working,
    write_events,
    write_status,
)

__all__ = ["config", "project"]


def test_silence_is_counted_in_minutes(config: Config) -> None:
    process, identity = start_sleeper()
    try:
        run = new_run(config, "2025-03-01 12:00:00")
        words = RunWords(run)
        said = {}
        for seconds in (30, 75, 110, 130):
            write_status(run, working(identity), uptime=uptime() - seconds)
            words.look()
            said[seconds] = "\n".join("".join(text for text, _ in line) for line in words.lines(100))
    finally:
        process.kill()
        process.wait()
    assert "heartbeat" not in said[30]
    assert "1 min ago" in said[75]
    assert said[110] == said[75], "seconds would be drawn again and again"
    assert "2 min ago" in said[130]


def said(run: RunDirectory, columns: int = 400, rows: int | None = None) -> dict[str, str]:
    """What stands behind each label."""
    words = RunWords(run)
    words.look()
    lines = ["".join(text for text, _ in line) for line in words.lines(columns, rows)]
    return {line[:14].strip(): line[16:] for line in lines if line[2:3].strip()}


def put_adapters(config: Config, run: RunDirectory, name: str) -> str:
    folder = (project_root() / config.best_model_dir).with_name(name)
    folder.mkdir(parents=True)
    (folder / RESULT).write_bytes(msgspec.json.encode(Result(run.run_id, 40)))
    return str(folder)


def test_where_its_adapters_are_now_and_never_another_run_s(config: Config) -> None:
    run, other = (new_run(config, f"2025-03-01 1{hour}:00:00") for hour in (2, 3))
    best = (project_root() / config.best_model_dir).name
    write_status(run, Status("finished", step=40, max_steps=40, exit_code=0))
    own = put_adapters(config, run, best)
    assert said(run)["adapters"] == own
    (project_root() / config.best_model_dir).rename(project_root() / f"{config.best_model_dir}-earlier-20250301-130000")
    put_adapters(config, other, best)
    assert said(run)["adapters"] == f"{own}-earlier-20250301-130000"
    (project_root() / f"{config.best_model_dir}-earlier-20250301-130000" / RESULT).unlink()
    assert said(run)["adapters"] == f"gone from {own}, which has those of {other.run_id} now"
    assert said(run)["checkpoint"] == "none"
    write_events(run, events.checkpoint(step=40, path="/x/checkpoint-40"))
    assert said(run)["checkpoint"] == "gone"
    write_status(other, Status("failed", step=0, exit_code=6, cause=Cause("data", "No row.", "")))
    assert said(other)["adapters"] == own


def test_how_a_stopped_run_goes_on_is_what_it_has_now(config: Config) -> None:
    first = new_run(config, "2025-03-01 12:00:00")
    saved = save_checkpoint(first, 46)
    run = new_run(config, "2025-03-01 13:00:00", origin=Origin(first.run_id, saved.path))
    fix = f"Its adapters are in /p/best, its checkpoint is in /p; `inft-tui resume {run.run_id}` goes on from there."
    write_status(run, Status("stopped", step=50, exit_code=130, cause=Cause("stopped", "Stopped.", fix)))
    moved = saved.path.parent / "earlier-20250301-130000" / saved.path.name
    moved.parent.mkdir()
    saved.path.rename(moved)
    for path in first.path.iterdir():
        path.unlink()
    shown = said(run)
    assert shown["what to do"].endswith(f"goes on from its last complete checkpoint, {moved}.")
    assert shown["checkpoint"] == f"step 46 of {first.run_id}, {moved}"


@pytest.mark.parametrize("host", ["", "node7"])
def test_damage_is_said_and_the_end_told_by_the_events(config: Config, host: str) -> None:
    run = new_run(config, "2025-03-01 12:00:00")
    if host:
        move_to_another_machine(run, host)
    write_events(run, events.log(global_step=180, loss=2.0))
    with run.metrics.open("ab") as file:
        file.write(b"rubbish\n" * 3)
    write_events(run, events.train_end(state="finished", global_step=180))
    words = RunWords(run)
    write_status(run, working(dead_process(), step=178, of=180))
    run.status_json.write_bytes(run.status_json.read_bytes()[:50])
    words.look()
    text = "\n".join("".join(text for text, _ in line) for line in words.lines(400))
    assert "finished after step 180, loss 2" in text
    assert "status.json is damaged or gone; how it ended is told by the last event" in text
    assert "3 lines of metrics.jsonl could not be read." in text
    assert "start again" not in text


def test_what_was_read_before_the_damage_is_not_shown_as_if_nothing_were_wrong(config: Config) -> None:
    run = new_run(config, "2025-03-01 12:00:00")
    write_status(run, Status("finished", step=40, max_steps=40, exit_code=0))
    words = RunWords(run)
    words.look()
    run.status_json.write_bytes(b"{")
    words.look()
    assert "cannot be read any more" in "".join(text for line in words.lines(400) for text, _ in line)
    write_status(run, Status("finished", step=40, max_steps=40, exit_code=0))
    words.look()
    assert "cannot be read any more" not in "".join(text for line in words.lines(400) for text, _ in line)


@pytest.mark.parametrize("tail", [("", "  "), ("the last line",)])
def test_no_heading_stands_without_a_line_below_it(config: Config, tail: tuple[str, ...]) -> None:
    run = new_run(config, "2025-03-01 12:00:00")
    write_status(run, Status("failed", step=1, exit_code=70, cause=Cause("crashed", "It crashed.", "", tail)))
    words = RunWords(run)
    words.look()
    for rows in (None, *range(1, 12)):
        shown = ["".join(text for text, _ in line) for line in words.lines(100, rows)]
        assert "console.log" not in shown[-1]
        assert shown[-1]
        assert rows is None or len(shown) <= rows
    whole = "".join(text for line in words.lines(100) for text, _ in line)
    assert ("console.log" in whole) == bool(tail[0])
