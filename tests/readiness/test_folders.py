from __future__ import annotations

import json
from pathlib import Path

import pytest

from inft.profiles import resolve
from inft.readiness.check import Check
from inft.readiness.folders import judge_output_folders, local_folders
from inft.runs.directory import RunDirectory
from inft.runs.locks import OutputLocks


def folders(tmp_path: Path, *overrides: str) -> dict[str, Check]:
    config = resolve("demo_aya", ["data.eval_fraction=none", *overrides]).config
    return {check.name: check for check in local_folders(config, tmp_path)}


def test_a_demo_reads_none(tmp_path: Path) -> None:
    assert folders(tmp_path) == {}


def test_a_model(tmp_path: Path) -> None:
    chosen = ("basic.model_source=folder", "basic.model_path=mine")
    model = tmp_path / "mine"

    def check() -> Check:
        return folders(tmp_path, *chosen)["local model"]

    assert (check().status, check().message) == ("red", f"There is no folder {model} (basic.model_path).")
    model.mkdir()
    assert "no config.json" in check().message
    (model / "config.json").write_text("{}")
    assert "no weights" in check().message
    assert check().status == "red"
    (model / "model.safetensors").write_bytes(b"")
    assert check().status == "green"


def test_a_corpus(tmp_path: Path) -> None:
    chosen = ("data.source=jsonl", "data.path=rows")

    def check() -> Check:
        return folders(tmp_path, *chosen)["local data"]

    assert (check().status, check().fix) == ("red", "Correct data.path, or mount its disk.")
    (tmp_path / "rows").mkdir()
    assert "is empty" in check().message
    (tmp_path / "rows" / "test.jsonl").write_text("")
    assert "has no split 'train'; it has test" in check().message
    (tmp_path / "rows" / "train.jsonl").write_text("")
    assert check().status == "green"


def test_a_corpus_whose_lines_lack_a_column(tmp_path: Path) -> None:
    folder = tmp_path / "rows" / "en"
    folder.mkdir(parents=True)
    row = {"image": "a.jpg", "title": "t", "text": "c", "caption": "x"}
    (folder / "train.jsonl").write_text("no row\n" + json.dumps(row) + "\n")
    chosen = ("data.source=jsonl", "data.path=rows", 'data.languages=["en"]')
    check = folders(tmp_path, *chosen)["local data"]
    assert check.status == "red"
    assert "lacks the column content; it has caption, image, text, title" in check.message
    assert "data.columns" in check.fix
    assert folders(tmp_path, *chosen, 'data.columns={content = "text"}')["local data"].status == "green"


@pytest.mark.parametrize(
    ("source", "wrong", "right"),
    [
        ("parquet", "test.parquet", "train-00000-of-00002.parquet"),
        ("parquet", "trains.parquet", "train/0.parquet"),
        ("saved", "train/dataset_info.json", "train/state.json"),
    ],
)
def test_a_corpus_in_other_files(tmp_path: Path, source: str, wrong: str, right: str) -> None:
    chosen = (f"data.source={source}", "data.path=rows")
    for name, status in ((wrong, "red"), (right, "green")):
        path = tmp_path / "rows" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        assert folders(tmp_path, *chosen)["local data"].status == status


class TestOutputs:
    def test_nobody_has_them(self, tmp_path: Path) -> None:
        before = list(tmp_path.rglob("*"))
        assert judge_output_folders({"sft.a": tmp_path / "a", "sft.b": tmp_path / "b"}).status == "green"
        assert list(tmp_path.rglob("*")) == before

    def test_another_run_has_one(self, tmp_path: Path, run: RunDirectory) -> None:
        with OutputLocks.acquire([tmp_path / "b"], run):
            check = judge_output_folders({"sft.a": tmp_path / "a", "sft.b": tmp_path / "b"})
        assert check.status == "red"  # a start is refused whatever else is well
        assert check.message.startswith(f"Run {run.run_id} writes to {tmp_path / 'b'}")
        assert f"inft-tui stop {run.run_id}" in check.fix
        assert check.fix.endswith("or name other folders with sft.a and sft.b.")
        assert judge_output_folders({"sft.a": tmp_path / "a", "sft.b": tmp_path / "b"}).status == "green"

    @pytest.mark.parametrize("content", [b"", b"\xff{"])
    def test_somebody_who_does_not_say_who(self, tmp_path: Path, run: RunDirectory, content: bytes) -> None:
        with OutputLocks.acquire([tmp_path / "b"], run):
            (tmp_path / ".b.lock").write_bytes(content)
            assert judge_output_folders({"sft.b": tmp_path / "b"}).message.startswith("Another process writes to")
