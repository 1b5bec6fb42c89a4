"""Every source and layout gives the same rows."""

from __future__ import annotations

import multiprocessing
import pickle
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inft.data.images import open_image
from inft.data.munichus import Corpus, open_corpus
from inft.data.rows import RowFacts, ScannableCorpus, UnreadableRow
from inft.data.sources import parquet
from inft.errors import ConfigError, DataError
from tests.data.corpora import config, dataset, picture, record, write_jsonl, write_parquet

Writer = Callable[[Path, str, Sequence[dict[str, Any]]], None]


def jsonl(folder: Path, split: str, rows: Sequence[dict[str, Any]]) -> None:
    write_jsonl(folder / f"{split}.jsonl", rows)


def one_parquet(folder: Path, split: str, rows: Sequence[dict[str, Any]]) -> None:
    write_parquet(folder / f"{split}.parquet", rows)


def sharded_parquet(folder: Path, split: str, rows: Sequence[dict[str, Any]]) -> None:
    write_parquet(folder / f"{split}-00000-of-00002.parquet", rows[:2])
    write_parquet(folder / f"{split}-00001-of-00002.parquet", rows[2:])


def foldered_parquet(folder: Path, split: str, rows: Sequence[dict[str, Any]]) -> None:
    write_parquet(folder / split / "0.parquet", rows)


def saved_dict(folder: Path, split: str, rows: Sequence[dict[str, Any]]) -> None:
    datasets.DatasetDict({split: dataset(rows), "other": dataset(rows[:1])}).save_to_disk(str(folder))


def saved_alone(folder: Path, split: str, rows: Sequence[dict[str, Any]]) -> None:
    dataset(rows).save_to_disk(str(folder))


def saved_shuffled(folder: Path, split: str, rows: Sequence[dict[str, Any]]) -> None:
    """Reversed twice, the second time through an indices mapping."""
    shuffled = dataset(list(reversed(rows))).select(list(reversed(range(len(rows)))))
    shuffled.save_to_disk(str(folder / split))


WRITERS: dict[str, tuple[str, Writer]] = {
    "jsonl": ("jsonl", jsonl),
    "parquet": ("parquet", one_parquet),
    "parquet shards": ("parquet", sharded_parquet),
    "parquet folder": ("parquet", foldered_parquet),
    "saved dict": ("saved", saved_dict),
    "saved alone": ("saved", saved_alone),
    "saved shuffled": ("saved", saved_shuffled),
}

every_source = pytest.mark.parametrize(("source", "write"), WRITERS.values(), ids=WRITERS)


def opened(source: str, folder: Path, **changes: Any) -> ScannableCorpus:
    return open_corpus(config(source, folder, **changes), root=folder, split="train")


def colors(corpus: Corpus) -> list[int]:
    return [open_image(corpus[i].image).getpixel((0, 0))[0] for i in range(len(corpus))]


def captions(corpus: Corpus) -> list[tuple[str, str]]:
    return [(corpus[i].language, corpus[i].caption) for i in range(len(corpus))]


def child_captions(corpus: Corpus, queue: Any) -> None:
    queue.put((captions(corpus), colors(corpus)))


def without_files(corpus: ScannableCorpus) -> list[RowFacts]:
    """What a scan finds, but for where pictures lie."""
    return [facts._replace(picture="") for facts in corpus.scan()]


@every_source
def test_a_scan_names_the_files_of_pictures(source: str, write: Writer, tmp_path: Path) -> None:
    write(tmp_path / "en", "train", [record(0), record(1), record(2, image=None)])
    if source == "jsonl":
        (tmp_path / "en" / "images" / "train-0.png").unlink()  # one that is missing is named, too
    facts = list(opened(source, tmp_path, languages=("en",)).scan())
    expected = str(tmp_path / "en" / "images" / "train-0.png") if source == "jsonl" else ""
    assert [one.picture for one in facts] == [
        expected,
        str(tmp_path / "en" / "images" / "train-1.png") if source == "jsonl" else "",
        "",
    ]


