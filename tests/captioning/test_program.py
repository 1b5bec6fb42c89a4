"""A split's captions in a file: continued to the same bytes after any end, and never mixed with another job's."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from transformers import GenerationMixin

from inft.captioning import program
from inft.captioning.chosen import choose_model
from inft.captioning.job import job_path
from inft.captioning.predictions import PredictionsFile
from inft.captioning.program import Request, caption_split
from inft.captioning.progress import Pace, Progress
from inft.data.munichus import load_evaluation_rows
from inft.errors import ConfigError, DataError, HubError, InftError
from inft.models.tiny import tiny_checkpoint
from inft.profiles import resolve
from inft.scoring.predictions import Prediction
from inft.scoring.scores import score_predictions
from tests.captioning.conftest import Trained
from tests.models.bases import copied, edit_json, edit_weights
from tests.stand_in_hub import serving
from tests.training.runs import REPOSITORY

HALF_A_LINE = """
import os, signal
from inft.captioning.predictions import PredictionsFile
append, batches = PredictionsFile.append, []
def half(self, records):
    batches.append(records)
    if len(batches) == 2:
        append(self, records[:1])
        os.write(self._descriptor, b'{"language":"en","row":')
        os.kill(os.getpid(), signal.SIGKILL)
    append(self, records)
PredictionsFile.append = half
"""
"""In the middle of the second batch's second line, the process is killed."""


def request(output: Path, **changes: Any) -> Request:
    asked = Request(
        model="latest",
        output=output,
        split="train",
        languages=None,
        max_rows_per_lang=None,
        profile=None,
        overrides=(),
        bits=None,
        sample_seed=None,
        batch_size=2,
        force=False,
    )
    return replace(asked, **changes)


def run(asked: Request) -> str:
    """What it says on the way."""
    said = io.StringIO()
    caption_split(asked, Progress(said))
    return said.getvalue()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def chrf(path: Path) -> float:
    """Of the captions in a file."""
    predictions = [
        Prediction(line["language"], line["reference_caption"], line["generated_caption"], line["row"], line["failure"])
        for line in lines(path)
    ]
    return score_predictions(predictions, "standard").macro.chrf


def test_trained_beats_untrained_by_a_wide_margin(trained: Trained, tmp_path: Path) -> None:
    run(request(tmp_path / "trained.jsonl"))
    base = str(tiny_checkpoint("aya", trained.cache))
    run(request(tmp_path / "base.jsonl", model=base, profile=str(trained.run.config_toml)))
    assert {line["row"] for line in lines(tmp_path / "base.jsonl")} == set(range(6))
    assert chrf(tmp_path / "trained.jsonl") > chrf(tmp_path / "base.jsonl") + 20


def test_what_kill_9_cuts_short_is_continued_to_the_same_bytes(trained: Trained, tmp_path: Path) -> None:
    seed = 7  # drawn tokens are the harder case: they must not depend on what was drawn before
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    run(request(whole, sample_seed=seed))
    arguments = ["--model", "latest", "--output", str(cut), "--split", "train", "--batch-size", "2"]
    arguments += ["--sample", "--seed", str(seed)]
    with (tmp_path / "said").open("wb") as said:
        process = trained.nursery.start(
            f"{HALF_A_LINE}\nimport sys\nfrom inft.captioning.__main__ import main\nsys.exit(main({arguments!r}))\n",
            dict(os.environ),
            REPOSITORY,
            said.fileno(),
        )
        assert process.wait(120) == -signal.SIGKILL, (tmp_path / "said").read_text()
    assert cut.read_bytes().count(b"\n") == 3
    assert not cut.read_bytes().endswith(b"\n")
    assert "2 of them done before" in run(request(cut, sample_seed=seed, batch_size=None))
    assert cut.read_bytes() == whole.read_bytes()
    assert job_path(cut).read_bytes() == job_path(whole).read_bytes()
    assert "done before" not in run(request(cut, sample_seed=seed))  # there is nothing left to do
    assert cut.read_bytes() == whole.read_bytes()


