"""Checks of the bundled demo corpus: counts, pictures, scripts and provenance."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageOps

DEMO = Path(__file__).resolve().parents[2] / "inft" / "data" / "demo"
LANGUAGES = ("ar", "en", "fr", "hi", "id", "ja", "si", "ur", "yue", "zh")
FIELDS = ("image", "language", "title", "content", "caption")
MIN_SIDE = 180
MAX_BYTES = 2_000_000
EXIF_ORIENTATION = 0x0112

LATIN = "A-Za-z\u00c0-\u024f"
ARABIC = "\u0600-\u06ff"
HAN = "\u3400-\u9fff"
KANA = "\u3040-\u30ff"
SCRIPTS = {
    "ar": ARABIC,
    "en": LATIN,
    "fr": LATIN,
    "hi": "\u0900-\u097f",
    "id": LATIN,
    "ja": KANA + HAN,
    "si": "\u0d80-\u0dff",
    "ur": ARABIC,
    "yue": HAN,
    "zh": HAN,
}

Row = dict[str, str]


def read_split(split: str) -> list[Row]:
    """Return the rows of one split."""
    lines = (DEMO / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def photo_of(row: Row) -> str:
    """Return the photograph that a row's crop was cut from."""
    return Path(row["image"]).stem.rsplit("-", 1)[0]


def image_files() -> list[Path]:
    """Return every picture of the corpus."""
    return sorted((DEMO / "images").iterdir())


def language_text(language: str) -> str:
    """Return all text of one language in one string."""
    rows = [r for r in read_split("train") + read_split("test") if r["language"] == language]
    return "\n".join(r[f] for r in rows for f in ("title", "content", "caption"))


def share(text: str, characters: str) -> float:
    """Return the share of a text's letters that belong to a character class."""
    letters = [c for c in text if c.isalpha()]
    return len(re.findall(f"[{characters}]", "".join(letters))) / len(letters)


@pytest.mark.parametrize(("split", "per_photo"), [("train", 2), ("test", 1)])
def test_counts_per_split_photo_and_language(split: str, per_photo: int) -> None:
    """Each split holds the same number of rows for every photo and language."""
    rows = read_split(split)
    counts = Counter((photo_of(r), r["language"]) for r in rows)
    photos = {photo for photo, _ in counts}
    assert len(photos) >= 8
    assert {language for _, language in counts} == set(LANGUAGES)
    assert len(counts) == len(photos) * len(LANGUAGES)
    assert set(counts.values()) == {per_photo}


def test_splits_share_photos_but_no_image_file() -> None:
    """The test split shows other crops of the photographs in the train split."""
    train, test = read_split("train"), read_split("test")
    assert {photo_of(r) for r in train} == {photo_of(r) for r in test}
    assert not {r["image"] for r in train} & {r["image"] for r in test}


def test_rows_have_exactly_the_fields_and_none_is_empty() -> None:
    """Every row has the five fields, all filled and without stray white space."""
    for row in read_split("train") + read_split("test"):
        assert tuple(row) == FIELDS
        for field in FIELDS:
            assert row[field], (row["image"], row["language"], field)
            assert row[field] == row[field].strip(), (row["image"], row["language"], field)


def test_rows_and_image_files_match() -> None:
    """Every row's image exists, and every image belongs to a row."""
    named = {r["image"] for r in read_split("train") + read_split("test")}
    assert named == {f"images/{path.name}" for path in image_files()}


@pytest.mark.parametrize("path", image_files(), ids=lambda path: path.name)
def test_image_opens_and_is_large_enough(path: Path) -> None:
    """A picture decodes and is neither tiny nor oversized once upright."""
    with Image.open(path) as stored:
        upright = ImageOps.exif_transpose(stored)
        upright.load()
    width, height = upright.size
    assert min(width, height) >= MIN_SIDE
    assert width <= 976
    assert height <= 549


def test_images_are_distinct() -> None:
    """No two image files hold the same bytes."""
    assert len({path.read_bytes() for path in image_files()}) == len(image_files())


def test_images_exercise_orientation_and_mode() -> None:
    """Some pictures carry an EXIF orientation, some are not RGB."""
    orientations: set[int] = set()
    modes: set[str] = set()
    for path in image_files():
        with Image.open(path) as image:
            orientations.add(image.getexif().get(EXIF_ORIENTATION, 1))
            modes.add(image.mode)
    assert orientations - {1}
    assert modes - {"RGB"}


def test_corpus_is_small() -> None:
    """The whole folder stays within two megabytes."""
    files = [p for p in DEMO.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert sum(p.stat().st_size for p in files) <= MAX_BYTES


def test_captions_are_distinct_and_texts_shared() -> None:
    """A photo and language has one title, one article and three captions."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in read_split("train") + read_split("test"):
        grouped.setdefault((photo_of(row), row["language"]), []).append(row)
    for key, rows in grouped.items():
        assert len({r["caption"] for r in rows}) == 3, key
        assert len({(r["title"], r["content"]) for r in rows}) == 1, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_text_is_in_the_script_of_its_language(language: str) -> None:
    """Most letters of a language's text belong to its script."""
    assert share(language_text(language), SCRIPTS[language]) > 0.85


def test_kana_only_in_japanese() -> None:
    """Japanese text has plenty of kana, the Chinese languages have none."""
    assert share(language_text("ja"), KANA) > 0.3
    assert not re.search("[\u3041-\u3096\u30a1-\u30fa]", language_text("zh"))
    assert not re.search("[\u3041-\u3096\u30a1-\u30fa]", language_text("yue"))


def test_cantonese_and_chinese_differ() -> None:
    """Cantonese rows differ from Chinese ones and use Cantonese particles."""
    rows = read_split("train") + read_split("test")
    by_language = {code: {r["image"]: r for r in rows if r["language"] == code} for code in ("yue", "zh")}
    for image, yue in by_language["yue"].items():
        zh = by_language["zh"][image]
        for field in ("title", "content", "caption"):
            assert yue[field] != zh[field], (image, field)
        assert re.search("[嘅喺咗佢啲嘢哋]", yue["content"]), image
        assert not re.search("[嘅喺咗佢啲嘢哋]", zh["content"]), image


def test_texts_hold_quotes_digits_and_colons() -> None:
    """Every language has captions with a quotation, a digit and a colon."""
    for language in LANGUAGES:
        rows = [r for r in read_split("train") + read_split("test") if r["language"] == language]
        captions = "\n".join(r["caption"] for r in rows)
        for pattern in ("[\"'\u00ab\u201c\u2018\u2019\u300c]", "[0-9]", "[:\uff1a]"):
            assert re.search(pattern, captions), (language, pattern)


def test_readme_names_every_image() -> None:
    """The provenance file lists every picture."""
    readme = (DEMO / "README.md").read_text(encoding="utf-8")
    for path in image_files():
        assert f"images/{path.name}" in readme, path.name