def test_paths_in_parquet_files_are_named_by_a_scan(tmp_path: Path) -> None:
    write_parquet(tmp_path / "en" / "train.parquet", [record(0, image="a.png"), record(1, image="b/c.png")])
    facts = list(opened("parquet", tmp_path, languages=("en",)).scan())
    assert [one.picture for one in facts] == [str(tmp_path / "en" / "a.png"), str(tmp_path / "en" / "b" / "c.png")]


@pytest.mark.parametrize("source", ["jsonl", "parquet", "saved"])
def test_a_folder_without_data_says_so(source: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no data") as caught:
        opened(source, tmp_path, languages=("en",))
    assert "none" not in caught.value.message
    assert "data.path" in caught.value.fix


@every_source
def test_a_folder_per_language(source: str, write: Writer, tmp_path: Path) -> None:
    write(tmp_path / "si", "train", [record(n) for n in range(5)])
    write(tmp_path / "en", "train", [record(n) for n in range(10, 14)])
    corpus = opened(source, tmp_path, languages=("si", "en"))
    assert captions(corpus) == [("en", f"Caption {n}") for n in range(10, 14)] + [
        ("si", f"Caption {n}") for n in range(5)
    ]
    assert colors(corpus) == [10, 11, 12, 13, 0, 1, 2, 3, 4]
    assert without_files(corpus) == [RowFacts(corpus[i].language, True, True, True) for i in range(9)]
    row = corpus[5]
    assert (row.title, row.content, row.place) == ("Title 1", "Article 1", corpus.place(5))
    with pytest.raises(IndexError):
        corpus[9]


@every_source
def test_one_folder_with_a_language_column(source: str, write: Writer, tmp_path: Path) -> None:
    write(tmp_path, "train", [record(n, language=language) for n, language in enumerate(("en", "si", "en"))])
    corpus = opened(source, tmp_path, languages=("si", "en"))
    assert captions(corpus) == [("en", "Caption 0"), ("si", "Caption 1"), ("en", "Caption 2")]
    assert [facts.language for facts in corpus.scan()] == ["en", "si", "en"]


@every_source
def test_one_configured_language_needs_no_column(source: str, write: Writer, tmp_path: Path) -> None:
    write(tmp_path, "train", [record(n) for n in range(3)])
    assert captions(opened(source, tmp_path, languages=("hi",))) == [("hi", f"Caption {n}") for n in range(3)]


@every_source
def test_columns_can_be_mapped_and_a_title_left_out(source: str, write: Writer, tmp_path: Path) -> None:
    theirs = [{"image": record(n)["image"], "text": f"t{n}", "summary": f"s{n}", "lang": "en"} for n in range(4)]
    write(tmp_path, "train", theirs)
    mapping = {"content": "text", "caption": "summary", "language": "lang"}
    corpus = opened(source, tmp_path, columns=mapping, languages=("en", "si"))
    row = corpus[3]
    assert (row.language, row.title, row.content, row.caption) == ("en", "", "t3", "s3")
    assert all(facts == RowFacts("en", True, True, True) for facts in without_files(corpus))


@every_source
def test_missing_columns_are_named_together(source: str, write: Writer, tmp_path: Path) -> None:
    write(tmp_path, "train", [{"image": record(n)["image"], "text": "t"} for n in range(3)])
    with pytest.raises(DataError, match=r"lacks the columns content, caption, language; it has image, text") as caught:
        opened(source, tmp_path, languages=("en", "si"))
    assert "data.columns" in caught.value.fix
    assert "one language" in caught.value.fix


@every_source
def test_empty_rows_and_missing_pictures_are_seen(source: str, write: Writer, tmp_path: Path) -> None:
    rows = [
        record(0),
        record(1, caption=" \n\u3000"),
        record(2, content=None),
        record(3, image=None),
        record(4, image={"bytes": b"", "path": None}),
        record(5, title=None),
    ]
    write(tmp_path / "en", "train", rows)
    corpus = opened(source, tmp_path, languages=("en",))
    good = RowFacts("en", True, True, True)
    no_picture = good._replace(has_image=False)
    assert without_files(corpus) == [
        good,
        good._replace(has_caption=False),
        good._replace(has_content=False),
        no_picture,
        no_picture,
        good,
    ]
    assert (corpus[2].content, corpus[5].title) == ("", "")


@every_source
def test_an_unknown_split_names_those_there_are(source: str, write: Writer, tmp_path: Path) -> None:
    write(tmp_path, "train", [record(n) for n in range(3)])
    with pytest.raises(DataError, match=r"no split 'dev'; it has .*train"):
        open_corpus(config(source, tmp_path, languages=("en",)), root=tmp_path, split="dev")


@every_source
def test_a_language_without_a_folder_is_named(source: str, write: Writer, tmp_path: Path) -> None:
    write(tmp_path / "en", "train", [record(n) for n in range(3)])
    with pytest.raises(DataError, match="no folder for hi, si"):
        opened(source, tmp_path, languages=("en", "si", "hi"))


@every_source
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_the_same_rows(source: str, write: Writer, method: str, tmp_path: Path) -> None:
    write(tmp_path / "en", "train", [record(n) for n in range(5)])
    corpus = opened(source, tmp_path, languages=("en",))
    here = (captions(corpus), colors(corpus))
    assert len(pickle.dumps(corpus)) < 60_000  # offsets and paths, no rows
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    worker = context.Process(target=child_captions, args=(corpus, queue))
    worker.start()
    assert queue.get(timeout=120) == here
    worker.join(timeout=30)
    assert worker.exitcode == 0


def test_places_count_as_editors_and_datasets_do(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "en" / "train.jsonl", [record(0), "", record(1)])
    write_parquet(tmp_path / "en" / "train.parquet", [record(n) for n in range(5)])
    dataset([record(n) for n in range(5)]).save_to_disk(str(tmp_path / "en" / "train"))
    assert opened("jsonl", tmp_path, languages=("en",))[1].place == "en/train.jsonl line 3"
    assert opened("parquet", tmp_path, languages=("en",))[4].place == "en/train.parquet row 4"
    assert opened("saved", tmp_path, languages=("en",))[4].place == f"{tmp_path.name}/en/train row 4"


# JSONL


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"caption": ', "not JSON"),
        ('["a"]', "must be a JSON object"),
        ('{"image": "a.png", "content": "c", "caption": 5}', "caption must be text, not int"),
        ('{"image": ["a.png"], "content": "c", "caption": "c"}', "image must be text, not list"),
        ('{"image": "../../a.png", "content": "c", "caption": "c"}', "outside the corpus"),
        ('{"image": "a\\u0000.png", "content": "c", "caption": "c"}', "null character"),
        ('{"image": "a.png", "content": "\\ud83d", "caption": "c"}', "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_unreadable_lines_are_told_apart_from_empty_ones(line: str, problem: str, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "en" / "train.jsonl", [record(0), line, record(2)])
    corpus = opened("jsonl", tmp_path, languages=("en",))
    facts = list(corpus.scan())
    assert [bool(of_row.problem) for of_row in facts] == [False, True, False]
    assert problem in facts[1].problem
    with pytest.raises(UnreadableRow, match=rf"en/train\.jsonl line 2: .*{problem}"):
        corpus[1]
    assert corpus[2].caption == "Caption 2"


def test_bytes_that_are_not_utf8_are_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    write_jsonl(path, [record(0)])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b'{"caption": "\xff"}\r\n')
    facts = list(opened("jsonl", tmp_path, languages=("en",)).scan())
    assert [bool(of_row.problem) for of_row in facts] == [False, True]


def test_a_picture_may_lie_beside_the_language_folder_or_be_absolute(tmp_path: Path) -> None:
    corpus_folder = tmp_path / "corpus"
    elsewhere = tmp_path / "elsewhere.png"
    elsewhere.write_bytes(picture((77, 0, 0)))
    (corpus_folder / "images").mkdir(parents=True)
    (corpus_folder / "images" / "a.png").write_bytes(picture((66, 0, 0)))
    rows = [record(0, image="../images/a.png"), record(1, image=str(elsewhere)), record(2, image="../images/b.png")]
    write_jsonl(corpus_folder / "en" / "train.jsonl", rows)
    corpus = opened("jsonl", corpus_folder, languages=("en",))
    assert [facts.has_image for facts in corpus.scan()] == [True, True, False]
    assert [open_image(corpus[i].image).getpixel((0, 0))[0] for i in (0, 1)] == [66, 77]


def test_a_folder_or_an_empty_file_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    write_jsonl(tmp_path / "train.jsonl", [record(0, image="empty.png"), record(1, image=".")])
    assert [facts.has_image for facts in opened("jsonl", tmp_path, languages=("en",)).scan()] == [False, False]


# Parquet


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view(), pa.string(), pa.large_string()])
def test_pictures_may_be_bytes_or_paths(kind: pa.DataType, tmp_path: Path) -> None:
    stored: list[Any] = [picture((n, 0, 0)) for n in range(4)]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        for n, data in enumerate(stored):
            (tmp_path / f"{n}.png").write_bytes(data)
        stored = [f"{n}.png" for n in range(4)]
    table = pa.table(
        {"image": pa.array([*stored, None], kind), "content": ["c"] * 5, "caption": ["k"] * 5, "title": ["t"] * 5}
    )
    pq.write_table(table, tmp_path / "train.parquet", row_group_size=2)
    corpus = opened("parquet", tmp_path, languages=("en",))
    assert [facts.has_image for facts in corpus.scan()] == [True] * 4 + [False]
    assert [open_image(corpus[n].image).getpixel((0, 0))[0] for n in range(4)] == [0, 1, 2, 3]


