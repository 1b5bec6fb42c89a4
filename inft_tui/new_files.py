"""Files that a person has the console write: under a name that tells what is in them, and never over another."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from inft.errors import disk_error

_LONGEST_STEM = 120
"""Of a file's name; file systems take 255 bytes of it."""


def file_stem(text: str) -> str:
    """`text` as the stem of a file's name.

    >>> file_stem("aya_basic-20250301-120000-GPU use, %"), file_stem("../..")
    ('aya_basic-20250301-120000-gpu-use', 'file')
    """
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", text.lower()).strip("-._")
    return plain[:_LONGEST_STEM] or "file"


def write_new(folder: Path, stem: str, kind: str, text: str) -> Path:
    """Writes to the first name that is free.

    Args:
        folder: made where there is none.
        stem: of the name; what a file's name should not have is replaced.
        kind: what the name ends with, without the dot.
        text: everything it holds.

    Raises:
        DiskError: it cannot be written.
    """
    stem = file_stem(stem)
    for number in itertools.count(1):
        path = folder / (f"{stem}.{kind}" if number == 1 else f"{stem}-{number}.{kind}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            if not folder.is_dir():
                raise disk_error(NotADirectoryError(20, "Not a directory"), folder) from None
        except OSError as error:
            raise disk_error(error, path) from error
        else:
            return path
    raise AssertionError("numbers do not end")
