"""Lengths that are measured from headers are those that batches have."""

from __future__ import annotations

import io
import json
import os
import signal
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from PIL import Image

from inft.data.collators import CaptionCollator
from inft.data.encoding import IGNORE_INDEX, EncodingLimits, RowTooLong
from inft.data.images import open_image
from inft.data.lengths import CHUNK_ROWS, measure_rows
from inft.data.prompt import LAYOUT_VERSION
from inft.data.rows import ImageRef, Row, UnreadableRow, UnusableRow
from inft.errors import ConfigError, DataError
from inft.forecast.row_lengths import CAUSES, UNKNOWN, RowLengths
from inft.params import FamilyName
from tests.processors import BOTH, ROOMY, Rows, collator, demo_rows, fresh_processor

TIGHT = EncodingLimits(max_length=400, article_chars=300, article_tokens=None, include_title=True)
LIMITS = {
    "roomy": ROOMY,
    "tight": TIGHT,
    "by tokens": EncodingLimits(max_length=100_000, article_chars=None, article_tokens=20, include_title=False),
}


def made_of(family: FamilyName, corpus: Rows, limits: EncodingLimits = ROOMY) -> CaptionCollator:
    """A collator of this very corpus."""
    made = collator(family, (), limits)
    made.corpus = corpus
    return made


def silent(done: int, total: int) -> None:
    """Nobody listens."""


def measured(made: CaptionCollator, workers: int = 0) -> RowLengths:
    return measure_rows(made, ["en", "si"], workers=workers, on_progress=silent)


def encoded(made: CaptionCollator) -> RowLengths:
    """The same from the batches' rows."""
    lengths = RowLengths()
    for number in range(len(made.corpus)):
        code = UNKNOWN
        try:
            row = made.corpus[number]
            code = {"en": 0, "si": 1}.get(row.language, UNKNOWN)
            found = made.encoder.encode(row, open_image(row.image))
        except UnusableRow as error:
            lengths.add_unusable(error.cause, code, error.needed if isinstance(error, RowTooLong) else 0)
            continue
        lengths.add(
            tokens=len(found.input_ids),
            tiles=made.tiles(found),
            supervised=int((found.labels != IGNORE_INDEX).sum()),
            cut=len(found.article_cut),
            language=code,
        )
    return lengths


def picture(width: int, height: int, mode: str = "RGB", kind: str = "JPEG", orientation: int = 1) -> bytes:
    image = Image.new(mode, (width, height), 128 if mode in ("L", "P") else None)
    exif = image.getexif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, kind, exif=exif)
    return buffer.getvalue()


def row_of(image: bytes | Path, text: str = "An article. ", number: int = 0, language: str = "en") -> Row:
    return Row(language, "A title", text, f"Caption {number}.", ImageRef(image, f"row {number}"), f"row {number}")


PICTURES = {
    "news photo": picture(976, 549),
    "upright": picture(549, 976),
    "on its side": picture(976, 300, orientation=6),
    "upside down": picture(976, 300, orientation=3),
    "CMYK": picture(640, 200, "CMYK"),
    "grey": picture(200, 640, "L"),
    "transparent": picture(300, 100, "RGBA", "PNG"),
    "palette on its side": picture(300, 100, "P", "PNG", orientation=8),
    "TIFF on its side": picture(300, 100, kind="TIFF", orientation=6),
    "WebP on its side": picture(300, 100, kind="WEBP", orientation=5),
    "one pixel": picture(1, 1, kind="PNG"),
    "a line": picture(2000, 3, kind="PNG"),
}


@pytest.mark.parametrize("family", BOTH)
@pytest.mark.parametrize("limits", LIMITS)
def test_the_demo_corpus_is_measured_as_it_is_encoded(family: FamilyName, limits: str) -> None:
    rows = Rows([demo_rows("train")[number] for number in range(0, 180, 4)])
    made = collator(family, rows, LIMITS[limits])
    assert measured(made) == encoded(made)


