"""A run's samples read on while it goes on, with those of the runs before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from inft.config import Config
from inft.runs import events
from inft.runs.directory import RunDirectory
from inft.runs.jsonl import JsonlLogger
from inft_tui.captions.feed import CaptionFeed
from tests.runs.conftest import config, project
from tests.runs.pretend import change_record, new_run

__all__ = ["config", "project"]


def write_samples(run: RunDirectory, step: int, *captions: str) -> None:
    with JsonlLogger(run.samples) as log:
        for row, caption in enumerate(captions):
            log.write(
                events.sample(
                    language="en",
                    reference_caption="A street",
                    generated_caption=caption,
                    global_step=step,
                    row=row,
                    picture=f"pictures/{row}.jpg",
                )
            )


def read(feed: CaptionFeed) -> bool:
    """To the end of what there is; whether anything is to be drawn anew."""
    changed = False
    while True:
        progress = feed.take(feed.fetch(1.0))
        changed |= bool(progress.changed) or progress.restarted
        if progress.done:
            return changed


@pytest.fixture
def run(config: Config) -> RunDirectory:
    return new_run(config, "2025-03-01 12:00:00")


def test_it_keeps_up_and_says_when_there_is_news(run: RunDirectory) -> None:
    feed = CaptionFeed(run.path)
    assert read(feed), "whose run it is was not known"
    assert not feed.album.rows
    assert not read(feed)
    write_samples(run, 100, "A", "B")
    assert read(feed)
    assert not read(feed)
    write_samples(run, 200, "A road")
    assert read(feed)
    assert [len(row.moments) for row in feed.album.rows] == [2, 1]
    assert feed.folders == (run.path,)
    run.samples.unlink()
    write_samples(run, 50, "anew")
    assert read(feed)
    assert [len(row.moments) for row in feed.album.rows] == [1]
    feed.close()


def test_a_run_that_continues_another_begins_with_its_captions(run: RunDirectory, config: Config) -> None:
    later = new_run(config, "2025-03-02 12:00:00")
    change_record(later, resumed_from=run.run_id)
    write_samples(run, 100, "A")
    write_samples(run, 300, "lost")
    write_samples(later, 200, "A road")
    feed = CaptionFeed(later.path)
    read(feed)
    assert [(moment.step, moment.caption) for moment in feed.album.rows[0].moments] == [(100, "A"), (200, "A road")]
    assert feed.folders == (later.path, run.path), "where its pictures are looked for"


def test_another_programs_log_has_none(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"loss": 1}\n')
    feed = CaptionFeed(tmp_path / "log.jsonl")
    assert not read(feed)
    assert feed.folders == ()


def test_what_cannot_be_read_is_a_sentence(run: RunDirectory) -> None:
    run.samples.mkdir()
    feed = CaptionFeed(run.path)
    read(feed)
    assert "samples.jsonl" in feed.problem
