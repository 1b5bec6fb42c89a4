"""Pictures of every mode come out upright, RGB and on white."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageFile

from inft.data import images
from inft.data.images import UndecodableImage, open_image, upright_size
from inft.data.rows import ImageRef

PLACE = "train.jsonl line 12"


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(data: bytes | Path) -> Image.Image:
    return open_image(ImageRef(data, PLACE))


def pixels(image: Image.Image) -> list[tuple[int, int, int]]:
    return [image.getpixel((x, y)) for y in range(image.height) for x in range(image.width)]


def grey16(*values: int) -> Image.Image:
    image = Image.new("I;16", (len(values), 1))
    for x, value in enumerate(values):
        image.putpixel((x, 0), value)
    return image


def two(mode: str, first: object, second: object) -> Image.Image:
    image = Image.new(mode, (2, 1))
    image.putpixel((0, 0), first)
    image.putpixel((1, 0), second)
    return image


def palette(transparent: bool) -> bytes:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    return encoded(image, **({"transparency": 1} if transparent else {}))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(encoded(two("RGB", (1, 2, 3), (4, 5, 6))), [(1, 2, 3), (4, 5, 6)], id="RGB"),
        pytest.param(encoded(two("L", 7, 250)), [(7,) * 3, (250,) * 3], id="L"),
        pytest.param(encoded(two("1", 0, 255)), [(0,) * 3, (255,) * 3], id="1"),
        pytest.param(encoded(two("LA", (7, 255), (7, 0))), [(7,) * 3, (255,) * 3], id="LA"),
        pytest.param(encoded(two("RGBA", (9, 8, 7, 255), (9, 8, 7, 0))), [(9, 8, 7), (255,) * 3], id="RGBA"),
        pytest.param(
            encoded(two("RGBA", (0, 0, 0, 51), (0, 0, 0, 255))), [(204,) * 3, (0,) * 3], id="half transparent"
        ),
        pytest.param(palette(transparent=False), [(10, 20, 30), (40, 50, 60)], id="P"),
        pytest.param(palette(transparent=True), [(10, 20, 30), (255,) * 3], id="P transparent"),
        pytest.param(
            encoded(two("RGB", (1, 2, 3), (4, 5, 6)), transparency=(4, 5, 6)),
            [(1, 2, 3), (255,) * 3],
            id="RGB transparent",
        ),
        pytest.param(encoded(grey16(65535, 25600, 255)), [(255,) * 3, (100,) * 3, (0,) * 3], id="I;16"),
        pytest.param(encoded(two("CMYK", (0, 0, 0, 0), (0, 0, 0, 255)), "TIFF"), [(255,) * 3, (0,) * 3], id="CMYK"),
    ],
)
def test_every_mode_becomes_rgb(data: bytes, expected: list[tuple[int, int, int]]) -> None:
    image = opened(data)
    assert image.mode == "RGB"
    assert pixels(image) == expected


UPRIGHT = [(10, 0, 0), (20, 0, 0), (30, 0, 0), (40, 0, 0), (50, 0, 0), (60, 0, 0)]  # 3 wide, 2 high

STORED = {  # how each orientation stores the picture above: transpositions that lead from it to the file
    1: [],
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.TRANSPOSE],
    6: [Image.Transpose.ROTATE_90],
    7: [Image.Transpose.TRANSVERSE],
    8: [Image.Transpose.ROTATE_270],
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    image = Image.new("RGB", (3, 2))
    image.putdata(UPRIGHT)
    for step in STORED[orientation]:
        image = image.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    shown = opened(encoded(image, kind, exif=exif, **options))
    assert shown.size == (3, 2)
    assert pixels(shown) == UPRIGHT


def test_a_jpeg_file_is_opened_and_released(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(Image.new("RGB", (40, 30), (200, 30, 40)), "JPEG", quality=95))
    image = opened(path)
    path.unlink()
    assert image.size == (40, 30)
    assert all(abs(a - b) < 6 for a, b in zip(image.getpixel((20, 15)), (200, 30, 40), strict=True))


def test_the_first_frame_of_an_animation_is_read() -> None:
    frames = [Image.new("RGB", (2, 2), color) for color in ("red", "blue")]
    assert pixels(opened(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))) == [(255, 0, 0)] * 4


WHOLE = encoded(Image.effect_noise((64, 64), 80), "JPEG")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "no picture", id="empty"),
        pytest.param(b"<html>404</html>", "not a picture", id="not a picture"),
        pytest.param(WHOLE[: len(WHOLE) // 2], "truncated", id="truncated JPEG"),
        pytest.param(encoded(Image.effect_noise((64, 64), 80))[:-900], "damaged", id="truncated PNG"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not a picture", id="EPS is never run"),
        pytest.param(encoded(Image.new("F", (2, 2)), "TIFF"), "floating-point", id="F"),
    ],
)
def test_bad_pictures_are_refused_with_place_and_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UndecodableImage, match=reason) as caught:
        opened(data)
    assert caught.value.place == PLACE
    assert caught.value.cause == "undecodable_image"
    assert str(caught.value).startswith(PLACE)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UndecodableImage, match=r"no file .*gone\.png"):
        opened(tmp_path / "gone.png")
    with pytest.raises(UndecodableImage, match="directory"):
        opened(tmp_path)


@pytest.mark.parametrize("side", [9_460, 14_000])  # one pixel over the limit; over twice the limit, where PIL raises
def test_a_decompression_bomb_is_refused_before_it_is_decoded(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = encoded(Image.new("1", (side, side)))

    def decode(image: Image.Image) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    with pytest.raises(UndecodableImage, match="pixels"):
        opened(bomb)


def test_the_limit_is_pils() -> None:
    assert images.MAX_PIXELS == Image.MAX_IMAGE_PIXELS


ORIENTATION = 0x0112


def turned(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(Image.new("RGB", (6, 4)), kind, exif=exif)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_known_from_the_header(kind: str, orientation: int) -> None:
    if kind == "AVIF" and "AVIF" not in images._formats():
        pytest.skip("this PIL has no AVIF")
    data = turned(kind, orientation)
    size = upright_size(ImageRef(data, PLACE))
    assert size == opened(data).size == ((4, 6) if orientation > 4 else (6, 4))


def test_an_orientation_behind_the_pixels_counts() -> None:
    data = turned("PNG", 6)
    chunk = data.index(b"eXIf") - 4
    length = 12 + int.from_bytes(data[chunk : chunk + 4])
    end = data.index(b"IEND") - 4
    moved = data[:chunk] + data[chunk + length : end] + data[chunk : chunk + length] + data[end:]
    assert upright_size(ImageRef(moved, PLACE)) == opened(moved).size == (4, 6)


def test_an_orientation_in_xmp_counts() -> None:
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    data = encoded(Image.new("RGB", (6, 4)), "JPEG", xmp=xmp)
    assert upright_size(ImageRef(data, PLACE)) == opened(data).size == (4, 6)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "PPM", "JPEG2000"])
def test_formats_without_an_orientation(kind: str) -> None:
    data = encoded(Image.new("RGB", (6, 4)), kind)
    assert upright_size(ImageRef(data, PLACE)) == opened(data).size == (6, 4)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", turned("JPEG", 6)[:20], Path("/nowhere.jpg")])
def test_a_size_that_cannot_be_read(data: bytes | Path) -> None:
    with pytest.raises(UndecodableImage):
        upright_size(ImageRef(data, PLACE))


def test_the_size_of_a_decompression_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 20)
    with pytest.raises(UndecodableImage, match="6x4 is over 20 pixels"):
        upright_size(ImageRef(turned("PNG", 1), PLACE))
