"""Evaluations: what is measured of which rows, what decides the best checkpoint, and what ends a run."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from PIL import Image
from torch.nn.functional import cross_entropy

from inft.captioning.captioner import Caption
from inft.config import Config
from inft.data.munichus import load_evaluation_rows
from inft.data.skips import SkipLedger
from inft.errors import DataError
from inft.evaluation_figures import figures_to_choose_by
from inft.profiles import load_config, resolve
from inft.runs.directory import RunDirectory
from inft.runs.results import read_result
from inft.scoring.cider import DocumentFrequencies
from inft.scoring.measuring import frequencies_among
from inft.scoring.modes import ScoreMode
from inft.trainer import run_to_end
from inft.training import caption_scores
from inft.training.arguments import training_arguments
from inft.training.callbacks import early_stopping
from inft.training.evaluation import CONTENT_KEY, EvaluationCollator, HeldOut, LanguageBatches, check_languages
from inft.training.meter import StepMeter
from inft.training.order import cost_by_size
from inft.training.padding_free import trainer_for
from inft.training.report import RunReport
from inft.training.resumed import CheckpointPlan
from inft.training.samples import Samples
from inft.training.trainer import CaptionTrainer
from tests.data.corpora import config, record, write_jsonl
from tests.training.runs import Home, events_of, status_of
from tests.training.steps import FP32, Built


def shared_articles(run: RunDirectory) -> list[dict[str, Any]]:
    """What the run says of articles that it both trains and evaluates on."""
    return [event for event in events_of(run, "alert") if "trained on, too" in event["message"]]


def trainer_of(built: Built, config: Config, home: Home, held_out: HeldOut) -> CaptionTrainer:
    """One that evaluates, and was built for nothing else."""
    return trainer_for(
        config,
        built.family,
        built.collator,
        model=built.model,
        args=training_arguments(config, home.root / "out", on_gpu=False),
        lengths=built.lengths,
        cost=cost_by_size,
        held_out=held_out,
        meter=StepMeter(),
        plan=CheckpointPlan(home.root / "out", ("test",), keep=1),
        report=built.report,
        ledger=SkipLedger(),
        adapter_dtype=torch.float32,
        is_ending=lambda: False,
        callbacks=[],
    )


LANGUAGES = {"en": range(5), "si": range(5, 8)}


def test_no_batch_is_of_two_languages() -> None:
    assert list(LanguageBatches(LANGUAGES, 2)) == [[0, 1], [2, 3], [4], [5, 6], [7]]
    assert len(LanguageBatches(LANGUAGES, 2)) == 5
    assert list(LanguageBatches(LANGUAGES, 50)) == [[0, 1, 2, 3, 4], [5, 6, 7]]


@pytest.mark.parametrize("free", ["false", "true"], ids=["padded", "padding-free"])
def test_a_loss_is_the_mean_over_tokens_whatever_the_batch(home: Home, free: str) -> None:
    built = Built(home, "demo_llama", *FP32, "data.max_rows_per_lang=3", f"sft.padding_free={free}")
    collator, rows = built.collator, built.rows
    sums = dict.fromkeys(rows.languages, 0.0)
    tokens = dict.fromkeys(rows.languages, 0)
    built.model.eval()
    for language, numbers in rows.languages.items():
        for number in numbers:
            batch = collator([{"row": number}])
            labels = batch.pop("labels")[:, 1:]
            with torch.no_grad():
                logits = built.model(**batch).logits[:, :-1]
            sums[language] += float(cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum"))
            tokens[language] += int((labels != -100).sum())
    assert len(set(tokens.values())) == 2, "so that a mean over languages would be another"
    expected = {f"eval_loss_{name}": sums[name] / tokens[name] for name in sums}
    expected["eval_loss"] = sum(sums.values()) / sum(tokens.values())

    found = []
    for batch_size in (1, 2, 6):
        config = replace(built.config, sft=replace(built.config.sft, inference_batch_size=batch_size))
        trainer = trainer_of(built, config, home, HeldOut(collator, rows.languages))
        figures = trainer.evaluate()
        found.append(figures)
        for name, value in expected.items():
            assert figures[name] == pytest.approx(value, rel=1e-4), (name, batch_size)
    for name in ("eval_entropy", "eval_mean_token_accuracy"):
        assert found[0][name] == pytest.approx(found[2][name], rel=1e-4), name


def test_a_row_that_cannot_be_used_is_left_out_and_named(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    write_jsonl(folder / "en" / "train.jsonl", [record(n) for n in range(40)])
    (folder / "en/images/train-1.png").write_bytes(b"no picture at all")
    settings = ("data.source=jsonl", f"data.path={folder}", "data.languages=en")
    collator = EvaluationCollator(Built(home, "demo_llama", *settings).collator)
    batch = collator([{"row": 0}, {"row": 1}, {"row": 2}])
    content = batch.pop(CONTENT_KEY)
    assert (content.language, content.rows, len(batch["input_ids"])) == ("en", 2, 2)
    assert content.supervised == (batch["labels"] != -100).sum()
    assert [row.place for row in content.skipped] == ["en/train.jsonl line 2"]
    assert list(collator([{"row": 1}])) == [CONTENT_KEY]


@pytest.mark.slow
def test_captions_are_scored_per_language_and_decide_what_is_best(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []

    def count(captions: list[str], language: str, mode: ScoreMode) -> DocumentFrequencies:
        counted.append(language)
        return frequencies_among(captions, language, mode)

    monkeypatch.setattr(caption_scores, "frequencies_among", count)
    run = home.create(
        "demo_aya",
        "data.eval_fraction=0.3",
        "basic.eval_captions=2",
        "basic.gen_max_new_tokens=12",
        "sft.metric_for_best_model=chrf_si",
        "sft.greater_is_better=true",
        "sft.early_stopping_patience=30",
        "sft.eval_steps=1",
        "sft.save_steps=1",
        "sft.save_total_limit=9",
        "sft.max_steps=4",
        "sft.lr=1",
        "sft.inference_batch_size=4",
    )
    assert run_to_end(run) == 0, run.console_log.read_text()
    config = load_config(run.config_toml)
    evaluations = events_of(run, "eval")
    assert [event["global_step"] for event in evaluations] == [1, 2, 3, 4]
    for event in evaluations:
        assert set(figures_to_choose_by(config)) < set(event)
        for metric in ("chrf", "bleu4", "cider"):
            mean = (event[f"eval_{metric}_en"] + event[f"eval_{metric}_si"]) / 2
            assert event[f"eval_{metric}"] == pytest.approx(mean)
        assert event["eval_caption_sec"] > 0
    assert any(event["eval_chrf"] > 0 for event in evaluations)
    assert counted == ["en", "si"], "once a run"
    assert shared_articles(run) == []

    held_out = load_evaluation_rows(config.data, root=home.root)
    assert held_out is not None
    written = [json.loads(line) for line in run.samples.read_text().splitlines()]
    rows = [sample["row"] for sample in written if sample["global_step"] == 1]
    assert [sample["row"] for sample in written] == rows * 4, "the same rows each time"
    assert [held_out[row].language for row in rows] == ["en", "en", "si", "si"]
    for sample in written:
        assert "final" not in sample
        assert sample["reference_caption"] == held_out[sample["row"]].caption.strip()
        assert (run.path / sample["picture"]).is_file()
    failures = [sum(s["failure"] is not None for s in written if s["global_step"] == step) for step in (1, 2, 3, 4)]
    assert failures == [event["eval_caption_failures"] for event in evaluations]

    values = [event["eval_chrf_si"] for event in evaluations]
    best = 1 + values.index(max(values))
    assert best < 4, "else keeping the last would do as well"
    outputs = home.root / "outputs/demo_aya"
    result = read_result(outputs / "best")
    assert result is not None
    assert (result.step, result.is_best) == (best, True)
    saved, last, first = (
        safetensors.torch.load_file(outputs / folder / "adapter_model.safetensors")
        for folder in ("best", "checkpoints/checkpoint-4", f"checkpoints/checkpoint-{best}")
    )
    assert all(torch.equal(saved[name], first[name]) for name in saved)
    assert any(not torch.equal(saved[name], last[name]) for name in saved)


@pytest.mark.slow
def test_the_best_is_saved_and_kept_whenever_a_checkpoint_is_due(home: Home) -> None:
    run = home.create(
        "demo_llama",
        "data.eval_split=test",
        "data.eval_rows_per_lang=2",
        "sft.inference_batch_size=2",
        "sft.eval_steps=1",
        "sft.save_steps=4",
        "sft.save_total_limit=1",
        "sft.max_steps=4",
        "sft.lr=1",
        "sft.early_stopping_patience=30",
    )
    outputs, saved = home.root / "outputs/demo_llama", {}

    def keep(event: dict[str, Any]) -> None:
        if event["event"] == "checkpoint":
            path = outputs / f"checkpoints/checkpoint-{event['global_step']}/adapter_model.safetensors"
            saved[event["global_step"]] = path.read_bytes()

    assert run_to_end(run, [keep]) == 0, run.console_log.read_text()
    losses = [event["eval_loss"] for event in events_of(run, "eval")]
    best = 1 + losses.index(min(losses))
    assert best in (2, 3), "better than one before, and the only checkpoint that is due is worse"
    assert list(saved) == [step for step in (1, 2, 3, 4) if step == 4 or losses[step - 1] == min(losses[:step])]
    kept = (outputs / "checkpoints").glob("checkpoint-*")
    assert sorted(path.name for path in kept) == [f"checkpoint-{best}", "checkpoint-4"]
    result = read_result(outputs / "best")
    assert result is not None
    assert (result.step, result.is_best) == (best, True)
    assert (outputs / "best/adapter_model.safetensors").read_bytes() == saved[best] != saved[4]


@pytest.mark.slow
@pytest.mark.parametrize(("threshold", "evaluations"), [("100", 3), ("0", 4)])
def test_what_is_too_small_an_improvement_ends_a_run(home: Home, threshold: str, evaluations: int) -> None:
    run = home.create(
        "demo_llama",
        "data.eval_fraction=0.2",
        "data.eval_rows_per_lang=2",
        "sft.inference_batch_size=2",
        "sft.eval_steps=1",
        "sft.save_steps=4",
        "sft.max_steps=4",
        "sft.lr=0.01",
        "sft.early_stopping_patience=2",
        f"sft.early_stopping_threshold={threshold}",
    )
    assert run_to_end(run) == 0
    losses = [event["eval_loss"] for event in events_of(run, "eval")]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == evaluations


class Lacking(MetaPathFinder):
    """Finds what another finder does, but for one module."""

    def __init__(self, finder: Any, module: str) -> None:
        self._finder, self._module = finder, module

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return None if name.partition(".")[0] == self._module else self._finder.find_spec(name, path, target)


@pytest.mark.slow
def test_captions_that_nothing_here_can_score_are_refused_before_the_model_loads(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "ipadic", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Lacking(finder, "ipadic") for finder in sys.meta_path])
    asked = ("data.eval_split=test", "data.languages=en,ja", "basic.eval_captions=1")
    refused = home.create("demo_llama", *asked, "sft.load_best_model_at_end=false")
    assert run_to_end(refused) == 3
    cause = status_of(refused).cause
    assert cause is not None
    assert "ipadic" in cause.message
    assert "inft-tui[score]" in cause.fix
    assert events_of(refused, "stage") == [], "nothing was opened or loaded"


def forked(home: Home, program: str) -> int:
    """What a program says at its end, in a process that has loaded what trains."""
    with open(os.devnull) as nothing:
        return home.nursery.start(program, home.environment, home.root, nothing.fileno()).wait(60)


@pytest.mark.slow
def test_a_run_that_scores_nothing_needs_nothing_that_scores(home: Home) -> None:
    assert forked(home, "import sys; sys.exit('inft.pipeline' not in sys.modules)") == 0
    assert forked(home, "import sys; sys.exit(sum(name in sys.modules for name in ('sacrebleu', 'MeCab')))") == 0


@pytest.mark.slow
def test_a_tokeniser_that_does_not_load_is_noticed_at_the_start(home: Home) -> None:
    run = home.create("demo_llama", "data.eval_split=test", "data.languages=en,ja", "basic.eval_captions=1")
    assert home.fork(run, prelude="import ipadic; ipadic.MECAB_ARGS = '-r /nowhere -d /nowhere'").wait(60) != 0
    cause = status_of(run).cause
    assert cause is not None
    assert "sacreBLEU's tokeniser ja-mecab cannot be loaded" in cause.message
    assert events_of(run, "stage") == [], "nothing was opened or loaded"


def test_a_language_whose_rows_cannot_be_used(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    for language, rows in (("en", 40), ("si", 2)):
        write_jsonl(folder / language / "train.jsonl", [record(n) | {"language": language} for n in range(rows)])
    settings = ("data.source=jsonl", f"data.path={folder}", "data.languages=en,si")
    built = Built(home, "demo_llama", *FP32, *settings)
    held_out = HeldOut(built.collator, {"en": range(2), "si": built.rows.languages["si"]})
    check_languages(held_out)
    (folder / "si/images/train-0.png").write_bytes(b"no picture at all")
    check_languages(held_out)
    (folder / "si/images/train-1.png").write_bytes(b"no picture at all")
    with pytest.raises(DataError, match="evaluate on in si can be used"):
        check_languages(held_out)

    def evaluate(metric: str) -> dict[str, float]:
        config = replace(built.config, sft=replace(built.config.sft, metric_for_best_model=metric))
        config = replace(config, data=replace(config.data, eval_split="train"))
        return trainer_of(built, config, home, held_out).evaluate()

    for _ in range(2):
        figures = evaluate("eval_loss_en")
        assert figures["eval_loss"] == pytest.approx(figures["eval_loss_en"])
        assert "eval_loss_si" not in figures
    told = [event for event in events_of(built.run, "alert") if "in si can be used any more" in event["message"]]
    assert len(told) == 2, "once of each trainer"
    with pytest.raises(DataError, match="so there is no eval_loss_si to tell the best checkpoint by"):
        evaluate("loss_si")


@pytest.mark.slow
def test_articles_that_are_trained_on_are_told_of(home: Home) -> None:
    run = home.create("demo_llama", "data.eval_split=test", "sft.max_steps=1", "sft.load_best_model_at_end=false")
    assert run_to_end(run) == 0
    (told,) = shared_articles(run)
    assert told["message"].startswith("18 of the 18 rows evaluated on have an article that is trained on, too")
    assert (told["level"], told["kind"]) == ("warning", "rows")


def test_a_picture_is_copied_once_and_one_that_cannot_be_is_null(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    write_jsonl(folder / "en" / "train.jsonl", [record(n, caption=" A caption. ") for n in range(40)])
    Image.new("RGB", (1600, 400), (1, 2, 3)).save(folder / "en/images/train-0.png")
    (folder / "en/images/train-1.png").write_bytes(b"no picture at all")
    rows = load_evaluation_rows(config("jsonl", folder, languages=("en",), eval_split="train"), root=folder)
    assert rows is not None
    run = home.create("demo_llama")
    samples = Samples(rows, run.path, RunReport(run))
    (run.path / "pictures").write_text("in the way, as a full disk would be")
    samples.write([Caption(0, "None.")], 4)
    (run.path / "pictures").unlink()
    samples.write([Caption(0, "One."), Caption(1, "", "the picture is broken")], 5)
    (run.path / "pictures/0.jpg").write_bytes(b"as it was")
    samples.write([Caption(0, "Two.")], 6)
    without, first, broken, second = (json.loads(line) for line in run.samples.read_text().splitlines())
    assert without["picture"] is None
    assert (first["picture"], broken["picture"], second["picture"]) == ("pictures/0.jpg", None, "pictures/0.jpg")
    assert (broken["generated_caption"], broken["failure"]) == ("", "the picture is broken")
    assert (first["reference_caption"], first["place"], first["row"]) == ("A caption.", "en/train.jsonl line 1", 0)
    assert (run.path / "pictures/0.jpg").read_bytes() == b"as it was"
    again = Samples(rows, run.path, RunReport(run))
    again.write([Caption(0, "Three.")], 7)
    with Image.open(run.path / "pictures/0.jpg") as copy:
        assert copy.size == (480, 120)


@pytest.mark.parametrize(
    ("settings", "ends"),
    [
        (("data.eval_fraction=0.1", "sft.load_best_model_at_end=false"), True),
        (("data.eval_fraction=0.1", "sft.early_stopping_patience=0"), False),
        ((), False),
    ],
)
def test_patience_is_honoured_whichever_adapters_are_kept(home: Home, settings: tuple[str, ...], ends: bool) -> None:
    found = early_stopping(resolve("aya_basic", settings).config, RunReport(home.create("demo_llama")))
    assert bool(found) == ends
