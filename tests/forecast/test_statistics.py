"""Statistics come back as they were stored, or not at all; their key knows what they were measured from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import pytest

from inft.config import Config
from inft.errors import DiskError
from inft.forecast import identity
from inft.forecast.identity import lengths_key
from inft.forecast.row_lengths import UNKNOWN, RowLengths
from inft.forecast.statistics import (
    KEPT,
    LanguageStatistics,
    Statistics,
    cached_statistics,
    read_row_lengths,
    read_statistics,
    write,
)
from inft.profiles import resolve
from tests.data.corpora import record, write_jsonl, write_parquet

KEY = "0123456789abcdef"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root and caches of a test's own."""
    monkeypatch.setenv("INFT_HOME", str(tmp_path))
    monkeypatch.setenv("INFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def lengths() -> RowLengths:
    rows = RowLengths()
    rows.add(tokens=100, tiles=3, supervised=20, cut=0, language=0)
    rows.add(tokens=300, tiles=9, supervised=25, cut=700, language=0)
    rows.add_unusable("too_long", 1)
    rows.add(tokens=70_000, tiles=3, supervised=20, cut=100_000, language=1)
    rows.add_unusable("unreadable_row", UNKNOWN)
    return rows


def stored(key: str = KEY) -> Statistics:
    statistics = Statistics.of(key, "train", ["en", "si"], lengths())
    write(statistics, lengths())
    return statistics


def test_what_is_stored_comes_back() -> None:
    statistics = stored()
    assert read_statistics(KEY) == statistics
    assert read_row_lengths(statistics) == lengths()


def test_rows_are_summed_up_by_language() -> None:
    statistics = stored()
    assert statistics.rows == 5
    assert statistics.languages == {
        "en": LanguageStatistics({100: 1, 300: 1}, {3: 1, 9: 1}, {20: 1, 25: 1}, 1, 700, {}),
        "si": LanguageStatistics({70_000: 1}, {3: 1}, {20: 1}, 1, 100_000, {"too_long": 1}),
        "unknown": LanguageStatistics({}, {}, {}, 0, 0, {"unreadable_row": 1}),
    }
    assert statistics.overall == LanguageStatistics(
        {100: 1, 300: 1, 70_000: 1}, {3: 2, 9: 1}, {20: 2, 25: 1}, 2, 100_700, {"too_long": 1, "unreadable_row": 1}
    )


def test_the_table_holds_what_takes_the_place_of_a_row_that_cannot_be_used() -> None:
    # Row 2 gives its place to row 3, row 4 to row 0: a batch can hold these twice.
    three = stored().table.classes[0]
    assert (three.tiles, three.rows, three.longest, three.total_tokens) == (3, 4, 70_000, 2 * 70_000 + 2 * 100)


@pytest.mark.parametrize("suffix", ["json", "rows"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data[:-2] + bytes([data[-2] ^ 16]) + data[-1:],
        lambda data: b"[]",
        lambda data: b"\xff\xfe" * 40,
    ],
    ids=["empty", "half", "first", "late", "other JSON", "no text"],
)
def test_what_is_damaged_is_absent(home: Path, suffix: str, damage: Callable[[bytes], bytes]) -> None:
    statistics = stored()
    path = home / "cache" / "lengths" / f"{KEY}.{suffix}"
    path.write_bytes(damage(path.read_bytes()))
    assert read_row_lengths(statistics) is None if suffix == "rows" else read_statistics(KEY) is None


def test_what_is_not_there_or_cannot_be_read_is_absent(home: Path) -> None:
    assert read_statistics(KEY) is None
    (home / "cache" / "lengths" / f"{KEY}.json").mkdir(parents=True)
    assert read_statistics(KEY) is None


def test_a_cache_that_cannot_be_written_is_an_error_of_the_disk(home: Path) -> None:
    (home / "cache").write_text("a file")
    with pytest.raises(DiskError):
        stored()


def test_the_oldest_measurements_go(home: Path) -> None:
    folder = home / "cache" / "lengths"
    for number in range(KEPT + 3):
        stored(f"key-{number}")
        os.utime(folder / f"key-{number}.json", (number, number))
    stored("last")
    left = {path.stem for path in folder.glob("*.json")}
    assert left == {"last"} | {f"key-{number}" for number in range(4, KEPT + 3)}
    assert {path.stem for path in folder.glob("*.rows")} == left


def of_jsonl(home: Path) -> Config:
    write_jsonl(home / "corpus" / "en" / "train.jsonl", [record(number) for number in range(3)])
    write_jsonl(home / "corpus" / "si" / "train.jsonl", [record(number) for number in range(3)])
    return resolve("demo_aya", ["data.source=jsonl", "data.path=corpus", "data.languages=en,si"]).config


def with_data(config: Config, **changes: object) -> Config:
    return replace(config, data=replace(config.data, **changes))  # type: ignore[arg-type]


CHANGES: dict[str, Callable[[Config], Config]] = {
    "languages": lambda config: with_data(config, languages=("en",)),
    "rows per language": lambda config: with_data(config, max_rows_per_lang=2),
    "empty articles": lambda config: with_data(config, remove_empty=False),
    "seed": lambda config: with_data(config, seed=7),
    "characters": lambda config: with_data(config, article_chars=100),
    "tokens": lambda config: with_data(config, article_tokens=50),
    "title": lambda config: with_data(config, include_title=True),
    "language's name": lambda config: with_data(config, language_names={"en": "British", "si": "Sinhala"}),
    "columns": lambda config: with_data(config, columns={**config.data.columns, "caption": "title"}),
    "max_length": lambda config: replace(config, basic=replace(config.basic, max_length=512)),
    "family": lambda config: replace(config, family="llama32"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_key_changes_with_what_decides_the_lengths(home: Path, change: str) -> None:
    config = of_jsonl(home)
    keys = {lengths_key(config, home, "train"), lengths_key(CHANGES[change](config), home, "train")}
    assert len(keys) == 2
    assert None not in keys


def test_the_key_does_not_change_with_the_rest(home: Path) -> None:
    config = of_jsonl(home)
    names = {**config.data.language_names, "fr": "Gaulish"}
    other = replace(
        config,
        data=replace(config.data, num_workers=3, batch_size=2, language_names=names),
        sft=replace(config.sft, lr=0.5),
        lora=replace(config.lora, r=4),
    )
    assert lengths_key(config, home, "train") == lengths_key(other, home, "train")


def test_the_key_changes_with_the_corpus(home: Path) -> None:
    config = of_jsonl(home)
    file = home / "corpus" / "si" / "train.jsonl"
    keys = {lengths_key(config, home, "train")}
    os.utime(file, (1, 1))
    keys.add(lengths_key(config, home, "train"))
    file.write_text(file.read_text() + "\n")
    os.utime(file, (1, 1))
    keys.add(lengths_key(config, home, "train"))
    (home / "corpus").rename(home / "moved")
    moved = replace(config, data=replace(config.data, path="moved"))
    keys.add(lengths_key(moved, home, "train"))
    assert len(keys) == 4
    assert None not in keys


def test_a_split_or_corpus_that_is_not_there_has_no_key(home: Path) -> None:
    config = of_jsonl(home)
    assert lengths_key(config, home, "dev") is None
    assert lengths_key(replace(config, data=replace(config.data, path="nowhere")), home, "train") is None
    assert lengths_key(replace(config, data=replace(config.data, path="../outside")), home, "train") is None


def test_the_key_changes_with_a_shard(home: Path) -> None:
    for shard in range(2):
        write_parquet(home / "corpus" / f"train-0000{shard}-of-00002.parquet", [record(1, language="en")])
    config = resolve("demo_aya", ["data.source=parquet", "data.path=corpus", "data.languages=en"]).config
    before = lengths_key(config, home, "train")
    write_parquet(home / "corpus" / "train-00001-of-00002.parquet", [record(1, language="en")] * 2)
    assert None is not before != lengths_key(config, home, "train")


def test_the_key_changes_with_the_processor(home: Path) -> None:
    folder = home / "model"
    folder.mkdir()
    for name in ("tokenizer.json", "processor_config.json", "model.safetensors"):
        (folder / name).write_text("{}")
    config = resolve("demo_aya", ["basic.model_source=folder", "basic.model_path=model"]).config
    before = lengths_key(config, home, "train")
    (folder / "model.safetensors").write_text("other weights")
    assert lengths_key(config, home, "train") == before
    (folder / "tokenizer.json").write_text("{ }")
    assert None is not before != lengths_key(config, home, "train")


def test_the_key_changes_with_the_recipe_of_tiny_checkpoints(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = resolve("demo_aya").config
    before = lengths_key(config, home, "train")
    monkeypatch.setattr(identity, "TINY_RECIPE", identity.TINY_RECIPE[:1])
    assert None is not before != lengths_key(config, home, "train")


def test_every_source_of_the_tiny_recipe_is_there() -> None:
    models = Path(identity.__file__).parents[1] / "models"
    assert all((models / name).is_file() for name in identity.TINY_RECIPE)


def test_a_hub_processor_is_known_by_its_commit(home: Path) -> None:
    config = resolve("demo_aya", ["basic.model_source=hub"]).config
    assert lengths_key(config, home, "train") is None
    repository = home / "hf" / "hub" / "models--CohereLabs--aya-vision-8b"
    keys = set()
    for commit in ("a" * 40, "b" * 40):
        (repository / "snapshots" / commit).mkdir(parents=True)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / "main").write_text(commit)
        keys.add(lengths_key(config, home, "train"))
    assert len(keys) == 2
    assert None not in keys


def test_the_answer_comes_in_milliseconds(home: Path) -> None:
    config = resolve("demo_aya").config
    key = lengths_key(config, home, "train")
    assert key is not None
    rows = RowLengths()
    for number in range(50_000):
        rows.add(
            tokens=1000 + number % 3000, tiles=number % 13, supervised=number % 90, cut=number % 7, language=number % 10
        )
    write(Statistics.of(key, "train", sorted(config.data.languages), rows), rows)
    took = []
    for _ in range(3):
        began = perf_counter()
        found = cached_statistics(config, home)
        took.append(perf_counter() - began)
    assert found is not None
    assert found.rows == 50_000
    assert min(took) < 0.02


def test_a_fresh_process_answers_without_the_training_libraries(home: Path) -> None:
    program = """
import json, sys
from inft.forecast.statistics import cached_statistics
from inft.profiles import resolve
from inft.project import project_root
found = cached_statistics(resolve("demo_aya").config, project_root())
heavy = sorted({"torch", "transformers", "datasets", "numpy", "PIL"} & set(sys.modules))
print(json.dumps([found is None, heavy]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, []]
