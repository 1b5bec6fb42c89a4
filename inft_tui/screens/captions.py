"""The Captions screen: what the model says of some pictures, beside the corpus, and how that changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from inft.project import project_root
from inft.runs.visible import visible
from inft_tui.captions.album import Identity, Moment, SampledRow
from inft_tui.captions.feed import FollowedCaptions
from inft_tui.captions.gallery import Frame, Gallery
from inft_tui.captions.lines import MOST_HISTORY, details, entry, heading, pair, pairs_of, safe, step_words
from inft_tui.captions.mosaic import Canvas
from inft_tui.captions.room import Room, share
from inft_tui.captions.scores import Pair, Scores
from inft_tui.captions.whereabouts import picture_paths
from inft_tui.captions.wrapping import wrapped
from inft_tui.display.capabilities import REMOTE_REFRESH_S
from inft_tui.display.palette import Palette
from inft_tui.display.spans import EMPTY, Line
from inft_tui.key_table import Place
from inft_tui.screens.console_screen import ConsoleScreen
from inft_tui.widgets.line_view import LineView
from inft_tui.widgets.picture_view import PictureView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp

WHEEL_ROWS = 3
AIRY_FROM_ROWS = 12
"""Of what is below the list: from then on there are blank lines in it."""
MOST_CELLS, MOST_CELLS_REMOTE = 1500, 480
"""Of a picture. A photograph takes 28 bytes of each in full colour, and 32 where it is small, as over SSH."""
MOST_PIXELS, MOST_PIXELS_REMOTE = 480, 240
"""Of the longest side of one that is sent as it is."""
HOW_TO = (
    "A run samples captions at every evaluation: data.eval_fraction or data.eval_split says of which rows, and "
    "basic.eval_captions how many of each language. At its end it samples basic.sample_rows more."
)


class CaptionsScreen(ConsoleScreen):
    """The captions of one run.

    Args:
        console: the app.
        followed: its samples, which are read on.
        gallery: has pictures made ready.
        scores: has captions scored.
    """

    place: ClassVar[Place] = "captions"
    heading: ClassVar[str] = "Captions"

    def __init__(self, console: ConsoleApp, followed: FollowedCaptions, gallery: Gallery, scores: Scores) -> None:
        super().__init__(console)
        self._followed = followed
        self._gallery = gallery
        self._scores = scores
        self._list = LineView(console.palette)
        self._picture = PictureView(console.palette, gallery)
        self._text = LineView(console.palette)
        self._below = Horizontal(self._picture, self._text)
        self._selected: Identity = ()
        self._moment: int | None = None
        self._first = self._scroll = 0
        self._is_large = False
        self._room = Room(-1, -1)

    def body(self) -> Widget:
        """The list, and below it the picture and the captions of one row."""
        return Vertical(self._list, self._below)

    def about(self) -> Line:
        """Of which run, and how many there are."""
        album = self._followed.feed.album
        parts = [visible(self._followed.path.name)]
        if album.rows:
            parts.append(f"{_count(len(album.rows), 'row')} in {_count(album.languages, 'language')}")
        if album.rows:
            row = album.rows[self._position()]
            parts += _step_words(row.moments[self._moment_of(row)], album.last_step)
        if not self._followed.is_loaded:
            parts.append("reading …")
        return ((f"  {' · '.join(parts)}", "bar-dim"),)

    def on_screen_resume(self) -> None:
        """It is shown again."""
        super().on_screen_resume()
        self._followed.changed = self._news
        self.call_after_refresh(self.draw)

    def on_screen_suspend(self) -> None:
        """Another one is shown."""
        self._followed.changed = _nothing

    def on_unmount(self) -> None:
        """Has the terminal forget the pictures."""
        self._gallery.close()

    def on_resize(self) -> None:
        """Shares the room out anew."""
        super().on_resize()
        self.call_after_refresh(self.draw)

    def tick(self) -> None:
        """Has the samples read on; what that brings is drawn when it comes."""
        self._followed.poll()

    def next_tick_s(self) -> float:
        """Once a second where nothing happens."""
        return self._followed.next_look_s or super().next_tick_s()

    def recolour(self, palette: Palette) -> None:
        """Shows the same in other colours."""
        super().recolour(palette)
        self._picture.repaint(palette)
        self.draw()

    def act(self, name: str) -> bool:
        """The keys of this screen."""
        page = self._room.entries
        moves = {
            "captions.up": -1,
            "captions.down": 1,
            "captions.page-up": -page,
            "captions.page-down": page,
            "captions.first": -len(self._rows()),
            "captions.last": len(self._rows()),
        }
        if name in moves:
            self._select(self._position() + moves[name])
            return True
        match name:
            case "repaint":
                self._gallery.close()  # a terminal that was left for the shell may have forgotten its pictures
                self.draw()
                return False
            case "captions.back" if self._is_large:
                self._is_large = False
            case "captions.back":
                self.console_app.back()
                return True
            case "captions.enlarge":
                self._is_large = not self._is_large
            case "captions.next-language" | "captions.previous-language":
                self._go_to_language(1 if name == "captions.next-language" else -1)
            case "captions.earlier" | "captions.later":
                self._go_in_time(-1 if name == "captions.earlier" else 1)
            case "captions.scroll-up" | "captions.scroll-down":
                self._scroll = max(0, self._scroll + (-1 if name == "captions.scroll-up" else 1))
            case _:
                return False
        self.draw()
        return True

    def is_valid(self, name: str) -> bool:
        """Nothing but going back where there is nothing; earlier captions where there are any."""
        rows = self._rows()
        match name:
            case "captions.back":
                return True
            case "captions.earlier" | "captions.later":
                return bool(rows) and len(rows[self._position()].moments) > 1
            case "captions.next-language" | "captions.previous-language":
                return self._followed.feed.album.languages > 1
            case _:
                return bool(rows)

    def on_click(self, event: events.Click) -> None:
        """Selects a row."""
        corner = self._list.region
        at = event.screen_y - corner.y - 1
        if not self._is_large and corner.contains(event.screen_x, event.screen_y) and 0 <= at < self._room.entries:
            self._select(min(self._first + at, len(self._rows()) - 1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self._select(self._position() + WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self._select(self._position() - WHEEL_ROWS)

    # Drawing

    def draw(self) -> None:
        """Draws what is known; only what changed is sent."""
        columns, total = self.size.width, self.size.height - 3
        if columns <= 0 or total <= 0 or not self.is_current:
            return
        if self._share_out(self._room_now()):
            self.call_after_refresh(self.draw)
            return
        rows, room = self._rows(), self._room
        if rows:
            if room.list_rows:
                self._draw_list(rows, columns, room.entries)
            if room.detail_rows:
                self._draw_row(rows[self._position()], columns - room.left_columns, room.detail_rows)
        else:
            self._list.show(self._without_samples(columns))
        self.draw_bars()

    def _draw_list(self, rows: Sequence[SampledRow], columns: int, room: int) -> None:
        at = self._position()
        self._first = max(0, min(self._first, at, len(rows) - room), at - room + 1)
        scored = self._scores.can_score
        shown = rows[self._first : self._first + room]
        lines: list[Line] = [heading(columns, scored=scored)]
        for number, row in enumerate(shown):
            is_first = number == 0 or shown[number - 1].language != row.language
            lines.append(
                entry(
                    row,
                    columns,
                    self._scores.of,
                    scored=scored,
                    first_of_language=is_first,
                    selected=self._first + number == at,
                )
            )
        more = len(rows) - self._first - len(shown)
        words = f" {more:,} more below " if more > 0 else ""
        lines += [EMPTY] * (room - len(shown))
        lines.append((("──", "faint"), (words, "dim"), ("─" * max(0, columns - 2 - len(words)), "faint")))
        self._list.show(lines)
        if scored:
            self._scores.want([*self._pairs(rows[at]), *(one for row in shown for one in pairs_of(row))], self.draw)

    def _draw_row(self, row: SampledRow, columns: int, height: int) -> None:
        airy = height >= AIRY_FROM_ROWS
        lines = details(row, self._moment_of(row), max(3, columns), self._scores.of, airy=airy)
        self._scroll = max(0, min(self._scroll, len(lines) - height))
        self._text.show(lines[self._scroll : self._scroll + height])
        if self._is_large and self._scores.can_score:
            self._scores.want(self._pairs(row), self.draw)
        frame = self._frame()
        if frame is not None:
            self._picture.want(self._paths(row), frame)

    def _news(self) -> None:
        """A slice has brought something; a picture that was not there may be by now."""
        self._picture.try_again()
        if self.is_current:
            self.draw()

    # Room

    def _room_now(self) -> Room:
        """Who has how much; the place for a picture is the same for all rows of a run."""
        capabilities, album = self.console_app.capabilities, self._followed.feed.album
        is_large, count = self._is_large, len(album.rows)
        most: int | None = MOST_CELLS_REMOTE if self._is_remote() else MOST_CELLS
        if capabilities.pictures == "none" or not album.has_pictures:
            most = 0
        elif capabilities.pictures == "kitty":
            most = None
        return share(self.size.width, self.size.height - 3, count, is_large=is_large, most_cells=most)

    def _frame(self) -> Frame | None:
        capabilities, room = self.console_app.capabilities, self._room
        if not room.picture_columns:
            return None
        canvas = None if capabilities.pictures == "kitty" else Canvas.of(capabilities)
        most = MOST_PIXELS_REMOTE if self._is_remote() else MOST_PIXELS
        return Frame(room.picture_columns, room.picture_rows, canvas, most)

    def _is_remote(self) -> bool:
        return self.console_app.capabilities.refresh_s >= REMOTE_REFRESH_S

    def _share_out(self, room: Room) -> bool:
        """Gives the parts their room; whether they had another, since everything is laid out anew then."""
        if self._room == room:
            return False
        self._room = room
        self._list.display, self._below.display = room.list_rows > 0, room.detail_rows > 0
        self._list.styles.height = room.list_rows
        self._picture.display = room.picture_columns > 0
        self._picture.styles.width = room.left_columns
        return True

    # Rows

    def _rows(self) -> Sequence[SampledRow]:
        return self._followed.feed.album.rows

    def _position(self) -> int:
        """Where the selected row is, whatever has come since; the first where there is none yet."""
        return self._followed.feed.album.places.get(self._selected, 0)

    def _select(self, at: int) -> None:
        rows = self._rows()
        if rows:
            self._selected = rows[max(0, min(at, len(rows) - 1))].identity
            self._moment, self._scroll = None, 0
        self.draw()

    def _go_to_language(self, by: int) -> None:
        """To the first row of another language; round at the end."""
        rows = self._rows()
        if not rows:
            return
        firsts = [at for at, row in enumerate(rows) if at == 0 or rows[at - 1].language != row.language]
        here = max(place for place, at in enumerate(firsts) if at <= self._position())
        self._select(firsts[(here + by) % len(firsts)])

    def _go_in_time(self, by: int) -> None:
        """To an earlier caption of the same row, or to a later one; the newest one is followed."""
        rows = self._rows()
        if rows:
            row = rows[self._position()]
            at = max(0, self._moment_of(row) + by)
            self._moment = at if at < len(row.moments) - 1 else None

    def _moment_of(self, row: SampledRow) -> int:
        newest = len(row.moments) - 1
        return newest if self._moment is None else min(self._moment, newest)

    def _pairs(self, row: SampledRow) -> list[Pair]:
        """What scores are shown of below the list."""
        at = self._moment_of(row)
        around = row.moments[max(0, at - MOST_HISTORY) : at + MOST_HISTORY]
        return [pair(row, moment) for moment in reversed(around)]

    def _paths(self, row: SampledRow) -> tuple[Path, ...]:
        """Where its picture may lie: the copies in the folders of the run and of those before it, and the original."""
        return picture_paths(row.picture, row.image, self._followed.feed.folders, project_root())

    # Words

    def _without_samples(self, columns: int) -> list[Line]:
        feed = self._followed.feed
        if feed.problem:
            return [EMPTY, ((f"  {feed.problem}", "bad"),)]
        if not self._followed.is_loaded:
            return [EMPTY, (("  Reading …", "dim"),)]
        if not feed.folders:
            return [EMPTY, (("  This is another program's log: captions of it are not known.", "title"),)]
        seen = next((seen for seen in self.console_app.snapshot.runs if seen.run.path == self._followed.path), None)
        is_alive = seen is not None and seen.condition is not None and seen.condition.alive
        first = f"{safe(self._followed.path.name)} has sampled no captions{' yet' if is_alive else ''}."
        how = wrapped(((HOW_TO, "text"),), max(2, columns - 4))
        return [EMPTY, ((f"  {first}", "title"),), EMPTY, *[(("  ", "text"), *line) for line in how]]


def _step_words(shown: Moment, newest: int | None) -> list[str]:
    """Of which step what is shown is, and of which the newest captions are where that is another one."""
    words = [step_words(shown) + (", the end" if shown.is_final else "")]
    return words if newest is None or shown.is_final or shown.step == newest else [*words, f"newest {newest:,}"]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _nothing() -> None:
    """Nobody looks."""
