from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from inft.runs import events
from inft.runs.directory import RunDirectory
from inft.runs.jsonl import Record
from inft_tui.progress import draw
from inft_tui.run_state import RunState
from inft_tui.summary import summary_lines


def told(*moments: tuple[float, Record]) -> RunState:
    state = RunState()
    for now, event in moments:
        state.apply(event, now)
    return state


def begin(steps: int, **extra: object) -> Record:
    return events.train_begin(max_steps=steps, num_train_epochs=1, trainable_parameters=1, total_parameters=2, **extra)


def drawn(state: RunState, now: float, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True, legacy_windows=False)
    with console.capture() as capture:
        console.print(draw(state, now, width))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_the_time_left_is_the_mean_pace_times_the_steps_left() -> None:
    state = told((10, begin(100)), (20, events.log(global_step=5, loss=1.0)))
    assert state.seconds_left(30) == pytest.approx(20 / 5 * 95)


def test_after_a_resume_the_pace_is_that_of_the_new_steps() -> None:
    state = told((0, begin(100, global_step=50)), (0, {"event": "x"}))
    assert state.seconds_left(5) is None
    state.apply(events.log(global_step=60, loss=1.0), 10)
    assert state.seconds_left(10) == pytest.approx(40)


def test_the_summary_counts_the_steps_of_this_run_alone(tmp_path: Path) -> None:
    state = told(
        (0, begin(100, global_step=50)),
        (1, events.log(global_step=60, loss=3.0)),
        (2, events.log(global_step=100, loss=1.0)),
    )
    lines = summary_lines(RunDirectory(tmp_path), "finished", state, seconds=75, adapters=None)
    assert lines[:2] == ["Finished after 1 min 15 s.", "  loss      3 -> 1 over 50 steps"]


def test_a_heartbeat_moves_the_step_but_never_back() -> None:
    state = told((0, begin(100)), (1, events.log(global_step=5, loss=1.0)))
    state.reach(7)
    state.apply(events.log(global_step=6, loss=1.0), 2)
    assert state.training is not None
    assert state.training.done == 7


def test_first_and_last_loss() -> None:
    logs = [(1.0, events.log(global_step=n, loss=loss)) for n, loss in enumerate([None, 4.0, 2.0])]
    state = told(*logs)
    assert (state.first_loss, state.loss) == (4.0, 2.0)


def test_a_stage_without_a_total_ends_when_the_next_begins() -> None:
    state = told(
        (1, events.stage(name="data", done=5, total=None, unit="rows")),
        (4, events.stage(name="weights", done=0, total=3, unit="shards")),
    )
    assert state.stages["data"].ended == 4
    assert state.stages["weights"].ended is None


def test_events_with_nonsense_in_them_do_no_harm() -> None:
    names = ("stage", "train_begin", "log", "eval", "checkpoint", "sample", "alert", "train_end", "new", 5, None)
    state = told(*((0.0, {"event": name, "name": 1, "done": "x", "total": [], "loss": "y"}) for name in names))
    assert drawn(state, 1, 80)


def test_before_the_first_event_something_is_there() -> None:
    assert drawn(RunState(), 0, 80) == ["starting"]


def test_the_drawing() -> None:
    state = told(
        (0, events.stage(name="weights", done=0, total=4, unit="shards")),
        (2, events.stage(name="weights", done=4, total=4, unit="shards")),
        (2, begin(10)),
        (7, events.log(global_step=5, loss=1.23456, samples_per_sec=8.0)),
    )
    assert drawn(state, 7, 80) == [
        "loading weights " + "━" * 32 + " 4 of 4 shards  2.0 s",
        "training        " + "━" * 16 + " " * 16 + " 5 of 10 steps",
        "loss 1.235  8 samples/s  ETA 5.0 s",
    ]
    assert drawn(state, 7, 40) == [
        "loading weights 4 of 4 shards  2.0 s",
        "training        5 of 10 steps",
        "loss 1.235  8 samples/s  ETA 5.0 s",
    ]


@pytest.mark.parametrize("width", [10, 20, 40, 63, 64, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    state = told((0, begin(10)), (7, events.stage(name="x" * 50, done=1, total=2, unit="rows")))
    assert max(map(len, drawn(state, 7, width))) <= width


def test_of_several_evaluations_the_newest_captions_and_both_ends_are_told(tmp_path: Path) -> None:
    state = RunState()
    for step, chrf in ((10, 2.0), (20, 7.0), (30, 31.0)):
        state.apply(events.eval(global_step=step, eval_loss=5.0 - step / 10, eval_chrf=chrf, eval_cider=chrf), 1)
        for language in ("en", "si"):
            state.apply(
                events.sample(
                    language=language, reference_caption="ref", generated_caption=f"of {step}", global_step=step
                ),
                1,
            )
    lines = summary_lines(RunDirectory(tmp_path), "finished", state, seconds=75, adapters=None)
    assert "  evaluated loss 4 -> 2, chrF 2 -> 31, CIDEr 2 -> 31" in lines
    assert [line.strip() for line in lines if " of " in line] == ["en   of 30", "si   of 30"]
