"""Pictures ready to be shown: decoded by a thread of their own, and the newest ones kept."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inft_tui.captions import kitty
from inft_tui.captions.decoding import Unshown, decoded
from inft_tui.captions.mosaic import Canvas, Mosaic
from inft_tui.worker import Worker

MOST_KEPT = 48
"""Pictures; one of 1,000 cells takes about 100 kB."""
_NUMBERS = 255
"""Pictures that a terminal is given at the most: kept ones, and those that are on their way."""


@dataclass(frozen=True)
class Frame:
    """Where a picture is to go, and how it is drawn.

    Attributes:
        columns: of cells.
        rows: the same.
        canvas: what it is drawn with; None = it is sent to the terminal as it is, by kitty's protocol.
        most_pixels: of its longest side, where it is sent.
    """

    columns: int
    rows: int
    canvas: Canvas | None
    most_pixels: int = 480


@dataclass(frozen=True)
class Shown:
    """A picture in cells.

    Attributes:
        mosaic: the cells.
        sent: what the terminal has to be sent before; empty = nothing.
        number: of the picture that was sent; 0 = none was.
    """

    mosaic: Mosaic
    sent: str = ""
    number: int = 0


class Gallery:
    """Decodes pictures one after the other, and keeps the newest.

    Args:
        worker: the thread that reads and decodes, and does nothing else: a disk may hang.
        send: writes to the terminal, beside what is drawn.
    """

    def __init__(self, worker: Worker, send: Callable[[str], None]) -> None:
        self._worker = worker
        self._send = send
        self._kept: OrderedDict[tuple[tuple[Path, ...], Frame], Shown] = OrderedDict()
        self._on_their_way: set[int] = set()
        self._last_number = 0

    def find(self, paths: Sequence[Path], frame: Frame) -> Shown | None:
        """The picture, if it is ready."""
        key = (tuple(paths), frame)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def ask(self, paths: Sequence[Path], frame: Frame, then: Callable[[Shown | Unshown], None]) -> None:
        """Has the first of these files that is there made ready; `then` is told what came of it."""
        key = (tuple(paths), frame)
        number = self._free_number()
        if number is None:
            then(Unshown("the disk has not answered for long"))
            return
        self._on_their_way.add(number)
        self._worker.ask(lambda: _shown(key[0], frame, number), lambda found: self._taken(key, number, found, then))

    def close(self) -> None:
        """Has the terminal forget what it was sent."""
        for shown in self._kept.values():
            self._forget(shown)
        self._kept.clear()

    def _taken(
        self,
        key: tuple[tuple[Path, ...], Frame],
        number: int,
        found: Shown | Unshown,
        then: Callable[[Shown | Unshown], None],
    ) -> None:
        self._on_their_way.discard(number)
        if isinstance(found, Shown):
            if found.sent:
                self._send(found.sent)
            before = self._kept.pop(key, None)
            if before is not None:
                self._forget(before)
            self._kept[key] = found
            while len(self._kept) > MOST_KEPT:
                self._forget(self._kept.popitem(last=False)[1])
        then(found)

    def _free_number(self) -> int | None:
        """One that no other picture has, as long as possible after it was used; None where there is none.

        Two pictures of one number would be one to the terminal: the newer.
        """
        taken = self._on_their_way | {shown.number for shown in self._kept.values()}
        ours = (os.getpid() & 0xFFFF) << 8  # other programs number their pictures too
        for _ in range(_NUMBERS):
            self._last_number = self._last_number % _NUMBERS + 1
            if ours | self._last_number not in taken:
                return ours | self._last_number
        return None

    def _forget(self, shown: Shown) -> None:
        if shown.number:
            self._send(kitty.deletion(shown.number))


def _shown(paths: Sequence[Path], frame: Frame, number: int) -> Shown | Unshown:
    if frame.canvas is not None:
        width, height = frame.canvas.pixels(frame.columns, frame.rows)
        image = decoded(paths, width, height)
        return image if isinstance(image, Unshown) else Shown(frame.canvas.draw(image))
    width, height = frame.columns * kitty.CELL_PIXELS[0], frame.rows * kitty.CELL_PIXELS[1]
    image = decoded(paths, min(width, frame.most_pixels), min(height, frame.most_pixels))
    if isinstance(image, Unshown):
        return image
    columns, rows = kitty.size_in_cells(image.width, image.height, frame.columns, frame.rows)
    sent = kitty.transmission(image, number, columns, rows)
    return Shown(kitty.placeholders(number, columns, rows), sent, number)
