"""Which files the pictures of a corpus are, and whether one was replaced, deleted or added since.

The rows are known by the corpus's own files (`inft.forecast.identity`), and these do not change when a picture beside
them does. Asking the file system for 100,000 pictures takes a quarter of a second on a local disk.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SEPARATOR = b"\0"  # the only character, beside the slash, that no file name has


@dataclass(frozen=True)
class PictureFiles:
    """Files of pictures as they were at some moment.

    Attributes:
        files: how many; 0 where the pictures stand in the rows.
        stamp: checksum of every file's size and last change, or of its absence.
        packed: their paths, compressed: some 3 bytes each.
    """

    files: int
    stamp: str
    packed: bytes

    @classmethod
    def of(cls, paths: Iterable[str]) -> PictureFiles:
        """As they are now."""
        collected = PictureCollector()
        for path in paths:
            collected.add(path)
        return collected.done()

    @classmethod
    def none(cls) -> PictureFiles:
        """Of rows that hold their pictures themselves."""
        return cls.of(())

    def paths(self) -> Iterator[str]:
        """Where they are.

        Raises:
            zlib.error: `packed` is damaged.
        """
        for path in zlib.decompress(self.packed).split(SEPARATOR):
            if path:
                yield os.fsdecode(path)

    def unchanged(self) -> bool:
        """Whether all of them are now as they were."""
        try:
            return not self.files or PictureFiles.of(self.paths()).stamp == self.stamp
        except zlib.error:
            return False


class PictureCollector:
    """Takes the paths of pictures one by one, and keeps little of each."""

    def __init__(self) -> None:
        self._files = 0
        self._stamp = hashlib.blake2b(digest_size=8)
        self._compressor = zlib.compressobj(1)
        self._packed: list[bytes] = []

    def add(self, path: str) -> None:
        """One more, as it is now."""
        try:
            found = os.stat(path)
            size, changed = found.st_size, found.st_mtime_ns
        except (OSError, ValueError):
            size, changed = -1, -1
        self._files += 1
        self._stamp.update(struct.pack("<qq", size, changed))
        self._packed.append(self._compressor.compress(os.fsencode(path) + SEPARATOR))

    def done(self) -> PictureFiles:
        """All of them; nothing can be added any more."""
        return PictureFiles(self._files, self._stamp.hexdigest(), b"".join([*self._packed, self._compressor.flush()]))
