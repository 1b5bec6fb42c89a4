"""Where the picture of a sampled row may lie: a run's folder may come from anywhere and names the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_COPY = re.compile(r"pictures/[0-9]{1,18}\.jpg")
"""What a run calls its small copies."""


def picture_paths(picture: str, image: str, folders: Sequence[Path], root: Path) -> tuple[Path, ...]:
    """What is to be tried, the first one first; whether any of it is a picture is for `decoding` to find out.

    Args:
        picture: of the small copy, as the sample names it; anything but one of a run's own folder is left out.
        image: of the original, the same: absolute, or below the project; one that leads upwards is left out.
        folders: of the run and of those that it continues, the newest first.
        root: of the project.
    """
    copies = [folder / picture for folder in folders] if _COPY.fullmatch(picture) else []
    original = [root / image] if image and ".." not in Path(image).parts else []
    return (*copies, *original)
