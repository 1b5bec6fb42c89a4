from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from inft.runs.condition import Condition
from inft.runs.jsonl import Record
from inft.runs.status import Cause
from inft_tui.feeds.alerts import Reading, Watch
from inft_tui.feeds.facts import RunFacts

ALIVE = Condition("training", alive=True, supervised=True, step=40, max_steps=120)
FACTS = RunFacts("aya", "training", ALIVE, step=40, max_steps=120)


def kinds(watch: Watch, *readings: Reading) -> list[list[str]]:
    return [[alert.kind for alert in watch.look(reading)] for reading in readings]


def losses(*values: float) -> Reading:
    return Reading(FACTS, range(1, len(values) + 1), values)


def gpu(**figures: object) -> Reading:
    return Reading(FACTS, hardware={"gpus": [{"index": 0, **figures}]})


def host(**figures: object) -> Reading:
    return Reading(FACTS, hardware=figures)


def noisy(count: int = 60, *, seed: int = 1, middle: float = 2.0) -> list[float]:
    luck = random.Random(seed)
    return [middle + luck.gauss(0, 0.1) for _ in range(count)]


class TestLoss:
    @pytest.mark.parametrize(
        ("values", "said"),
        [
            (noisy(), []),
            ([*noisy(), 4.0], ["divergence"]),
            ([*noisy(), 4.0, 4.5, 5.0], ["divergence"]),  # once
            ([*noisy(), 4.0, *noisy(5), 4.0], ["divergence", "divergence"]),  # it had come down
            ([*noisy(), 4.0, 2.5, 4.0], ["divergence"]),  # it had not
            ([*noisy(), 0.1], []),  # better is no alarm
            ([2.0, 2.0, 9.0], []),  # nobody knows yet what is usual
            ([2.0] * 50 + [2.2], []),  # a flat curve with a wave
            ([2.0] * 50 + [3.0], ["divergence"]),
            ([0.0] * 50 + [0.0], []),
            ([math.nan], ["divergence"]),
            ([2.0, math.nan, math.inf, math.nan], ["divergence"]),
            ([math.nan, 2.0, math.nan], ["divergence", "divergence"]),
            ([8.0 * 0.97**step for step in range(200)], []),  # the steep beginning of a curve
        ],
    )
    def test_table(self, values: list[float], said: list[str]) -> None:
        assert kinds(Watch(), losses(*values)) == [said]
        watch = Watch()
        one_by_one = [kind for value in values for kind in kinds(watch, losses(value))[0]]
        assert one_by_one == said

    def test_ordinary_noise_of_single_batches_is_no_jump(self) -> None:
        for seed in range(20):
            luck = random.Random(seed)
            assert kinds(Watch(), losses(*(2 * luck.lognormvariate(0, 0.25) for _ in range(500)))) == [[]]

    def test_history_is_taken_in_and_not_said(self) -> None:
        watch = Watch()
        assert watch.look(replace(losses(*noisy(), 4.0, math.nan), is_history=True)) == []
        assert [alert.kind for alert in watch.look(losses(*noisy(5), 4.0))] == ["divergence"]

    def test_it_says_what_and_where(self) -> None:
        (alert,) = Watch().look(losses(*[2.0] * 20, 5.0))
        assert alert.message == "The loss jumped to 5 at step 21; lately it was about 2."


def state(name: str, **changes: object) -> Reading:
    condition = replace(ALIVE, state=name, **changes)  # type: ignore[arg-type]
    return Reading(replace(FACTS, state=name, condition=condition, cause=condition.cause, loss="2.1"))


TRAINS, STALLS = state("training"), state("training", stalled_sec=400.0)
FINISHED = state("finished", alive=False)
FAILED = state("failed", alive=False, cause=Cause("out_of_memory", "No room.", "Take less."))
STOPPED = state("stopped", alive=False, cause=Cause("stopped", "Stopped on request.", ""))


class TestState:
    @pytest.mark.parametrize(
        ("readings", "said"),
        [
            ([TRAINS, TRAINS], [[], []]),
            ([TRAINS, STALLS, STALLS], [[], ["stall"], []]),
            ([STALLS, TRAINS, STALLS], [["stall"], [], ["stall"]]),
            ([TRAINS, FINISHED, FINISHED], [[], ["finished"], []]),
            ([TRAINS, FAILED], [[], ["failed"]]),
            ([TRAINS, STOPPED], [[], ["stopped"]]),
            ([replace(FINISHED, is_history=True), FINISHED], [[], []]),
            ([Reading(RunFacts("x", "foreign"))], [[]]),
        ],
    )
    def test_table(self, readings: list[Reading], said: list[list[str]]) -> None:
        assert kinds(Watch(), *readings) == said

    def test_a_failure_says_why_and_what_to_do(self) -> None:
        (alert,) = Watch().look(FAILED)
        assert (alert.level, alert.message, alert.fix) == (
            "error",
            "aya failed after step 40 of 120, loss 2.1: No room.",
            "Take less.",
        )


class TestHardware:
    @pytest.mark.parametrize(
        ("readings", "said"),
        [
            ([gpu(memory_used_gib=77.0, memory_total_gib=80.0)], [[]]),
            (
                [gpu(memory_used_gib=used, memory_total_gib=80.0) for used in (78.0, 79.0, 76.0, 79.0, 70.0, 79.0)],
                [["memory"], [], [], [], [], ["memory"]],
            ),
            ([gpu(memory_used_gib=79.0, memory_total_gib=None)], [[]]),
            ([gpu(temperature_c=degrees) for degrees in (86, 87, 84, 90, 81, 88)], [[], ["hot"], [], [], [], ["hot"]]),
            ([gpu(temperature_c=None)], [[]]),
            (
                [gpu(sm_clock_mhz=clock, utilization_percent=99) for clock in (1900, 1200, 1200, 1200, 1200, 1900)],
                [[], [], [], ["throttled"], [], []],
            ),
            ([gpu(sm_clock_mhz=clock, utilization_percent=99) for clock in (1900, 1200, 1900, 1200, 1200)], [[]] * 5),
            ([gpu(sm_clock_mhz=clock, utilization_percent=5) for clock in (1900, 200, 200, 200, 200)], [[]] * 5),
            ([host(logs_disk_free_gib=left) for left in (6, 4, 6, 4, 9, 4)], [[], ["disk"], [], [], [], ["disk"]]),
            ([host(logs_disk_free_gib=1, output_disk_free_gib=1)], [["disk", "disk"]]),
            (
                [host(host_memory_available_gib=left, host_memory_total_gib=100) for left in (5, 3, 6, 3, 9)],
                [[], ["memory"], [], [], []],
            ),
            ([host(gpus=[3, None], host_memory_available_gib="x"), host(gpus={})], [[], []]),
        ],
    )
    def test_table(self, readings: list[Reading], said: list[list[str]]) -> None:
        assert kinds(Watch(), *readings) == said

    def test_every_gpu_for_itself(self) -> None:
        hot: Record = {"gpus": [{"index": index, "temperature_c": 90} for index in (3, 5)]}
        messages = [alert.message for alert in Watch().look(Reading(FACTS, hardware=hot))]
        assert messages == ["GPU 3 is at 90 °C.", "GPU 5 is at 90 °C."]

    def test_the_last_sample_of_a_run_that_is_over_alarms_nobody(self) -> None:
        assert kinds(Watch(), replace(FINISHED, hardware={"logs_disk_free_gib": 1})) == [["finished"]]
