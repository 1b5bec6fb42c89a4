from __future__ import annotations

import math
import random

import pytest

from inft.runs import events
from inft.runs.jsonl import Record, strict
from inft_tui.charts.series import Series
from inft_tui.feeds import curves as curves_module
from inft_tui.feeds.curves import Curves, Mark


def points(series: Series) -> list[tuple[float, float]]:
    return list(zip(series.x, series.y, strict=True))


def taken(*records: Record) -> Curves:
    curves = Curves()
    curves.take(records)
    return curves


def log(step: int, **figures: object) -> Record:
    return {"ts": "2025-03-01T12:00:00.000Z", "event": "log", "global_step": step, **figures}


class TestFigures:
    def test_every_number_of_a_step_is_a_curve_known_or_not(self) -> None:
        curves = taken(log(1, loss=2.5, my_reward=7), log(2, loss=2, my_reward=8.5))
        assert {name: points(series) for name, series in curves.series.items()} == {
            "loss": [(1, 2.5), (2, 2)],
            "my_reward": [(1, 7), (2, 8.5)],
        }
        assert curves.step == 2

    def test_what_is_no_number_is_left_out(self) -> None:
        curves = taken(log(1, note="a", flag=True, list=[1], nested={"a": 1}, loss=1.0), log(2, flag=False, loss=2.0))
        assert list(curves.series) == ["loss"]

    def test_mixed_values_of_one_key_give_the_numbers_among_them(self) -> None:
        curves = taken(log(1, a=1.0), log(2, a="x"), log(3, a=True), log(4, a=None), log(5, a=5), log(6, a=10**400))
        assert points(curves.series["a"]) == [(1, 1.0), (5, 5.0), (6, math.inf)]

    def test_not_finite_is_a_point_without_a_value_and_unknown_is_none(self) -> None:
        curves = taken(*(strict(log(step, loss=loss, peak=None)) for step, loss in ((1, 1.0), (2, math.nan), (3, 3.0))))
        assert [(x, math.isnan(y)) for x, y in points(curves.series["loss"])] == [(1, False), (2, True), (3, False)]
        assert list(curves.series) == ["loss"]

    def test_epochs_and_seconds_are_axes(self) -> None:
        curves = taken(log(10, loss=1.0, epoch=0.5, elapsed_sec=20.0), log(20, loss=1.0, epoch=1, elapsed_sec=40.0))
        assert list(curves.series) == ["loss"]
        assert points(curves.axes["epoch"]) == [(10, 0.5), (20, 1.0)]
        assert points(curves.axes["elapsed_sec"]) == [(10, 20.0), (20, 40.0)]

    def test_an_evaluation_has_names_of_its_own_and_a_mark(self) -> None:
        curves = taken(log(5, loss=2.0), events.eval(global_step=5, eval_loss=1.5, accuracy=0.25))
        assert {name: points(series) for name, series in curves.series.items()} == {
            "loss": [(5, 2.0)],
            "eval_loss": [(5, 1.5)],
            "eval_accuracy": [(5, 0.25)],
        }
        assert curves.marks == [Mark("evaluation", 5, "eval loss 1.5")]

    @pytest.mark.parametrize("step", [None, "7", True, 10**400])
    def test_a_line_without_a_place_is_passed_over(self, step: object) -> None:
        curves = taken(log(1, loss=1.0), {**log(0, loss=2.0), "global_step": step}, log(3, loss=3.0))
        assert points(curves.series["loss"]) == [(1, 1.0), (3, 3.0)]

    def test_lines_of_other_shapes_do_no_harm(self) -> None:
        odd: list[Record] = [{}, {"event": 1}, {"event": ["log"]}, {"loss": 3}, {"event": "log"}, {"event": "eval"}]
        assert taken(*odd).series == {}

    def test_names_are_safe_to_show_and_bounded_in_number(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(curves_module, "MOST_SERIES", 3)
        curves = taken(
            log(1, **{"\x1b[2J": 1.0, "b": 2.0}), *(log(step, **{f"made_up_{step}": 1.0}) for step in range(9))
        )
        assert list(curves.series) == ["\\x1b[2J", "b", "made_up_0"]

    def test_batches_of_any_size_give_the_same(self) -> None:
        for seed in range(30):
            luck = random.Random(seed)
            records = [random_record(luck, step) for step in range(60)]
            whole, pieces = taken(*records), Curves()
            place = 0
            while place < len(records):
                size = luck.randrange(1, 9)
                pieces.take(records[place : place + size])
                place += size
            expected = brute_force(records)
            for curves in (whole, pieces):
                found = {name: points(series) for name, series in curves.series.items() if len(series)}
                assert repr(found) == repr(expected)  # NaN equals itself in text only
            assert whole.marks == pieces.marks


def random_record(luck: random.Random, step: int) -> Record:
    step = max(0, step - luck.choice([0, 0, 0, 0, 0, 0, 5]))
    kind = luck.randrange(8)
    if kind == 0:
        return events.eval(global_step=step, eval_loss=luck.random())
    if kind == 1:
        return events.train_begin(
            max_steps=60, num_train_epochs=1, trainable_parameters=1, total_parameters=2, global_step=step
        )
    values: list[object] = [1, 2.5, None, "text", True, math.nan]
    return strict(log(step, **{name: luck.choice(values) for name in luck.sample("abc", luck.randrange(4))}))


def brute_force(records: list[Record]) -> dict[str, list[tuple[float, float]]]:
    """The same, a value at a time."""
    curves: dict[str, list[tuple[float, float]]] = {}
    last = -1.0
    for record in records:
        step = float(record["global_step"])  # type: ignore[arg-type]
        begins = record["event"] == "train_begin"
        if step < last or begins:
            for name in curves:
                curves[name] = [(x, y) for x, y in curves[name] if x < step or (begins and x == step)]
        if begins and last < 0:
            continue
        last = step
        if begins:
            continue
        for name, value in record.items():
            if name in ("global_step", "epoch", "elapsed_sec"):
                continue
            if type(value) in (int, float):
                curves.setdefault(name, []).append((step, float(value)))  # type: ignore[arg-type]
            elif name in (record.get("nonfinite") or []):  # type: ignore[operator]
                curves.setdefault(name, []).append((step, math.nan))
    order = list(dict.fromkeys(name for name in curves))
    return {name: curves[name] for name in order if curves[name]}


class TestGoingBack:
    def test_a_resumed_run_replaces_what_lay_behind_its_checkpoint(self) -> None:
        curves = taken(
            begin(0),
            *(log(step, loss=float(step), elapsed_sec=step * 2.0) for step in range(1, 9)),
            events.eval(global_step=8, eval_loss=1.0),
            events.checkpoint(step=5, path="checkpoint-5"),
            begin(5, resumed_from="first"),
            *(log(step, loss=-float(step), elapsed_sec=(step - 5) * 3.0) for step in (6, 7)),
        )
        assert points(curves.series["loss"]) == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, -6), (7, -7)]
        assert points(curves.axes["elapsed_sec"])[-3:] == [(5, 10.0), (6, 13.0), (7, 16.0)]
        assert len(curves.series["eval_loss"]) == 0
        assert curves.marks == [
            Mark("checkpoint", 5, "checkpoint in checkpoint-5"),
            Mark("seam", 5, "resumed from step 5 of first"),
        ]

    def test_a_run_that_begins_later_says_so(self) -> None:
        curves = taken(begin(40, resumed_from="first"), log(41, loss=1.0))
        assert curves.marks == [Mark("resume", 40, "resumed from step 40 of first")]

    def test_a_file_that_begins_again_without_a_word_has_a_seam(self) -> None:
        curves = taken(log(1, loss=1.0), log(2, loss=2.0), log(3, loss=3.0), log(2, loss=-2.0), log(3, loss=-3.0))
        assert points(curves.series["loss"]) == [(1, 1), (2, -2), (3, -3)]
        assert [(mark.kind, mark.x) for mark in curves.marks] == [("seam", 2)]


def test_alerts_are_marked_where_they_came_unless_they_only_inform() -> None:
    curves = taken(
        log(7, loss=1.0),
        events.alert(level="info", kind="rows", message="Fine.", fix=""),
        events.alert(level="warning", kind="x", message="Odd \x1b[31m hf_abcdefgh12345.", fix=""),
    )
    assert curves.marks == [Mark("alert", 7, "warning: Odd \\x1b[31m hf_***.")]


def begin(step: int, **extra: object) -> Record:
    return events.train_begin(
        max_steps=100, num_train_epochs=1, trainable_parameters=1, total_parameters=2, global_step=step, **extra
    )
