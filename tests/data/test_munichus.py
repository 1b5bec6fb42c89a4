"""Which rows a run uses, and what it says about the others."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from inft.data.munichus import Selection, load_rows
from inft.errors import DataError, ExitCode
from tests.data.corpora import config, dataset, record, write_jsonl, write_parquet


def selected(source: str, folder: Path, **changes: Any) -> Selection:
    return load_rows(config(source, folder, **changes), root=folder, split="train")


def captions(selection: Selection) -> list[str]:
    return [row.caption for row in selection]


def corpus_with(folder: Path, bad: list[Any], good: int, language: str = "en") -> None:
    write_jsonl(folder / language / "train.jsonl", [*bad, *(record(n) for n in range(good))])


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a picture was opened")

    monkeypatch.setattr(Image, "open", refuse)
    return


@pytest.mark.usefixtures("no_decoding")
@pytest.mark.parametrize("source", ["jsonl", "parquet", "saved"])
def test_choosing_rows_decodes_no_picture(source: str, tmp_path: Path) -> None:
    rows = [record(n) for n in range(30)]
    rows[3] = record(3, caption="")
    if source == "jsonl":
        write_jsonl(tmp_path / "en" / "train.jsonl", rows)
    elif source == "parquet":
        write_parquet(tmp_path / "en" / "train.parquet", rows)
    else:
        dataset(rows).save_to_disk(str(tmp_path / "en" / "train"))
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    selection = selected(source, tmp_path, languages=("en",))
    assert captions(selection) == [f"Caption {n}" for n in range(30) if n != 3]
    assert selection.report.skipped == {("empty_caption", "en"): 1}
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before  # nothing is written


def test_rows_are_skipped_by_cause_and_counted_by_language(tmp_path: Path) -> None:
    broken = ["{", record(0, caption="\t"), record(1, content=" "), record(2, image="gone.png")]
    corpus_with(tmp_path, broken, 80)
    corpus_with(tmp_path, broken[1:2], 40, "si")
    report = selected("jsonl", tmp_path, languages=("en", "si")).report
    assert (report.seen, report.kept) == (125, 120)
    assert report.skipped == {
        ("unreadable_row", "en"): 1,
        ("empty_caption", "en"): 1,
        ("empty_article", "en"): 1,
        ("missing_image", "en"): 1,
        ("empty_caption", "si"): 1,
    }
    text = report.text()
    assert "no caption: 2 (en 1, si 1), for instance en/train.jsonl line 2; si/train.jsonl line 1" in text
    assert "en/train.jsonl line 1 (not JSON" in text


def test_rows_without_an_article_stay_when_asked(tmp_path: Path) -> None:
    corpus_with(tmp_path, [record(0, content="")], 2)
    assert len(selected("jsonl", tmp_path, languages=("en",), remove_empty=False)) == 3


def test_exactly_five_percent_pass_and_one_more_stops_with_the_list(tmp_path: Path) -> None:
    corpus_with(tmp_path, [record(0, caption="")] * 5, 95)
    assert len(selected("jsonl", tmp_path, languages=("en",))) == 95
    corpus_with(tmp_path, [record(0, caption="")] * 6, 94)
    with pytest.raises(DataError, match="6 of 100 rows of the corpus are unusable, over the 5 %") as caught:
        selected("jsonl", tmp_path, languages=("en",))
    assert caught.value.exit_code == ExitCode.DATA
    assert "en/train.jsonl line 1; en/train.jsonl line 2" in caught.value.details


def test_a_split_without_a_usable_row_stops(tmp_path: Path) -> None:
    corpus_with(tmp_path, [record(0, caption="")] * 3, 0)
    with pytest.raises(DataError, match="The split 'train' has no usable row") as caught:
        selected("jsonl", tmp_path, languages=("en",))
    assert "no caption: 3" in caught.value.details
    (tmp_path / "en" / "train.jsonl").write_bytes(b"")
    with pytest.raises(DataError, match="no usable row"):
        selected("jsonl", tmp_path, languages=("en",))


def test_a_language_without_a_row_is_named_with_those_there_are(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train.jsonl", [record(n, language="en" if n % 2 else "fr") for n in range(10)])
    with pytest.raises(DataError, match="no usable row in hi, si") as caught:
        selected("jsonl", tmp_path, languages=("en", "si", "hi"))
    assert "rows in fr" in caught.value.fix


def test_rows_of_other_languages_are_not_counted(tmp_path: Path) -> None:
    rows = [record(n, language="fr", caption="") for n in range(50)] + [record(n, language="en") for n in range(5)]
    write_jsonl(tmp_path / "train.jsonl", rows)
    selection = selected("jsonl", tmp_path, languages=("en",))
    assert (selection.report.seen, len(selection)) == (5, 5)
    assert selection.report.unlisted == {"fr": 50}
    assert "not in data.languages, left out: fr 50" in selection.report.text()


def draw(folder: Path, *languages: str, limit: int = 7, seed: int = 42) -> dict[str, list[str]]:
    selection = selected("jsonl", folder, languages=languages, max_rows_per_lang=limit, seed=seed)
    drawn: dict[str, list[str]] = {}
    for row in selection:
        drawn.setdefault(row.language, []).append(row.caption)
    return drawn


def test_the_cap_draws_per_language_by_seed_alone(tmp_path: Path) -> None:
    for language in ("en", "si"):
        corpus_with(tmp_path, [], 40, language)
    drawn = draw(tmp_path, "en", "si")
    assert {language: len(rows) for language, rows in drawn.items()} == {"en": 7, "si": 7}
    assert draw(tmp_path, "si", "en") == drawn
    assert draw(tmp_path, "si") == {"si": drawn["si"]}
    assert drawn["en"] != drawn["si"]
    assert draw(tmp_path, "en", "si", seed=43) != drawn
    assert set(draw(tmp_path, "en", limit=3)["en"]) < set(drawn["en"])
    numbers = [int(caption.split()[1]) for caption in drawn["en"]]
    assert numbers == sorted(numbers) != list(range(7))
    assert len(draw(tmp_path, "en", limit=1000)["en"]) == 40


def test_the_report_tells_kept_from_usable(tmp_path: Path) -> None:
    corpus_with(tmp_path, [], 40)
    report = selected("jsonl", tmp_path, languages=("en",), max_rows_per_lang=4).report
    assert (report.seen, report.kept, report.total_skipped) == (40, 4, 0)
    assert report.text() == "40 rows seen, 0 skipped (0.0 %), 4 used."


def test_progress_ends_with_all_rows(tmp_path: Path) -> None:
    corpus_with(tmp_path, [], 5)
    calls: list[tuple[int, int]] = []
    load_rows(
        config("jsonl", tmp_path, languages=("en",)),
        root=tmp_path,
        split="train",
        on_scan=lambda *call: calls.append(call),
    )
    assert calls == [(0, 5), (5, 5)]


def test_a_selection_is_a_corpus_of_its_own_and_can_be_pickled(tmp_path: Path) -> None:
    corpus_with(tmp_path, [record(0, caption="")], 30)
    selection = pickle.loads(pickle.dumps(selected("jsonl", tmp_path, languages=("en",))))
    assert len(selection) == 30
    assert selection[0].caption == "Caption 0"
    assert selection.indices[0] == 1


def test_ten_thousand_rows_are_chosen_within_two_seconds(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"never decoded")
    article = "ලිපිය " * 300
    write_jsonl(tmp_path / "train.jsonl", [record(n, image="a.png", content=article) for n in range(10_000)])
    started = time.perf_counter()
    assert len(selected("jsonl", tmp_path, languages=("si",))) == 10_000
    assert time.perf_counter() - started < 2


def test_files_are_read_without_datasets() -> None:
    imports = "import sys, inft.data.munichus, inft.data.images, inft.data.sources.jsonl"
    code = f"{imports}; print({{'datasets', 'pyarrow', 'torch'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"
