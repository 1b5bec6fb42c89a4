"""Which rows are kept from training: whole articles, a share of each language's, by text and seed alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inft.data.held_out import held_out_articles
from inft.data.munichus import Selection, load_evaluation_rows, load_rows
from inft.errors import DataError
from inft.forecast.identity import lengths_key
from inft.profiles import resolve
from tests.data.corpora import config, dataset, record, write_jsonl, write_parquet

PHOTOGRAPHS = 3


def rows_of(articles: int, name: str = "Article") -> list[dict[str, Any]]:
    """Three photographs of each article, not beside each other."""
    return [
        record(article, content=f"{name} {article}", caption=f"{name} {article} photograph {photograph}")
        for photograph in range(PHOTOGRAPHS)
        for article in range(articles)
    ]


def sides(source: str, folder: Path, **changes: Any) -> tuple[Selection, Selection]:
    """The rows trained on and those evaluated on."""
    data = config(source, folder, **({"eval_fraction": 0.2, "languages": ("en", "si")} | changes))
    held_out = load_evaluation_rows(data, root=folder)
    assert held_out is not None
    return load_rows(data, root=folder, split="train"), held_out


def articles(rows: Selection, language: str | None = None) -> Counter[str]:
    return Counter(row.content for row in rows if language in (None, row.language))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for language in ("en", "si"):
        write_jsonl(tmp_path / language / "train.jsonl", rows_of(20, language))
        write_jsonl(tmp_path / language / "test.jsonl", rows_of(4, language))
    return tmp_path


def test_all_photographs_of_an_article_are_on_one_side(corpus: Path) -> None:
    trained, held_out = sides("jsonl", corpus)
    for language in ("en", "si"):
        of_trained, of_held_out = articles(trained, language), articles(held_out, language)
        assert (len(of_trained), len(of_held_out)) == (16, 4)
        assert not set(of_trained) & set(of_held_out)
        assert set((of_trained | of_held_out).values()) == {PHOTOGRAPHS}
    assert set(trained.articles) & set(held_out.articles) == set()
    assert len(trained.articles) == len(trained)
    assert {name: len(rows) for name, rows in held_out.languages.items()} == {"en": 12, "si": 12}
    assert {held_out[number].language for number in held_out.languages["si"]} == {"si"}


def test_which_ones_depends_on_text_and_seed_alone(corpus: Path, tmp_path: Path) -> None:
    expected = articles(sides("jsonl", corpus)[1])
    assert articles(sides("jsonl", corpus, seed=7)[1]) != expected
    other = tmp_path / "other"
    for language in ("en", "si"):
        write_jsonl(other / language / "train.jsonl", rows_of(20, language)[::-1])
    assert articles(sides("jsonl", other)[1]) == expected
    # An article more moves at most one to the other side.
    write_jsonl(other / "en" / "train.jsonl", [*rows_of(20, "en"), record(99)])
    assert len(set(articles(sides("jsonl", other)[1], "en")) - set(expected)) <= 1


@pytest.mark.parametrize("source", ["parquet", "saved"])
def test_every_source_holds_out_the_same(source: str, corpus: Path, tmp_path: Path) -> None:
    other = tmp_path / source
    for language in ("en", "si"):
        if source == "parquet":
            write_parquet(other / language / "train.parquet", rows_of(20, language))
        else:
            dataset(rows_of(20, language)).save_to_disk(str(other / language / "train"))
    assert articles(sides(source, other)[1]) == articles(sides("jsonl", corpus)[1])


def test_they_are_set_apart_before_any_draw(corpus: Path) -> None:
    trained, held_out = sides("jsonl", corpus)
    fewer, same = sides("jsonl", corpus, max_rows_per_lang=5, eval_rows_per_lang=1000)
    assert [row.caption for row in same] == [row.caption for row in held_out]
    assert len(fewer) == 10
    assert set(fewer.indices) < set(trained.indices)
    all_of_them, drawn = sides("jsonl", corpus, eval_rows_per_lang=4)
    assert all_of_them.indices == trained.indices
    assert Counter(row.language for row in drawn) == {"en": 4, "si": 4}
    assert set(drawn.indices) < set(held_out.indices)
    assert len(sides("jsonl", corpus, max_rows_per_lang=2)[1]) == 4, "without a number of its own, this one counts"


def test_an_article_of_two_languages_is_on_one_side_in_both(tmp_path: Path) -> None:
    for language, first in (("en", 0), ("si", 5)):
        write_jsonl(tmp_path / language / "train.jsonl", rows_of(first + 20)[first:])
    trained, held_out = sides("jsonl", tmp_path, eval_fraction=0.3)
    assert not set(articles(trained)) & set(articles(held_out))


def test_a_row_without_an_article_is_one_of_its_own(tmp_path: Path) -> None:
    for language in ("en", "si"):
        write_jsonl(tmp_path / language / "train.jsonl", [record(n, content=" ") for n in range(20)])
    trained, held_out = sides("jsonl", tmp_path, remove_empty=False)
    assert (len(trained), len(held_out)) == (32, 8)
    assert set(trained.articles) == set(held_out.articles) == {0}


def test_too_few_articles_are_refused(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "en" / "train.jsonl", rows_of(10))
    write_jsonl(tmp_path / "si" / "train.jsonl", rows_of(1, "si"))
    with pytest.raises(DataError, match=r"eval_fraction = 0\.2 leaves no row in si to evaluate on"):
        sides("jsonl", tmp_path)


def test_a_split_of_its_own_is_taken_whole(corpus: Path) -> None:
    data = config("jsonl", corpus, languages=("en", "si"), eval_split="test")
    assert load_evaluation_rows(replace(data, eval_split=None), root=corpus) is None
    held_out = load_evaluation_rows(data, root=corpus)
    trained = load_rows(data, root=corpus, split="train")
    assert held_out is not None
    assert (len(trained), len(held_out)) == (120, 24)
    assert set(held_out.articles) < set(trained.articles)
    other = load_rows(config("jsonl", corpus, languages=("en", "si"), eval_fraction=0.2), root=corpus, split="test")
    assert len(other) == 24, "what is held out is held out of the split trained on"


def test_a_share_is_never_nothing_nor_all() -> None:
    keys = range(1, 11)
    for fraction, count in ((0.001, 1), (0.25, 2), (0.999, 9)):
        assert len(held_out_articles({"en": keys}, fraction, 42)) == count
    assert held_out_articles({"en": [5, 5, 5]}, 0.5, 42) == set()


def test_the_lengths_are_those_of_the_rows_that_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFT_HOME", str(tmp_path))

    def keys(share: str) -> list[str | None]:
        made = resolve("demo_aya", ["data.eval_split=none", share]).config
        return [lengths_key(made, tmp_path, split) for split in ("train", "test")]

    without, some, more = (keys(f"data.eval_fraction={share}") for share in ("none", "0.1", "0.2"))
    assert None not in without
    assert without[1] == some[1] == more[1]
    assert len({without[0], some[0], more[0]}) == 3
