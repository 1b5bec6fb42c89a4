"""A feed that is opened where it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from inft_tui.feeds.late_feed import LateFeed


def test_nothing_is_looked_at_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log.jsonl").write_text('{"loss": 2.5, "step": 1}\n', encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr("inft_tui.feeds.late_feed.open_feed", _hangs)
        feed = LateFeed(tmp_path / "log.jsonl")
        assert (feed.facts.run_id, feed.facts.state, dict(feed.series)) == ("log.jsonl", "", {})
    assert feed.read(9).done
    assert feed.facts.state == "foreign"
    assert list(feed.series["loss"].y) == [2.5]
    feed.close()


def test_what_cannot_be_opened_is_said_and_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    feed = LateFeed(path)
    assert feed.read(9).done
    first = feed.facts
    assert "holds no training log" in first.problem
    feed.read(9)
    assert feed.facts is first
    path.write_text('{"loss": 2.5, "step": 1}\n', encoding="utf-8")
    feed.read(9)
    assert (feed.facts.problem, list(feed.series)) == ("", ["loss"])


def _hangs(path: Path, *, lineage: bool) -> None:
    raise AssertionError("a network share may take seconds for this")
