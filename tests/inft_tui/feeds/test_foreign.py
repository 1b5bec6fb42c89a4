from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from inft.errors import ConfigError
from inft.runs.directory import RunDirectory
from inft_tui.feeds.foreign import ForeignFeed, find_log, open_feed
from inft_tui.feeds.run_feed import Feed, RunFeed

TRAINER = [
    {"loss": 2.5, "grad_norm": 1.0, "learning_rate": 1e-4, "epoch": 0.5, "step": 10},
    {"eval_loss": 2.25, "eval_runtime": 3.0, "epoch": 0.5, "step": 10},
    {"loss": math.nan, "grad_norm": 1.5, "learning_rate": 5e-5, "epoch": 1.0, "step": 20},
    {"train_runtime": 9.0, "train_loss": 2.0, "epoch": 1.0, "step": 20},
]
LLAMA_FACTORY = [
    {"current_steps": step, "total_steps": 40, "loss": 2.0, "lr": 1e-4, "percentage": 5.0, "elapsed_time": "0:00:01"}
    for step in (5, 10)
]


def write(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def curves(feed: Feed) -> dict[str, list[tuple[float, float]]]:
    while not feed.read(1.0).done:
        pass
    return {name: list(zip(series.x, series.y, strict=True)) for name, series in feed.series.items()}


def test_lines_of_a_trainer(tmp_path: Path) -> None:
    feed = open_feed(write(tmp_path / "log.jsonl", *TRAINER))
    found = curves(feed)
    assert list(found) == ["loss", "grad_norm", "learning_rate", "eval_loss", "eval_runtime"]
    assert repr(found["loss"]) == "[(10.0, 2.5), (20.0, nan)]"
    assert found["eval_loss"] == [(10, 2.25)]
    assert [(mark.kind, mark.x) for mark in feed.marks] == [("evaluation", 10)]
    assert list(feed.axes["epoch"].y) == [0.5, 0.5, 1.0]
    assert (feed.facts.state, feed.facts.step, feed.facts.loss) == ("foreign", 20, "not finite")


def test_a_trainer_s_state(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-20"
    folder.mkdir()
    state = folder / "trainer_state.json"
    state.write_text(json.dumps({"max_steps": 40, "log_history": TRAINER}))
    feed = open_feed(tmp_path)
    assert "loss" in curves(feed)
    assert (feed.facts.step, feed.facts.max_steps) == (20, 40)
    facts = feed.facts
    assert feed.read(1.0).changed == frozenset()
    assert feed.facts is facts
    state.write_text(json.dumps({"max_steps": 40, "log_history": [*TRAINER[:3], {"loss": 1.0, "step": 30}]}))
    assert feed.read(1.0).restarted
    assert feed.facts.step == 30


def test_lines_of_llama_factory(tmp_path: Path) -> None:
    feed = open_feed(write(tmp_path / "trainer_log.jsonl", *LLAMA_FACTORY))
    assert curves(feed) == {
        "loss": [(5, 2.0), (10, 2.0)],
        "learning_rate": [(5, 1e-4), (10, 1e-4)],
        "percentage": [(5, 5.0), (10, 5.0)],
    }
    assert feed.facts.max_steps == 40


@pytest.mark.parametrize(
    ("records", "loss"),
    [
        ([{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}], [(1, 3.0), (2, 2.0)]),
        ([{"loss": 3.0}, {"loss": 2.0}], [(1, 3.0), (2, 2.0)]),
        ([{"train/loss": 3.0, "train/global_step": 7}], [(7, 3.0)]),
        ([{"iter": 4, "train_loss": 3.0, "note": "x", "ok": True}], [(4, 3.0)]),
        ([{"event": "log", "global_step": 4, "loss": 3.0}], [(4, 3.0)]),
        ([{"step": 9, "loss": 1.0}, {"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}], [(1, 3.0), (2, 2.0)]),
    ],
)
def test_any_lines_with_a_loss(tmp_path: Path, records: list[object], loss: list[tuple[float, float]]) -> None:
    feed = open_feed(write(tmp_path / "x.jsonl", *records))
    assert curves(feed)["loss"] == loss


def test_where_steps_have_no_number_an_evaluation_is_none_of_them(tmp_path: Path) -> None:
    feed = open_feed(write(tmp_path / "x.jsonl", {"loss": 3.0}, {"eval_loss": 2.5}, {"loss": 2.0}))
    assert curves(feed) == {"loss": [(1, 3.0), (2, 2.0)], "eval_loss": [(1, 2.5)]}


def test_it_follows_and_begins_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", {"step": 1, "loss": 3.0})
    feed = open_feed(path)
    curves(feed)
    with path.open("a") as file:
        file.write('{"step": 2, "loss": 2.0}\n{"step": 3, "lo')
    assert curves(feed)["loss"] == [(1, 3.0), (2, 2.0)]
    write(path, {"step": 7, "loss": 7.0})
    assert curves(feed)["loss"] == [(7, 7.0)]


def test_of_several_logs_the_newest_is_taken(tmp_path: Path) -> None:
    old, new = (
        write(tmp_path / "a.jsonl", {"step": 1, "loss": 3.0}),
        write(tmp_path / "b.jsonl", {"step": 1, "loss": 4}),
    )
    write(tmp_path / "rows.jsonl", {"text": "a row of some corpus"})
    os.utime(old, (1, 1))
    assert find_log(tmp_path) == new
    os.utime(new, (0, 0))
    assert find_log(tmp_path) == old


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\n\n", b"[1, 2]\n", b'{"text": "a row"}\n', b'{"step": "one", "lo\n', b"loss: 3\n" * 9]
)
def test_what_is_no_log_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    for place in (path, tmp_path):
        with pytest.raises(ConfigError, match="holds no training log"):
            open_feed(place)


def test_nothing_at_all_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is empty"):
        open_feed(tmp_path)
    with pytest.raises(ConfigError, match="holds no training log"):
        open_feed(tmp_path / "nowhere")


def test_a_state_that_is_damaged_later_is_a_sentence(tmp_path: Path) -> None:
    state = tmp_path / "trainer_state.json"
    state.write_text('{"log_history": [')
    feed = ForeignFeed(state)
    assert feed.read(1.0).done
    assert "holds no training log" in feed.facts.problem
    state.unlink()
    assert feed.read(1.0).done
    assert "Could not read" in feed.facts.problem


def test_a_run_of_ours_is_known_by_its_record(run: RunDirectory) -> None:
    assert isinstance(open_feed(run.path), RunFeed)
    run.run_json.write_bytes(b"{")
    assert isinstance(open_feed(run.path), RunFeed)
