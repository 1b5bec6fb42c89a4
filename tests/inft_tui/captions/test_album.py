from __future__ import annotations

import time

from inft.runs import events
from inft.runs.jsonl import Record
from inft_tui.captions.album import MOST_CHARACTERS, Album


def sample(
    language: str, row: int | None, step: int | None, caption: str, reference: str = "", image: str | None = None
) -> Record:
    record = events.sample(
        language=language,
        reference_caption=reference or f"what the corpus says of {row}",
        generated_caption=caption,
        image=image,
        global_step=step,
    )
    return record if row is None else {**record, "row": row}


def said(album: Album) -> list[list[tuple[int | None, str]]]:
    return [[(moment.step, moment.caption) for moment in row.moments] for row in album.rows]


def test_rows_stand_by_language_and_number_and_keep_their_history() -> None:
    album = Album()
    album.take([sample("ur", 9, 200, "a"), sample("en", 5, 200, "b"), sample("ur", 2, 200, "c")])
    album.take([sample("ur", 9, 400, "d"), {"event": "log", "loss": 1.0}])
    assert [(row.language, row.number) for row in album.rows] == [("ur", 2), ("ur", 9), ("en", 5)]
    assert said(album)[1] == [(200, "a"), (400, "d")]
    assert (album.samples, album.languages, album.last_step) == (4, 2, 400)
    assert [album.places[row.identity] for row in album.rows] == [0, 1, 2]


def test_lines_of_older_versions_have_neither_row_nor_picture() -> None:
    album = Album()
    for step in (1, 2):
        album.take([sample("en", None, step, f"said at {step}", reference="one")])
        album.take([sample("en", None, step, f"other at {step}", reference="two", image="/photo.jpg")])
    assert said(album) == [[(1, "said at 1"), (2, "said at 2")], [(1, "other at 1"), (2, "other at 2")]]
    assert (album.rows[0].picture, album.rows[1].image, album.has_pictures) == ("", "/photo.jpg", True)


def test_a_run_that_goes_on_from_an_earlier_step_takes_back_what_came_after_it() -> None:
    album = Album()
    first = [sample("en", 1, step, f"first run, {step}") for step in (100, 200, 300)]
    second = [sample("en", 1, 200, "second run, 200"), sample("en", 1, 400, "second run, 400")]
    together = [[(100, "first run, 100"), (200, "second run, 200"), (400, "second run, 400")]]
    album.take([*first, *second], seams=[3])
    assert said(album) == together
    for records, seams in ((first, [3]), (second, [])):
        album = Album() if records is first else album
        album.take(records, seams)
    assert said(album) == together, "in slices"


def test_captions_of_the_end_take_nothing_back_though_they_are_of_an_earlier_step() -> None:
    album = Album()
    album.take([sample("en", 1, step, f"at {step}") for step in (50, 100, 150, 200)])
    album.take([{**sample("en", 1, 100, "by the best"), "final": True}])
    assert said(album) == [[(50, "at 50"), (100, "at 100"), (150, "at 150"), (200, "at 200"), (100, "by the best")]]
    assert [moment.is_final for moment in album.rows[0].moments] == [False] * 4 + [True]
    assert album.last_step == 200
    album.take([sample("en", 1, 300, "at 300")], seams=[0])
    assert [step for step, _ in said(album)[0]] == [50, 100, 150, 200, 100, 300], "a run that continues a finished one"


def test_what_no_version_of_ours_writes_is_no_end() -> None:
    album = Album()
    assert not album.take([{"event": "sample_of_something"}, {}])
    odd: Record = {"event": "sample", "language": 3, "row": "x", "global_step": [], "generated_caption": "z" * 10**6}
    assert album.take([odd])
    (row,) = album.rows
    assert (row.language, row.number, row.moments[0].step) == ("3", -1, None)
    assert len(row.moments[0].caption) == MOST_CHARACTERS


def test_ten_thousand_samples_take_a_moment() -> None:
    lines = [sample("en", row, 100 * step, "A street in London") for step in range(10) for row in range(1000)]
    album, began = Album(), time.process_time()
    album.take(lines)
    assert len(album.rows) == len(album.places) == 1000
    assert time.process_time() - began < 0.5
