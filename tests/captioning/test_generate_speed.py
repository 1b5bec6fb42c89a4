"""The benchmark's ways caption the same rows to the same lengths."""

from __future__ import annotations

import json

import pytest
import torch


@pytest.mark.slow
def test_each_row_ends_where_its_caption_would(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTORCH_ALLOC_CONF", "")  # the benchmark would set it for good
    from benchmarks.generate_speed import Ends, main

    main(["llama32", "--tiny", "--ways", "one,held", "--rows", "2", "--rows-alone", "1", "--batch-size", "2"])
    one, held = (json.loads(line) for line in capsys.readouterr().out.splitlines() if line[0] == "{")
    assert [line["rows"] for line in (one, held)] == [1, 2]
    assert held["times_one"] == pytest.approx(held["samples_per_sec"] / one["samples_per_sec"], abs=0.02)
    ends = Ends([1, 3], end=0)
    ends.batch([1, 0])
    scores = torch.tensor([[9.0, 1.0]] * 2)
    chosen = [ends(torch.zeros(2, 1), scores).argmax(1).tolist() for _ in range(4)]
    assert chosen == [[1, 1], [1, 0], [1, 0], [0, 0]]
