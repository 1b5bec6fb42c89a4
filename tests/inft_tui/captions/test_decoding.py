"""Pictures from disk: pixels, or one sentence whatever lies there."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from inft_tui.captions import decoding
from inft_tui.captions.decoding import Unshown, decoded


def photo(path: Path, size: tuple[int, int] = (200, 100), mode: str = "RGB") -> Path:
    Image.new(mode, size, 120 if mode == "L" else (200, 40, 40)).save(path)
    return path


def test_it_fits_into_its_place_and_is_never_made_larger(tmp_path: Path) -> None:
    path = photo(tmp_path / "photo.jpg")
    for place, expected in (((50, 50), (50, 25)), ((400, 20), (40, 20)), ((999, 999), (200, 100)), ((1, 1), (1, 1))):
        image = decoded([path], *place)
        assert isinstance(image, Image.Image)
        assert (image.size, image.mode) == (expected, "RGB")


def test_the_first_file_that_is_there_is_shown(tmp_path: Path) -> None:
    image = decoded([tmp_path / "gone.jpg", photo(tmp_path / "grey.png", (8, 6), "L")], 99, 99)
    assert isinstance(image, Image.Image)
    assert image.size == (8, 6)


def test_it_is_shown_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "lying.jpg", exif=exif)
    image = decoded([tmp_path / "lying.jpg"], 99, 99)
    assert isinstance(image, Image.Image)
    assert image.size == (20, 40)


def bomb(path: Path) -> None:
    """A PNG of a few bytes that says it has more pixels than are decoded here."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8000, 8000, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))


def cut(path: Path) -> None:
    photo(path)
    path.write_bytes(path.read_bytes()[:-300])


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("gone.jpg", lambda path: None, "there is no gone.jpg any more"),
        ("pipe.jpg", lambda path: os.mkfifo(path), "pipe.jpg is no file"),
        ("folder.jpg", lambda path: path.mkdir(), "folder.jpg is no file"),
        ("text.jpg", lambda path: path.write_text("no picture"), "not a picture of a known kind"),
        ("empty.jpg", lambda path: path.touch(), "not a picture of a known kind"),
        ("cut.jpg", cut, "damaged"),
        ("bomb.png", bomb, "8,000 x 8,000 pixels are more than are shown here"),
        ("a\x1b[2Jb.jpg", lambda path: None, "there is no a\\x1b[2Jb.jpg any more"),
        ("null\0.jpg", lambda path: None, "there is no null\\x00.jpg any more"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_what_cannot_be_shown_is_one_sentence(name: str, make: object, reason: str, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path / name)
    found = decoded([tmp_path / name], 50, 50)
    assert isinstance(found, Unshown)
    assert found.reason.startswith(reason)
    assert found.reason.isprintable()


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MOST_BYTES", 100)
    found = decoded([photo(tmp_path / "photo.jpg")], 50, 50)
    assert isinstance(found, Unshown)
    assert "more than is read here" in found.reason
    assert decoded([], 50, 50) == Unshown("its picture is no file")