@pytest.mark.parametrize("family", BOTH)
def test_hard_pictures_are_measured_as_they_are_encoded(family: FamilyName) -> None:
    rows = Rows(row_of(data, number=number) for number, data in enumerate(PICTURES.values()))
    made = collator(family, rows)
    found = measured(made)
    assert found == encoded(made)
    assert len(set(found.tiles)) > 2


TEXTS = {
    "white space at its end": "word " * 30 + "\n\n",
    "control tokens": "an <|eot_id|> and <image> and <|IMG_PATCH|> and <|START_RESPONSE|>",
    "decomposed": "Cafe\u0301 क\u093cलम " * 20,
    "emoji": "👩🏽\u200d🚀 🇱🇰 " * 20,
    "Sinhala": "ශ්\u200dරී ලංකාවේ " * 30,
}


@pytest.mark.parametrize("family", BOTH)
@pytest.mark.parametrize("name", TEXTS)
def test_hard_texts_are_measured_as_they_are_encoded(family: FamilyName, name: str) -> None:
    text = TEXTS[name]
    photo = PICTURES["on its side"]
    rows = Rows([row_of(photo, text), Row("si", text, text, text.strip(), ImageRef(photo, "row 1"), "row 1")])
    for limits in (ROOMY, TIGHT):
        made = collator(family, rows, limits)
        assert measured(made) == encoded(made)


@pytest.mark.parametrize("family", BOTH)
def test_a_template_that_writes_on_behind_the_answer(family: FamilyName) -> None:
    changed = fresh_processor(family)
    changed.chat_template += "{%- if not add_generation_prompt %}{{- '\\nand more' }}{%- endif %}"
    made = collator(family, Rows([row_of(PICTURES["grey"])]), processor_=changed)
    assert measured(made) == encoded(made)


@pytest.mark.parametrize("family", BOTH)
def test_where_no_token_stands_apart_the_text_is_laid_out_in_full(family: FamilyName) -> None:
    made = collator(family, Rows([row_of(PICTURES["news photo"], "  \n An article.")]))
    apart = measured(made)
    assert made.encoder._picture(976, 549).stands_apart
    made.encoder._pictures.clear()
    made.encoder._walls = ()
    assert measured(made) == encoded(made) == apart
    assert not made.encoder._picture(976, 549).stands_apart


class WithUnreadable(Rows):
    """Its third row is no row."""

    def __getitem__(self, number: int) -> Row:  # type: ignore[override]
        if number == 2:
            raise UnreadableRow("row 2", "not JSON")
        return super().__getitem__(number)


def unusable() -> list[Row]:
    return [
        row_of(b"", number=0),
        row_of(b"GIF89a", number=1),
        row_of(PICTURES["grey"], number=2),
        row_of(Path("/nowhere.jpg"), number=3),
        row_of(PICTURES["grey"], number=4),
        Row("si", "", "An article", "Words. " * 400, ImageRef(PICTURES["grey"], "row 5"), "row 5"),
    ]


@pytest.mark.parametrize("family", BOTH)
def test_rows_that_cannot_be_used_are_marked(family: FamilyName) -> None:
    made = made_of(family, WithUnreadable(unusable()), TIGHT)
    found = measured(made)
    assert found == encoded(made)
    assert [CAUSES[code] for code in found.cause] == [
        "undecodable_image",
        "undecodable_image",
        "unreadable_row",
        "undecodable_image",
        "",
        "too_long",
    ]
    assert list(found.language) == [0, 0, UNKNOWN, 0, 0, 1]
    assert found.stand_ins() == [4, 4, 4, 4, 4, 4]


