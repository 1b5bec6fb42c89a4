"""A picture's pixels in the size in which they are shown; whatever the file is, the answer is pixels or a sentence."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inft.data.rows import ImageRef, UnusableRow
from inft.runs.visible import visible

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 24_000_000
"""Of a picture that is decoded here: 72 MB of memory for half a second. A run's own copies have 0.2 million."""
MOST_BYTES = 64 << 20
"""Of its file."""


@dataclass(frozen=True)
class Unshown:
    """Why there is no picture, in words that are safe to show."""

    reason: str


def decoded(paths: Sequence[Path], width: int, height: int) -> Image | Unshown:
    """The first of these files that is there, as large as fits into `width` x `height` pixels; never larger than it is.

    It waits for disks and decoders, so a thread of its own does it.
    """
    from PIL import Image

    from inft.data.images import open_image, upright_size

    if not paths:
        return Unshown("its picture is no file")
    path, problem = _found(paths)
    if problem:
        return Unshown(problem)
    ref = ImageRef(path, "")
    try:
        columns, rows = upright_size(ref)
        if columns * rows > MOST_PIXELS:
            return Unshown(f"{columns:,} x {rows:,} pixels are more than are shown here")
        image = open_image(ref)
    except UnusableRow as error:
        return Unshown(visible(error.reason))
    except MemoryError:
        return Unshown("there is no memory for it")
    scale = min(width / image.width, height / image.height, 1.0)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS if scale > 0.5 else Image.Resampling.BOX, reducing_gap=2.0)


def _found(paths: Sequence[Path]) -> tuple[Path, str]:
    """The first that is a file, and why it cannot be shown; a device or a pipe would never end."""
    problem = ""
    for path in paths:
        try:
            about = path.stat()
        except (OSError, ValueError):  # ValueError: a name with a null byte
            problem = problem or f"there is no {visible(path.name)} any more"
            continue
        if not stat.S_ISREG(about.st_mode):
            problem = f"{visible(path.name)} is no file"
        elif about.st_size > MOST_BYTES:
            problem = f"{visible(path.name)} has {about.st_size >> 20:,} MiB, more than is read here"
        else:
            return path, ""
    return paths[0], problem
