"""Measured lengths are taken from the cache as long as nothing that they were measured from has changed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from inft.config import Config
from inft.data.munichus import Selection, load_rows
from inft.errors import DataError
from inft.forecast.statistics import Statistics, cached_statistics, check_usable, pictures_unchanged
from inft.measure import Progress, measure
from inft.profiles import resolve
from tests.data.corpora import picture, record, write_jsonl, write_parquet


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root and a cache of a test's own."""
    monkeypatch.setenv("INFT_HOME", str(tmp_path))
    monkeypatch.setenv("INFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


def configured(source: str = "jsonl", *overrides: str) -> Config:
    settings = [f"data.source={source}", "data.path=corpus", "data.languages=en", "data.num_workers=0"]
    return resolve("demo_llama", ["data.eval_fraction=none", *settings, *overrides]).config


def measured(config: Config) -> Statistics:
    return measure(config, "train", Progress())


def test_pictures_that_are_replaced_are_measured_anew(home: Path) -> None:
    write_jsonl(home / "corpus" / "en" / "train.jsonl", [record(number) for number in range(6)])
    config = configured()
    first = measured(config)
    assert first.overall.tiles == {1: 6}
    assert pictures_unchanged(first)
    assert measured(config) == first, "known, the moment of measuring included"
    (home / "corpus" / "en" / "images" / "train-0.png").write_bytes(picture(size=(900, 300)))
    assert cached_statistics(config, home) == first, "which looks at no picture"
    assert not pictures_unchanged(first)
    again = measured(config)
    assert len(again.overall.tiles) == 2
    assert pictures_unchanged(again)


def test_a_corpus_replaced_under_its_rows_is_not_taken_for_the_new_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are found by their place in the file, where now something else stands."""
    corpus = home / "corpus" / "en" / "train.jsonl"
    write_jsonl(corpus, [record(number) for number in range(6)])
    config = configured()

    def replaced(*arguments: object, **others: object) -> Selection:
        rows = load_rows(*arguments, **others)
        write_jsonl(corpus, [record(number, content="Another article. " * 40) for number in range(6)])
        return rows

    with monkeypatch.context() as patched:
        patched.setattr("inft.data.munichus.load_rows", replaced)
        with suppress(DataError):
            measured(config)
    assert cached_statistics(config, home) is None
    assert measured(config).rows == 6
    assert cached_statistics(config, home) is not None


def test_pictures_in_the_rows_are_no_files(home: Path) -> None:
    write_parquet(home / "corpus" / "en" / "train.parquet", [record(number) for number in range(4)])
    found = measured(configured("parquet"))
    assert found.pictures.files == 0
    assert pictures_unchanged(found)


def test_rows_that_cannot_be_used_are_told_with_place_and_need(home: Path) -> None:
    rows = [record(number) for number in range(12)]
    rows[2] = record(2, caption="Words of a caption. " * 300)
    write_jsonl(home / "corpus" / "en" / "train.jsonl", [*rows, record(12, caption=""), *[record(13)] * 12])
    (home / "corpus" / "en" / "images" / "train-5.png").write_bytes(b"no picture")
    found = measured(configured())
    assert [(one.cause, one.languages, one.examples) for one in found.unusable] == [
        ("too_long", {"en": 1}, ("en/train.jsonl line 3",)),
        ("undecodable_image", {"en": 1}, ("en/train.jsonl line 6",)),
    ]
    assert [(one.cause, one.examples) for one in found.choosing.skipped] == [
        ("empty_caption", ("en/train.jsonl line 13",))
    ]
    with pytest.raises(DataError, match="2 of 24 rows of split 'train' are unusable") as caught:
        check_usable(found)
    assert (
        f"Raise basic.max_length to at least {found.needed:,}" in f"{caught.value.fix[0].upper()}{caught.value.fix[1:]}"
    )
    enough = measured(configured("jsonl", f"basic.max_length={found.needed}"))
    assert [one.cause for one in enough.unusable] == ["undecodable_image"]
    check_usable(enough)
    short = measured(configured("jsonl", f"basic.max_length={found.needed - 1}"))
    assert short.needed == found.needed