def test_the_job_says_which_rows_the_file_will_hold(trained: Trained, tmp_path: Path) -> None:
    run(request(tmp_path / "p.jsonl", split="test", overrides=("basic.gen_max_new_tokens=2",)))
    job = json.loads(job_path(tmp_path / "p.jsonl").read_text())
    assert job["rows"] == {"en": list(range(6))}
    assert (job["split"], job["run_id"], job["settings"]["do_sample"]) == ("test", trained.run.run_id, False)
    assert sorted(line["row"] for line in lines(tmp_path / "p.jsonl")) == job["rows"]["en"]


def test_rows_without_a_usable_picture_are_failures(trained: Trained, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    shutil.copytree(REPOSITORY / "inft/data/demo", corpus)
    rows = [json.loads(line) for line in (corpus / "train.jsonl").read_text().splitlines()]
    english = [row for row in rows if row["language"] == "en"][:4]
    (corpus / "images/broken.jpg").write_bytes(b"no picture")
    english[1]["image"], english[2]["image"] = "images/broken.jpg", "images/gone.jpg"
    (corpus / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in english))
    overrides = ("data.source=jsonl", f"data.path={corpus}", "basic.gen_max_new_tokens=4")
    said = run(request(tmp_path / "p.jsonl", overrides=overrides))
    by_row = {line["row"]: line for line in lines(tmp_path / "p.jsonl")}
    assert [row for row, line in sorted(by_row.items()) if line["failure"]] == [1, 2]
    assert all(by_row[row]["generated_caption"] == "" for row in (1, 2))
    assert by_row[1]["failure"] != by_row[2]["failure"]
    assert "4 rows in" in said
    assert "2 of them without a caption" in said


def test_held_out_rows_are_those_that_the_run_evaluates_on(trained: Trained, tmp_path: Path) -> None:
    short = ("basic.gen_max_new_tokens=1", "data.languages=en,si")
    said = refusal(request(tmp_path / "none.jsonl", split=None, overrides=(*short, "data.eval_fraction=none")))
    assert "was trained without an evaluation" in said
    held_out = (*short, "data.eval_fraction=0.2", "data.max_rows_per_lang=none")
    run(request(tmp_path / "held.jsonl", split=None, overrides=held_out))
    run(request(tmp_path / "all.jsonl", split="train", overrides=held_out))
    held, all_rows = (lines(tmp_path / name) for name in ("held.jsonl", "all.jsonl"))
    assert 0 < len(held) < len(all_rows) == 36
    config = resolve(str(trained.run.config_toml), held_out).config
    evaluated = load_evaluation_rows(config.data, root=tmp_path)
    assert evaluated is not None
    assert {line["place"] for line in held} == {row.place for row in evaluated}


def refusal(asked: Request, kind: type[InftError] = ConfigError) -> str:
    with pytest.raises(kind) as caught:
        run(asked)
    return f"{caught.value.message} {caught.value.fix}"


