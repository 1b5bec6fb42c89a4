"""Files that a person has the console write: under a name that tells what is in them, and never over another."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
from pathlib import Path

from inft.errors import disk_error
from inft.new_file import create_file

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
    """Writes to the first name that is free; what cannot be written in full is not there at all.

    Args:
        folder: made where there is none.
        stem: of the name; what a file's name should not have is replaced.
        kind: what the name ends with, without the dot.
        text: everything it holds.

    Raises:
        DiskError: it cannot be written.
    """
    stem, content = file_stem(stem), text.encode("utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise disk_error(NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)), folder) from None
    except OSError as error:
        raise disk_error(error, folder) from error
    for number in itertools.count(1):
        path = folder / (f"{stem}.{kind}" if number == 1 else f"{stem}-{number}.{kind}")
        if os.path.lexists(path):
            continue
        # Another console may take the name meanwhile.
        with contextlib.suppress(FileExistsError):
            create_file(path, content)
            return path
    raise AssertionError("numbers do not end")