def test_picture_paths_in_a_struct_are_followed_inside_the_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture((9, 0, 0)))
    rows = [record(0, image={"bytes": None, "path": path}) for path in ("a.png", "../a.png", "b.png")]
    write_parquet(tmp_path / "train.parquet", rows)
    corpus = opened("parquet", tmp_path, languages=("en",))
    facts = list(corpus.scan())
    assert [of_row.has_image for of_row in facts] == [True, False, False]
    assert ["outside" in of_row.problem for of_row in facts] == [False, True, False]
    assert open_image(corpus[0].image).getpixel((0, 0)) == (9, 0, 0)
    with pytest.raises(UnreadableRow, match="outside the corpus"):
        corpus[1]


def test_a_scan_reads_no_picture_where_the_statistics_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = bytes(range(256)) * 40
    write_parquet(tmp_path / "train.parquet", [record(n, image={"bytes": noise, "path": None}) for n in range(9)])
    corpus = opened("parquet", tmp_path, languages=("en",))
    read: list[list[str]] = []
    original = pq.ParquetFile.iter_batches

    def spy(self: pq.ParquetFile, batch_size: int, groups: list[int], columns: list[str]) -> Any:
        read.append(columns)
        return original(self, batch_size, groups, columns)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", spy)
    assert all(facts.has_image for facts in corpus.scan())
    assert read == [["caption", "content"]] * 3