def test_a_file_of_another_job_is_not_continued(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    short = request(path, overrides=("basic.gen_max_new_tokens=2",))
    run(short)
    content = path.read_bytes()
    longer = replace(short, overrides=("basic.gen_max_new_tokens=3",))
    assert "its basic.gen_max_new_tokens is 2, and this one's is 3" in refusal(longer)
    assert 'its split is "train", and this one\'s is "test"' in refusal(replace(short, split="test"))
    assert "begun with --batch-size 2" in refusal(replace(short, batch_size=3))
    assert "it is of 6 rows of en, and this one of 3" in refusal(replace(short, max_rows_per_lang=3))
    assert path.read_bytes() == content
    path.write_bytes(content.replace(b'"row":', b'"row":9', 1))
    assert "line 1 is not what this job wrote there" in refusal(short)
    job_path(path).unlink()
    assert "nothing beside it says" in refusal(short)
    run(replace(longer, force=True))
    assert path.read_bytes() != content
    assert len(lines(path)) == 6


def test_a_file_begun_anew_and_broken_off_is_nobody_s(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.jsonl"
    short = request(path, overrides=("basic.gen_max_new_tokens=1",))
    run(short)

    def stopped(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as short_of_lengths:
        short_of_lengths.setattr(program, "measure_rows", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(replace(short, split="test", force=True))
    assert (path.read_bytes(), job_path(path).exists()) == (b"", False)
    run(replace(short, split="test"))
    assert json.loads(job_path(path).read_text())["split"] == "test"


def test_what_memory_had_room_for_is_kept_to_after_any_end(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = request(tmp_path / "whole.jsonl", sample_seed=7, overrides=("basic.gen_max_new_tokens=4",))
    whole, cut = drawn, replace(drawn, output=tmp_path / "cut.jsonl")
    generate = GenerationMixin.generate

    def small(self: Any, *arguments: Any, input_ids: torch.Tensor, **inputs: Any) -> Any:
        if len(input_ids) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(self, *arguments, input_ids=input_ids, **inputs)

    with monkeypatch.context() as short_of_memory:
        short_of_memory.setattr(GenerationMixin, "generate", small)
        run(whole)
    assert json.loads(job_path(whole.output).read_text())["at_most"] == 1
    job_path(cut.output).write_bytes(job_path(whole.output).read_bytes())
    cut.output.write_bytes(b"".join(whole.output.read_bytes().splitlines(keepends=True)[:2]))
    run(cut)
    assert cut.output.read_bytes() == whole.output.read_bytes()
    run(replace(drawn, output=tmp_path / "other.jsonl"))
    assert (tmp_path / "other.jsonl").read_bytes() != whole.output.read_bytes(), "the parts make no difference"


def test_a_file_is_written_by_one_process(trained: Trained, tmp_path: Path) -> None:
    with PredictionsFile(tmp_path / "p.jsonl"):
        assert "Another process is writing" in refusal(request(tmp_path / "p.jsonl"))


def test_models_that_do_not_fit_are_refused(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    other = copied(tiny_checkpoint("aya", trained.cache), tmp_path / "other")
    on_other = request(out, overrides=("basic.model_source=folder", f"basic.model_path={other}"))
    run(
        replace(on_other, output=tmp_path / "copy.jsonl", overrides=(*on_other.overrides, "basic.gen_max_new_tokens=1"))
    )

    def train(tensors: dict[str, torch.Tensor]) -> None:
        tensors[min(tensors)] *= 1.01

    edit_weights(other, train)
    assert re.search(r"were trained on .*aya.* and the base here is .*other", refusal(on_other))
    adapters = copied(trained.adapters, tmp_path / "adapters")
    wrong_family = request(out, model=str(adapters), profile="demo_llama")
    (adapters / "inft-run.json").unlink()
    of_other = replace(on_other, model=str(adapters), profile="demo_aya")
    assert re.search(r"were trained on .*aya.*, and the base here is .*other", refusal(of_other)), "known by its name"
    assert "are not for the Llama 3.2 Vision" in refusal(wrong_family)
    assert "Nothing says how the adapters" in refusal(replace(wrong_family, profile=None))
    edit_json(adapters / "adapter_config.json", r=8)
    assert "of another size or rank" in refusal(replace(wrong_family, profile=str(trained.run.config_toml)))
    (adapters / "adapter_model.safetensors").write_bytes(b"12345678 no safetensors")
    assert "is no safetensors file" in refusal(replace(wrong_family, profile=str(trained.run.config_toml)))


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"model": "demo_none"}, ConfigError, "There is no run"),
        ({"model": "./nowhere"}, ConfigError, "There is no folder"),
        ({"model": "owner/nowhere"}, HubError, "There is no folder .*as a hub id .*knows no model"),
        ({"model": "owner/gated"}, HubError, "There is no folder .*as a hub id .*is gated"),
        ({"split": "nothing"}, DataError, "has no split 'nothing'; it has .* Name one of these with --split"),
        ({"languages": ("xx",)}, ConfigError, "--languages names .*xx"),
    ],
)
def test_what_is_not_there_is_said(
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    kind: type[InftError],
    words: str,
) -> None:
    with serving("model", "owner/gated", {}) as (address, hub):
        ask(address, tmp_path, monkeypatch)
        gated = changes.get("model") == "owner/gated"
        hub.refusal = (403, {"X-Error-Code": "GatedRepo"}) if gated else (401, {"X-Error-Code": "RepoNotFound"})
        assert re.search(words, refusal(request(tmp_path / "p.jsonl", **changes), kind))
    assert not job_path(tmp_path / "p.jsonl").exists()


def test_a_folder_that_is_no_model_and_a_run_without_adapters(trained: Trained, tmp_path: Path) -> None:
    assert "is no model" in refusal(request(tmp_path / "p.jsonl", model=str(tmp_path)))
    run_alone = copied(trained.run.path, trained.root / "logs" / "demo_aya-20200101-000000")
    try:
        (run_alone / "config.toml").write_text(
            trained.run.config_toml.read_text().replace("outputs/demo_aya/best", "outputs/elsewhere")
        )
        assert "has no adapters in" in refusal(request(tmp_path / "p.jsonl", model=run_alone.name))
    finally:
        shutil.rmtree(run_alone)


def test_every_name_of_a_model_leads_to_its_run_s_configuration(trained: Trained, tmp_path: Path) -> None:
    def chosen(name: str) -> Any:
        return choose_model(name, profile=None, overrides=(), bits=None, progress=lambda done, total: None)

    whole = copied(tiny_checkpoint("aya", trained.cache), tmp_path / "whole")
    (whole / "merge.json").write_text(json.dumps({"run_id": trained.run.run_id}))
    names = ("latest", trained.run.run_id, trained.run.run_id[:-1], str(trained.run.path), str(trained.adapters))
    for model in map(chosen, names):
        assert (model.config, model.adapters.resolve()) == (trained.config, trained.adapters.resolve())
        assert (model.run_id, model.trained_on is not None) == (trained.run.run_id, True)
    merged = chosen(str(whole))
    assert (merged.adapters, merged.config.data) == (None, trained.config.data)
    assert merged.config.basic.model_path == str(whole)


def ask(address: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the hub's library, which looked at the environment when it was loaded, ask a stand-in."""
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def test_adapters_and_whole_models_on_the_hub(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (trained.adapters, tiny_checkpoint("aya", trained.cache)):
        contents = {path.name: path.read_bytes() for path in folder.iterdir()}
        with serving("model", f"owner/{folder.name}", contents) as (address, _):
            ask(address, tmp_path, monkeypatch)
            asked = request(tmp_path / f"{folder.name}.jsonl", model=f"owner/{folder.name}")
            run(replace(asked, profile=str(trained.run.config_toml), overrides=("basic.gen_max_new_tokens=2",)))
            assert len(lines(tmp_path / f"{folder.name}.jsonl")) == 6


def test_progress_is_a_line_in_place_on_a_terminal_and_a_line_now_and_then_elsewhere() -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    def told(stream: io.StringIO, *, at_once: bool = True) -> str:
        now = iter([0.0, 1.0, 2.0, 16.0 if at_once else 15.5])
        progress = Progress(stream, lambda: next(now), at_once=at_once)
        for number in range(4 if at_once else 3):
            progress.say(f"at {number}")
        progress.end()
        return stream.getvalue()

    assert told(io.StringIO()) == "at 0\nat 3\n"
    assert told(Screen()) == "\rat 0\rat 1\rat 2\rat 3\r    \r"
    assert told(io.StringIO(), at_once=False) == ""
    assert told(Screen(), at_once=False) == "\rat 1\rat 2\r    \r"
    assert Pace(10, 10, lambda: 0.0).text(10) == "10 of 10 rows"