def test_damaged_pixels_behind_a_good_header_count_as_usable() -> None:
    data = PICTURES["news photo"]
    made = collator("aya", Rows([row_of(data[: len(data) // 2])]))
    assert measured(made).tiles[0] == measured(collator("aya", Rows([row_of(data)]))).tiles[0]


def test_no_usable_row_is_an_error_with_the_first_ones_reason() -> None:
    with pytest.raises(DataError) as raised:
        measured(collator("aya", Rows(unusable()[:2])))
    assert "None of the 2 rows can be used; the first, row 0: the row has no picture." in raised.value.message


def many(count: int) -> Rows:
    sizes = [picture(100 + 50 * (number % 20), 200) for number in range(20)]
    return Rows(row_of(sizes[number % 20], f"{number} " * (number % 40), number) for number in range(count))


def test_workers_measure_the_same_and_leave_nothing_behind() -> None:
    made = collator("aya", many(2 * CHUNK_ROWS + 10))
    told: list[tuple[int, int]] = []
    before = {child.pid for child in psutil.Process().children()}
    open_files = psutil.Process().num_fds()
    found = measure_rows(made, ["en"], workers=2, on_progress=lambda *call: told.append(call))
    assert found == measure_rows(made, ["en"], workers=0, on_progress=silent)
    assert told[0] == (0, len(made.corpus))
    assert told[-1] == (len(made.corpus), len(made.corpus))
    assert len(told) == 4
    assert {child.pid for child in psutil.Process().children()} == before
    assert psutil.Process().num_fds() == open_files


class Ended(Rows):
    """Takes a worker down at its last row, as the kernel does for want of memory."""

    def __init__(self, rows: Sequence[Row]) -> None:
        super().__init__(rows)
        self.parent = os.getpid()

    def __getitem__(self, number: int) -> Row:  # type: ignore[override]
        if number == len(self) - 1 and os.getpid() != self.parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(number)


def test_what_a_lost_worker_owes_is_measured_all_the_same() -> None:
    rows = many(CHUNK_ROWS + 10)
    found = measured(made_of("aya", Ended(rows)), workers=2)
    assert found == measured(collator("aya", rows))


def test_what_a_worker_cannot_measure_is_said_by_the_parent() -> None:
    changed = fresh_processor("llama32")
    changed.chat_template = changed.chat_template.replace("<|eot_id|>", "")
    with pytest.raises(ConfigError, match="does not end an answer"):
        measured(collator("llama32", many(CHUNK_ROWS + 10), processor_=changed), workers=2)


class Slow(Rows):
    """Rows from a slow disk."""

    def __getitem__(self, number: int) -> Row:  # type: ignore[override]
        time.sleep(0.003)
        return super().__getitem__(number)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent_and_not_by_what_is_meant_for_it(number: signal.Signals) -> None:
    made = made_of("aya", Slow(many(4 * CHUNK_ROWS)))
    parent = os.fork()
    if parent == 0:
        try:
            measured(made, workers=2)
        finally:
            os._exit(1)
    process = psutil.Process(parent)
    while len(workers := process.children()) < 2:
        time.sleep(0.003)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
        worker.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert all(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)
    process.send_signal(number)
    os.waitpid(parent, 0)
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


LAYOUT_CHECKSUMS: dict[int, dict[FamilyName, str]] = {1: {"llama32": "1342ab24", "aya": "f90a4c28"}}
"""What a few rows of the bundled corpus become, by `LAYOUT_VERSION`."""


@pytest.mark.parametrize("family", BOTH)
def test_another_layout_has_another_version(family: FamilyName) -> None:
    rows = [demo_rows("train")[number] for number in range(0, 180, 30)]
    limits = EncodingLimits(max_length=420, article_chars=300, article_tokens=None, include_title=True)
    made = collator(family, rows, limits)
    ids = [made.encoder.encode(row, open_image(row.image)).input_ids.tolist() for row in rows]
    found = f"{zlib.crc32(json.dumps(ids).encode()):08x}"
    assert found == LAYOUT_CHECKSUMS[LAYOUT_VERSION][family], (
        "The same rows become other tokens: raise LAYOUT_VERSION, so that lengths measured before are measured again, "
        "and put the new checksum beside it."
    )