@pytest.mark.parametrize("column", [pa.array([1, 2, 3]), pa.array([["a"], ["b"], ["c"]])])
@pytest.mark.parametrize("name", ["caption", "image"])
def test_columns_of_another_kind_are_refused(name: str, column: pa.Array, tmp_path: Path) -> None:
    columns = {"image": pa.array([b"a"] * 3), "content": ["c"] * 3, "caption": ["c"] * 3} | {name: column}
    pq.write_table(pa.table(columns), tmp_path / "train.parquet")
    with pytest.raises(DataError, match=f"column {name} holds .*data.columns"):
        opened("parquet", tmp_path, languages=("en",))


def test_text_that_is_not_utf8_is_unreadable(tmp_path: Path) -> None:
    raw = pa.array([b"fine", b"\xff\xfe", b"fine"]).view(pa.string())
    table = pa.table({"image": [picture()] * 3, "content": ["c"] * 3, "caption": raw})
    pq.write_table(table, tmp_path / "train.parquet")
    corpus = opened("parquet", tmp_path, languages=("en",))
    assert [bool(facts.problem) for facts in corpus.scan()] == [False, True, False]
    with pytest.raises(UnreadableRow, match=r"train\.parquet row 1"):
        corpus[1]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    write_parquet(path, [record(n) for n in range(3)])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"train\.parquet is not a parquet file that can be read"):
        opened("parquet", tmp_path, languages=("en",))


