"""The lines of a file of any size: any of them at once by its place, and by its number once they are counted.

The file is seen as segments of equal size. A line ends at its newline, and also at the end of a segment that holds no
newline at all: so every line's bounds are known from the two segments around it, from whichever side one comes, and a
gigabyte without a newline costs no more than any other. What is counted are the line ends before each segment: 8 bytes
for every 256 KiB of the file.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

from inft_tui.logs.follow import Change, GrowingFile
from inft_tui.logs.shown import Rendering, as_is

SEGMENT_BYTES = 256 << 10

_KEPT_SEGMENTS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One line.

    Attributes:
        start: where it begins, in bytes; tells lines apart as long as the file is not cut off or replaced.
        end: where the next one begins.
        text: as it is shown.
        number: how many lines are before it; None while they are not counted.
    """

    start: int
    end: int
    text: str
    number: int | None


class LogFile:
    """The lines of a file that may be growing. Opening it reads nothing; nothing but `index` reads more than a screen.

    Not safe to share between threads: one thread reads, and hands over rows.

    Args:
        path: the file; it need not exist yet.
        rendering: how its lines are shown.
        segment_bytes: see above.
    """

    def __init__(self, path: Path, rendering: Rendering = as_is, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.rendering = rendering
        self._file = GrowingFile(path)
        self._segment_bytes = segment_bytes
        self._segments: dict[tuple[int, int], bytes] = {}
        self._start_over()

    @property
    def size(self) -> int:
        """Bytes of the file at the last `refresh`."""
        return self._file.size

    @property
    def generation(self) -> int:
        """How often the file has begun anew; places and numbers of another generation do not hold."""
        return self._file.generation

    @property
    def is_indexed(self) -> bool:
        """Whether all lines are counted."""
        return self._counted == self._file.size

    def refresh(self) -> Change:
        """Looks whether the file has changed; what follows is about the file as it is now.

        Raises:
            OSError: the file is there and cannot be read.
        """
        change = self._file.refresh()
        if change is Change.RESTARTED:
            self._start_over()
        return change

    def index(self, budget_s: float) -> bool:
        """Counts lines for about `budget_s` seconds, going on where the last call ended; True = all are counted.

        Raises:
            OSError: the file cannot be read.
        """
        deadline = time.perf_counter() + budget_s
        while not self.is_indexed:
            # Nothing to count: it was cut off meanwhile, and the next refresh finds out.
            if not self._count_on() or time.perf_counter() >= deadline:
                break
        return self.is_indexed

    def line_count(self) -> int:
        """How many lines there are; an estimate until all are counted. A half one at the end counts."""
        if self.is_indexed:
            return self._ends + (self.size > 0 and not self._ends_with_line_end())
        if self._counted and self._ends:
            return max(self._ends, round(self._ends * self.size / self._counted))
        sample = self._segment(self._last_segment())
        return max(1, round(sample.count(b"\n") * self.size / max(1, len(sample))))

    def last(self, count: int) -> list[Row]:
        """The last `count` lines, a half one at the end included."""
        return self.before(self.size, count)

    def before(self, place: int, count: int) -> list[Row]:
        """The last `count` lines that begin before byte `place`."""
        starts = [min(place, self.size)]
        while len(starts) <= count and starts[-1] > 0:
            starts.append(self.start_before(starts[-1]))
        starts.reverse()
        # `place` may lie within a line, which then ends behind it.
        ends = [*starts[1:-1], self.end_of_line(starts[-2])] if len(starts) > 1 else []
        return self._rows(starts[:-1], ends)

    def after(self, place: int, count: int) -> list[Row]:
        """The first `count` lines that begin at byte `place` or behind it."""
        start = self.first_start(place)
        starts: list[int] = []
        ends: list[int] = []
        while len(starts) < count and start < self.size:
            starts.append(start)
            start = self.end_of_line(start)
            ends.append(start)
        return self._rows(starts, ends)

    def lines(self, first: int, count: int) -> list[Row]:
        """`count` lines from number `first` on; where lines are not counted yet, from about there on, unnumbered."""
        return self.after(self.place_of(max(0, first)), count)

    def place_of(self, number: int) -> int:
        """Where line `number` begins; about where, if the lines before it are not counted yet."""
        if number <= 0:
            return 0
        if number <= self._ends:
            return self._counted_place(number)
        if self.is_indexed:
            return self.size
        return min(self.size, round(self.size * number / max(1, self.line_count())))

    def number_of(self, start: int) -> int | None:
        """The number of the line that begins at byte `start`; None while that is not counted."""
        if start > self._counted:
            return None
        segment = start // self._segment_bytes
        if segment >= len(self._ends_before):  # right at the end of what is counted
            return self._ends
        within = self._segment(segment).count(b"\n", 0, start - segment * self._segment_bytes)
        return self._ends_before[segment] + within

    def end_of_line(self, start: int) -> int:
        """Where the line that begins at byte `start` ends: behind its newline, or where the file does."""
        size = self._segment_bytes
        segment, offset = divmod(start, size)
        found = self._segment(segment).find(b"\n", offset)
        if found < 0 and offset:
            segment += 1
            found = self._segment(segment).find(b"\n")
        end = segment * size + found + 1 if found >= 0 else (segment + 1) * size
        return min(end, self.size)

    def row(self, start: int) -> Row:
        """The line that begins at byte `start`."""
        return self._rows([start], [self.end_of_line(start)])[0]

    def block_after(self, start: int) -> bytes:
        """Whole lines from byte `start` on, where one begins: about a segment of them; the last may be a half one."""
        return self._file.read(start, self.first_start((start // self._segment_bytes + 1) * self._segment_bytes))

    def block_before(self, end: int) -> bytes:
        """Whole lines up to byte `end`, where one ends: about a segment of them; none before the first byte."""
        if end <= 0:
            return b""
        start = self.first_start((end - 1) // self._segment_bytes * self._segment_bytes)
        return self._file.read(start if start < end else self.start_before(end), end)

    def ends_whole(self, block_end: int) -> bool:
        """Whether a line ends at byte `block_end`, or its writer may still go on with it."""
        return block_end < self.size or self._ends_with_line_end()

    def first_start(self, place: int) -> int:
        """Where the first line begins that begins at `place` or behind it; the file's end if there is none."""
        return 0 if place <= 0 else self.end_of_line(self.start_before(place))

    def start_before(self, place: int) -> int:
        """Where the last line begins that begins before byte `place`, which is not the file's first."""
        size = self._segment_bytes
        segment = (place - 1) // size
        offset = segment * size
        found = self._segment(segment).rfind(b"\n", 0, place - 1 - offset)
        if found >= 0:
            return offset + found + 1
        if segment == 0:
            return 0
        found = self._segment(segment - 1).rfind(b"\n")
        return offset - size + found + 1 if found >= 0 else offset

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def _start_over(self) -> None:
        self._segments.clear()
        self._ends_before = array("Q")  # line ends before each segment, as far as is counted
        self._ends = 0  # line ends in the first `_counted` bytes
        self._counted = 0

    def _last_segment(self) -> int:
        return max(0, self.size - 1) // self._segment_bytes

    def _segment(self, number: int) -> bytes:
        start = number * self._segment_bytes
        length = min(self._segment_bytes, self.size - start)
        if length <= 0:
            return b""
        key = (number, length)
        data = self._segments.get(key)
        if data is None:
            data = self._file.read(start, start + length)
            while len(self._segments) >= _KEPT_SEGMENTS:
                del self._segments[next(iter(self._segments))]
            self._segments[key] = data
        return data

    def _count_on(self) -> bool:
        """Counts to the end of the segment, or of the file; whether there was anything to read."""
        size = self._segment_bytes
        segment, offset = divmod(self._counted, size)
        if offset == 0:
            self._ends_before.append(self._ends)
        data = self._file.read(self._counted, (segment + 1) * size)
        if not data:
            if offset == 0:
                self._ends_before.pop()
            return False
        self._ends += data.count(b"\n")
        self._counted += len(data)
        if self._counted == (segment + 1) * size and self._ends == self._ends_before[segment]:
            self._ends += 1  # it holds no newline, so its end is a line's end
        return True

    def _counted_place(self, number: int) -> int:
        """Where line `number` begins, which is counted: behind the `number`th line end."""
        segment = bisect_left(self._ends_before, number) - 1
        data = self._segment(segment)
        wanted = number - self._ends_before[segment]
        low, high = 0, len(data)  # the wanted newline is the `wanted`th of data[low:high]
        while high - low > 1:
            middle = (low + high) // 2
            left = data.count(b"\n", low, middle)
            if left >= wanted:
                high = middle
            else:
                low, wanted = middle, wanted - left
        within = high if data[low:high] == b"\n" else self._segment_bytes
        return segment * self._segment_bytes + within

    def _ends_with_line_end(self) -> bool:
        if self._file.read(self.size - 1, self.size) == b"\n":
            return True
        return self.size % self._segment_bytes == 0 and b"\n" not in self._segment(self._last_segment())

    def _rows(self, starts: list[int], ends: list[int]) -> list[Row]:
        number = self.number_of(starts[0]) if starts else None
        rows = []
        for start, end in zip(starts, ends, strict=True):
            raw = self._line(start, end)
            rows.append(Row(start, end, self.rendering(raw.removesuffix(b"\n")), number))
            number = None if number is None or end > self._counted else number + 1
        return rows

    def _line(self, start: int, end: int) -> bytes:
        segment, offset = divmod(start, self._segment_bytes)
        if end <= (segment + 1) * self._segment_bytes:
            return self._segment(segment)[offset : offset + end - start]
        return self._file.read(start, end)
