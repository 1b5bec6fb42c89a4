"""Pictures, decoded when they are needed: upright, RGB, on white."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import IO, TYPE_CHECKING

from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from inft.data.rows import ImageRef, UnusableRow

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""Formats read, where this PIL has them. It knows more, some of which start other programs (EPS runs Ghostscript)."""

MAX_PIXELS = 89_478_485
"""PIL's own limit before it warns of a decompression bomb: 256 MiB of RGB. A news photograph has 0.5 million."""

LYING = frozenset({5, 6, 7, 8})
"""EXIF orientations of pictures that are stored on their side."""

PNG_SIGNATURE_BYTES = 8
TEXT_CHUNKS = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt"})

_BROKEN = (OSError, ValueError, TypeError, SyntaxError, LookupError, OverflowError, struct.error, zlib.error)
"""What PIL's decoders raise on damaged data (SyntaxError is its word for a bad header)."""


class UndecodableImage(UnusableRow):
    """A picture that is missing, damaged, too large or of a kind that is not read."""

    cause = "undecodable_image"


def open_image(ref: ImageRef) -> Image.Image:
    """The picture as it is meant to be seen.

    Its EXIF orientation is applied, what is transparent becomes white, and 16-bit greys are scaled to 8 bit. Only the
    first frame of an animation is read.

    Returns:
        An RGB image that holds no open file.

    Raises:
        UndecodableImage: with the row's place and the reason.
    """
    with _opened(ref) as image:
        return to_rgb(ImageOps.exif_transpose(image))


def upright_size(ref: ImageRef) -> tuple[int, int]:
    """Width and height of what `open_image` returns, in pixels, as a rule from the file's header alone.

    Raises:
        UndecodableImage: the header says already that the picture cannot be used.
    """
    with _opened(ref) as image:
        if image.format == "TIFF" or (image.format == "PNG" and _text_follows(image)):
            return to_rgb(ImageOps.exif_transpose(image)).size
        # PngImageFile's own method would decode the picture, in case that text follows it.
        orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
        width, height = image.size
        return (height, width) if orientation in LYING else (width, height)


@contextmanager
def _opened(ref: ImageRef) -> Iterator[Image.Image]:
    """The picture with its header read; what PIL raises, here or in the caller's block, becomes `UndecodableImage`."""
    if ref.source == b"":
        raise UndecodableImage(ref.place, "the row has no picture")
    file: IO[bytes] | Path = io.BytesIO(ref.source) if isinstance(ref.source, bytes) else ref.source
    try:
        with warnings.catch_warnings():
            # MAX_PIXELS below says the same with the row's place.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file, formats=_formats()) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise UndecodableImage(ref.place, f"{width}x{height} is over {MAX_PIXELS:,} pixels")
                yield image
    except UndecodableImage:
        raise
    except Image.DecompressionBombError:
        raise UndecodableImage(ref.place, f"over {2 * MAX_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise UndecodableImage(ref.place, f"not a picture of a known kind ({', '.join(FORMATS)})") from None
    except FileNotFoundError:
        raise UndecodableImage(ref.place, f"no file {ref.source!s}") from None
    except _BROKEN as error:
        raise UndecodableImage(ref.place, f"damaged: {error}") from error


def _text_follows(image: Image.Image) -> bool:
    """Whether chunks that could hold an orientation follow a PNG's pixels."""
    assert isinstance(image, ImageFile.ImageFile)
    file = image.fp
    assert file is not None
    file.seek(PNG_SIGNATURE_BYTES)
    pixels_seen = False
    while True:
        head = file.read(8)
        if len(head) < 8:
            return False
        length, kind = struct.unpack(">I4s", head)
        if pixels_seen and kind in TEXT_CHUNKS:
            return True
        pixels_seen = pixels_seen or kind == b"IDAT"
        file.seek(length + 4, io.SEEK_CUR)  # the chunk, and its checksum


def to_rgb(image: Image.Image) -> Image.Image:
    """A copy in RGB.

    Transparent pixels become white, the paper that a cut-out is printed on. PIL clips 16-bit greys at 255 instead of
    scaling them, so these are scaled here.

    Raises:
        ValueError: PIL has no way from this mode to RGB.
    """
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)