def test_row_groups_too_large_to_read_per_row_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path / "train.parquet", [record(n) for n in range(3)])
    monkeypatch.setattr(parquet, "MAX_ROW_GROUP_BYTES", 100)
    with pytest.raises(DataError, match="row_group_size=100"):
        opened("parquet", tmp_path, languages=("en",))


def test_the_row_group_cache_keeps_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    write_parquet(path, [record(n) for n in range(12)])
    one = parquet.RowGroupCache().read(path, 0, ["caption"]).nbytes
    cache = parquet.RowGroupCache(limit_bytes=2 * one + one // 2)
    first = cache.read(path, 0, ["caption"])
    assert cache.read(path, 0, ["caption"]) is first
    for group in (1, 2, 3):
        cache.read(path, group, ["caption"])
    assert cache.read(path, 0, ["caption"]) is not first
    newest = cache.read(path, 0, ["caption"])
    assert pickle.loads(pickle.dumps(cache)).read(path, 0, ["caption"]) is not newest


def test_a_file_of_another_name_is_no_shard(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-00000-of-00001-0a1b2c.parquet", [record(0)])
    write_parquet(tmp_path / "train-unfiltered.parquet", [record(1)])
    assert captions(opened("parquet", tmp_path, languages=("en",))) == [("en", "Caption 0")]


# Saved


def test_a_saved_dataset_serves_the_split_it_records(tmp_path: Path) -> None:
    rows = dataset([record(0), record(1)])
    test = datasets.Dataset(rows.data, split=datasets.Split.TEST)
    test.cast_column("image", datasets.Image()).save_to_disk(str(tmp_path))
    with pytest.raises(DataError, match="no split 'train'; it has test"):
        opened("saved", tmp_path, languages=("en",))


def test_a_damaged_saved_dataset_is_named(tmp_path: Path) -> None:
    dataset([record(0)]).save_to_disk(str(tmp_path / "train"))
    next((tmp_path / "train").glob("*.arrow")).write_bytes(b"no")
    with pytest.raises(DataError, match=r"The saved dataset .*train cannot be read"):
        opened("saved", tmp_path, languages=("en",))


# Configuration


def test_a_source_of_files_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape("data.path")):
        open_corpus(config("jsonl"), root=tmp_path, split="train")
    with pytest.raises(DataError, match=r"no corpus folder .*gone"):
        open_corpus(config("jsonl", Path("gone")), root=tmp_path, split="train")
    with pytest.raises(ConfigError, match=re.escape("data.path")):
        open_corpus(config("jsonl", Path("../gone")), root=tmp_path, split="train")


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "/etc", "."])
def test_names_never_lead_out_of_the_corpus(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.split"):
        open_corpus(config("jsonl", tmp_path), root=tmp_path, split=name)
    with pytest.raises(ConfigError, match=r"data\.languages"):
        opened("jsonl", tmp_path, languages=(name,))


def test_an_unknown_column_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown column headline"):
        opened("jsonl", tmp_path, columns={"headline": "h"})
