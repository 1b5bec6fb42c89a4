from __future__ import annotations

import math

import pytest

from inft.runs import events
from inft.runs.jsonl import Record, strict
from inft.runs.narrate import Narrator, narrate
from inft.runs.visible import visible


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (events.stage(name="download", done=2**20, total=2**22, unit="bytes"), "downloading: 1.0 MiB of 4.0 MiB"),
        (events.stage(name="weights", done=3, total=3, unit="shards"), "loading weights: 3 of 3 shards, done"),
        (events.stage(name="warming", done=3, total=None, unit="rows"), "warming: 3 rows"),
        (
            events.train_begin(max_steps=1200, num_train_epochs=1, trainable_parameters=25, total_parameters=1000),
            "training for 1,200 steps; 25 of 1,000 parameters (2.50 %) are trained",
        ),
        (
            events.train_begin(
                max_steps=120,
                num_train_epochs=1,
                trainable_parameters=1,
                total_parameters=0,
                global_step=40,
                resumed_from="small-1",
            ),
            "training for 120 steps, going on from step 40 of small-1",
        ),
        (
            events.log(global_step=50, epoch=0.5, loss=1.23456, learning_rate=1.5e-4, samples_per_sec=4.125),
            "step 50 of 100, loss 1.235, lr 0.00015, epoch 0.5, 4.125 samples/s",
        ),
        (strict(events.log(global_step=50, loss=math.nan)), "step 50 of 100, loss not finite"),
        (events.eval(global_step=50, eval_loss=1.0), "step 50 of 100: eval loss 1"),
        (
            events.eval(
                global_step=50, eval_loss=1.0, eval_chrf=31.4, eval_bleu4=5.0, eval_cider=52.6, eval_caption_failures=2
            ),
            "step 50 of 100: eval loss 1, chrF 31.4, BLEU-4 5, CIDEr 52.6, 2 captions failed",
        ),
        (events.checkpoint(step=50, path="out/c-50"), "checkpoint of step 50 in out/c-50"),
        (events.sample(language="si", reference_caption="ref", generated_caption="cap"), "si: cap [reference: ref]"),
        (events.alert(level="warning", kind="x", message="Careful.", fix=""), "warning: Careful."),
        (
            events.train_end(state="finished", global_step=100, elapsed_sec=75, best_model_dir="out/best"),
            "training finished at step 100 after 1 min 15 s; adapters in out/best",
        ),
        ({"ts": "x", "event": "gpu", "util": 97}, "gpu: util=97"),
        ({}, "None:"),
        ({"event": "log", "global_step": "x", "loss": [1]}, "step ?, loss unknown"),
        ({"event": "stage", "name": 5, "done": None, "total": "x", "unit": None}, "5: 0"),
    ],
)
def test_an_event_in_words(event: Record, line: str) -> None:
    assert narrate(event, max_steps=100) == line


def test_nothing_in_a_caption_reaches_the_terminal_as_a_command() -> None:
    event = events.sample(
        language="ur", reference_caption="\x1b]0;title\x07", generated_caption="a\nb\u202ec \x9b2J hf_abcdefgh1234"
    )
    assert narrate(event) == "ur: a\\nb\\u202ec \\x9b2J hf_*** [reference: \\x1b]0;title\\x07]"


@pytest.mark.parametrize("text", ["ශ්‍රී ලංකා", "اردو\u200fمتن", "👩‍🚀", "粵語", "plain [bold] text"])
def test_the_marks_that_languages_need_stay(text: str) -> None:
    assert visible(text) == text


def test_lone_surrogates_can_be_printed() -> None:
    assert visible("a\udce9") == "a\\udce9"


def test_a_stage_is_told_by_quarters() -> None:
    narrator = Narrator()
    lines = [narrator.line(events.stage(name="data", done=done, total=100, unit="rows")) for done in range(101)]
    assert [line for line in lines if line] == [
        "preparing data: 0 of 100 rows",
        "preparing data: 25 of 100 rows",
        "preparing data: 50 of 100 rows",
        "preparing data: 75 of 100 rows",
        "preparing data: 100 of 100 rows, done",
    ]
    endless = [narrator.line(events.stage(name="x", done=done, total=None, unit="rows")) for done in range(50)]
    assert len([line for line in endless if line]) == 1


def test_log_lines_learn_the_number_of_steps() -> None:
    narrator = Narrator()
    narrator.line(events.train_begin(max_steps=9, num_train_epochs=1, trainable_parameters=1, total_parameters=2))
    assert narrator.line(events.log(global_step=1, loss=2.0)) == "step 1 of 9, loss 2"


def test_the_number_of_steps_may_be_known_before() -> None:
    assert Narrator(max_steps=9).line(events.log(global_step=1, loss=2.0)) == "step 1 of 9, loss 2"


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), 0x2066])
def test_what_a_terminal_obeys_is_written_out(code: int) -> None:
    assert visible(f"a{chr(code)}b").isprintable()
    assert len(visible(f"a{chr(code)}b")) > 3
