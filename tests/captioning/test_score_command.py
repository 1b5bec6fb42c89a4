"""`inft-tui score --model`: captions by a program of its own, then their scores, and nothing made twice."""

from __future__ import annotations

import json
from pathlib import Path

from tests.captioning.conftest import Trained
from tests.inft_tui.programs import inft_tui


def test_a_model_is_captioned_and_scored_and_only_scored_again(trained: Trained, tmp_path: Path) -> None:
    file = tmp_path / "captions.jsonl"
    asked = ("score", "--model", trained.run.run_id, "--split", "train", "--output", str(file), "--json")
    done = inft_tui(*asked)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["pooled"]["rows"] == len(file.read_text().splitlines()) == 6
    again = inft_tui("score", "--predictions", str(file), "--json")
    assert json.loads(again.stdout) == answer
