"""What the comparison of recipes rests on: the same rows, the same weights, the same things trained."""

from __future__ import annotations

import json

import pytest


@pytest.mark.slow
def test_the_guides_recipe_and_ours_begin_with_the_same_loss(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in ("PYTORCH_ALLOC_CONF", "TORCHINDUCTOR_CACHE_DIR"):
        monkeypatch.setenv(variable, "")  # the benchmark would set them for good
    from benchmarks.train_speed import main

    ours = "fast+sft.torch_compile=false+sft.activation_budget=1"
    main(["aya", "--tiny", "--recipes", f"guide,{ours}", "--steps", "1", "--visits", "1"])
    guide, fast, _, summary = (json.loads(line) for line in capsys.readouterr().out.splitlines() if line[0] == "{")
    assert (guide["recipe"], fast["recipe"], summary["recipe"]) == ("guide", ours, ours)
    assert guide["tokens"] == fast["tokens"]
    assert guide["trainable"] == fast["trainable"]
    # Fresh adapters say nothing, so that even their dropout makes no difference to the first loss.
    assert fast["losses"][0] == pytest.approx(guide["losses"][0], rel=1e-3)
    parts = sum(fast[part] for part in ("data_sec", "forward_sec", "backward_sec", "optimizer_sec"))
    assert parts == pytest.approx(fast["steps_s"][0], rel=0.1)
    assert summary["times_guide"] == pytest.approx(guide["steps_s"][0] / fast["steps_s"][0], abs=0.01)
